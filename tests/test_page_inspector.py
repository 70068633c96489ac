"""The inspector in a real browser on the toy studio: all that made the picture that was chosen, and taking over one value of it."""

from __future__ import annotations

from collections.abc import Generator

import pytest
from playwright.sync_api import Locator

from tests.support.page_fixtures import House, Visit, browser, house, open_house, visit, wait_for

pytestmark = pytest.mark.browser
__all__ = ["browser", "house", "open_house", "visit"]
PROMPT = "a red house <b>on the left</b>"


@pytest.fixture
def inspected(visit: Visit) -> Generator[Visit]:
    """A picture of 30 steps by Euler, shown; then the form says something else."""
    visit.unfold()
    choose(visit, "sampler", "Euler")
    visit.set("steps", "30")
    visit.set("seed", "9007199254740993")
    visit.generate(PROMPT)
    visit.finished()
    fact(visit, "sampler").wait_for()
    choose(visit, "sampler", "DDIM")
    visit.set("steps", "12")
    visit.set("seed", "5")
    visit.control("prompt").fill("something else")
    wait_for(visit.page, lambda: values(visit)["prompt"] == "something else")
    yield visit


def choose(visit: Visit, name: str, option: str) -> None:
    visit.page.locator(f"#txt2img-{name} input").click()
    visit.page.get_by_role("option", name=option, exact=True).click()
    wait_for(visit.page, lambda: values(visit)[name] == option)


def values(visit: Visit) -> dict[str, object]:
    return visit.page.evaluate("inside.page.forms.txt2img")


def fact(visit: Visit, name: str) -> Locator:
    return visit.page.locator(f'#inspector .inspector-fact[data-fields~="{name}"]')


def shown(visit: Visit, name: str) -> str:
    return fact(visit, name).locator(".inspector-text").first.inner_text()


def take_over(visit: Visit, place: Locator) -> None:
    place.hover()
    place.get_by_role("button", name="Take over").first.click()


def changed(before: dict[str, object], after: dict[str, object]) -> set[str]:
    return {name for name in before if before[name] != after[name]}


def test_all_that_made_a_picture_stands_in_the_inspector_as_text(inspected: Visit) -> None:
    page = inspected.page
    assert page.locator("#inspector [data-part=prompt]").inner_text() == PROMPT
    assert page.locator("#inspector b").count() == 0
    assert [shown(inspected, name) for name in ("sampler", "steps", "seed", "width")] == ["Euler", "30", "9007199254740993", "128 × 128"]
    assert "Toy" in fact(inspected, "checkpoint").inner_text() and "0123456789" in fact(inspected, "checkpoint").inner_text()
    assert "another file" in fact(inspected, "checkpoint").inner_text()
    titles = page.locator("#inspector .inspector-group > summary").all_inner_texts()
    assert titles[:4] == ["Words", "Model", "Picture", "Sampling"] and titles[-1] == "Provenance"


def test_taking_over_the_sampler_alone_changes_the_sampler_alone_and_is_undone_at_once(inspected: Visit) -> None:
    before = values(inspected)
    take_over(inspected, fact(inspected, "sampler"))
    wait_for(inspected.page, lambda: values(inspected)["sampler"] == "Euler")
    inspected.page.wait_for_timeout(300)
    assert changed(before, values(inspected)) == {"sampler"}
    inspected.page.locator(".page-note").get_by_role("button", name="Undo").click()
    wait_for(inspected.page, lambda: values(inspected) == before)


def test_a_group_is_taken_over_without_the_others_and_all_with_every_digit(inspected: Visit) -> None:
    before = values(inspected)
    inspected.page.get_by_role("button", name="Take over the group: Sampling").click()
    wait_for(inspected.page, lambda: values(inspected)["sampler"] == "Euler")
    wait_for(inspected.page, lambda: values(inspected)["steps"] == 30)
    assert changed(before, values(inspected)) == {"sampler", "steps"}
    inspected.page.locator("#inspector [data-part=all]").click()
    wait_for(inspected.page, lambda: values(inspected)["prompt"] == PROMPT)
    wait_for(inspected.page, lambda: values(inspected)["seed"] == "9007199254740993")


def test_a_value_goes_into_the_form_of_the_tab_that_is_open(inspected: Visit) -> None:
    inspected.open_tab("Inpaint")
    take_over(inspected, fact(inspected, "steps"))
    inspected.page.wait_for_function("() => inside.page.forms.inpaint.steps === 30")
    assert inspected.page.locator("#inpaint-generate").is_visible()
    assert values(inspected)["steps"] == 12


def test_a_value_is_selected_by_mouse_and_copied_by_its_button(inspected: Visit) -> None:
    page = inspected.page
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    fact(inspected, "sampler").locator(".inspector-text").dblclick()
    assert page.evaluate("getSelection().toString().trim()") == "Euler"
    fact(inspected, "seed").hover()
    fact(inspected, "seed").get_by_role("button", name="Copy: Seed").click()
    wait_for(page, lambda: page.evaluate("navigator.clipboard.readText()") == "9007199254740993")


def test_a_fold_stays_as_it_was_left(inspected: Visit) -> None:
    group = inspected.page.locator('#inspector [data-group="Model"]')
    assert group.get_attribute("open") is not None
    group.locator("summary").click()
    inspected.reload()
    inspected.page.locator("#inspector [data-group=Model]").wait_for()
    assert inspected.page.locator('#inspector [data-group="Model"]').get_attribute("open") is None


def test_before_a_picture_is_chosen_it_says_what_to_do(visit: Visit, house: House) -> None:
    assert house.studio
    if not house.studio.book.recent("", 1, True) and not visit.page.locator("#inspector [data-part=known]").is_visible():
        assert "Choose a picture" in visit.page.locator("#inspector").inner_text()
    told = visit.page.evaluate("async () => { inside.dom.emit('picture', { id: 'x'.repeat(22) }); }")
    assert told is None
    visit.page.locator("#inspector").get_by_text("no such picture among yours").wait_for()
    visit.complaints[:] = [line for line in visit.complaints if "404" not in line]  # the browser's own line for the refusal
