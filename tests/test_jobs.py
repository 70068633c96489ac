"""The job book: order, fairness, and what survives a restart."""

from __future__ import annotations

from pathlib import Path

import pytest

from models.errors import UserError
from pipelines.jobs import JOBS_A_USER, JobBook
from pipelines.request import TextToImage


@pytest.fixture
def book(tmp_path: Path) -> JobBook:
    return JobBook(tmp_path / "studio.db", tmp_path)


def served(book: JobBook) -> list[str]:
    names = []
    while job := book.claim():
        names.append(job.request.prompt)
        book.end(job.id, "done")
    return names


def test_one_persons_jobs_go_first_in_first_out(book: JobBook) -> None:
    for name in "abc":
        book.submit(TextToImage(prompt=name), "ada")
    assert served(book) == ["a", "b", "c"]


def test_a_newcomer_waits_for_one_job_of_somebody_who_queued_many(book: JobBook) -> None:
    for name in ("a1", "a2", "a3"):
        book.submit(TextToImage(prompt=name), "ada")
    book.submit(TextToImage(prompt="b1"), "bob")
    assert served(book) == ["a1", "b1", "a2", "a3"]


def test_the_place_in_the_queue_is_the_order_of_service(book: JobBook) -> None:
    owners = ["ada", "ada", "bob", "ada", "eve", "bob"]
    ids = {book.submit(TextToImage(prompt=str(number)), user): str(number) for number, user in enumerate(owners)}
    expected = [name for _, name in sorted((book.ahead(job_id), name) for job_id, name in ids.items())]
    assert sorted(book.ahead(job_id) for job_id in ids) == list(range(len(owners)))
    assert served(book) == expected


def test_a_running_job_counts_as_one_ahead(book: JobBook) -> None:
    book.submit(TextToImage(), "ada")
    book.claim()
    assert book.ahead(book.submit(TextToImage(), "bob")) == 1


def test_after_a_crash_what_ran_is_interrupted_and_what_waited_waits(tmp_path: Path) -> None:
    book = JobBook(tmp_path / "studio.db", tmp_path)
    first, second = book.submit(TextToImage(prompt="first"), "ada"), book.submit(TextToImage(prompt="second"), "ada")
    book.claim()
    reopened = JobBook(tmp_path / "studio.db", tmp_path)  # the first one is never closed, as after a crash
    assert reopened.recover() == 1
    job = reopened.job(first)
    assert job and job.state == "interrupted" and "restarted" in job.message
    assert served(reopened) == ["second"]
    assert reopened.job(second).state == "done"  # type: ignore[union-attr]


def test_a_waiting_job_can_be_withdrawn_and_a_running_one_cannot(book: JobBook) -> None:
    first, second = book.submit(TextToImage(), "ada"), book.submit(TextToImage(), "ada")
    book.claim()
    assert not book.withdraw(first)
    assert book.withdraw(second)
    assert book.claim() is None


def test_an_ended_job_keeps_its_state(book: JobBook) -> None:
    job_id = book.submit(TextToImage(), "ada")
    book.claim()
    book.end(job_id, "done")
    book.end(job_id, "failed", "late news")
    job = book.job(job_id)
    assert job and (job.state, job.message) == ("done", "")


def test_current_is_the_running_job_before_the_waiting_ones(book: JobBook) -> None:
    first = book.submit(TextToImage(), "ada")
    book.submit(TextToImage(), "ada")
    assert book.current("ada") == first
    book.claim()
    assert book.current("ada") == first
    assert book.current("bob") is None


def test_pictures_come_back_with_their_exact_request(book: JobBook, tmp_path: Path) -> None:
    job_id = book.submit(TextToImage(prompt="é “quoted” \n two lines", seed=2**62 + 1), "ada")
    job = book.claim()
    assert job
    record = book.add_picture(job, tmp_path / "2026-01-01" / "a.png", job.request)
    assert book.picture(record.id) == record
    assert book.pictures_of(job_id) == book.recent("ada", 10) == [record]
    assert book.recent("bob", 10) == []


def test_nobody_can_fill_the_queue_alone(book: JobBook) -> None:
    for _ in range(JOBS_A_USER):
        book.submit(TextToImage(), "ada")
    with pytest.raises(UserError, match="waiting"):
        book.submit(TextToImage(), "ada")
    book.submit(TextToImage(), "bob")
