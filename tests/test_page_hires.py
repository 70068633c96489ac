"""Hires fix in a real browser on the toy studio: as a switch of text to image, and on a picture that is finished."""

from __future__ import annotations

import pytest

from pipelines.requests.request import SecondPass
from tests.support.page_fixtures import House, Visit, browser, house, house_with, visit, wait_for

pytestmark = pytest.mark.browser
__all__ = ["browser", "house", "open_house", "visit"]
open_house = house_with("hires")


def plan(visit: Visit, kind: str) -> str:
    return visit.page.locator(f"#{kind}-plan").inner_text()


def said(visit: Visit) -> str:
    return visit.page.locator("#txt2img-second .row-value").inner_text()


def test_a_switch_draws_a_second_pass_and_keeps_the_first(visit: Visit, house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(house.runner, "step_seconds", 0.2)  # so that the page sees the second job while it is drawn
    visit.unfold("Hires fix")
    assert said(visit) == "off"
    visit.page.locator("#txt2img-hires input[type=checkbox]").check()
    wait_for(visit.page, lambda: "From 128 × 128 to 256 × 256, 4.0 times the pixels. 20 steps will run." in plan(visit, "txt2img"))
    visit.set("hires_steps", "3")
    wait_for(visit.page, lambda: "3 steps will run." in plan(visit, "txt2img"))
    wait_for(visit.page, lambda: said(visit) == "2 ×, Lanczos, 35 %")
    visit.page.locator("#txt2img-hires_tiling input").click()
    visit.page.get_by_role("option", name="Windows").click()
    wait_for(visit.page, lambda: "9 windows of 128 × 128" in plan(visit, "txt2img"))
    wait_for(visit.page, lambda: said(visit) == "2 ×, Lanczos, 35 %, in tiles")
    shown = [visit.page.locator(f"#txt2img-hires_{name}").is_visible() for name in ("tile_size", "tile_padding", "seam_pass")]
    assert shown == [True, False, False], "what does nothing in windows is out of sight"
    visit.set("steps", "2")
    visit.set("seed", "4")
    visit.generate("a red house")
    wait_for(visit.page, lambda: visit.part("facts").inner_text().startswith("256 × 256"))
    assert visit.page.locator("#stage [data-part=strip] [data-picture]").count() == 2
    first, second = house.runner.drawn[-2:]
    assert isinstance(second, SecondPass) and (first.seed, second.seed, second.steps) == (4, 4, 3)
    assert (second.tiling, second.tile_size, second.tile_overlap) == ("Windows", 128, 64)


def test_a_finished_picture_is_sent_there_with_what_drew_it(visit: Visit, house: House) -> None:
    visit.set("steps", "2")
    with visit.another_picture():
        visit.generate("a blue ball")
    visit.send_to("hires")
    wait_for(visit.page, lambda: "From 128 × 128 to 256 × 256" in plan(visit, "hires"))
    assert visit.page.locator("#hires-prompt textarea").input_value() == "a blue ball"
    with visit.another_picture():
        visit.page.locator("#hires-generate").click()
    made = house.runner.drawn[-1]
    assert isinstance(made, SecondPass) and (made.prompt, made.steps, made.width) == ("a blue ball", 2, 256)
    assert [use.prompt for use in made.first] == ["a blue ball"], "what its text tells of the first pass went along"
