"""The paint canvas in a real Chromium: exact pixels, undo, touch and pen, what is posted, what a reload brings back."""

from __future__ import annotations

import io
import random
from collections.abc import Generator
from typing import Any

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser

from tests.support.canvas_harness import Easel, Inputs, canvas_server, easel, inputs, noise, png
from tests.support.page_fixtures import browser, wait_for

pytestmark = pytest.mark.browser
__all__ = ["browser", "canvas_server", "inputs"]


@pytest.fixture
def inpaint(inputs: Inputs, browser: Browser) -> Generator[Easel]:
    """A mask canvas with a picture of 600 x 500."""
    with easel(inputs, browser, "inpaint", "mask") as here:
        here.show(noise(600, 500))
        yield here


@pytest.fixture
def sketch(inputs: Inputs, browser: Browser) -> Generator[Easel]:
    with easel(inputs, browser, "img2img", "sketch") as here:
        yield here


@pytest.fixture
def outpaint(inputs: Inputs, browser: Browser) -> Generator[Easel]:
    with easel(inputs, browser, "outpaint", "frame") as here:
        here.show(noise(512, 384))
        yield here


def box(mask: np.ndarray) -> list[int]:
    rows, columns = np.nonzero(mask)
    return [int(columns.min()), int(rows.min()), int(columns.max()) + 1, int(rows.max()) + 1]


def closed_form(shape: tuple[int, int], start: tuple[float, float], end: tuple[float, float], radius: float, hardness: float) -> np.ndarray:
    """What a brush leaves on an empty mask: full within hardness * radius of the path, smoothstep to 0 at the radius."""
    y, x = np.mgrid[0 : shape[0], 0 : shape[1]] + 0.5
    along = np.array(end) - np.array(start)
    length = float(along @ along)
    share = np.clip(((x - start[0]) * along[0] + (y - start[1]) * along[1]) / length, 0, 1) if length else np.zeros(shape)
    distance = np.hypot(x - start[0] - share * along[0], y - start[1] - share * along[1])
    inner = max(0, min(hardness * radius, radius - 0.5))
    outer = max(radius, inner + 1)
    fall = np.clip((outer - distance) / (outer - inner), 0, 1)
    return np.floor(255 * fall * fall * (3 - 2 * fall) + 0.5).astype(int)


def sent(body: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(body)))


def pointer(here: Easel, kind: str, x: float, y: float, **more: Any) -> None:
    left, top = here.at(x, y)
    event = {"pointerId": 7, "clientX": left, "clientY": top, "bubbles": True, "isPrimary": True, "cancelable": True, **more}
    here.js("([kind, event]) => document.querySelector('[data-part=canvas]').dispatchEvent(new PointerEvent(kind, event))", [kind, event])


# ---- strokes -------------------------------------------------------------------------------------------------------------


def test_a_stroke_has_the_size_of_its_brush_in_picture_pixels_at_any_zoom(inpaint: Easel) -> None:
    inpaint.brush(80)
    inpaint.actual()
    inpaint.stroke((100, 100), (400, 100))
    assert box(inpaint.layer()) == [60, 60, 440, 140]
    assert np.all(inpaint.layer()[61:139, 100:400] == 255)
    inpaint.part("clear").click()
    for _ in range(5):
        inpaint.part("in").click()
    middle = inpaint.api("api.view.toPicture({ x: api.view.width / 2, y: api.view.height / 2 })")
    inpaint.stroke((round(middle["x"]), round(middle["y"])))
    left, top, right, bottom = box(inpaint.layer())
    assert (right - left, bottom - top) in {(80, 80), (81, 81), (80, 81), (81, 80)}  # the mouse lies between two pixels
    assert abs((left + right) / 2 - middle["x"]) < 1


def test_a_picture_that_is_shown_whole_lies_beside_what_is_over_the_surface(inpaint: Easel) -> None:
    for width, height in [(390, 760), (760, 500), (1440, 900), (2560, 1300)]:
        inpaint.page.set_viewport_size({"width": width, "height": height})
        for size in [(900, 300), (400, 400), (200, 600)]:
            inpaint.show(noise(*size))
            left, top = inpaint.at(0, 0)
            right, bottom = inpaint.at(*size)
            for name in ("tools", "figures", "facts", "zoom"):
                box = inpaint.part(name).bounding_box()
                apart = not box or (
                    right <= box["x"] or box["x"] + box["width"] <= left or bottom <= box["y"] or box["y"] + box["height"] <= top
                )
                assert apart, (width, size, name)
            surface = inpaint.part("box").bounding_box()
            assert surface
            assert surface["x"] <= left and right <= surface["x"] + surface["width"]
            assert max((right - left) / surface["width"], (bottom - top) / surface["height"]) > 0.6


def test_the_brush_follows_its_closed_form(inpaint: Easel) -> None:
    asked = """([size, hardness]) => {
      const layer = new inside.layer.Layer(200, 160);
      const stroke = new inside.stroke.Stroke(layer, { hardness });
      stroke.to(60.25, 50.5, size / 2);
      stroke.to(140, 101.75, size / 2);
      return harness_bytes(layer.bytes);
    }"""
    for size, hardness in [(60, 0.5), (60, 0.0), (61, 1.0), (1, 1.0), (7, 0.8), (2.5, 0.3)]:
        painted = np.frombuffer(inpaint.js(asked, [size, hardness]).encode("latin-1"), np.uint8).reshape(160, 200).astype(int)
        expected = closed_form((160, 200), (60.25, 50.5), (140, 101.75), size / 2, hardness)
        assert np.abs(painted - expected).max() <= (0 if hardness == 1.0 and size == 1 else 1), (size, hardness)
        assert np.mean(painted != expected) < 0.001


def test_crossing_itself_adds_nothing_within_one_stroke(inpaint: Easel) -> None:
    inpaint.actual()
    inpaint.brush(60, 0)
    inpaint.stroke((150, 150), (350, 150))
    once = inpaint.layer()
    inpaint.part("undo").click()
    inpaint.stroke((150, 150), (350, 150), (150, 150), (350, 150))
    assert np.array_equal(inpaint.layer(), once)
    assert np.array_equal(once[90:210], closed_form((500, 600), (150, 150), (350, 150), 30, 0)[90:210])


def test_the_eraser_takes_away_what_it_covers(inpaint: Easel) -> None:
    inpaint.actual()
    inpaint.part("fill").click()
    inpaint.brush(50, 40)
    inpaint.page.keyboard.press("Escape")
    inpaint.part("eraser").click()
    inpaint.stroke((200, 200), (300, 260))
    expected = 255 - closed_form((500, 600), (200, 200), (300, 260), 25, 0.4)
    assert np.abs(inpaint.layer().astype(int) - expected).max() <= 1


# Whatever the browser has put off until it draws, as it does with moves of a mouse, has come.
DRAWN = "() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"


def test_undo_and_redo_lead_through_every_state_byte_for_byte(inpaint: Easel) -> None:
    chance = random.Random(4)
    inpaint.actual()
    states = [inpaint.print()]
    for _ in range(12):
        act = chance.choice(["stroke", "stroke", "stroke", "eraser", "brush", "clear", "invert", "fill"])
        if act == "stroke":
            inpaint.brush(chance.randint(1, 150), chance.randint(0, 100))
            inpaint.stroke(*[(chance.randint(100, 500), chance.randint(100, 400)) for _ in range(4)])
        else:
            inpaint.part(act).click()
        inpaint.js(DRAWN)
        now = inpaint.print()
        if now != states[-1] or act == "stroke":
            states.append(now)
    assert len({*states}) > 4
    canvas = inpaint.part("canvas")
    canvas.focus()
    for state in reversed(states[:-1]):
        inpaint.page.keyboard.press("Control+z")
        inpaint.js(DRAWN)
        assert inpaint.print() == state
    for state in states[1:]:
        inpaint.page.keyboard.press("Control+Shift+z")
        assert inpaint.print() == state
    inpaint.page.keyboard.press("Control+z")
    inpaint.page.keyboard.press("Control+y")
    assert inpaint.print() == states[-1]


def test_clear_keeps_the_picture_and_inverting_twice_changes_nothing(inpaint: Easel) -> None:
    picture = inpaint.js("harness.value")
    inpaint.brush(120, 30)
    inpaint.stroke((200, 200), (300, 300))
    before = inpaint.layer()
    inpaint.part("canvas").focus()
    inpaint.page.keyboard.press("Control+i")
    assert np.array_equal(inpaint.layer(), 255 - before)
    inpaint.page.keyboard.press("Control+i")
    assert np.array_equal(inpaint.layer(), before)
    inpaint.page.keyboard.press("Delete")
    assert not inpaint.layer().any()
    assert inpaint.js("harness.value") == picture == inpaint.api("api.view.picture.id")
    inpaint.part("fill").click()
    assert inpaint.layer().min() == 255
    inpaint.wait("() => harness.painted.at(-1)?.full")
    assert inpaint.js("inside.page.painted.inpaint") == {
        "kind": "inpaint",
        "width": 600,
        "height": 500,
        "bounds": [0, 0, 600, 500],
        "inverse": None,
        "full": True,
    }


def test_until_a_size_is_chosen_the_brush_suits_the_picture(inpaint: Easel) -> None:
    assert inpaint.part("size").input_value() == "60"  # a tenth of 600 x 500
    inpaint.part("size").fill("33")
    inpaint.part("size").press("Tab")
    inpaint.js("inside.page.canvases.inpaint.place(harness.value)")
    assert inpaint.part("size").input_value() == "33"


def test_keys_belong_to_the_canvas_only_while_it_is_used(inpaint: Easel) -> None:
    inpaint.page.locator("#elsewhere").click()
    inpaint.page.keyboard.type("[b]e")
    assert inpaint.part("size").input_value() == "60"
    inpaint.part("canvas").focus()
    inpaint.page.keyboard.type("e[")
    assert inpaint.part("eraser").get_attribute("aria-pressed") == "true"
    assert int(inpaint.part("size").input_value()) < 60
    inpaint.page.keyboard.type("}}}")
    assert inpaint.part("hardness").input_value() == "100"


# ---- what is posted ------------------------------------------------------------------------------------------------------


def test_the_posted_mask_is_the_layer_and_it_is_posted_once(inpaint: Easel, inputs: Inputs) -> None:
    inpaint.brush(90, 20)
    inpaint.stroke((100, 100), (300, 200), (350, 350), steps=5)
    assert inpaint.api("api.flush()") == ""
    posted = inputs.posted("mask")
    assert inpaint.api("api.posted") == len(posted[0])
    assert sent(posted[0]).dtype == np.uint8
    assert np.array_equal(sent(posted[0]), inpaint.layer())
    assert inpaint.js("harness.holds") == [inputs.keep(png(inpaint.layer()))]
    assert inpaint.api("api.flush()") == ""
    assert len(inputs.posts) == 1
    assert inpaint.api("api.posted") == 0
    inpaint.part("undo").click()
    assert inpaint.api("api.flush()") == ""
    assert inpaint.js("harness.holds.at(-1)") == ""  # nothing is painted: no mask


def test_without_a_picture_the_canvas_says_what_to_do(inputs: Inputs, browser: Browser, sketch: Easel) -> None:
    assert sketch.api("api.flush()").startswith("Put a picture on the canvas first")
    assert inputs.posts == []


def test_a_drawing_is_laid_over_the_picture(sketch: Easel, inputs: Inputs) -> None:
    under = noise(400, 300)
    sketch.show(under)
    assert sketch.api("api.flush()") == ""
    assert inputs.posts == []  # the picture as it is
    sketch.part("color").evaluate("(input) => { input.value = '#3366cc'; input.dispatchEvent(new Event('input')) }")
    sketch.brush(60, 50)
    sketch.stroke((100, 100), (250, 180), steps=4)
    layer = sketch.layer()
    assert sketch.api("api.flush()") == ""
    share = layer[..., 3:].astype(float) / 255
    expected = layer[..., :3] * share + under * (1 - share)
    posted = sent(inputs.posted("picture")[0])
    assert posted.shape == (300, 400, 3)
    assert np.abs(posted - expected).max() <= 0.51
    assert np.array_equal(posted[layer[..., 3] == 0], under[layer[..., 3] == 0])
    assert sketch.js("harness.value") == sketch.js("harness.changes").pop()
    assert sketch.api("api.flush()") == ""
    assert len(inputs.posts) == 1


def test_an_empty_canvas_has_the_size_of_the_form(sketch: Easel, inputs: Inputs) -> None:
    sketch.js("harness.say('atelier:form', { kind: 'img2img', values: { width: 320, height: 256 } })")
    sketch.part("start").click()
    sketch.rest()
    sketch.brush(40)
    sketch.stroke((100, 100), (200, 100))
    drawn = sketch.layer()
    sketch.part("eraser").click()
    sketch.stroke((100, 100), (200, 100))
    assert not sketch.layer()[101:119, 100:200].any()
    sketch.part("undo").click()
    assert np.array_equal(sketch.layer(), drawn)
    assert sketch.api("api.flush()") == ""
    posted = sent(inputs.posted("picture")[0])
    assert posted.shape == (256, 320, 3)
    assert posted[0, 0].tolist() == [255, 255, 255]
    assert posted[100, 150].tolist() == [0xC4, 0x60, 0x3A]


def test_alt_and_click_takes_the_colour_of_the_picture(sketch: Easel) -> None:
    under = noise(64, 64)
    sketch.show(under)
    sketch.page.keyboard.down("Alt")
    sketch.stroke((20.5, 30.5))
    sketch.page.keyboard.up("Alt")
    assert sketch.part("color").input_value() == "#" + bytes(under[30, 20]).hex()
    assert not sketch.layer().any()


# ---- touch, pen, zoom ----------------------------------------------------------------------------------------------------


def test_a_finger_paints_and_two_fingers_zoom_without_painting(inputs: Inputs, browser: Browser) -> None:
    with easel(inputs, browser, "inpaint", "mask", has_touch=True, viewport={"width": 480, "height": 800}) as here:
        here.show(noise(600, 500))
        here.brush(60)
        wire = here.context.new_cdp_session(here.page)

        def touch(kind: str, *points: tuple[float, float]) -> None:
            places = [{"x": x, "y": y, "id": number} for number, (x, y) in enumerate(points)]
            wire.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": places})

        start, end = here.at(150, 250), here.at(400, 250)
        touch("touchStart", start)
        touch("touchMove", end)
        touch("touchEnd")
        left, top, right, bottom = box(here.layer())
        assert abs(left - 120) <= 2
        assert abs(right - 430) <= 2
        assert (bottom - top) in (60, 61)
        before, view = here.layer(), here.api("[api.view.scale, api.view.x]")
        middle = here.at(300, 250)
        touch("touchStart", middle)
        touch("touchStart", (middle[0] - 30, middle[1]), (middle[0] + 30, middle[1]))
        touch("touchMove", (middle[0] - 90, middle[1]), (middle[0] + 90, middle[1]))
        touch("touchEnd")
        scale = here.api("api.view.scale")
        assert scale == pytest.approx(3 * view[0], rel=0.02)
        assert np.array_equal(here.layer(), before)
        assert here.api("api.view.toPicture({ x: api.view.width / 2, y: 0 }).x") == pytest.approx(300, abs=4)


def test_a_pen_pressed_lightly_paints_a_thinner_line(inpaint: Easel) -> None:
    inpaint.brush(100)
    widths = []
    for pressure in (1.0, 0.5, 0.0):
        pen = {"pointerType": "pen", "pressure": pressure, "buttons": 1}
        pointer(inpaint, "pointerdown", 300, 250, **pen)
        pointer(inpaint, "pointerup", 300, 250, pointerType="pen")
        left, _, right, _ = box(inpaint.layer())
        widths.append(right - left)
        inpaint.part("clear").click()
    assert [abs(width - 100 * (0.2 + 0.8 * share)) <= 2 for width, share in zip(widths, (1, 0.5, 0), strict=True)] == [True] * 3
    inpaint.part("pressure").click()
    pointer(inpaint, "pointerdown", 300, 250, pointerType="pen", pressure=0.1, buttons=1)
    pointer(inpaint, "pointerup", 300, 250, pointerType="pen")
    left, _, right, _ = box(inpaint.layer())
    assert abs(right - left - 100) <= 2


def test_a_cancelled_pointer_leaves_no_stroke(inpaint: Easel) -> None:
    pointer(inpaint, "pointerdown", 300, 250, pointerType="touch", buttons=1)
    pointer(inpaint, "pointermove", 350, 250, pointerType="touch", buttons=1)
    assert inpaint.layer().any()
    pointer(inpaint, "pointercancel", 350, 250, pointerType="touch")
    assert not inpaint.layer().any()
    assert inpaint.part("undo").is_enabled()  # the picture came before


def test_the_wheel_zooms_at_the_pointer_and_dragging_with_space_or_shift_moves(inpaint: Easel) -> None:
    place = inpaint.at(200, 150)
    inpaint.page.mouse.move(*place)
    inpaint.page.mouse.wheel(0, -240)  # not yet: the page would have scrolled
    inpaint.page.wait_for_timeout(100)
    before = inpaint.api("api.view.scale")
    inpaint.page.keyboard.down("Control")
    inpaint.page.mouse.wheel(0, -240)
    inpaint.page.keyboard.up("Control")
    inpaint.wait(f"() => inside.page.canvases.inpaint.view.scale > {before * 1.9}")
    assert inpaint.at(200, 150) == pytest.approx(place, abs=1.5)
    for key in ("Space", "Shift"):
        inpaint.part("canvas").focus()
        inpaint.page.keyboard.down(key)
        inpaint.page.mouse.move(*place)
        inpaint.page.mouse.down()
        inpaint.page.mouse.move(place[0] + 50, place[1] + 20)
        inpaint.page.mouse.up()
        inpaint.page.keyboard.up(key)
        assert inpaint.at(200, 150) == pytest.approx((place[0] + 50, place[1] + 20), abs=1.5)
        inpaint.page.mouse.move(*place)
        inpaint.page.mouse.down(button="middle")
        inpaint.page.mouse.move(place[0] - 50, place[1] - 20)
        inpaint.page.mouse.up(button="middle")
    assert not inpaint.layer().any()
    for _ in range(40):
        inpaint.part("in").click()
    assert inpaint.part("percent").text_content() == "3200 %"
    inpaint.part("canvas").focus()
    inpaint.page.keyboard.press("0")
    assert inpaint.api("api.view.scale") == pytest.approx(before)


# ---- what stays ----------------------------------------------------------------------------------------------------------


def saved(here: Easel) -> None:
    """Changes are kept a little later."""
    here.page.wait_for_timeout(900)
    here.rest()


@pytest.mark.parametrize("told", ["nothing", "the same picture"])
def test_a_reload_brings_back_picture_and_mask(inpaint: Easel, inputs: Inputs, told: str) -> None:
    inpaint.brush(70, 30)
    inpaint.stroke((100, 100), (300, 300), steps=3)
    assert inpaint.api("api.flush()") == ""
    before, value, mask = inpaint.layer(), inpaint.js("harness.value"), inpaint.js("harness.holds.at(-1)")
    saved(inpaint)
    if told == "nothing":
        inpaint.reload()
    else:
        inpaint.go({"kind": "inpaint", "mode": "mask", "held": "inpaint-mask", "most": 4096}, value)
        inpaint.reload()
    assert np.array_equal(inpaint.layer(), before)
    assert inpaint.js("harness.value") == value
    assert inpaint.js("harness.changes") == ([value] if told == "nothing" else [])
    assert inpaint.js("harness.holds") == [mask]
    assert inpaint.api("api.flush()") == ""
    assert len(inputs.posts) == 1


def test_a_reload_brings_back_a_drawing_on_an_empty_canvas(sketch: Easel) -> None:
    sketch.part("start").click()
    sketch.rest()
    sketch.stroke((100, 100), (200, 240))
    before = sketch.layer()
    saved(sketch)
    sketch.reload()
    assert np.array_equal(sketch.layer(), before)


def test_a_form_that_is_put_back_late_does_not_empty_the_canvas(inpaint: Easel) -> None:
    inpaint.stroke((100, 100), (300, 300))
    before, value = inpaint.layer(), inpaint.js("harness.value")
    saved(inpaint)
    inpaint.reload()
    inpaint.js("harness.set('')")
    inpaint.wait("(value) => harness.value === value", value)
    assert np.array_equal(inpaint.layer(), before)


def test_a_picture_that_the_server_lost_is_said_and_the_canvas_is_empty(inpaint: Easel, inputs: Inputs) -> None:
    inpaint.stroke((100, 100), (300, 300))
    saved(inpaint)
    inputs.files.clear()
    inpaint.reload()
    assert inpaint.part("alert").text_content() == "The studio does not have this picture any more."
    assert inpaint.part("empty").is_visible()
    assert inpaint.js("harness.value") == ""


def test_a_hidden_tab_keeps_everything(inpaint: Easel) -> None:
    inpaint.stroke((100, 100), (300, 300))
    before, place = inpaint.layer(), inpaint.at(100, 100)
    inpaint.js("document.querySelector('#tab').hidden = true")
    inpaint.page.wait_for_timeout(50)
    other = noise(600, 500, 2)
    inpaint.show(other)  # sent from another tab meanwhile
    inpaint.js("document.querySelector('#tab').hidden = false")
    inpaint.page.wait_for_timeout(50)
    assert inpaint.at(100, 100) == pytest.approx(place)
    inpaint.part("undo").click()
    inpaint.rest()
    assert np.array_equal(inpaint.layer(), before)


def test_a_browser_that_keeps_nothing_still_paints(inputs: Inputs, browser: Browser) -> None:
    with easel(inputs, browser, "inpaint", "mask", viewport={"width": 900, "height": 900}) as here:
        here.context.add_init_script("Object.defineProperty(window, 'indexedDB', { get() { throw new Error('private') } })")
        here.reload()
        here.show(noise(100, 80))
        here.stroke((20, 20), (60, 60))
        saved(here)
        assert here.layer().any()
        assert here.api("api.flush()") == ""


# ---- what comes from outside ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("order", ["mask first", "picture first"])
def test_python_sets_picture_and_mask_in_any_order(inpaint: Easel, inputs: Inputs, order: str) -> None:
    wanted = np.zeros((200, 300), np.uint8)
    wanted[20:90, 30:200] = np.arange(170)
    picture, mask = inputs.add(noise(300, 200, 3)), inputs.add(wanted)
    acts = [f"harness.say('atelier:held', {{ id: 'inpaint-mask', value: '{mask}' }})", f"harness.set('{picture}')"]
    for act in acts if order == "mask first" else reversed(acts):
        inpaint.js(act)
        inpaint.page.wait_for_timeout(30)
    wait_for(inpaint.page, lambda: inpaint.layer().shape == (200, 300) and inpaint.layer().any())
    inpaint.rest()
    assert np.array_equal(inpaint.layer(), wanted)
    assert inpaint.api("api.flush()") == ""
    assert inputs.posts == []  # the server has it


def test_a_dropped_file_is_posted_as_it_is_and_replaces_the_picture_undoably(inpaint: Easel, inputs: Inputs) -> None:
    inpaint.stroke((100, 100), (300, 300))
    before, first = inpaint.layer(), inpaint.js("harness.value")
    inputs.notes = ["The picture was turned upright."]
    body = png(noise(120, 90, 5))
    inpaint.drop(body)
    inpaint.wait("() => inside.page.canvases.inpaint.view.picture.width === 120")
    inpaint.rest()
    assert inputs.posted("picture") == [body]
    assert inpaint.part("notes").text_content() == "The picture was turned upright."
    assert inpaint.js("harness.value") == inpaint.js("harness.changes.at(-1)") != first
    assert not inpaint.layer().any()
    inpaint.part("undo").click()
    inpaint.rest()
    assert np.array_equal(inpaint.layer(), before)
    assert inpaint.js("harness.value") == first
    inpaint.part("redo").click()
    inpaint.rest()
    assert inpaint.layer().shape == (90, 120)


def test_a_picture_with_transparent_parts_brings_its_mask(inpaint: Easel, inputs: Inputs) -> None:
    wanted = np.full((90, 120), 40, np.uint8)
    inputs.mask = inputs.add(wanted)
    inpaint.drop(png(noise(120, 90, 5)))
    inpaint.wait("() => inside.page.canvases.inpaint.view.picture.width === 120")
    inpaint.rest()
    assert np.array_equal(inpaint.layer(), wanted)
    assert "transparent" in (inpaint.part("notes").text_content() or "")


def test_a_refused_file_is_said_and_the_old_picture_stays(inpaint: Easel, inputs: Inputs) -> None:
    inpaint.stroke((100, 100), (300, 300))
    before, first = inpaint.layer(), inpaint.js("harness.value")
    inputs.refuse = "This file is no picture."
    inpaint.drop(b"nothing")
    inpaint.page.wait_for_selector("[data-part=alert]:not([hidden])")
    inpaint.rest()
    assert inpaint.part("alert").text_content() == "This file is no picture."
    assert inpaint.js("harness.value") == first
    assert np.array_equal(inpaint.layer(), before)
    inpaint.part("fill").click()
    assert inpaint.api("api.flush()") == "This file is no picture."
    inputs.refuse = ""
    assert inpaint.api("api.flush()") == ""


def test_a_loaded_mask_is_a_step_of_its_own(inpaint: Easel, inputs: Inputs) -> None:
    mask = noise(600, 500, 8)[..., 0]
    inpaint.part("mask-file").set_input_files({"name": "mask.png", "mimeType": "image/png", "buffer": png(mask)})
    inpaint.wait("() => inside.page.canvases.inpaint.layer.bounds() !== null")
    inpaint.rest()
    assert np.array_equal(inpaint.layer(), mask)
    assert "width=600&height=500" in inputs.posts[0][0]
    inpaint.part("undo").click()
    inpaint.wait("() => inside.page.canvases.inpaint.layer.bounds() === null")
    assert not inpaint.layer().any()


def test_an_opened_and_a_pasted_file_arrive_and_a_text_field_keeps_its_paste(inpaint: Easel, inputs: Inputs) -> None:
    first, second = png(noise(50, 40)), png(noise(60, 40))
    inpaint.part("file").set_input_files({"name": "a.png", "mimeType": "image/png", "buffer": first})
    inpaint.wait("() => inside.page.canvases.inpaint.view.picture.width === 50")
    paste = """([where, text]) => { const data = new DataTransfer();
      data.items.add(new File([Uint8Array.from(text, (letter) => letter.charCodeAt(0))], "p.png", { type: "image/png" }));
      document.querySelector(where).dispatchEvent(new ClipboardEvent("paste", { clipboardData: data, bubbles: true })) }"""
    inpaint.js(paste, ["#elsewhere", second.decode("latin-1")])
    inpaint.js(paste, ["body", second.decode("latin-1")])
    inpaint.wait("() => inside.page.canvases.inpaint.view.picture.width === 60")
    assert inputs.posted("picture") == [first, second]


def test_a_result_is_kept_in_place_and_undo_brings_picture_and_mask_back(inpaint: Easel, inputs: Inputs) -> None:
    inpaint.stroke((100, 100), (300, 300))
    before, first = inpaint.layer(), inpaint.js("harness.value")
    other = inputs.add(noise(600, 500, 7))
    inpaint.js("harness.say('atelier:preflight', { kind: 'inpaint', box: [50, 50, 350, 350], sentence: 'This part is drawn.' })")
    inpaint.js(
        """(id) => inside.page.canvases.inpaint.candidates(["one", "two"].map((label) => ({ src: `input/${id}.png`, label,
        keep: async () => { harness.kept.push(label); await inside.page.canvases.inpaint.place(id) } })))""",
        other,
    )
    assert inpaint.part("thumbs").locator("button").count() == 2
    inpaint.wait("() => inside.page.canvases.inpaint.view.candidate !== null")
    inpaint.part("original").click()
    assert inpaint.api("api.view.candidate") is None
    inpaint.part("thumbs").locator("button").first.click()
    inpaint.part("canvas").focus()
    inpaint.page.keyboard.press("ArrowRight")
    assert inpaint.part("thumbs").locator("[aria-pressed=true]").get_attribute("aria-label") == "two"
    inpaint.part("keep").click()
    inpaint.wait("() => harness.kept.length === 1")
    inpaint.rest()
    assert inpaint.js("harness.kept") == ["two"]
    assert inpaint.js("harness.value") == other
    assert inpaint.part("choices").is_hidden()
    assert not inpaint.layer().any()
    assert inpaint.part("preflight").text_content() == "This part is drawn."
    inpaint.part("undo").click()
    inpaint.rest()
    assert inpaint.js("harness.value") == first
    assert np.array_equal(inpaint.layer(), before)
    inpaint.api("api.place(argument, { keepMask: true })", other)
    assert np.array_equal(inpaint.layer(), before)


def test_the_picture_can_be_removed_and_comes_back(inpaint: Easel) -> None:
    first = inpaint.js("harness.value")
    inpaint.part("remove").click()
    inpaint.rest()
    assert inpaint.part("empty").is_visible()
    assert inpaint.js("harness.value") == ""
    inpaint.part("undo").click()
    inpaint.rest()
    assert inpaint.js("harness.value") == first


def test_larger_fills_the_window_until_escape(inpaint: Easel) -> None:
    inpaint.part("larger").click()
    room = inpaint.part("room").bounding_box()
    assert (room["width"], room["height"]) == (900, 900)
    inpaint.stroke((100, 100), (200, 100))
    inpaint.page.keyboard.press("Escape")
    assert inpaint.part("room").bounding_box()["width"] < 900
    assert inpaint.layer().any()


# ---- the frame -----------------------------------------------------------------------------------------------------------


# The numbers of a form, as Gradio shows them.
NUMBERS = """() => ["left", "right", "top", "bottom"].forEach((side) => {
  const room = Object.assign(document.createElement("div"), { id: `outpaint-${side}` });
  const number = Object.assign(document.createElement("input"), { type: "number" });
  number.addEventListener("change", () => harness.entered.push([side, number.valueAsNumber]));
  room.append(number);
  document.body.append(room);
})"""


def test_dragging_the_frame_sets_the_numbers(outpaint: Easel) -> None:
    outpaint.js(NUMBERS)
    handle = outpaint.page.locator("[data-handle='right']")
    start = handle.bounding_box()
    assert start
    x, y = start["x"] + start["width"] / 2, start["y"] + start["height"] / 2
    outpaint.page.mouse.move(x, y)
    outpaint.page.mouse.down()
    outpaint.page.mouse.move(x + 60 * outpaint.api("api.view.scale"), y, steps=4)
    outpaint.page.mouse.up()
    assert outpaint.js("harness.entered") == [["right", 64]]
    assert outpaint.part("facts").text_content() == "512 × 384 → 576 × 384"
    corner = outpaint.page.locator("[data-handle='top left']")
    corner.focus()
    outpaint.page.keyboard.press("ArrowLeft")
    outpaint.page.keyboard.press("Shift+ArrowUp")
    outpaint.page.keyboard.press("ArrowDown")
    assert outpaint.js("harness.entered.slice(1)") == [["left", 8], ["top", 64], ["top", 56]]


def test_the_frame_follows_the_form_and_its_numbers_follow_the_frame(outpaint: Easel) -> None:
    outpaint.js(NUMBERS)
    form = {"kind": "outpaint", "values": {"left": 128, "right": 0, "top": 0, "bottom": 256}}
    outpaint.js("(form) => harness.say('atelier:form', form)", form)
    assert outpaint.part("facts").text_content() == "512 × 384 → 640 × 640"
    outpaint.page.locator("[data-handle='left']").focus()
    outpaint.page.keyboard.press("ArrowRight")
    assert outpaint.js("harness.entered") == [["left", 120]]
    assert outpaint.api("api.flush()") == ""


# ---- large ---------------------------------------------------------------------------------------------------------------


def test_the_largest_canvas_paints_and_posts_exactly(inputs: Inputs, browser: Browser) -> None:
    with easel(inputs, browser, "inpaint", "mask") as here:
        here.show(np.full((4096, 4096, 3), 90, np.uint8))
        here.brush(300, 50)
        here.stroke((500, 500), (3500, 3400), steps=15)
        assert here.api("api.flush()") == ""
        mask = sent(inputs.posted("mask")[0])
        assert mask.shape == (4096, 4096)
        assert mask[500, 500] == 255
        assert mask[3400, 3500] == 255
        assert here.api("api.layer.bounds()") == box(mask)
        here.part("undo").click()
        assert here.api("api.layer.bounds()") is None
