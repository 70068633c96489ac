"""Control units between the tabs, in a real browser: pictures that a tab begins with, settings that come back, results that are sent."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import pytest

from pipelines import Controlled, ControlUse, TextToImage
from tests.support.page_fixtures import House, Visit, browser, house, house_with, visit, wait_for
from tests.support.toys import wait_until
from tests.support.unit_pages import card, control, drawing, map_of, pixels, put, room, shelf, units

pytestmark = pytest.mark.browser
__all__ = ["browser", "house", "open_house", "shelf", "visit"]
open_house = house_with("controlnet", "img2img")


def test_a_paste_beside_the_units_goes_to_the_canvas_and_a_unit_of_that_tab_takes_the_picture_of_it(visit: Visit, house: House) -> None:
    visit.open_tab("Image to image")
    room(visit, "img2img").locator("[data-part=fold]").click()
    room(visit, "img2img").locator("[data-part=add]").click()
    paste = """text => {
      const data = new DataTransfer();
      data.items.add(new File([Uint8Array.from(text, (letter) => letter.charCodeAt(0))], "a.png", { type: "image/png" }));
      document.body.dispatchEvent(new ClipboardEvent("paste", { bubbles: true, cancelable: true, clipboardData: data }));
    }"""
    visit.page.mouse.move(5, 5)
    visit.page.evaluate("document.activeElement.blur()")
    visit.page.evaluate(paste, drawing()["buffer"].decode("latin-1"))
    wait_for(visit.page, lambda: visit.page.evaluate("inside.page.forms.img2img?.image"))
    assert units(visit, "img2img")[0]["image"] == ""
    control(visit, "Preprocessor of unit 1", "img2img").select_option("Invert")
    assert pixels(visit, house, map_of(visit, 0, "img2img")).getpixel((40, 40)) == 255
    assert units(visit, "img2img")[0]["image"] == ""
    assert card(visit, 0, "img2img").get_by_text("The picture of this tab").is_visible()
    own = put(visit, drawing(64, 64, faint=False), 0, "img2img")
    card(visit, 0, "img2img").locator("[data-part=out]").click()
    wait_for(visit.page, lambda: units(visit, "img2img")[0]["image"] == "" and own)


def job_of(visit: Visit, house: House, request: Any) -> None:
    """A finished picture of the visitor, made with a request as the worker gets it."""
    assert house.studio
    visit.generate("who am I")
    visit.finished()
    user = next(record.user for record in [house.studio.picture(visit.part("picture").get_attribute("src").split("/")[1][:-4])] if record)  # pyright: ignore[reportOptionalMemberAccess]
    before = len(house.runner.drawn)
    house.studio._worker.submit(request, user)
    wait_until(lambda: len(house.runner.drawn) > before, 30)
    wait_until(lambda: house.studio and house.studio.recent(user)[0].request.words == request.prompt, 30)
    visit.reload()


def use_of(visit: Visit, house: House) -> ControlUse:
    assert house.studio
    [entry] = [entry for entry in house.studio.library.models("controlnet") if entry.name == "small canny"]
    return ControlUse(id=entry.id, name=entry.name, preprocessor="Canny", threshold_a=20, threshold_b=40, weight=0.7)


def test_use_these_settings_fills_units_that_were_never_opened(visit: Visit, house: House) -> None:
    use = use_of(visit, house)
    job_of(visit, house, TextToImage(prompt="with a unit", width=128, height=128, controls=(use,)))
    assert units(visit, "txt2img") == []
    visit.part("settings").click()
    wait_for(visit.page, lambda: visit.control("prompt").input_value() == "with a unit")
    wait_for(visit.page, lambda: units(visit, "txt2img") == [asdict(use)])
    assert room(visit, "txt2img").locator("[data-part=sum]").inner_text() == "none on"  # it has no picture
    visit.page.locator(".page-note button.quiet").click()
    wait_for(visit.page, lambda: units(visit, "txt2img") == [])


def test_settings_of_a_picture_of_this_tab_go_back_to_it(visit: Visit, house: House) -> None:
    use = use_of(visit, house)
    job_of(visit, house, Controlled(prompt="held by outlines", width=128, height=128, controls=(use,)))
    visit.part("settings").click()
    card(visit).wait_for()
    assert visit.page.get_by_role("tab", name="ControlNet", exact=True).get_attribute("aria-selected") == "true"
    wait_for(visit.page, lambda: units(visit) == [asdict(use)])
    assert visit.page.locator("#controlnet-prompt textarea").input_value() == "held by outlines"


@pytest.mark.parametrize("opened", [True, False], ids=["opened before", "never opened"])
def test_a_result_that_is_sent_becomes_the_picture_of_the_first_unit_and_one_undo_takes_it_back(visit: Visit, opened: bool) -> None:
    if opened:
        visit.open_tab("ControlNet")
        card(visit).wait_for()
        control(visit, "Weight of unit 1").last.fill("0.6")
        control(visit, "Weight of unit 1").last.press("Tab")
        wait_for(visit.page, lambda: units(visit)[0]["weight"] == 0.6)
        visit.open_tab("Text to image")
    before = units(visit)
    visit.generate("a house in the snow")
    visit.finished()
    visit.send_to("controlnet")
    wait_for(visit.page, lambda: units(visit)[0]["image"] != "")
    assert units(visit) == [before[0] | {"image": units(visit)[0]["image"]}]
    assert visit.page.locator("#controlnet-prompt textarea").input_value() == "a house in the snow"
    card(visit).locator(".unit-drop").first.wait_for()
    assert map_of(visit)
    visit.page.locator(".page-note button.quiet").click()
    wait_for(visit.page, lambda: units(visit) == before)
    assert visit.page.locator("#txt2img-generate").is_visible()
