"""What is drawn whole: the drawings that can be watched. Importing it imports no torch."""

from __future__ import annotations

from pipelines.requests.request import AREAS, Details, Drawing, Inpaint, Outpaint, Upscale
from pipelines.requests.steps import steps_of
from pipelines.requests.tiles import in_tiles

LARGEST = 2048 * 2048  # pixels of a picture whose attention is kept
TOO_LARGE = "A picture of more than 2048 × 2048 pixels is not watched: its attention would take too much memory. Choose a smaller one."
IN_PARTS = "This picture was drawn in parts, each by itself, and Inside follows what is drawn whole. Choose another one."
NOTHING_RAN = "No step ran for this picture: its denoising strength was 0."


def refusal(request: Drawing) -> str:
    """Why a drawing cannot be watched, or ""."""
    if request.width * request.height > LARGEST:
        return TOO_LARGE
    if not is_whole(request):
        return IN_PARTS
    return "" if steps_of(request).run else NOTHING_RAN


def is_whole(request: Drawing) -> bool:
    """The network reads the whole picture at once, and one drawing is all there is to it."""
    only_masked = isinstance(request, Inpaint) and request.area != AREAS[0]
    return not (only_masked or isinstance(request, Outpaint | Details | Upscale) or in_tiles(request))
