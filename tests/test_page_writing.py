"""Help while writing, on the page: presets that are brought in, looked at, applied, taken back, made and handed on; completion."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.support.page_fixtures import House, Visit, browser, house, house_with, visit

pytestmark = pytest.mark.browser
__all__ = ["browser", "house", "open_house", "visit"]
open_house = house_with("txt2img")

STYLES = 'name,prompt,negative_prompt\nFilm,"film still {prompt}, grain",cartoon\nNoir,noir,colour\n'


def test_presets_are_brought_in_looked_at_applied_together_taken_back_made_of_the_form_and_handed_on(
    visit: Visit, house: House, tmp_path: Path
) -> None:
    page, dialog = visit.page, visit.page.locator(".presets-dialog")
    prompt, negative = (page.locator(f"#txt2img-{name} textarea") for name in ("prompt", "negative_prompt"))
    prompt.fill("a red house")
    page.get_by_role("button", name="Presets").click()
    expect(dialog.locator(".preset-looked")).to_contain_text("No preset yet")
    styles = tmp_path / "styles.csv"
    styles.write_text(STYLES, "utf-8-sig")
    dialog.locator("input[type=file]").set_input_files(styles)
    expect(dialog.locator(".preset-choose b")).to_have_text(["Film", "Noir"])
    for name in ("Film", "Noir"):
        dialog.get_by_role("button", name=name).first.click()
    expect(dialog.locator(".preset-words").first).to_have_text("film still a red house, grain, noir")
    expect(dialog.locator(".preset-words").first.locator("mark")).to_have_text(["film still ", ", grain", ", noir"])
    assert prompt.input_value() == "a red house"  # nothing has changed yet
    dialog.get_by_role("button", name="Apply these 2").click()
    expect(prompt).to_have_value("film still a red house, grain, noir")
    expect(negative).to_have_value("cartoon, colour")
    page.locator(".page-note").get_by_role("button", name="Undo").click()
    expect(prompt).to_have_value("a red house")
    expect(negative).to_have_value("")
    # One of the form: all that somebody has set, and its words in the place of others.
    visit.set("steps", "7")
    page.get_by_role("button", name="Presets").click()
    dialog.get_by_role("button", name="Keep this form…").click()
    dialog.get_by_label("Name").fill("Mine")
    expect(dialog.locator('.preset-chip[aria-pressed="true"]').filter(has_text="Steps")).to_have_text("Steps7")
    dialog.get_by_role("button", name="Save").click()
    expect(dialog.locator(".preset-choose b")).to_have_text(["Film", "Mine", "Noir"])
    with page.expect_download() as download:
        dialog.get_by_role("button", name="Export these").click()
    (exported,) = json.loads(Path(download.value.path()).read_text("utf-8"))["presets"]
    assert (exported["values"]["steps"], exported["values"]["prompt"]) == (7, "a red house")
    dialog.get_by_role("button", name="Close").click()
    visit.set("steps", "20")
    prompt.fill("fog")
    page.get_by_role("button", name="Presets").click()
    dialog.get_by_role("button", name="Mine").first.click()
    expect(dialog.locator(".preset-changes")).to_contain_text("Steps20")
    dialog.get_by_role("button", name="Apply", exact=True).click()
    expect(prompt).to_have_value("a red house")
    expect(page.locator("#txt2img-steps input")).to_have_value("7")


def test_what_is_typed_is_completed_by_keys_and_by_mouse_and_the_field_stays_itself(visit: Visit, house: House) -> None:
    page, field, rows = visit.page, visit.page.locator("#txt2img-prompt textarea"), visit.page.locator("#completion li")
    visit.generate("zest (harbour:1.2), grey zebra")
    visit.finished()
    field.fill("")
    field.press_sequentially("a fox, ze", delay=20)
    expect(rows.locator(".completion-said")).to_have_text(["zest", "grey zebra"])
    assert field.evaluate("(each) => [each.getAttribute('role'), each.getAttribute('aria-controls')]") == [None, "completion"]
    field.press("Enter")  # nothing was chosen, so it ends the line
    expect(rows).to_have_count(0)
    expect(field).to_have_value("a fox, ze\n")
    field.press("Backspace")
    expect(rows).to_have_count(2)
    field.press("ArrowDown")
    expect(rows.first).to_have_attribute("aria-selected", "true")
    assert field.get_attribute("aria-activedescendant") == "completion-0"
    field.press("Enter")
    expect(field).to_have_value("a fox, zest, ")
    field.press("ControlOrMeta+z")
    expect(field).to_have_value("a fox, ze")
    field.press_sequentially("s", delay=20)
    expect(field).to_have_value("a fox, zes")
    expect(rows).to_have_count(1)
    field.press("Escape")
    expect(rows).to_have_count(0)
    field.press_sequentially(", gr", delay=20)
    rows.filter(has_text="grey zebra").click()
    expect(field).to_have_value("a fox, zes, grey zebra, ")
    assert field.evaluate("(each) => document.activeElement === each && each.selectionStart === each.value.length")
    # An input method composes in peace, and what a script writes asks for nothing.
    field.evaluate("""(each) => {
      each.dispatchEvent(new CompositionEvent("compositionstart"));
      each.dispatchEvent(new InputEvent("input", { inputType: "insertCompositionText", isComposing: true, bubbles: true }));
    }""")
    page.wait_for_timeout(200)
    expect(rows).to_have_count(0)
    # What was drawn comes back, by keys and out of the list.
    field.fill("draft")
    field.press("Alt+ArrowUp")
    expect(field).to_have_value("zest (harbour:1.2), grey zebra")
    field.press("Alt+ArrowDown")
    expect(field).to_have_value("draft")
    page.get_by_role("button", name="History").click()
    page.get_by_label("Search your prompts").fill("zebra")
    expect(page.locator(".history-row b")).to_have_text(["zest (harbour:1.2), grey zebra"])
    page.locator(".history-row").click()
    expect(field).to_have_value("zest (harbour:1.2), grey zebra")
    page.locator(".page-note").get_by_role("button", name="Undo").click()
    expect(field).to_have_value("draft")
    # The count opens which word became which tokens.
    field.fill("a (house:1.3)")
    page.get_by_role("button", name="Length of the prompt").click()
    expect(page.locator(".token-word").last).to_have_text("house")
    expect(page.locator(".token-word").last.locator(".token").first).to_have_attribute("data-weight", "strong")
    field.fill("a fox")
    expect(page.locator(".token-word").last).to_have_text("fox")
