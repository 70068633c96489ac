"""Control units in a real browser on the toy studio: pictures in, maps out, and what a map depends on."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import pytest
from playwright.sync_api import Locator

from pipelines import ControlUse
from tests.support.page_fixtures import House, Visit, browser, house, house_with, wait_for
from tests.support.unit_pages import control, drawing, first, map_of, one_page, pixels, put, room, shelf, units, visit

pytestmark = pytest.mark.browser
__all__ = ["browser", "first", "house", "one_page", "open_house", "shelf", "visit"]
open_house = house_with("controlnet")


def test_the_first_unit_is_open_and_says_what_to_do(visit: Visit, first: Locator) -> None:
    assert first.get_by_text("Drop a picture here").is_visible()
    assert first.get_by_text("Its map appears here once there is a picture").is_visible()


def test_every_field_of_a_unit_is_shown(visit: Visit, first: Locator) -> None:
    shown = set(first.locator("[data-field]").evaluate_all("parts => parts.map((part) => part.dataset.field)"))
    assert shown == {item.name for item in fields(ControlUse) if not item.metadata["derived"]}


def test_a_picture_becomes_the_map_that_the_model_will_see(visit: Visit, house: House, first: Locator) -> None:
    put(visit, drawing())
    plain = map_of(visit)
    control(visit, "Preprocessor of unit 1").select_option("Canny")
    wait_for(visit.page, lambda: map_of(visit) != plain)
    outlines = pixels(visit, house, map_of(visit))
    assert outlines.size == (128, 128) and outlines.getpixel((40, 40)) == 0 and outlines.crop((16, 30, 26, 50)).getextrema()[1] == 255
    assert first.get_by_text("128 × 128").is_visible()
    first.locator("[data-part=map]").click()
    large = room(visit).get_by_role("dialog")
    assert "What the model of unit 1 will see: Canny" in large.inner_text()
    visit.page.keyboard.press("Escape")
    assert not large.is_visible()


def test_a_preprocessor_brings_its_thresholds_and_a_change_of_one_makes_another_map(visit: Visit, house: House, first: Locator) -> None:
    put(visit, drawing())
    control(visit, "Preprocessor of unit 1").select_option("Canny")
    low, high = control(visit, "Low threshold of unit 1").last, control(visit, "High threshold of unit 1").last
    wait_for(visit.page, lambda: (low.input_value(), high.input_value()) == ("100", "200"))
    assert (units(visit)[0]["threshold_a"], units(visit)[0]["threshold_b"]) == (100, 200)
    for value in ("20", "40"):
        (low if value == "20" else high).fill(value)
        (low if value == "20" else high).press("Tab")
    square = (65, 65, 115, 115)
    wait_for(visit.page, lambda: pixels(visit, house, map_of(visit)).crop(square).getextrema()[1] == 255)
    control(visit, "Low threshold of unit 1").first.fill("200")
    wait_for(visit.page, lambda: pixels(visit, house, map_of(visit)).crop(square).getextrema()[1] == 0)
    control(visit, "Preprocessor of unit 1").select_option("Shuffle")
    wait_for(visit.page, lambda: units(visit)[0]["threshold_a"] == 0)
    assert not low.is_visible()


def test_the_map_follows_the_size_of_the_drawing_and_not_the_weight(visit: Visit, first: Locator) -> None:
    put(visit, drawing())
    before = map_of(visit)
    asked = len(visit.posts)
    control(visit, "Weight of unit 1").last.fill("0.5")
    control(visit, "Weight of unit 1").last.press("Tab")
    wait_for(visit.page, lambda: units(visit)[0]["weight"] == 0.5)
    visit.page.wait_for_timeout(700)
    assert map_of(visit) == before and len(visit.posts) <= asked + 1, "the time line is asked for once, the map not at all"
    visit.page.evaluate("inside.dom.enter('#controlnet-width', 192)")
    wait_for(visit.page, lambda: map_of(visit) != before)
    assert first.get_by_text("192 × 128").is_visible()


def test_the_drawing_takes_the_shape_of_the_picture_with_one_press(visit: Visit, first: Locator) -> None:
    put(visit, drawing(144, 96))
    first.get_by_role("button", name="Draw in its shape").click()
    wait_for(visit.page, lambda: visit.page.locator("#controlnet-width input").input_value() == "144")
    assert visit.page.locator("#controlnet-height input").input_value() == "96"


def test_a_preprocessor_whose_weights_are_missing_is_grey_and_says_what_to_do(visit: Visit, first: Locator) -> None:
    put(visit, drawing())
    grey = control(visit, "Preprocessor of unit 1").locator("option.grey").first
    sentence = grey.get_attribute("title") or ""
    assert sentence.endswith(".")
    control(visit, "Preprocessor of unit 1").select_option(grey.get_attribute("value") or "")
    first.locator(".unit-problem", has_text=sentence).wait_for()
    assert first.get_by_text("No map without the weights").is_visible()


def test_a_preview_that_fails_is_a_sentence_with_another_try(
    visit: Visit, house: House, first: Locator, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        from pipelines import UserError

        raise UserError("The preview waits for the picture that is being drawn.")

    with monkeypatch.context() as patch:
        patch.setattr(house.studio, "control_preview", refuse)
        put(visit, drawing(112, 112))  # of which no map is known yet
        first.get_by_role("alert").get_by_text("The preview waits").wait_for()
    first.get_by_role("button", name="Try again").click()
    assert map_of(visit)


def test_pixel_perfect_needs_no_resolution(visit: Visit, first: Locator) -> None:
    assert not control(visit, "Pixel perfect of unit 1").is_visible()  # nothing is made of the picture yet
    control(visit, "Preprocessor of unit 1").select_option("Canny")
    assert not control(visit, "Resolution of unit 1").last.is_visible()
    control(visit, "Pixel perfect of unit 1").uncheck()
    control(visit, "Resolution of unit 1").last.fill("259")
    control(visit, "Resolution of unit 1").last.press("Tab")
    wait_for(visit.page, lambda: units(visit)[0]["resolution"] == 256)


def test_a_picture_can_be_dropped_and_pasted(visit: Visit, first: Locator) -> None:
    hand_over = """([type, target, text]) => {
      const data = new DataTransfer();
      data.items.add(new File([Uint8Array.from(text, (letter) => letter.charCodeAt(0))], "a.png", { type: "image/png" }));
      const options = { bubbles: true, cancelable: true };
      const given = type === "drop" ? { dataTransfer: data } : { clipboardData: data };
      document.querySelector(target).dispatchEvent(new (type === "drop" ? DragEvent : ClipboardEvent)(type, { ...options, ...given }));
    }"""
    body = drawing()["buffer"].decode("latin-1")
    visit.page.evaluate(hand_over, ["drop", "#controlnet-controls .unit-tile", body])
    wait_for(visit.page, lambda: units(visit)[0]["image"])
    room(visit).locator("[data-part=add]").click()
    visit.page.evaluate(hand_over, ["paste", "body", drawing(96, 96)["buffer"].decode("latin-1")])
    wait_for(visit.page, lambda: units(visit)[1]["image"])
    assert units(visit)[0]["image"] != units(visit)[1]["image"]
