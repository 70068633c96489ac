"""The disk is full, the book is held, the folder is gone: the worker lives, people are told, and what was drawn is kept."""

from __future__ import annotations

import asyncio
import errno
import logging
import sqlite3
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from models.errors import UserError
from pipelines import Studio, TextToImage
from pipelines.job_book.book import JobBook
from pipelines.job_book.errors import BookError
from pipelines.jobs.saving import LOST
from pipelines.jobs.worker import BROKEN, READY
from tests.support.toys import ToyPainter, toy_studio, wait_until

ONE = TextToImage(steps=1, seed=7, width=64, height=64)
TWO = TextToImage(steps=1, seed=7, width=64, height=64, batch_count=2)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """What waits for seconds in the house waits for moments here."""
    monkeypatch.setattr("pipelines.jobs.hand.WAITED", 0.2)
    monkeypatch.setattr("pipelines.jobs.opener.REOPENED", (0.05, 0.1))
    monkeypatch.setattr("pipelines.job_book.file.PATIENCE", 0.05)


@pytest.fixture
def runner() -> ToyPainter:
    return ToyPainter()


@pytest.fixture
def studio(tmp_path: Path, runner: ToyPainter) -> Iterator[Studio]:
    studio = toy_studio(tmp_path, runner=runner)
    wait_until(lambda: studio.engine_state() == READY)
    yield studio
    studio.close()


def look(studio: Studio, job_id: str) -> dict[str, Any]:
    return dict(asyncio.run(studio.watch(job_id, "ada", -1, 5)))


def state(studio: Studio, job_id: str) -> str:
    return look(studio, job_id)["state"]


def in_the_book(studio: Studio, job_id: str) -> tuple[str, str]:
    job = studio.book.job(job_id)
    assert job
    return job.state, job.message


def failing(error: BaseException, whole: Callable[..., Any], times: float = float("inf")) -> Callable[..., Any]:
    calls: list[int] = []

    def call(*given: Any, **named: Any) -> Any:
        calls.append(1)
        if len(calls) <= times:
            raise error
        return whole(*given, **named)

    return call


def full_disk(patch: pytest.MonkeyPatch) -> None:
    patch.setattr("pipelines.jobs.outputs._write_through", failing(OSError(errno.ENOSPC, "No space left on device"), lambda: None))


# ------------------------------------------------------------------------------------------------ whatever the book raises

ERRORS = [BookError("locked"), sqlite3.OperationalError("database or disk is full"), ZeroDivisionError("/secret/path")]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("place", ["recover", "claim", "settle", "add_picture", "end"])
def test_f06_the_worker_outlives_whatever_the_book_raises_and_goes_on_by_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str, error: Exception
) -> None:
    monkeypatch.setattr(JobBook, place, failing(error, getattr(JobBook, place), times=2))
    runner = ToyPainter()
    studio = toy_studio(tmp_path, runner=runner)
    jobs = [studio.submit(TextToImage(steps=1, seed=seed), "ada") for seed in (1, 2, 3)]
    wait_until(lambda: all(in_the_book(studio, job)[0] in ("done", "failed") for job in jobs))
    mistake = isinstance(error, ZeroDivisionError) and place in ("settle", "add_picture")
    assert [in_the_book(studio, job) for job in jobs] == ([("failed", BROKEN)] * 2 if mistake else [("done", "")] * 2) + [("done", "")]
    assert [request.seed for request in runner.drawn] == ([3] if mistake and place == "settle" else [1, 2, 3]), "each was drawn once"
    wait_until(lambda: studio.engine_state() == READY)
    studio.close()


def test_what_is_wrong_is_said_while_it_lasts_and_a_job_whose_end_cannot_be_written_has_ended_all_the_same(
    studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(JobBook, "end", failing(BookError("locked"), JobBook.end))
        job = studio.submit(ONE, "ada")
        wait_until(lambda: state(studio, job) == "done")
        wait_until(lambda: studio.engine_state() == ("troubled", str(BookError("locked"))))
        assert in_the_book(studio, job)[0] == "running"
    wait_until(lambda: in_the_book(studio, job)[0] == "done")
    wait_until(lambda: studio.engine_state() == READY)


def test_a_book_that_another_program_holds_costs_no_picture(studio: Studio, runner: ToyPainter) -> None:
    runner.gate = threading.Semaphore(0)
    job = studio.submit(ONE, "ada")
    wait_until(lambda: state(studio, job) == "running")
    other = sqlite3.connect(studio.book._file.path, isolation_level=None)
    other.execute("begin immediate")
    runner.gate.release()
    with pytest.raises(UserError, match="Another program holds"):
        studio.submit(ONE, "ada")
    wait_until(lambda: state(studio, job) == "failed")
    assert "One finished picture waits" in look(studio, job)["message"]
    other.execute("rollback")
    wait_until(lambda: in_the_book(studio, job)[0] == "done")
    [record] = studio.recent("ada")
    assert record.path.is_file() and record.job_id == job
    other.close()


def test_a_studio_that_cannot_open_tries_again_and_draws_what_waited(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = toy_studio(tmp_path, start=False)
    whole._worker.hands[0]._opener.open_runner = failing(UserError("The device is not there. Plug it in."), ToyPainter, times=2)
    job = whole.submit(ONE, "ada")
    whole.start()
    wait_until(lambda: whole.engine_state() == ("failed", "The device is not there. Plug it in."))
    with pytest.raises(UserError, match="Plug it in"):
        whole._worker.between_jobs("ada", lambda runner: None)
    wait_until(lambda: state(whole, job) == "done")
    assert whole.engine_state() == READY
    whole.close()


def test_f14_a_job_that_the_process_died_of_is_not_drawn_again(tmp_path: Path) -> None:
    before = toy_studio(tmp_path, start=False)
    deadly, other = before.submit(ONE, "ada"), before.submit(ONE, "ada")
    assert before.book.claim() and before.book.job(deadly)
    before.book.close()
    for _ in range(2):
        runner = ToyPainter()
        studio = toy_studio(tmp_path, runner=runner)
        wait_until(lambda studio=studio: in_the_book(studio, other)[0] == "done")
        assert in_the_book(studio, deadly)[0] == "interrupted" and "restarted" in in_the_book(studio, deadly)[1]
        studio.close()
    assert runner.drawn == []


# ------------------------------------------------------------------------------------------------ a disk without room


def test_f15_pictures_that_find_no_room_wait_in_memory_and_are_saved_in_their_order_when_there_is(
    studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        full_disk(patch)
        job = studio.submit(TWO, "ada")
        wait_until(lambda: state(studio, job) == "failed")
        told = look(studio, job)["message"]
        assert "disk is full" in told and "2 finished pictures wait" in told and look(studio, job)["unsaved"]
        wait_until(lambda: studio.engine_state() == ("troubled", told))
        assert studio.recent("ada") == []
    wait_until(lambda: in_the_book(studio, job) == ("done", ""))
    assert [record.seed for record in reversed(studio.recent("ada"))] == [7, 8]
    assert all(record.path.is_file() for record in studio.recent("ada")) and not look(studio, job)["unsaved"]
    wait_until(lambda: studio.engine_state() == READY)
    after = studio.submit(ONE, "ada")
    wait_until(lambda: state(studio, after) == "done")


def test_room_that_is_made_soon_is_waited_for(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipelines.jobs.hand.WAITED", 20.0)
    monkeypatch.setattr("pipelines.jobs.outputs._write_through", failing(OSError(errno.ENOSPC, "full"), write_through, times=3))
    job = studio.submit(ONE, "ada")
    states = set[str]()
    wait_until(lambda: states.add(state(studio, job)) or in_the_book(studio, job)[0] == "done")
    assert "failed" not in states and len(studio.recent("ada")) == 1


def write_through(path: Path, data: bytes) -> None:
    path.write_bytes(data)


def test_what_waits_is_bounded_and_the_job_that_draws_more_ends_with_a_sentence(
    studio: Studio, runner: ToyPainter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipelines.jobs.saving.MOST_BYTES", 2 * 3 * 64 * 64)
    with monkeypatch.context() as patch:
        full_disk(patch)
        job = studio.submit(TextToImage(steps=1, seed=7, width=64, height=64, batch_count=9), "ada")
        wait_until(lambda: state(studio, job) == "failed")
        assert len(runner.drawn) == 3
    wait_until(lambda: in_the_book(studio, job)[0] == "failed")
    assert "memory holds no more" in in_the_book(studio, job)[1]
    assert [record.seed for record in reversed(studio.recent("ada"))] == [7, 8, 9], "what was drawn is kept"


@pytest.mark.parametrize("room", [True, False], ids=["room", "no room"])
def test_closing_tries_once_more_and_the_log_names_what_was_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, room: bool
) -> None:
    studio = toy_studio(tmp_path)
    with monkeypatch.context() as patch:
        full_disk(patch)
        job = studio.submit(TWO, "ada")
        wait_until(lambda: state(studio, job) == "failed")
        if not room:
            studio.close()
    studio.close() if room else None
    again = toy_studio(tmp_path, start=False)
    assert in_the_book(again, job) == (("done", "") if room else ("failed", LOST))
    assert len(again.recent("ada")) == (2 if room else 0)
    assert [record.levelno for record in caplog.records if "LOST" in record.message] == ([] if room else [logging.ERROR] * 2)
    again.book.close()


def test_f16_a_job_that_meets_a_full_disk_at_its_start_says_so_and_later_ones_are_drawn(
    studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("pipelines.jobs.outputs.LEAST_FREE", 10**18)
        job = studio.submit(ONE, "ada")
        wait_until(lambda: state(studio, job) == "failed")
        assert "MB left" in look(studio, job)["message"]
    after = studio.submit(ONE, "ada")
    wait_until(lambda: state(studio, after) == "done")


# ------------------------------------------------------------------------------------------------ the folder


def test_f17_a_folder_that_is_moved_is_told_at_the_next_write_and_everything_goes_on_when_it_is_back(
    studio: Studio, runner: ToyPainter, tmp_path: Path
) -> None:
    runner.gate = threading.Semaphore(1)
    first = studio.submit(ONE, "ada")
    wait_until(lambda: state(studio, first) == "done")
    running = studio.submit(ONE, "ada")
    wait_until(lambda: state(studio, running) == "running")
    folder, away = tmp_path / "outputs", tmp_path / "elsewhere"
    folder.rename(away)
    runner.gate.release(100)
    wait_until(lambda: state(studio, running) == "failed")
    assert "not in its place" in look(studio, running)["message"]
    with pytest.raises(UserError, match="not in its place"):
        studio.submit(ONE, "ada")
    assert studio.engine_state()[0] == "troubled" and not folder.exists()
    away.rename(folder)
    wait_until(lambda: in_the_book(studio, running)[0] == "done")
    after = studio.submit(ONE, "ada")
    wait_until(lambda: state(studio, after) == "done")
    assert len(studio.recent("ada")) == 3 and all(record.path.is_file() for record in studio.recent("ada"))
