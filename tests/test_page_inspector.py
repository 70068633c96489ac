"""The inspector in a real browser on the toy studio: all that made the picture that was chosen, and taking over one value of it."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import pytest
from playwright.sync_api import Locator, expect

from pipelines import Enlarge, Request, TextToImage
from pipelines.requests.request import LoraUse
from tests.support.page_fixtures import House, Visit, browser, house, house_with, visit, wait_for
from tests.test_page_compare import RED, keep, plain, user_of

pytestmark = pytest.mark.browser
__all__ = ["browser", "house", "open_house", "visit"]
open_house = house_with("inpaint", "enlarge")
PROMPT = "a red house <b>on the left</b>"
SEED = 2**53 + 1  # one that a script's numbers cannot hold
MADE = TextToImage(prompt=PROMPT, negative_prompt="<i>fog</i>", sampler="Euler", steps=30, seed=SEED, width=128, height=128)


@pytest.fixture
def inspected(visit: Visit, house: House) -> Generator[Visit]:
    """A picture of 30 steps by Euler, shown beside a form that says something else."""
    visit.control("prompt").fill("something else")
    wait_for(visit.page, lambda: values(visit)["prompt"] == "something else")
    inspect(visit, house, MADE)
    yield visit


def inspect(visit: Visit, house: House, request: Request) -> str:
    picture_id = keep(house, user_of(visit), plain(RED, 128), request)
    visit.page.evaluate("id => inside.dom.emit('picture', { id, chosen: true })", picture_id)
    visit.page.locator(f"#inspector [data-picture='{picture_id}']").wait_for()
    return picture_id


def values(visit: Visit, kind: str = "txt2img") -> dict[str, Any]:
    return visit.page.evaluate("kind => inside.page.forms[kind]", kind)


def fact(visit: Visit, name: str) -> Locator:
    return visit.page.locator(f'#inspector .inspector-fact[data-fields~="{name}"]')


def shown(visit: Visit, name: str) -> str:
    return fact(visit, name).locator(".inspector-text").first.inner_text()


def take_over(visit: Visit, name: str) -> None:
    fact(visit, name).hover()
    fact(visit, name).get_by_role("button", name="Take over").click()


def copy(visit: Visit, name: str, says: str) -> None:
    fact(visit, name).hover()
    fact(visit, name).get_by_role("button", name=says).click()


def changed(before: dict[str, Any], after: dict[str, Any]) -> set[str]:
    return {name for name in before if before[name] != after[name]}


def test_before_a_picture_is_chosen_it_says_what_to_do_and_one_that_is_drawn_is_shown(visit: Visit) -> None:
    page = visit.page
    page.locator("#inspector").get_by_text("Choose a picture").wait_for()
    visit.generate("a ball")
    visit.finished()
    page.locator("#inspector [data-part=prompt]").get_by_text("a ball").wait_for()
    assert not page.locator("#inspector").get_by_text("Choose a picture").is_visible()
    page.evaluate("() => inside.dom.emit('picture', { id: 'x'.repeat(22) })")
    page.locator("#inspector").get_by_text("no such picture among yours").wait_for()
    visit.complaints[:] = [line for line in visit.complaints if "404" not in line]  # the browser's own line for the refusal


def test_all_that_made_a_picture_stands_there_as_text_to_be_selected_and_copied(inspected: Visit) -> None:
    page = inspected.page
    assert page.locator("#inspector [data-part=prompt]").inner_text() == PROMPT
    assert shown(inspected, "negative_prompt") == "<i>fog</i>" and page.locator("#inspector :is(b, i:not(.icon))").count() == 0
    assert [shown(inspected, name) for name in ("sampler", "steps", "seed", "width")] == ["Euler", "30", str(SEED), "128 × 128"]
    checkpoint = fact(inspected, "checkpoint").inner_text()
    assert "Toy" in checkpoint and "0123456789" in checkpoint and "another file" in checkpoint
    titles = page.locator("#inspector .inspector-group[data-group] > summary").all_inner_texts()
    assert titles == ["Words", "Regions", "Model", "Picture", "Sampling", "Guidance", "Second pass", "Control", "Provenance"]
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    fact(inspected, "sampler").locator(".inspector-text").dblclick()
    assert page.evaluate("getSelection().toString().trim()") == "Euler"
    copy(inspected, "seed", "Copy: Seed")
    wait_for(page, lambda: page.evaluate("navigator.clipboard.readText()") == str(SEED))
    page.evaluate("() => { window.kept = navigator.clipboard; Object.defineProperty(navigator, 'clipboard', { value: undefined }); }")
    copy(inspected, "width", "Copy: Size")  # as on a page without TLS
    wait_for(page, lambda: page.evaluate("kept.readText()") == "128 × 128")
    chosen = page.locator("#inspector [data-picture]").get_attribute("data-picture")
    group = page.locator('#inspector [data-group="Model"]')
    group.locator("summary").click()
    inspected.reload()
    page.evaluate("id => inside.dom.emit('picture', { id })", chosen)
    group.wait_for()
    assert group.get_attribute("open") is None, "a fold stays as it was left"


def test_the_sampler_alone_is_taken_over_and_undone_at_once_then_a_group_without_the_others_and_all_with_every_digit(
    inspected: Visit,
) -> None:
    before = values(inspected)
    take_over(inspected, "sampler")
    wait_for(inspected.page, lambda: values(inspected)["sampler"] == "Euler")
    inspected.page.wait_for_timeout(300)
    assert changed(before, values(inspected)) == {"sampler"}
    inspected.page.locator(".page-note").get_by_role("button", name="Undo").click()
    wait_for(inspected.page, lambda: values(inspected) == before)
    inspected.page.get_by_role("button", name="Take over the group: Sampling").click()
    wait_for(inspected.page, lambda: (values(inspected)["sampler"], values(inspected)["steps"]) == ("Euler", 30))
    assert changed(before, values(inspected)) <= {"sampler", "steps", "guidance_scale"}
    inspected.page.locator("#inspector [data-part=all]").click()
    wait_for(inspected.page, lambda: (values(inspected)["prompt"], values(inspected)["seed"]) == (PROMPT, str(SEED)))


def test_a_value_goes_into_the_form_that_is_open_if_that_has_it(inspected: Visit) -> None:
    inspected.open_tab("Inpaint")
    take_over(inspected, "steps")
    inspected.page.wait_for_function("() => inside.page.forms.inpaint.steps === 30")
    assert inspected.page.locator("#inpaint-generate").is_visible()
    assert values(inspected)["steps"] == 20
    inspected.open_tab("Enlarge")
    take_over(inspected, "width")
    inspected.page.get_by_text("This tab has no such setting").wait_for()


def test_a_missing_model_is_named_with_its_hash_and_left_out_when_it_is_taken_over(visit: Visit, house: House) -> None:
    inspect(visit, house, TextToImage(prompt="x", loras=(LoraUse(id="gone", name="ink", unet=0.6),)))
    loras = fact(visit, "loras").inner_text()
    assert "ink" in loras and "Missing" in loras and "0.6" in loras
    take_over(visit, "loras")
    visit.page.get_by_text("is not in the models folders; it was left out").wait_for()


def test_the_next_picture_is_compared_with_this_one(inspected: Visit, house: House) -> None:
    inspected.page.locator("#inspector [data-part=compare]").click()
    expect(inspected.part("compare")).to_have_attribute("aria-pressed", "true")
    inspect(inspected, house, Enlarge(image="a" * 64))
    inspected.page.locator("#compare [data-part=table]").get_by_text("Drawn by").wait_for()
    assert inspected.page.locator("#compare figure").count() == 2
    assert inspected.page.locator("#inspector [data-part=compare]").get_attribute("aria-pressed") == "false"
    inspected.complaints[:] = [line for line in inspected.complaints if "404" not in line]  # the picture that it began with is nobody's


def test_words_that_were_drawn_are_kept_or_rolled_again(visit: Visit, house: House) -> None:
    second = {"hires": True, "hires_prompt": "by night", "hires_template": "by {night|day}"}
    inspect(visit, house, TextToImage(prompt="a red house", prompt_template="a {red|blue} house", seed=4, **second))
    everything = visit.page.locator("#txt2img-all_combinations")
    assert shown(visit, "prompt_template") == "a {red|blue} house" and not everything.is_visible()
    visit.page.get_by_role("button", name="with a new seed").click()
    wait_for(visit.page, lambda: (values(visit)["prompt"], values(visit)["seed"]) == ("a {red|blue} house", "-1"))
    assert values(visit)["hires_prompt"] == "by {night|day}"
    visit.unfold("Hires fix")
    visit.page.locator("#txt2img-hires input[type=checkbox]").check()
    visit.page.locator("#txt2img-notes .drawn").get_by_text("2 choices, 4 combinations; for example").wait_for()
    everything.get_by_role("checkbox").check()
    visit.page.get_by_text("All combinations: 4 pictures will be drawn").wait_for()
    everything.get_by_role("checkbox").uncheck()
    visit.page.get_by_role("button", name="the words that were drawn").click()
    wait_for(visit.page, lambda: values(visit)["prompt"] == "a red house" and values(visit)["hires_prompt"] == "by night")
    everything.wait_for(state="hidden")
