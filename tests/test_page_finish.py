"""A finish on the page: made of what the tabs hold, saved, applied to the picture on the surface, to a selection, and by itself."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from pipelines import Enlarge, PictureRecord, SecondPass
from tests.support.page_fixtures import House, Visit, browser, house, house_with, visit, wait_for

pytestmark = pytest.mark.browser
__all__ = ["browser", "house", "open_house", "visit"]
open_house = house_with("hires", "details", "enlarge", "gallery")


def made(house: House) -> list[PictureRecord]:
    """All pictures of everybody, the oldest first: there is one visitor a test."""
    assert house.studio
    rows = house.studio.book.file.rows("select id from picture order by number")
    return [record for row in rows if (record := house.studio.picture(row["id"]))]


def add(visit: Visit, title: str) -> None:
    steps = visit.page.locator("#finish .finish-step")
    before = steps.count()
    visit.page.locator("#finish .finish-add").get_by_role("button", name=title).click()
    expect(steps).to_have_count(before + 1)


def test_steps_of_the_tabs_are_saved_and_finish_one_picture_then_a_selection_then_a_favourite_by_itself(visit: Visit, house: House) -> None:
    page, steps = visit.page, visit.page.locator("#finish .finish-step")
    visit.set("width", "64")
    visit.set("height", "64")
    visit.generate("a red house")
    visit.finished()
    visit.part("finish").click()
    visit.open_tab("Enlarge")
    page.locator("#enlarge-factor input[type=number]").fill("3")
    page.locator("#enlarge-factor input[type=number]").press("Tab")
    page.wait_for_function("() => Number(inside.page.forms.enlarge?.factor) === 3")
    add(visit, "Enlarge")
    add(visit, "Hires fix")
    expect(steps.nth(0)).to_contain_text("× 3, Lanczos")
    expect(page.locator("#finish [data-part=plan]")).to_have_text("From 64 × 64 → 192 × 192 → 384 × 384.")
    # The other way round, and the intermediate one goes.
    steps.nth(1).get_by_role("button", name="What to do with").click()
    steps.nth(1).get_by_role("button", name="Move up").click()
    expect(steps.nth(1)).to_contain_text("× 3, Lanczos")
    steps.nth(0).get_by_label("Keep what comes of it").uncheck()
    page.locator("#finish [data-part=name]").fill("For the web")
    page.locator("#finish [data-part=starts]").select_option("favourite")
    page.locator("#finish [data-part=save]").click()
    expect(page.locator("#finish [data-part=save]")).to_have_text("Saved")
    visit.open_tab("Text to image")
    page.locator("#finish [data-part=apply]").click()
    expect(page.locator(".page-note")).to_contain_text("“For the web”: 1 picture is in the queue.")
    wait_for(page, lambda: [(each.request.kind, each.width) for each in made(house)] == [("txt2img", 64), ("hires", 128), ("enlarge", 384)])
    first, hires, enlarged = made(house)
    assert isinstance(hires.request, SecondPass) and isinstance(enlarged.request, Enlarge)
    assert (hires.request.prompt, hires.request.seed) == ("a red house", first.seed)
    assert house.studio
    query, rows = "select picture.id from shelf join picture using (number) where deleted is not null", house.studio.book.file.rows
    wait_for(page, lambda: [row["id"] for row in rows(query)] == [hires.id])

    page.reload()
    visit.settle()
    expect(page.locator("#finish .finish-step")).to_have_count(2)  # as it was left
    visit.open_tab("Library")
    tiles = page.locator("#gallery .tile:visible")
    expect(tiles).to_have_count(2)
    tiles.nth(0).click()
    tiles.nth(1).click(modifiers=["Control"])
    page.locator(".gallery-bar [data-act=finish]").click()
    page.locator(".gallery-bar").get_by_role("button", name="For the web").click()
    expect(page.locator(".page-note")).to_contain_text("“For the web”: 2 pictures are in the queue.")
    wait_for(page, lambda: sum(each.request.kind == "enlarge" for each in made(house)) == 3)

    expect(tiles).to_have_count(4)  # the picture and what came of it; what lay between has gone, and tiles move no more
    page.locator(f"#gallery .tile:visible[data-picture='{first.id}']").click()
    page.keyboard.press("f")
    expect(page.locator(".page-note")).to_contain_text("“For the web” is begun for it.")
    wait_for(page, lambda: sum(each.request.kind == "enlarge" for each in made(house)) == 4)
