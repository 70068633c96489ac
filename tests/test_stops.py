"""Stop, at every moment of a job: it ends as one thing, what was announced is kept, and the next job draws as if nothing had been."""

from __future__ import annotations

import pkgutil
import random
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from models.tensors import reading
from pipelines import ImageToImage, Studio, TextToImage
from pipelines.denoising import vae_decode
from pipelines.denoising.denoiser import Denoiser
from pipelines.job_book.book import ENDED, JobBook
from pipelines.job_book.following import Following
from pipelines.jobs.outputs import Outputs
from pipelines.jobs.worker import Worker
from pipelines.requests.request import Request
from pipelines.runtime.runner import ModelRunner
from tests.support.asked import drawing
from tests.support.faults import REQUEST, Files, draw, open_toys, originals, other
from tests.support.toys import ToyPainter, toy_studio, wait_until
from tests.test_control_memory import write_unit
from tests.test_memory_mid_job import PLACES, no_weights, requests

__all__ = ["originals"]


@dataclass
class Workshop:
    """An engine around the real painter, driven by the test's own thread."""

    worker: Worker
    runner: ModelRunner

    def run(self, request: Request) -> tuple[str, list[bytes]]:
        """State and pictures of one job."""
        job_id = self.worker.submit(request, "ada")
        assert self.worker.run_next(self.runner)
        job = self.worker.book.job(job_id)
        assert job and self.worker.live(job_id) is None and self.worker.hands[0].saving.ended == {}
        return job.state, [Image.open(record.path).tobytes() for record in self.worker.book.pictures_of(job_id)]

    def press(self, *verbs: str) -> None:
        for job_id in tuple(self.worker._live):
            for verb in verbs:
                getattr(self.worker, verb)(job_id)


@pytest.fixture(scope="module")
def runner(originals: Files) -> ModelRunner:
    write_unit(originals, "controlnet")
    return open_toys(originals)


@pytest.fixture
def workshop(runner: ModelRunner, tmp_path: Path) -> Iterator[Workshop]:
    book = JobBook(tmp_path / "outputs" / "studio.db", tmp_path / "outputs")
    worker = Worker(book, Outputs(tmp_path / "outputs"), lambda: runner)
    yield Workshop(worker, runner)
    book.close()


class Pressing:
    """Presses in the middle of one call of a function, counted from 1, and counts the calls of all watched ones after it."""

    def __init__(self, whole: Callable[..., Any], press: Callable[[], None], at: int, later: list[str], name: str) -> None:
        self.whole, self.press, self.at, self.later, self.name = whole, press, at, later, name
        self.calls = 0

    def __call__(self, *given: Any, **named: Any) -> Any:
        self.calls += 1
        if self.later:
            self.later.append(self.name)
        if self.calls == self.at:
            self.later.append("pressed")
            self.press()
        return self.whole(*given, **named)

    def __get__(self, owner: Any, kind: Any = None) -> Callable[..., Any]:
        return lambda *given, **named: self(owner, *given, **named)


SAVING = {
    "saving": "pipelines.jobs.outputs.Outputs.save",
    "a picture's entry": "pipelines.job_book.book.JobBook.add_picture",
    "the end": "pipelines.job_book.book.JobBook.end",
}
# kind of job, place and number of the call in which Stop is pressed, pictures that are kept, state
MOMENTS = [
    ("text", "reading the model", 1, 0, "stopped"),
    ("text", "encoding a prompt", 1, 0, "stopped"),
    ("text", "a step", 1, 0, "stopped"),
    ("text", "a step", 3, 0, "stopped"),
    ("text", "decoding", 1, 1, "stopped"),
    ("text", "decoding", 2, 2, "stopped"),
    ("text", "decoding", 4, 4, "done"),
    ("text", "saving", 2, 2, "stopped"),
    ("text", "saving", 4, 4, "done"),
    ("text", "a picture's entry", 3, 3, "stopped"),
    ("text", "the end", 1, 4, "done"),
    ("loopback", "decoding", 2, 2, "stopped"),
    ("loopback", "keeping a round", 3, 3, "stopped"),
    ("loopback", "encoding a picture", 2, 2, "stopped"),
    ("picture", "encoding a picture", 1, 0, "stopped"),
    ("inpainting", "encoding a picture", 1, 0, "stopped"),
    ("outpainting", "decoding", 1, 0, "stopped"),
    ("outpainting", "encoding a picture", 2, 0, "stopped"),
    ("control", "preprocessing", 1, 0, "stopped"),
    ("depth", "estimating depth", 1, 0, "stopped"),
]


@pytest.mark.parametrize(("kind", "place", "call", "kept", "state"), MOMENTS, ids=lambda value: str(value))
def test_f24_stop_acts_in_every_phase_and_loses_nothing_that_was_announced(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch, kind: str, place: str, call: int, kept: int, state: str
) -> None:
    monkeypatch.setattr(PLACES["estimating depth"], lambda annotator, image: np.asarray(image.convert("L"), np.float32))
    monkeypatch.setattr(workshop.runner, "annotator", no_weights)
    request = requests(workshop.runner)[kind]
    whole = workshop.run(request)
    later: list[str] = []
    verbs = ("stop", "stop") if call % 2 else ("skip", "stop", "skip")  # twice, or together with Skip
    with monkeypatch.context() as patch:
        for name, path in (PLACES | SAVING).items():
            owner, _, attribute = path.rpartition(".")
            whole_call = getattr(pkgutil.resolve_name(owner), attribute)
            patch.setattr(path, Pressing(whole_call, lambda: workshop.press(*verbs), call if name == place else 0, later, name))
        assert workshop.run(request) == (state, whole[1][:kept])
    assert later.count("a step") <= drawing(request).batch_size and later.count("decoding") == 0, "it went on for more than a step"
    assert workshop.run(request) == whole


def test_f24_stop_acts_between_the_tiles_of_a_large_picture(workshop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipelines.denoising.vae_decode.TILE", 32)
    tiles: list[int] = []
    whole = vae_decode._decode

    def pressing(*given: Any) -> Any:
        tiles.append(1)
        if len(tiles) == 2:
            workshop.press("stop")
        return whole(*given)

    monkeypatch.setattr("pipelines.denoising.vae_decode._decode", pressing)
    assert workshop.run(replace(REQUEST, steps=1, width=512, height=512)) == ("stopped", []) and len(tiles) == 2


def test_f24_stop_acts_while_a_model_is_read(originals: Files, workshop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    fresh = open_toys(originals)
    workshop.runner = fresh
    request = replace(REQUEST, checkpoint=other(fresh))
    read, reads = reading._fill, []

    def pressing(*given: Any) -> None:
        reads.append(1)
        if len(reads) == 3:
            workshop.press("stop")
        read(*given)

    with monkeypatch.context() as patch:
        patch.setattr("models.tensors.reading._fill", pressing)
        assert workshop.run(request) == ("stopped", [])
        stopped_after = len(reads)
        assert workshop.run(request)[0] == "done"
    assert stopped_after <= 3 + 2 * reading.READERS < len(reads) - stopped_after
    assert workshop.run(request)[1] == draw(open_toys(originals), request)


def test_an_interruption_that_comes_too_late_disturbs_no_other_job(originals: Files, workshop: Workshop) -> None:
    fresh = open_toys(originals)
    workshop.runner = fresh
    loading, begun = fresh._loaders._go_on, []

    def late() -> None:
        begun.append(1)
        if len(begun) == 2:
            fresh.interrupt()  # of a job that has ended meanwhile
        loading()

    fresh._loaders._go_on = late
    request = replace(REQUEST, checkpoint=other(fresh))
    assert workshop.run(request) == ("done", draw(open_toys(originals), request))


# ------------------------------------------------------------------------------------------------ stop against end


@pytest.fixture
def painter() -> ToyPainter:
    return ToyPainter(0.01)


@pytest.fixture
def studio(tmp_path: Path, painter: ToyPainter) -> Iterator[Studio]:
    studio = toy_studio(tmp_path, runner=painter)
    yield studio
    studio.close()


def test_f26_stop_and_end_race_and_each_job_ends_as_exactly_one_thing(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    chance, ends = random.Random(26), dict[str, list[str]]()
    end = studio.book.end

    def noted(job_id: str, state: str, message: str = "", then: Following | None = None) -> None:
        ends.setdefault(job_id, []).append(state)
        end(job_id, state, message, then)

    monkeypatch.setattr(studio.book, "end", noted)
    jobs = []
    for seed in range(60):
        job = studio.submit(TextToImage(steps=4, seed=seed, width=64, height=64), "ada")
        jobs.append(job)
        wait_until(lambda job=job: studio.job(job, "ada").state != "waiting")
        time.sleep(chance.uniform(0, 0.06))
        studio.stop(job, "ada")
        studio.stop(job, "ada")
    wait_until(lambda: all(studio.job(job, "ada").state in ENDED for job in jobs))
    for job in jobs:
        state, pictures = studio.job(job, "ada").state, studio.book.pictures_of(job)
        assert (state, len(pictures)) in (("done", 1), ("stopped", 0)) and len(ends.get(job, [])) <= 1
    assert {studio.job(job, "ada").state for job in jobs} == {"done", "stopped"}, "both were met"


def test_a_stop_that_comes_while_a_job_is_taken_from_the_queue_is_heard(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    claim, asked = studio.book.claim, threading.Event()

    def slow(*given: Any) -> Any:
        job = claim(*given)
        if job:
            threading.Thread(target=lambda: (asked.set(), studio.stop(job.id, "ada"))).start()
            asked.wait(5)
            time.sleep(0.05)
        return job

    monkeypatch.setattr(studio.book, "claim", slow)
    job = studio.submit(TextToImage(steps=100, seed=1, batch_count=50), "ada")
    wait_until(lambda: studio.job(job, "ada").state in ENDED)
    assert studio.job(job, "ada").state == "stopped" and len(studio.book.pictures_of(job)) < 3


def test_f29_stop_and_skip_are_quick_while_the_queue_is_full(studio: Studio, painter: ToyPainter) -> None:
    painter.step_seconds = 0.05
    running = studio.submit(TextToImage(steps=150, seed=1, batch_count=100), "ada")
    for seed in range(150):
        studio.submit(TextToImage(steps=1, seed=seed), "ada")
    wait_until(lambda: studio.job(running, "ada").state == "running")
    begin = time.monotonic()
    studio.skip(running, "ada")
    studio.stop(running, "ada")
    assert time.monotonic() - begin < 5  # the rest of the picture takes more than seven
    wait_until(lambda: studio.job(running, "ada").state == "stopped")


@pytest.fixture
def in_windows(runner: ModelRunner) -> ImageToImage:
    """Nine windows a step."""
    picture = runner.inputs.keep(Image.radial_gradient("L").resize((128, 128)).convert("RGB"))
    return ImageToImage(image=picture, seed=1, steps=2, width=128, height=128, tiling="Windows", tile_size=64, tile_overlap=32)


def test_a_step_in_windows_ends_at_the_next_one(workshop: Workshop, in_windows: ImageToImage, monkeypatch: pytest.MonkeyPatch) -> None:
    calls, predict = list[int](), Denoiser._answered

    def third(self: Denoiser, *given: Any) -> Any:
        calls.append(1)
        if len(calls) == 3:
            workshop.press("stop")
        return predict(self, *given)

    monkeypatch.setattr(Denoiser, "_answered", third)
    assert (*workshop.run(in_windows), len(calls)) == ("stopped", [], 3)


def test_what_is_interrupted_between_windows_and_not_stopped_is_drawn_after_all(
    workshop: Workshop, in_windows: ImageToImage, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected, calls, predict = workshop.run(in_windows), list[int](), Denoiser._answered

    def third(self: Denoiser, *given: Any) -> Any:
        calls.append(1)
        if len(calls) == 3:
            workshop.runner.interrupt()
        return predict(self, *given)

    monkeypatch.setattr(Denoiser, "_answered", third)
    assert workshop.run(in_windows) == expected and expected[0] == "done"
    assert len(calls) == 3 + 2 * 9
