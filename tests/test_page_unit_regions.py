"""Regions of control units, in a real browser: uploaded, or drawn over the unit's picture with mouse, pen and touch."""

from __future__ import annotations

import math
from io import BytesIO

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from playwright.sync_api import Browser, FloatRect, Locator, expect

from tests.support.page_fixtures import House, Visit, browser, house, house_with, visit, visiting, wait_for
from tests.support.unit_pages import card, drawing, first, map_of, put, room, shelf, units

pytestmark = pytest.mark.browser
__all__ = ["browser", "first", "house", "open_house", "shelf", "visit"]
open_house = house_with("controlnet", "img2img")

WIDTH, HEIGHT = 160, 96
# A stroke through points of the page with a pointer of that kind.
STROKE = """([canvas, type, points]) => points.forEach(([x, y], place) => {
  const pointer = { pointerType: type, pointerId: 7, isPrimary: true, button: 0, buttons: 1, pressure: 0.5 };
  const options = { ...pointer, clientX: x, clientY: y, bubbles: true };
  const name = place === 0 ? "pointerdown" : place === points.length - 1 ? "pointerup" : "pointermove";
  canvas.dispatchEvent(new PointerEvent(name, options));
})"""


GIVE = """([type, text, target]) => {
  const data = new DataTransfer();
  data.items.add(new File([Uint8Array.from(text, (letter) => letter.charCodeAt(0))], "a.png", { type: "image/png" }));
  const options = { bubbles: true, cancelable: true, clipboardData: data, dataTransfer: data };
  const event = type === "paste" ? new ClipboardEvent(type, options) : new DragEvent(type, options);
  (target ? document.querySelector(target) : document.body).dispatchEvent(event);
}"""


def give(visit: Visit, type: str, data: bytes, target: str = "") -> None:
    """Pastes or drops a file."""
    visit.page.evaluate(GIVE, [type, data.decode("latin-1"), target])


def test_a_region_takes_the_size_of_the_picture_and_goes_with_another_one(visit: Visit, house: House, first: Locator) -> None:
    assert house.studio
    first.locator("summary").click()
    assert first.locator("[data-part=mask]").is_disabled()
    put(visit, drawing(160, 96))
    wait_for(visit.page, lambda: first.locator("[data-part=mask]").is_enabled())
    wait_for(visit.page, lambda: visit.page.evaluate("document.querySelector('#controlnet-controls .unit-drop img').naturalWidth === 160"))
    first.locator("[data-part=mask-file]").set_input_files([drawing(80, 48)])
    wait_for(visit.page, lambda: units(visit)[0]["mask"])
    assert house.studio.uploads.size(units(visit)[0]["mask"]) == (160, 96)
    assert first.locator(".unit-region img").is_visible()
    put(visit, drawing(64, 64))
    first.get_by_text("The region belonged to a picture of another size").wait_for()
    assert units(visit)[0]["mask"] == ""


class Sheet:
    """The sheet on which the first unit's region is drawn."""

    def __init__(self, visit: Visit, kind: str = "controlnet") -> None:
        self.visit = visit
        self.dialog = room(visit, kind).locator("dialog.region-dialog")
        card(visit, 0, kind).locator("[data-part=paint]").click()
        self.dialog.wait_for()

    def part(self, name: str) -> Locator:
        return self.dialog.locator(f"[data-part={name}]")

    def brush(self, size: int, hardness: int = 100) -> None:
        self.part("size").fill(str(size))
        self.part("size").press("Tab")
        self.part("hardness").fill(str(hardness))

    def at(self, x: float, y: float, width: int = WIDTH, height: int = HEIGHT) -> tuple[float, float]:
        """Where a pixel of the picture is on the page: all of it is shown, in the middle, with 8 pixels of room around it."""
        box = self.part("canvas").bounding_box()
        assert box
        scale = min((box["width"] - 16) / width, (box["height"] - 16) / height, 32)
        return box["x"] + box["width"] / 2 + (x - width / 2) * scale, box["y"] + box["height"] / 2 + (y - height / 2) * scale

    def dab(self, x: float, y: float) -> None:
        self.visit.page.mouse.click(*self.at(x, y))

    def stroke(self, kind: str, *points: tuple[float, float]) -> None:
        self.visit.page.evaluate(STROKE, [self.part("canvas").element_handle(), kind, [self.at(*point) for point in points]])

    def done(self) -> None:
        self.part("done").click()
        self.dialog.wait_for(state="hidden")


@pytest.fixture
def ready(visit: Visit, first: Locator) -> Locator:
    """The first unit with a picture, and its region in sight."""
    put(visit, drawing(WIDTH, HEIGHT))
    first.locator("summary").click()
    wait_for(visit.page, lambda: first.locator("[data-part=paint]").is_enabled())
    return first


def region(visit: Visit, house: House, kind: str = "controlnet") -> NDArray[np.uint8]:
    """(h, w), as the server keeps it."""
    wait_for(visit.page, lambda: units(visit, kind)[0]["mask"])
    assert house.studio
    return np.asarray(house.studio.uploads.inputs.open(units(visit, kind)[0]["mask"], "L"))


def disc(x: float, y: float, across: float, width: int = WIDTH, height: int = HEIGHT) -> NDArray[np.bool_]:
    """(h, w): the pixels whose centres lie within."""
    rows, columns = np.mgrid[0:height, 0:width] + 0.5
    return np.hypot(columns - x, rows - y) <= across / 2


def test_what_is_painted_is_the_region(visit: Visit, house: House, ready: Locator) -> None:
    sheet = Sheet(visit)
    assert sheet.part("title").inner_text() == "The region of unit 1" and sheet.part("done").is_disabled()
    sheet.brush(40)
    sheet.dab(50, 48)
    sheet.dab(120.5, 30)
    sheet.done()
    painted = region(visit, house)
    assert painted.shape == (HEIGHT, WIDTH)
    wanted = disc(50, 48, 40) | disc(120.5, 30, 40)
    assert np.count_nonzero((painted > 127) != wanted) < 0.06 * wanted.sum()  # a pointer stands on whole pixels of the page
    assert set(np.unique(painted[wanted & ~(disc(50, 48, 43) ^ disc(50, 48, 35)) & ~(disc(120.5, 30, 43) ^ disc(120.5, 30, 35))])) == {255}
    assert ready.locator(".unit-region img").is_visible()
    assert map_of(visit)


@pytest.mark.parametrize("kind", ["mouse", "pen", "touch"])
def test_mouse_pen_and_touch_paint_strokes(kind: str, visit: Visit, house: House, ready: Locator) -> None:
    sheet = Sheet(visit)
    sheet.brush(20)
    sheet.stroke(kind, (40, 48), (80, 48), (120, 48), (120, 48))
    sheet.done()
    painted = region(visit, house) > 127
    across = 20 * (0.6 if kind == "pen" else 1)  # a pen at half its pressure
    assert painted[48, 42:118].all() and not painted[:30].any() and not painted[66:].any()
    assert abs(np.count_nonzero(painted) - (80 * across + math.pi * across**2 / 4)) < 0.1 * 80 * across


def test_a_reload_in_the_next_moment_loses_no_stroke_of_a_region(visit: Visit, house: House, ready: Locator) -> None:
    sheet = Sheet(visit)
    sheet.brush(40)
    visit.page.evaluate("() => window.addEventListener('pointerup', () => location.reload(), { once: true })")
    with visit.page.expect_navigation():
        sheet.dab(50, 48)
    visit.settle()
    visit.open_tab("ControlNet")
    wait_for(visit.page, lambda: ready.locator("[data-part=paint]").is_enabled())
    expect(ready.locator("details").first).to_have_attribute("open", "")  # as it was left
    sheet = Sheet(visit)
    sheet.dab(120, 30)
    sheet.done()
    painted = region(visit, house)
    assert painted[48, 50] == painted[30, 120] == 255
    assert not Sheet(visit).part("undo").is_enabled()  # it is a region now, and not painted again on it


def test_eraser_undo_redo_invert_and_clear(visit: Visit, house: House, ready: Locator) -> None:
    sheet = Sheet(visit)
    sheet.brush(40)
    sheet.dab(40, 48)
    sheet.dab(120, 48)
    sheet.part("undo").click()
    sheet.part("eraser").click()
    sheet.brush(10)
    sheet.dab(40, 48)
    sheet.done()
    painted = region(visit, house)
    assert (painted[48, 40], painted[48, 28], painted[48, 120]) == (0, 255, 0)
    before = units(visit)[0]["mask"]
    sheet = Sheet(visit)  # it goes on with what is there
    sheet.part("clear").click()
    sheet.part("undo").click()
    sheet.part("invert").click()
    sheet.part("undo").click()
    sheet.part("redo").click()
    sheet.done()
    wait_for(visit.page, lambda: units(visit)[0]["mask"] != before)
    assert np.array_equal(region(visit, house), 255 - painted)


def test_a_region_that_is_left_or_empty_changes_nothing_or_is_everywhere(visit: Visit, house: House, ready: Locator) -> None:
    sheet = Sheet(visit)
    sheet.dab(80, 48)
    visit.page.keyboard.press("Escape")
    assert sheet.dialog.is_visible()  # what was painted is not lost by a key
    sheet.done()
    kept = region(visit, house)
    held = units(visit)[0]["mask"]
    sheet = Sheet(visit)
    sheet.dab(20, 20)
    sheet.part("cancel").click()
    assert units(visit)[0]["mask"] == held and np.array_equal(region(visit, house), kept)
    sheet = Sheet(visit)
    visit.page.keyboard.press("Escape")
    sheet.dialog.wait_for(state="hidden")  # nothing was painted
    sheet = Sheet(visit)
    sheet.part("clear").click()
    sheet.done()
    wait_for(visit.page, lambda: units(visit)[0]["mask"] == "")
    ready.get_by_text("the unit acts everywhere").wait_for()


def test_what_could_not_be_sent_stays_on_the_sheet(visit: Visit, ready: Locator) -> None:
    sheet = Sheet(visit)
    sheet.dab(80, 48)
    visit.page.route("**/input?as=mask*", lambda route: route.abort())
    sheet.part("done").click()
    sheet.part("alert").get_by_text("The studio did not answer").wait_for()
    visit.page.unroute("**/input?as=mask*")
    sheet.done()
    wait_for(visit.page, lambda: units(visit)[0]["mask"])
    visit.complaints[:] = [line for line in visit.complaints if "ERR_FAILED" not in line]  # the browser's own line for the refusal


def test_a_unit_without_a_picture_of_its_own_has_its_region_on_that_of_the_tab(visit: Visit, house: House) -> None:
    visit.open_tab("Image to image")
    visit.page.locator("#img2img-image [data-part=file]").set_input_files([drawing(WIDTH, HEIGHT)])
    wait_for(visit.page, lambda: visit.page.evaluate("inside.page.forms.img2img?.image"))
    room(visit, "img2img").locator("[data-part=fold]").click()
    room(visit, "img2img").locator("[data-part=add]").click()
    card(visit, 0, "img2img").locator("summary").click()
    sheet = Sheet(visit, "img2img")
    sheet.dab(80, 48)
    before = visit.page.evaluate("inside.page.forms.img2img.image")
    give(visit, "paste", drawing(64, 64)["buffer"])
    visit.page.wait_for_timeout(500)
    assert (visit.page.evaluate("inside.page.forms.img2img.image"), units(visit, "img2img")[0]["image"]) == (before, "")
    sheet.done()
    assert region(visit, house, "img2img").shape == (HEIGHT, WIDTH)


def half_white(right: bool) -> bytes:
    """A picture of half the size, white on one side and transparent on the other."""
    image = Image.new("RGBA", (WIDTH // 2, HEIGHT // 2))
    left = WIDTH // 4 if right else 0
    image.paste("white", (left, 0, left + WIDTH // 4, HEIGHT // 2))
    stream = BytesIO()
    image.save(stream, "png")
    return stream.getvalue()


def test_a_picture_that_is_dropped_or_pasted_becomes_the_region_and_can_be_undone(visit: Visit, house: House, ready: Locator) -> None:
    sheet = Sheet(visit)
    give(visit, "drop", b"no picture at all", "dialog.region-dialog[open]")
    sheet.dialog.get_by_text("cannot read this as a picture").wait_for()
    give(visit, "drop", half_white(right=False), "dialog.region-dialog[open] canvas")
    expect(sheet.part("undo")).to_be_enabled()
    expect(sheet.part("alert")).to_be_hidden()
    sheet.part("undo").click()
    expect(sheet.part("redo")).to_be_enabled()
    give(visit, "paste", half_white(right=True))
    expect(sheet.part("redo")).to_be_disabled()
    sheet.done()
    painted = region(visit, house)
    assert painted.shape == (HEIGHT, WIDTH)
    assert (painted[:, : WIDTH // 2 - 2] == 0).all() and (painted[:, WIDTH // 2 + 2 :] == 255).all()


def test_on_a_phone_the_sheet_takes_the_screen_and_every_tool_is_within_it(house: House, browser: Browser) -> None:
    with visiting(house, browser, viewport={"width": 390, "height": 844}, has_touch=True) as visit:
        visit.open_tab("ControlNet")
        visit.open_sheet()
        card(visit).wait_for()
        put(visit, drawing(WIDTH, HEIGHT))
        card(visit).locator("summary").click()
        sheet = Sheet(visit)
        for name in ("brush", "eraser", "size", "undo", "clear", "done", "cancel", "canvas"):
            box = sheet.part(name).bounding_box()
            assert box and within(box, 390, 844), (name, box)
        visit.page.touchscreen.tap(*sheet.at(80, 48))
        sheet.done()
        assert region(visit, house)[48, 80] == 255
        assert visit.complaints == []


def within(box: FloatRect, width: int, height: int) -> bool:
    return box["x"] >= 0 and box["y"] >= 0 and box["x"] + box["width"] <= width and box["y"] + box["height"] <= height
