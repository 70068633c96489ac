"""Who is drawn next: fair among everybody who waits, whatever names they take; against guests who came later the owner has every second
turn. How it is with batches of several sizes stands in `tests/test_order_time.py`.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import pytest

from models.errors import UserError
from pipelines.job_book.book import GUEST_JOBS, JOBS_A_USER, PASSES, Job, JobBook
from pipelines.requests.request import TextToImage

OWNER = "owner"


@pytest.fixture
def book(tmp_path: Path) -> JobBook:
    return JobBook(tmp_path / "studio.db", tmp_path)


def submit(book: JobBook, user: str, checkpoint: str = "") -> str:
    return book.submit(TextToImage(checkpoint=checkpoint or "starter"), user, owner=user.startswith(OWNER))


def serve(book: JobBook, at_hand: tuple[str, ...] = ()) -> Job:
    job = book.claim(at_hand)
    assert job
    book.end(job.id, "done")
    return job


@pytest.mark.parametrize("come_each_time", [1, 3])
def test_nobody_is_passed_by_those_who_come_later_under_ever_new_names(book: JobBook, come_each_time: int) -> None:
    submit(book, "ada")
    serve(book)
    first, second = submit(book, "ada"), submit(book, "ada")
    order = []
    for number in range(40):
        for more in range(come_each_time):
            submit(book, f"newcomer {number} {more}")
        order.append(serve(book).id)
    assert order.index(first) == 0
    assert order.index(second) == 1 + come_each_time  # those who sat there when its turn was not yet, and nobody who came later


def test_the_owner_is_behind_one_at_a_time_of_the_guests_who_came_later(book: JobBook) -> None:
    early = submit(book, "guest")
    mine = [submit(book, OWNER) for _ in range(5)]
    later = [submit(book, f"guest {number}") for number in range(30)]
    assert [serve(book).id for _ in range(8)] == [early, mine[0], later[0], mine[1], later[1], mine[2], later[2], mine[3]]


def test_a_checkpoint_at_hand_lets_no_later_guest_pass_the_owner_whose_turn_has_come(book: JobBook) -> None:
    submit(book, "guest")
    mine = [submit(book, OWNER, "B") for _ in range(5)]
    for number in range(30):
        submit(book, f"guest {number}", "A")
    order = [serve(book, ("A",)).id for _ in range(14)]
    assert [order.index(job_id) for job_id in mine] == sorted(order.index(job_id) for job_id in mine)
    assert order.index(mine[0]) <= 2 and order.index(mine[4]) <= 10


def test_the_owner_shares_with_guests_who_came_before(book: JobBook) -> None:
    guests = [submit(book, "guest") for _ in range(3)]
    mine = [submit(book, OWNER) for _ in range(2)]
    assert [serve(book).id for _ in range(5)] == [guests[0], mine[0], guests[1], mine[1], guests[2]]


def test_turns_are_counted_and_a_clock_that_is_put_back_changes_none(book: JobBook, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipelines.job_book.book.time.time", lambda: 4e9)
    submit(book, "ada")
    serve(book)
    early = submit(book, "eve")
    monkeypatch.setattr("pipelines.job_book.book.time.time", lambda: 5.0)
    mine = submit(book, "ada")
    submit(book, "bob")
    assert book.queue.ahead(mine) == 1 and [serve(book).id for _ in range(2)] == [early, mine]


def test_version_numbers_grow_over_a_restart_with_the_clock_put_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipelines.job_book.book.time.time", lambda: 4e9)
    before = JobBook(tmp_path / "studio.db", tmp_path).first_version
    monkeypatch.setattr("pipelines.job_book.book.time.time", lambda: 5.0)
    after = JobBook(tmp_path / "studio.db", tmp_path).first_version
    assert before == 4e12 and before < after < 2**53


def test_what_all_guests_together_have_waiting_is_bounded_and_the_owner_is_outside_of_it(book: JobBook) -> None:
    for number in range(GUEST_JOBS):
        submit(book, f"guest {number}")
    with pytest.raises(UserError, match="guests"):
        submit(book, "one more")
    for _ in range(JOBS_A_USER):
        submit(book, OWNER)
    with pytest.raises(UserError, match="You have"):
        submit(book, OWNER)
    assert serve(book).user == "guest 0"
    submit(book, "one more")


@dataclass
class House:
    """A book in use: what came, what was drawn, and who was there meanwhile."""

    book: JobBook
    dice: random.Random
    came: list[tuple[str, str]] = field(default_factory=list)  # (id, user) in the order of coming
    order: list[str] = field(default_factory=list)  # ids as they were drawn

    def comes(self, names: int) -> None:
        user = self.dice.choice([OWNER, *(f"guest {number}" for number in range(names))])
        self.came.append((submit(self.book, user, self.dice.choice("ABC")), user))

    def draws(self, at_hand: tuple[str, ...]) -> None:
        job = self.book.claim(at_hand)
        if job:
            self.order.append(job.id)
            self.book.end(job.id, "done")

    def leaves(self) -> None:
        waiting = [entry for entry in self.came if entry[0] not in self.order]
        if waiting:
            gone = self.dice.choice(waiting)
            assert self.book.withdraw(gone[0])
            self.came.remove(gone)


def used(folder: Path, seed: int, grouped: bool) -> House:
    """Sixty random acts: people come, jobs are drawn, some are withdrawn."""
    house = House(JobBook(folder / f"{seed}.db", folder), random.Random(seed))
    for _ in range(60):
        match house.dice.choice("ccccdddw"):
            case "c":
                house.comes(names=5)
            case "d":
                house.draws((house.dice.choice("ABC"),) if grouped else ())
            case "w":
                house.leaves()
    return house


@pytest.mark.parametrize("grouped", [False, True])
@pytest.mark.parametrize("seed", range(12))
def test_the_place_that_is_told_is_the_place_in_which_it_is_drawn(tmp_path: Path, seed: int, grouped: bool) -> None:
    house = used(tmp_path, seed, grouped)
    waiting = [job_id for job_id, _ in house.came if job_id not in house.order]
    told = sorted(waiting, key=house.book.queue.ahead)
    assert sorted(house.book.queue.ahead(job_id) for job_id in waiting) == list(range(len(waiting)))
    before = len(house.order)
    while house.book.waiting():
        house.draws(())
    assert house.order[before:] == told


@pytest.mark.parametrize("grouped", [False, True])
@pytest.mark.parametrize("seed", range(12))
def test_whatever_happens_everybody_s_own_jobs_are_drawn_in_their_order_and_of_the_owner_every_other_one(
    tmp_path: Path, seed: int, grouped: bool
) -> None:
    house = used(tmp_path, seed, grouped)
    begin = len(house.order)
    while house.book.waiting():
        house.draws(("A",) if grouped else ())
    place = {job_id: number for number, job_id in enumerate(house.order)}
    assert len(place) == len(house.came)
    came = {job_id: number for number, (job_id, _) in enumerate(house.came)}
    users = dict(house.came)
    for number, (early, user) in enumerate(house.came):
        assert all(place[early] < place[late] for late, other in house.came[number + 1 :] if other == user)
    mine = [job_id for job_id in house.order[begin:] if users[job_id] == OWNER]
    for job_id, following in pairwise(mine):
        between = house.order[place[job_id] + 1 : place[following]]
        younger = [other for other in between if came[other] > came[following]]
        assert len(younger) <= (1 + PASSES if grouped else 1)


def test_a_hundred_and_fifty_jobs_of_fifty_people_share_evenly(book: JobBook) -> None:
    came = [(submit(book, f"guest {number % 50}"), f"guest {number % 50}") for number in range(150)]
    order = [serve(book).id for _ in came]
    assert book.claim() is None
    users = dict(came)
    for turn in range(3):
        assert len({users[job_id] for job_id in order[turn * 50 : turn * 50 + 50]}) == 50


def test_nobody_is_passed_more_often_than_a_checkpoint_at_hand_allows(book: JobBook) -> None:
    mine = submit(book, "ada", "B")
    passed = 0
    for number in range(20):
        submit(book, f"newcomer {number}", "A")
        if serve(book, ("A",)).id == mine:
            break
        passed += 1
    assert passed == PASSES


def test_no_question_of_the_queue_goes_through_the_jobs_that_have_ended(book: JobBook) -> None:
    asked: list[str] = []
    book._db.set_trace_callback(asked.append)
    first = submit(book, "ada", "A")
    for ask in (
        lambda: book.queue.ahead(first),
        book.waiting,
        lambda: book.current("ada"),
        lambda: book.claim(["A"]),
        book.claim,
        book.recover,
    ):
        ask()
    book._db.set_trace_callback(None)
    queries = [query for query in asked if query.startswith(("select", "update", "delete")) and " job" in query]
    plans = [step["detail"] for query in queries for step in book._db.execute(f"explain query plan {query}")]
    indexed = "USING INDEX job_waiting", "USING INDEX job_active"
    assert len(queries) > 8
    assert [step for step in plans if (step.startswith("SCAN job") and not step.endswith(indexed)) or "turn>?" in step] == []
