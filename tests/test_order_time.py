"""Fair by the time that is spent: counted from what was drawn when, by a simulation that knows nothing of how the ring decides."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import pytest

from pipelines.job_book.book import PASSES, Job, JobBook
from pipelines.requests.remaining import Progress
from pipelines.requests.request import TextToImage

OWNER = "owner"


@dataclass
class Device:
    """What the worker does with the book, one batch a call; a batch of each person takes the seconds that are said."""

    book: JobBook
    seconds: dict[str, float] = field(default_factory=dict)
    a_picture: float = 0.0  # the seconds of one picture of everybody else
    job: Job | None = None
    drawn: list[str] = field(default_factory=list)  # users, one entry a batch
    checkpoint: str = ""  # of the last batch
    grouped: bool = False

    def submit(self, user: str, batches: int = 1, checkpoint: str = "starter", lane: str = "next") -> str:
        request = TextToImage(batch_count=batches, batch_size=4 if batches > 1 else 1, checkpoint=checkpoint)
        return self.book.submit(request, user, owner=user == OWNER, lane=lane)

    def begin(self) -> bool:
        """One batch is in work."""
        at_hand = (self.checkpoint,) if self.grouped and self.checkpoint else ()
        if self.job and not self.book.queue.goes_on(self.job.id, at_hand):
            self.job = None
        self.job = self.job or self.book.claim(at_hand)
        return self.job is not None

    def end(self) -> None:
        job = self.job
        assert job
        self.drawn.append(job.user)
        self.checkpoint = getattr(job.request, "checkpoint", "")
        job.progress.batch += 1
        job.progress.pictures = job.progress.batch * job.request.pictures_a_batch
        self.book.queue.used(job.id, job.progress, self.seconds.get(job.user, self.a_picture * job.request.pictures_a_batch))
        if job.progress.batch == job.request.batch_total:
            self.book.end(job.id, "done")
            self.job = None

    def run(self, batches: int = 10**6) -> None:
        while batches and self.begin():
            self.end()
            batches -= 1

    def used(self, user: str) -> float:
        return self.drawn.count(user) * self.seconds.get(user, 1.0)


@pytest.fixture
def device(tmp_path: Path) -> Iterator[Device]:
    device = Device(JobBook(tmp_path / "studio.db", tmp_path))
    yield device
    device.book.close()


def test_one_picture_beside_a_job_of_fifty_times_four_waits_for_the_batch_in_work_and_one_more(device: Device) -> None:
    device.submit("ada", 50)
    device.run(7)
    assert device.begin()  # ada's eighth
    device.submit("bob")
    device.end()
    device.run()
    assert device.drawn[7:11] == ["ada", "ada", "bob", "ada"] and len(device.drawn) == 51


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("owner", [False, True], ids=["guests", "with the owner"])
def test_who_comes_waits_for_the_batch_in_work_and_at_most_one_of_each_other_person(tmp_path: Path, seed: int, owner: bool) -> None:
    """The owner's come between: at most one more than there are of guests."""
    dice = random.Random(seed)
    device = Device(JobBook(tmp_path / "studio.db", tmp_path))
    device.seconds = {f"guest {number}": dice.choice([0.5, 1, 3, 20]) for number in range(60)} | {OWNER: dice.choice([0.5, 3, 20])}
    people, waits = iter(f"guest {number}" for number in range(60)), dict[str, int]()  # person -> batches drawn when it came
    device.submit(next(people), 50)
    for _ in range(150):
        busy = device.begin()
        for _ in range(dice.choice([0, 0, 0, 1, 1, 3]) if busy else 1):
            person = OWNER if owner and dice.random() < 0.2 else next(people, "")
            if person:
                waits.setdefault(person, len(device.drawn) + busy) if person != OWNER else None
                device.submit(person, dice.choice([1, 1, 2, 50]))
        if busy:
            device.end()
    met = 0
    for person, came in waits.items():
        if person in device.drawn[came:]:
            met += 1
            before = Counter(device.drawn[came : device.drawn.index(person, came)])
            owners = before.pop(OWNER, 0)
            assert max(before.values(), default=0) <= 1 and owners <= sum(before.values()) + 1, (person, before, owners)
    assert met > 20


def test_unlike_batches_get_like_time(device: Device) -> None:
    device.seconds = {"slow": 10.0, "quick": 1.0, "middle": 3.0}
    for user in device.seconds:
        device.submit(user, 100)
        device.submit(user, 100)
    spent = 0.0
    while spent < 600:
        device.run(1)
        spent = sum(map(device.used, device.seconds))
        if spent > 60:
            assert max(map(device.used, device.seconds)) - min(map(device.used, device.seconds)) <= 40
    assert all(180 < device.used(user) < 220 for user in device.seconds)


def test_who_draws_long_batches_waits_for_what_was_drawn_and_not_for_how_many_names_come(device: Device) -> None:
    device.seconds = {"ada": 10.0}
    device.a_picture = 1.0
    device.submit("ada", 50)
    waiting = []
    for number in range(120):
        assert device.begin()
        for more in range(3):
            device.submit(f"newcomer {number} {more}")
        device.end()
        waiting.append(3 * (number + 1) - len([user for user in device.drawn if user != "ada"]))
    turns = [number for number, user in enumerate(device.drawn) if user == "ada"]
    assert len(turns) > 3
    for turn, later in pairwise(turns):
        assert later - turn - 1 <= 10 * waiting[turn], "as many seconds as ada's batch took, for each who waited then"


@pytest.mark.parametrize("seed", range(3))
def test_among_alike_batches_nobody_who_comes_later_gets_before_somebody_s_next_one(tmp_path: Path, seed: int) -> None:
    dice = random.Random(seed)
    device = Device(JobBook(tmp_path / "studio.db", tmp_path))
    came: dict[str, int] = {}
    device.submit("ada", 50)
    device.seconds = {"ada": 1.0, "early 0": 1.0, "early 1": 1.0, "early 2": 1.0}
    assert device.begin()
    for name in list(device.seconds)[1:]:
        device.submit(name)
    device.end()
    device.run(1)
    assert device.drawn == ["ada", "ada"], "they came after her, and her next batch is like theirs"
    device.submit("bob", 50)
    for number in range(40):
        device.seconds = {user: dice.uniform(0.9, 1.1) for user in (*device.seconds, *came, "ada", "bob")}
        assert device.begin()
        device.submit(name := f"newcomer {number}")
        came[name] = len(device.drawn)
        device.end()
    for user in ("ada", "bob"):
        turns = [number for number, each in enumerate(device.drawn) if each == user]
        for turn, later in pairwise(turns):
            assert all(came[each] <= turn for each in device.drawn[turn:later] if each in came), device.drawn


def test_the_owner_has_every_second_turn_against_guests_who_came_later(device: Device) -> None:
    device.submit("early")
    device.submit(OWNER, 50)
    for number in range(10):
        device.submit(f"guest {number}")
    device.run(21)
    assert device.drawn[:4] == ["early", OWNER, "guest 0", OWNER]
    assert device.drawn.count(OWNER) == 10 and OWNER not in device.drawn[0::2]


@pytest.mark.parametrize("seed", range(3))
def test_a_checkpoint_at_hand_puts_nobody_s_batch_off_by_more_than_three(tmp_path: Path, seed: int) -> None:
    dice = random.Random(seed)
    devices = [Device(JobBook(tmp_path / f"{name}.db", tmp_path), grouped=name == "grouped") for name in ("fair", "grouped")]
    for _ in range(12):
        user, checkpoint, batches = dice.choice("abcd"), dice.choice("XYZ"), dice.choice([1, 1, 3, 9])
        for device in devices:
            device.submit(user, batches, checkpoint)
    for device in devices:
        device.run()
    fair, grouped = (places(device.drawn) for device in devices)
    assert fair.keys() == grouped.keys() and fair != grouped
    assert max(grouped[batch] - fair[batch] for batch in fair) <= PASSES


def places(drawn: list[str]) -> dict[tuple[str, int], int]:
    """(person, number of the batch among the person's) -> place."""
    count = Counter[str]()
    found = {}
    for place, user in enumerate(drawn):
        found[user, count[user]] = place
        count[user] += 1
    return found


# ------------------------------------------------------------------------------------------------ lanes


def test_a_lane_orders_one_s_own_and_lets_nobody_pass(device: Device) -> None:
    for user in ("ada", "bob"):
        device.submit(user)
    device.submit("ada", lane="now")
    first = device.book.claim()
    assert first and first.user == "ada" and device.book.job(first.id) == first
    rows = device.book._db.execute("select lane from job where id = ?", (first.id,)).fetchone()
    assert rows["lane"] == 0
    device.job = first
    device.end()
    device.run()
    assert device.drawn == ["ada", "bob", "ada"]


def test_what_waits_for_an_idle_studio_gives_way_between_batches_and_goes_on(device: Device) -> None:
    idle = device.submit("ada", 5, lane="idle")
    device.run(2)
    assert device.begin()
    device.submit("bob", 2)
    device.end()
    device.run(1)
    device.submit("eve")
    device.run(2)
    assert device.drawn == ["ada"] * 3 + ["bob", "eve", "bob"] or device.drawn == ["ada"] * 3 + ["bob", "bob", "eve"]
    job = device.book.job(idle)
    assert job and (job.state, job.progress.batch, job.progress.pictures) == ("waiting", 3, 12)
    device.run()
    assert device.drawn[6:] == ["ada", "ada"] and device.book.job(idle).state == "done"  # type: ignore[union-attr]


def test_a_job_of_one_s_own_in_the_lane_now_makes_the_running_one_wait(device: Device) -> None:
    long = device.submit("ada", 5)
    device.run(2)
    urgent = device.submit("ada", lane="now")
    assert not device.book.queue.goes_on(long)
    job = device.book.claim()
    assert job and job.id == urgent


@pytest.mark.parametrize("seed", range(4))
def test_the_order_that_is_told_is_the_order_in_which_jobs_are_begun(tmp_path: Path, seed: int) -> None:
    dice = random.Random(seed)
    device = Device(JobBook(tmp_path / "studio.db", tmp_path))
    device.a_picture = 0.5
    for _ in range(5):
        for _ in range(4):
            device.submit(dice.choice([*"abcd", OWNER]), dice.choice([1, 2, 7]), lane=dice.choice(["now", "next", "next", "idle"]))
        device.run(3)
    if device.job:  # its next batch is to be asked for
        device.job = device.job if device.book.queue.goes_on(device.job.id) else None
    told = [job for job in device.book.queue.listing().jobs if job.state == "waiting" and not job.begun]
    begun = []
    while device.job or device.begin():
        assert device.job
        if not device.job.progress.batch:
            begun.append(device.job.id)
        device.end()
        if device.job and not device.book.queue.goes_on(device.job.id):
            device.job = None
    assert begun == [job.id for job in told]


def test_nobody_is_charged_while_nobody_else_waits(device: Device) -> None:
    device.seconds = {"ada": 60.0, "bob": 60.0}
    device.submit("ada", 10)
    device.run(5)
    device.submit("bob", 10)
    device.run(6)
    assert device.drawn[5:] == ["ada", "bob"] * 3


def test_a_progress_is_read_as_it_was_written() -> None:
    from pipelines.requests.remaining import read_progress

    progress = Progress(3, 13, {8: "a" * 64, 9: "b" * 64})
    assert read_progress(*progress.written()) == progress
    assert read_progress("x", -4, "[[") == read_progress(None, None, "{1:") == Progress()
