"""Grids before they are begun: what axes there are, what a grid would be, and ways to explore around a picture."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from models.errors import UserError
from models.memory.forecast import Forecast
from pipelines.gallery.person import Person
from pipelines.grids.axes import offers
from pipelines.grids.cells import Axis, AxisError, Grid, Place, beginning, read_axes
from pipelines.grids.explore import ways
from pipelines.job_book.queue import BookQueue
from pipelines.requests.request import Drawing, Request
from pipelines.services.grid_answers import AxisOffer, AxisOffers, GridAxis, GridPlan, GridWay, GridWays
from pipelines.services.grid_names import GridNames

NO_DRAWING = "A grid varies a drawing. Open such a tab."
Asked = Sequence[tuple[str, str]]  # (name of what is varied, what is typed) of each axis


class GridPlans:
    """Safe to call from any thread. Everything raises `UserError` with a sentence, and `BookError`."""

    def __init__(self, queue: BookQueue, names: Callable[[str], GridNames], forecast: Callable[[Request], Forecast | None]) -> None:
        """`forecast`: of the memory."""
        self._queue, self._names, self._forecast = queue, names, forecast

    def offers(self, request: Request, person: Person) -> AxisOffers:
        """What axes of this form may vary."""
        found = offers(drawing(request), self._names(person.user)).values()
        told = (AxisOffer(name=e.name, title=e.title, group=e.group, sort=e.sort, hint=e.hint, fill=e.fill) for e in found)
        return AxisOffers(axes=list(told))

    def plan(self, request: Request, asked: Asked, person: Person) -> GridPlan:
        """What would come of it; what is wrong is said beside the axis it is wrong with."""
        base, names = beginning(drawing(request)), self._names(person.user)
        counts, problems = [0] * len(asked), [""] * len(asked)
        for place, each in enumerate(asked):
            try:
                counts[place] = len(read_axes(base, [each], names)[0].values)
            except UserError as error:
                problems[place] = str(error)
        plan = GridPlan(axes=[], counts=counts, problems=problems, problem="", count=0, seconds=None, advice="")
        return plan if any(problems) else self._planned(plan, base, asked, names)

    def _planned(self, plan: GridPlan, base: Drawing, asked: Asked, names: GridNames) -> GridPlan:
        try:
            grid = Grid(base, read_axes(base, asked, names))
            requests = self.requests(grid, names)
        except AxisError as error:
            plan["problems"][error.place] = str(error)
            return plan
        except UserError as error:
            return {**plan, "problem": str(error)}
        seconds = [self._queue.expected(each) for each in requests.values()]
        known = [each for each in seconds if each is not None]
        total = sum(known) if len(known) == len(seconds) else None
        axes = [axis_told(axis) for axis in grid.axes]
        return {**plan, "axes": axes, "count": grid.count, "seconds": total, "advice": self._advice(requests.values())}

    def requests(self, grid: Grid, names: GridNames) -> dict[Place, Drawing]:
        """Of all cells. Raises `UserError` for one that cannot be drawn, which is named."""
        known, found = offers(grid.base, names), dict[Place, Drawing]()
        for place in grid.places:
            try:
                found[place] = grid.request(place, known)
            except UserError as error:
                raise UserError(f"{said_of(grid.axes, place)}: {error}") from None
        return found

    def _advice(self, requests: Iterable[Drawing]) -> str:
        """On the largest of them."""
        largest = max(requests, key=lambda each: each.width * each.height)
        forecast = self._forecast(largest)
        return forecast.advice if forecast and not forecast.fits else ""

    def ways(self, request: Request) -> GridWays:
        """To explore around a picture of this request."""
        base = drawing(request)
        told = [
            GridWay(title=way.title, about=way.about, axes=[{"name": name, "typed": typed} for name, typed in way.axes])
            for way in ways(base)
        ]
        return GridWays(kind=base.kind, words=base.words, ways=told)


def said_of(axes: Sequence[Axis], place: Place) -> str:
    """A cell in words."""
    return ", ".join(f"{axis.title} {axis.titles[key]}" for axis, key in zip(axes, place, strict=True))


def drawing(request: Request) -> Drawing:
    if not isinstance(request, Drawing):
        raise UserError(NO_DRAWING)
    return request


def axis_told(axis: Axis) -> GridAxis:
    return GridAxis(
        name=axis.name, title=axis.title, typed=axis.typed, values=[{"key": each.key, "title": each.title} for each in axis.values]
    )
