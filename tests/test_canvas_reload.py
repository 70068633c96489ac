"""What is painted is there again after the page was reloaded or closed in the very next moment, in Chromium on a bare page."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import closing

import numpy as np
import pytest
from playwright.sync_api import Browser

from tests.support.canvas_harness import Easel, Inputs, canvas_server, easel, inputs, noise
from tests.support.page_fixtures import browser

pytestmark = pytest.mark.browser
__all__ = ["browser", "canvas_server", "inputs"]
LEAVES = """([type, delay]) => window.addEventListener(type, () => {
  const leave = () => { sessionStorage.bytes = harness_bytes(Object.values(inside.page.canvases)[0].layer.bytes); location.reload(); };
  delay ? setTimeout(leave, delay) : leave();
}, { once: true })"""

# The next time that the large store is filled takes until go() is called: before it is, or after and until the page knows. Then no more.
HELD = """(filled) => {
  const store = IDBObjectStore.prototype;
  const { put } = store;
  store.put = function (record, key) {
    if (key.endsWith(" view")) return put.call(this, record, key);
    store.put = () => {
      throw new Error("no more");
    };
    const answer = { result: key };
    const wait = new Promise((go) => Object.assign(window, { go }));
    if (filled) put.call(this, record, key).onsuccess = () => wait.then(() => answer.onsuccess());
    return answer;
  };
}"""
TOLD = "() => JSON.parse(localStorage['atelier.canvas.inpaint'] ?? null)?.bases[0]"


@pytest.fixture
def canvas(inputs: Inputs, browser: Browser) -> Generator[Easel]:
    with easel(inputs, browser, "inpaint", "mask") as here:
        yield ready(here)


@pytest.fixture
def sketch(inputs: Inputs, browser: Browser) -> Generator[Easel]:
    with easel(inputs, browser, "inpaint", "sketch") as here:
        yield ready(here)


def ready(here: Easel) -> Easel:
    here.show(noise(600, 500))
    here.brush(60, 40)
    return here


def left(here: Easel, act: Callable[[], None], event: str = "pointerup", delay: int = 0) -> None:
    """Does something in the window, which is reloaded the moment it has been done."""
    here.js(LEAVES, [event, delay])
    with here.page.expect_navigation():
        act()
    here.begin()
    assert here.js("sessionStorage.bytes === harness_bytes(Object.values(inside.page.canvases)[0].layer.bytes)")


def test_a_stroke_and_what_undoes_it_outlive_a_reload_in_the_next_moment(canvas: Easel) -> None:
    for turn, delay in enumerate((0, 0, 5, 50)):
        y = 40 + 50 * turn
        left(canvas, lambda y=y: canvas.stroke((50, y), (550, y + 20), steps=4), delay=delay)
    assert canvas.layer().any()
    for button in ("clear", "undo", "fill", "invert"):
        left(canvas, canvas.part(button).click, "click")
        canvas.stroke((100, 100), (200, 300))  # on nothing, but after all was filled
    left(canvas, lambda: canvas.page.keyboard.press("Delete"), "keyup")


def test_a_drawing_outlives_it_too(sketch: Easel) -> None:
    left(sketch, lambda: sketch.stroke((50, 100), (550, 120), steps=4))
    left(sketch, sketch.part("fill").click, "click")
    sketch.part("eraser").click()
    left(sketch, lambda: sketch.stroke((100, 100), (200, 300)))
    assert sketch.layer()[200, 150, 3] == 0 and sketch.layer()[0, 0, 3] == 255


def test_what_is_kept_meanwhile_and_painted_after_it_is_one(canvas: Easel) -> None:
    """The large store is filled while strokes go on: what is there again is the newest of both."""
    for delay in (0, 600, 650):
        canvas.stroke((100, 100), (400, 100 + delay / 4), steps=2)
        canvas.page.wait_for_timeout(delay)
        left(canvas, lambda: canvas.stroke((100, 400), (500, 90), steps=2))
    canvas.page.wait_for_timeout(900)
    canvas.rest()
    assert canvas.js("localStorage['atelier.canvas.inpaint']") is None  # the large store has it all


@pytest.mark.parametrize("filled", [False, True])
def test_a_stroke_while_the_large_store_is_filled_is_kept(canvas: Easel, filled: bool) -> None:
    canvas.js(HELD, filled)
    canvas.stroke((100, 100), (400, 100))
    canvas.wait("() => !!window.go")
    canvas.stroke((100, 400), (500, 90))
    painted = canvas.layer()
    if filled:
        canvas.js("() => go()")
        canvas.wait(f"() => ({TOLD})() !== ''")  # the journal stands on the store
    canvas.reload()
    assert np.array_equal(canvas.layer(), painted)


def test_a_stroke_while_another_window_fills_the_store_is_kept(canvas: Easel) -> None:
    canvas.stroke((100, 100), (300, 300))
    canvas.wait(f"() => ({TOLD})() === undefined")
    with closing(canvas.page.context.new_page()) as second:
        other = Easel(canvas.inputs, canvas.context, second, "inpaint")
        second.goto(canvas.page.url)
        other.begin()
        other.js(HELD, True)
        other.stroke((500, 100), (300, 300))
        other.wait("() => !!window.go")
        canvas.page.bring_to_front()
        canvas.js(HELD, False)
        canvas.stroke((50, 450), (550, 450))
        painted = canvas.layer()
        other.js("() => go()")
        canvas.wait(f"() => ({TOLD})() === ''")  # the journal tells of all
    canvas.reload()
    assert np.array_equal(canvas.layer(), painted)


def test_a_closed_window_and_another_one_lose_no_stroke(canvas: Easel) -> None:
    address = canvas.page.url
    canvas.stroke((100, 100), (300, 300))
    canvas.page.wait_for_timeout(900)
    with closing(canvas.page.context.new_page()) as second:
        other = Easel(canvas.inputs, canvas.context, second, "inpaint")
        second.goto(address)
        other.begin()
        other.stroke((500, 100), (300, 300))
        other.page.wait_for_timeout(900)  # it has filled the store
        canvas.page.bring_to_front()
        left(canvas, lambda: canvas.stroke((50, 450), (550, 450)))
        second.bring_to_front()
        other.stroke((500, 400), (300, 50))
        painted = other.layer()
    with closing(canvas.page.context.new_page()) as third:
        again = Easel(canvas.inputs, canvas.context, third, "inpaint")
        third.goto(address)
        again.begin()
        assert np.array_equal(again.layer(), painted)


def test_a_stroke_under_way_is_kept_when_the_page_goes(canvas: Easel) -> None:
    canvas.page.mouse.move(*canvas.at(100, 100))
    canvas.page.mouse.down()
    canvas.page.mouse.move(*canvas.at(400, 300), steps=3)
    before = canvas.layer()
    canvas.reload()
    assert np.array_equal(canvas.layer(), before)
    canvas.page.mouse.up()
