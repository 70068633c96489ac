"""Grids as the page asks for them: begun, looked at, stopped and changed. What one would be is said in `grid_plans.py`."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace

from models.errors import UserError
from pipelines.gallery.person import Person
from pipelines.grids.cells import Axis, Eye, Grid, Place, beginning, read_axes, read_place, written
from pipelines.job_book.book import JobBook
from pipelines.job_book.errors import NotYours
from pipelines.job_book.grids import DRAWING, CellRow, GridRow
from pipelines.job_book.order import EVERYBODY
from pipelines.job_book.room import Allowance
from pipelines.jobs.progress import JobProgress
from pipelines.jobs.worker import Worker
from pipelines.requests.request import Drawing, Request
from pipelines.services.grid_answers import (
    GridCell,
    GridLine,
    GridList,
    GridNews,
    GridPlan,
)
from pipelines.services.grid_jobs import Admit, GridJobs, Known
from pipelines.services.grid_names import GridNames
from pipelines.services.grid_plans import Asked, GridPlans, axis_told, drawing
from pipelines.services.job_answers import PictureSummary
from pipelines.services.job_news import ALL_PAUSED, PAUSED, NewsDesk, newer, summary

LISTED = 60  # grids of a person
SHOWN = 4  # pictures of a grid in a list
SEEDED = ("seed", "variation_seed")
TO_COME = "to come"


class Grids:
    """Safe to call from any thread. Everything raises `UserError` with a sentence, and `BookError`."""

    def __init__(
        self, book: JobBook, worker: Worker, desk: NewsDesk, jobs: GridJobs, names: Callable[[str], GridNames], admit: Admit,
        allow: Callable[[str, bool], Allowance], plans: GridPlans,
    ) -> None:  # fmt: skip
        """`admit`: a request of a person's as it may be queued; `allow`: what a person may ask for."""
        self._book, self._worker, self._desk, self._jobs, self._names = book, worker, desk, jobs, names
        self._admit, self._allow, self.plans = admit, allow, plans

    # ---- begun, and gone on with ---------------------------------------------------------------------------------------

    def begin(self, request: Request, asked: Asked, person: Person, origin: str = "", once: str = "") -> str:
        """Returns its id. `origin`: the id of the picture that it is made around. `once`: what the page calls this order."""
        base = _with_seed(beginning(drawing(request)))
        names = self._names(person.user)
        grid = Grid(base, tuple(_rolled(each) for each in read_axes(base, asked, names)))
        requests = self.plans.requests(grid, names)
        largest = max(requests.values(), key=lambda each: each.width * each.height)
        _, allowance = self._admit(largest, person.user, person.owner)
        told = [axis.told() for axis in grid.axes]
        grid_id = self._book.grids.add(base, told, grid.count, person.user, person.owner, allowance, origin, once)
        self._jobs.feed(grid_id)
        return grid_id

    def change(self, grid_id: str, asked: Asked, person: Person) -> None:
        """With values more or fewer, or with other axes: cells that ask for the same as one of before keep its picture. Pictures of cells
        that are no more stay in the library.
        """
        row = self._own(grid_id, person)
        known, names = self._jobs.known(row), self._names(row.user)
        axes = tuple(_rolled(each) for each in read_axes(known.grid.base, asked, names, known.grid.axes))
        grid = Grid(known.grid.base, axes)
        requests = self.plans.requests(grid, names)
        self._changed(row, [axis.told() for axis in axes], grid, self._moved(known, grid, requests))

    def plan(self, grid_id: str, asked: Asked, person: Person) -> GridPlan:
        """What would come of a grid that is there with these axes, and how many of its pictures stay on the sheet."""
        row = self._own(grid_id, person)
        known, names = self._jobs.known(row), self._names(row.user)
        told = self.plans.plan(known.grid.base, asked, person)
        if not told["count"]:
            return told
        grid = Grid(known.grid.base, read_axes(known.grid.base, asked, names, known.grid.axes))
        moved, drawn = self._moved(known, grid, self.plans.requests(grid, names)), self._book.grids.cells(grid_id).items()
        places = {written(place) for place in grid.places}
        stays = sum(bool(each.picture) and (cell in places if moved is None else cell in moved) for cell, each in drawn)
        return {**told, "kept": stays, "lost": sum(bool(each.picture) for _, each in drawn) - stays, "relaid": moved is not None}

    def _moved(self, known: Known, grid: Grid, requests: Mapping[Place, Drawing]) -> dict[str, str] | None:
        """Cells of before, and where what they ask for is asked for now; None where the axes are the same ones."""
        if [axis.name for axis in grid.axes] == [axis.name for axis in known.grid.axes]:
            return None
        now = {request: written(place) for place, request in requests.items()}
        return {written(place): now[request] for place, request in self._sound(known).items() if request in now}

    def stop(self, grid_id: str, person: Person) -> None:
        for job in self._book.grids.stop(self._own(grid_id, person).id):
            self._worker.stop(job)
        self._worker.changed()

    def go_on(self, grid_id: str, person: Person) -> None:
        """What was stopped, and what could not be drawn, is drawn."""
        row = self._own(grid_id, person)
        self._changed(row, None, self._jobs.known(row).grid)

    def again(self, grid_id: str, place: str, person: Person) -> None:
        """One cell, whose picture is gone or could not be drawn."""
        self._book.grids.again(self._own(grid_id, person).id, place)
        self._jobs.feed(grid_id)
        self._worker.changed()

    def remove(self, grid_id: str, person: Person) -> None:
        """Its pictures stay."""
        for job in self._book.grids.remove(self._own(grid_id, person).id):
            self._worker.stop(job)
        self._worker.changed()

    def dropped(self, drop: Callable[[Collection[str]], None]) -> Callable[[Collection[str]], None]:
        """Persons are let in no longer: their grids stop, before `drop` takes away what waits of them."""

        def stop(users: Collection[str]) -> None:
            for grid_id in (each for user in users for each in self._book.grids.drawing_of(user)):
                self._book.grids.stop(grid_id)
            drop(users)

        return stop

    def look(self, grid_id: str, person: Person, at: str, seen: Sequence[str]) -> None:
        """Where a person looks: the cell under the pointer, and those in view."""
        row = self._own(grid_id, person)
        known = self._jobs.known(row)
        axes = len(known.grid.axes)
        places = (read_place(each, axes) for each in seen)
        known.eye = Eye(read_place(at, axes), frozenset(place for place in places if place is not None))

    def _changed(self, row: GridRow, axes: object, grid: Grid, moved: Mapping[str, str] | None = None) -> None:
        allowance = replace(self._allow(row.user, row.owner), megapixels=row.megapixels)
        ending = [live.job.id for live in self._worker.lives() if live.stop and live.job.grid == row.id]
        for job in self._book.grids.change(row.id, axes, {written(place) for place in grid.places}, allowance, moved, ending):
            self._worker.stop(job)
        self._jobs.feed(row.id)
        self._worker.changed()

    # ---- what is told --------------------------------------------------------------------------------------------------

    def all(self, person: Person) -> GridList:
        return GridList(grids=[self._line(row) for row in self._book.grids.of(person.user, LISTED)])

    async def watch(self, grid_id: str, person: Person, after: int, timeout: float) -> GridNews:
        """Waits until there is something newer than version `after`, at most `timeout` seconds, and tells it."""
        await newer(self._worker.bell, lambda: self._version(person.user) > after, timeout, person.user)
        return await asyncio.to_thread(self.news, grid_id, person, after)

    def news(self, grid_id: str, person: Person, after: int = -1) -> GridNews:
        version = self._version(person.user)  # read first: what changes meanwhile is told again
        row = self._own(grid_id, person)
        known, cells = self._jobs.known(row), self._book.grids.cells(grid_id)
        live = next((each for each in self._worker.lives() if each.job.grid == grid_id), None)
        held = {cell: found for cell, found in cells.items() if read_place(cell, len(known.grid.axes)) in known.grid.levels}
        pictures = self._pictures(row.id, known, cells.values()) if self._worker.queue_version > after else None
        drawn = sum(bool(each.picture) for each in held.values())
        failed = sum(each.state == "failed" for each in held.values())
        return GridNews(
            id=row.id,
            version=version,
            kind=row.request.kind,
            title=row.request.title,
            words=row.words,
            width=known.grid.base.width,
            height=known.grid.base.height,
            state=_state(row, any(each.state in ("waiting", "running") for each in cells.values())),
            origin=row.origin,
            axes=[axis_told(axis) for axis in known.grid.axes],
            cells=None if pictures is None else {cell: _cell(found, live, pictures) for cell, found in held.items()},
            count=known.grid.count,
            drawn=drawn,
            failed=failed,
            seconds=self._left(known, held, live),
            cell=live.job.cell if live else "",
            running=self._desk.of_live(live, after) if live else None,
            message=self._hindered(row),
        )

    def ids(self, grid_id: str, person: Person) -> dict[Place, str]:
        """The pictures that are there, by their places."""
        row = self._own(grid_id, person)
        axes = len(self._jobs.known(row).grid.axes)
        found = ((read_place(cell, axes), each.picture) for cell, each in self._book.grids.cells(grid_id).items())
        return {place: picture for place, picture in found if place and picture}

    def grid(self, grid_id: str, person: Person) -> Grid:
        return self._jobs.known(self._own(grid_id, person)).grid

    def _own(self, grid_id: str, person: Person) -> GridRow:
        row = self._book.grids.one(grid_id)
        if row is None or row.user not in person.users:
            raise NotYours
        return row

    def _version(self, user: str) -> int:
        live = self._worker.live_of(user)
        return max(self._worker.queue_version, live.version if live else 0)

    def _line(self, row: GridRow) -> GridLine:
        pictures, drawn, active = self._book.grids.shown(row.id, SHOWN)
        try:
            grid = self._jobs.known(row).grid
        except UserError:
            grid = None
        return GridLine(
            id=row.id,
            kind=row.request.kind,
            words=row.words,
            state=_state(row, active),
            axes=[axis.title for axis in grid.axes] if grid else [],
            count=grid.count if grid else 0,
            drawn=drawn,
            created=row.created,
            pictures=pictures,
        )

    def _pictures(self, grid_id: str, known: Known, cells: Iterable[CellRow]) -> Mapping[str, PictureSummary]:
        """By their ids. Each is read once: what is told of a finished picture does not change."""
        if any(each.picture and each.picture not in known.told for each in cells):
            known.told |= {record.id: summary(record) for record in self._book.grids.pictures(grid_id, known.told)}
        return known.told

    def _left(self, known: Known, cells: Mapping[str, CellRow], live: JobProgress | None) -> float | None:
        """Seconds until all of it is drawn."""
        if not known.seconds:
            self._time(known)
        over = {cell for cell, each in cells.items() if each.state not in ("waiting", "running")}
        left = [seconds for cell, seconds in known.seconds.items() if cell not in over]
        if len(known.seconds) < known.grid.count:
            return None
        begun = known.seconds.get(live.job.cell, 0.0) - (live.eta() or 0.0) if live and live.eta() is not None else 0.0
        return max(0.0, sum(left) - max(0.0, begun))

    def _time(self, known: Known) -> None:
        sound = self._sound(known)
        expected = self.plans.seconds(known.grid, {place: sound.get(place, known.grid.base) for place in known.grid.places})
        known.seconds = {written(place): seconds for place, seconds in expected.items()}

    def _sound(self, known: Known) -> dict[Place, Drawing]:
        """What cells ask for that can be drawn."""
        found: dict[Place, Drawing] = {}
        for place in known.grid.places:
            with suppress(UserError):
                found[place] = known.grid.request(place, known.offers)
        return found

    def _hindered(self, row: GridRow) -> str:
        """Why nothing comes on."""
        state, sentence = self._worker.state
        if row.state != DRAWING:
            return ""
        pausing = self._book.queue.pausing()
        return ALL_PAUSED if EVERYBODY in pausing else PAUSED if row.user in pausing else sentence if state != "ready" else ""


def _cell(found: CellRow, live: JobProgress | None, pictures: Mapping[str, PictureSummary]) -> GridCell:
    state = "running" if live and live.job.id == found.job else found.state
    return GridCell(state=state, message=found.message, picture=pictures.get(found.picture))


def _with_seed(base: Drawing) -> Drawing:
    """All cells have one seed, unless it is on an axis."""
    return replace(base, **{name: _dice() for name in SEEDED if getattr(base, name) == -1})


def _rolled(axis: Axis) -> Axis:
    """-1 on an axis of seeds is thrown once, each for itself."""
    if axis.name not in SEEDED:
        return axis
    thrown = [replace(each, value=seed, title=str(seed)) if each.value == -1 else each for each in axis.values for seed in [_dice()]]
    return replace(axis, values=tuple(thrown))


def _dice() -> int:
    return random.SystemRandom().randrange(2**32)


def _state(row: GridRow, active: bool) -> str:
    if row.state != DRAWING:
        return row.state
    return DRAWING if row.left or active else "done"
