"""The Library tab in a real browser: pictures found, rated, put on boards, thrown away and fetched, by mouse, keys and fingers."""

from __future__ import annotations

import io
import json
import time
import zipfile
from collections import Counter
from collections.abc import Generator
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Browser, Locator, expect

from pipelines import TextToImage
from pipelines.job_book.shelf import fill
from pipelines.requests.request import Inpaint, describe
from tests.support.page_fixtures import House, Visit, at_rest, browser, house, house_with, visit, visiting, wait_for
from tests.test_page_compare import RED, keep, plain, user_of
from tests.test_page_windows import TOO_SMALL

pytestmark = pytest.mark.browser
__all__ = ["browser", "house", "open_house", "visit"]
open_house = house_with("gallery", "inpaint")
PROMPTS = ("a red house in the snow", "a red house by the sea", "a blue tower", "a fox <b>at night</b>")
MANY = 3_000
MOST_TILES = 160  # of a window of 1280 x 720
WIDER = """() => [...document.querySelectorAll("#room *")]
  .filter((part) => part.getClientRects().length && !part.closest(".gallery-places, .tab-wrapper, .tile, .sr"))
  .filter((part) => part.getBoundingClientRect().right > innerWidth + 1).map((part) => part.className)"""


class Library:
    """The tab, open."""

    def __init__(self, visit: Visit) -> None:
        self.visit, self.page = visit, visit.page
        self.grid = self.page.locator("#gallery [data-part=scroll]")
        self.words = self.page.get_by_role("textbox", name="Search your pictures")
        self.chips = self.page.locator(".gallery-chip")
        self.tiles = self.page.locator(".tile:visible")

    def tile(self, picture_id: str) -> Locator:
        return self.page.locator(f".tile:visible[data-picture='{picture_id}']")

    def part(self, name: str) -> Locator:
        return self.page.locator(f"#gallery [data-part={name}]")

    def act(self, name: str) -> Locator:
        return self.page.locator(f".gallery-bar [data-act={name}]:visible")

    def place(self, name: str) -> Locator:
        return self.page.locator(".gallery-place", has_text=name)

    def shows(self, count: int) -> None:
        expect(self.part("count")).to_have_text("1 picture" if count == 1 else f"{count:,} pictures")
        expect(self.tiles).to_have_count(count)

    def undo(self) -> None:
        self.page.locator(".page-note").get_by_role("button", name="Undo").click()

    def marks(self, picture_id: str) -> dict[str, object]:
        """What the server knows of a picture."""
        return self.page.evaluate("id => fetch(`library/pictures/${id}`).then((answer) => answer.json())", picture_id)


@pytest.fixture
def ids(visit: Visit, house: House) -> list[str]:
    """Four pictures, the newest last."""
    made = [TextToImage(prompt=prompt, seed=seed, sampler="Euler") for seed, prompt in enumerate(PROMPTS)]
    return [keep(house, user_of(visit), plain(RED), request) for request in made]


@pytest.fixture
def library(visit: Visit, ids: list[str]) -> Generator[Library]:
    yield opened(visit)


def opened(visit: Visit) -> Library:
    visit.open_tab("Library")
    library = Library(visit)
    expect(library.part("count")).not_to_be_empty()
    return library


def test_words_and_a_filter_find_a_picture_and_each_can_be_taken_out(library: Library, ids: list[str]) -> None:
    page = library.page
    library.shows(4)
    assert library.tiles.first.get_attribute("data-picture") == ids[3] and page.locator(".tile b").count() == 0
    page.evaluate("id => inside.marks.rate([id], 4)", ids[1])
    library.words.fill("red house")
    library.shows(2)  # while it is typed
    library.words.press("Enter")
    expect(library.chips).to_have_text(["red", "house"])
    page.get_by_role("button", name="Filters").click()
    page.locator("[data-filter=rating]").select_option(">=4")
    library.shows(1)
    expect(library.tile(ids[1])).to_be_visible()
    expect(library.chips).to_have_text(["red", "house", "≥ 4 stars"])
    library.words.press("Backspace")
    library.shows(2)
    library.chips.first.click()
    expect(library.chips).to_have_text(["house"])
    library.words.fill("colour:red zebra")
    expect(library.part("notes")).to_contain_text("There is no filter “colour”")
    expect(page.get_by_text("Nothing matches")).to_be_visible()
    page.get_by_role("button", name="Clear the search").last.click()
    library.shows(4)


def test_the_filters_offer_the_names_that_occur(library: Library, ids: list[str]) -> None:
    library.page.get_by_role("button", name="Filters").click()
    sampler = library.page.locator("[data-filter=sampler]")
    expect(sampler.locator("option")).to_have_text(["Any", "Euler · 4"])
    expect(library.page.locator("[data-filter=lora]")).to_be_disabled()
    sampler.select_option("Euler")
    expect(library.chips).to_have_text(["sampler: Euler"])
    library.shows(4)


def test_a_rubber_band_selects_what_it_touches_and_adds_extends_or_is_left(library: Library, ids: list[str]) -> None:
    page, count = library.page, library.page.locator(".gallery-count")
    library.shows(4)
    boxes = [box for each in reversed(ids) if (box := library.tile(each).bounding_box())]  # as they stand, from left to right

    def draw(first: int, last: int, ends: bool = True) -> None:
        """From the heading above one picture into another."""
        page.mouse.move(boxes[first]["x"] + 20, boxes[first]["y"] - 12)
        page.mouse.down()
        page.mouse.move(boxes[last]["x"] + 40, boxes[last]["y"] + 60, steps=3)
        expect(page.locator(".gallery-rubber")).to_be_visible()
        if ends:
            page.mouse.up()
            expect(page.locator(".gallery-rubber")).to_be_hidden()

    draw(0, 1)
    expect(count).to_have_text("2 selected")
    draw(1, 1)
    expect(count).to_have_text("1 selected")
    page.keyboard.down("Control")
    draw(3, 3)
    page.keyboard.up("Control")
    expect(count).to_have_text("2 selected")
    draw(1, 1)
    page.keyboard.down("Shift")
    draw(3, 3)
    page.keyboard.up("Shift")
    expect(count).to_have_text("3 selected")
    draw(0, 3, ends=False)
    expect(count).to_have_text("4 selected")
    page.keyboard.press("Escape")
    page.mouse.up()
    expect(count).to_have_text("3 selected")


def test_a_picture_becomes_that_of_a_model_that_drew_it_from_the_library_and_from_the_inspector(visit: Visit, house: House) -> None:
    assert house.studio
    [starter] = [entry.file for entry in house.studio.checkpoints()]
    made = keep(house, user_of(visit), plain(RED), TextToImage(prompt="red", checkpoint=starter.id))
    library, page, cards = opened(visit), visit.page, house.studio.cards

    def give(button: Locator) -> None:
        before = cards.card(starter).picture
        button.click()
        expect(page.locator(".models-dialog h2")).to_have_text("Whose picture is it to be?")
        page.locator(".models-dialog .model-card", has_text=starter.name).click()
        wait_for(page, lambda: cards.card(starter).picture not in ("", before))

    assert not cards.card(starter).picture
    library.tile(made).click()
    give(library.act("model"))
    visit.open_tab("Text to image")
    page.evaluate("id => inside.dom.emit('picture', { id, chosen: true })", made)
    give(page.locator(f"#inspector [data-picture='{made}'] [data-part=model]"))
    page.locator("#txt2img-checkpoint .browse").click()
    expect(page.locator(".models-dialog .model-card img")).to_have_attribute(
        "src", f"cards/{starter.id}/picture?of={cards.card(starter).picture}"
    )
    page.wait_for_function("() => document.querySelector('.models-dialog .model-card img').naturalWidth > 0")
    page.keyboard.press("Escape")
    cards.set_picture(starter.id, b"")


def test_a_picture_is_laid_on_the_surface_of_the_tab_that_it_came_from(visit: Visit, house: House) -> None:
    old = keep(house, user_of(visit), plain(RED), Inpaint(prompt="an old one"))
    library, stage = opened(visit), visit.page.locator("#stage")
    library.tile(old).click()
    library.act("surface").click()
    expect(visit.page.get_by_role("tab", name="Inpaint", exact=True)).to_have_attribute("aria-selected", "true")
    expect(stage.locator("[data-part=frame]")).to_have_attribute("data-showing", "picture")
    expect(stage.locator("[data-part=prompt]")).to_have_text("an old one")
    at_rest(visit.page)  # also when the tab is filled, and has told of itself once more
    expect(stage.locator("[data-part=uncover]")).to_be_visible()
    visit.open_tab("Library")
    library.tile(old).dblclick()
    library.part("lay").click()
    expect(stage.locator("[data-part=picture]")).to_have_attribute("src", f"picture/{old}.png")
    expect(stage.locator("[data-part=uncover]")).to_be_visible()


def test_keys_walk_select_and_rate(library: Library, ids: list[str]) -> None:
    page = library.page
    library.shows(4)
    library.grid.focus()
    for key in ("ArrowRight", "4", "f"):
        page.keyboard.press(key)
    expect(library.tile(ids[2])).to_have_attribute("aria-selected", "true")
    expect(library.tile(ids[2]).locator(".tile-stars")).to_have_text("★★★★")
    wait_for(page, lambda: library.marks(ids[2])["favourite"] is True)
    assert library.marks(ids[2])["rating"] == 4 and library.marks(ids[1])["rating"] == 0
    page.keyboard.press("Shift+End")
    expect(library.page.locator(".gallery-count")).to_have_text("3 selected")
    page.keyboard.press("Space")
    expect(library.page.locator(".gallery-count")).to_have_text("2 selected")
    page.keyboard.press("Control+a")
    expect(library.page.locator(".gallery-count")).to_have_text("4 selected")
    page.keyboard.press("Escape")
    expect(library.part("bar")).to_be_hidden()
    page.keyboard.press("Home")
    page.keyboard.press("Enter")
    expect(library.part("large-prompt")).to_have_text(PROMPTS[3])
    page.keyboard.press("ArrowRight")
    expect(library.part("large-prompt")).to_have_text(PROMPTS[2])
    page.keyboard.press("5")
    expect(library.part("large-stars").locator(".on")).to_have_count(5)


def test_a_board_is_made_filled_renamed_and_brought_back(library: Library, ids: list[str]) -> None:
    page = library.page
    library.tile(ids[0]).click()
    library.tile(ids[3]).click(modifiers=["Control"])
    library.act("boards").click()
    page.get_by_role("textbox", name="Name of a new board").fill("<i>Night</i>")
    page.keyboard.press("Enter")
    expect(library.place("<i>Night</i>").locator(".gallery-figure")).to_have_text("2")
    library.tile(ids[1]).drag_to(library.place("<i>Night</i>"))
    expect(library.place("<i>Night</i>").locator(".gallery-figure")).to_have_text("3")
    library.undo()
    expect(library.place("<i>Night</i>").locator(".gallery-figure")).to_have_text("2")
    library.place("<i>Night</i>").click()
    library.shows(2)
    library.place("<i>Night</i>").hover()
    page.get_by_role("button", name="Rename").click()
    page.get_by_role("textbox", name="Name of the board").fill("Evening")
    page.keyboard.press("Enter")
    expect(library.chips).to_have_text(["Board: Evening"])
    library.place("Evening").hover()
    page.get_by_role("button", name="Delete the board").click()
    expect(library.place("Evening")).to_have_count(0)
    library.shows(4)
    library.undo()
    expect(library.place("Evening").locator(".gallery-figure")).to_have_text("2")


def test_what_is_deleted_comes_back_by_undo_or_out_of_the_bin_which_empties_after_asking(visit: Visit, ids: list[str]) -> None:
    visit.reload()  # the strip shows what there was when the page came
    library, page = opened(visit), visit.page
    in_strip = page.locator(f"#stage [data-picture='{ids[1]}']")
    expect(in_strip).to_have_count(1)
    library.tile(ids[1]).click()
    page.keyboard.press("Delete")
    library.shows(3)
    expect(in_strip).to_have_count(0)
    library.undo()
    library.shows(4)
    expect(in_strip).to_have_count(1)
    for each in ids[:2]:
        library.tile(each).click()
        library.act("delete").click()
        expect(library.tile(each)).to_have_count(0)
    library.place("Bin").click()
    library.shows(2)
    expect(library.part("bin-words")).to_contain_text("2 pictures")
    library.tile(ids[0]).click()
    library.act("restore").click()
    library.shows(1)
    library.part("empty-bin").click()
    expect(library.part("empty-bin")).to_have_text("Remove them for good")  # it asks once
    library.shows(1)
    library.part("empty-bin").click()
    expect(page.get_by_text("The bin is empty")).to_be_visible()
    library.place("All pictures").click()
    library.shows(3)
    library.visit.complaints[:] = [line for line in library.visit.complaints if "404" not in line]  # small pictures of what is gone


def test_what_is_selected_arrives_in_a_zip_in_any_format_with_or_without_settings(library: Library, ids: list[str]) -> None:
    library.tile(ids[0]).click()
    library.tile(ids[2]).click(modifiers=["Control"])
    for way, ending, told in (("As it was saved", ".png", True), ("As WebP", ".webp", False)):
        library.act("zip").click()
        library.page.get_by_label("With its settings").set_checked(told)
        with library.page.expect_download() as coming:
            library.page.get_by_role("button", name=way).click()
        with zipfile.ZipFile(Path(coming.value.path())) as archive:
            pictures = [archive.read(name) for name in archive.namelist() if name.endswith(ending)]
        assert len(pictures) == 2 and all((b"parameters" in each) is told for each in pictures)


def test_scrolling_through_thousands_keeps_few_of_them_in_the_page(visit: Visit, house: House) -> None:
    page = visit.page
    page.route("**/thumb/*", lambda route: route.fulfill(body=dot(), content_type="image/png"))
    page.route("**/picture/*.png", lambda route: route.fulfill(body=dot(), content_type="image/png"))
    fill_book(house, user_of(visit), MANY)
    library = opened(visit)
    expect(library.part("count")).to_have_text(f"{MANY:,} pictures")
    expect(library.grid.locator("h3:visible", has_text="· 100").first).to_be_visible()
    most = 0
    for share in (*(step / 40 for step in range(41)), 0.5):
        page.evaluate(
            "share => { const all = document.querySelector('.gallery-scroll'); all.scrollTop = share * all.scrollHeight; }", share
        )
        page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
        most = max(most, page.locator(".gallery-space > *").count())
    assert 30 < most < MOST_TILES
    library.grid.focus()
    page.keyboard.press("End")
    expect(page.locator(".tile.active:visible")).to_have_attribute("aria-label", "Picture: number 0")
    page.keyboard.press("Control+a")
    expect(page.locator(".gallery-count")).to_have_text(f"{MANY:,} selected")


def test_what_one_window_does_is_seen_in_the_other(visit: Visit, ids: list[str], house: House) -> None:
    visit.reload()  # the strip shows what there was when the page came
    library = opened(visit)
    with visiting(house, None, visit.context.new_page()) as other:  # pyright: ignore[reportArgumentType]  # it has a page
        other.finished()
        expect(other.part("caption")).to_be_visible()
        other.page.evaluate("() => document.activeElement.blur()")  # in a field, a digit is a digit
        other.page.keyboard.press("3")
        expect(other.part("stars").locator(".on")).to_have_count(3)
        expect(library.tile(ids[3]).locator(".tile-stars")).to_have_text("★★★")
        expect(library.page.locator(f"#stage [data-picture='{ids[3]}'] .strip-stars")).to_have_text("★★★")
        other.part("bin").click()
        library.shows(3)
        expect(library.page.locator("#stage .to-library b")).to_have_text("3")
        other.page.wait_for_function("id => !document.querySelector(`#stage [data-picture='${id}']`)", arg=ids[3])
        other.page.close()


def test_a_phone_selects_by_a_long_press_and_has_the_bar_at_its_foot(house: House, browser: Browser) -> None:
    with visiting(house, browser, viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True) as visit:
        ids = [keep(house, user_of(visit), plain(RED), TextToImage(prompt=prompt)) for prompt in PROMPTS]
        library, page = opened(visit), visit.page
        library.shows(4)
        rows = Counter(round(box["y"]) for each in ids if (box := library.tile(each).bounding_box()))
        assert sorted(rows.values()) == [1, 3]  # three, and one below
        library.tile(ids[0]).tap()
        expect(library.part("large")).to_be_visible()
        library.part("close").tap()
        press(visit, library.tile(ids[1]))
        library.tile(ids[2]).tap()
        expect(page.locator(".gallery-count")).to_have_text("2 selected")
        bar = library.part("bar").bounding_box()
        assert bar and abs(bar["y"] + bar["height"] - 844) < 2
        assert page.evaluate(WIDER) == [] and page.evaluate(TOO_SMALL) == []
        page.locator(".gallery-bar .star").nth(1).tap()
        expect(library.tile(ids[1]).locator(".tile-stars")).to_have_text("★★")
        library.part("filters").tap()
        sheet = library.part("filter-menu").bounding_box()
        assert sheet and abs(sheet["y"] + sheet["height"] - 844) < 2 and page.evaluate(TOO_SMALL) == []
        assert visit.complaints == []


def press(visit: Visit, target: Locator) -> None:
    """A finger that rests."""
    box = target.bounding_box()
    assert box
    wire = visit.context.new_cdp_session(visit.page)
    point = {"x": box["x"] + 20, "y": box["y"] + 20}
    wire.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": [point]})
    expect(target).to_have_attribute("aria-selected", "true")
    wire.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    wire.detach()


def fill_book(house: House, user: str, count: int) -> None:
    """Pictures of a hundred each day, without files."""
    assert house.studio
    begin = time.time() // 86_400 * 86_400 - 86_400 * (count // 100)
    columns = "id, job, user, path, width, height, seed, created, request"
    with house.studio.book.file.transaction() as db:
        for number in range(count):
            text = json.dumps(describe(TextToImage(prompt=f"number {number}", seed=number)))
            values = (f"{user}-{number}", f"j{number}", user, f"none/{user}-{number}.png", 64, 64, number, begin + 864 * number, text)
            db.execute(f"insert into picture ({columns}) values (?, ?, ?, ?, ?, ?, ?, ?, ?)", values)
        fill(db)
    house.studio.book.shelf_changed()


def dot() -> bytes:
    written = io.BytesIO()
    Image.new("RGB", (8, 8), RED).save(written, "PNG")
    return written.getvalue()
