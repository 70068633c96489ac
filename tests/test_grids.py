"""Grids that live: begun, stopped, gone on with after a kill, grown and taken away. Each cell is an ordinary picture of an ordinary job."""

from __future__ import annotations

import base64
import io
import json
import re
import threading
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from models.errors import UserError
from pipelines import NotYours, Person, Studio, TextToImage
from pipelines.grids.axes import offers
from pipelines.grids.cells import Grid, read_axes
from pipelines.images.source_type import COMPOSITE, TRAINED, source_in
from pipelines.job_book.room import JOBS_A_USER, Allowance
from pipelines.jobs.outputs import read
from pipelines.requests.request import Drawing, ImageToImage, LoraUse
from pipelines.services import grid_export
from pipelines.services.answers import GridNews
from pipelines.services.grid_export import Shown
from pipelines.services.grid_names import GridNames
from tests.support.toys import ToyPainter, toy_studio, wait_until
from tests.support.toys import colour as toy_colour

ME, GUEST = Person("me", owner=True), Person("guest")
BASE = TextToImage(prompt="a red house", seed=7, steps=1, width=64, height=64)
TWO_BY_THREE = (("guidance_scale", "1, 5"), ("seed", "7-9"))


@pytest.fixture
def painter() -> ToyPainter:
    return ToyPainter(gate=threading.Semaphore(10_000))


@pytest.fixture
def studio(tmp_path: Path, painter: ToyPainter) -> Iterator[Studio]:
    made = toy_studio(tmp_path, runner=painter)
    yield made
    assert painter.gate
    painter.gate.release(10_000)
    made.close()


def hold(painter: ToyPainter, steps: int) -> None:
    """No more steps than these."""
    assert painter.gate
    while painter.gate.acquire(blocking=False):
        pass
    painter.gate.release(steps) if steps else None


def begun(studio: Studio, asked: Sequence[tuple[str, str]] = TWO_BY_THREE, person: Person = ME, **changes: Any) -> str:
    return studio.grids.begin(replace(BASE, **changes), asked, person)


def news(studio: Studio, grid: str, person: Person = ME) -> GridNews:
    return studio.grids.news(grid, person)


def over(studio: Studio, grid: str, person: Person = ME) -> GridNews:
    wait_until(lambda: news(studio, grid, person)["state"] == "done")
    return news(studio, grid, person)


def drawn(told: GridNews) -> dict[str, str]:
    cells = told["cells"]
    assert cells is not None
    return {place: cell["picture"]["id"] for place, cell in cells.items() if cell["picture"]}


def request_of(studio: Studio, picture: str) -> Drawing:
    record = studio.picture(picture)
    assert record
    request = read(record.path)
    assert isinstance(request, Drawing)
    return request


def test_each_cell_is_a_picture_whose_record_makes_it_again(studio: Studio) -> None:
    told = over(studio, begun(studio))
    assert (told["count"], told["drawn"], told["failed"], told["kind"]) == (6, 6, 0, "txt2img")
    assert [[value["title"] for value in axis["values"]] for axis in told["axes"]] == [["1", "5"], ["7", "8", "9"]]
    found = {place: request_of(studio, picture) for place, picture in drawn(told).items()}
    assert {place: (each.guidance_scale, each.seed) for place, each in found.items()} == {
        f"{x}.{y}": (guidance, seed) for x, guidance in enumerate((1, 5)) for y, seed in enumerate((7, 8, 9))
    }
    assert all(each.prompt == "a red house" and each.batch_count == 1 for each in found.values())
    assert len(studio.recent(ME.user, owner=True)) == 6


def test_a_seed_that_is_left_to_the_dice_is_thrown_once_for_all_cells_and_once_for_each_of_an_axis(studio: Studio) -> None:
    one = over(studio, begun(studio, (("steps", "1, 2, 3"),), seed=-1))
    assert len({request_of(studio, each).seed for each in drawn(one).values()}) == 1
    axis = studio.grids.news(begun(studio, (("seed", "-1, 5"),)), ME)["axes"][0]
    assert axis["values"][1]["title"] == "5" and axis["values"][0]["title"] != "-1"


def test_a_grid_that_is_stopped_keeps_what_is_drawn_and_goes_on_after_a_kill(studio: Studio, painter: ToyPainter, tmp_path: Path) -> None:
    hold(painter, 2)
    grid = begun(studio)
    wait_until(lambda: news(studio, grid)["drawn"] == 2)
    studio.grids.stop(grid, ME)
    hold(painter, 1)  # the step in work
    wait_until(lambda: not studio.book.queue.listing().jobs)
    told = news(studio, grid)
    assert told["state"] == "stopped" and told["drawn"] == 2
    assert {request_of(studio, each).seed for each in drawn(told).values()} == {7, 9}, "the corners"
    assert painter.gate
    painter.gate.release(10_000)
    studio.close()
    again = toy_studio(tmp_path, runner=ToyPainter())
    assert news(again, grid)["state"] == "stopped"
    again.grids.go_on(grid, ME)
    assert drawn(over(again, grid)).items() > drawn(told).items()
    again.close()


def test_a_cell_that_still_comes_to_its_stop_is_drawn_when_the_grid_goes_on(studio: Studio, painter: ToyPainter) -> None:
    hold(painter, 2)
    grid = begun(studio)
    wait_until(lambda: news(studio, grid)["drawn"] == 2 and news(studio, grid)["running"])
    studio.grids.stop(grid, ME)
    studio.grids.go_on(grid, ME)
    hold(painter, 10_000)
    told = over(studio, grid)
    assert told["drawn"] == told["count"] == 6


def test_a_grid_that_is_drawn_when_the_studio_is_killed_goes_on_by_itself(studio: Studio, painter: ToyPainter, tmp_path: Path) -> None:
    hold(painter, 3)
    grid = begun(studio)
    wait_until(lambda: news(studio, grid)["drawn"] == 3)
    studio.book.file.close()  # nothing more comes to the disk
    again = toy_studio(tmp_path)
    assert over(again, grid)["drawn"] == 6 and over(again, grid)["failed"] == 0
    again.close()


def test_one_cell_waits_at_a_time_so_others_and_ones_own_jobs_come_between(studio: Studio, painter: ToyPainter) -> None:
    hold(painter, 0)
    begun(studio)
    wait_until(lambda: len(studio.book.queue.listing().jobs) == 2)
    studio.submit(replace(BASE, prompt="mine"), ME.user, True)
    studio.submit(replace(BASE, prompt="of another"), "another")
    wait_until(lambda: len(studio.book.queue.listing().jobs) == 4)
    assert painter.gate
    painter.gate.release(10_000)
    wait_until(lambda: not studio.book.queue.listing().jobs)
    words = [each.prompt for each in painter.drawn]
    assert words[0] == "a red house" and set(words[1:4]) == {"a red house", "of another", "mine"}, words
    assert [job.chain_words for job in studio.book.queue.listing().jobs] == []


def test_the_next_cell_is_where_one_looks(studio: Studio, painter: ToyPainter) -> None:
    hold(painter, 0)
    grid = begun(studio, (("steps", "1-5"), ("seed", "1-5")), steps=1)
    wait_until(lambda: len(news(studio, grid)["cells"] or {}) == 2)
    studio.grids.look(grid, ME, "0.3", ["0.2", "0.3", "nowhere"])
    assert painter.gate
    painter.gate.release(10)
    wait_until(lambda: len(news(studio, grid)["cells"] or {}) >= 4)
    assert list(news(studio, grid)["cells"] or {})[2:4] == ["0.3", "0.2"]
    painter.gate.release(10_000)
    over(studio, grid)


def test_values_are_added_and_taken_away_and_nothing_is_drawn_twice(studio: Studio, painter: ToyPainter) -> None:
    grid = begun(studio)
    before = drawn(over(studio, grid))
    studio.grids.change(grid, (("guidance_scale", "5, 9"), ("seed", "7-9")), ME)
    after = drawn(over(studio, grid))
    assert {place: after[place] for place in ("1.0", "1.1", "1.2")}.items() <= before.items()
    assert {request_of(studio, after[f"2.{key}"]).guidance_scale for key in range(3)} == {9.0}
    assert len(after) == 6 and len(painter.drawn) == 9
    studio.grids.change(grid, TWO_BY_THREE, ME)
    assert over(studio, grid)["drawn"] == 6 and len(painter.drawn) == 9, "what was drawn once is there when its value comes back"


def test_other_axes_make_another_sheet_on_which_the_cells_stay_that_ask_for_the_same(studio: Studio, painter: ToyPainter) -> None:
    grid = begun(studio)
    before = drawn(over(studio, grid))
    wider = (("sampler", "Euler, DPM++ 2M"), *TWO_BY_THREE)
    told = studio.grids.plan(grid, wider, ME)
    assert (told["count"], told["kept"], told["lost"], told["relaid"]) == (12, 6, 0, True)
    studio.grids.change(grid, wider, ME)
    after = drawn(over(studio, grid))
    assert len(after) == 12 and {after[f"1.{place}"]: place for place in before} == {picture: place for place, picture in before.items()}
    assert {request_of(studio, after[f"0.{place}"]).sampler for place in before} == {"Euler"} and len(painter.drawn) == 12
    narrow = (("seed", "7-9"), ("sampler", "Euler, DPM++ 2M"))
    told = studio.grids.plan(grid, narrow, ME)
    assert (told["kept"], told["lost"], told["relaid"]) == (6, 6, True), "those with the guidance of the form, which is 5"
    studio.grids.change(grid, narrow, ME)
    assert len(drawn(over(studio, grid))) == 6 and len(painter.drawn) == 12
    assert all(studio.picture(each) for each in after.values()), "what has left the sheet is in the library"
    told = studio.grids.plan(grid, (("seed", "8"), ("sampler", "Euler")), ME)
    assert (told["kept"], told["lost"], told["relaid"]) == (1, 5, False)


def test_a_cell_that_cannot_be_drawn_says_why_and_the_others_are(studio: Studio) -> None:
    grid = begun(studio, (("prompt", "a, please fail, b"),))
    told = over(studio, grid)
    assert (told["drawn"], told["failed"]) == (2, 1)
    assert (told["cells"] or {})["1"]["message"].startswith("The toy was asked to fail")
    studio.grids.go_on(grid, ME)
    assert over(studio, grid)["failed"] == 1, "it was tried again"
    studio.book.grids.refuse("nowhere", "1", BASE, "no grid")


def test_a_checkpoint_that_has_gone_since_is_said_in_its_cells(studio: Studio, painter: ToyPainter, tmp_path: Path) -> None:
    hold(painter, 0)
    grid = begun(studio)
    wait_until(lambda: len(news(studio, grid)["cells"] or {}) == 2)
    with studio.book.file.transaction() as db:
        told = json.loads(db.execute("select request from grid").fetchone()[0]) | {"checkpoint": "gone"}
        db.execute("update grid set request = ?", (json.dumps(told),))
    studio._grid_jobs._known.clear()
    assert painter.gate
    painter.gate.release(10_000)
    told_of = over(studio, grid)
    assert (told_of["drawn"], told_of["failed"]) == (2, 4)
    messages = {cell["message"] for cell in (told_of["cells"] or {}).values()}
    assert any("not in the models folder" in message for message in messages)


def test_what_a_grid_would_be_is_said_before_and_what_is_wrong_beside_its_axis(studio: Studio) -> None:
    plan = studio.grids.plans.plan(BASE, (("seed", "1-4"), ("steps", "0")), ME)
    assert plan["counts"] == [4, 0] and plan["problems"][0] == "" and "1 to 150" in plan["problems"][1] and plan["count"] == 0
    plan = studio.grids.plans.plan(BASE, (("seed", "1-4"), ("seed", "5")), ME)
    assert "set the same" in plan["problems"][1]
    plan = studio.grids.plans.plan(BASE, (("seed", "1-100"), ("steps", "1-100")), ME)
    assert "10,000 pictures; 1,000 are the most" in plan["problem"]
    plan = studio.grids.plans.plan(BASE, (("width", "64, 4096"), ("height", "64, 4096")), ME)
    assert plan["problem"].startswith("Width 4096, Height 4096: ") and "megapixels" in plan["problem"]
    over(studio, begun(studio))
    plan = studio.grids.plans.plan(BASE, TWO_BY_THREE, ME)
    assert plan["count"] == 6 and plan["problem"] == "" and plan["seconds"] is not None
    late = replace(BASE, steps=10), (("prompt~replace", "red, [red:green:0.7]"), ("vae", "Own, Automatic"))
    whole = studio.grids.plans.plan(*late, ME)["seconds"] or 0.0
    studio.steps.budget = 10**6
    assert studio.grids.plans.plan(*late, ME)["seconds"] == pytest.approx(whole * (1 + 0.2) / 4), (
        "8 of 10 steps are said alike, and the VAE acts in none"
    )
    assert {each["name"] for each in studio.grids.plans.offers(ImageToImage(), ME)["axes"]} >= {
        "steps",
        "denoising_strength",
        "prompt~replace",
    }


def test_a_cell_of_a_guest_counts_as_a_job_that_waits_and_as_its_megapixels(studio: Studio, painter: ToyPainter) -> None:
    with pytest.raises(UserError, match="201 jobs are too many at once"):
        begun(studio, (("seed", "1-67"), ("steps", "1-3")), GUEST)
    hold(painter, 0)
    begun(studio, (("seed", "1-66"), ("steps", "1-3")), GUEST)
    wait_until(lambda: len(studio.book.queue.listing().jobs) == 2)
    studio.submit(BASE, GUEST.user)
    with pytest.raises(UserError, match=f"You have {JOBS_A_USER} jobs waiting"):
        for _ in range(4):
            studio.submit(BASE, GUEST.user)
    begun(studio, (("seed", "1-150"),), Person("other guest"))
    with pytest.raises(UserError, match="350 jobs of guests are waiting"):
        begun(studio, (("seed", "1-150"),), Person("third guest"))
    assert begun(studio, (("seed", "1-200"), ("steps", "1-5"))), "the owner's do not count"


def test_an_hour_s_megapixels_are_those_of_all_cells(studio: Studio) -> None:
    hourly = Allowance(hourly=1.0, megapixels=0.25)
    with pytest.raises(UserError, match="for 1 megapixels an hour"):
        studio.book.grids.add(BASE, [], 5, "guest", False, hourly)
    studio.book.grids.add(BASE, [], 4, "guest", False, hourly)
    with pytest.raises(UserError, match="You have asked for 1"):
        studio.book.queue.check_hour("guest", Allowance(hourly=1.0, megapixels=0.1))


def test_a_grid_is_its_person_s_own_and_an_order_is_taken_once(studio: Studio) -> None:
    grid = studio.grids.begin(BASE, TWO_BY_THREE, ME, once="press")
    assert studio.grids.begin(BASE, TWO_BY_THREE, ME, once="press") == grid
    other = Person("other")
    for act in (studio.grids.news, studio.grids.stop, studio.grids.go_on, studio.grids.remove):
        with pytest.raises(NotYours):
            act(grid, other)
    with pytest.raises(NotYours):
        studio.grids.look(grid, other, "", [])
    assert [line["id"] for line in studio.grids.all(ME)["grids"]] == [grid] and studio.grids.all(other)["grids"] == []
    pictures = drawn(over(studio, grid))
    [line] = studio.grids.all(ME)["grids"]
    assert (line["drawn"], line["count"], line["axes"], line["words"]) == (6, 6, ["Guidance", "Seed"], "a red house")
    studio.grids.remove(grid, ME)
    assert studio.grids.all(ME)["grids"] == [] and all(studio.picture(each) for each in pictures.values())


def test_a_cell_whose_picture_is_thrown_away_can_be_drawn_again(studio: Studio) -> None:
    grid = begun(studio)
    first = drawn(over(studio, grid))["0.0"]
    studio.gallery.marks.throw([first], ME)
    assert "0.0" not in drawn(news(studio, grid)) and news(studio, grid)["state"] == "done"
    studio.grids.again(grid, "0.0", ME)
    again = drawn(over(studio, grid))["0.0"]
    assert again != first and request_of(studio, again) == replace(request_of(studio, again), seed=7)


def test_a_second_pass_belongs_to_the_cell_of_its_first(studio: Studio) -> None:
    grid = begun(studio, (("seed", "1, 2"),), hires=True, hires_factor=2.0, hires_steps=1)
    told = over(studio, grid)
    widths = {(cell["picture"] or {}).get("width") for cell in (told["cells"] or {}).values()}
    assert widths == {128} and len(studio.recent(ME.user, owner=True)) == 4


def test_cells_are_one_family_and_say_what_was_changed_between_them(studio: Studio) -> None:
    pictures = drawn(over(studio, begun(studio)))
    family = studio.lineage.of(pictures["1.2"], ME)
    ties = {tie["child"]: tie for tie in family["ties"]}
    assert len(family["pictures"]) == 6 and {tie["parent"] for tie in family["ties"]} == {pictures["0.0"]}
    tie = ties[pictures["1.2"]]
    assert tie["how"] == "In the same grid" and {change["title"]: change["after"] for change in tie["changes"]} == {
        "Guidance": "5",
        "Seed": "9",
    }


# ---- around a picture, and out of the house ------------------------------------------------------------------------------------------


def test_every_way_to_explore_around_a_picture_can_be_drawn_and_has_the_picture_itself_among_its_cells(studio: Studio) -> None:
    lora = LoraUse(id="x", unet=1.0)
    made = ImageToImage(image="a" * 64, prompt="a house, snow, night", seed=9, steps=30, guidance_scale=6.5, loras=(lora,), sampler="Heun")
    told = studio.grids.plans.ways(made)
    assert [way["title"] for way in told["ways"]] == [
        "Other seeds", "Between seeds", "Guidance and steps", "Words with and without", "Strength", "LoRA strength", "Samplers",
    ]  # fmt: skip
    names = GridNames(studio._catalog, studio.presets, ME.user)
    for way in told["ways"]:
        grid = Grid(made, read_axes(made, [(axis["name"], axis["typed"]) for axis in way["axes"]], names))
        asked = [grid.request(place, offers(made, names)) for place in grid.places]
        assert any(replace(each, variation_seed=-1) == made for each in asked), way["title"]


def test_a_grid_around_a_picture_goes_on_from_it_and_the_path_is_its_family(studio: Studio) -> None:
    first = over(studio, begun(studio))
    chosen = drawn(first)["1.2"]
    base = studio.varied(chosen, ME)
    again = studio.grids.begin(base, (("variation_strength", "0, 0.5"), ("variation_seed", "3")), ME, origin=chosen)
    cells = drawn(over(studio, again))
    family = studio.lineage.of(cells["1.0"], ME)
    ties = {(tie["parent"], tie["child"]): tie for tie in family["ties"]}
    assert ties[chosen, cells["1.0"]]["how"] == "With its settings"
    assert {change["title"] for change in ties[chosen, cells["1.0"]]["changes"]} <= {"Variation", "Variation seed"}
    assert (drawn(first)["0.0"], chosen) in ties


def test_a_grid_leaves_as_one_picture_with_legends_and_as_a_page_that_needs_nothing_else(studio: Studio) -> None:
    grid = begun(studio, (("guidance_scale", "1, 5"), ("sampler", "Euler, DPM++ 2M SDE Heun"), ("seed", "7-9")))
    told = over(studio, grid)
    held, pictures = studio.grids.grid(grid, ME), studio.grids.ids(grid, ME)

    def face(picture: str, longest: int) -> Shown:
        record = studio.picture(picture)
        assert record
        return Shown(Image.open(record.path), studio.gallery.leaving.label(picture), lambda data, mime: data + b"signed")

    whole = grid_export.picture(held, pictures, face)
    assert source_in(whole) == TRAINED
    sheet = Image.open(io.BytesIO(whole)).convert("RGB")
    colours = {colour for _, colour in sheet.getcolors(10**6) or []}
    assert {toy_colour(seed, 1) for seed in (7, 8, 9)} <= colours and sheet.width < 600 and sheet.height < 2_000
    less = grid_export.picture(held, {place: each for place, each in pictures.items() if place != (0, 0, 0)}, face)
    assert Image.open(io.BytesIO(less)).size == sheet.size, "a cell that is not drawn keeps its place"
    page = grid_export.page(held, pictures, face).decode()
    assert page.count("<img ") == told["count"] == page.count("data:image/webp;base64,") and "DPM++ 2M SDE Heun" in page
    assert not re.search(r"https?:|<script|<link", page)
    cells = [base64.b64decode(each) for each in re.findall(r"base64,([^\"]+)", page)]
    assert {source_in(each) for each in cells} == {TRAINED} and all(each.endswith(b"signed") for each in cells)
    mixed = grid_export.picture(
        held, pictures, lambda each, side: replace(face(each, side), source=(TRAINED, "")[each == pictures[0, 0, 0]])
    )
    assert source_in(mixed) == COMPOSITE
    with pytest.raises(UserError, match="nothing to export"):
        grid_export.page(held, {}, face)


def test_whose_link_ends_has_no_grid_that_goes_on(studio: Studio, painter: ToyPainter) -> None:
    hold(painter, 0)
    grid = begun(studio, person=GUEST)
    wait_until(lambda: len(studio.book.queue.listing().jobs) == 2)
    studio.people.on_dropped([GUEST.user])
    hold(painter, 100)
    wait_until(lambda: not studio.book.queue.listing().jobs)
    assert news(studio, grid, GUEST)["state"] == "stopped" and len(painter.drawn) == 1


def test_a_cell_is_not_edited_in_the_queue(studio: Studio, painter: ToyPainter) -> None:
    hold(painter, 0)
    begun(studio)
    wait_until(lambda: len(studio.book.queue.listing().jobs) == 2)
    waits = next(job for job in studio.book.queue.listing().jobs if job.state == "waiting")
    assert waits.chain_words == "Cell of a grid of 6"
    with pytest.raises(UserError, match="cell of a grid"):
        studio.queue.take(waits.id, ME.user)
