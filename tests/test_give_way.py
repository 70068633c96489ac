"""A job that gives way between two batches, or is ended by a kill within one, goes on where it stood: its pictures are those of the
undisturbed run.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pipelines import ImageToImage, Studio, TextToImage
from pipelines.job_book.book import ENDED, JobBook
from pipelines.jobs.events import Picture
from pipelines.jobs.outputs import Outputs
from pipelines.jobs.worker import Worker
from pipelines.requests.remaining import Progress, read_progress
from pipelines.requests.request import Request, input_ids
from pipelines.runtime.runner import ModelRunner
from tests.support.asked import drawing
from tests.support.faults import Files, originals
from tests.support.toys import ToyPainter, toy_studio, wait_until
from tests.test_memory_mid_job import KINDS, PLACES, no_weights, outcome, requests, runner

__all__ = ["originals", "runner"]


def in_pieces(runner: ModelRunner, request: Request, pictures: int) -> list[Picture]:
    """Each time only so many pictures, in a call of its own, with what the job book keeps between the calls."""
    progress, drawn = Progress(), list[Picture]()
    while len(drawn) < request.picture_count:
        progress, before = read_progress(*progress.written()), len(drawn)
        batches = runner.batches(request, progress)
        for batch in batches:
            for event in batch:
                if isinstance(event, Picture):
                    drawn.append(event)
                if len(drawn) - before == pictures:
                    break
            if len(drawn) - before == pictures:
                break
        batches.close()
        if len(drawn) % request.pictures_a_batch == 0:
            progress.batch = len(drawn) // request.pictures_a_batch
    return drawn


@pytest.mark.parametrize("kind", KINDS)
def test_a_job_in_pieces_is_the_job_in_one(runner: ModelRunner, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(PLACES["estimating depth"], lambda annotator, image: np.asarray(image.convert("L"), np.float32))
    monkeypatch.setattr(runner, "annotator", no_weights)
    request = requests(runner)[kind]
    whole = outcome(runner, request)
    for pictures in {1, request.pictures_a_batch}:
        pieces = in_pieces(runner, request, pictures)
        drawn = [(made.index, drawing(made.request).seed, made.image.tobytes(), made.request) for made in pieces]
        assert drawn == whole, f"{pictures} at a time"


def test_two_loopbacks_that_take_turns_are_each_as_if_alone(originals: Files, runner: ModelRunner, tmp_path: Path) -> None:
    loop = replace(requests(runner)["loopback"], steps=1)
    other = replace(requests(runner)["text"], batch_count=3, steps=1)
    alone = {request.kind: [picture[2] for picture in outcome(runner, request)] for request in (loop, other)}
    book = JobBook(tmp_path / "studio.db", tmp_path)
    worker = Worker(book, Outputs(tmp_path), lambda: runner)
    jobs = {worker.submit(loop, "ada"): "img2img", worker.submit(other, "bob"): "txt2img"}
    runs = 0
    while worker.run_next(runner):
        runs += 1
    for job_id, kind in jobs.items():
        assert [Image.open(record.path).tobytes() for record in book.pictures_of(job_id)] == alone[kind]
        assert book.job(job_id).state == "done"  # type: ignore[union-attr]
    assert runs == 6, "they took turns, three batches each"
    later = [record.request for record in book.pictures_of(next(iter(jobs)))][2:]
    assert all(input_ids(request) <= book.inputs.used() for request in later)
    book.close()


# ------------------------------------------------------------------------------------------------ the worker


@pytest.fixture
def studio(tmp_path: Path) -> Iterator[Studio]:
    studio = toy_studio(tmp_path, runner=ToyPainter(0.005))
    yield studio
    studio.close()


def test_a_running_job_waits_meanwhile_and_is_told_so_with_what_it_has(studio: Studio) -> None:
    long = studio.submit(TextToImage(steps=4, seed=5, batch_count=12, width=64, height=64), "ada")
    wait_until(lambda: len(studio.book.pictures_of(long)) >= 2)
    short = studio.submit(TextToImage(steps=40, seed=1, width=64, height=64), "bob")
    wait_until(lambda: studio.job(short, "bob").state == "running")
    seen = studio._news._progress(long, "ada", -1)
    assert seen["state"] == "waiting" and 2 <= len(seen["pictures"]) < 12 and seen["ahead"] == 1
    wait_until(lambda: studio.job(long, "ada").state == "done")
    assert [record.seed for record in studio.book.pictures_of(long)] == list(range(5, 17))
    assert studio.job(short, "bob").state == "done"


def test_stop_meets_a_job_that_has_given_way(studio: Studio) -> None:
    long = studio.submit(TextToImage(steps=2, seed=5, batch_count=50, width=64, height=64), "ada")
    for number in range(12):
        studio.submit(TextToImage(steps=8, seed=number, width=64, height=64), f"guest {number % 3}")
    wait_until(lambda: studio.book.pictures_of(long))
    studio.stop(long, "ada")
    wait_until(lambda: studio.job(long, "ada").state in ENDED)
    assert studio.job(long, "ada").state == "stopped"
    drawn = len(studio.book.pictures_of(long))
    wait_until(lambda: studio.book.waiting() == 0)
    assert len(studio.book.pictures_of(long)) == drawn


@pytest.mark.parametrize("unbooked", [False, True])
def test_after_a_kill_a_job_that_had_come_on_goes_on_and_nothing_comes_twice(tmp_path: Path, unbooked: bool) -> None:
    before = toy_studio(tmp_path, start=False)
    request = TextToImage(steps=1, seed=7, batch_count=4, batch_size=2, width=64, height=64, prompt="killed")
    job_id = before.submit(request, "ada")
    job = before.book.claim()
    assert job
    outputs = Outputs(tmp_path / "outputs")
    for index in range(3):  # in the middle of the second batch
        path = outputs.save(Image.new("RGB", (64, 64)), request.single(index), {})
        if index < 2 or not unbooked:
            before.book.add_picture(job, path, request.single(index), (64, 64), progress=Progress(index // 2, index + 1))
    again = toy_studio(tmp_path)  # the first one is never closed
    wait_until(lambda: again.job(job_id, "ada").state in ENDED)
    assert again.job(job_id, "ada").state == "done"
    assert [record.seed for record in again.book.pictures_of(job_id)] == list(range(7, 15))
    again.close()


@pytest.mark.parametrize("enlarged", [False, True])
def test_a_round_of_a_loopback_that_was_saved_and_not_booked_is_what_the_next_one_begins_with(tmp_path: Path, enlarged: bool) -> None:
    """As it was drawn, where it was enlarged after that."""
    studio = toy_studio(tmp_path, start=False)
    image = studio.uploads.inputs.keep(Image.new("RGB", (64, 64), (9, 9, 9)))
    request = ImageToImage(steps=1, seed=7, loops=3, image=image, width=64, height=64)
    studio.book.submit(request, "ada")
    assert studio.book.claim()
    drawn = Image.effect_noise((64, 64), 80).convert("RGB")
    kept, single = studio.uploads.inputs.keep(drawn), request.single(0)
    large = replace(single, as_drawn=kept) if enlarged else single
    Outputs(tmp_path / "outputs").save(drawn.resize((256, 256)) if enlarged else drawn, large, {})
    again = JobBook(tmp_path / "outputs" / "studio.db", tmp_path / "outputs")
    assert again.recover() == 0
    job = again.claim()
    assert job and job.progress.stored == {0: kept} and job.progress.pictures == 1
    assert set(job.progress.stored.values()) <= again.inputs.used()
    again.close()


def test_a_job_that_dies_each_time_at_the_same_picture_is_not_begun_for_ever(tmp_path: Path) -> None:
    book = JobBook(tmp_path / "studio.db", tmp_path)
    job_id = book.submit(TextToImage(batch_count=5), "ada")
    for died in range(2):
        job = book.claim()
        assert job and job.id == job_id
        if not died:
            book.queue.used(job_id, Progress(1, 1), 1.0)
        book = JobBook(tmp_path / "studio.db", tmp_path)
        assert book.recover() == died
    state: Any = book.job(job_id)
    assert state.state == "interrupted" and book.claim() is None
    assert json.loads(state.progress.written()[2]) == {}
