"""A job that was stopped, killed or interrupted goes on from its last kept step, and its pictures are those of an uninterrupted one."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from pipelines.images.clip_file import frames_in, unzipped
from pipelines.job_book.book import JobBook
from pipelines.job_book.found import everything
from pipelines.jobs.events import Picture
from pipelines.jobs.job_run import REPLACED
from pipelines.jobs.worker import Worker
from pipelines.requests.request import Clip, Outpaint, Request, TextToImage
from pipelines.resolving.resolve import resolve
from pipelines.steps.store import KeptSteps
from tests.support.card_toys import given
from tests.support.drawing import blots
from tests.support.drawn_away import STEPS, Stalling, begun, draw_some, worker_in, write_some
from tests.support.toy_video import toy_video, write_folder
from tests.support.toy_weights import write_toy_model
from tests.support.toys import wait_until

ASKED = TextToImage(**given(steps=STEPS, sampler="DPM++ 2M SDE", batch_size=2))


@pytest.fixture(scope="module")
def starter(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_toy_model(tmp_path_factory.mktemp("model") / "starter")


def folder_with(starter: Path, folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "starter").symlink_to(starter)
    (folder / "models").mkdir()
    (folder / "outputs").mkdir()
    return folder


def submit(folder: Path, request: Request) -> str:
    book = JobBook(folder / "outputs" / "studio.db", folder / "outputs")
    job = book.submit(request, "somebody")
    book.close()
    return job


def pictures(worker: Worker, job: str) -> list[bytes]:
    found: list[bytes] = []
    for record in worker.book.pictures_of(job):
        with Image.open(record.path) as image:
            found.append(image.tobytes())
    return found


def whole(starter: Path, folder: Path, request: Request) -> list[bytes]:
    """Those of a job that nothing comes in between of."""
    job = submit(folder_with(starter, folder), request)
    worker, runner = worker_in(folder)
    worker.run_next(runner)
    found = pictures(worker, job)
    worker.close()
    return found


def ended(worker: Worker, runner: Stalling, job: str) -> list[bytes]:
    worker.run_next(runner)
    entry = worker.book.job(job)
    assert entry and entry.state == "done", entry
    found = pictures(worker, job)
    worker.close()
    assert not list(worker.steps.kept.folder.glob("*.going"))
    return found


def killed_after(steps: int, folder: Path) -> None:
    """In a process of its own, by the signal that nobody can catch."""
    kept = KeptSteps(folder / "outputs", 1)
    before = sizes(kept)
    with killed(draw_some, folder, steps):
        wait_until(lambda: sizes(kept) != before and settled(kept), 60)


def sizes(kept: KeptSteps) -> dict[str, int]:
    return {path.name: path.stat().st_size for path in kept.folder.glob("*.going")}


def settled(kept: KeptSteps) -> bool:
    """No step has come for a while: it stands still."""
    before = sizes(kept)
    threading.Event().wait(0.5)
    return sizes(kept) == before


@pytest.mark.parametrize("steps", [1, STEPS - 2])
def test_a_job_that_a_kill_ends_goes_on_from_its_last_step_and_is_the_same(steps: int, starter: Path, tmp_path: Path) -> None:
    expected = whole(starter, tmp_path / "whole", ASKED)
    job = submit(folder_with(starter, tmp_path / "killed"), ASKED)
    killed_after(steps, tmp_path / "killed")
    worker, runner = worker_in(tmp_path / "killed")
    assert worker.book.recover(worker.steps.kept.came_on) == 0
    assert ended(worker, runner, job) == expected and len(expected) == 2
    assert runner.made == STEPS - steps, "what was made is not made again"


def test_a_clip_whose_writing_a_kill_ends_is_announced_nowhere_and_comes_whole_after_the_next_start(starter: Path, tmp_path: Path) -> None:
    folder, expected = folder_with(starter, tmp_path / "killed"), list[Image.Image]()
    write_folder(folder / "models" / "checkpoints" / "moving", toy_video())
    worker, runner = worker_in(folder)
    clip = Clip(image=runner.inputs.keep(blots((64, 64))), frames=3, steps=2, width=64, height=64, seed=5)
    asked = replace(resolve(clip, runner.catalog), threads=1)
    expected += [frame for batch in runner.batches(asked) for event in batch if isinstance(event, Picture) for frame in event.frames]
    worker.close()
    job, outputs = submit(folder, asked), folder / "outputs"
    with killed(write_some, folder, 1):
        wait_until(lambda: any(path.stat().st_size for path in outputs.glob("*/.*.frames.zip")), 60)
    assert [*outputs.glob("*/.*.part")] and not [*outputs.glob("*/2*")]
    worker, runner = worker_in(folder)
    assert worker.outputs.sweep(older_than=-1) == 2 and everything(outputs) == []
    assert worker.book.recover(worker.steps.kept.came_on) == 0
    worker.run_next(runner)
    wait_until(lambda: worker.hands[0].saving.write() and (entry := worker.book.job(job)) is not None and entry.state == "done")
    [record] = worker.book.pictures_of(job)
    assert runner.made == 0, "only the decoding is done once more"
    assert [*frames_in(record.path, 7)] == expected == [*unzipped(record.path.with_suffix(".frames.zip"))]
    worker.close()


@contextmanager
def killed(work: Callable[..., None], folder: Path, *given: object) -> Generator[None]:
    """At the end of the block, in a process of its own, by the signal that nobody can catch."""
    process = begun(work, str(folder), *given)
    try:
        yield
    finally:
        process.kill()
        process.join(10)
    assert process.exitcode == -signal.SIGKILL


def test_a_job_that_dies_again_without_having_come_on_is_given_up(starter: Path, tmp_path: Path) -> None:
    job = submit(folder_with(starter, tmp_path), ASKED)
    killed_after(2, tmp_path)
    killed_after(0, tmp_path)
    worker, _ = worker_in(tmp_path)
    assert worker.book.recover(worker.steps.kept.came_on) == 1
    entry = worker.book.job(job)
    assert entry and entry.state == "interrupted"
    assert worker.steps.kept.sweep(worker.book.may_go_on) == 2
    worker.close()


@pytest.mark.parametrize("request_of", ["text", "outpainting"])
def test_a_job_that_is_stopped_and_brought_back_goes_on_from_its_last_step(request_of: str, starter: Path, tmp_path: Path) -> None:
    asked: Callable[[Path], Request] = _asked(request_of)
    first = folder_with(starter, tmp_path / "whole")
    request = asked(first)
    job = submit(first, request)
    plain, unhindered = worker_in(first)
    expected = ended(plain, unhindered, job)
    folder = folder_with(starter, tmp_path / "stopped")
    job = submit(folder, asked(folder))
    worker, runner = worker_in(folder)
    _stop_after(4, worker, runner, job)
    made = runner.made
    worker.book.queue.restore(job, "somebody", False)
    assert ended(worker, runner, job) == expected
    assert runner.made == unhindered.made and made == 4


def _asked(name: str) -> Callable[[Path], Request]:
    def outpaint(folder: Path) -> Request:
        from pipelines.images.store import INPUTS, Inputs

        picture = Inputs(folder / "outputs" / INPUTS).keep(blots((64, 64)))
        return Outpaint(**given(image=picture, denoising_strength=0.9, right=40, left=40))

    return outpaint if name == "outpainting" else lambda folder: ASKED


def _stop_after(steps: int, worker: Worker, runner: Stalling, job: str) -> None:
    told = worker.hands[0].around.told

    def stop(live: Any, news: Any) -> None:
        told(live, news)
        if runner.made >= steps:
            live.stop = True

    object.__setattr__(worker.hands[0].around, "told", stop)
    worker.run_next(runner)
    object.__setattr__(worker.hands[0].around, "told", told)
    entry = worker.book.job(job)
    assert entry and entry.state == "stopped"


def test_a_model_file_that_was_replaced_begins_the_picture_anew_and_says_so(starter: Path, tmp_path: Path) -> None:
    folder = folder_with(starter, tmp_path)
    worker, runner = worker_in(folder)
    job = worker.book.submit(ASKED, "somebody")
    _stop_after(4, worker, runner, job)
    weights = next((folder / "starter" / "unet").glob("*.safetensors"))
    status = weights.stat()
    os.utime(weights, ns=(status.st_atime_ns, status.st_mtime_ns + 10**9))
    worker.book.queue.restore(job, "somebody", False)
    worker.close()
    again, runner = worker_in(folder)
    ended(again, runner, job)
    entry = again.book.job(job)
    assert entry and entry.message == REPLACED and runner.made == STEPS, "not one step of the file of before is gone on from"


def test_steps_of_another_order_are_not_gone_on_from(starter: Path, tmp_path: Path) -> None:
    """A job that was stopped may be edited before it is drawn."""
    worker, runner = worker_in(folder_with(starter, tmp_path / "edited"))
    kept = worker.steps.kept
    job = worker.book.submit(ASKED, "somebody")
    _stop_after(2, worker, runner, job)
    worker.steps.close()
    assert len(sizes(kept)) == 2 and kept.came_on(job)
    kept.begin(job, "another order")
    assert sizes(kept) == {}
    worker.close()
