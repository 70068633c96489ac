"""Grids before they are begun: what axes there are, what a grid would be, and ways to explore around a picture."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from models.errors import UserError
from models.memory.forecast import Forecast
from pipelines.gallery.person import Person
from pipelines.grids.axes import offers
from pipelines.grids.cells import Axis, AxisError, Grid, Place, beginning, read_axes
from pipelines.grids.explore import ways
from pipelines.job_book.queue import BookQueue
from pipelines.requests.request import Drawing, Request
from pipelines.requests.steps import steps_of
from pipelines.services.grid_answers import AxisOffer, AxisOffers, GridAxis, GridPlan, GridWay, GridWays
from pipelines.services.grid_names import GridNames
from pipelines.steps.alike import shared_steps

NO_DRAWING = "A grid varies a drawing. Open such a tab."
Asked = Sequence[tuple[str, str]]  # (name of what is varied, what is typed) of each axis


class GridPlans:
    """Safe to call from any thread. Everything raises `UserError` with a sentence, and `BookError`."""

    def __init__(
        self,
        queue: BookQueue,
        names: Callable[[str], GridNames],
        forecast: Callable[[Request], Forecast | None],
        shares: Callable[[], bool],
    ) -> None:
        """`forecast`: of the memory. `shares`: whether steps are kept, so that cells can share them."""
        self._queue, self._names, self._forecast, self._shares = queue, names, forecast, shares

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
        plan = GridPlan(
            axes=[], counts=counts, problems=problems, problem="", count=0, seconds=None, advice="", kept=0, lost=0, relaid=False
        )
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
        seconds = self.seconds(grid, requests)
        total = sum(seconds.values()) if len(seconds) == len(requests) else None
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

    def seconds(self, grid: Grid, requests: Mapping[Place, Drawing]) -> dict[Place, float]:
        """That cells are expected to take, as far as that is known. What a cell has in common with one before it is made once."""
        shares = _shares(grid, requests) if self._shares() else {}
        expected = ((place, self._queue.expected(request)) for place, request in requests.items())
        return {place: seconds * (1 - _share(shares, place)) for place, seconds in expected if seconds is not None}

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


def _shares(grid: Grid, requests: Mapping[Place, Drawing]) -> dict[tuple[int, int], float]:
    """By axis and key: the share of its steps that a cell has in common with that of the axis' first value. Looked at where all other
    axes are at their first, which stands for the others: a look at each pair of cells would take longer than typing.
    """
    first = tuple(axis.values[0].key for axis in grid.axes)
    found: dict[tuple[int, int], float] = {}
    for place, axis in enumerate(grid.axes):
        for value in axis.values[1:]:
            one = requests[(*first[:place], value.key, *first[place + 1 :])]
            found[place, value.key] = shared_steps(requests[first], one) / max(1, steps_of(one).run)
    return found


def _share(shares: Mapping[tuple[int, int], float], place: Place) -> float:
    return max((shares.get((axis, key), 0.0) for axis, key in enumerate(place)), default=0.0)


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
