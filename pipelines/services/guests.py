"""Limits of guests: so much work in one job, and so much room on the disk. Who sits at the machine has neither limit.

Room is counted from the files themselves: all of a person's pictures and inputs once, when the person first puts something in after
a start, and from then on what is added. When it seems used up it is counted anew, so files that were removed give their room back.
"""

from __future__ import annotations

import math
import shutil
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from models.errors import UserError
from models.families import PIXELS_PER_LATENT
from pipelines.images.clip_file import beside
from pipelines.images.masking import Size
from pipelines.images.store import Inputs
from pipelines.images.tiles import pixels_drawn
from pipelines.images.windows import windows
from pipelines.job_book.book import JobBook
from pipelines.metadata.two_passes import second_pass
from pipelines.prompts.asked import share_of_work
from pipelines.requests.drawn_small import enlarger_of
from pipelines.requests.request import (
    Details,
    Drawing,
    Enlarge,
    ImageToImage,
    Outpaint,
    Request,
    SecondPass,
    TextToImage,
    Wordless,
    listed_in,
)

MOST_WORK = 10_000.0  # megapixels times steps of one job: some 300 pictures of 1024 x 1024 with 30 steps
BY_NETWORK = 20  # steps of a drawing that an upscaler's megapixel takes as long as, about
LARGER = 16  # times the area of a picture that is enlarged when it is drawn: most upscalers have the factor 4
PIXEL, TRANSPARENT_PIXEL = 3, 4  # bytes of a pixel in a PNG that does not shrink at all
AGAIN = 10.0  # seconds between two full counts of one person
RESERVE = 2 * 10**9  # bytes of the disk that guests leave free, however many they are: a new browser is a new guest
PEOPLE = 1_000  # whose room is remembered


def work_of(request: Request, size: Size | None = None) -> float:
    """Megapixels times steps of a whole job. `size`: of the picture that it begins with, where its work depends on that."""
    if isinstance(request, Enlarge) and size:
        return math.prod(request.size_from(size)) / 1e6 * (BY_NETWORK if request.upscaler else 1)
    if isinstance(request, Wordless):
        return request.pixels / 1e6 * request.steps
    if not isinstance(request, Drawing):
        return 0.0
    area = pixels_drawn(request) / 1e6 * (PIXELS_PER_LATENT / request.pixels_per_latent) ** 2
    if isinstance(request, Outpaint) and size:
        around = request.left, request.top, request.right, request.bottom
        area *= len(windows(size, around, (request.width, request.height)))
    if isinstance(request, Details):
        area *= max(1, len(request.boxes))
    enlarged = request.width * request.height / 1e6 * BY_NETWORK if isinstance(request, SecondPass) and request.upscaler else 0
    enlarged += area * LARGER * BY_NETWORK * request.picture_count if enlarger_of(request) else 0
    return area * request.steps * request.picture_count * share_of_work(request) + enlarged + _second(request, work_of)


def check_work(request: Request, *sizes: Size) -> None:
    """Raises `UserError` for a job that is more than a guest may ask for at once. `sizes`: of each picture that it begins with, where its
    work depends on that.
    """
    work = sum(work_of(request, size) for size in sizes) if sizes else work_of(request)
    if work > MOST_WORK:
        times = f"{work / MOST_WORK:,.1f} times" if work < 100 * MOST_WORK else "more than a hundred times"
        raise UserError(f"This is {times} what a guest may draw in one job. Choose fewer pictures or steps, or a smaller size.")


def room_of(request: Request, size: Size | None = None) -> int:
    """Bytes that a job's pictures take at most, and those that loopback stores in between. `size`: as for `work_of`."""
    if isinstance(request, Enlarge) and size:
        return math.prod(request.size_from(size)) * TRANSPARENT_PIXEL
    rounds = 2 if isinstance(request, ImageToImage) and request.loops > 1 else 1
    return int(pixels_of(request)) * PIXEL * rounds


def pixels_of(request: Request, size: Size | None = None) -> float:
    """Pixels of all pictures that a job makes, second passes among them. `size`: as for `work_of`."""
    if isinstance(request, Enlarge) and size:
        return math.prod(request.size_from(size))
    if isinstance(request, Wordless):
        return request.pixels
    if not isinstance(request, Drawing):
        return 0
    each = request.width * request.height * (1 + (LARGER if enlarger_of(request) else 0))
    return each * request.picture_count + _second(request, pixels_of)


def _second(request: Drawing, measure: Callable[[Request], float]) -> float:
    """The same of the second passes that follow, if there are any."""
    if not isinstance(request, TextToImage) or not request.hires:
        return 0
    return measure(second_pass(request, "", (request.width, request.height))) * request.picture_count


@dataclass
class _Used:
    """Room that one person's files take."""

    size: int = 0  # bytes
    last: int = 0  # number of the newest picture that is counted
    counted: float = field(default=-AGAIN)


class DiskQuota:
    """The disk quota of each guest. Safe to call from any thread. `most`: bytes a guest; 0 for no limit."""

    def __init__(self, book: JobBook, inputs: Inputs, most: int = 0, clock: Callable[[], float] = time.monotonic) -> None:
        self.most = most
        self._book, self._inputs, self._folder, self._clock = book, inputs, inputs.folder.parent, clock
        self._people: OrderedDict[str, _Used] = OrderedDict()
        self._owners: OrderedDict[str, None] = OrderedDict()
        self._lock = threading.Lock()
        self._others: list[Callable[[str], int]] = []
        self._own: Callable[[str], int | None] = lambda user: None

    def most_of(self, user: str) -> int:
        """Bytes that this guest may have; 0 for no limit."""
        own = self._own(user)
        return self.most if own is None else min(own, self.most or own)

    def bounded_by(self, own: Callable[[str], int | None]) -> None:
        """`own`: bytes that a guest's link allows; None where it says nothing."""
        self._own = own

    def counts_too(self, elsewhere: Callable[[str], int]) -> None:
        """`elsewhere`: bytes of a person that the job book does not know of, in one more place."""
        self._others.append(elsewhere)

    def _elsewhere(self, user: str) -> int:
        return sum(bytes_of(user) for bytes_of in self._others)

    def free(self, user: str) -> None:
        """This person sits at the machine and has no limit from now on."""
        with self._lock:
            self._owners[user] = None
            self._owners.move_to_end(user)
            while len(self._owners) > PEOPLE:
                self._owners.popitem(last=False)

    def check(self, user: str, more: int = 0) -> None:
        """Raises `UserError` when a guest has no room for so many bytes more."""
        if not self.most_of(user) or user in self._owners:
            return
        if self._left() < RESERVE + more:
            raise UserError("The disk of this studio is nearly full, and the rest of it is its owner's. Ask for room, then try again.")
        with self._lock:
            if self._fits(user, more, self._added(user)) or self._fits(user, more, self._counted(user)):
                return
            used = self._people[user].size + self._elsewhere(user)
        raise UserError(_no_room(used, self.most_of(user)))

    def check_job(self, user: str, request: Request) -> None:
        """The same for all that this job and those that have not ended will store."""
        if self.most_of(user) and user not in self._owners:
            self.check(user, sum(map(self._room_of, (request, *self._book.unfinished(user)))))

    def _room_of(self, request: Request) -> int:
        try:
            sizes = [self._inputs.size(use.id) for use in listed_in(request)]
            if isinstance(request, Enlarge):
                return sum(room_of(request, size) for size in sizes or [self._inputs.size(request.image)])
            return room_of(request)
        except UserError:
            return 0  # it cannot be made, and says so when its turn comes

    def add(self, user: str, size: int) -> None:
        """This person has stored something."""
        with self._lock:
            if user in self._people:
                self._people[user].size += size

    def gave_back(self, user: str, number: int, size: int) -> None:
        """The picture of this number is gone from the disk, and its bytes are free."""
        with self._lock:
            used = self._people.get(user)
            if used and number <= used.last:
                used.size = max(used.size - size, 0)

    def _left(self) -> int:
        """Bytes that are free where pictures are kept."""
        try:
            return shutil.disk_usage(self._folder).free
        except OSError:
            return RESERVE  # it is told when something is written

    def _fits(self, user: str, more: int, used: _Used) -> bool:
        return used.size + self._elsewhere(user) + more <= self.most_of(user)

    def _added(self, user: str) -> _Used:
        """What was counted before and the pictures since then; everything for somebody who is not remembered."""
        if user not in self._people:
            return self._counted(user)
        used = self._people[user]
        self._people.move_to_end(user)
        self._count_pictures(user, used)
        return used

    def _counted(self, user: str) -> _Used:
        """Everything anew, but not all the time."""
        used = self._people.setdefault(user, _Used())
        if self._clock() - used.counted >= AGAIN:
            kept = self._book.inputs.of(user)
            used.size = sum(_size(path) for each in kept for path in (self._inputs.path(each), self._inputs.signed_path(each)))
            used.last, used.counted = 0, self._clock()
            self._count_pictures(user, used)
        while len(self._people) > PEOPLE:
            self._people.popitem(last=False)
        return used

    def _count_pictures(self, user: str, used: _Used) -> None:
        for number, path in self._book.paths_of(user, used.last):
            used.size += sum(_size(each) for each in (path, *beside(path)))
            used.last = max(used.last, number)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _no_room(used: int, most: int) -> str:
    return (
        f"Your pictures take {used / 1e9:.1f} GB of the {most / 1e9:g} GB that a guest has here, and there is no room for this. "
        "Draw fewer pictures at once, or ask who owns this studio for room."
    )
