"""The queue's page in a real browser on the toy studio: jobs are seen, led by mouse, keys and fingers, edited, and drawn in that order."""

from __future__ import annotations

import re
import threading
from collections.abc import Generator

import pytest
from playwright.sync_api import Browser, FloatRect, Locator, expect

from tests.support.page_fixtures import House, Visit, browser, house, house_with, one_page, still_well, visiting, wait_for

pytestmark = pytest.mark.browser
__all__ = ["browser", "house", "one_page", "open_house"]
open_house = house_with()


@pytest.fixture
def visit(house: House, one_page: Visit) -> Generator[Visit]:
    """The page of all tests here, each of which begins with an empty queue."""
    with still_well(one_page) as visit:
        yield visit


@pytest.fixture
def queue(visit: Visit, house: House) -> Generator[Visit]:
    """Four jobs: the first is drawn, and stands still; the others wait in the order in which they were asked for."""
    house.runner.gate = threading.Semaphore(0)
    fill(visit)
    yield visit
    house.runner.gate.release(100_000)
    wait_for(visit.page, lambda: house.studio and not house.studio.book.queue.listing().jobs)  # nothing is left for the next test


def fill(visit: Visit) -> None:
    open_queue(visit)
    for number, words in enumerate(("drawn", "apple", "boat", "cone"), 1):
        visit.generate(words)
        expect(jobs(visit)).to_have_count(number)
    expect(visit.page.locator(".queue-job[data-state=running]")).to_have_count(1)


def open_queue(visit: Visit) -> None:
    if not visit.page.locator("#panel").is_visible():
        visit.page.locator("[data-opens=panel]").click()
    visit.page.get_by_role("tab", name="Queue").click()


def jobs(visit: Visit) -> Locator:
    return visit.page.locator("#queue .queue-job")


def job(visit: Visit, words: str) -> Locator:
    return jobs(visit).filter(has_text=words)


def order(visit: Visit) -> list[str]:
    return visit.page.locator("#queue .queue-words").all_inner_texts()


def becomes(visit: Visit, *words: str) -> None:
    wait_for(visit.page, lambda: order(visit) == list(words))


def drawn(house: House, count: int, visit: Visit) -> list[str]:
    """The words of the last jobs that were drawn, in their order."""
    assert house.runner.gate
    house.runner.gate.release(100_000)
    expect(visit.page.locator("#queue [data-part=empty]")).to_be_visible()
    return [request.prompt for request in house.runner.drawn[-count:]]


def box(visit: Visit, words: str) -> FloatRect:
    """Where a job stands; the list may just be drawn anew."""
    found: list[FloatRect | None] = []
    wait_for(visit.page, lambda: found.append(job(visit, words).bounding_box()) or found[-1])
    assert found[-1]
    return found[-1]


def drag(visit: Visit, words: str, before: str) -> None:
    start, end = box(visit, words), box(visit, before)
    visit.page.mouse.move(start["x"] + 90, start["y"] + start["height"] / 2)
    visit.page.mouse.down()
    visit.page.mouse.move(end["x"] + 90, end["y"] + end["height"], steps=4)
    visit.page.mouse.move(end["x"] + 90, end["y"] + 4, steps=4)
    expect(visit.page.locator(".queue-line")).to_be_visible()
    visit.page.mouse.up()


def choose(visit: Visit, words: str, item: str) -> None:
    job(visit, words).hover()
    job(visit, words).get_by_role("button", name="What to do with it").click()
    visit.page.get_by_role("menuitem", name=item).click()


def test_a_job_that_is_dragged_up_is_drawn_earlier_also_after_a_reload(queue: Visit, house: House) -> None:
    becomes(queue, "drawn", "apple", "boat", "cone")
    drag(queue, "cone", before="apple")
    becomes(queue, "drawn", "cone", "apple", "boat")
    queue.reload()
    becomes(queue, "drawn", "cone", "apple", "boat")
    assert drawn(house, 4, queue) == ["drawn", "cone", "apple", "boat"]


def test_keys_move_a_job_and_cancel_it_and_undo_brings_it_back_to_its_place(queue: Visit, house: House) -> None:
    job(queue, "boat").focus()
    queue.page.keyboard.press("Alt+ArrowUp")
    becomes(queue, "drawn", "boat", "apple", "cone")
    expect(job(queue, "boat")).to_be_focused()
    queue.page.keyboard.press("ArrowDown")
    queue.page.keyboard.press("Delete")
    becomes(queue, "drawn", "boat", "cone")
    queue.page.locator(".page-note").get_by_role("button", name="Undo").click()
    becomes(queue, "drawn", "boat", "apple", "cone")
    assert drawn(house, 4, queue) == ["drawn", "boat", "apple", "cone"]


def test_a_waiting_job_is_edited_in_the_form_and_drawn_in_its_old_place(queue: Visit, house: House) -> None:
    choose(queue, "apple", "Edit in the form")
    expect(queue.control("prompt")).to_have_value("apple")
    expect(job(queue, "apple")).to_contain_text("in the form")
    expect(queue.page.locator("#txt2img-generate")).to_be_hidden()
    queue.control("prompt").fill("a pear")
    wait_for(queue.page, lambda: queue.page.evaluate("() => inside.page.forms.txt2img.prompt") == "a pear")
    queue.page.get_by_role("button", name="Put it back").click()
    becomes(queue, "drawn", "a pear", "boat", "cone")
    expect(queue.page.locator("#txt2img-generate")).to_be_visible()
    assert drawn(house, 4, queue) == ["drawn", "a pear", "boat", "cone"]


def test_a_job_for_idle_hours_comes_last_and_a_pause_holds_all_that_wait(queue: Visit, house: House) -> None:
    choose(queue, "apple", "Draw when idle")
    becomes(queue, "drawn", "boat", "cone", "apple")
    expect(queue.page.locator("[data-lane=idle]")).to_contain_text("apple")
    queue.page.locator("#queue [data-part=pause]").click()
    expect(queue.page.locator("#queue [data-part=note]")).to_have_text("Your jobs are paused.")
    assert house.runner.gate
    house.runner.gate.release(30)
    becomes(queue, "boat", "cone", "apple")
    queue.page.wait_for_timeout(300)
    assert house.runner.drawn[-1].prompt == "drawn"
    queue.page.locator("#queue [data-part=pause]").click()
    assert drawn(house, 3, queue) == ["boat", "cone", "apple"]


def test_a_press_in_another_window_is_seen_and_stopped_here(queue: Visit, house: House) -> None:
    second = queue.page.context.new_page()
    second.goto(house.url)
    second.wait_for_selector("#txt2img-prompt textarea")
    expect(second.locator("#stage [data-part=status]")).to_contain_text("3 more of yours in the queue")
    with second.expect_response(re.compile(r"/jobs/[^/]+/stop$")):  # only then is the next step the one at which it acts
        second.locator("#stage [data-part=stop]").click()
    assert house.runner.gate
    house.runner.gate.release(2)  # it acts within a step
    wait_for(queue.page, lambda: "drawn" not in order(queue))
    second.close()


def test_fingers_lead_the_queue_on_a_phone(house: House, browser: Browser) -> None:
    house.runner.gate = threading.Semaphore(0)
    with visiting(house, browser, viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True) as visit:
        for number, words in enumerate(("drawn", "apple", "boat"), 1):
            visit.control("prompt").fill(words)
            visit.page.locator("#txt2img-generate").tap()
            visit.page.wait_for_function("n => inside.page.told.queue?.jobs.filter((job) => job.mine).length === n", arg=number)
        visit.page.locator("#stage [data-part=status]").tap()
        becomes(visit, "drawn", "apple", "boat")
        job(visit, "boat").get_by_role("button", name="What to do with it").tap()
        visit.page.get_by_role("menuitem", name="Draw now").tap()
        becomes(visit, "drawn", "boat", "apple")
        assert visit.page.evaluate("document.documentElement.scrollWidth") <= 390
        assert drawn(house, 3, visit) == ["drawn", "boat", "apple"]
