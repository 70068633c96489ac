"""A shared board in two browsers: by mouse and by touch, both see who is here, what the other draws, and it come."""

from __future__ import annotations

import re
import threading

import pytest
from playwright.sync_api import Locator, Page, expect

from pipelines.gallery.person import Person
from pipelines.services.seats import Guest
from tests.support.page_fixtures import House, Visit, at_rest, browser, house, house_with, visit
from tests.test_page_people import come_in, phone

pytestmark = pytest.mark.browser
__all__ = ["browser", "house", "open_house", "phone", "visit"]
open_house = house_with("gallery")


def part(page: Page, name: str) -> Locator:
    return page.locator(f"#gallery [data-part={name}]")


def tile(page: Page) -> Locator:
    return part(page, "drawing").locator("li")


def share_a_board(owner: Page) -> str:
    """By mouse: a board is made, shared and drawn onto. Returns the address of a link to it."""
    owner.get_by_role("tab", name="Library", exact=True).click()
    owner.get_by_role("button", name="New board").click()
    owner.get_by_label("Name of the board").fill("Sea")
    owner.keyboard.press("Enter")
    owner.locator(".gallery-board .gallery-place").click()
    expect(part(owner, "together-words")).to_have_text("Only you see this board")
    expect(part(owner, "invite")).to_be_hidden()
    part(owner, "share").click()
    expect(part(owner, "here")).to_contain_text("Nobody else is here")
    part(owner, "desk").click()
    expect(part(owner, "desk")).to_have_attribute("aria-pressed", "true")
    expect(owner.locator(".masthead [data-part=board-name]")).to_have_text("Sea")
    part(owner, "invite").click()
    expect(owner.locator("#people [data-part=board] option:checked")).to_have_text("Board “Sea”")
    owner.locator("#people [data-part=make]").click()
    expect(owner.locator("#people [data-part=made]")).to_be_visible()
    address = owner.locator("#people [data-part=address]").input_value()
    owner.keyboard.press("Escape")
    return address


def generate(page: Page, prompt: str, tap: bool = False) -> None:
    opens = page.get_by_role("tab", name="Text to image", exact=True)
    opens.tap() if tap else opens.click()
    page.locator("#txt2img-prompt textarea").first.fill(prompt)
    button = page.locator("#txt2img-generate")
    button.tap() if tap else button.click()


def fork(owner: Page, phone: Page) -> None:
    """The owner draws with the settings of Ada's picture, which Ada then keeps to herself."""
    first = owner.locator("#gallery .tile:visible").first.get_attribute("data-picture")
    assert first
    owner.locator(f"#gallery .tile[data-picture='{first}']").click()
    room = owner.locator("#inspector")
    expect(room.locator("[data-part=kin]")).to_have_text("Drawn by Ada.")
    expect(part(owner, "bar").get_by_role("button", name="Favourite")).to_be_hidden()
    room.get_by_role("button", name="Use these settings").click()
    expect(owner.locator("#txt2img-prompt textarea").first).to_have_value("a red house")
    owner.locator("#txt2img-generate").click()
    expect(phone.locator("#gallery .tile:visible")).to_have_count(2)
    forked = phone.locator(f"#gallery .tile:visible:not([data-picture='{first}'])")
    forked.tap()
    part(phone, "close").tap()
    phone.locator(".masthead [data-part=panel]").tap()
    room = phone.locator("#inspector")
    expect(room.locator("[data-part=kin]")).to_have_text("Drawn by the owner. Begun with the settings of your picture")
    room.get_by_role("button", name="your picture").tap()
    expect(room.locator("[data-part=kin]")).to_have_text("Forked once.")
    room.get_by_role("button", name="Hide settings").tap()
    expect(room.get_by_role("button", name="Settings are hidden")).to_be_visible()
    phone.get_by_role("button", name="Close the panel").tap()
    owner.get_by_role("tab", name="Library", exact=True).click()
    owner.locator(f"#gallery .tile[data-picture='{first}']").click()
    owner.locator(f"#gallery .tile:visible:not([data-picture='{first}'])").click()
    expect(owner.locator("#inspector [data-part=kin]")).to_contain_text("Begun with the settings of")
    owner.locator(f"#gallery .tile[data-picture='{first}']").click()
    expect(owner.locator("#inspector [data-part=note]")).to_have_text("Who made this picture keeps to themselves how.")
    expect(owner.locator("#inspector [data-part=prompt]")).not_to_contain_text("red")
    expect(owner.get_by_role("button", name="Use these settings")).to_be_hidden()


def follow(owner: Page, phone: Page) -> None:
    """The owner sees what Ada opens, until they open something themselves; then Ada does not want to be followed."""
    ada = part(owner, "here").get_by_role("button", name="Ada")
    ada.click()
    expect(ada).to_have_attribute("aria-pressed", "true")
    expect(part(phone, "here")).to_contain_text("1 follows you")
    seen = owner.locator("#inspector [data-part=room]")
    for tile_of in (phone.locator("#gallery .tile:visible").nth(place) for place in (0, 1)):
        picture = tile_of.get_attribute("data-picture") or ""
        tile_of.tap()
        expect(seen).to_have_attribute("data-picture", picture)
        expect(owner.locator(f"#gallery .tile[data-picture='{picture}']")).to_have_attribute("aria-selected", "true")
        part(phone, "close").tap()
    expect(ada).to_have_attribute("aria-pressed", "true")
    owner.locator("#gallery .tile:visible[aria-selected=false]").first.click()
    expect(ada).to_have_attribute("aria-pressed", "false")
    expect(part(phone, "here")).not_to_contain_text("follows you")
    phone.get_by_label("Let others follow me").tap()
    expect(ada).to_be_disabled()


def test_two_people_see_each_other_draw_on_a_shared_board(house: House, visit: Visit, phone: Page) -> None:
    owner = visit.page
    owner.set_viewport_size({"width": 1440, "height": 900})
    gate = house.runner.gate = threading.Semaphore(0)
    address = share_a_board(owner)
    come_in(phone, address)
    expect(phone.locator(".masthead [data-part=board]")).to_have_attribute("title", re.compile("comes onto “Sea”, where others see it"))
    phone.get_by_role("tab", name="Library", exact=True).tap()
    phone.locator(".gallery-board .gallery-place").tap()
    expect(part(phone, "together-words")).to_have_text("Shared by the owner")
    expect(part(phone, "here")).to_contain_text("The owner")
    expect(part(owner, "here").locator("li").first).to_have_text("AAdadraws")
    expect(owner.locator(".masthead [data-part=board-here]")).to_have_text("2")

    generate(phone, "a red house", tap=True)
    gate.release(2)
    expect(tile(owner)).to_contain_text("Ada")
    expect(tile(owner)).to_contain_text(re.compile(r"step 2 of \d+"))
    expect(tile(owner).locator("img")).to_have_attribute("src", re.compile("^data:image/"))
    gate.release(1000)
    expect(owner.locator("#gallery .tile:visible")).to_have_count(1)
    expect(tile(owner)).to_have_count(0)
    phone.get_by_role("tab", name="Library", exact=True).tap()
    expect(phone.locator("#gallery .tile:visible")).to_have_count(1)

    house.runner.gate = None
    fork(owner, phone)
    follow(owner, phone)

    gate = house.runner.gate = threading.Semaphore(0)
    part(owner, "desk").click()
    expect(part(owner, "desk")).to_have_attribute("aria-pressed", "false")
    generate(owner, "a private house")
    gate.release(1)
    expect(tile(phone)).to_have_text("Somebody’s picturenot for this board")
    gate.release(1000)
    expect(tile(phone)).to_have_count(0)
    visit.open_tab("Library")
    part(owner, "share").click()
    expect(part(phone, "together")).to_be_hidden()
    expect(phone.locator(".gallery-board")).to_have_count(0)


def test_of_many_at_a_board_as_many_are_named_as_fit_and_a_press_names_all(house: House, visit: Visit) -> None:
    page = visit.page
    page.set_viewport_size({"width": 1440, "height": 900})
    share_a_board(page)
    assert house.studio
    *_, room = house.studio.together._rooms.values()  # pyright: ignore[reportPrivateUsage]  # people without a browser each
    names = [f"{name} {place}" for place in ("Sea", "Land") for name in ("Ada", "Benjamin", "Cora", "Dee", "Eli", "Fay")]
    for name in names:
        room.seats.sit(Guest(Person(name), name, "commenter"), "page")
    shown, more = part(page, "here").locator("[data-seat]:visible"), part(page, "here").locator(".together-more")
    for width, rows in ((1440, 1), (390, 2)):
        page.set_viewport_size({"width": width, "height": 844})
        part(page, "here").scroll_into_view_if_needed()
        expect(more).to_have_text(re.compile(r"^\+\d+$"))
        at_rest(page)
        assert shown.count() + int(more.inner_text()) == len(names) and shown.count() > 1
        assert part(page, "here").evaluate("row => row.scrollWidth <= row.clientWidth")
        assert len(set(part(page, "here").locator("li:visible").evaluate_all("all => all.map((each) => each.offsetTop)"))) <= rows
        expect(part(page, "here").locator("[data-you]")).to_be_visible()
        more.click()
        expect(shown).to_have_count(len(names))
        expect(page.get_by_label("Let others follow me")).to_be_visible()
        more.click()
    last = names[-1]
    more.click()
    part(page, "here").get_by_role("button", name=last).click()
    expect(part(page, "here").get_by_role("button", name=last)).to_have_attribute("aria-pressed", "true")
    more.click()
    expect(part(page, "here").get_by_role("button", name=last)).to_be_visible()
