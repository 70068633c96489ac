"""The strip of a picture: its steps with what was said and what acted, how it looked at each, and what goes on from them."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from models.errors import UserError
from models.library.catalog import Catalog
from models.memory.forecast import Machine
from pipelines import Studio
from pipelines.gallery.person import Person
from pipelines.images.store import INPUTS, Inputs
from pipelines.job_book.book import JobBook, PictureRecord
from pipelines.jobs.outputs import Outputs, read
from pipelines.requests.branch import branch_of
from pipelines.requests.request import Drawing, Enlarge, Request, TextToImage
from pipelines.runtime.runner import ModelRunner
from pipelines.steps.store import KeptSteps, person_of, shares_of
from tests.support.card_toys import given
from tests.support.doors import RunningDoor
from tests.support.drawing import blots
from tests.support.toy_weights import CPU, write_toy_model
from tests.support.toys import wait_until

pytest_plugins = ("tests.support.door_fixtures",)
ME, OTHER = ({"Cookie": f"atelier_user={letter * 22}"} for letter in "kl")
WHO = Person("somebody")
STEPS = 5


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    folder = tmp_path_factory.mktemp("strips")
    outputs = folder / "outputs"
    write_toy_model(folder / "starter")
    catalog = Catalog(folder / "starter", [folder / "models"])
    catalog.rescan(wait=True)
    inputs, kept = Inputs(outputs / INPUTS), KeptSteps(outputs, 10**9)
    runner = ModelRunner(catalog, CPU, Machine(host=10**9), inputs, steps=kept)
    book = JobBook(outputs / "studio.db", outputs)
    made = Studio(catalog, Outputs(outputs), book, lambda: runner, inputs=inputs, steps=kept)
    made.start()
    yield made
    made.close()


def drawn(studio: Studio, request: Request) -> PictureRecord:
    job = studio.submit(request, WHO.user)
    wait_until(lambda: studio.job(job, WHO.user).state not in ("waiting", "running"), 60)
    assert studio.job(job, WHO.user).message == ""
    [record] = studio.book.pictures_of(job)
    return record


def kept(studio: Studio, record: PictureRecord) -> PictureRecord:
    wait_until(lambda: studio.steps.of_picture(record.path))
    return record


@pytest.fixture(scope="module")
def day(studio: Studio) -> PictureRecord:
    drawn(studio, TextToImage(**given(steps=1)))  # the model is read, so that the next one tells the pace
    return kept(studio, drawn(studio, TextToImage(**given(steps=STEPS, prompt="[a red house:a blue ball:1] by day"))))


def bits(record: PictureRecord) -> bytes:
    with Image.open(record.path) as image:
        return image.tobytes()


def test_a_strip_tells_the_noise_and_the_words_of_every_step(studio: Studio, day: PictureRecord) -> None:
    strip = studio.strips.of(day)
    assert strip["kept"] and strip["note"] == "" and strip["bytes"] > 1_000
    assert [line["step"] for line in strip["steps"]] == [1, 2, 3, 4, 5]
    levels = [line["sigma"] or 0.0 for line in strip["steps"]]
    assert levels == sorted(levels, reverse=True) and levels[0] > 10
    assert [line["said"] for line in strip["steps"]] == ["a red house by day"] * 2 + ["a blue ball by day"] * 3
    assert strip["seconds"] is not None and 0 < strip["seconds"] < 30
    json.dumps(strip)
    untold = studio.strips.of(day, tells=False)
    assert "house" not in json.dumps(untold) and [line["sigma"] for line in untold["steps"]] == levels


def test_each_step_has_its_preview_and_all_of_them_make_a_film(studio: Studio, day: PictureRecord) -> None:
    looks = [studio.strips.preview(day, 0, step) for step in range(1, STEPS + 1)]
    assert all(look.startswith(b"\xff\xd8") for look in looks) and len(set(looks)) == STEPS
    with Image.open(io.BytesIO(studio.strips.film(day))) as film:
        assert film.format == "WEBP" and getattr(film, "n_frames", 0) == STEPS
    with pytest.raises(UserError, match="not kept"):
        studio.strips.preview(day, 0, STEPS + 1)


def test_a_branch_is_submitted_like_any_drawing_and_its_record_makes_it_again(studio: Studio, day: PictureRecord) -> None:
    same = drawn(studio, studio.branched(day.id, WHO, 3))
    assert bits(same) == bits(day)
    assert isinstance(day.request, TextToImage)
    asked = TextToImage(**given(steps=STEPS, prompt="snow", seed=-1))
    night = drawn(studio, studio.branched(day.id, WHO, 3, request=asked))
    assert bits(night) != bits(day) and night.seed == day.seed
    found = read(night.path)
    assert isinstance(found, Drawing) and (use := branch_of(found)) and (use.step, use.of) == (3, day.request)
    again = drawn(studio, studio.settings(night.path, WHO.user).request)
    assert bits(again) == bits(night)
    strip = studio.strips.of(kept(studio, night))
    assert (strip["branch_step"], strip["branch_of"]) == (3, day.request.prompt)
    assert [line["said"] for line in strip["steps"]] == ["a red house by day"] * 2 + ["a blue ball by day"] + ["snow"] * 2


def test_another_drawing_of_a_branch_that_is_changed_is_no_branch(studio: Studio, day: PictureRecord) -> None:
    """A form that was filled with its settings makes it again, until something is changed."""
    night = drawn(studio, studio.branched(day.id, WHO, 2, request=TextToImage(**given(steps=STEPS, prompt="snow"))))
    settings = studio.settings(night.path, WHO.user).request
    assert isinstance(settings, TextToImage)
    for changes in ({"prompt": "a ball"}, {"seed": 9}):
        free = drawn(studio, replace(settings, **changes))
        assert isinstance(free.request, TextToImage) and branch_of(free.request) is None


def test_a_step_is_kept_as_a_picture_of_its_own(studio: Studio, day: PictureRecord) -> None:
    early = drawn(studio, studio.branched(day.id, WHO, 1, shown=True))
    last = drawn(studio, studio.branched(day.id, WHO, STEPS, shown=True))
    assert bits(early) != bits(day) == bits(last)


def test_nobody_goes_on_from_what_they_do_not_see_nor_from_what_has_no_steps(studio: Studio, day: PictureRecord) -> None:
    with pytest.raises(UserError, match="no such picture"):
        studio.branched(day.id, Person("somebody else"), 2)
    taken = studio.uploads.picture(_png(), WHO.user)
    large = drawn(studio, Enlarge(image=taken.id))
    for ask in (lambda: studio.strips.of(large), lambda: studio.branched(large.id, WHO, 1)):
        with pytest.raises(UserError, match="step by step"):
            ask()


def _png() -> bytes:
    stream = io.BytesIO()
    blots((16, 16)).save(stream, "png")
    return stream.getvalue()


def test_steps_go_with_their_picture(studio: Studio) -> None:
    record = kept(studio, drawn(studio, TextToImage(**given(steps=2, seed=77))))
    studio.gallery.marks.throw([record.id], WHO)
    assert studio.steps.of_picture(record.path), "it may come back"
    studio.gallery.marks.empty(WHO)
    assert studio.gallery.bin.remove_due(lambda seconds: None) == 1
    assert studio.steps.of_picture(record.path) is None
    strip = studio.strips.of(record)
    assert not strip["kept"] and "not kept" in strip["note"] and len(strip["steps"]) == 2
    with pytest.raises(UserError, match="not kept"):
        studio.strips.film(record)


# ---- the room ------------------------------------------------------------------------------------------------------------------


def files_of(folder: Path, *names: str) -> KeptSteps:
    store = KeptSteps(folder, 250)
    store.folder.mkdir()
    for place, name in enumerate(names):
        path = store.folder / f"{name}.{place:032x}.steps"
        path.write_bytes(b"x" * 100)
        os.utime(path, (1_000 + place, 1_000 + place))
    return store


def test_when_room_is_needed_the_oldest_go_first_and_rated_ones_last(tmp_path: Path) -> None:
    store = files_of(tmp_path, "first", "second", "third", "fourth")
    assert store.make_room(lambda: ["2026-01-01/first.png"]) == 2
    assert [path.name.partition(".")[0] for path in sorted(store.folder.glob("*"))] == ["first", "fourth"]
    assert store.make_room(tuple) == 0


def test_nobody_loses_steps_within_their_share_by_what_somebody_else_draws(tmp_path: Path) -> None:
    """Half of the room is the owner's, and guests have the other half in equal parts; what is not used others may use."""
    own, ada, bob = person_of("owner", True), person_of("ada", False), person_of("bob", False)
    store = files_of(
        tmp_path, *(f"{name}.{whose}" for name, whose in (("o1", own), ("o2", own), ("a1", ada), ("a2", ada), ("a3", ada), ("b1", bob)))
    )
    store.budget = 400
    assert store.make_room(lambda: ["a1.png"]) == 2
    left = [path.name.partition(".")[0] for path in sorted(store.folder.glob("*"))]
    assert left == ["a1", "b1", "o1", "o2"], "the guest who takes most gives first, the rated one last"
    store.budget = 200
    assert store.make_room() == 2 and len(list(store.folder.glob(f"*{own}*"))) == 1
    assert shares_of(400, [own]) == {own: 400} and shares_of(400, [ada, bob]) == {ada: 200, bob: 200}
    assert shares_of(400, ["", ada, bob]) == {"": 200, ada: 100, bob: 100}, "what an earlier version kept is the owner's"


def test_a_budget_of_nothing_keeps_nothing(tmp_path: Path) -> None:
    store = files_of(tmp_path, "first")
    store.budget = 0
    assert store.make_room() == 1 and store.bytes == 0


# ---- over HTTP -----------------------------------------------------------------------------------------------------------------


def test_over_http_a_picture_without_steps_says_so_and_other_people_see_nothing(studio_door: RunningDoor) -> None:
    _, [job] = studio_door.run({"prompt": "a red house", "steps": 3, "width": 64, "height": 64, "seed": 7}, ME)
    [picture] = [each["id"] for each in studio_door.finish(job, ME)["pictures"]]
    strip = studio_door.ask("GET", f"/picture/{picture}/steps", headers=ME).json()
    assert not strip["kept"] and [line["step"] for line in strip["steps"]] == [1, 2, 3] and strip["note"]
    guest = OTHER | {"Host": f"lan.test:{studio_door.port}"}
    for path in ("steps", "steps/0/1.jpg", "steps.webp"):
        assert studio_door.ask("GET", f"/picture/{picture}/{path}", headers=guest).status == 404
    for path in ("steps/0/1.jpg", "steps.webp"):
        answer = studio_door.ask("GET", f"/picture/{picture}/{path}", headers=ME)
        assert answer.status == 422 and "not kept" in answer.json()["message"]
    values = {"prompt": "snow", "steps": 3, "width": 64, "height": 64}
    answer = studio_door.post_json(f"/picture/{picture}/steps/branch", {"step": 2, "kind": "txt2img", "values": values}, ME)
    assert answer.status == 200, answer.text
    finished = studio_door.finish(answer.json()["id"], ME)
    assert finished["state"] == "done"
    lineage = studio_door.ask("GET", f"/picture/{finished['pictures'][0]['id']}/lineage", headers=ME).json()
    assert [(tie["parent"], tie["how"]) for tie in lineage["ties"]] == [(picture, "Branch after step 2")]
    for order in ({"step": 9}, {"step": "2"}, {}, {"step": 2, "kind": "enlarge", "values": {}}, {"step": 2, "kind": "txt2img"}):
        answer = studio_door.post_json(f"/picture/{picture}/steps/branch", order, ME)
        assert answer.status == 422 and answer.json()["message"], order
    assert studio_door.post_json(f"/picture/{picture}/steps/keep", {"step": 1}, guest).status == 422
