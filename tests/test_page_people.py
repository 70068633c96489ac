"""People on the page: the owner makes a link, a phone comes in by it, draws, is let do less, and is out when the link is taken back."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator

import cv2
import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, expect

from tests.support.page_fixtures import House, Visit, browser, context, house, open_house, visit, wait_for

__all__ = ["browser", "house", "open_house", "visit"]
PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True, "device_scale_factor": 2}
AWAY = {"X-Forwarded-For": "203.0.113.9"}  # as a proxy adds it: who comes so does not sit at the machine


@pytest.fixture
def phone(house: House, browser: Browser) -> Iterator[Page]:
    window = context(browser, extra_http_headers=AWAY, **PHONE)
    page = window.new_page()
    page.set_default_timeout(30_000)
    yield page
    window.close()


def said_by_code(page: Page) -> str:
    """What a camera reads off the QR code, once it can be seen: the sheet may be on its way. OpenCV's older reader fails at one in 75."""
    said: list[str] = []

    def look() -> str:
        seen = Image.open(io.BytesIO(page.locator("#people [data-part=qr]").screenshot())).convert("L")
        said.append(cv2.QRCodeDetectorAruco().detectAndDecode(np.asarray(seen))[0])
        return said[-1]

    wait_for(page, look)
    return said[-1]


def made_link(page: Page) -> str:
    """The address of a link with bounds, made by mouse."""
    page.locator(".masthead [data-part=people]").click()
    page.locator("#people form summary").click()
    page.locator("#people [data-part=name]").fill("The phone")
    page.locator("#people [data-part=megapixels]").fill("0.02")
    page.locator("#people [data-part=make]").click()
    expect(page.locator("#people [data-part=made]")).to_be_visible()
    return page.locator("#people [data-part=address]").input_value()


def come_in(phone: Page, address: str) -> None:
    phone.goto(address)
    assert address.rpartition("/")[2] not in phone.url
    phone.get_by_label("What is your name?").fill("Ada")
    phone.get_by_role("button", name="Come in").tap()
    phone.wait_for_function("() => window.inside?.page.forms.txt2img")
    expect(phone.locator(".masthead [data-part=name]")).to_have_text("Ada")
    expect(phone.locator(".masthead [data-part=people]")).to_be_hidden()
    assert address.rpartition("/")[2] not in phone.evaluate("() => location.href + document.referrer + document.documentElement.outerHTML")


def draw(phone: Page) -> None:
    phone.locator("#txt2img-prompt textarea").first.fill("a red house")
    phone.locator("#txt2img-generate").tap()


def test_a_link_lets_a_phone_in_draw_within_its_bounds_only_look_and_out_again(house: House, visit: Visit, phone: Page) -> None:
    owner = visit.page
    owner.set_viewport_size({"width": 1440, "height": 900})
    address = made_link(owner)
    assert said_by_code(owner) == address
    come_in(phone, address)
    draw(phone)
    phone.wait_for_selector('[data-part=frame][data-showing="picture"]')
    draw(phone)
    expect(phone.get_by_text("0.02 megapixels an hour")).to_be_visible()
    row = owner.locator("#people .people-list li[data-person]")
    expect(row).to_contain_text("Ada")
    expect(row).to_contain_text("here")
    row.get_by_label("What Ada may").select_option("viewer")
    expect(phone.locator("#txt2img-generate")).to_be_hidden()
    expect(phone.get_by_role("tab", name="Library")).to_have_attribute("aria-selected", "true")
    expect(phone.get_by_role("tab", name="Inpaint", exact=True)).to_be_hidden()
    phone.locator(".masthead [data-part=you]").tap()
    expect(phone.locator("#people")).to_contain_text("By your link you may look")
    way = owner.locator("#people .people-list > li", has_text="The phone")
    way.get_by_role("button", name="Change").click()
    owner.locator("#people [data-part=name]").fill("The telephone")
    owner.get_by_role("button", name="Save").click()
    way = owner.locator("#people .people-list > li", has_text="The telephone")
    expect(way).to_contain_text("0.02 MP an hour")
    way.get_by_role("button", name="Close…").click()
    way.get_by_role("button", name="Thank and close").click()
    expect(way).to_contain_text("Thanked")
    phone.keyboard.press("Escape")
    expect(phone.locator(".masthead [data-part=engine]")).to_contain_text("Thank you for having been here!")
    way.get_by_role("button", name="Close…").click()
    way.get_by_role("button", name="Take back now").click()
    expect(way).to_contain_text("Taken back")
    expect(phone.locator(".masthead [data-part=engine]")).to_contain_text("was closed")
    phone.reload()
    expect(phone.locator("main")).to_contain_text("Ask its owner for one")
    phone.goto(address)
    expect(phone.locator("main")).to_contain_text("does not open the studio any more")
    owner.keyboard.press("Escape")
    expect(owner.locator("#people dialog")).to_be_hidden()
    assert re.search(r"/join/[\w-]{32}$", address)
