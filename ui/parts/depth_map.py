"""The depth map of a form: estimated, uploaded or drawn, edited in view of the result, and sent on.

POST /depth/view takes what a map depends on (`SEEN`) as JSON, and answers with the edited map, image/png.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import asdict
from json import JSONDecodeError

import gradio as gr
from gradio.context import LocalContext
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from models.json_values import is_table
from pipelines import Depth, Studio, UserError
from pipelines.jobs.errands import never
from ui.door import presence
from ui.door.roles import role, user_of
from ui.messages import DepthQuestion, Message, OfferedEstimator, TakenPicture
from ui.parts.components import piece
from ui.parts.form import declared, read
from ui.parts.preprocessor_weights import WeightsHandlers

EDITS = ("far", "near", "curve", "cut_off", "map_blur", "map_inverted")  # fields of the form that change the map
SEEN = ("map", "width", "height", "resize_mode", *EDITS)  # fields that the edited map depends on


def depth_map(studio: Studio) -> gr.HTML:
    """Picture, estimator and map in one component; its value is the map's id. It tells the other two to `held` components."""
    desk = DepthMapHandlers(studio)
    offers = {
        "kind": Depth.kind,
        "seen": SEEN,
        "edits": {name: declared(Depth, name).default for name in EDITS},
        "titles": {name: declared(Depth, name).metadata["title"] for name in EDITS},
        "infos": {name: declared(Depth, name).metadata["info"] for name in EDITS},
        "image": f"{Depth.kind}-image",
        "estimator": f"{Depth.kind}-estimator",
    }
    functions = [desk.estimators, desk.estimate, *desk.weights.functions]
    return piece("depth", f"{Depth.kind}-map", value="", offers=offers, server_functions=functions, interactive=True,
        label=declared(Depth, "map").metadata["title"])  # fmt: skip


def estimator() -> gr.HTML:
    """The chosen estimator, which the map's component shows."""
    own = f"{Depth.kind}-estimator"
    return piece("held", own, value=declared(Depth, "estimator").default, own=own, interactive=True)


class DepthMapHandlers:
    """Handlers of what the script of the map asks the server."""

    def __init__(self, studio: Studio) -> None:
        """They are closures: Gradio calls server functions by their names, and a role is declared on each."""
        self.weights = weights = WeightsHandlers(studio)

        @role("viewer")
        def estimators(_: object = None) -> list[OfferedEstimator]:
            return weights.estimators(studio.depth.estimators())

        @role("artist")
        def estimate(asked: DepthQuestion) -> TakenPicture | Message:
            request = LocalContext.request.get(None)
            return estimated(studio, asked, user_of(request), presence.gone(request))

        self.estimators, self.estimate = estimators, estimate


def estimated(studio: Studio, asked: object, user: str, gone: Callable[[], bool] = never) -> TakenPicture | Message:
    """The depths of a picture as a map. `asked`: a `DepthQuestion`, or what somebody sent for one."""
    try:
        request = part_of(asked, ("image", "estimator"))
        return TakenPicture(**asdict(studio.depth.estimate(request.image, request.estimator, user, gone=gone)))
    except UserError as error:
        return {"message": str(error)}


def part_of(values: object, names: tuple[str, ...]) -> Depth:
    """A request of these fields alone. Raises `UserError` for others, and for what is no set of values."""
    if not is_table(values) or not values.keys() <= set(names):
        raise UserError(f"Send these fields of the form: {', '.join(names)}.")
    return read(Depth, values)


class DepthViews:
    """The handler of `/depth/view`."""

    def __init__(self, studio: Studio) -> None:
        self.studio = studio

    async def show(self, request: Request) -> Response:
        """The map as it was edited, at the size that is drawn; 422 and a sentence where there is none."""
        try:
            asked = part_of(await _json(request), SEEN)
            seen = await asyncio.to_thread(self.studio.depth.view, asked, user_of(request))
        except UserError as error:
            return JSONResponse({"message": str(error)}, 422)
        return Response(seen, media_type="image/png")


async def _json(request: Request) -> object:
    try:
        return await request.json()
    except (JSONDecodeError, UnicodeDecodeError):
        return None
