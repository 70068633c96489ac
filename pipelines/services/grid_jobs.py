"""Jobs of grids: the next cell of each is queued when the one before it begins, so that the order can follow whoever looks.

One cell of a grid waits at a time, beside the one that is drawn. So a grid takes its turn with all else: a person's other jobs come between
two cells, and those of others as between any two batches. Which cell comes is decided as late as that.
"""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field

from models.errors import UserError
from pipelines.grids.axes import Offer, offers
from pipelines.grids.cells import Eye, Grid, Place, next_place, read_place, restored, written
from pipelines.job_book.book import Job, JobBook
from pipelines.job_book.errors import BookError
from pipelines.job_book.grids import DRAWING, GridRow
from pipelines.job_book.room import Allowance
from pipelines.requests.request import Drawing, Request
from pipelines.services.grid_names import GridNames
from pipelines.services.job_answers import PictureSummary

log = logging.getLogger(__name__)

REMEMBERED = 20  # grids

Admit = Callable[[Request, str, bool], tuple[Request, Allowance]]


@dataclass
class Known:
    """A grid as it stands in the book, read. `axes`: what was read, to know when that has changed."""

    grid: Grid
    offers: dict[str, Offer]
    axes: object
    eye: Eye = field(default_factory=Eye)
    last: Place | None = None
    seconds: dict[str, float] = field(default_factory=dict[str, float])  # that each cell is expected to take
    told: dict[str, PictureSummary] = field(default_factory=dict[str, PictureSummary])  # of pictures that were read, by their ids


class GridJobs:
    """Safe to call from any thread."""

    def __init__(
        self, book: JobBook, admit: Admit, allow: Callable[[str, bool], Allowance], names: Callable[[str], GridNames],
        free: Callable[[str], None], changed: Callable[[], None],
    ) -> None:  # fmt: skip
        """`admit`: a request of a person's, as it may be queued; `allow`: raises `UserError` for who may not draw. `free`: this person is
        the owner, who may not have been here since the studio was started. `changed`: something waits that did not.
        """
        self._book, self._admit, self._allow = book, admit, allow
        self._names, self._free, self._changed = names, free, changed
        self._lock = threading.RLock()
        self._known: OrderedDict[str, Known] = OrderedDict()

    def start(self) -> None:
        """What was drawn when the studio went away goes on."""
        for grid_id in self._book.grids.drawing():
            self.feed(grid_id)

    def moved(self, job: Job) -> None:
        """A job begins, or is over. Raises nothing."""
        if not job.grid:
            return
        try:
            self.feed(job.grid)
        except BookError as error:
            log.warning("the next cell of a grid waits for the book: %s", error)
        except Exception:
            log.exception("the next cell of a grid could not be queued")

    def feed(self, grid_id: str) -> None:
        """Queues the cell that comes next, if none waits."""
        with self._lock:
            while not self._book.grids.waits(grid_id):
                row = self._book.grids.one(grid_id)
                if not (row and row.state == DRAWING and row.left and self._may_draw(row)) or self._is_queued(row):
                    return

    def known(self, row: GridRow) -> Known:
        """Raises `UserError` for a grid that this version cannot read."""
        with self._lock:
            found = self._known.get(row.id)
            if found is None or found.axes != row.axes:
                if row.note or not isinstance(row.request, Drawing):
                    raise UserError(row.note or "This grid is of a kind that this version does not know. Update Atelier to use it.")
                eye, axes = (found.eye if found else Eye()), restored(row.axes)
                found = Known(Grid(row.request, axes), offers(row.request, self._names(row.user)), row.axes, eye)
                self._known[row.id] = found
            self._known.move_to_end(row.id)
            while len(self._known) > REMEMBERED:
                self._known.popitem(last=False)
            return found

    def _may_draw(self, row: GridRow) -> bool:
        """Where its person may not any more, the grid stops, and says nothing in each of its cells."""
        try:
            if row.owner:
                self._free(row.user)
            self._allow(row.user, row.owner)
        except BookError:
            raise
        except UserError:
            self._book.grids.stop(row.id)
            return False
        return True

    def _is_queued(self, row: GridRow) -> bool:
        """Whether a cell waits now, or none can. A cell that cannot be drawn says so in its place, and the one after it is looked at."""
        known = self.known(row)
        begun = self._book.grids.begun(row.id)
        known_cells = set(begun)
        left = [place for place in known.grid.places if written(place) not in known_cells]
        last = known.last or next((read_place(cell, len(known.grid.axes)) for cell in reversed(begun)), None)
        place = next_place(known.grid, left, last, known.eye)
        if place is None:
            return True
        known.last = place
        self._enter(row, known, place)
        return False

    def _enter(self, row: GridRow, known: Known, place: Place) -> None:
        request: Request = known.grid.base
        try:
            request = known.grid.request(place, known.offers)
            admitted, allowance = self._admit(request, row.user, row.owner)
        except UserError as error:
            self._book.grids.refuse(row.id, written(place), request, str(error))
        else:
            words = f"Cell of a grid of {known.grid.count:,}"
            self._book.grids.queue(row.id, written(place), admitted, words, allowance.megapixels)
        self._changed()
