"""Width and height in the forms of a real browser: what another checkpoint, a picture or a hand makes of them."""

from __future__ import annotations

from collections.abc import Callable, Generator

import pytest
from playwright.sync_api import Locator

from tests.support.library_files import SD1, write_file
from tests.support.page_fixtures import House, Visit, browser, house, house_with, visit, wait_for
from tests.support.toys import wait_until
from tests.test_page_pictures import picture, put

pytestmark = pytest.mark.browser
__all__ = ["browser", "house", "open_house", "visit"]
open_house = house_with("img2img")


@pytest.fixture(scope="module", autouse=True)
def shelf(open_house: House) -> None:
    """Two models of 512 pixels beside the starter of 128."""
    assert open_house.studio
    for name in ("photo", "ink"):
        write_file(open_house.models / "checkpoints" / f"{name}.safetensors", SD1)
    open_house.studio.library.rescan()
    wait_until(lambda: open_house.studio and len(open_house.studio.checkpoints()) == 3, 30)


@pytest.fixture
def page(visit: Visit) -> Generator[Visit]:
    visit.page.wait_for_function("() => Object.keys(inside.page.lists.txt2img.starts).length === 3")
    yield visit


def box(visit: Visit, kind: str) -> Locator:
    return visit.page.locator(f"#{kind}-checkpoint input")


def option(visit: Visit, name: str) -> Locator:
    return visit.page.get_by_role("option", name=name)


def by_mouse(visit: Visit, name: str, kind: str = "txt2img") -> None:
    box(visit, kind).click()
    option(visit, name).click()


def by_finger(visit: Visit, name: str, kind: str = "txt2img") -> None:
    wire = visit.page.context.new_cdp_session(visit.page)
    for what in (box(visit, kind), option(visit, name)):
        what.wait_for()
        visit.page.wait_for_timeout(250)  # the list unfolds
        place = what.bounding_box()
        assert place
        point = {"x": place["x"] + place["width"] / 2, "y": place["y"] + place["height"] / 2}
        wire.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": [point]})
        wire.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    wire.detach()


def by_keys(visit: Visit, name: str, kind: str = "txt2img") -> None:
    box(visit, kind).focus()
    names = visit.page.get_by_role("option")
    names.first.wait_for()
    visit.page.keyboard.press("Home")
    for _ in range(names.all_text_contents().index(next(text for text in names.all_text_contents() if name in text))):
        visit.page.keyboard.press("ArrowDown")
    visit.page.keyboard.press("Enter")


def by_card(visit: Visit, name: str, kind: str = "txt2img") -> None:
    visit.page.locator(f"#{kind}-checkpoint .browse").click()
    visit.page.locator(".models-dialog .model-card").filter(has_text=name).click()


def by_hand(visit: Visit, side: int) -> None:
    for name in ("width", "height"):
        visit.set(name, str(side))


def numbers(visit: Visit, kind: str = "txt2img") -> list[str]:
    return [visit.page.locator(f"#{kind}-{side} input").input_value() for side in ("width", "height")]


def soon(visit: Visit, width: int, height: int, kind: str = "txt2img") -> None:
    wait_for(visit.page, lambda: numbers(visit, kind) == [str(width), str(height)], 10)
    visit.page.wait_for_timeout(150)  # nothing that comes later takes it back
    assert numbers(visit, kind) == [str(width), str(height)]


def test_a_checkpoint_brings_its_size_however_it_is_chosen(page: Visit) -> None:
    ways: tuple[Callable[..., None], ...] = (by_mouse, by_keys, by_finger, by_card)
    for choose in ways:
        choose(page, "photo")
        soon(page, 512, 512)
        choose(page, "Starter")
        soon(page, 128, 128)


def test_a_shape_from_the_buttons_goes_along_and_a_size_from_a_hand_stays(page: Visit) -> None:
    page.page.locator(".aspect-16-9").first.click()
    soon(page, 176, 96)
    page.page.locator("#txt2img-swap").click()
    soon(page, 96, 176)
    by_mouse(page, "photo")
    soon(page, 384, 704)
    page.set("width", "520")
    by_mouse(page, "Starter")
    soon(page, 520, 704)


def test_settings_keep_their_size_and_the_next_choice_starts_from_their_checkpoint(page: Visit, house: House) -> None:
    by_mouse(page, "photo")
    soon(page, 512, 512)
    page.generate("a ball")
    page.finished()
    by_mouse(page, "Starter")
    soon(page, 128, 128)
    page.part("settings").click()
    soon(page, 512, 512)
    by_hand(page, 128)  # what the starter would have
    box(page, "txt2img").click()  # opened, and left without a choice
    page.page.keyboard.press("Tab")
    soon(page, 128, 128)
    by_hand(page, 512)
    by_mouse(page, "Starter")
    soon(page, 128, 128)
    by_mouse(page, "photo")
    soon(page, 512, 512)
    page.page.get_by_role("button", name="Undo", exact=True).last.click()
    soon(page, 128, 128)


def test_the_size_that_suits_a_picture_suits_it_with_another_checkpoint_too(page: Visit) -> None:
    page.open_tab("Image to image")
    put(page, "img2img", picture(400, 160))  # the shape of no button
    soon(page, 208, 80, "img2img")
    by_mouse(page, "photo", "img2img")
    soon(page, 832, 320, "img2img")
