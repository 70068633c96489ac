"""What a keyboard, a screen reader and weak eyes need of the page, on every tab, in light and dark; folds that stay as they were left."""

from __future__ import annotations

import re
import threading
from itertools import pairwise

import pytest
from playwright.sync_api import Browser, Locator, expect

from tests.support.page_fixtures import House, Visit, at_rest, browser, house, open_house, visit, visiting, wait_for

__all__ = ["browser", "house", "open_house", "visit"]
pytestmark = pytest.mark.browser
TABS = (
    "Text to image", "Image to image", "Inpaint", "Outpaint", "ControlNet", "Depth", "Hires fix", "Details", "Enlarge", "Models", "Library",
)  # fmt: skip

# WCAG 2.2, 1.4.3: text against what is behind it. What is drawn over a picture or is switched off is left out.
CONTRAST = """() => {
  const parse = (color) => (color.match(/[\\d.]+/g) ?? [0, 0, 0, 0]).map(Number);
  const over = ([r, g, b, a = 1], under) => [r, g, b].map((part, at) => part * a + under[at] * (1 - a));
  const once = (find) => {
    const known = new Map();
    return (element) => known.get(element) ?? known.set(element, find(element)).get(element);
  };
  const under = (element) => (element.parentElement ? behind(element.parentElement) : [255, 255, 255]);
  const behind = once((element) => over(parse(getComputedStyle(element).backgroundColor), under(element)));
  const light = (color) => color.map((part) => part / 255).map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4))
    .reduce((sum, part, at) => sum + part * [0.2126, 0.7152, 0.0722][at], 0);
  const above = (element) => Boolean(element.parentElement && faint(element.parentElement));
  const faint = once((element) => getComputedStyle(element).opacity !== "1" || above(element));
  // Below a prompt lies a clear copy of its words, which shows their ground alone.
  const own = (element) => !element.closest('.prompt-layer') &&
    [...element.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim());
  const found = [];
  for (const element of document.querySelectorAll("#room *")) {
    if (!own(element) || !element.getClientRects().length || faint(element)) continue;
    if (element.closest("button:disabled, option, svg, .sr, canvas")) continue;
    const look = getComputedStyle(element);
    if (look.backgroundImage !== "none" || look.clipPath !== "none" || look.fontSize === "0px") continue;
    const [front, back] = [over(parse(look.color), behind(element)), behind(element)].map(light).sort((a, b) => b - a);
    const ratio = (front + 0.05) / (back + 0.05);
    const large = parseFloat(look.fontSize) >= 24 || (parseFloat(look.fontSize) >= 18.66 && Number(look.fontWeight) >= 700);
    if (ratio < (large ? 3 : 4.5)) found.push(`${ratio.toFixed(2)} ${element.className} ${element.textContent.trim().slice(0, 40)}`);
  }
  return found;
}"""
HEADINGS = """() => [...document.querySelectorAll("h1, h2, h3, h4, h5, h6")]
  .filter((heading) => heading.getClientRects().length).map((heading) => Number(heading.tagName[1]))"""
NAMELESS = """() => [...document.querySelectorAll("button, a, input, select, textarea, [role=button], [role=switch]")]
  .filter((e) => e.getClientRects().length && e.type !== "file" && !e.textContent.trim() && !e.labels?.length)
  .filter((e) => !e.getAttribute("aria-label") && !e.getAttribute("aria-labelledby") && !e.title && !e.placeholder)
  .map((e) => e.outerHTML.slice(0, 120))"""

# What a screen reader is led to is there, and there once; what shows a picture says which.
# What is not open has nothing yet that it controls.
BROKEN = """() => {
  const ids = [...document.querySelectorAll('#room [id]:not([id=""])')].map((e) => e.id);
  const twice = ids.filter((id, at) => ids.indexOf(id) !== at);
  const open = ':not([aria-selected="false"], [aria-expanded="false"])';
  const leading = ["aria-controls", "aria-labelledby", "aria-describedby"].flatMap((name) =>
    [...document.querySelectorAll(`#room [${name}]${open}`)].map((e) => e.getAttribute(name)));
  const lost = leading.flatMap((names) => names.split(" ")).filter((id) => id && !document.getElementById(id));
  const mute = [...document.querySelectorAll("#room img:not([alt])")].map((e) => e.outerHTML.slice(0, 120));
  const strays = [...document.querySelectorAll("#room :is(ul, ol) > :not(li)")].map((e) => e.outerHTML.slice(0, 120));
  return [...twice, ...lost, ...mute, ...strays];
}"""
PLACES = """() => {
  const places = {
    bar: "#header", tabs: "#tabs > .tab-wrapper", form: ".form-side", canvas: ".canvas-side", whole: ".whole-side",
    surface: ".surface", caption: ".caption", strip: ".recent", panel: "#panel",
  };
  const at = document.activeElement;
  const { left, top, right, bottom, width } = at.getBoundingClientRect();
  const seen = width > 0 && left > -1 && top > -1 && right < innerWidth + 1 && bottom < innerHeight + 1;
  return [Object.keys(places).find((name) => at.closest(places[name])) ?? "", seen ? "" : at.outerHTML.slice(0, 120)];
}"""

COVERED = """() => {
  const row = document.querySelector("#tabs > .tab-wrapper .tab-container:not(.visually-hidden)").getBoundingClientRect();
  return [...document.querySelectorAll("#header .masthead button, #tabs > .tab-wrapper [role=tab], .job-pill button")].filter((e) => {
    const { left, right, top, bottom } = e.getBoundingClientRect();
    const [x, y] = [(left + right) / 2, (top + bottom) / 2];
    const scrolled = e.matches("[role=tab]") && (x < row.left || x > row.right);
    return e.getClientRects().length && !scrolled && !e.contains(document.elementFromPoint(x, y));
  }).map((e) => e.ariaLabel ?? e.textContent.trim());
}"""


FINISHED = "() => document.getAnimations().filter((each) => each instanceof CSSTransition).map((each) => each.finish()).length"


def open_tab(visit: Visit, name: str) -> None:
    visit.open_tab(name)
    colours_rest(visit)


def colours_rest(visit: Visit) -> None:
    """They pass over into each other, and what is inherited follows what it comes from: until none has moved for two looks."""
    moving = [1, 1]
    while any(moving[-2:]) and len(moving) < 10:
        moving.append(visit.page.evaluate(FINISHED))
        visit.page.wait_for_timeout(30)


# All at once: a click of the mouse on each, with looks whether it can be clicked, took more work than all that is looked at here.
UNFOLDED = """() => {
  const folded = [...document.querySelectorAll(".gr-accordion > button[aria-expanded=false]")].filter((fold) => fold.checkVisibility());
  window.unfolding = folded.map((fold) => (fold.click(), fold));
  return folded.length;
}"""
OPEN = "() => unfolding.every((fold) => fold.ariaExpanded === 'true')"


def unfold(visit: Visit) -> None:
    if visit.page.evaluate(UNFOLDED):
        visit.page.wait_for_function(OPEN)
        at_rest(visit.page)


def test_every_tab_can_be_read_and_says_what_its_controls_are(visit: Visit, house: House) -> None:
    draw_beside_a_picture(visit, house)
    for name in TABS:
        open_tab(visit, name)
        unfold(visit)
        for _ in ("light", "dark"):
            assert visit.page.evaluate(CONTRAST) == [], name
            visit.page.evaluate("() => inside.look.toggleLook()")
            colours_rest(visit)
        assert visit.page.evaluate(NAMELESS) == [], name
        assert visit.page.evaluate(BROKEN) == [], name
        levels = visit.page.evaluate(HEADINGS)
        assert levels[0] == 1 and all(below <= above + 1 for above, below in pairwise(levels)), (name, levels)


def draw_beside_a_picture(visit: Visit, house: House) -> None:
    """All that the room can show at once: a picture with its caption and what is known of it, and another one that is being drawn."""
    visit.generate("a tree")
    visit.finished()
    house.runner.gate = threading.Semaphore(0)
    visit.set("batch_count", "2")
    visit.generate("a house")
    house.runner.gate.release(3)
    visit.wait_for_step(1)
    visit.page.locator("#stage [data-part=strip] [data-picture]").first.click()
    for shown in (visit.part("caption"), visit.part("live"), visit.part("skip"), visit.page.locator("#inspector .inspector-fact").first):
        expect(shown).to_be_visible()


def test_what_runs_is_told_in_the_bar_and_covers_none_of_its_buttons_and_tabs(visit: Visit, house: House) -> None:
    draw_beside_a_picture(visit, house)
    for width, height in ((1440, 900), (1280, 720), (900, 700), (390, 844)):
        visit.page.set_viewport_size({"width": width, "height": height})
        visit.page.wait_for_timeout(200)
        assert visit.page.evaluate(COVERED) == [], width
        status = visit.part("status").bounding_box()
        assert status and status["width"] >= 75, (width, status)  # “Step 5 of 20” and a little


def test_a_keyboard_goes_through_the_room_as_it_is_read(visit: Visit) -> None:
    visit.generate("a tree")
    visit.finished()
    visit.page.locator("#inspector .inspector-fact").first.wait_for()
    assert way_of_the_keyboard(visit, "Text to image") == ["bar", "tabs", "form", "surface", "caption", "strip", "panel"]
    assert way_of_the_keyboard(visit, "Inpaint") == ["bar", "tabs", "form", "canvas", "strip", "panel"]
    assert way_of_the_keyboard(visit, "Models") == ["bar", "tabs", "whole", "strip", "panel"]


def way_of_the_keyboard(visit: Visit, tab: str) -> list[str]:
    """The places that Tab leads to, from the bar into the panel. Wherever it stops can be seen."""
    open_tab(visit, tab)
    visit.page.get_by_role("link", name="Skip to what you work on").focus()
    way: list[str] = []
    while not way or way[-1] != "panel":
        place = stop_of_the_keyboard(visit)
        assert place, (tab, way)
        way += [place] if not way or way[-1] != place else []
        visit.page.keyboard.press("Tab")
    return way


def stop_of_the_keyboard(visit: Visit) -> str:
    """The place of what has the focus, once it is seen: a row that scrolls there does so smoothly."""
    place, unseen = visit.page.evaluate(PLACES)
    if unseen:
        wait_for(visit.page, lambda: not visit.page.evaluate(PLACES)[1], 3)
    return place


def test_the_first_stop_of_a_keyboard_leads_to_what_one_works_on(visit: Visit) -> None:
    open_tab(visit, "ControlNet")
    visit.page.evaluate("() => document.activeElement.blur()")
    link = visit.page.get_by_role("link", name="Skip to what you work on")
    link.focus()
    assert link.evaluate("e => getComputedStyle(e).clipPath") == "none"  # it shows once it is reached
    visit.page.keyboard.press("Enter")
    assert visit.page.evaluate("() => !!document.activeElement.closest('#controlnet-prompt')")


def test_folds_say_whether_they_are_open_hear_the_keyboard_and_stay_as_they_were_left(visit: Visit) -> None:
    fold = visit.page.get_by_role("button", name=re.compile("^Sampling"))
    units = visit.page.locator("#txt2img-controls [data-part=fold]")
    expect(fold).to_have_attribute("aria-expanded", "false")
    for each in (fold, units):
        each.focus()
        visit.page.keyboard.press("Enter")
        expect(each).to_have_attribute("aria-expanded", "true")
    visit.page.locator("#txt2img-controls [data-part=add]").click()
    visit.page.locator("#txt2img-controls summary", has_text="When, where and how").click()
    visit.reload()
    for each in (fold, units, visit.page.locator("#txt2img-controls .unit-open")):
        expect(each).to_have_attribute("aria-expanded", "true")
    expect(visit.page.locator("#txt2img-controls details")).to_have_attribute("open", "")
    expect(visit.page.locator("#txt2img-steps input[type=number]")).to_be_visible()
    fold.click()
    visit.reload()
    expect(fold).to_have_attribute("aria-expanded", "false")
    visit.page.wait_for_timeout(400)
    expect(fold).to_have_attribute("aria-expanded", "false")


def test_a_note_that_pops_up_bears_its_title_and_takes_no_word_for_markup(visit: Visit) -> None:
    visit.set("width", "3")
    visit.generate("a house <lora:nobody>")
    note = visit.page.locator(".toast-body")
    expect(note.locator("strong")).to_have_text("Not started")
    expect(note).to_contain_text("Width must be between 64 and 4096")
    assert note.locator("[role=button]").count() == 0  # a button within a button is none to a screen reader
    visit.page.locator(".toast-close").click()
    visit.set("width", "128")
    visit.generate("a house <lora:nobody:much>")
    wait_for(visit.page, lambda: "Write it as in <lora:name:0.8>." in (visit.page.locator(".toast-wrap").text_content() or ""))


def test_on_a_phone_nothing_scrolls_sideways_but_the_row_of_tabs_which_moves_to_the_open_one(house: House, browser: Browser) -> None:
    with visiting(house, browser, viewport={"width": 390, "height": 844}) as visit:
        row = visit.page.locator("#tabs > .tab-wrapper .tab-container:not(.visually-hidden)")
        more = visit.page.locator("button.sheet-more:visible")
        expect(row).to_have_attribute("data-more", "right")
        visit.unfold()
        visit.page.keyboard.press("Escape")
        expect(more).to_have_attribute("aria-expanded", "false")
        expect(more).to_be_focused()
        visit.generate("a red house on the left in the snow at night, " * 4)
        visit.finished()
        assert visit.page.evaluate("document.documentElement.scrollWidth") <= 390
        assert visit.page.locator("#txt2img-generate").is_visible()
        visit.send_to("inpaint")
        expect(row).to_have_attribute("data-more", "left right")
        inpaint = visit.page.get_by_role("tab", name="Inpaint", exact=True)
        wait_for(visit.page, lambda: abs(centre(inpaint) - centre(row)) < 2)
        visit.open_tab("Models")
        expect(row).to_have_attribute("data-more", "left")


def centre(place: Locator) -> float:
    """Pixels from the left of the window."""
    box = place.bounding_box()
    assert box
    return box["x"] + box["width"] / 2
