"""What a stage tells while it works, what a second window of the same browser sees, and a phone: in a real browser on the toy studio."""

from __future__ import annotations

import threading
from contextlib import closing

import pytest
from playwright.sync_api import Browser, expect

from models.library.catalog import STARTER
from models.memory.manager import Key
from tests.support.page_fixtures import House, Visit, browser, house, house_with, visit, visiting, wait_for
from tests.test_page_pictures import picture, put

pytestmark = pytest.mark.browser
__all__ = ["browser", "house", "open_house", "visit"]
open_house = house_with("inpaint", "controlnet", "models")
TOO_SMALL = """() => [...document.querySelectorAll(".gradio-container :is(button, input, select, textarea, summary, a)")].filter((part) => {
  if (!part.getClientRects().length || ["range", "checkbox"].includes(part.type) || part.matches(".unit-switch, .skip")) return false;
  const typed = part.matches("input:not([type=color]), textarea, select");
  const { width, height } = part.getBoundingClientRect();
  return width < 40 || height < 40 || (typed && parseFloat(getComputedStyle(part).fontSize) < 16);
}).map((part) => `${part.tagName} ${part.className} ${part.ariaLabel ?? part.textContent}`)"""
LISTS = """() => [...document.querySelectorAll(".gradio-container .wrap:has(> .wrap-inner)")].filter((list) => list.getClientRects().length)
  .map((list) => [list, list.querySelector("input")].map((part) => Math.floor(part.getBoundingClientRect().height)))"""
NO_LATE_LOOK = "{ const wait = setTimeout; window.setTimeout = (act, time, ...more) => (time > 5000 ? 0 : wait(act, time, ...more)); }"
FREE = """() => {
  const { left, top, width, height } = document.querySelector("#inpaint-generate").getBoundingClientRect();
  return [0.1, 0.5, 0.9].every((share) => document.elementFromPoint(left + share * width, top + height / 2)?.closest("#inpaint-generate"));
}"""
IN_SIGHT = """(name) => {
  const part = document.querySelector(`#inpaint-image [data-part=${name}]`);
  const { left, top, width, height } = part.getBoundingClientRect();
  return document.elementFromPoint(left + width / 2, top + height / 2)?.closest(`[data-part=${name}]`) === part;
}"""

ABOVE = """() => {
  const [choices, button] = ["#inpaint-image [data-part=choices]", "#inpaint-generate"].map((name) => document.querySelector(name));
  return choices.getBoundingClientRect().bottom <= button.getBoundingClientRect().top;
}"""


def test_preparing_says_what_is_read_and_skip_says_what_it_leaves(visit: Visit, house: House) -> None:
    house.runner.gate = threading.Semaphore(0)
    visit.unfold()
    visit.set("batch_size", "2")
    visit.set("batch_count", "2")
    visit.generate("a ball")
    expect(visit.part("status")).to_have_text("Preparing…")
    for reading, words in ((Key("checkpoint", STARTER), "Preparing: reading the checkpoint “Starter”…"), (None, "Preparing…")):
        house.runner.reading = reading
        house.runner.tell()
        expect(visit.part("status")).to_have_text(words)
    expect(visit.part("skip")).to_have_attribute("title", "Leave the 2 pictures of this batch and go on to the next batch")
    house.runner.gate.release(21)
    expect(visit.part("skip")).to_have_attribute("title", "Leave the 2 pictures of this batch; it is the last, so the job ends")
    house.runner.gate.release(1000)
    visit.finished()


def test_a_second_window_sees_new_pictures_and_a_wheel_moves_their_row(visit: Visit, house: House) -> None:
    with closing(visit.page.context.new_page()) as second:
        second.add_init_script(NO_LATE_LOOK)
        second.goto(house.url)
        second.wait_for_function("() => window.inside?.page.told.engine?.state === 'ready' && 'newest' in inside.page.told.engine")
        before = second.locator("#stage [data-part=strip] li").count()
        visit.page.bring_to_front()
        visit.generate("a tree")
        visit.finished()
        second.wait_for_function("before => document.querySelectorAll('#stage [data-part=strip] li').length > before", arg=before)
        second.set_viewport_size({"width": 700, "height": 800})
        second.bring_to_front()
        row = second.locator("#stage [data-part=strip]")
        row.evaluate("(row) => row.append(...Array.from({ length: 30 }, () => row.lastElementChild.cloneNode(true)))")
        row.hover()
        second.mouse.wheel(0, 200)
        second.wait_for_function("() => document.querySelector('#stage [data-part=strip]').scrollLeft > 100")


def test_on_a_phone_what_happens_and_what_is_to_be_kept_come_into_view(house: House, browser: Browser) -> None:
    with visiting(house, browser, viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True) as visit:
        for tab in ("Models", "ControlNet", "Inpaint"):
            visit.open_tab(tab)
            if (more := visit.page.locator("button.sheet-more:visible")).count() and more.get_attribute("aria-expanded") != "true":
                more.tap()
            visit.page.wait_for_timeout(300)
            assert visit.page.evaluate(TOO_SMALL) == []
        lists = visit.page.evaluate(LISTS)
        height = visit.page.locator("#inpaint-width input").evaluate("(field) => Math.floor(field.getBoundingClientRect().height)")
        assert lists and all(list == [height, height] for list in lists)
        visit.page.locator("button.sheet-more:visible").tap()
        put(visit, "inpaint", picture(256, 192))
        visit.page.locator("#inpaint-image [data-part=fill]").tap()
        house.runner.step_seconds = 0.1
        visit.page.locator("#inpaint-generate").tap()
        expect(visit.page.locator("#stage [data-part=status]")).to_be_in_viewport()
        visit.page.evaluate("inside.desk.notify('The form was filled anew.', { says: 'Undo', does() {} })")
        assert visit.page.evaluate(FREE)
        visit.page.get_by_role("button", name="Close this note").tap()
        wait_for(visit.page, lambda: visit.page.evaluate(IN_SIGHT, "keep") and visit.page.evaluate(IN_SIGHT, "canvas"))
        visit.page.wait_for_timeout(700)  # the page glides
        wait_for(visit.page, lambda: visit.page.evaluate(ABOVE))
        assert visit.page.evaluate(FREE)
