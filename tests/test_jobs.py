"""The job book: order, fairness, and what survives a restart."""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Collection
from pathlib import Path

import pytest

from models.errors import UserError
from pipelines.job_book.book import JOBS_A_USER, PASSES, JobBook
from pipelines.requests.request import TextToImage
from tests.support.asked import drawing

pytestmark = pytest.mark.smoke


@pytest.fixture
def book(tmp_path: Path) -> JobBook:
    return JobBook(tmp_path / "studio.db", tmp_path)


def served(book: JobBook) -> list[str]:
    names = []
    while job := book.claim():
        names.append(drawing(job.request).prompt)
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
    expected = [name for _, name in sorted((book.queue.ahead(job_id), name) for job_id, name in ids.items())]
    assert sorted(book.queue.ahead(job_id) for job_id in ids) == list(range(len(owners)))
    assert served(book) == expected


def test_a_running_job_counts_as_one_ahead(book: JobBook) -> None:
    book.submit(TextToImage(), "ada")
    book.claim()
    assert book.queue.ahead(book.submit(TextToImage(), "bob")) == 1


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
    request = drawing(job.request)
    record = book.add_picture(job, tmp_path / "2026-01-01" / "a.png", request, (request.width, request.height))
    assert book.picture(record.id) == record
    assert book.pictures_of(job_id) == book.recent("ada", 10) == [record]
    assert book.recent("bob", 10) == []


def test_nobody_can_fill_the_queue_alone(book: JobBook) -> None:
    for _ in range(JOBS_A_USER):
        book.submit(TextToImage(), "ada")
    with pytest.raises(UserError, match="waiting"):
        book.submit(TextToImage(), "ada")
    book.submit(TextToImage(), "bob")


# ------------------------------------------------------------------------------------------------ grouped by checkpoint


def drawn(book: JobBook, holds: Collection[str] = ()) -> list[str]:
    """The order of service when the worker has only the last job's checkpoint at hand, or always the ones given."""
    names, at_hand = [], holds
    while job := book.claim(at_hand):
        names.append(drawing(job.request).prompt)
        at_hand = holds or [drawing(job.request).checkpoint]
        book.end(job.id, "done")
    return names


def submit(book: JobBook, user: str, checkpoint: str, *names: str) -> None:
    for name in names:
        book.submit(TextToImage(prompt=name, checkpoint=checkpoint), user)


def test_jobs_on_the_checkpoint_at_hand_are_drawn_together(book: JobBook) -> None:
    submit(book, "ada", "A", "a1", "a2", "a3", "a4", "a5")
    submit(book, "bob", "B", "b1", "b2", "b3", "b4", "b5")
    assert drawn(book) == ["a1", "a2", "a3", "a4", "b1", "b2", "b3", "b4", "b5", "a5"]


def test_without_anything_at_hand_the_order_is_the_fair_one(book: JobBook) -> None:
    submit(book, "ada", "A", "a1", "a2")
    submit(book, "bob", "B", "b1", "b2")
    assert served(book) == ["a1", "b1", "a2", "b2"]


def test_when_every_checkpoint_is_at_hand_the_order_is_the_fair_one(book: JobBook) -> None:
    submit(book, "ada", "A", "a1", "a2", "a3")
    submit(book, "bob", "B", "b1", "b2", "b3")
    assert drawn(book, holds=["A", "B"]) == ["a1", "b1", "a2", "b2", "a3", "b3"]


def test_one_persons_own_jobs_are_never_reordered(book: JobBook) -> None:
    for name in ("A", "B", "A", "B"):
        submit(book, "ada", name, name + "1")
    assert drawn(book) == ["A1", "B1", "A1", "B1"]


@pytest.mark.parametrize("seed", range(20))
def test_nobody_waits_more_than_three_jobs_longer_than_in_the_fair_order(tmp_path: Path, seed: int) -> None:
    dice = random.Random(seed)
    fair, grouped = JobBook(tmp_path / "fair.db", tmp_path), JobBook(tmp_path / "grouped.db", tmp_path)
    for number in range(40):
        user, checkpoint = dice.choice("abcdef"), dice.choice("XYZ")
        for book in (fair, grouped):
            submit(book, user, checkpoint, str(number))
    expected, order = served(fair), drawn(grouped)
    assert sorted(order) == sorted(expected)
    assert max(order.index(name) - expected.index(name) for name in order) <= PASSES


def test_newcomers_cannot_keep_a_job_waiting_for_ever(book: JobBook) -> None:
    submit(book, "bob", "B", "b1")
    order = []
    for number in range(8):
        submit(book, f"newcomer {number}", "A", f"a{number}")
        job = book.claim(["A"])
        assert job
        order.append(drawing(job.request).prompt)
    assert order.index("b1") == PASSES


def test_what_waits_longer_does_so_once_and_not_for_every_job(tmp_path: Path) -> None:
    """The case that counting passes job by job gets wrong: each of one person's jobs in turn is passed by three others."""
    fair, grouped = JobBook(tmp_path / "fair.db", tmp_path), JobBook(tmp_path / "grouped.db", tmp_path)
    for book in (fair, grouped):
        for number in range(6):
            submit(book, "bob", f"own {number}", f"b{number}")
        for user in ("ada", "eve"):
            submit(book, user, "A", *(f"{user}{number}" for number in range(6)))
    order, expected = drawn(grouped, ["A"]), served(fair)
    assert max(order.index(name) - expected.index(name) for name in order) == PASSES


def test_a_withdrawn_job_takes_nobodys_turn(book: JobBook) -> None:
    submit(book, "ada", "A", "a1", "a2")
    submit(book, "bob", "B", "b1")
    withdrawn = book.submit(TextToImage(prompt="a3", checkpoint="A"), "ada")
    assert book.withdraw(withdrawn)
    assert drawn(book) == ["a1", "a2", "b1"]
    submit(book, "bob", "B", "b2")
    submit(book, "ada", "C", "c1")
    assert served(book) == ["b2", "c1"]


OLD_BOOK = """
create table job (
  number integer primary key autoincrement, id text unique not null, user text not null, request text not null,
  state text not null default 'waiting', message text not null default '',
  created real not null, started real, ended real);
insert into job (id, user, request, state, created) values ('old', 'ada', '{"kind": "txt2img", "prompt": "old"}', 'done', 1);
insert into job (id, user, request, created) values ('kept', 'ada', '{"kind": "txt2img", "prompt": "kept"}', 2);
"""


def test_a_book_of_the_first_version_is_read(tmp_path: Path) -> None:
    old = sqlite3.connect(tmp_path / "studio.db")
    old.executescript(OLD_BOOK)
    old.close()
    book = JobBook(tmp_path / "studio.db", tmp_path)
    submit(book, "bob", "B", "b1")
    assert drawn(book, ["B"]) == ["b1", "kept"]
