"""Lineage: what a picture was made from, what was made from it, what was changed on the way, and who is told."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pipelines import Studio
from pipelines.gallery.person import Person
from pipelines.job_book.book import PictureRecord
from pipelines.people.rules import Maker, Wanted
from pipelines.requests.request import Enlarge, ImageToImage, Request, TextToImage
from tests.support.toys import toy_studio, wait_until

OWNER = Person("owner", owner=True)
SMALL: dict[str, Any] = {"steps": 1, "width": 64, "height": 64}
FIRST = TextToImage(prompt="waves", seed=1, **SMALL)


@pytest.fixture
def studio(tmp_path: Path) -> Iterator[Studio]:
    made = toy_studio(tmp_path)
    yield made
    made.close()


def drawn(studio: Studio, request: Request, origin: str = "") -> PictureRecord:
    job = studio.submit(request, OWNER.user, owner=True, origin=origin)
    wait_until(lambda: (found := studio.book.job(job)) and found.state in ("done", "failed"))
    return studio.book.pictures_of(job)[0]


def taken(studio: Studio, record: PictureRecord) -> str:
    return studio.uploads.adopt(record, OWNER.user).id


def walked(studio: Studio, record: PictureRecord, person: Person = OWNER) -> dict[tuple[int, int], Any]:
    """(seed of the parent, seed of the child) -> the tie."""
    told = studio.lineage.of(record.id, person)
    assert told["pictures"][0]["id"] == record.id and not told["more"]
    seeds = {each["id"]: found.seed for each in told["pictures"] if (found := studio.book.picture(each["id"]))}
    return {(seeds[tie["parent"]], seeds[tie["child"]]): tie for tie in told["ties"]}


def changed(tie: Any) -> dict[str, tuple[str, str]]:
    return {each["title"]: (each["before"], each["after"]) for each in tie["changes"]}


def a_family(studio: Studio) -> dict[str, PictureRecord]:
    first = drawn(studio, FIRST)
    night = ImageToImage(prompt="waves at night", seed=2, image=taken(studio, first), denoising_strength=0.4, **SMALL)
    over = drawn(studio, night)
    return {"first": first, "over": over, "varied": drawn(studio, replace(night, seed=3, denoising_strength=0.5), over.id)}


def test_each_picture_knows_from_which_it_came_how_and_what_was_changed(studio: Studio) -> None:
    family = a_family(studio)
    larger = drawn(studio, Enlarge(image=taken(studio, family["varied"]), factor=2))
    ties = walked(studio, family["over"])
    assert set(ties) == {(1, 2), (1, 3), (2, 3), (3, -1)}, "all of them are of one family, however far"
    assert {pair: tie["how"] for pair, tie in ties.items()} == {
        (1, 2): "Image to image", (1, 3): "Image to image", (2, 3): "With its settings", (3, -1): "Enlarge"
    }  # fmt: skip
    assert changed(ties[1, 2]) == {"Prompt": ("waves", "waves at night"), "Seed": ("1", "2"), "Denoising strength": ("", "0.4")}
    assert changed(ties[2, 3]) == {"Seed": ("2", "3"), "Denoising strength": ("0.4", "0.5")}
    assert "Prompt" not in changed(ties[3, -1]), "what the larger one does not have is no change"
    assert larger.request.kind == "enlarge"


def test_who_does_not_see_a_picture_is_told_neither_of_it_nor_of_what_lies_behind_it(studio: Studio) -> None:
    family = a_family(studio)
    board = studio.gallery.boards.create(OWNER, "Sea")
    studio.gallery.boards.share(board, OWNER, shared=True)
    studio.gallery.boards.add(board, [family["varied"].id, family["over"].id], OWNER)
    _, token = studio.people.care.make(Maker("owner", "owner"), Wanted("", "artist", board))
    guest = Person(studio.people.user(studio.people.enter(token, "Bo")), board=board)
    assert set(walked(studio, family["varied"], guest)) == {(2, 3)}
    studio.gallery.marks.hide([family["over"].id], OWNER, hidden=True)
    [tie] = walked(studio, family["varied"], guest).values()
    assert tie["changes"] == [], "what its maker hides is not told as what was changed either"
    told = studio.lineage.of(family["varied"].id, guest)
    assert {(each["id"], each["prompt"]) for each in told["pictures"]} == {(family["varied"].id, "waves at night"), (family["over"].id, "")}


def test_pictures_that_are_found_without_their_book_know_their_family_still(studio: Studio, tmp_path: Path) -> None:
    before = {pair: tie["how"] for pair, tie in walked(studio, a_family(studio)["over"]).items()}
    studio.close()
    (tmp_path / "outputs" / "studio.db").unlink()
    (tmp_path / "outputs" / ".gallery" / "marks.jsonl").unlink(missing_ok=True)
    again = toy_studio(tmp_path, start=False)
    over = next(record for record in again.book.recent(OWNER.user, 9, owner=True) if record.seed == 2)
    assert {pair: tie["how"] for pair, tie in walked(again, over).items()} == before
    again.close()


def test_settings_of_a_picture_that_one_does_not_see_are_no_origin(studio: Studio) -> None:
    first = drawn(studio, FIRST)
    assert studio.origin(first.id, OWNER) == first.id
    assert studio.origin(first.id, Person("stranger")) == studio.origin("none", OWNER) == ""
