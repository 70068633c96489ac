"""Jobs from submit to end, on a painter that only pretends: what stops, what is kept, what a viewer is told."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from models.errors import UserError
from pipelines import Studio, TextToImage
from pipelines.jobs.events import Step
from pipelines.jobs.progress import FRAMES
from pipelines.jobs.worker import settled
from tests.support.asked import drawing
from tests.support.toys import ToyPainter, toy_studio, wait_until

pytestmark = pytest.mark.smoke


@pytest.fixture
def runner() -> ToyPainter:
    return ToyPainter(gate=threading.Semaphore(0))


@pytest.fixture
def studio(tmp_path: Path, runner: ToyPainter) -> Iterator[Studio]:
    """A studio whose painter makes a step only when the test lets it."""
    studio = toy_studio(tmp_path, runner=runner)
    yield studio
    allow(runner, 10_000)
    studio.close()


def allow(runner: ToyPainter, steps: int) -> None:
    assert runner.gate
    runner.gate.release(steps)


def look(studio: Studio, job_id: str, user: str = "ada", after: int = -1, timeout: float = 5) -> dict[str, Any]:
    return dict(asyncio.run(studio.watch(job_id, user, after, timeout)))


def wait_for(studio: Studio, job_id: str, state: str, user: str = "ada") -> dict[str, Any]:
    wait_until(lambda: look(studio, job_id, user)["state"] == state)
    return look(studio, job_id, user)


def test_a_job_ends_with_its_pictures_saved(studio: Studio, runner: ToyPainter) -> None:
    job_id = studio.submit(TextToImage(prompt="a red ball", steps=3, seed=7, batch_count=2, batch_size=2), "ada")
    allow(runner, 6)
    end = wait_for(studio, job_id, "done")
    assert [picture["seed"] for picture in end["pictures"]] == ["7", "8", "9", "10"]
    records = studio.recent("ada")
    assert all(record.path.is_file() for record in records) and len(records) == 4


def test_the_seed_that_was_rolled_is_stored(studio: Studio, runner: ToyPainter) -> None:
    job_id = studio.submit(TextToImage(steps=1), "ada")
    allow(runner, 1)
    end = wait_for(studio, job_id, "done")
    assert int(end["pictures"][0]["seed"]) >= 0
    assert drawing(studio.recent("ada")[0].request).seed == runner.drawn[0].seed


def test_stop_acts_within_one_step_and_keeps_finished_pictures(studio: Studio, runner: ToyPainter) -> None:
    job_id = studio.submit(TextToImage(steps=5, batch_count=3), "ada")
    allow(runner, 7)  # the first picture and two steps of the second
    wait_until(lambda: runner.steps_made == 7)
    studio.stop(job_id, "ada")
    allow(runner, 100)
    end = wait_for(studio, job_id, "stopped")
    assert runner.steps_made <= 8
    assert len(end["pictures"]) == 1


def test_stop_leaves_the_next_job_untouched(studio: Studio, runner: ToyPainter) -> None:
    first, second = (studio.submit(TextToImage(steps=3, seed=seed), "ada") for seed in (1, 2))
    allow(runner, 1)
    wait_until(lambda: runner.steps_made == 1)
    studio.stop(first, "ada")
    allow(runner, 10)
    assert len(wait_for(studio, second, "done")["pictures"]) == 1
    assert wait_for(studio, first, "stopped")["pictures"] == []


def test_skip_goes_on_to_the_next_picture(studio: Studio, runner: ToyPainter) -> None:
    job_id = studio.submit(TextToImage(steps=5, seed=10, batch_count=3), "ada")
    allow(runner, 2)
    wait_until(lambda: runner.steps_made == 2)
    studio.skip(job_id, "ada")
    allow(runner, 100)
    end = wait_for(studio, job_id, "done")
    assert [picture["seed"] for picture in end["pictures"]] == ["11", "12"]
    assert runner.steps_made <= 3 + 10


def test_a_waiting_job_is_stopped_at_once(studio: Studio) -> None:
    studio.submit(TextToImage(), "ada")
    waiting = studio.submit(TextToImage(), "ada")
    wait_until(lambda: look(studio, waiting)["ahead"] == 1)
    studio.stop(waiting, "ada")
    assert look(studio, waiting)["state"] == "stopped"


def test_a_failure_gives_its_sentence_and_the_next_job_works(studio: Studio, runner: ToyPainter) -> None:
    failing = studio.submit(TextToImage(prompt="please fail"), "ada")
    after = studio.submit(TextToImage(steps=1), "ada")
    allow(runner, 1)
    assert "Ask for something else" in wait_for(studio, failing, "failed")["message"]
    wait_for(studio, after, "done")


def test_a_bug_is_not_shown_with_its_internals(studio: Studio) -> None:
    broken = studio.submit(TextToImage(prompt="please break"), "ada")
    assert "secret" not in wait_for(studio, broken, "failed")["message"]


def test_nobody_sees_or_stops_another_persons_job(studio: Studio) -> None:
    job_id = studio.submit(TextToImage(), "ada")
    for act in (studio.stop, studio.skip):
        with pytest.raises(UserError):
            act(job_id, "bob")
    with pytest.raises(UserError):
        look(studio, job_id, "bob")


def test_an_unknown_checkpoint_is_refused_before_it_queues(studio: Studio) -> None:
    with pytest.raises(UserError, match="checkpoint"):
        studio.submit(TextToImage(checkpoint="../../etc/passwd"), "ada")


def test_a_viewer_is_woken_by_every_step(studio: Studio, runner: ToyPainter) -> None:
    job_id = studio.submit(TextToImage(steps=4), "ada")
    wait_until(lambda: look(studio, job_id)["state"] == "running")
    after = look(studio, job_id)["version"]
    previews = set()
    for step in range(1, 4):
        allow(runner, 1)
        news = look(studio, job_id, after=after)
        assert news["step"] == step
        after = news["version"]
        previews.update(news["previews"])
    assert len(previews) == 3


def test_a_slow_viewer_gets_the_newest_frames_only(studio: Studio, runner: ToyPainter) -> None:
    job_id = studio.submit(TextToImage(steps=10), "ada")
    allow(runner, 9)
    wait_until(lambda: runner.steps_made == 9 and look(studio, job_id)["step"] == 9)
    news = look(studio, job_id)
    assert (news["step"], len(news["previews"])) == (9, FRAMES)


def test_watching_without_news_waits_until_its_time_is_over(studio: Studio, runner: ToyPainter) -> None:
    job_id = studio.submit(TextToImage(steps=3), "ada")
    allow(runner, 1)
    wait_until(lambda: look(studio, job_id)["step"] == 1)
    start = time.monotonic()
    news = look(studio, job_id, after=look(studio, job_id)["version"], timeout=0.3)
    assert time.monotonic() - start >= 0.25 and news["step"] == 1


def test_a_preview_is_made_once_however_many_watch_and_never_when_nobody_does(tmp_path: Path) -> None:
    made = []

    class Counting(ToyPainter):
        def _batch(self, request: TextToImage, batch: int) -> Any:
            for event in super()._batch(request, batch):
                yield replace(event, preview=lambda: made.append(1) or b"") if isinstance(event, Step) else event

    runner = Counting(gate=threading.Semaphore(0))
    studio = toy_studio(tmp_path, runner=runner)
    job_id = studio.submit(TextToImage(steps=6), "ada")
    allow(runner, 5)
    wait_until(lambda: runner.steps_made == 5)
    time.sleep(0.05)
    assert made == []
    for _ in range(3):
        look(studio, job_id)
    assert made == [1] * 5
    allow(runner, 100)
    studio.close()


def test_closing_the_studio_keeps_what_waited_and_marks_what_ran(tmp_path: Path) -> None:
    runner = ToyPainter(gate=threading.Semaphore(0))
    studio = toy_studio(tmp_path, runner=runner)
    ran, waited = studio.submit(TextToImage(steps=5), "ada"), studio.submit(TextToImage(steps=1), "ada")
    allow(runner, 1)
    wait_until(lambda: runner.steps_made == 1)
    allow(runner, 1)
    studio.close()
    again = toy_studio(tmp_path)
    assert wait_for(again, ran, "interrupted")["message"]
    assert len(wait_for(again, waited, "done")["pictures"]) == 1
    again.close()


def test_jobs_wait_while_the_engine_warms_up(tmp_path: Path) -> None:
    studio = toy_studio(tmp_path, open_seconds=0.3)
    job_id = studio.submit(TextToImage(steps=1), "ada")
    assert studio.engine_state()[0] == "starting"
    assert "warming up" in look(studio, job_id)["message"]
    wait_for(studio, job_id, "done")
    assert studio.engine_state()[0] == "ready"
    studio.close()


def test_a_rolled_seed_is_new_each_time_and_a_given_one_is_kept() -> None:
    assert settled(TextToImage(seed=5)).seed == 5
    assert len({settled(TextToImage()).seed for _ in range(20)}) == 20


def test_the_page_s_part_of_the_work_does_not_import_torch() -> None:
    import subprocess
    import sys

    script = "import sys, pipelines; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], cwd=Path(__file__).parent.parent, check=False).returncode == 0
