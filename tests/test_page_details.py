"""The Details tab in a real browser: boxes are found, moved and drawn by hand before anything is drawn, and go into the request."""

from __future__ import annotations

from io import BytesIO
from typing import Any

import pytest
from PIL import Image
from playwright.sync_api import FilePayload, Locator

from pipelines import Details
from tests.support.page_fixtures import House, Visit, at_rest, browser, house, house_with, visit, wait_for

pytestmark = pytest.mark.browser
__all__ = ["browser", "house", "open_house", "visit"]
open_house = house_with("details")

SIZE = (300, 200)
THINGS = [(30, 40, 90, 100), (180, 60, 260, 140)]


def scene() -> FilePayload:
    image = Image.new("RGB", SIZE, (40, 70, 130))
    for box in THINGS:
        image.paste((210, 40, 40), box)
    stream = BytesIO()
    image.save(stream, "png")
    return FilePayload(name="scene.png", mimeType="image/png", buffer=stream.getvalue())


def put(visit: Visit) -> None:
    visit.open_tab("Details")
    visit.page.locator("#details-image [data-part=file]").set_input_files([scene()])
    wait_for(visit.page, lambda: visit.page.evaluate("() => inside.page.painted.details?.width") == SIZE[0])


def on_surface(visit: Visit) -> Locator:
    return visit.page.locator("#details-image .detail-box")


def boxes(visit: Visit) -> list[tuple[int, ...]]:
    """As the form holds them."""
    held: list[dict[str, Any]] = visit.page.evaluate("() => inside.page.forms.details.boxes")
    return [tuple(box[side] for side in ("left", "top", "right", "bottom")) for box in held]


def plan(visit: Visit) -> str:
    return visit.page.locator("#details-plan").inner_text()


def find(visit: Visit) -> None:
    visit.page.locator("#details-detailers [data-part=find]").click()


def scale(visit: Visit) -> float:
    """Pixels of the screen for one of the picture."""
    return visit.page.evaluate("() => inside.page.canvases.details.view.scale / inside.page.canvases.details.view.dpr")


def middle(box: Locator) -> tuple[float, float]:
    place = box.bounding_box()
    assert place
    return place["x"] + place["width"] / 2, place["y"] + place["height"] / 2


def at(visit: Visit, x: float, y: float) -> tuple[float, float]:
    """Where a point of the picture is on the screen."""
    place = visit.page.locator("#details-image canvas").bounding_box()
    assert place
    left, top = visit.page.evaluate(
        "() => { const { view } = inside.page.canvases.details; return [view.x / view.dpr, view.y / view.dpr]; }"
    )
    return place["x"] + left + x * scale(visit), place["y"] + top + y * scale(visit)


def drag(visit: Visit, start: tuple[float, float], across: float, down: float) -> None:
    """By so many pixels of the picture."""
    by = scale(visit)
    visit.page.mouse.move(*start)
    visit.page.mouse.down()
    visit.page.mouse.move(start[0] + across * by / 2, start[1] + down * by / 2)
    visit.page.mouse.move(start[0] + across * by, start[1] + down * by)
    visit.page.mouse.up()


def test_what_is_found_is_shown_before_and_moved_and_pulled_by_hand_and_is_what_is_drawn(visit: Visit, house: House) -> None:
    put(visit)
    wait_for(visit.page, lambda: "There is no box yet" in plan(visit))
    find(visit)
    grown = [(left - 1, top - 1, right + 2, bottom + 2) for left, top, right, bottom in THINGS]  # by 4 in all, as OpenCV does it
    wait_for(visit.page, lambda: boxes(visit) == grown and on_surface(visit).count() == 2)
    wait_for(visit.page, lambda: "2 drawings, one after another" in plan(visit))
    assert visit.page.locator("#details-image .detail-crop").count() == 2
    drag(visit, middle(on_surface(visit).nth(1)), -20, 30)
    left, top, right, bottom = grown[1]
    wait_for(visit.page, lambda: boxes(visit)[1] == (left - 20, top + 30, right - 20, bottom + 30))
    drag(visit, middle(on_surface(visit).nth(1).locator('[data-sides="bottom right"]')), 15, -10)
    wait_for(visit.page, lambda: boxes(visit)[1] == (left - 20, top + 30, right - 5, bottom + 20))
    on_surface(visit).nth(0).focus()
    for key in ("ArrowRight", "Shift+ArrowDown", "Alt+ArrowLeft"):
        visit.page.keyboard.press(key)
    left, top, right, bottom = grown[0]
    wait_for(visit.page, lambda: boxes(visit)[0] == (left + 1, top + 16, right, bottom + 16))
    visit.page.locator("#details-boxes li input[type=text]").first.fill("an old face")
    visit.page.keyboard.press("Tab")
    visit.page.locator("#details-prompt textarea").fill("a crowd")
    asked = boxes(visit)
    visit.page.locator("#details-generate").click()
    wait_for(visit.page, lambda: any(isinstance(single, Details) for single in house.runner.drawn))
    drawn = next(single for single in house.runner.drawn if isinstance(single, Details))
    assert [each.box for each in drawn.boxes] == asked
    assert [each.prompt for each in drawn.boxes] == ["an old face", ""] and drawn.prompt == "a crowd"
    house.runner.drawn.clear()


def test_a_drag_on_the_picture_makes_a_box_and_the_brush_paints_in_it(visit: Visit) -> None:
    put(visit)
    drag(visit, at(visit, 150, 100), 40, 30)
    wait_for(visit.page, lambda: boxes(visit) == [(150, 100, 190, 130)])
    on_surface(visit).first.focus()
    visit.page.keyboard.press("Delete")
    wait_for(visit.page, lambda: boxes(visit) == [] and not on_surface(visit).count())
    visit.page.locator("#details-boxes [data-part=undo]").click()
    wait_for(visit.page, lambda: boxes(visit) == [(150, 100, 190, 130)])
    visit.page.locator("#details-boxes li button").click()
    wait_for(visit.page, lambda: boxes(visit) == [])
    visit.page.locator("#details-boxes [data-part=add]").click()
    wait_for(visit.page, lambda: boxes(visit) == [(100, 67, 200, 134)])
    visit.page.locator("#details-image [data-part=brush]").click()
    drag(visit, at(visit, 150, 100), 10, 0)
    wait_for(visit.page, lambda: visit.page.evaluate("() => !!inside.page.painted.details.bounds"))
    assert boxes(visit) == [(100, 67, 200, 134)], "the brush moves no box"
    visit.page.locator("#details-detailers select").first.select_option("What I paint")
    find(visit)
    wait_for(visit.page, lambda: len(boxes(visit)) == 1 and boxes(visit) != [(100, 67, 200, 134)])
    left, top, right, bottom = boxes(visit)[0]
    assert left < 150 < 160 < right and top < 100 < bottom


def test_nothing_found_and_no_picture_are_sentences_and_another_picture_brings_no_old_boxes(visit: Visit) -> None:
    visit.open_tab("Details")
    status = visit.page.locator("#details-detailers [data-part=status]")
    find(visit)
    wait_for(visit.page, lambda: "Put a picture on the canvas first" in status.inner_text())
    put(visit)
    visit.page.locator("#details-detailers .detail-color").fill("#00ff00")
    find(visit)
    wait_for(visit.page, lambda: "Nothing was found" in status.inner_text())
    visit.page.locator("#details-boxes [data-part=add]").click()
    wait_for(visit.page, lambda: len(boxes(visit)) == 1)
    visit.page.locator("#details-image [data-part=file]").set_input_files([scene()])
    wait_for(visit.page, lambda: boxes(visit) == [])


def test_a_picture_is_sent_here_with_its_words_and_its_settings_come_back_from_the_record(visit: Visit, house: House) -> None:
    visit.generate("a red house")
    visit.finished()
    visit.send_to("details")
    wait_for(visit.page, lambda: visit.page.evaluate("() => !!inside.page.canvases.details?.layer"))
    at_rest(visit.page)
    wait_for(visit.page, lambda: visit.page.locator("#details-prompt textarea").input_value() == "a red house")
    visit.page.locator("#details-boxes [data-part=add]").click()
    wait_for(visit.page, lambda: len(boxes(visit)) == 1 and "One drawing" in plan(visit))
    [made] = boxes(visit)
    visit.page.locator("#details-generate").click()
    wait_for(visit.page, lambda: any(isinstance(single, Details) for single in house.runner.drawn))
    visit.page.locator("#details-image [data-part=dismiss]").click()
    visit.page.locator("#details-boxes li button").click()
    wait_for(visit.page, lambda: boxes(visit) == [])
    visit.reload()
    visit.part("settings").click()
    wait_for(visit.page, lambda: visit.page.evaluate("() => inside.page.forms.details?.boxes?.length") == 1 and boxes(visit) == [made])
    wait_for(visit.page, lambda: on_surface(visit).count() == 1)


def test_a_finger_moves_a_box(visit: Visit) -> None:
    put(visit)
    visit.page.locator("#details-boxes [data-part=add]").click()
    wait_for(visit.page, lambda: on_surface(visit).count() == 1 and boxes(visit) == [(100, 67, 200, 134)])
    x, y = middle(on_surface(visit).first)
    wire, by = visit.page.context.new_cdp_session(visit.page), scale(visit)
    for kind, share in (("touchStart", 0.0), ("touchMove", 0.5), ("touchMove", 1.0)):
        wire.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [{"x": x - 30 * by * share, "y": y + 20 * by * share}]})
    wire.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    wire.detach()
    wait_for(visit.page, lambda: boxes(visit) == [(70, 87, 170, 154)])
