"""Control units on the page: cards, each with a picture, the map that is made of it, the model that reads the map, and its strength.

Titles, explanations and limits are those of `ControlUse`; only where a field stands on a card is decided here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import Field, asdict, fields

import gradio as gr
from gradio.context import LocalContext

from pipelines import (
    Choice,
    ControlUse,
    Depth,
    Drawing,
    Flag,
    Inpaint,
    Limit,
    Range,
    Stored,
    Studio,
    Text,
    UserError,
    begins_with,
    limits,
)
from pipelines.jobs.errands import never
from pipelines.requests.control_unit import WEIGHT_CURVES, curve_at
from ui.door import presence
from ui.door.roles import role, user_of
from ui.messages import Message, OfferedPreprocessor, SizeQuestion, UnitField, UnitMap, UnitOffers, UnitQuestion
from ui.parts.canvas import fitting
from ui.parts.components import piece
from ui.parts.controls import most
from ui.parts.depth_map import SEEN
from ui.parts.form import declared, read
from ui.parts.preprocessor_weights import WeightsHandlers

TITLE = "ControlNet"  # what people call it, whichever kind of model does it
PLACES: dict[str, tuple[str, ...]] = {  # part of a card -> the fields that stand there
    "pictures": ("image",),
    "map": ("preprocessor", "threshold_a", "threshold_b", "pixel_perfect", "resolution"),
    "model": ("id", "union_kind"),
    "strength": ("weight",),
    "more": ("start", "end", "curve", "mode", "resize_mode", "mask"),
}
ACTS = ("id", "union_kind", "weight", "start", "end", "curve", "mode")  # fields that leave the map as it is
SORTS: dict[type[Limit], str] = {
    Range: "number",
    Flag: "flag",
    Choice: "choice",
    Stored: "picture",
    Text: "text",
}  # kind of limit -> kind of control
POINTS = 64  # of a weight curve, as the page draws it
OF_THE_TAB = ("width", "height", "image", "mask")  # fields of the form that a map depends on; with a depth map, others do


def units(studio: Studio, kind: type[Drawing], prominent: bool = False) -> gr.HTML:
    """The list of cards. Its value is the list that the request takes. `prominent`: the tab is about them, so one is there already."""
    desk = UnitHandlers(studio, kind)
    first = [asdict(ControlUse())] if prominent else []
    own = {"kind": kind.kind, "title": TITLE, "prominent": prominent, "most": _most(kind)}
    given = own | {"begins": _begins(kind), "depends": _depends(kind)} | offers()
    functions = [desk.preview, desk.preprocessors, desk.fit, *desk.weights.functions]
    return piece("units", f"{kind.kind}-controls", first, server_functions=functions, offers=given, interactive=True, label=TITLE)


def offers() -> UnitOffers:
    """For the page's scripts: every field of a unit and where it stands, what a map depends on, and the points of each weight curve."""
    told = {item.name: described(item) for item in _shown()}
    placed = [name for names in PLACES.values() for name in names]
    if sorted(placed) != sorted(told):
        raise TypeError(f"The card of a control unit is not ControlUse: {sorted({*placed} ^ {*told}) or 'a field stands twice'}.")
    return {
        "fields": told,
        "places": PLACES,
        "matters": [name for name in placed if name not in ACTS],
        "curves": {name: [round(curve_at(name, point / POINTS), 4) for point in range(POINTS + 1)] for name in WEIGHT_CURVES},
    }


class UnitHandlers:
    """Handlers of what the script of the units asks the server."""

    def __init__(self, studio: Studio, kind: type[Drawing]) -> None:
        """They are closures: Gradio calls server functions by their names, and a role is declared on each."""
        self.weights = weights = WeightsHandlers(studio)

        @role("artist")
        def preview(asked: UnitQuestion) -> UnitMap | Message:
            request = LocalContext.request.get(None)
            return previewed(studio, kind, asked, user_of(request), presence.gone(request))

        @role("viewer")
        def preprocessors(_: object = None) -> list[OfferedPreprocessor]:
            return weights.preprocessors(studio.control.preprocessors())

        @role("viewer")
        def fit(asked: SizeQuestion) -> list[int]:
            return fitting(studio, asked)

        self.preview, self.preprocessors, self.fit = preview, preprocessors, fit


def previewed(
    studio: Studio, kind: type[Drawing], asked: Mapping[str, object], user: str, gone: Callable[[], bool] = never
) -> UnitMap | Message:
    """What a unit's model will see, as an input picture. `asked`: a `UnitQuestion`, with fields of the form."""
    of_the_tab = {name: asked[name] for name in _depends(kind) if name in asked}
    try:
        request = read(kind, of_the_tab | {"controls": [asked.get("unit")]})
        [use] = request.controls
        begun = _begun(studio, request, use, user)
        mask = request.mask if isinstance(request, Inpaint) else ""
        found = studio.control_preview(use, (request.width, request.height), user, begun, mask, gone=gone)
    except UserError as error:
        return {"message": str(error)}
    return {"id": found.id, "width": found.width, "height": found.height}


def _begun(studio: Studio, request: Drawing, use: ControlUse, user: str) -> str:
    """The picture that a unit without one of its own takes: what the tab begins with, or its depth map as it was edited."""
    if isinstance(request, Depth) and not use.image:
        return studio.depth.keep(request, user).id
    return begins_with(request)


def _depends(kind: type[Drawing]) -> list[str]:
    return [name for name in (SEEN if kind is Depth else OF_THE_TAB) if name in limits(kind)]


def _begins(kind: type[Drawing]) -> dict[str, str]:
    """The field with the picture that units take, and what it is called; nothing where each needs its own."""
    name = "map" if kind is Depth else "image"
    return {"name": name, "called": declared(kind, name).metadata["title"].lower()} if name in limits(kind) else {}


def _most(kind: type[Drawing]) -> int:
    return most(kind, "controls")


def _shown() -> list[Field[object]]:
    return [item for item in fields(ControlUse) if not item.metadata["derived"]]


def described(item: Field[object]) -> UnitField:
    limit = item.metadata["limit"]
    told: UnitField = {
        "title": item.metadata["title"],
        "info": item.metadata["info"],
        "sort": SORTS[type(limit)],
        "default": item.default,
    }
    if isinstance(limit, Range):
        return {**told, "low": limit.low, "high": limit.high, "step": limit.step, "snap": limit.snap}
    return {**told, "names": list(limit.names)} if isinstance(limit, Choice) else told
