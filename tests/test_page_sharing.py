"""A day's sharing from a fresh start: an owner and a phone on one board over HTTPS, from the QR code to the link that is taken back."""

from __future__ import annotations

import re
import threading
from collections.abc import Generator, Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.support.page_fixtures import LAN, House, Visit, browser, context, free_port, house, opened, visit
from tests.test_page_comments import LOOK, SAID
from tests.test_page_comments import part as comments
from tests.test_page_people import PHONE, come_in, said_by_code
from tests.test_page_together import generate, part, tile

pytestmark = pytest.mark.browser
__all__ = ["browser", "house", "visit"]
MEGAPIXELS = "0.04"  # an hour: two pictures of 128 x 128


@pytest.fixture(scope="module")
def open_house(tmp_path_factory: pytest.TempPathFactory) -> Generator[House]:
    with opened(House(tmp_path_factory.mktemp("house"), free_port(), tabs=("txt2img", "gallery"), encrypted=True)) as house:
        yield house


@pytest.fixture
def phone(browser: Browser) -> Iterator[Page]:
    window = context(browser, ignore_https_errors=True, **PHONE)
    page = window.new_page()
    page.set_default_timeout(30_000)
    yield page
    window.close()


def shared_board(owner: Page) -> str:
    """A board is made, shared, drawn onto, and a link to it with bounds is shown as a QR code, whose address is returned."""
    owner.get_by_role("tab", name="Library", exact=True).click()
    owner.get_by_role("button", name="New board").click()
    owner.get_by_label("Name of the board").fill("Sea")
    owner.keyboard.press("Enter")
    owner.locator(".gallery-board .gallery-place").click()
    part(owner, "share").click()
    part(owner, "desk").click()
    part(owner, "invite").click()
    expect(owner.locator("#people [data-part=board] option:checked")).to_have_text("Board “Sea”")
    owner.locator("#people form summary").click()
    owner.locator("#people [data-part=megapixels]").fill(MEGAPIXELS)
    owner.locator("#people [data-part=make]").click()
    expect(owner.locator("#people [data-part=made]")).to_be_visible()
    address = said_by_code(owner)
    owner.keyboard.press("Escape")
    return address


# The newest stands first on the screen, whichever comes first in the page.
OLDEST = """() => [...document.querySelectorAll("#gallery .tile[data-picture]")].filter((tile) => tile.checkVisibility())
  .map((tile) => ({ id: tile.dataset.picture, ...tile.getBoundingClientRect().toJSON() }))
  .sort((one, other) => one.top - other.top || one.left - other.left).at(-1).id"""


def to_the_board(page: Page) -> None:
    page.get_by_role("tab", name="Library", exact=True).tap()
    page.locator(".gallery-board .gallery-place").tap()


def watched(drawing: Page, watching: Page, gate: threading.Semaphore, who: str, tap: bool = False) -> None:
    """One draws, the other sees it form and come."""
    before = watching.locator("#gallery .tile:visible").count()
    generate(drawing, f"a house by {who}", tap)
    gate.release(2)
    expect(tile(watching)).to_contain_text(re.compile(rf"{who}.*step 2 of \d+", re.IGNORECASE | re.DOTALL))
    expect(tile(watching).locator("img")).to_have_attribute("src", re.compile("^data:image/"))
    gate.release(100)
    expect(watching.locator("#gallery .tile:visible")).to_have_count(before + 1)
    drawing.locator("#stage [data-part=frame][data-showing=picture]").wait_for()  # else the inspector turns to it later
    while gate.acquire(blocking=False):  # the next one waits for its steps again
        pass


def test_a_board_is_shared_by_qr_code_with_a_phone_over_https_until_the_link_is_taken_back(
    house: House, visit: Visit, phone: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ui.door.reach.elsewhere", lambda *asked: [f"https://{LAN}:{house.port}"])  # whatever networks there are
    owner = visit.page
    owner.set_viewport_size({"width": 1440, "height": 900})
    gate = house.runner.gate = threading.Semaphore(0)
    address = shared_board(owner)
    assert address.startswith(f"https://{LAN}:{house.port}/join/")
    come_in(phone, address)
    expect(phone.locator(".masthead [data-part=board]")).to_have_attribute("title", re.compile("comes onto “Sea”"))
    assert phone.url.startswith("https://") and phone.evaluate("isSecureContext")

    to_the_board(phone)
    watched(owner, phone, gate, "owner")
    owner.get_by_role("tab", name="Library", exact=True).click()
    watched(phone, owner, gate, "Ada", tap=True)

    to_the_board(phone)
    expect(phone.locator("#gallery .tile:visible")).to_have_count(2)
    picture = phone.evaluate(OLDEST)
    phone.locator(f"#gallery .tile:visible[data-picture='{picture}']").tap()
    part(phone, "close").tap()
    phone.locator(".masthead [data-part=panel]").tap()
    phone.locator(f"#inspector [data-picture='{picture}'], #inspector[data-picture='{picture}']").first.wait_for()
    comments(phone, "text").fill(SAID)
    comments(phone, "spot").tap()
    comments(phone, "map").locator(".spots").tap()
    comments(phone, "say").get_by_role("button", name="Send").tap()
    expect(comments(phone, "threads")).to_contain_text(SAID)
    owner.locator(f"#gallery .tile[data-picture='{picture}']").click()
    owner.evaluate(LOOK)
    expect(comments(owner, "threads")).to_contain_text(SAID)

    phone.locator("#inspector").get_by_role("button", name="Use these settings").tap()
    expect(phone.locator("#txt2img-prompt textarea").first).to_have_value("a house by owner")
    phone.locator("#txt2img-generate").tap()
    expect(tile(owner)).to_contain_text("Ada")
    owner.locator(".masthead [data-part=people]").click()
    row = owner.locator("#people .people-list li[data-person]")
    row.get_by_label("What Ada may").select_option("viewer")
    gate.release(100)
    expect(phone.locator("#txt2img-generate")).to_be_hidden()
    owner.keyboard.press("Escape")
    expect(owner.locator("#gallery .tile:visible")).to_have_count(3)
    refused = phone.evaluate(
        """async () => {
          const [headers, body] = [{ "Content-Type": "application/json" }, JSON.stringify({ prompt: "again" })];
          const answer = await fetch("gradio_api/call/v2/txt2img", { method: "POST", headers, body });
          return [answer.status, await answer.text()];
        }"""
    )
    assert refused[0] == 403 and "draw" in refused[1], refused

    owner.locator(".masthead [data-part=people]").click()
    way = owner.locator("#people .people-list > li", has_text="Sea")
    way.get_by_role("button", name="Close…").click()
    way.get_by_role("button", name="Take back now").click()
    expect(phone.locator(".masthead [data-part=engine]")).to_contain_text("was closed")
    phone.reload()
    expect(phone.locator("main")).to_contain_text("Ask its owner for one")
