"""Previews and estimates between two jobs: one at a time, one waiting for each person, and never in a job's way for long."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest

from models.errors import UserError
from pipelines import Studio, TextToImage
from pipelines.jobs.errands import BUSY, MOST, NEWER, NO_MEMORY, Errands, answer, never
from pipelines.requests.request import Request
from tests.support.toys import ToyPainter, toy_studio, wait_until

NOBODY: Any = None  # in the place of a painter that is not looked at
JOB = TextToImage(steps=1, seed=1, width=64, height=64)


@pytest.fixture
def studio(tmp_path: Path) -> Iterator[Studio]:
    studio = toy_studio(tmp_path, runner=ToyPainter())
    wait_until(lambda: studio.engine_state()[0] == "ready")
    yield studio
    studio.close()


def done(errands: Errands, runner: Any = None) -> int:
    """How many were done until none waited."""
    count = 0
    while errands.run_one(runner):
        count += 1
    return count


def test_a_newer_one_takes_the_place_of_the_same_persons_older_one_which_is_released_at_once() -> None:
    errands = Errands()
    older, other, newer = (errands.put(person, lambda _, number=number: number) for number, person in enumerate(("ada", "bob", "ada")))
    with pytest.raises(UserError, match=NEWER):
        answer(older, never, 5)
    errands.run_one(NOBODY)
    assert newer.done() and not other.done(), "it keeps the place in the row"
    assert done(errands) == 1 and (newer.result(), other.result()) == (2, 1)


def test_one_that_was_asked_for_before_a_device_was_open_waits_until_it_is() -> None:
    errands = Errands()
    early = errands.put("ada", lambda _: 5)
    errands.refuse("")
    errands.run_one(NOBODY)
    assert answer(early, never, 5) == 5
    late = errands.put("ada", lambda _: 5)
    errands.refuse("There is no device.")
    with pytest.raises(UserError, match="There is no device"):
        answer(late, never, 5)
    with pytest.raises(UserError, match="There is no device"):
        errands.put("ada", lambda _: 5)


def test_there_is_a_bound_on_what_all_people_together_may_have_waiting() -> None:
    errands = Errands()
    futures = [errands.put(f"guest {number}", lambda _: None) for number in range(MOST)]
    with pytest.raises(UserError, match="Many people wait"):
        errands.put("one more", lambda _: None)
    errands.put("guest 3", lambda _: None)
    futures[0].cancel()
    errands.put("one more", lambda _: None)
    assert done(errands) == MOST


def test_nobody_works_for_a_person_who_has_gone_away_or_has_waited_long_enough() -> None:
    errands, worked = Errands(), list[str]()
    for person, gone, longest in (("gone", lambda: True, 60.0), ("patient", never, 0.1)):
        with pytest.raises(UserError, match=BUSY):
            answer(errands.put(person, lambda _, person=person: worked.append(person)), gone, longest)
    done(errands)
    assert worked == []


def test_what_goes_wrong_is_told_to_who_waits_for_it() -> None:
    errands = Errands()

    def raising(error: Exception) -> Future[Any]:
        def work(_: Any) -> None:
            raise error

        return errands.put(type(error).__name__, work)

    futures = [raising(UserError("Put a picture in.")), raising(MemoryError()), raising(TimeoutError("its own"))]
    assert done(errands) == 3
    for future, kind, words in zip(futures, (UserError, UserError, TimeoutError), ("Put a", NO_MEMORY, "its own"), strict=True):
        with pytest.raises(kind, match=words):
            answer(future, never, 5)


def test_between_two_jobs_there_is_one_errand_however_many_people_ask(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    worker, order, held = studio._worker, list[str](), threading.Event()
    worker.between_jobs("first", lambda runner: held.wait(10))
    settle = studio.book.settle

    def noted(job_id: str, request: Request) -> None:
        order.append("job")
        settle(job_id, request)

    monkeypatch.setattr(studio.book, "settle", noted)
    for number in range(4):
        worker.between_jobs(f"guest {number}", lambda runner: order.append("errand"))
    jobs = [studio.submit(JOB, "ada") for _ in range(3)]
    held.set()
    wait_until(lambda: len(order) == 7)
    assert order == ["job", "errand", "job", "errand", "job", "errand", "errand"]
    assert all(job and job.state == "done" for job in map(studio.book.job, jobs))


def test_a_flood_of_previews_does_not_hold_up_a_job(studio: Studio) -> None:
    over = threading.Event()

    def flood(person: str) -> None:
        while not over.is_set():
            try:
                studio.control.annotated("weights", lambda _: time.sleep(0.05), person)
            except UserError:
                time.sleep(0.001)

    threads = [threading.Thread(target=flood, args=(f"guest {number % 3}",)) for number in range(24)]
    for thread in threads:
        thread.start()
    start, job = time.monotonic(), studio.submit(JOB, "ada")
    try:
        wait_until(lambda: (found := studio.book.job(job)) and found.state == "done")
        took = time.monotonic() - start
    finally:
        over.set()
        for thread in threads:
            thread.join(5)
    assert took < 6 and not any(thread.is_alive() for thread in threads)
