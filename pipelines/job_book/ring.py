"""The ring of those who wait: whose batch is drawn next. Counted and summed in memory alone; `order.py` reads and writes it.

People who wait sit in a ring. Whoever comes takes the seat at its end; whose turn it is draws one batch and goes to the end as well. So
somebody with one picture waits for the batch in work and at most one of each other person, however many the others have asked for; and
nobody who comes later gets before somebody's next batch, under however many names. A batch is what is drawn side by side, mostly one
picture. Seats and turns are counted; no clock decides.

Batches take unlike times, so turns alone would be unfair. Each has a balance, in seconds: what a batch took is added as often as others
waited meanwhile, and taken from each of them. Who is ahead by more than what one and a half batches add lets the others have their turns
until they have caught up, second for second, whoever they are. So among those whose batches are alike the ring alone decides; nobody who
has drawn nothing waits longer for the sums; and who is ahead waits for what is drawn, not for how many come meanwhile.

The owner of the studio has every second turn against guests who came later, however many they are: of two turns of such guests one is the
owner's, if the owner's job is the older one.

A job whose checkpoint is at hand may be drawn before its turn, as swapping takes time. Its person's turn is used up all the same when it
comes, and a batch whose turn was three turns ago is drawn now, so nobody waits more than three batches longer for it. Where several devices
draw, which of those who may be first one of them takes is decided by `placing.py`; it is three turns on each of them then.
"""

from __future__ import annotations

import heapq
import itertools
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from pipelines.job_book.pace import model_of
from pipelines.job_book.placing import Offer, Placing

PASSES = 3  # batches that may be drawn before one when its turn has come, because their checkpoint is at hand
SLACK = 1.5  # batches that one may be ahead: right after one's own, one is ahead by a batch in any case
FINE = 600  # batches that are looked at one by one when the order of all is told; beyond, a job counts as one


@dataclass(slots=True)
class Entry:
    """A job as the ring knows it."""

    number: int  # in the order of coming
    user: str
    owner: bool
    left: int  # batches
    seconds: float = 0.0  # that a batch is expected to take; 0 when nobody knows
    sort: str = ""  # of its work, see `pipelines.job_book.pace`
    work: float = 0.0  # of a batch

    @property
    def model(self) -> str:
        return model_of(self.sort)


@dataclass(slots=True)
class Seat:
    """One person in the ring, with the jobs in the order in which the person wants them."""

    user: str
    place: int = 0
    turn: int = -1  # the last one
    balance: float = 0.0  # seconds
    slack: float = 0.0  # seconds by which the balance may be above 0
    ahead: int = 0  # batches that were drawn before their turn, which is to come
    called: list[int] = field(default_factory=list[int])  # turns whose batch is not drawn yet
    jobs: deque[Entry] = field(default_factory=deque[Entry])

    @property
    def order(self) -> tuple[int, int]:
        return self.place, self.jobs[0].number if self.jobs else 0

    @property
    def in_debt(self) -> bool:
        return self.balance > self.slack

    def next_job(self) -> Entry | None:
        """The job whose batch the next turn is for, None when all that are left have been called."""
        before = len(self.called)
        for job in self.jobs:
            if before < job.left:
                return job
            before -= job.left
        return None

    def draw(self) -> Entry:
        """Takes one batch of the first job."""
        if self.called:
            self.called.pop(0)
        else:
            self.ahead += 1
        job = self.jobs[0]
        job.left -= 1
        if not job.left:
            self.jobs.popleft()
            self.settle()
        return job

    def settle(self) -> None:
        """Who has nothing to draw has no turns that wait, and keeps no seconds for later."""
        self.called = self.called[: sum(job.left for job in self.jobs)]
        if not self.jobs:
            self.balance = max(0.0, self.balance)

    @property
    def is_empty(self) -> bool:
        """Whether it says nothing that the one of a newcomer would not."""
        return not self.jobs and not self.ahead and self.balance <= 0


class Ring:
    """`turn`: the last one that was given."""

    def __init__(self, seats: Iterable[Seat], turn: int, idle: Sequence[Entry] = ()) -> None:
        """`idle`: jobs, in the order of each person, that come when nobody has any other."""
        self.seats = {seat.user: seat for seat in seats}
        self.turn, self.idle = turn, idle
        for seat in self.seats.values():
            seat.settle()

    def next(self, placing: Placing | None = None) -> Entry | None:
        """Gives one turn and takes the batch that is drawn at it; None when nobody has any, or what there is ends earlier elsewhere: then
        the ring is not to be used any more. `placing`: of the device that asks; without it, the order alone decides.
        """
        if not any(seat.jobs for seat in self.seats.values()):
            return None
        self._give_turn()
        while not (called := self._called()):  # whose turn it was has drawn already
            self._give_turn()
        seat = self._choice(called, placing)
        return seat.draw() if seat else None

    def charge(self, job: Entry, seconds: float) -> None:
        """Whose job this is has used the device for so long."""
        others = [seat for seat in self.seats.values() if seat.user != job.user and seat.jobs]
        younger = [seat for seat in others if job.owner and not seat.jobs[0].owner and seat.jobs[0].number > job.number]
        shares = len(others) - max(0, len(younger) - 1)  # of the owner, guests who came later take one together
        for seat in self.seats.values():
            if seat.user == job.user:
                seat.balance += shares * seconds
                seat.slack = SLACK * shares * seconds
            elif seat.jobs or seat.balance > 0:
                seat.balance = seat.balance - seconds if seat.jobs else max(0.0, seat.balance - seconds)

    def line(self, devices: int = 1) -> Iterator[tuple[Entry, float]]:
        """Each job when it is drawn first, in that order, and after how many seconds, if nobody comes and nothing is at hand. Uses up the
        ring. `devices`: so many draw side by side.
        """
        clocks = [0.0] * max(1, devices)
        unseen = {job.number for seat in self.seats.values() for job in seat.jobs} | {job.number for job in self.idle}
        for count in itertools.count():
            if count == FINE:
                self._coarsen()
            job = self.next() if unseen else None
            if job is None:
                return
            if job.number in unseen:
                unseen.remove(job.number)
                yield job, clocks[0]
            heapq.heapreplace(clocks, clocks[0] + job.seconds)
            self._come_to_idle()
            self.charge(job, job.seconds)

    def _come_to_idle(self) -> None:
        if any(seat.jobs for seat in self.seats.values()):
            return
        idle, self.idle = self.idle, ()
        for job in idle:
            self.seats.setdefault(job.user, Seat(job.user)).jobs.append(job)

    def _coarsen(self) -> None:
        for job in (*self.idle, *(job for seat in self.seats.values() for job in seat.jobs)):
            job.seconds, job.left = job.seconds * job.left, 1
        for seat in self.seats.values():
            seat.settle()

    def _called(self) -> list[Seat]:
        return sorted((seat for seat in self.seats.values() if seat.called), key=lambda seat: seat.called[0])

    def _choice(self, called: list[Seat], placing: Placing | None) -> Seat | None:
        if placing is None:
            return called[0]
        overdue = [seat.jobs[0] for seat in called if seat.called[0] <= self.turn - PASSES]
        is_last = called[0].called[0] <= self.turn - PASSES * (1 + len(placing.others))
        seats = [called[0]] if is_last else list(self._may_be_first(called))
        behind = [] if is_last else [list(seat.jobs)[1:] for seat in seats]
        job = placing.chosen(Offer(called[0].jobs[0], overdue[:1] if is_last else overdue, [seat.jobs[0] for seat in seats], behind))
        return self.seats[job.user] if job else None

    def _may_be_first(self, called: list[Seat]) -> Iterator[Seat]:
        """Everybody, as one's own jobs are never reordered; but no guest before an older job of the owner whose turn has come."""
        to_come = sorted((seat for seat in self.seats.values() if seat.jobs and not seat.called), key=lambda seat: seat.order)
        oldest = min((seat.jobs[0].number for seat in called if seat.jobs[0].owner), default=None)
        for seat in (*called, *to_come):
            if seat.jobs[0].owner or oldest is None or seat.jobs[0].number < oldest:
                yield seat

    def _give_turn(self) -> None:
        """The order goes on by one: who is next has drawn for it already, or is called."""
        seat, before = self._whose_turn(), self.turn
        self.turn = before + 1
        if seat is None:
            return
        if seat.ahead:
            seat.ahead -= 1
        else:
            seat.called.append(self.turn)
        seat.place, seat.turn = self._end(), self.turn

    def _whose_turn(self) -> Seat | None:
        coming = [seat for seat in self.seats.values() if seat.ahead or seat.next_job()]
        if not coming:
            return None
        due = [seat for seat in coming if not seat.in_debt] or [min(coming, key=lambda seat: (seat.balance, seat.order))]
        first = min(due, key=lambda seat: seat.order)
        return self._owner_before(first, due) or first

    def _owner_before(self, first: Seat, due: list[Seat]) -> Seat | None:
        """An owner whose next job is older than that of a guest whose turn it would be, if the last turn was of somebody else."""
        head = first.next_job()
        if head is None or head.owner:
            return None
        older = [(job.number, seat) for seat in due if (job := seat.next_job()) and job.owner and job.number < head.number]
        rested = all(seat.turn < self.turn for seat in self.seats.values() if (job := seat.next_job()) and job.owner)
        return min(older, key=lambda entry: entry[0])[1] if older and rested else None

    def _end(self) -> int:
        return max((seat.place for seat in self.seats.values()), default=0) + 1
