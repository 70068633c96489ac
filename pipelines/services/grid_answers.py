"""Answers about grids for a page. Plain values, as they go into JSON."""

from __future__ import annotations

from typing import TypedDict

from pipelines.services.job_answers import JobNews, PictureSummary


class AxisOffer(TypedDict):
    """One thing that an axis may vary. Within `AxisOffers`."""

    name: str
    title: str
    group: str
    sort: str  # "number", "choice", "model", "flag", "text" or "words"
    hint: str  # what may be typed
    fill: str  # values to begin with


class AxisOffers(TypedDict):
    """All that the axes of a grid may vary. Sent by `POST /grids/axes`; read by `grid_axes.js`."""

    axes: list[AxisOffer]


class GridValue(TypedDict):
    """One value of an axis. Within `GridAxis`."""

    key: int
    title: str


class GridAxis(TypedDict):
    """One axis of a grid. Within `GridNews` and `GridPlan`."""

    name: str
    title: str
    typed: str
    values: list[GridValue]


class GridPlan(TypedDict):
    """What a grid would be, said before it is begun. Sent by `POST /grids/plan`; read by `grid_room.js`."""

    axes: list[GridAxis]  # none where something is wrong

    counts: list[int]  # values of each axis
    problems: list[str]  # what is wrong with each axis, or ""
    problem: str  # what is wrong with all of it, or ""
    count: int  # cells
    seconds: float | None  # None when nobody knows
    advice: str  # on the memory, or ""
    kept: int  # of a grid that is there: pictures that stay on the sheet
    lost: int  # and those that leave it, for the library
    relaid: bool  # its axes are others


class GridAxisTyped(TypedDict):
    """An axis as it is typed. Within `GridWay`."""

    name: str
    typed: str


class GridWay(TypedDict):
    """A way to explore around a picture. Within `GridWays`."""

    title: str
    about: str
    axes: list[GridAxisTyped]


class GridWays(TypedDict):
    """Ways to explore around a picture. Sent by `POST /grids/ways`; read by `grid_room.js`."""

    kind: str  # of the picture's request
    words: str
    ways: list[GridWay]


class GridCell(TypedDict):
    """One cell of a grid. Within `GridNews`."""

    state: str  # "to come", or that of its job
    message: str
    picture: PictureSummary | None


class GridLine(TypedDict):
    """A grid among others. Within `GridList`."""

    id: str
    kind: str
    words: str
    state: str  # "drawing", "stopped" or "done"
    axes: list[str]  # titles
    count: int
    drawn: int
    created: float
    pictures: list[str]  # ids of a few


class GridList(TypedDict):
    """A person's grids, the newest first. Sent by `GET /grids`; read by `grid_room.js`."""

    grids: list[GridLine]


class GridNews(TypedDict):
    """A grid as it stands. Sent by `GET /grids/{id}`; read by `grid_sheet.js`."""

    id: str
    version: int  # to be asked with for what is newer
    kind: str
    title: str  # of its kind
    words: str
    width: int  # of a cell, as the form says it
    height: int
    state: str  # "drawing", "stopped" or "done"
    origin: str  # id of the picture that it was made around, or ""
    axes: list[GridAxis]
    cells: dict[str, GridCell] | None  # by place, those that have a job; None: as they were
    count: int
    drawn: int
    failed: int
    seconds: float | None  # until all is drawn; None when nobody knows
    cell: str  # the place that is drawn now, or ""
    running: JobNews | None
    message: str  # why nothing comes on, or ""
