"""Comments on the page: who came by a link to a board says something of a spot, the owner sees it arrive, answers, and settles it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from pipelines import TextToImage
from tests.support.page_fixtures import House, Visit, browser, context, house, house_with, visit, wait_for
from tests.test_page_compare import RED, keep, plain, user_of
from tests.test_page_people import AWAY

pytestmark = pytest.mark.browser
__all__ = ["browser", "house", "open_house", "visit"]
open_house = house_with("gallery")
SAID = "<b>too dark</b>"
LOOK = "() => inside.dom.emit('look')"  # as after the seconds that a page waits between two looks
# Puts a picture on a new board, as the library does.
SHARE = """async (id) => {
  const send = (to, body) => fetch(to, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });
  const board = (await (await send("library/boards", { name: "Shared" })).json()).id;
  await send(`library/boards/${board}/add`, { ids: [id] });
}"""


@pytest.fixture
def friend(house: House, browser: Browser) -> Iterator[Page]:
    window = context(browser, extra_http_headers=AWAY, viewport={"width": 1440, "height": 900})
    page = window.new_page()
    page.set_default_timeout(30_000)
    yield page
    window.close()


def part(page: Page, name: str) -> Locator:
    return page.locator(f"#inspector .comments [data-part={name}]")


def link_to_comment(owner: Page) -> str:
    owner.locator(".masthead [data-part=people]").click()
    owner.locator("#people [data-part=board]").select_option(label="Board “Shared”")
    owner.locator("#people [data-part=role]").select_option(label="look and comment")
    owner.locator("#people [data-part=make]").click()
    expect(owner.locator("#people [data-part=made]")).to_be_visible()
    address = owner.locator("#people [data-part=address]").input_value()
    owner.keyboard.press("Escape")
    return address


def come_in(friend: Page, address: str) -> None:
    friend.goto(address)
    friend.get_by_label("What is your name?").fill("Ada")
    friend.get_by_role("button", name="Come in").click()
    friend.wait_for_function("() => window.inside?.page.forms.txt2img && window.inside.page.told.engine?.you")
    friend.get_by_role("tab", name="Library", exact=True).click()


def say_of_a_spot(friend: Page, picture: str) -> None:
    """A quarter from the left and three quarters from the top of the picture, by mouse."""
    friend.locator(f".tile:visible[data-picture='{picture}']").click()
    friend.locator(f"#inspector [data-picture='{picture}']").wait_for()
    expect(part(friend, "hint")).to_contain_text("Nobody has said anything")
    part(friend, "text").fill(SAID)
    part(friend, "spot").click()
    expect(part(friend, "hint")).to_contain_text("Press the picture")
    layer = part(friend, "map").locator(".spots")
    wait_for(friend, lambda: bool((box := layer.bounding_box()) and box["width"] > 20))  # over a picture that has come
    box = layer.bounding_box()
    assert box
    layer.click(position={"x": box["width"] / 4, "y": box["height"] * 3 / 4})
    part(friend, "say").get_by_role("button", name="Send").click()
    expect(part(friend, "threads")).to_contain_text(SAID)
    expect(part(friend, "text")).to_have_value("")


def place_of(dot: Locator, picture: Locator) -> tuple[float, float]:
    """Where the middle of a dot lies, as shares of a square picture that fits its box in height."""
    at, box = dot.bounding_box(), picture.bounding_box()
    assert at and box
    side = min(box["width"], box["height"])
    left, top = box["x"] + (box["width"] - side) / 2, box["y"] + (box["height"] - side) / 2
    return (at["x"] + at["width"] / 2 - left) / side, (at["y"] + at["height"] / 2 - top) / side


def test_a_guest_comments_on_a_spot_and_the_owner_sees_it_answers_and_settles_it(house: House, visit: Visit, friend: Page) -> None:
    owner = visit.page
    owner.set_viewport_size({"width": 1440, "height": 900})
    picture = keep(house, user_of(visit), plain(RED, 64), TextToImage(prompt="a red house", width=64, height=64))
    visit.reload()
    owner.locator(f"#inspector [data-picture='{picture}']").wait_for()
    owner.evaluate(SHARE, picture)
    come_in(friend, link_to_comment(owner))
    say_of_a_spot(friend, picture)

    dot = owner.locator("#stage .spots .spot")
    expect(dot).to_have_text("1")  # without a reload
    wait_for(owner, lambda: place_of(dot, owner.locator("#stage [data-part=picture]")) == pytest.approx((0.25, 0.75), abs=0.02))
    expect(part(owner, "count")).to_have_text("1")
    dot.click()
    thread = part(owner, "threads").locator("li")
    expect(thread).to_be_focused()
    expect(thread.locator(".comment-text")).to_have_text(SAID)
    thread.get_by_role("button", name="Answer").click()
    owner.get_by_label("Your answer").fill("It is night.")
    owner.get_by_label("Your answer").press("Control+Enter")
    expect(thread.locator(".comment-text").last).to_have_text("It is night.")
    friend.evaluate(LOOK)
    expect(part(friend, "threads")).to_contain_text("It is night.")
    expect(part(friend, "threads").get_by_role("button", name="Remove")).to_have_count(1)
    thread.get_by_role("button", name="Settle").click()
    expect(part(owner, "threads").locator("summary")).to_have_text("Settled by the owner · 2 comments")
    expect(dot).to_have_count(0)
    friend.evaluate(LOOK)
    expect(part(friend, "threads").locator("summary")).to_have_text("Settled by the owner · 2 comments")
    assert visit.complaints == []
