"""Compare in a real browser: what is seen of known pictures, by mouse, keys and fingers, and the parameters in which they differ."""

from __future__ import annotations

import hashlib
import io
import re
import time
from collections.abc import Generator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Route, expect

from pipelines import Clip, Request, TextToImage
from tests.support.page_fixtures import House, Visit, browser, house, house_with, one_page, still_well, wait_for

pytestmark = pytest.mark.browser
__all__ = ["browser", "house", "one_page", "open_house"]
open_house = house_with()
SIDE = 64
MADE_WITH = {"Model": "Toy", "Model hash": "0123456789", "Device": "toy"}


@dataclass
class Comparison:
    """The dialog, open."""

    visit: Visit
    ids: list[str]

    def part(self, name: str) -> Any:
        return self.visit.page.locator(f"#compare [data-part={name}]")

    def mode(self, key: str) -> None:
        self.visit.page.keyboard.press(key)

    @property
    def room(self) -> dict[str, float]:
        return self.part("room").bounding_box()

    def seen(self) -> np.ndarray:
        """The pixels of the room, as on the screen."""
        with Image.open(io.BytesIO(self.part("room").screenshot())) as shot:
            return np.asarray(shot.convert("RGB"))

    def at(self, x: float, y: float) -> tuple[int, ...]:
        """The colour at shares of the room's sides."""
        pixels = self.seen()
        return tuple(int(value) for value in pixels[int(y * pixels.shape[0]), int(x * pixels.shape[1])])


def keep(house: House, user: str, pixels: np.ndarray, request: Request) -> str:
    """Enters a finished picture as the worker does, and returns its id."""
    assert house.studio
    book, outputs = house.studio.book, house.studio._worker.outputs
    job = book.job(book.submit(request, user))
    assert job
    book.withdraw(job.id)
    path = outputs.save(Image.fromarray(pixels), request, MADE_WITH)
    return book.add_picture(job, path, request, (pixels.shape[1], pixels.shape[0])).id


def user_of(visit: Visit) -> str:
    """Who the visitor is in the book: see `ui.door.login`."""
    cookie = next(cookie for cookie in visit.context.cookies() if cookie.get("name") == "atelier_user")
    return hashlib.sha256((cookie.get("value") or "").encode()).hexdigest()[:32]


def plain(colour: tuple[int, int, int], side: int = SIDE) -> np.ndarray:
    return np.full((side, side, 3), colour, np.uint8)


def noise(seed: int, side: int = SIDE) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (side, side, 3), dtype=np.uint8)


@pytest.fixture
def visit(house: House, one_page: Visit) -> Generator[Visit]:
    """The page of all tests here: each opens the dialog, which is closed behind it."""
    with still_well(one_page) as visit:
        yield visit
        if visit.page.locator("#compare dialog").is_visible():
            visit.page.locator("#compare [data-part=close]").click()


def opened(visit: Visit, house: House, *pictures: tuple[np.ndarray, Request]) -> Comparison:
    user = house.studio and user_of(visit)
    ids = [keep(house, user or "", pixels, request) for pixels, request in pictures]
    visit.page.evaluate("ids => inside.dom.emit('compare', { ids })", ids)
    visit.page.locator("#compare [data-part=room][aria-busy=false]").wait_for()
    wait_for(visit.page, lambda: visit.page.locator("#compare [data-part=table] > *").count() == 1)
    visit.page.keyboard.press("1")  # it opens as it was left
    return Comparison(visit, ids)


RED, BLUE = (200, 30, 20), (20, 60, 210)
ONE = TextToImage(prompt="a red house", seed=7, steps=20)


@pytest.fixture
def two(visit: Visit, house: House) -> Generator[Comparison]:
    """A red and a blue picture, which differ in their seeds and their steps."""
    yield opened(visit, house, (plain(RED), ONE), (plain(BLUE), TextToImage(prompt="a red house", seed=8, steps=30)))


def drag(comparison: Comparison, x: float) -> None:
    """The line, by mouse, to a share of the room's width."""
    box, line = comparison.room, comparison.part("divider").bounding_box()
    mouse = comparison.visit.page.mouse
    mouse.move(line["x"] + line["width"] / 2, line["y"] + line["height"] / 2)
    mouse.down()
    mouse.move(box["x"] + box["width"] * x, box["y"] + box["height"] / 2, steps=4)
    mouse.up()


def test_the_line_that_is_dragged_changes_what_pixels_are_seen(two: Comparison) -> None:
    height = 0.25
    assert (two.at(0.45, height), two.at(0.55, height)) == (RED, BLUE)
    drag(two, 0.58)
    assert (two.at(0.55, height), two.at(0.61, height)) == (RED, BLUE)
    assert two.part("divider").get_attribute("aria-valuenow") == "58"
    for _ in range(8):
        two.mode("ArrowLeft")
    assert (two.at(0.38, height), two.at(0.46, height)) == (RED, BLUE)
    two.mode("Shift+ArrowRight")
    assert two.part("divider").get_attribute("aria-valuenow") == "52"


def test_only_the_parameters_in_which_they_differ_stand_below(two: Comparison) -> None:
    rows = two.visit.page.locator("#compare [data-part=table] tbody tr")
    assert [rows.nth(place).locator("th, td").all_inner_texts() for place in range(rows.count())] == [
        ["Seed", "7", "8"],
        ["Steps", "20", "30"],
    ]


def test_difference_is_that_of_the_pixels_and_says_how_much(visit: Visit, house: House) -> None:
    one, other = noise(1), noise(1)
    other[10:20, 5:45] = noise(2)[10:20, 5:45]
    comparison = opened(visit, house, (one, ONE), (other, ONE))
    comparison.mode("4")
    apart = np.abs(one.astype(int) - other)
    factor = 8
    shown = visit.page.evaluate("""() => {
      const canvas = document.querySelector("#compare [data-part=canvas]");
      return [...canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data];
    }""")
    assert (np.array(shown).reshape(SIDE, SIDE, 4)[..., :3] == np.minimum(apart * factor, 255)).all()
    share, mean = 100 * (apart.max(axis=2) > 0).mean(), apart.mean()
    figures = comparison.part("figures").inner_text()
    assert f"{share:.2f} % of the pixels differ; mean difference {mean:.2f}, largest {apart.max()} (of 255)" in figures
    assert f"Shown {factor} times" in figures
    assert "no parameter" in comparison.part("table").inner_text()


def test_side_by_side_is_zoomed_and_moved_together_without_smoothing(visit: Visit, house: House) -> None:
    one, other = noise(3), noise(4)
    comparison = opened(visit, house, (one, ONE), (other, ONE))
    comparison.mode("2")
    box = comparison.room
    visit.page.mouse.move(box["x"] + box["width"] * 0.25, box["y"] + box["height"] / 2)
    for _ in range(6):
        visit.page.mouse.wheel(0, -300)
    visit.page.mouse.down()
    visit.page.mouse.move(box["x"] + box["width"] * 0.25 + 37, box["y"] + box["height"] / 2 - 21, steps=3)
    visit.page.mouse.up()
    places = visit.page.evaluate("""() => [...document.querySelectorAll("#compare figure")].map((pane) => {
      const [outer, inner] = [pane.getBoundingClientRect(), pane.querySelector("img").getBoundingClientRect()];
      return [inner.x - outer.x, inner.y - outer.y, inner.width];
    })""")
    assert np.allclose(places[0], places[1]) and places[0][2] > 10 * SIDE
    pixels = comparison.seen()
    half = pixels.shape[1] // 2
    for picture, part in ((one, pixels[:, : half - 3]), (other, pixels[:, half + 3 :])):
        inside = {tuple(colour) for colour in picture.reshape(-1, 3).tolist()}
        middle = part[40:160, 60:200].reshape(-1, 3).tolist()
        assert {tuple(colour) for colour in middle} <= inside


def test_pictures_of_different_sizes_share_a_frame_and_it_is_said(visit: Visit, house: House) -> None:
    comparison = opened(visit, house, (plain(RED, 128), ONE), (plain(RED, 64), ONE))
    assert "64 × 64" in comparison.part("note").inner_text() and "scaled to 128 × 128" in comparison.part("note").inner_text()
    boxes = visit.page.locator("#compare figure img").evaluate_all("all => all.map((each) => each.getBoundingClientRect().width)")
    assert boxes[0] == boxes[1]
    comparison.mode("4")
    assert "the same, pixel for pixel" in comparison.part("figures").inner_text()


def test_blinking_shows_one_after_the_other_and_space_holds_the_next(two: Comparison) -> None:
    two.visit.page.emulate_media(reduced_motion="reduce")
    two.mode("3")
    assert two.at(0.5, 0.5) == RED
    two.part("room").focus()
    two.visit.page.keyboard.down(" ")
    assert two.at(0.5, 0.5) == BLUE
    two.visit.page.keyboard.up(" ")
    assert two.at(0.5, 0.5) == RED
    two.part("play").click()
    two.visit.page.wait_for_function("() => document.querySelectorAll('#compare figure')[0].hidden")
    two.part("play").click()
    assert two.part("play").get_attribute("aria-pressed") == "false"
    two.visit.page.emulate_media(reduced_motion="no-preference")


def test_each_picture_is_loaded_once_whatever_is_looked_at(visit: Visit, house: House) -> None:
    loaded: list[str] = []
    visit.page.on("request", lambda request: loaded.append(request.url))
    comparison = opened(visit, house, *((noise(seed), ONE) for seed in (5, 6, 7)))
    for key in ("1", "2", "3", "4", "1", "2"):
        comparison.mode(key)
    comparison.mode("4")
    before = comparison.part("figures").inner_text()
    comparison.part("left").select_option("2")
    assert "of the pixels differ" in (figures := comparison.part("figures").inner_text()) and figures != before
    assert sorted(url.rpartition("/")[2] for url in loaded if "/picture/" in url) == sorted(f"{one}.png" for one in comparison.ids)


def test_clips_that_come_one_after_the_other_are_loaded_once_and_play_in_step(visit: Visit, house: House) -> None:
    frames = [Image.fromarray(plain(colour)) for colour in (RED, BLUE)]
    clip, asked = io.BytesIO(), list[str]()
    frames[0].save(clip, "WEBP", save_all=True, append_images=frames[1:], duration=800, loop=0, lossless=True)

    def give(route: Route) -> None:
        asked.append(route.request.url)
        time.sleep(0.8 * (len(asked) - 1))  # as long as a frame is seen: each for itself they would show different ones
        route.fulfill(body=clip.getvalue(), content_type="image/webp")

    visit.page.route("**/picture/*.png", give)
    comparison = opened(visit, house, (plain(RED), ONE), (plain(BLUE), ONE))
    visit.page.unroute("**/picture/*.png")
    comparison.mode("2")
    shots = [comparison.seen() for _ in range(7)]
    half, quarter = shots[0].shape[0] // 2, shots[0].shape[1] // 4
    alike = [(shot[half, quarter] == shot[half, 3 * quarter]).all() for shot in shots]
    assert sum(alike) >= 5, alike  # one may be taken while they change
    assert sorted(url.rpartition("/")[2] for url in asked) == sorted(f"{one}.png" for one in comparison.ids)


def test_clips_stand_and_are_stepped_through_together_each_frame_as_it_was_decoded(visit: Visit, house: House) -> None:
    colours, user, ids = (RED, BLUE, (20, 160, 60)), user_of(visit), list[str]()
    assert house.studio
    book, outputs = house.studio.book, house.studio._worker.outputs
    for count in (3, 2):
        request = Clip(frames=count, frames_a_second=7, width=SIDE, height=SIDE)
        job = book.job(book.submit(request, user))
        assert job
        book.withdraw(job.id)
        frames = [Image.fromarray(plain(colour)) for colour in colours[:count]]
        ids.append(book.add_picture(job, outputs.put(outputs.encoded(frames, request, MADE_WITH), request), request, (SIDE, SIDE)).id)
    visit.page.evaluate("ids => inside.dom.emit('compare', { ids })", ids)
    comparison, clips = Comparison(visit, ids), visit.page.locator("#compare [data-part=clips]")
    comparison.part("room").and_(visit.page.locator("[aria-busy=false]")).wait_for()
    clips.get_by_role("button", name="Pause").click()
    clips.get_by_label("Frame", exact=True).fill("0")
    comparison.mode("2")

    def shown() -> tuple[tuple[int, ...], ...]:
        return comparison.at(0.25, 0.5), comparison.at(0.75, 0.5)

    for place, (left, right) in enumerate([(0, 0), (1, 1), (2, 1), (0, 0)]):
        if place:
            clips.get_by_role("button", name="One frame on").click()
        expect(clips.locator("output")).to_have_text(f"{place % 3 + 1} / 3")
        wait_for(visit.page, lambda left=left, right=right: shown() == (colours[left], colours[right]))
    for _ in range(3):
        visit.page.wait_for_timeout(110)  # milliseconds; an animation would have gone on
        assert shown() == (RED, RED), "they stand"
    clips.get_by_role("button", name="Play").click()
    first = comparison.at(0.25, 0.5)
    wait_for(visit.page, lambda: comparison.at(0.25, 0.5) != first)


def test_the_keyboard_reaches_all_and_stays_in_the_dialog(two: Comparison) -> None:
    page = two.visit.page
    inside = "document.activeElement === document.body || !!document.activeElement.closest('#compare dialog')"
    for _ in range(20):
        page.keyboard.press("Tab")
        assert page.evaluate(inside)
    names = page.locator("#compare dialog :is(button, [role], input, select):visible").evaluate_all(
        "all => all.map((each) => each.getAttribute('aria-label') || each.labels?.[0]?.textContent || each.textContent.trim())"
    )
    assert all(names)
    before = page.locator("#compare figure img").first.bounding_box()
    page.keyboard.press("+")
    after = page.locator("#compare figure img").first.bounding_box()
    assert before and after and after["width"] == pytest.approx(1.25 * before["width"], rel=1e-3)
    page.keyboard.press("0")
    assert page.locator("#compare figure img").first.bounding_box() == before
    page.keyboard.press("Escape")
    expect(page.locator("#compare figure")).to_have_count(0)
    assert not two.part("dialog").is_visible()


def test_on_a_phone_two_fingers_zoom_and_nothing_leaves_the_screen(two: Comparison) -> None:
    page = two.visit.page
    page.set_viewport_size({"width": 390, "height": 844})
    two.mode("2")
    assert page.evaluate("document.querySelector('#compare dialog').scrollWidth") <= 390
    boxes = [page.locator("#compare figure").nth(place).bounding_box() for place in (0, 1)]
    assert boxes[0] and boxes[1] and boxes[1]["y"] > boxes[0]["y"], "one above the other, where the window is high"
    wire = page.context.new_cdp_session(page)
    x, y = boxes[0]["x"] + boxes[0]["width"] / 2, boxes[0]["y"] + boxes[0]["height"] / 2
    before = two.part("zoom").inner_text()

    def fingers(kind: str, apart: float) -> None:
        points = [{"x": x - apart, "y": y, "id": 0}, {"x": x + apart, "y": y, "id": 1}]
        wire.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points if kind != "touchEnd" else []})

    fingers("touchStart", 20)
    fingers("touchMove", 30)
    fingers("touchMove", 60)
    fingers("touchEnd", 0)
    wire.detach()
    grown = [int(re.sub(r"\D", "", text)) for text in (before, two.part("zoom").inner_text())]
    assert grown[1] == pytest.approx(3 * grown[0], rel=0.03)


def test_pictures_of_others_and_numbers_that_cannot_be_compared_are_refused_in_words(visit: Visit, house: House) -> None:
    mine, theirs = (keep(house, user, plain(RED), ONE) for user in (user_of(visit), "somebody else"))
    visit.page.evaluate("ids => inside.dom.emit('compare', { ids })", [mine, mine])
    visit.page.get_by_text("Choose two to four pictures").wait_for()
    status = "async (address) => { const answer = await fetch(address); return [answer.status, (await answer.json()).message ?? '']; }"
    assert visit.page.evaluate(status, f"compare?ids={mine}")[0] == 400
    assert visit.page.evaluate(status, "compare?ids=" + ",".join([mine] * 5))[0] == 400
    assert visit.page.evaluate(status, f"compare?ids={mine},{'x' * 5000}")[0] == 404
    assert visit.page.evaluate(status, f"compare?ids={mine},{theirs}")[0] == 200, "the owner of the studio sees all"
    visit.complaints[:] = [line for line in visit.complaints if "40" not in line]
