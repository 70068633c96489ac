"""The list of control units in a real browser: added, moved, removed, kept, and drawn as the steps will take them."""

from __future__ import annotations

import math
from dataclasses import asdict

import pytest
from playwright.sync_api import Browser, Locator

from pipelines import MOST_UNITS, ControlUse
from pipelines.requests.control_unit import WEIGHT_CURVES
from tests.support.page_fixtures import House, Visit, browser, house, house_with, visiting, wait_for
from tests.support.unit_pages import card, control, drawing, first, map_of, one_page, put, room, shelf, units, visit

pytestmark = pytest.mark.browser
__all__ = ["browser", "first", "house", "one_page", "open_house", "shelf", "visit"]
open_house = house_with("controlnet")


def test_units_are_added_moved_duplicated_switched_off_and_removed(visit: Visit, first: Locator) -> None:
    put(visit, drawing())
    room(visit).locator("[data-part=add]").click()
    assert card(visit, 1).locator("[data-part=open]").get_attribute("aria-expanded") == "true"
    assert first.locator("[data-part=open]").get_attribute("aria-expanded") == "false"
    control(visit, "Preprocessor of unit 2").select_option("Invert")
    wait_for(visit.page, lambda: [unit["preprocessor"] for unit in units(visit)] == ["None", "Invert"])
    card(visit, 1).locator("[data-part=up]").click()
    wait_for(visit.page, lambda: [unit["preprocessor"] for unit in units(visit)] == ["Invert", "None"])
    assert "Unit 1 – Invert" in card(visit, 0).inner_text() and card(visit, 0).locator("[data-part=file]").count() == 1
    card(visit, 0).locator("[data-part=copy]").click()
    wait_for(visit.page, lambda: [unit["preprocessor"] for unit in units(visit)] == ["Invert", "Invert", "None"])
    control(visit, "unit 3 acts").click()
    wait_for(visit.page, lambda: [unit["weight"] for unit in units(visit)] == [1, 1, 0])
    assert control(visit, "unit 3 acts").get_attribute("aria-checked") == "false"
    control(visit, "unit 3 acts").click()
    wait_for(visit.page, lambda: units(visit)[2]["weight"] == 1)
    control(visit, "Remove unit 1").click()
    wait_for(visit.page, lambda: [unit["preprocessor"] for unit in units(visit)] == ["Invert", "None"])
    assert units(visit)[1]["image"]


def test_the_list_goes_by_keyboard(visit: Visit, first: Locator) -> None:
    room(visit).locator("[data-part=add]").focus()
    visit.page.keyboard.press("Enter")
    wait_for(visit.page, lambda: len(units(visit)) == 2)
    focused = "document.activeElement.closest('.unit')?.querySelector('.unit-title').textContent"
    assert visit.page.evaluate(focused) == "Unit 2"
    visit.page.keyboard.press("Enter")
    assert card(visit, 1).locator("[data-part=open]").get_attribute("aria-expanded") == "false"
    visit.page.keyboard.press("Tab")
    visit.page.keyboard.press("Space")
    wait_for(visit.page, lambda: units(visit)[1]["weight"] == 0)
    visit.page.keyboard.press("Tab")
    visit.page.keyboard.press("Enter")
    wait_for(visit.page, lambda: len(units(visit)) == 1)
    assert visit.page.evaluate(focused) == "Unit 1"


def test_ten_is_the_most(visit: Visit, first: Locator) -> None:
    add = room(visit).locator("[data-part=add]")
    for count in range(2, MOST_UNITS + 1):
        add.click()
        wait_for(visit.page, lambda count=count: len(units(visit)) == count)
    assert add.is_disabled() and room(visit).get_by_text(f"{MOST_UNITS} is the most").is_visible()
    assert card(visit, MOST_UNITS - 1).locator("[data-part=copy]").is_disabled()
    heights = room(visit).locator(".unit").evaluate_all("cards => cards.map((card) => card.getBoundingClientRect().height)")
    assert max(heights[:-1]) < 70  # a closed one is a line


def test_units_are_there_after_a_reload_and_so_are_their_maps(visit: Visit, first: Locator) -> None:
    put(visit, drawing())
    control(visit, "Preprocessor of unit 1").select_option("Canny")
    first.locator("summary").click()
    control(visit, "Weight curve of unit 1").select_option("Rising")
    before = units(visit)
    shown = map_of(visit)
    visit.reload()
    visit.open_tab("ControlNet")
    wait_for(visit.page, lambda: units(visit) == before)
    assert map_of(visit) == shown
    assert first.locator(".unit-folded").text_content() == "0 % to 100 % · Rising · Balanced · Crop"


def test_kept_units_of_another_version_are_read_as_far_as_they_are_known(visit: Visit) -> None:
    kept = '{"controls": [{"preprocessor": "Canny", "former": 3}]}'
    visit.page.evaluate("kept => localStorage.setItem('atelier.form.controlnet', kept)", kept)
    visit.reload()
    visit.open_tab("ControlNet")
    card(visit).wait_for()
    wait_for(visit.page, lambda: units(visit) == [asdict(ControlUse(preprocessor="Canny"))])


def test_every_control_of_a_unit_has_a_name(visit: Visit, first: Locator) -> None:
    control(visit, "Preprocessor of unit 1").select_option("Canny")
    first.locator("summary").click()
    unnamed = room(visit).evaluate(
        """room => [...room.querySelectorAll('input:not([type=file]), select, button, svg')].filter((part) => part.getClientRects().length)
          .filter((part) => !(part.labels?.length || part.getAttribute('aria-label') || part.textContent.trim()))
          .map((part) => part.outerHTML.slice(0, 200))"""
    )
    assert unnamed == []


def test_a_phone_needs_no_sideways_scrolling(house: House, browser: Browser) -> None:
    with visiting(house, browser, viewport={"width": 390, "height": 844}) as visit:
        visit.open_tab("ControlNet")
        visit.open_sheet()
        card(visit).wait_for()
        put(visit, drawing())
        control(visit, "Preprocessor of unit 1").select_option("Line art")
        card(visit).locator("summary").click()
        assert map_of(visit)
        assert visit.page.evaluate("document.documentElement.scrollWidth") <= 390
        wide = card(visit).evaluate(
            "card => [...card.querySelectorAll('*')].filter((part) => part.getBoundingClientRect().right > 391).length"
        )
        assert wide == 0


def test_the_drawn_weights_are_those_that_the_steps_take(visit: Visit) -> None:
    uses = [use for curve in WEIGHT_CURVES for use in uses_of(curve)]
    points = visit.page.evaluate(
        """([uses, steps]) => {
          const curves = { Flat: [1, 1], Falling: [1, 0], Rising: [0, 1] };
          const fine = (act) => Array.from({ length: 1001 }, (_, place) => act(place / 1000));
          Object.assign(curves, { Early: fine((x) => Math.cos(x * Math.PI / 2) ** 2), Late: fine((x) => Math.sin(x * Math.PI / 2) ** 2) });
          Object.assign(curves, { Middle: fine((x) => Math.sin(x * Math.PI)) });
          return uses.flatMap((use) => steps.map((count) => inside.unit_plot.weights(use, count, curves)));
        }""",
        [[asdict(use) for use in uses], [1, 7, 20]],
    )
    expected = [[use.weight_at(index, steps) for index in range(steps)] for use in uses for steps in (1, 7, 20)]
    for drawn, taken in zip(points, expected, strict=True):
        assert all(math.isclose(one, other, abs_tol=1e-4) for one, other in zip(drawn, taken, strict=True)), (drawn, taken)


def uses_of(curve: str) -> list[ControlUse]:
    spans = ((0.0, 1.0), (0.2, 0.8), (0.33, 0.34), (0.7, 0.3), (0.5, 1.0))
    return [ControlUse(curve=curve, weight=0.8, start=start, end=end) for start, end in spans]
