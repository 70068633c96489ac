"""The lineage of a picture on the page: walked by mouse and by keys, to the picture that it came from."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.support.page_fixtures import Visit, browser, house, house_with, visit

pytestmark = pytest.mark.browser
__all__ = ["browser", "house", "open_house", "visit"]
open_house = house_with()


def test_the_tree_is_walked_to_an_earlier_picture_which_is_shown_and_gone_on_from(visit: Visit) -> None:
    page = visit.page
    with visit.another_picture():
        visit.generate("a red house by day")
    first = visit.part("picture").get_attribute("src")
    page.locator(".inspector [data-part=all]").click()
    expect(page.locator(".notice, .toast, [role=status]").filter(has_text="filled anew").first).to_be_visible()
    with visit.another_picture():
        visit.generate("a blue house by day")
    expect(page.locator(".inspector [data-part=prompt]")).to_have_text("a blue house by day")
    page.locator(".inspector [data-part=lineage]").click()
    rows = page.locator(".lineage-row")
    expect(rows).to_have_count(2)
    expect(rows.nth(1)).to_be_focused()
    assert [rows.nth(place).get_attribute("aria-level") for place in (0, 1)] == ["1", "2"]
    words = rows.nth(1).locator(".lineage-words")
    assert [words.locator(each).all_text_contents() for each in ("del", "ins")] == [["red "], ["blue "]]
    page.keyboard.press("ArrowLeft")
    expect(rows.nth(0)).to_be_focused()
    page.keyboard.press("Enter")
    expect(visit.part("picture")).to_have_attribute("src", first or "")
    expect(page.locator(".inspector [data-part=prompt]")).to_have_text("a red house by day")
    page.locator(".inspector [data-part=lineage]").click()
    rows.nth(0).hover()
    rows.nth(0).get_by_role("button", name="Use settings").click()
    expect(visit.control("prompt")).to_have_value("a red house by day")
    assert visit.complaints == []
