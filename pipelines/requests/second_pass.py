"""The second pass ("hires fix"): a picture is enlarged, then drawn over at its new size. Its fields, and the size that comes of them.

Names, sizes and steps follow A1111 1.10 (modules/processing.py, `calculate_target_resolution` and `sample_hr_pass`).
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

from models.errors import UserError
from models.families import PIXELS_PER_LATENT
from pipelines.requests.added import MOST_LORAS, LoraUse
from pipelines.requests.base import Request
from pipelines.requests.enlarge import FILTER_NAMES, Size
from pipelines.requests.fields import Choice, Flag, Range, Several, Stored, Text, limited
from pipelines.requests.groups import SECOND
from pipelines.requests.sizes import LONGEST, MEGAPIXELS, SHORTEST
from pipelines.requests.tiles import TILED_MEGAPIXELS, InTiles, in_tiles, one_by_one
from pipelines.samplers import AUTOMATIC, EVERY, SAMPLERS

SAMPLER_NAMES = tuple(SAMPLERS)
SCHEDULE_NAMES = (AUTOMATIC, *EVERY)
LATENT_MODES = (
    "Latent", "Latent (antialiased)", "Latent (bicubic)", "Latent (bicubic antialiased)", "Latent (nearest)", "Latent (nearest-exact)",
)  # fmt: skip
LANCZOS = FILTER_NAMES[0]
UPSCALER_NAMES = (*FILTER_NAMES, *LATENT_MODES)  # what else it may be is the id of an upscaler of the library
USUAL = 0.35  # denoising strength with a filter: what is there stays, what is blurred is drawn
LATENT_FROM, PIXELS_FROM, REPEATS_FROM = 0.5, 0.2, 0.6  # denoising strengths that each mode needs, and beyond which things repeat
STRENGTHS = f"A filter needs {PIXELS_FROM} and more, a latent mode {LATENT_FROM}; above {REPEATS_FROM} things may appear twice"
SIDE = Range(0, LONGEST, PIXELS_PER_LATENT, snap=True)
SAME = ""  # of a choice of the second pass: as in the first


@dataclass(frozen=True, kw_only=True)
class Enlarging(Request):
    """How a picture comes to the size of its second pass. Without a width and a height, by the factor."""

    hires_upscaler: str = SECOND(LANCZOS, Choice(), "Upscaler", "A filter of pixels, latents drawn out (Latent ...), or a network")
    hires_factor: float = SECOND(2.0, Range(1, 4, 0.05), "Upscale by", "Of each side")
    hires_width: int = SECOND(
        0, Range(0, LONGEST, PIXELS_PER_LATENT, snap=True), "Resize width to", "0 follows the height; both 0: by factor"
    )
    hires_height: int = SECOND(
        0, Range(0, LONGEST, PIXELS_PER_LATENT, snap=True), "Resize height to", "With both, what stands out is cut off"
    )

    def target(self, picture: Size) -> Target:
        """What becomes of a picture of this size. Raises `UserError` where that cannot be drawn."""
        if one_by_one(self) and self.is_latent:
            raise UserError("Tile by tile begins with pixels, and a latent mode makes none. Choose a filter, an upscaler, or windows.")
        enlarged, cut = self._enlarged(*picture)
        latents = [side // PIXELS_PER_LATENT for side in enlarged]
        width, height = ((side - out) * PIXELS_PER_LATENT for side, out in zip(latents, cut, strict=True))
        _check(width, height, self)
        return Target(enlarged, (cut[0] // 2, cut[1] // 2), (width, height))

    def _enlarged(self, width: int, height: int) -> tuple[Size, Size]:
        """The size before anything is cut off, and latents to be cut off across and down."""
        across, down = self.hires_width, self.hires_height
        if not across and not down:
            return (int(width * self.hires_factor), int(height * self.hires_factor)), (0, 0)
        if across and (not down or width / height < across / down):
            enlarged = across, across * height // width
        else:
            enlarged = down * width // height, down
        if not (across and down):
            return enlarged, (0, 0)
        return enlarged, ((enlarged[0] - across) // PIXELS_PER_LATENT, (enlarged[1] - down) // PIXELS_PER_LATENT)

    @property
    def is_latent(self) -> bool:
        return self.hires_upscaler in LATENT_MODES

    @property
    def upscaler(self) -> str:
        """The id of the network that enlarges, "" where a filter or a latent mode does."""
        return "" if self.hires_upscaler in UPSCALER_NAMES else self.hires_upscaler


@dataclass(frozen=True, slots=True)
class Target:
    """Sizes of a second pass, in pixels."""

    enlarged: Size  # the whole picture; need not be multiples of 8
    cut: Size  # latents that are cut off at the left and on top; the rest of what stands out goes on the other sides
    size: Size  # that is drawn, multiples of 8

    @property
    def box(self) -> tuple[int, int, int, int]:
        """What is drawn of the enlarged picture: left, top, right, bottom."""
        left, top = (side * PIXELS_PER_LATENT for side in self.cut)
        return left, top, left + self.size[0], top + self.size[1]


def _tiled(name: str) -> Any:  # Any: a field of a dataclass is written as its default, whatever type that has
    """A field of `InTiles`, told with the second pass."""
    item = next(item for item in fields(InTiles) if item.name == name)
    return SECOND(item.default, item.metadata["limit"], item.metadata["title"], item.metadata["info"])


@dataclass(frozen=True, kw_only=True)
class TwoPasses(Enlarging):
    """The second pass of a drawing. What is empty or 0 is as in the first."""

    hires: bool = SECOND(False, Flag(), "Hires fix", "A second pass over each picture, at a larger size. The first is kept as well")
    hires_steps: int = SECOND(0, Range(0, 150), "Hires steps", "All of them run; 0: as many as the first pass")
    hires_strength: float = SECOND(USUAL, Range(0, 1, 0.01), "Denoising strength", STRENGTHS)
    hires_prompt: str = SECOND(SAME, Text(100_000), "Hires prompt")
    hires_negative_prompt: str = SECOND(SAME, Text(100_000), "Hires negative prompt")
    hires_template: str = SECOND("", Text(100_000), "Hires template", "What the hires prompt was drawn of", derived=True)
    hires_negative_template: str = SECOND("", Text(100_000), "Hires negative template", "What that prompt was drawn of", derived=True)
    hires_sampler: str = SECOND(SAME, Choice((SAME, *SAMPLER_NAMES)), "Hires sampler")
    hires_schedule: str = SECOND(SAME, Choice((SAME, *SCHEDULE_NAMES)), "Hires schedule")
    hires_guidance: float = SECOND(0.0, Range(0, 30, 0.1), "Hires guidance", "0: as in the first pass")
    hires_checkpoint: str = SECOND(SAME, Choice(), "Hires checkpoint")
    hires_loras: tuple[LoraUse, ...] = SECOND((), Several(LoraUse, MOST_LORAS), "Hires LoRAs")

    hires_tiling: str = _tiled("tiling")
    hires_tile_size: int = _tiled("tile_size")
    hires_tile_overlap: int = _tiled("tile_overlap")
    hires_tile_order: str = _tiled("tile_order")
    hires_tile_padding: int = _tiled("tile_padding")
    hires_tile_blur: int = _tiled("tile_blur")
    hires_seam_pass: str = _tiled("seam_pass")
    hires_seam_strength: float = _tiled("seam_strength")
    hires_seam_width: int = _tiled("seam_width")

    @property
    def upscaler(self) -> str:
        return super().upscaler if self.hires else ""


@dataclass(frozen=True, kw_only=True)
class FirstPass:
    """The first pass of a picture from words, as its settings text tells it. `image`: the picture that came of it."""

    image: str = limited("", Stored(), "Picture")
    prompt: str = limited("", Text(100_000), "Prompt")  # with its tags
    negative_prompt: str = limited("", Text(100_000), "Negative prompt")
    steps: int = limited(20, Range(1, 150), "Steps")
    sampler: str = limited("Euler", Choice(SAMPLER_NAMES), "Sampler")
    schedule: str = limited(AUTOMATIC, Choice(SCHEDULE_NAMES), "Schedule")
    guidance_scale: float = limited(5.0, Range(0, 30, 0.1), "Guidance")
    width: int = limited(256, Range(SHORTEST, LONGEST), "Width")
    height: int = limited(256, Range(SHORTEST, LONGEST), "Height")
    seed: int = limited(0, Range(0, 2**63 - 1), "Seed")
    checkpoint: str = limited("", Choice(), "Checkpoint")
    model: str = limited("", Text(300), "Model")
    model_hash: str = limited("", Text(64), "Model hash")


def _check(width: int, height: int, request: Enlarging) -> None:
    becomes = f"The second pass would draw {width:,} × {height:,}"
    way = "width and height" if request.hires_width or request.hires_height else "factor"
    if min(width, height) < SHORTEST:
        raise UserError(f"{becomes}; {SHORTEST} pixels a side are the least. Choose a larger {way}, or another picture.")
    if max(width, height) > LONGEST:
        raise UserError(f"{becomes}; {LONGEST:,} pixels a side are the most. Choose a smaller {way}.")
    most = TILED_MEGAPIXELS if in_tiles(request) else MEGAPIXELS
    if width * height > most * 1e6:
        area = f"{becomes}, {width * height / 1e6:.1f} megapixels"
        tiles = "" if in_tiles(request) else ", or draw it in tiles"
        raise UserError(f"{area}; {most} are the most. Choose a smaller {way}{tiles}.")
