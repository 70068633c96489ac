"""An afternoon in the studio: a real browser on the toy studio, among 10,000 pictures; by mouse and keys, and by touch at 390 pixels."""

from __future__ import annotations

import io
import json
import threading
import time
from datetime import datetime, timedelta
from typing import Any

import pytest
from PIL import Image
from playwright.sync_api import Browser, FilePayload, Locator, expect

from pipelines import TextToImage
from pipelines.job_book.shelf import fill
from pipelines.requests.request import describe
from tests.support.foreign_files import SEED, WORDS, comfy_graph, png, told
from tests.support.page_fixtures import House, Visit, browser, house, house_with, visiting, wait_for
from tests.test_page_compare import RED, keep, plain, user_of
from tests.test_page_gallery import Library, press
from tests.test_page_inspector import changed, values
from tests.test_page_pictures import PAINTED, picture, put
from tests.test_page_queue import becomes, box, job
from tests.test_page_reading import card, read, tell

pytestmark = pytest.mark.browser
__all__ = ["browser", "house"]
open_house = house_with("img2img", "inpaint", "gallery")
MANY = 10_000
GRAPH = comfy_graph(sampler_name="dpmpp_3m_sde")
GRAPH["5"]["inputs"] |= {"width": 64, "height": 96}
FOREIGN = png({"prompt": told(GRAPH)}, (64, 96))
WANTED = TextToImage(prompt="a red house in the snow", seed=11, sampler="Heun", steps=30, width=64, height=64)
OTHER = TextToImage(prompt="a blue house in the snow", seed=12, sampler="Euler", steps=30, width=64, height=64)
PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
DESK = {"viewport": {"width": 1440, "height": 640}}  # so low that ten jobs are a list longer than what is seen of it
TABS = {"txt2img": ("Text to image", 6), "img2img": ("Image to image", 2), "inpaint": ("Inpaint", 2)}
FEW = {"txt2img": 4, "img2img": 1, "inpaint": 1}  # by touch: what is asked of the queue is the same
MINE = "() => (inside.page.told.queue?.jobs ?? []).filter((job) => job.mine).map((job) => job.words)"


class Afternoon:
    """A visitor, with a mouse or with a finger."""

    def __init__(self, visit: Visit, house: House) -> None:
        self.visit, self.page, self.house = visit, visit.page, house
        self.touch = bool(visit.page.evaluate("matchMedia('(pointer: coarse)').matches"))
        self.library = Library(visit)
        self.counts = FEW if self.touch else {kind: count for kind, (_, count) in TABS.items()}
        self.pictures = f"{MANY + sum(self.counts.values()) + 2:,} pictures"  # once all are drawn

    def press(self, target: Locator) -> None:
        (target.tap if self.touch else target.click)()

    def button(self, name: str) -> Locator:
        return self.page.get_by_role("button", name=name)

    def tab(self, name: str) -> None:
        self.press(self.page.get_by_role("tab", name=name, exact=True))
        self.page.wait_for_timeout(200)  # Gradio fills what is shown anew

    def queued(self) -> list[str]:
        return self.page.evaluate(MINE)

    def queues(self, words: str) -> bool:
        """Whether a job of these words comes into the queue soon."""
        end = time.monotonic() + 6
        while words not in self.queued() and time.monotonic() < end:
            self.page.wait_for_timeout(20)
        return words in self.queued()

    def generate(self, kind: str, words: str) -> None:
        self.page.locator(f"#{kind}-prompt textarea").fill(words)
        self.press(self.page.locator(f"#{kind}-generate"))
        if not self.queues(words):  # a press that comes before the answer to the last one is none
            self.press(self.page.locator(f"#{kind}-generate"))
        wait_for(self.page, lambda: words in self.queued())

    def open_panel(self, name: str) -> None:
        if not self.page.locator("#panel").is_visible():
            self.press(self.page.locator("[data-opens=panel]"))
        self.press(self.page.locator("#panel").get_by_role("tab", name=name))

    def choose(self, words: str, item: str) -> None:
        """What is to be done with a job of the queue, by its menu."""
        self.press(job(self.visit, words).get_by_role("button", name="What to do with it"))
        self.press(self.page.get_by_role("menuitem", name=item))

    def select(self, picture: str) -> None:
        """A picture of the library, by a click, or by a finger that rests on it."""
        tile = self.library.tile(picture)
        if not self.touch:
            tile.click()
        elif tile.get_attribute("aria-selected") != "true":
            press(self.visit, tile)

    def undo(self) -> None:
        self.press(self.page.locator(".page-note").get_by_role("button", name="Undo"))


@pytest.mark.parametrize("hand", [DESK, PHONE], ids=["mouse", "touch"])
def test_an_afternoon(house: House, browser: Browser, hand: dict[str, Any]) -> None:
    house.runner.gate = threading.Semaphore(0)
    with visiting(house, browser, **hand) as visit:
        afternoon = Afternoon(visit, house)
        wanted, other = remembered(afternoon)
        many_are_queued_led_and_drawn(afternoon)
        yesterdays_house_is_found_and_compared(afternoon, wanted, other)
        its_sampler_alone_is_taken_over(afternoon, wanted)
        it_is_rated_put_on_a_board_deleted_and_brought_back(afternoon, wanted)
        a_foreign_picture_is_read_and_drawn_from(afternoon)
        assert visit.complaints == []


def remembered(afternoon: Afternoon) -> tuple[str, str]:
    """Ten thousand pictures of earlier days, of which two of yesterday are looked for. The ids of these."""
    visit, house = afternoon.visit, afternoon.house
    assert house.studio
    user, yesterday = user_of(visit), (datetime.now() - timedelta(days=1)).replace(hour=12).timestamp()
    ids = [keep(house, user, plain(colour, 64), request) for colour, request in ((RED, WANTED), ((20, 60, 210), OTHER))]
    columns = "id, job, user, path, width, height, seed, created, request"
    requests = {prompt: describe(TextToImage(prompt=prompt)) for prompt in ("a red house", "a green tree")}
    with house.studio.book.file.transaction() as db:
        for each in ids:
            db.execute("update picture set created = ? where id = ?", (yesterday, each))
        db.execute("delete from picture where user != ?", (user,))  # of the other hand: they would be filled in again as well
        db.execute("delete from shelf")
        db.execute("delete from words")
        for number in range(MANY):
            long_ago = yesterday - 86_400 * (1 + number // 50)
            text = json.dumps({**requests["a red house" if number % 3 == 0 else "a green tree"], "seed": number})
            values = (f"{user}-{number}", f"j{number}", user, f"none/{user}-{number}.png", 64, 64, number, long_ago, text)
            db.execute(f"insert into picture ({columns}) values (?, ?, ?, ?, ?, ?, ?, ?, ?)", values)
        fill(db)
    house.studio.book.shelf_changed()
    missing = f"**/{user}-*"
    visit.context.route(missing, lambda route: route.fulfill(body=small(), content_type="image/png"))
    return ids[0], ids[1]


def small() -> bytes:
    stream = io.BytesIO()
    Image.new("RGB", (8, 8), RED).save(stream, "PNG")
    return stream.getvalue()


def many_are_queued_led_and_drawn(afternoon: Afternoon) -> None:
    visit, page, runner = afternoon.visit, afternoon.page, afternoon.house.runner
    for kind, (title, _) in TABS.items():
        afternoon.tab(title)
        if kind != "txt2img":
            put(visit, kind, picture(64, 64, "teal" if kind == "img2img" else "olive"))
        if kind == "inpaint":
            afternoon.press(page.locator("#inpaint-image [data-part=canvas]"))
            page.wait_for_function(f"kind => ({PAINTED})(kind) !== null", arg=kind)
        for number in range(afternoon.counts[kind]):
            afternoon.generate(kind, f"{kind} {number}")
    whole = [f"{kind} {number}" for kind, count in afternoon.counts.items() for number in range(count)]
    afternoon.open_panel("Queue")
    becomes(visit, *whole)
    if afternoon.touch:
        afternoon.choose(whole[-1], "Draw now")
    else:
        drag_up(visit, whole[-1], before="txt2img 1")
    led = [whole[0], whole[-1], *whole[1:-1]]
    becomes(visit, *led)
    afternoon.choose("txt2img 3", "Edit in the form")
    expect(visit.control("prompt")).to_have_value("txt2img 3")
    visit.control("prompt").fill("a pear")
    wait_for(page, lambda: values(visit)["prompt"] == "a pear")
    afternoon.press(afternoon.button("Put it back"))
    led[led.index("txt2img 3")] = "a pear"
    wait_for(page, lambda: afternoon.queued() == led)
    assert runner.gate
    runner.gate.release(30)  # one is drawn, and half of the next
    wait_for(page, lambda: afternoon.queued() == led[1:])
    visit.reload()
    wait_for(page, lambda: afternoon.queued() == led[1:])
    runner.gate.release(100_000)
    wait_for(page, lambda: afternoon.queued() == [])
    assert [request.prompt for request in runner.drawn[-len(led) :]] == led


def drag_up(visit: Visit, words: str, before: str) -> None:
    """By mouse, from below what is seen of a long list: held at its upper edge, the list goes on until the other is in sight."""
    mouse, row, room = visit.page.mouse, job(visit, words), visit.page.locator(".panel-page:visible")
    row.evaluate("row => row.scrollIntoView({ block: 'nearest' })")  # the list may be drawn anew meanwhile
    assert room.evaluate("room => room.scrollTop") > 0, "the list is no longer than what is seen of it"
    start, seen = box(visit, words), room.bounding_box()
    assert seen
    mouse.move(start["x"] + 90, start["y"] + start["height"] / 2)
    mouse.down()
    mouse.move(start["x"] + 90, seen["y"] + 8, steps=6)
    expect(job(visit, before)).to_be_in_viewport(ratio=1)
    wait_for(visit.page, lambda: room.evaluate("room => room.scrollTop") == 0)
    end = box(visit, before)
    mouse.move(start["x"] + 90, end["y"] + 4, steps=4)
    mouse.up()


def yesterdays_house_is_found_and_compared(afternoon: Afternoon, wanted: str, other: str) -> None:
    page, library = afternoon.page, afternoon.library
    afternoon.tab("Library")
    expect(library.part("count")).to_have_text(afternoon.pictures)
    library.words.fill("red house")
    library.words.press("Enter")
    expect(library.part("count")).not_to_have_text(afternoon.pictures)
    afternoon.press(library.part("filters"))
    page.locator("[data-filter=date]").select_option("yesterday")
    library.shows(1)
    expect(library.tile(wanted)).to_be_visible()
    if afternoon.touch:
        afternoon.press(library.part("filters"))
    afternoon.press(library.chips.first)
    library.shows(2)
    afternoon.select(wanted)
    library.tile(other).tap() if afternoon.touch else library.tile(other).click(modifiers=["Control"])
    afternoon.press(library.act("compare"))
    rows = page.locator("#compare [data-part=table] tbody th")
    expect(rows).to_have_text(["Prompt", "Seed", "Sampler"])
    afternoon.press(page.locator("#compare").get_by_role("button", name="Close"))


def its_sampler_alone_is_taken_over(afternoon: Afternoon, wanted: str) -> None:
    visit, page, library = afternoon.visit, afternoon.page, afternoon.library
    afternoon.press(library.act("clear"))
    expect(library.part("bar")).to_be_hidden()
    expect(library.tile(wanted)).to_have_attribute("aria-selected", "false")
    before = values(visit)
    afternoon.select(wanted)
    expect(library.part("bar")).to_be_visible()
    afternoon.press(library.act("surface"))
    afternoon.open_panel("Inspector")
    fact = page.locator('#inspector .inspector-fact[data-fields~="sampler"]')
    if not afternoon.touch:
        fact.hover()
    afternoon.press(fact.get_by_role("button", name="Take over"))
    wait_for(page, lambda: values(visit)["sampler"] == "Heun")
    page.wait_for_timeout(300)
    assert changed(before, values(visit)) == {"sampler"}


def it_is_rated_put_on_a_board_deleted_and_brought_back(afternoon: Afternoon, wanted: str) -> None:
    page, library = afternoon.page, afternoon.library
    afternoon.tab("Library")
    afternoon.select(wanted)
    page.locator(".gallery-bar .star").nth(4).tap() if afternoon.touch else page.keyboard.press("5")
    expect(library.tile(wanted).locator(".tile-stars")).to_have_text("★★★★★")
    afternoon.press(library.act("boards"))
    page.get_by_role("textbox", name="Name of a new board").fill("Winter")
    page.keyboard.press("Enter")
    wait_for(page, lambda: bool(library.marks(wanted)["boards"]))
    afternoon.press(library.act("delete"))
    expect(library.tile(wanted)).to_have_count(0)
    afternoon.undo()
    expect(library.tile(wanted)).to_be_visible()
    marks = library.marks(wanted)
    assert marks["rating"] == 5 and len(marks["boards"]) == 1  # pyright: ignore[reportArgumentType]  # a list


def a_foreign_picture_is_read_and_drawn_from(afternoon: Afternoon) -> None:
    visit, page = afternoon.visit, afternoon.page
    afternoon.tab("Text to image")
    if afternoon.touch:
        afternoon.press(page.locator("#header [data-part=reading]"))
        file = FilePayload(name="lighthouse.png", mimeType="image/png", buffer=FOREIGN)
        read(visit, lambda: page.locator("#reading [data-part=file]").set_input_files([file]))
    else:
        read(visit, lambda: tell(visit, "drop", FOREIGN))
    afternoon.press(card(visit).get_by_role("button", name="Take over all", exact=True))
    wait_for(page, lambda: values(visit)["seed"] == str(SEED))
    afternoon.press(page.locator("#txt2img-generate"))
    wait_for(page, lambda: afternoon.house.runner.drawn[-1].prompt == WORDS)
    assert visit.finished()
