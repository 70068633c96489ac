"""The models of control units in a real browser: those that fit and those that do not."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Locator, expect

from tests.support.page_fixtures import House, Visit, browser, house, house_with, wait_for
from tests.support.unit_pages import HOSTILE, TOO_LARGE, control, drawing, first, one_page, put, shelf, units, visit

pytestmark = pytest.mark.browser
__all__ = ["browser", "first", "house", "one_page", "open_house", "shelf", "visit"]
open_house = house_with("controlnet")


def test_the_map_is_named_for_a_union_model_alone(visit: Visit, first: Locator) -> None:
    wait_for(visit.page, lambda: control(visit, "Model of unit 1").locator("option").count() == 1 + 4)
    for model, shown in (("small canny", False), ("union of all", True)):
        control(visit, "Model of unit 1").select_option(label=model)
        wait_for(visit.page, lambda model=model: units(visit)[0]["name"] == model)
        assert control(visit, "Map shows of unit 1").is_visible() == shown
    control(visit, "Map shows of unit 1").select_option("Depth")
    wait_for(visit.page, lambda: units(visit)[0]["union_kind"] == "Depth")


def test_a_model_that_does_not_fit_says_why_in_the_list_and_cannot_be_chosen(visit: Visit, first: Locator) -> None:
    models = control(visit, "Model of unit 1")
    grey = models.locator("option", has_text="large canny")
    grey.wait_for(state="attached")
    assert grey.text_content() == "large canny (made for SDXL)"
    assert (grey.get_attribute("class"), grey.get_attribute("title"), grey.is_disabled()) == ("grey", TOO_LARGE, True)
    models.focus()
    visit.page.keyboard.type("large")
    visit.page.keyboard.press("End")
    visit.page.keyboard.press("Tab")
    wait_for(visit.page, lambda: units(visit)[0]["name"] != "")
    assert units(visit)[0]["name"] != "large canny"


def test_a_model_that_a_unit_holds_stays_with_its_reason_when_the_checkpoint_changes(visit: Visit, house: House, first: Locator) -> None:
    models = control(visit, "Model of unit 1")
    wait_for(visit.page, lambda: models.locator("option").count() == 1 + 4)
    models.select_option(label="small canny")
    wait_for(visit.page, lambda: units(visit)[0]["name"] == "small canny")
    held = units(visit)[0]["id"]
    assert house.studio
    house.studio.library.refused = {"small canny"}  # pyright: ignore[reportAttributeAccessIssue]
    try:
        visit.page.evaluate("window.dispatchEvent(new Event('atelier:library'))")
        first.locator(".unit-problem", has_text=TOO_LARGE).wait_for()
    finally:
        house.studio.library.refused = {"large canny"}  # pyright: ignore[reportAttributeAccessIssue]
    assert models.input_value() == held == units(visit)[0]["id"]
    assert models.locator("option:checked").text_content() == "small canny (made for SDXL)"
    models.select_option(label="union of all")  # and it can be left
    wait_for(visit.page, lambda: units(visit)[0]["name"] == "union of all")
    visit.page.evaluate("window.dispatchEvent(new Event('atelier:library'))")
    wait_for(visit.page, lambda: models.locator("option", has_text="small canny").text_content() == "small canny")


def test_a_preprocessor_without_its_weights_can_be_chosen_to_see_what_it_needs(visit: Visit, first: Locator) -> None:
    option = control(visit, "Preprocessor of unit 1").locator("option", has_text="HED (no weights yet)").first
    assert not option.is_disabled()
    control(visit, "Preprocessor of unit 1").select_option(value="HED")
    wait_for(visit.page, lambda: units(visit)[0]["preprocessor"] == "HED")
    first.locator(".unit-problem", has_text="Put ControlNetHED.pth").wait_for()


def test_a_preprocessor_brings_a_model_of_its_name_where_none_is_chosen(visit: Visit, first: Locator) -> None:
    wait_for(visit.page, lambda: control(visit, "Model of unit 1").locator("option").count() == 1 + 4)
    control(visit, "Preprocessor of unit 1").select_option("Canny")
    wait_for(visit.page, lambda: units(visit)[0]["name"] == "small canny")
    control(visit, "Preprocessor of unit 1").select_option("Tile")  # nobody chose the model, so it follows
    wait_for(visit.page, lambda: units(visit)[0]["name"] == "union of all")
    control(visit, "Preprocessor of unit 1").select_option("Canny")
    wait_for(visit.page, lambda: units(visit)[0]["name"] == "small canny")
    other = control(visit, "Model of unit 1").locator("option", has_text="onerror").get_attribute("value")
    control(visit, "Model of unit 1").select_option(value=other)  # which reads no map by its name
    control(visit, "Preprocessor of unit 1").select_option("Tile")
    wait_for(visit.page, lambda: units(visit)[0]["preprocessor"] == "Tile")
    assert units(visit)[0]["id"] == other


def test_a_unit_with_a_picture_and_no_model_says_so_on_its_card_and_at_generate(visit: Visit, house: House, first: Locator) -> None:
    wait_for(visit.page, lambda: control(visit, "Model of unit 1").locator("option").count() == 1 + 4)
    drawn = len(house.runner.drawn)
    expect(first.locator(".unit-problem:visible")).to_have_count(0)
    put(visit, drawing())
    expect(first.locator(".unit-problem:visible")).to_contain_text("Choose the model")
    visit.page.locator("#controlnet-generate").click()
    told = visit.page.get_by_text("Control unit 1 has no model yet")
    expect(told.first).to_contain_text("Open “Unit 1” and choose one under “Model”")
    first.get_by_role("switch").click()
    expect(first.locator(".unit-problem:visible")).to_have_count(0)
    first.get_by_role("switch").click()
    control(visit, "Preprocessor of unit 1").select_option("Scribble")
    wait_for(visit.page, lambda: units(visit)[0]["name"] == "union of all")
    expect(first.locator(".unit-problem:visible")).to_have_count(0)
    assert len(house.runner.drawn) == drawn


def test_a_number_of_a_unit_that_cannot_be_read_comes_back_as_it_was(visit: Visit, first: Locator) -> None:
    number = first.locator("[data-field=weight] input[type=number]")
    number.fill("1.35")
    number.press("Tab")
    wait_for(visit.page, lambda: units(visit)[0]["weight"] == 1.35)
    for typed, held in (("", 1.35), ("1e", 1.35), ("-", 1.35), ("99", 2)):
        number.fill("")
        number.type(typed)
        number.press("Tab")
        expect(number).to_have_value(str(held))
        wait_for(visit.page, lambda held=held: units(visit)[0]["weight"] == held)


def test_markup_in_the_name_of_a_model_stays_text(visit: Visit, first: Locator) -> None:
    visit.page.evaluate("window.hurt = 0")
    called = re.sub("[<>:]", "_", HOSTILE.replace("/", ""))  # as a list of names can hold it
    wait_for(visit.page, lambda: control(visit, "Model of unit 1").locator("option").count() == 1 + 4)
    [label] = [label for label in control(visit, "Model of unit 1").locator("option").all_text_contents() if "onerror" in label]
    control(visit, "Model of unit 1").select_option(label=label)
    wait_for(visit.page, lambda: "onerror" in first.locator(".unit-sub").inner_text())
    assert visit.page.evaluate("window.hurt") == 0 and units(visit)[0]["name"] == called
