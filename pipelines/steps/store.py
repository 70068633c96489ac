"""The store of kept steps: a folder with a file a picture, within a budget.

    outputs/.steps/20261121-031502-0007_red-house_s1234.own-1f..2.0f3a...9c.steps   of a finished picture: its file's name, whose it is, and
                                                                                    what it was made by
    outputs/.steps/QmVy....3.going                                                  of a picture in work: its job, and its index there

The first is found by the first or the last part of its name, so nothing else has to remember it. What is not there is no loss: a branch
makes the steps anew, and a job begins from where its pictures are.
"""

from __future__ import annotations

import errno
import hashlib
import logging
import re
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from models.errors import UserError
from pipelines.steps.records import BEGINNING, Place, begun_record, places, read_state, record_of, whole
from pipelines.steps.state import StepState

log = logging.getLogger(__name__)

STEPS = ".steps"  # the folder, within that of the pictures
KEPT, GOING = ".steps", ".going"
FILES = "-"  # in an order, before the digest of the files that draw
OWNER = "own-"
NAMED = re.compile(r"[0-9A-Za-z_-]{1,64}")  # ids of jobs
DAY = 86_400.0  # seconds that those of a job that was stopped are kept

Rated = Callable[[], Collection[str]]  # names of files of pictures that somebody rated


@dataclass(frozen=True)
class StepFile:
    """The steps of one picture. Raises `UserError` for a file that cannot be read."""

    path: Path
    picture: int = 0  # its index within the job

    @cached_property
    def places(self) -> dict[tuple[int, int], Place]:
        """By leg and index; what was made twice is as it was made last."""
        return {(place.leg, place.index): place for place in self._records if isinstance(place, Place)}

    def last(self, leg: int) -> int:
        """The index of the newest step of this leg, -1 without one."""
        return max((index for own, index in self.places if own == leg), default=-1)

    def state(self, leg: int, index: int) -> StepState:
        return read_state(self.path, self.places[leg, index], self.picture)

    @property
    def came_on(self) -> bool:
        """A step was made since a try last began."""
        return bool(self._records) and isinstance(self._records[-1], Place)

    @property
    def order(self) -> str:
        """What it was asked for with: see `KeptSteps.begin`."""
        return next((found for found in reversed(self._records) if isinstance(found, str)), "")

    @cached_property
    def _records(self) -> list[Place | str]:
        try:
            with self.path.open("rb") as file:
                return list(places(file))
        except OSError as error:
            raise UserError("The steps of this picture are not there any more.") from error


class KeptSteps:
    """Safe to use from any thread and process: files come into their place whole."""

    def __init__(self, folder: Path, budget: int) -> None:
        """`folder`: that of the pictures. `budget`: bytes; 0 keeps none."""
        self.folder, self.budget = folder / STEPS, budget

    # ------------------------------------------------------------------------------------------ of pictures that are finished

    def of_content(self, content: str) -> StepFile | None:
        """Those of a picture that was made by this: see `pipelines.steps.content`."""
        return next(self._named(f"*.{content}{KEPT}"), None) if content else None

    def of_picture(self, picture: Path) -> StepFile | None:
        return next(self._named(f"{_escaped(picture.stem)}.*{KEPT}"), None)

    def remove(self, picture: str) -> None:
        """With a picture that is removed; `picture`: the path or the name of its file."""
        for found in self._named(f"{_escaped(Path(picture).stem)}.*{KEPT}"):
            found.path.unlink(missing_ok=True)

    def _named(self, pattern: str) -> Iterator[StepFile]:
        return (StepFile(path) for path in sorted(self.folder.glob(pattern)))

    # ------------------------------------------------------------------------------------------ of pictures in work

    def going(self, job: str, picture: int) -> StepFile | None:
        path = self._going(job, picture)
        return StepFile(path, picture) if path and path.is_file() else None

    def begin(self, job: str, order: str) -> bool:
        """A try at the job begins. `order`: digests of what is asked for and of the files that draw it, as `REQUEST-FILES`. Steps of
        another order are removed; True where they were asked for alike, and drawn by other files. Raises `OSError`.
        """
        by_others = False
        for path in self._all_going(job):
            before = _order_of(path)
            if before == order:
                _mend(path)
                _append(path, begun_record(order))
                continue
            asked, has_files, _ = before.partition(FILES)
            by_others = by_others or (bool(has_files) and asked == order.partition(FILES)[0])
            path.unlink(missing_ok=True)
        return by_others

    def add(self, job: str, order: str, state: StepState) -> int:
        """One step of all pictures that are drawn together. Returns the bytes that it takes. Raises `OSError`."""
        size = 0
        for picture in state.pictures:
            if path := self._going(job, picture):
                record = record_of(state.of(picture))
                size += _append(path, record) if path.is_file() else _begin(path, BEGINNING + begun_record(order) + record)
        return size

    def finish(self, job: str, picture: int, name: str, content: str, person: str = "") -> None:
        """What there is of a picture is kept under the name of its file, or, without content, not at all. Raises `OSError`. `person`: whose
        it is, as `person_of` says.

        Nothing waits until the disk has it, which would hold up the pictures: a file that a power cut has spoiled is told by its checks.
        """
        path = self._going(job, picture)
        if path is None or not path.is_file():
            return
        if not (content and self.budget):
            path.unlink()
            return
        path.replace(self.folder / f"{'.'.join(part for part in (Path(name).stem, person, content) if part)}{KEPT}")

    def drop(self, job: str) -> None:
        """The job has come to its end."""
        for path in self._all_going(job):
            path.unlink(missing_ok=True)

    def came_on(self, job: str) -> bool:
        """Whether a step was made since a try at this job last began."""
        for path in self._all_going(job):
            try:
                if StepFile(path).came_on:
                    return True
            except UserError as error:
                log.warning("%s", error)
        return False

    def _going(self, job: str, picture: int) -> Path | None:
        return self.folder / f"{job}.{picture}{GOING}" if NAMED.fullmatch(job) else None

    def _all_going(self, job: str) -> list[Path]:
        return sorted(self.folder.glob(f"{job}.*{GOING}")) if NAMED.fullmatch(job) else []

    # ------------------------------------------------------------------------------------------ the room

    @property
    def bytes(self) -> int:
        return sum(size for _, size, _ in self._sizes())

    def make_room(self, rated: Rated = tuple) -> int:
        """Removes what is beyond the budget: of whoever is most beyond their share (`shares_of`), unrated before rated ones, and the oldest
        first. Returns how many files.
        """
        found = self._sizes()
        over = sum(size for _, size, _ in found) - self.budget
        if over <= 0:
            return 0
        stars, held = {Path(name).stem for name in rated()}, dict[str, list[tuple[float, int, Path]]]()
        for each in sorted(found, key=lambda each: (each[2].name.partition(".")[0] not in stars, -each[0])):
            held.setdefault(_person(each[2]), []).append(each)
        beyond = {whose: sum(size for _, size, _ in held[whose]) - share for whose, share in shares_of(self.budget, tuple(held)).items()}
        removed = 0
        while over > 0:
            whose = max((person for person in held if held[person]), key=beyond.__getitem__)
            _, size, path = held[whose].pop()
            path.unlink(missing_ok=True)
            beyond[whose], over, removed = beyond[whose] - size, over - size, removed + 1
        return removed

    def sweep(self, goes_on: Callable[[str], bool]) -> int:
        """Removes those of jobs that do not go on, and of such as nobody has brought back for a day. Returns how many files."""
        removed = 0
        for path in self.folder.glob(f"*{GOING}"):
            job = path.name.partition(".")[0]
            with _gone_is_fine():
                if not goes_on(job) or path.stat().st_mtime < time.time() - DAY:
                    path.unlink()
                    removed += 1
        return removed

    def _sizes(self) -> list[tuple[float, int, Path]]:
        """(last change, bytes, file) of those of finished pictures."""
        found: list[tuple[float, int, Path]] = []
        for path in self.folder.glob(f"*{KEPT}"):
            with _gone_is_fine():
                status = path.stat()
                found.append((status.st_mtime, status.st_size, path))
        return found


def person_of(user: str, owner: bool) -> str:
    """What a person is called in the names of files: no name, and nobody's token."""
    return f"{OWNER if owner else 'guest-'}{hashlib.sha256(user.encode()).hexdigest()[:12]}"


def shares_of(budget: int, persons: Sequence[str]) -> dict[str, float]:
    """Bytes that each of these may hold against the others: one half is the owner's, and guests have the other one in equal parts.

    What somebody does not use others may, until it is needed. So nobody loses steps by what somebody else draws, as long as they hold no
    more than their share, however many guests there are.
    """
    owners = [each for each in persons if not each or each.startswith(OWNER)]  # those of earlier versions say nothing
    guests = [each for each in persons if each not in owners]
    part = budget / 2 if owners and guests else budget
    return {each: part / len(group) for group in (owners, guests) for each in group}


def _person(path: Path) -> str:
    _, *between, _, _ = path.name.split(".")
    return between[0] if between else ""


def _begin(path: Path, record: bytes) -> int:
    """A file that somebody may be waiting to read is there with its first record, or not at all."""
    new = path.with_suffix(f".new{GOING}")
    new.unlink(missing_ok=True)
    size = _append(new, record)
    new.replace(path)
    return size


def _append(path: Path, record: bytes) -> int:
    """The whole record, or nothing of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab", buffering=0) as file:
        before = file.tell()
        try:
            written = file.write(record)
        except OSError:
            file.truncate(before)
            raise
        if written != len(record):
            file.truncate(before)
            raise OSError(errno.ENOSPC, "a step was not written whole")
    return len(record)


def _mend(path: Path) -> None:
    """Without what a kill has left half written at its end."""
    with path.open("rb+") as file:
        file.truncate(whole(file))


def _order_of(path: Path) -> str:
    try:
        return StepFile(path).order
    except UserError as error:
        log.warning("%s", error)
        return ""


def _escaped(stem: str) -> str:
    return re.sub(r"([\[\]*?])", r"[\1]", stem)


def _gone_is_fine() -> suppress:
    """Another thread or process was quicker."""
    return suppress(OSError)
