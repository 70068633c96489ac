"""Parts of a picture as the runs that draw them anew: each with its mask, its prompt and its strength."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

from PIL import Image

from pipelines.details.masks import all_but, box_mask, joined
from pipelines.images.masking import Box, Size
from pipelines.requests.details import MERGES, DetailBox, inside, said
from pipelines.requests.request import Details, Inpaint

ONE_BY_ONE, TOGETHER, ALL_BUT = MERGES


@dataclass(frozen=True)
class Part:
    """`mask`: L, of the whole picture. `asked`: the inpainting that draws it, alone."""

    mask: Image.Image
    asked: Inpaint


def parts_of(request: Details, size: Size, painted: Image.Image | None) -> list[Part]:
    """What is drawn, in order; boxes that are skipped are not among them. `size`: of the picture. `painted`: L, of that size."""
    drawn = _drawn(request, size)
    if not drawn:
        return []
    if request.together == ONE_BY_ONE:
        return [Part(box_mask(box, size, painted), run_of(request, each)) for box, each in drawn]
    mask = joined([box for box, _ in drawn], size, painted)
    return [Part(all_but(mask) if request.together == ALL_BUT else mask, run_of(request, drawn[0][1]))]


def run_of(request: Details, box: DetailBox) -> Inpaint:
    """The inpainting of one box, with everything else as the request has it."""
    own = {item.name for item in fields(Details)}
    shared = {item.name: getattr(request, item.name) for item in fields(Inpaint) if item.name in own}
    asked = Inpaint(**shared, area="Only masked", masked_content="Original")
    prompt = said(box.prompt, request.prompt)
    return replace(asked, prompt=prompt or "", denoising_strength=box.strength or request.denoising_strength)


def bounds_of(request: Details, size: Size) -> list[Box]:
    """The bounds of each run's mask, where nothing is painted. Reads no pixels."""
    boxes = [box for box, _ in _drawn(request, size)]
    if request.together == ONE_BY_ONE or not boxes:
        return boxes
    if request.together == ALL_BUT:
        return [(0, 0, *size)]
    lefts, tops, rights, bottoms = zip(*boxes, strict=True)
    return [(min(lefts), min(tops), max(rights), max(bottoms))]


def _drawn(request: Details, size: Size) -> list[tuple[Box, DetailBox]]:
    """Those that are not skipped, with the part of each that lies in the picture."""
    return [(box, each) for each in request.boxes if (box := inside(each.box, size)) and said(each.prompt, request.prompt) is not None]
