"""Pictures put in: what a run will do with them, and which size suits them."""

from __future__ import annotations

from typing import NotRequired, TypedDict


class PlanQuestion(TypedDict, total=False):
    """Sent by `plan.js` whenever the form, the picture or the mask changes; read by `ui.parts.canvas.planned`."""

    values: object  # the form's, by name
    picture: object  # [width, height]
    bounds: object  # [left, top, right, bottom] of what is masked


class PlanLines(TypedDict):
    """Lines that say what a run will do. Sent by `ui.parts.canvas.planned`; read by `plan.js`."""

    lines: list[str]
    box: tuple[int, int, int, int] | None  # left, top, right, bottom of what is drawn, in pixels
    label: str
    crops: NotRequired[list[tuple[int, int, int, int]]]  # of details: what each drawing sees


class ThingQuestion(TypedDict, total=False):
    """How a model that turns things will see the object. Sent by `turn_dial.js`; read by `ui.parts.turn_dial`."""

    values: object  # of the fields that this depends on, by name


class ThingSeen(TypedDict):
    """Answer to `ThingQuestion`."""

    picture: str  # a data address, or ""
    says: str  # why there is none


class SizeQuestion(TypedDict, total=False):
    """Which size suits a picture. Sent by `plan.js` and `units.js`; read by `ui.parts.canvas.fitting`."""

    checkpoint: object  # an id
    picture: object  # [width, height]
    tiled: object  # it will be drawn in parts


class PictureUseLine(TypedDict):
    id: str
    name: str


class FolderPictures(TypedDict):
    """The pictures of a folder. Sent by `ui.parts.picture_list`; read by `pile.js`."""

    images: list[PictureUseLine]
    notes: list[str]
