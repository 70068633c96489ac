"""Which device draws what: the policy alone, on plain values."""

from __future__ import annotations

import random
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from pipelines.job_book.book import PASSES, Job, JobBook
from pipelines.job_book.pace import Paces
from pipelines.job_book.placing import Offer, Place, Placing, left_of
from pipelines.job_book.ring import Entry
from pipelines.requests.request import TextToImage

SECONDS, READING = 2.0, 10.0  # of a batch, and of a model


def paces(**more: float) -> Paces:
    return Paces({"txt2img": SECONDS, "": SECONDS, "reading": READING, **more})


def job(number: int, model: str, user: str = "") -> Entry:
    return Entry(number, user or f"user {number}", owner=False, left=1, seconds=SECONDS, sort=f"txt2img {model}", work=1.0)


def chosen(
    here: Place,
    others: list[Place],
    first: list[Entry],
    behind: list[list[Entry]] | None = None,
    known: Paces | None = None,
    overdue: list[Entry] | None = None,
) -> int | None:
    found = Placing(here, tuple(others), known or paces()).chosen(Offer(first[0], overdue or [], first, behind or []))
    return found.number if found else None


def place(name: str, *ready: str, free: float = 0.0) -> Place:
    return Place(name, frozenset(ready), free)


def test_what_the_device_has_the_model_for_is_drawn_before_what_is_due() -> None:
    assert chosen(place("one", "B"), [place("two", free=3)], [job(1, "A"), job(2, "B")]) == 2


def test_a_batch_that_ends_earlier_elsewhere_is_left_to_that_device() -> None:
    soon, late = place("two", "A", free=READING - 1), place("two", "A", free=READING + 1)
    assert chosen(place("one"), [soon], [job(1, "A")]) is None
    assert chosen(place("one"), [late], [job(1, "A")]) == 1
    assert chosen(place("one"), [soon], [job(1, "A"), job(2, "C")]) == 2, "what nobody has is begun meanwhile"


def test_many_batches_on_one_model_come_to_a_second_device() -> None:
    busy = [place("two", "A", free=1)]
    assert chosen(place("one"), busy, [job(number, "A") for number in range(1, 4)]) is None
    many = [job(number, "A") for number in range(1, 12)]
    assert chosen(place("one"), busy, many) == 6, "the first that reading the model for ends earlier than waiting for five others"
    own = [job(number, "A", "ada") for number in range(1, 12)]
    assert chosen(place("one"), busy, own[:1], [own[1:]]) == 1, "one's own order stands"


def test_a_model_that_has_to_be_sent_first_is_drawn_where_it_lies_unless_that_one_is_busy_for_longer(tmp_path: Path) -> None:
    far = replace(place("one"), coming={"A": 100.0})
    assert chosen(far, [place("two", free=50)], [job(1, "A")]) is None
    assert chosen(far, [place("two", free=150)], [job(1, "A")]) == 1
    assert chosen(far, [place("two", free=50)], [job(1, "B")]) == 1, "what need not be sent"
    book = JobBook(tmp_path / "book.db", tmp_path)
    book.submit(TextToImage(checkpoint="A"), "ada")
    assert book.claim(others=[Place("two", free=50)], device="one", coming={"A": 100.0}) is None
    assert book.claim(others=[Place("two", free=50)], device="one", coming={"B": 100.0})
    book.close()


def test_what_was_passed_over_often_enough_comes_first_wherever_it_ends_first() -> None:
    due, ready = job(1, "A"), job(2, "B")
    assert chosen(place("one", "B"), [place("two", "A", free=2 * READING)], [due, ready], overdue=[due]) == 1
    assert chosen(place("one", "B"), [place("two", "A", free=1)], [due, ready], overdue=[due]) == 2, "there it is the next one"
    assert chosen(place("two", "A", "B"), [place("one", "B")], [due, ready], overdue=[due]) == 1


def test_the_quicker_of_two_devices_draws_and_a_slow_one_where_that_ends_earlier() -> None:
    known = paces(**{"slow|": 10 * SECONDS, "slow|txt2img A": 10 * SECONDS})
    both = [place("quick", "A", free=3 * SECONDS)]
    assert chosen(place("slow", "A"), both, [job(1, "A")], known=known) is None
    assert chosen(place("slow", "A"), [place("quick", "A", free=20 * SECONDS)], [job(1, "A")], known=known) == 1
    assert chosen(place("quick", "A"), [place("slow", "A")], [job(1, "A")], known=known) == 1
    assert known.seconds("txt2img B", 1.0, "slow") == pytest.approx(10 * SECONDS), "what it has not drawn takes as much longer as all else"


def test_what_is_late_is_not_expected_at_any_moment() -> None:
    assert left_of(10, 4) == 6 and left_of(10, 10) == 0 and left_of(10, 25) == 15
    assert chosen(place("one"), [place("two", "A", free=left_of(5, 60))], [job(1, "A")]) == 1, "a device that hangs holds nobody up"


@dataclass
class Studio:
    """Several devices over one book, as the worker's hands ask it, with a clock of its own."""

    book: JobBook
    devices: int
    now: float = 0.0
    ends: dict[int, tuple[float, Job]] = field(default_factory=dict)
    ready: dict[int, set[str]] = field(default_factory=dict)
    drawn: list[str] = field(default_factory=list)

    def places(self, own: int) -> list[Place]:
        return [
            Place("", frozenset(self.ready.get(each, ())), self.ends[each][0] - self.now if each in self.ends else 0.0)
            for each in range(self.devices)
            if each != own
        ]

    def fill(self) -> None:
        """Every device that has nothing to do asks, until none is given anything."""
        asked = True
        while asked:
            asked = False
            for device in range(self.devices):
                if device not in self.ends and (found := self.book.claim(self.ready.get(device, ()), self.places(device))):
                    model = getattr(found.request, "checkpoint", "")
                    reading = 0 if model in self.ready.get(device, ()) else READING
                    self.ready[device] = {model}
                    self.ends[device] = self.now + reading + SECONDS, found
                    self.drawn.append(found.user)
                    asked = True

    def step(self) -> bool:
        self.fill()
        if not self.ends:
            return False
        device = min(self.ends, key=lambda each: self.ends[each][0])
        self.now, done = self.ends.pop(device)
        done.progress.batch, done.progress.pictures = 1, 1
        self.book.queue.used(done.id, done.progress, SECONDS)
        self.book.end(done.id, "done")
        return True


def teach(book: JobBook, models: str) -> None:
    """What a batch and a model take is known."""
    with book.file.transaction() as db:
        rows = [("", SECONDS), ("txt2img", SECONDS), *((f"txt2img {model}", SECONDS) for model in models), ("reading", READING)]
        db.executemany(
            "insert or replace into pace values (?, ?)", [(sort, seconds / (5.24288 if sort != "reading" else 1)) for sort, seconds in rows]
        )


@pytest.mark.parametrize(("seed", "devices"), [(1, 2), (2, 3), (3, 8)])
def test_nobody_is_passed_more_often_than_the_bound_allows_over_all_devices(tmp_path: Path, seed: int, devices: int) -> None:
    dice, book = random.Random(seed), JobBook(tmp_path / "studio.db", tmp_path)
    teach(book, "ABCD")
    studio = Studio(book, devices)
    for number in range(40):
        book.submit(TextToImage(width=512, height=512, steps=20, checkpoint=dice.choice("AABCD")), f"user {number}")
    while studio.step():
        pass
    assert sorted(studio.drawn) == sorted(f"user {number}" for number in range(40)), "each once, and none is left"
    for place_drawn, user in enumerate(studio.drawn):
        passed = sum(int(other.split()[1]) > int(user.split()[1]) for other in studio.drawn[:place_drawn])
        assert passed <= PASSES * devices
    book.close()


def test_what_was_passed_over_three_times_is_what_the_next_device_asks_for(tmp_path: Path) -> None:
    book = JobBook(tmp_path / "studio.db", tmp_path)
    teach(book, "AB")
    asked = TextToImage(width=512, height=512, steps=20)
    passed = book.submit(replace(asked, checkpoint="A"), "ada")
    others = [book.submit(replace(asked, checkpoint="B"), f"user {number}") for number in range(6)]
    claimed = [book.claim({"B"}, [Place("two", free=1000)], "one") for _ in range(PASSES + 1)]
    assert [found and found.id for found in claimed] == [*others[:PASSES], passed]
    book.close()


def test_one_s_own_jobs_are_begun_in_their_order_on_every_device(tmp_path: Path) -> None:
    book, dice = JobBook(tmp_path / "studio.db", tmp_path), random.Random(5)
    teach(book, "AB")
    studio, begun = Studio(book, 8), list[str]()
    ids = [book.submit(TextToImage(width=512, height=512, steps=20, checkpoint=dice.choice("AB")), "ada") for _ in range(24)]
    while True:
        studio.fill()
        begun += [found.id for _, found in sorted(studio.ends.values(), key=lambda each: ids.index(each[1].id)) if found.id not in begun]
        if not studio.step():
            break
    assert begun == ids and len(studio.drawn) == 24
    book.close()


def test_devices_that_draw_are_no_reason_to_let_another_job_go(tmp_path: Path) -> None:
    """Between two batches of one job, what others draw at this moment cannot be drawn here."""
    book = JobBook(tmp_path / "studio.db", tmp_path)
    long = [book.submit(TextToImage(batch_count=5), user) for user in ("ada", "bob")]
    running = [book.claim(), book.claim()]
    for each in running:
        assert each
        each.progress.batch = 1
        book.queue.used(each.id, each.progress, 1.0)
    assert all(book.queue.goes_on(long[0], others=[Place()]) for _ in range(3)), "though it would be bob's turn"
    book.close()


def test_one_person_can_draw_on_as_many_devices_as_there_are(tmp_path: Path) -> None:
    book = JobBook(tmp_path / "studio.db", tmp_path)
    ids = [book.submit(TextToImage(), "ada") for _ in range(12)]
    assert [found.id for _ in range(12) if (found := book.claim())] == ids
    book.close()
