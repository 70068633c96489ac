"""Preflight: what a run will do, said before it: how many steps run, what becomes of the picture's size, which part is drawn.

From the same functions that the recipes use. Reads no pixels and imports no torch.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from models.errors import UserError
from models.files import ModelFile, scale_of
from pipelines.details.parts import bounds_of
from pipelines.images.masking import Box, Size, crop_box
from pipelines.images.tiles import Part, asked_of, parts, pixel_windows, pixels_drawn
from pipelines.images.windows import extended, windows
from pipelines.metadata.two_passes import unsized
from pipelines.requests.details import check_inside
from pipelines.requests.drawn_small import enlarged_size
from pipelines.requests.enlarge import BY_FACTOR, passes
from pipelines.requests.request import (
    Depth,
    Details,
    Enlarge,
    FromPicture,
    ImageToImage,
    Inpaint,
    Outpaint,
    Request,
    SecondPass,
    TextToImage,
    Upscale,
)
from pipelines.requests.second_pass import LATENT_FROM, PIXELS_FROM, REPEATS_FROM
from pipelines.requests.steps import calls_in_all, steps_at, steps_in_all, steps_of
from pipelines.requests.tiles import InTiles, in_tiles, one_by_one
from pipelines.samplers import SAMPLERS

NEARLY_ALIKE = 0.02  # of the aspects of two sizes
VERBS = {"Stretch": "stretched", "Crop": "cropped", "Fill": "filled out", "Stretch latents": "stretched, as latents,"}


@dataclass(frozen=True)
class Preflight:
    """`lines`: sentences, the steps first. `box`: the part that "only masked" draws, in pixels of the picture, and its `label`.

    `crops`: of details, what each drawing of a box sees.
    """

    lines: tuple[str, ...]
    box: Box | None = None
    label: str = ""
    crops: tuple[Box, ...] = ()


def preflight(request: Request, picture: Size | None, bounds: Box | None = None, upscaler: ModelFile | None = None) -> Preflight:
    """`picture`: its size, None while there is none. `bounds`: of the pixels that are to be drawn anew, for inpainting.

    `upscaler`: the one that the request names.
    """
    if isinstance(request, TextToImage):
        lines = _second_pass(unsized(request), (request.width, request.height), upscaler) if request.hires else ()
        return Preflight(tuple(lines))
    if isinstance(request, SecondPass):
        return Preflight(tuple(_second_pass(request, picture, upscaler)))
    if isinstance(request, Upscale):
        return Preflight(tuple(_upscale(request, picture)))
    if isinstance(request, Enlarge):
        return Preflight(tuple(_enlarge(request, picture, upscaler)))
    return _drawn(request, picture, bounds, upscaler) if isinstance(request, FromPicture) else Preflight(())


def _drawn(request: FromPicture, picture: Size | None, bounds: Box | None, upscaler: ModelFile | None) -> Preflight:
    steps = steps_sentence(request)
    if isinstance(request, Depth):
        return Preflight((steps, *_depth(request, picture)))
    if picture is None:
        return Preflight((steps,))
    if isinstance(request, Inpaint):
        return _inpaint(request, picture, bounds, steps)
    if isinstance(request, Details):
        return _details(request, picture)
    if isinstance(request, Outpaint):
        return Preflight((steps, *_outpaint(request, picture)))
    enlarged = _enlarged((request.width, request.height), upscaler) if isinstance(request, ImageToImage) else ()
    return Preflight((steps, *_img2img(request, picture), *tiles_lines(request), *enlarged))


def steps_sentence(request: FromPicture) -> str:
    run = steps_of(request).run
    if isinstance(request, ImageToImage) and request.loops > 1:
        rounds = [steps_at(request.steps, request.strength_of(turn), request.exact_steps).run for turn in range(request.loops)]
        return f"{' + '.join(map(str, rounds[:8]))}{' + …' * (len(rounds) > 8)} = {steps_in_all(request)} steps will run."
    if not run:
        return "Strength 0: no step runs, the picture comes back as it is."
    where = " in each window" if isinstance(request, Outpaint) else " in each box" if isinstance(request, Details) else ""
    if request.exact_steps or run == request.steps:
        return f"{run} step{'s' * (run > 1)} will run{where}."
    return f"{run} of {request.steps} steps will run{where} at strength {request.denoising_strength:g}."


def _img2img(request: FromPicture, picture: Size) -> Iterator[str]:
    size = request.width, request.height
    if isinstance(request, ImageToImage | Depth) and picture != size:
        verb = "scaled" if _alike(picture, size) else VERBS[request.resize_mode]
        yield f"Your picture, {_by(picture)}, is {verb} to {_by(size)}."


def tiles_lines(request: FromPicture | Upscale) -> Iterator[str]:
    """What a run in tiles costs."""
    if not in_tiles(request) or not steps_of(request).run:
        return
    found = (
        parts(request, (request.width, request.height)) if isinstance(request, InTiles) and one_by_one(request) else pixel_windows(request)
    )
    if len(found) == 1:
        yield "One tile holds the whole picture."
        return
    calls = sum(calls_in_all(asked_of(request, part) if isinstance(request, FromPicture) else request) for part in found)
    area = pixels_drawn(request) / (request.width * request.height)
    least = "at least " if SAMPLERS[request.sampler].adaptive else ""
    yield f"{_parts(found, one_by_one(request))}: {least}{calls:,} calls of the network, {area:.1f} times the picture’s area at each step."


def _parts(found: Sequence[Part], tiles: bool) -> str:
    seams = sum(part.is_seam for part in found)
    what = f"{len(found) - seams} {'tiles' if tiles else 'windows'} of {_by(found[0].size)}"
    return f"{what}, then {seams} parts along their seams" if seams else what


def _enlarged(drawn: Size, upscaler: ModelFile | None) -> Iterator[str]:
    """What an upscaler makes of each picture."""
    if upscaler is None:
        return
    try:
        size = enlarged_size(drawn, scale_of(upscaler.identity))
    except UserError as error:
        yield str(error)
        return
    yield f"Drawn at {_by(drawn)}, then enlarged to {_by(size)} by “{upscaler.name}”."


def _depth(request: Depth, picture: Size | None) -> Iterator[str]:
    if request.far >= request.near:
        yield "“Far” lies in front of “Near”, so the map is empty. Move one of them, or invert the map."
    if picture:
        yield from _img2img(request, picture)
        if not request.map:
            yield f"Its depths are estimated by {request.estimator} first."
    elif not request.map:
        yield "Put a picture in, or bring a depth map."
    elif request.denoising_strength < 1:
        yield "Below strength 1 the colours of a picture count too: put one in, or choose strength 1."
    else:
        yield "At strength 1 the depth map is enough; a picture is not needed."


def _inpaint(request: Inpaint, picture: Size, bounds: Box | None, steps: str) -> Preflight:
    if bounds is None:
        return Preflight((steps, "Paint over what should change."))
    size, tiles = (request.width, request.height), tuple(tiles_lines(request))
    if request.area == "Only masked":
        box = crop_box(bounds, picture, size, request.padding, request.mask_blur)
        part = box[2] - box[0], box[3] - box[1]
        label = f"{_by(part)} drawn at {_by(size)}, {_times(size[0] / part[0])}"
        return Preflight((steps, *tiles), box, label)
    if picture == size:
        return Preflight((steps, *tiles))
    stretched = "" if _alike(picture, size) else ", stretched,"
    whole = f"The whole picture, {_by(picture)}, is drawn{stretched} at {_by(size)}, {_times(size[0] / picture[0])}."
    return Preflight((steps, whole, *tiles))


def _details(request: Details, picture: Size) -> Preflight:
    try:
        check_inside(request.boxes, picture)
    except UserError as error:
        return Preflight((str(error),))
    bounds, size = bounds_of(request, picture), (request.width, request.height)
    if not bounds:
        return Preflight(("All boxes are skipped: the picture comes back as it is.",))
    crops = tuple(crop_box(each, picture, size, request.padding, request.mask_blur) for each in bounds)
    count = f"{len(bounds)} drawings, one after another," if len(bounds) > 1 else "One drawing"
    return Preflight((f"{count} at {_by(size)}.", steps_sentence(request)), crops=crops)


def _outpaint(request: Outpaint, picture: Size) -> Iterator[str]:
    around = request.left, request.top, request.right, request.bottom
    if not any(around):
        yield "Drag an edge of the frame outwards, or type how many pixels to add."
        return
    count = len(windows(picture, around, (request.width, request.height)))
    size = _by((request.width, request.height))
    yield f"From {_by(picture)} to {_by(extended(picture, around))}, in {count} window{'s' * (count > 1)} of {size}."


def _enlarge(request: Enlarge, picture: Size | None, upscaler: ModelFile | None) -> Iterator[str]:
    if request.images:
        by = f"by {request.factor:g}" if request.by == BY_FACTOR else "to the size"
        several = len(request.images) > 1
        yield f"{len(request.images)} pictures, one after another, each {by}." if several else f"One picture, {by}."
        return
    if picture is None:
        yield "Put a picture in."
        return
    try:
        size = request.size_from(picture)
        by = _by_network(upscaler, picture, size) if upscaler else ""
    except UserError as error:
        yield str(error)
        return
    stretched = "" if _alike(picture, size) else ", stretched"
    yield f"From {_by(picture)} to {_by(size)}, {size[0] * size[1] / 1e6:,.1f} megapixels{stretched}."
    if by:
        yield by


def _by_network(upscaler: ModelFile, picture: Size, size: Size) -> str:
    """How often an upscaler is run. Raises `UserError` when what it makes is too large to hold."""
    scale = scale_of(upscaler.identity)
    given = passes(picture, size, scale)
    times = "once" if len(given) == 1 else "twice" if len(given) == 2 else f"{len(given)} times"
    fitted = "" if (given[-1][0] * scale, given[-1][1] * scale) == size else ", then Lanczos brings it to the size"
    return f"“{upscaler.name}” (× {scale}) is run {times}{fitted}."


def _second_pass(request: SecondPass, picture: Size | None, upscaler: ModelFile | None) -> Iterator[str]:
    if picture is None:
        yield "Put a picture in."
        return
    try:
        target = request.target(picture)
        by = _by_network(upscaler, picture, target.enlarged) if upscaler else ""
    except UserError as error:
        yield str(error)
        return
    size = target.size
    more = size[0] * size[1] / (picture[0] * picture[1])
    yield f"From {_by(picture)} to {_by(size)}, {more:,.1f} times the pixels. {steps_sentence(request)}"
    if by:
        yield by
    yield from tiles_lines(replace(request, width=size[0], height=size[1]))
    yield from _strength(request)


def _upscale(request: Upscale, picture: Size | None) -> Iterator[str]:
    if picture is None:
        yield "Put a picture in."
        return
    try:
        made = request.sized(picture)
    except UserError as error:
        yield str(error)
        return
    yield f"From {_by(picture)} to {_by((made.width, made.height))}. {made.steps} step{'s' * (made.steps > 1)} will run."
    yield from tiles_lines(made)


def _strength(request: SecondPass) -> Iterator[str]:
    """What the mode needs."""
    strength = request.denoising_strength
    if request.is_latent and strength < LATENT_FROM:
        yield f"A latent mode blurs below a strength of {LATENT_FROM}: raise it, or take a filter."
    elif 0 < strength < PIXELS_FROM:
        yield f"Below a strength of {PIXELS_FROM} hardly anything is drawn anew."
    elif strength > REPEATS_FROM:
        yield f"Above a strength of {REPEATS_FROM} things may appear twice."


def _times(factor: float) -> str:
    if abs(factor - 1) < 0.05:
        return "as large as it is"
    return f"{factor:.1f} times as large" if factor > 1 else f"{factor:.2f} of its size"


def _by(size: Size) -> str:
    return f"{size[0]:,} × {size[1]:,}"


def _alike(one: Size, other: Size) -> bool:
    return abs(one[0] * other[1] / (one[1] * other[0]) - 1) < NEARLY_ALIKE
