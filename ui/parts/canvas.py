"""The canvas of a tab that begins with a picture, and the lines that say what a run will do."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict
from typing import Literal

import gradio as gr
from gradio.context import LocalContext

from models.families import PIXELS_PER_LATENT
from models.files import ModelFile
from models.json_values import is_table, is_whole, listed
from pipelines import (
    TILED_MEGAPIXELS,
    Clip,
    Enlarge,
    FromPicture,
    Range,
    Request,
    SecondPass,
    Studio,
    TextToImage,
    UserError,
    WithPicture,
    limits,
    preflight,
)
from pipelines.images.masking import Box, Size
from pipelines.requests.drawn_small import enlarger_of
from pipelines.requests.made_for import LACKING
from ui.door.roles import role, visitor_of
from ui.messages import Message, PlanLines, PlanQuestion, SizeQuestion, TakenPicture
from ui.parts.components import piece
from ui.parts.controls import aspect_size
from ui.parts.form import read

LARGEST = 4096  # pixels: the longest side that can be painted on
SMALLEST = 64  # pixels of a side that is drawn
WIDEST = 4.0  # width to height of what is drawn, at most, and the other way round
Mode = Literal["sketch", "mask", "frame"]


def canvas(kind: type[WithPicture], mode: Mode, mask: str = "", boxed: bool = False, over: bool = False) -> gr.HTML:
    """The picture, by its id. It can be drawn on in colour, masked, or framed. `mask`: the field that holds the mask's id. `boxed`: boxes
    are laid on it as well. `over`: what comes of it lies over it, and what is transparent is no mask.
    """
    held_by = f"{kind.kind}-{mask}" if mask else ""
    offers = {"kind": kind.kind, "mode": mode, "held": held_by, "most": LARGEST, "boxed": boxed, "over": over}
    return piece("canvas", f"{kind.kind}-image", value="", offers=offers, interactive=True)


def held(kind: type[WithPicture], name: str) -> gr.HTML:
    """A field that is shown elsewhere: the canvas tells its value, and is told."""
    own = f"{kind.kind}-{name}"
    return piece("held", own, value="", own=own, interactive=True)


def plan(studio: Studio, kind: type[Request]) -> gr.HTML:
    """The lines that say what a run will do, asked anew whenever the form, the picture or the mask has changed."""
    desk = PlanHandlers(studio, kind)
    return piece("plan", f"{kind.kind}-plan", server_functions=[desk.plan, desk.fit, desk.adopt], kind=kind.kind)


def free(request: Request, picture: Size | None) -> tuple[str, ...]:
    """Nothing is said of what it takes."""
    return ()


class PlanHandlers:
    """Handlers of what the scripts of the canvas ask the server."""

    def __init__(self, studio: Studio, kind: type[Request]) -> None:
        """The three are closures: Gradio calls server functions by their names, and a role is declared on each."""

        @role("viewer")
        def plan(asked: PlanQuestion) -> PlanLines:
            lines = planned(kind, asked, studio.costs.lines, studio.library.model, studio.clip_plans.lines)
            lacking = LACKING.get(kind.kind, "") if not studio.checkpoints(kind.kind) else ""
            return {**lines, "lines": [lacking, *lines["lines"]]} if lacking and lacking not in lines["lines"] else lines

        @role("viewer")
        def fit(asked: SizeQuestion) -> list[int]:
            return fitting(studio, asked)

        @role("artist")
        def adopt(picture_id: str) -> TakenPicture | Message:
            return adopted(studio, picture_id)

        self.plan, self.fit, self.adopt = plan, fit, adopt


def planned(
    kind: type[Request],
    asked: PlanQuestion,
    costs: Callable[[Request, Size | None], tuple[str, ...]] = free,
    model: Callable[[str], ModelFile] | None = None,
    clip: Callable[[Clip, Size | None], tuple[str, ...]] = free,
) -> PlanLines:
    """A value that the request refuses is its sentence, and nothing else. `costs`: says what it takes. `model`: looks one up by its id.
    `clip`: says all of a clip.
    """
    try:
        if not is_table(values := asked.get("values")):
            raise UserError("Something was missing in what the page sent. Reload it.")
        without = ("image", "mask") if issubclass(kind, Enlarge) else ("image", "mask", "images")
        request = read(kind, {name: value for name, value in values.items() if name not in without})
        picture = size_of(asked.get("picture"))
        if isinstance(request, Clip):
            return {"lines": list(clip(request, picture)), "box": None, "label": ""}
        named = enlarger_of(request) or (request.upscaler if isinstance(request, Enlarge | TextToImage | SecondPass) else "")
        found = preflight(request, picture, part_of(picture, asked.get("bounds")), model(named) if model and named else None)
    except UserError as error:
        return {"lines": [str(error)], "box": None, "label": ""}
    lines = [*found.lines, *costs(request, picture)]
    return {"lines": lines, "box": found.box, "label": found.label, "crops": list(found.crops)}


def fitting(studio: Studio, asked: SizeQuestion) -> list[int]:
    """Width and height that suit a picture and the checkpoint: its own where that is about what the model was made for."""
    native = next((entry.native_size for entry in studio.checkpoints() if entry.id == asked.get("checkpoint")), 0)
    size = size_of(asked.get("picture"))
    if not native or not size:
        return []
    return list(own_size(size) if asked.get("tiled") is True else fit_size(size, native))


def own_size(size: Size) -> Size:
    """The picture's own, on multiples of 8: in parts any is drawn, up to a limit."""
    share = min(1.0, LARGEST / max(size), math.sqrt(TILED_MEGAPIXELS * 1e6 / (size[0] * size[1])))
    width, height = (max(SMALLEST, int(side * share) // PIXELS_PER_LATENT * PIXELS_PER_LATENT) for side in size)
    return width, height


def fit_size(size: tuple[int, ...], native: int) -> tuple[int, int]:
    """On multiples of 8. A picture of half to twice the native area keeps its size, any other its shape."""
    (width, height), side = size, PIXELS_PER_LATENT
    limit = limits(FromPicture)["width"]
    assert isinstance(limit, Range)
    if 0.5 <= width * height / native**2 <= 2 and min(size) >= SMALLEST and max(size) <= limit.high:
        return round(width / side) * side, round(height / side) * side
    return aspect_size(native, min(max(width / height, 1 / WIDEST), WIDEST), limit)


def adopted(studio: Studio, picture_id: str) -> TakenPicture | Message:
    """A finished picture of this person as an input picture."""
    visitor = visitor_of(LocalContext.request.get(None))
    try:
        record = studio.own_picture(str(picture_id), visitor.user, visitor.role == "owner")
        if record is None:
            return {"message": "This picture is not among yours any more."}
        return TakenPicture(**asdict(studio.uploads.adopt(record, visitor.user)))
    except UserError as error:
        return {"message": str(error)}


def part_of(picture: Size | None, values: object) -> Box | None:
    """The bounds when they hold some part of a picture of this size, else None."""
    bounds = numbers(values, 4)
    if picture is None or bounds is None:
        return None
    left, top, right, bottom = bounds
    return (left, top, right, bottom) if left < right <= picture[0] and top < bottom <= picture[1] else None


def size_of(values: object) -> Size | None:
    """Width and height, or None for anything else."""
    sides = numbers(values, 2)
    return (sides[0], sides[1]) if sides else None


def numbers(values: object, count: int) -> tuple[int, ...] | None:
    """So many whole numbers of pixels, or None for anything else."""
    sound = tuple(value for value in listed(values) if is_whole(value) and 0 <= value <= 10 * LARGEST)
    return sound if len(sound) == len(listed(values)) == count and all(sound[-2:]) else None
