"""Finishes: steps from a picture, one job each. What they are made of, what they carry along, and that nothing of them is lost."""

from __future__ import annotations

import itertools
import json
from collections.abc import Generator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from models.errors import UserError
from pipelines import Person, PictureRecord, Studio
from pipelines.job_book.book import DONE, FAILED
from pipelines.job_book.following import Carried
from pipelines.jobs.events import Picture
from pipelines.jobs.outputs import read
from pipelines.requests.details import PAINTED, DetailBox, Detailer
from pipelines.requests.finish import MOST_STEPS, Chain, FinishStep, bare, own_of, read_chain, read_steps, sizes
from pipelines.requests.remaining import Progress
from pipelines.requests.request import ControlUse, Details, Drawing, Enlarge, Request, SecondPass, TextToImage, describe
from tests.support.toys import toy_studio, wait_until

ME = Person("me", owner=True)
WHOLE = Enlarge(factor=2.0), SecondPass(hires_factor=2.0, steps=2), Details(steps=2), Enlarge(factor=0.5)


def told(*requests: Request, **looks: Any) -> list[dict[str, object]]:
    """Steps as a page sends them."""
    return [{"request": describe(each), **looks} for each in requests]


@pytest.fixture
def studio(tmp_path: Path) -> Generator[Studio]:
    made = toy_studio(tmp_path)
    yield made
    made.close()


def draw(studio: Studio, **changes: Any) -> PictureRecord:
    asked = replace(TextToImage(prompt="a red house", seed=7, steps=1, width=64, height=64), **changes)
    job = studio.submit(asked, ME.user, True)
    return wait_until_pictures(studio, job)


def wait_until_pictures(studio: Studio, job: str) -> PictureRecord:
    wait_until(lambda: studio.book.pictures_of(job))
    return studio.book.pictures_of(job)[0]


def rest(studio: Studio) -> list[PictureRecord]:
    """All pictures that are not in the bin, the oldest first, once nothing waits any more."""
    wait_until(lambda: not studio.book.queue.listing().jobs)
    return studio.recent(ME.user, owner=True)[::-1]


def jobs(studio: Studio) -> list[tuple[str, str, str]]:
    rows = studio.book.file.rows("select json_extract(request, '$.kind') as kind, state, message from job order by number")
    return [(row["kind"], row["state"], row["message"]) for row in rows]


# ---- what it is made of ----------------------------------------------------------------------------------------------------------


def test_a_step_has_nothing_of_the_picture_that_stood_in_the_form() -> None:
    box = DetailBox(right=5, bottom=5)
    asked = Details(image="a" * 64, mask="b" * 64, boxes=(box,), seed=5, batch_count=4, prompt="a face", threads=3, denoising_strength=0.6)
    assert bare(asked) == Details(prompt="a face", denoising_strength=0.6)


def test_what_a_picture_says_of_itself_are_its_words_as_they_were_read_its_seed_and_its_models() -> None:
    made = TextToImage(prompt="a (b:1.2)", language=1, seed=5, checkpoint="other", steps=9, guidance_scale=2.0, clip_skip=2)
    own = own_of(made)
    assert {name: own[name] for name in ("prompt", "language", "seed", "checkpoint", "clip_skip")} == {
        "prompt": "a (b:1.2)", "language": 1, "seed": 5, "checkpoint": "other", "clip_skip": 2,
    }  # fmt: skip
    assert not {"steps", "guidance_scale", "width", "sampler", "controls"} & own.keys()
    assert own_of(made, model=False).keys() == {
        "prompt", "negative_prompt", "second_prompt", "regions", "base_share", "region_ratios", "language", "seed",
    }  # fmt: skip
    assert own_of(Enlarge()) == {}


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        (TextToImage(), "made of Enlarge, Hires fix and Details"),
        (SecondPass(controls=(ControlUse(id="tile", image="c" * 64),)), "has a picture of its own"),
        (Details(detailers=(Detailer(detector=PAINTED),)), "Choose another detector"),
    ],
)
def test_what_can_be_no_step_is_said(asked: Request, sentence: str) -> None:
    with pytest.raises(UserError, match=sentence):
        bare(asked)


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ([], "at least one step"),
        (None, "at least one step"),
        (told(*[Enlarge()] * (MOST_STEPS + 1)), "13 steps; 12 are the most"),
        ([{"request": {"kind": "enlarge", "factor": 99.0}}], "Factor must be between"),
        ([{"request": {"kind": "sharpen"}}], "a kind that this version does not know"),
        (["enlarge"], "cannot be read"),
    ],
)
def test_steps_from_outside_are_looked_at(values: object, sentence: str) -> None:
    with pytest.raises(UserError, match=sentence):
        read_steps(values)


def test_sizes_are_known_before_and_the_step_that_is_too_much_is_named() -> None:
    steps = read_steps(told(Enlarge(factor=3.0), SecondPass(hires_factor=1.5), Details(), Enlarge(factor=0.5)))
    assert sizes(steps, (64, 40)) == [(192, 120), (288, 176), (288, 176), (144, 88)]
    with pytest.raises(UserError, match=r"Step 2, Hires fix: .*would draw 3,064 × 3,064"):
        sizes(steps, (682, 682))


def test_a_chain_that_was_written_is_read_and_any_other_text_is_none() -> None:
    chain = Chain("Web", (FinishStep(Enlarge(factor=3.0), keep=False), FinishStep(SecondPass(), own=False)), 1, {"prompt": "é"}, "job")
    assert read_chain(chain.written()) == chain
    older = json.dumps(json.loads(chain.written()) | {"format": 2})
    beyond = json.dumps(json.loads(chain.written()) | {"at": 2})
    assert [read_chain(text) for text in ("", "{", "[]", older, beyond, "[" * 100_000)] == [None] * 6


# ---- what is saved ---------------------------------------------------------------------------------------------------------------


def test_a_finish_is_saved_changed_and_deleted_each_person_has_their_own(studio: Studio) -> None:
    own = studio.finishes.save("me", "  For  the web ", told(Enlarge(), SecondPass(), keep=False), "")
    studio.finishes.save("you", "Yours", told(Enlarge()), "stars")
    [line] = studio.finishes.all("me")
    assert (line["name"], line["starts"]) == ("For the web", "")
    assert [(step["title"], step["keep"], step["own"]) for step in line["steps"]] == [("Enlarge", False, True), ("Hires fix", False, True)]
    studio.finishes.save("me", "Print", told(Enlarge(factor=4.0)), "favourite", own)
    [line] = studio.finishes.all("me")
    assert (line["id"], line["name"], line["starts"], line["steps"][0]["words"]) == (own, "Print", "favourite", "× 4, Lanczos")
    studio.finishes.delete("me", own)
    assert studio.finishes.all("me") == [] and len(studio.finishes.all("you")) == 1
    for act in (lambda: studio.finishes.delete("me", own), lambda: studio.finishes.save("me", "Print", told(Enlarge()), "", own)):
        with pytest.raises(UserError, match="no such finish"):
            act()


@pytest.mark.parametrize(
    ("name", "starts", "sentence"),
    [("", "", "Give the finish a name"), ("n" * 10_000, "", "10,000"), ("n", "always", "begins by hand")],
)
def test_what_cannot_be_saved_is_said(name: str, starts: str, sentence: str, studio: Studio) -> None:
    with pytest.raises(UserError, match=sentence):
        studio.finishes.save("me", name, told(Enlarge()), starts)
    with pytest.raises(UserError, match="Shorten the prompts"):
        studio.finishes.save("me", "long", told(SecondPass(prompt="p" * 100_000)), "")


def test_what_another_version_has_saved_is_listed_with_a_sentence_and_stays_as_it_is(studio: Studio, tmp_path: Path) -> None:
    studio.finishes.save("me", "Now", told(Enlarge()), "")
    [file] = (tmp_path / "outputs" / ".finishes").iterdir()
    newer = {"format": 99, "id": "later", "name": "Later", "spell": 1}
    broken = {"format": 1, "id": "bad", "name": "Bad", "steps": [{"request": {"kind": "enlarge", "factor": "two"}}]}
    file.write_text(json.dumps({"finishes": [newer, broken, *json.loads(file.read_text())["finishes"]]}))
    later, bad, now = studio.finishes.all("me")
    assert "newer Atelier" in later["note"] and "cannot be read" in bad["note"] and now["note"] == ""
    with pytest.raises(UserError, match="newer Atelier"):
        studio.finishes.apply([draw(studio).id], ME, "later")
    studio.finishes.save("me", "More", told(Enlarge()), "")
    assert json.loads(file.read_text())["finishes"][:2] == [newer, broken]
    file.write_text("{")
    with pytest.raises(UserError, match="Move it away"):
        studio.finishes.save("me", "Over it", told(Enlarge()), "")
    assert file.read_text() == "{"


# ---- applied ---------------------------------------------------------------------------------------------------------------------


def test_each_step_is_a_job_from_the_picture_of_the_one_before_and_says_in_its_record_how_to_make_it(studio: Studio) -> None:
    first = draw(studio)
    finish = studio.finishes.save("me", "Whole", told(*WHOLE[:2], WHOLE[3]), "")
    assert studio.finishes.apply([first.id], ME, finish) == 1
    pictures = rest(studio)
    assert [each.request.kind for each in pictures] == ["txt2img", "enlarge", "hires", "enlarge"]
    assert [(each.width, each.height) for each in pictures] == [(64, 64), (128, 128), (256, 256), (128, 128)]
    for before, after in itertools.pairwise(pictures):
        asked = after.request
        assert isinstance(asked, (Enlarge, SecondPass))
        with Image.open(before.path) as file:
            assert studio.uploads.inputs.open(asked.image).tobytes() == file.convert("RGB").tobytes()
        assert read(after.path) == asked
    drawn = pictures[2].request
    assert isinstance(drawn, Drawing)
    assert (drawn.prompt, drawn.seed, drawn.steps) == ("a red house", 7, 2)  # words and seed of the picture, steps of the step
    assert {state for _, state, _ in jobs(studio)} == {DONE}


def test_a_step_with_words_of_its_own_draws_these(studio: Studio) -> None:
    first = draw(studio)
    studio.finishes.apply([first.id], ME, steps=told(Enlarge(), SecondPass(prompt="a blue ball", steps=1), own=False))
    drawn = rest(studio)[-1].request
    assert isinstance(drawn, SecondPass) and drawn.prompt == "a blue ball" and drawn.seed != 7


def test_what_is_not_to_be_kept_goes_to_the_bin_when_the_next_one_is_there_unless_it_was_marked(studio: Studio) -> None:
    first = draw(studio)
    steps = told(Enlarge(), Enlarge(), Enlarge(factor=0.5), keep=False)
    studio.finishes.apply([first.id], ME, steps=steps)
    assert [(each.request.kind, each.width) for each in rest(studio)] == [("txt2img", 64), ("enlarge", 128)]
    assert studio.gallery.bin.content(ME)["count"] == 2
    studio.book.queue.pause("me", True)
    studio.finishes.apply([first.id], ME, steps=steps)
    _pace(studio, 1)
    made = studio.recent(ME.user)[0]
    studio.gallery.marks.rate([made.id], ME, 3)
    studio.queue.pause("me", False)
    rest(studio)
    wait_until(lambda: [each.width for each in rest(studio)] == [64, 128, 128, 128])  # it goes there once its job has ended


def _pace(studio: Studio, count: int) -> None:
    """So many jobs are done, then all pauses again."""
    before = len([1 for _, state, _ in jobs(studio) if state == DONE])
    for _ in range(count):
        studio.queue.pause("me", False)
        wait_until(lambda: len([1 for _, state, _ in jobs(studio) if state == DONE]) > before)
        studio.queue.pause("me", True)


def red_spot(studio: Studio) -> str:
    """A finished picture with one thing of the colour that is looked for."""
    record = draw(studio)
    image = Image.new("RGB", (64, 64), "white")
    image.paste((0xD0, 0x30, 0x30), (10, 12, 30, 34))
    image.save(record.path)
    return record.id


def test_details_are_looked_for_when_their_turn_has_come_and_stand_in_the_record(studio: Studio) -> None:
    studio.finishes.apply([red_spot(studio)], ME, steps=told(Enlarge(filter="Nearest"), Details(detailers=(Detailer(grow=0),))))
    details = rest(studio)[-1].request
    assert isinstance(details, Details)
    assert [each.box for each in details.boxes] == [(20, 24, 60, 68)]  # where it is in the picture of twice the size
    assert details.prompt == "a red house"


def test_where_nothing_is_found_the_step_is_left_out_and_the_next_goes_on_from_the_picture_before(studio: Studio) -> None:
    first = draw(studio)
    Image.new("RGB", (64, 64), "white").save(first.path)
    studio.finishes.apply([first.id], ME, steps=told(Enlarge(factor=3.0), Details(), Enlarge(factor=0.5), keep=False))
    assert [(each.request.kind, each.width) for each in rest(studio)] == [("txt2img", 64), ("enlarge", 96)]
    assert [message for kind, _, message in jobs(studio) if kind == "details"] == [
        "Nothing was found, so this step has left the picture as it was."
    ]
    studio.finishes.apply([first.id], ME, steps=told(Enlarge(factor=3.0), Details(), keep=False))
    assert rest(studio)[-1].width == 192  # of the last step that made something, which stays


def test_what_goes_wrong_in_a_step_is_a_sentence_and_the_pictures_before_it_stay(studio: Studio) -> None:
    first = draw(studio)
    studio.finishes.apply([first.id], ME, steps=told(Enlarge(), SecondPass(prompt="please fail"), Enlarge(), own=False, keep=False))
    assert [each.request.kind for each in rest(studio)] == ["txt2img", "enlarge"]
    assert jobs(studio)[1:] == [("enlarge", DONE, ""), ("hires", FAILED, "The toy was asked to fail. Ask for something else.")]


@pytest.mark.parametrize(
    ("steps", "sentence"),
    [
        (told(Enlarge(), Enlarge(upscaler="gone")), "Step 2, Enlarge: "),
        (told(Enlarge(), SecondPass(checkpoint="gone"), own=False), "Step 2, Hires fix: "),
        (told(Enlarge(factor=16.0), Enlarge(factor=16.0)), "Step 2, Enlarge: The picture would become"),
    ],
)
def test_what_a_later_step_lacks_is_said_before_the_first_is_queued(steps: object, sentence: str, studio: Studio) -> None:
    first = draw(studio)
    with pytest.raises(UserError, match=sentence):
        studio.finishes.apply([first.id], ME, steps=steps)
    assert len(jobs(studio)) == 1


def test_too_many_pictures_and_those_of_others_are_refused_before_anything_is_queued(studio: Studio) -> None:
    first = draw(studio)
    with pytest.raises(UserError, match="500 jobs are too many at once: 200 may wait, and there is room for 200"):
        studio.finishes.apply([first.id], ME, steps=told(Enlarge()), of=500)
    with pytest.raises(UserError, match="500 pictures are too many for one order"):
        studio.finishes.apply([first.id] * 500, ME, steps=told(Enlarge()))
    with pytest.raises(UserError, match="no such picture among yours"):
        studio.finishes.apply([first.id], Person("you"), steps=told(Enlarge()))
    assert len(jobs(studio)) == 1


def test_one_of_several_that_would_be_too_large_is_named_before_any_is_queued(studio: Studio) -> None:
    small, large = draw(studio), draw(studio, seed=8)
    Image.new("RGB", (64, 64)).save(large.path)
    studio.book.file.db.execute("update picture set width = 9000, height = 9000 where id = ?", (large.id,))
    with pytest.raises(UserError, match=f"{large.path.name}: Step 1, Enlarge: The picture would become 18,000"):
        studio.finishes.apply([small.id, large.id], ME, steps=told(Enlarge()))
    assert len(jobs(studio)) == 2


def test_a_finish_begins_by_itself_once_a_picture_and_never_on_what_came_of_one(studio: Studio) -> None:
    first = draw(studio)
    studio.finishes.save("me", "Web", told(Enlarge(), Enlarge(factor=0.5)), "stars")
    assert studio.finishes.marked([first.id], ME, "favourite", True) == studio.finishes.marked([first.id], ME, "rate", 4) == ""
    assert studio.finishes.marked([first.id], ME, "rate", 5) == "“Web” is begun for it."
    assert [each.width for each in rest(studio)] == [64, 128, 64]
    studio.finishes.marked([first.id, *(each.id for each in rest(studio))], ME, "rate", 5)
    assert len(rest(studio)) == 3
    assert "Select them" in studio.finishes.marked([first.id] * 21, ME, "rate", 5)


def test_the_sizes_are_said_before(studio: Studio) -> None:
    first = draw(studio)
    assert studio.finishes.plan(first.id, ME, told(Enlarge(factor=3.0), Details())) == "From 64 × 64 → 192 × 192 → 192 × 192."
    assert studio.finishes.plan(first.id, ME, told(SecondPass(hires_factor=1.0), SecondPass(hires_width=4096))).startswith(
        "Step 2, Hires fix: "
    )


# ---- nothing is lost -------------------------------------------------------------------------------------------------------------


def test_the_queue_says_which_step_of_what_a_job_is(studio: Studio) -> None:
    studio.book.queue.pause("me", True)
    job = studio.submit(Enlarge(image=studio.uploads.keep(Image.new("RGB", (8, 8)), "me").id), "me", True)
    studio.finishes.save("me", "Web", told(Enlarge(), SecondPass(), Details()), "")
    studio.queue.pause("me", False)
    wait_until(lambda: studio.book.pictures_of(job))
    studio.queue.pause("me", True)
    [line] = studio.finishes.all("me")
    studio.finishes.apply([studio.book.pictures_of(job)[0].id], ME, line["id"])
    [queued] = studio.queue.news("me", True)["jobs"] or []
    assert queued["finish"] == "Web · step 1 of 3, then Hires fix, Details"
    copy = studio.queue.duplicate(queued["job"], "me", True)
    assert [each["finish"] for each in studio.queue.news("me", True)["jobs"] or []] == [queued["finish"]] * 2
    chains = [read_chain(row["chain"]) for row in studio.book.file.rows("select chain from job where id in (?, ?)", (queued["job"], copy))]
    assert len({chain.id for chain in chains if chain}) == 2


def test_a_step_that_a_restart_has_cut_off_is_begun_once_more(tmp_path: Path) -> None:
    studio = toy_studio(tmp_path, start=False)
    image = studio.uploads.keep(Image.new("RGB", (8, 8)), "me").id
    chain = Chain("Web", read_steps(told(Enlarge())))
    step = studio.book.submit(Enlarge(image=image), "me", True, carried=Carried(chain.written(), chain.words))
    other = studio.book.submit(Enlarge(image=image), "you", True)
    states: list[dict[str, str]] = []
    for _ in range(2):
        while studio.book.claim():
            pass
        studio.book.recover()
        states.append({name: job.state for name in (step, other) if (job := studio.book.job(name))})
    studio.close()
    assert states == [{step: "waiting", other: "interrupted"}, {step: "interrupted", other: "interrupted"}]


def test_a_kill_between_a_picture_and_the_book_loses_no_step(tmp_path: Path) -> None:
    """The picture is on the disk, and neither in the book nor followed by anything; the next start finds it and goes on behind it."""
    studio = toy_studio(tmp_path)
    first = draw(studio)
    studio.close()
    studio = toy_studio(tmp_path, start=False)
    studio.finishes.apply([first.id], ME, steps=told(Enlarge(), Enlarge(factor=0.5), keep=False))
    job = studio.book.claim()
    assert job
    with Image.open(first.path) as file:
        studio._worker.outputs.save(file.resize((128, 128)), job.request, {})
    studio.book.close()  # a kill: nothing is written any more
    studio = toy_studio(tmp_path)
    assert [(each.request.kind, each.width) for each in rest(studio)] == [("txt2img", 64), ("enlarge", 64)]
    assert [state for _, state, _ in jobs(studio)] == [DONE] * 3
    studio.close()


def test_a_kill_behind_a_picture_queues_its_next_step_once(tmp_path: Path) -> None:
    """The picture and what follows are in the book, and its job is not at its end; the next start comes to that job once more."""
    studio = toy_studio(tmp_path)
    first = draw(studio)
    studio.close()
    studio = toy_studio(tmp_path, start=False)
    studio.finishes.apply([first.id], ME, steps=told(Enlarge(), Enlarge(factor=0.5)))
    job = studio.book.claim()
    assert job
    image = Image.new("RGB", (128, 128))
    path = studio._worker.outputs.save(image, job.request, {})
    then = studio._worker.hands[0].around.followers.after(job, Picture(image, job.request, {}, 0, 1))
    studio.book.add_picture(job, path, job.request, image.size, progress=Progress(pictures=1), then=then)
    studio.book.close()
    studio = toy_studio(tmp_path)
    assert [(each.request.kind, each.width) for each in rest(studio)] == [("txt2img", 64), ("enlarge", 128), ("enlarge", 64)]
    assert jobs(studio)[1:] == [("enlarge", DONE, "")] * 2
    studio.close()
