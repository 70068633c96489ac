"""The kinds of request: `KINDS`, and the drawings among them, which all have prompts, a model, a sampler and a seed.

What every request has, and how one is admitted and described, stands in `pipelines.requests.base`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import ClassVar, Self, TypeVar

from models.errors import UserError
from models.families import PIXELS_PER_LATENT
from pipelines.requests.added import EmbeddingUse, HypernetworkUse, LoraUse
from pipelines.requests.base import Kind, Request, WithPicture, begins_with, describe, input_ids, limits, unroll
from pipelines.requests.clip import Clip
from pipelines.requests.control_unit import ControlUse
from pipelines.requests.details import MERGES, MOST_BOXES, MOST_DETAILERS, DetailBox, Detailer, check_boxes
from pipelines.requests.drawing import MOST_DECODES, OWN_VAE, Drawing
from pipelines.requests.drawn_small import DrawnSmall
from pipelines.requests.enlarge import LONGEST_SIDE, Enlarge
from pipelines.requests.fields import Choice, Flag, Range, Several, Stored
from pipelines.requests.groups import BEGINNING, COMPUTED, DEPTH, DETAILS, MASK, PICTURE, SAMPLING
from pipelines.requests.guidance import Joining
from pipelines.requests.second_pass import SAMPLER_NAMES, SCHEDULE_NAMES, STRENGTHS, USUAL, Enlarging, FirstPass, TwoPasses
from pipelines.requests.sizes import LONGEST, MEGAPIXELS, SHORTEST
from pipelines.requests.tiles import InTiles, InWindows
from pipelines.requests.turn import Turn
from pipelines.requests.upscale import Upscale
from pipelines.requests.wording import PICTURES, SEEDS, WEIGHTS_ALONE, WHOLE_LANGUAGE, PictureUse, Wording
from pipelines.requests.wordless import Wordless

__all__ = [
    "MEGAPIXELS",
    "MOST_DECODES",
    "OWN_VAE",
    "SAMPLER_NAMES",
    "SCHEDULE_NAMES",
    "SEEDS",
    "WEIGHTS_ALONE",
    "WHOLE_LANGUAGE",
    "Clip",
    "ControlUse",
    "Drawing",
    "EmbeddingUse",
    "Enlarge",
    "FirstPass",
    "HypernetworkUse",
    "Kind",
    "LoraUse",
    "PictureUse",
    "Request",
    "Turn",
    "Upscale",
    "WithPicture",
    "Wording",
    "Wordless",
    "begins_with",
    "describe",
    "input_ids",
    "limits",
    "unroll",
]

RESIZE_MODES = ("Stretch", "Crop", "Fill", "Stretch latents")
CURVES = ("Linear", "Aggressive", "Lazy")


@dataclass(frozen=True, kw_only=True)
class TextToImage(Joining, TwoPasses, DrawnSmall, Drawing):
    """A picture from words alone, and if wanted a second pass over it, which is a job of its own: `pipelines.metadata.two_passes`."""

    kind: ClassVar[str] = "txt2img"
    title: ClassVar[str] = "Text to image"

    @property
    def enlarger(self) -> str:
        """A second pass takes its place: it enlarges the picture as it was drawn."""
        return "" if self.hires else self.enlarged_by


@dataclass(frozen=True, kw_only=True)
class Controlled(Joining, DrawnSmall, Drawing):
    """A picture from words, held by control units."""

    kind: ClassVar[str] = "controlnet"
    title: ClassVar[str] = "ControlNet"


@dataclass(frozen=True, kw_only=True)
class FromPicture(WithPicture, Drawing):
    """A drawing that begins with a picture."""

    denoising_strength: float = SAMPLING(0.75, Range(0, 1, 0.01), "Denoising strength", "0 gives the picture back, 1 draws a new one")
    exact_steps: bool = SAMPLING(False, Flag(), "Run exactly the steps I asked for", "Otherwise a lower strength runs fewer of them")


@dataclass(frozen=True, kw_only=True)
class SecondPass(Joining, InTiles, Enlarging, FromPicture):
    """A finished picture enlarged and drawn over at its new size. Width and height follow from the picture's size."""

    kind: ClassVar[str] = "hires"
    title: ClassVar[str] = "Hires fix"

    denoising_strength: float = SAMPLING(USUAL, Range(0, 1, 0.01), "Denoising strength", STRENGTHS)
    exact_steps: bool = SAMPLING(True, Flag(), "All steps run", derived=True)
    width: int = PICTURE(256, Range(SHORTEST, LONGEST, PIXELS_PER_LATENT), "Width", derived=True)
    height: int = PICTURE(256, Range(SHORTEST, LONGEST, PIXELS_PER_LATENT), "Height", derived=True)
    hires_tile: int = COMPUTED(0, Range(0, LONGEST_SIDE), "Tile size of the upscaler", "0 goes by free memory", derived=True)
    first: tuple[FirstPass, ...] = COMPUTED((), Several(FirstPass, 1), "First pass", derived=True)


@dataclass(frozen=True, kw_only=True)
class ImageToImage(Joining, InTiles, DrawnSmall, FromPicture):
    """A picture from a picture and words."""

    kind: ClassVar[str] = "img2img"
    title: ClassVar[str] = "Image to image"

    resize_mode: str = BEGINNING("Crop", Choice(RESIZE_MODES), "Resize mode", "How a picture of another shape comes to this size")
    images: tuple[PictureUse, ...] = BEGINNING((), PICTURES, "Several pictures")
    loops: int = SAMPLING(1, Range(1, 32), "Loopback rounds", "Each round starts from the picture of the one before")
    final_strength: float = SAMPLING(0.5, Range(0, 1, 0.01), "Strength of the last round", "The rounds between go from one to the other")
    strength_curve: str = SAMPLING("Linear", Choice(CURVES), "Curve of the strength", "Aggressive changes early, lazy late")

    @property
    def batches_each(self) -> int:
        return max(1, len(self.images)) * super().batches_each * self.loops

    def placed(self, index: int) -> Self:
        """Picture by picture, then batch by batch, then round by round. `image` of a later round is known when it is there."""
        batch, place = divmod(index, self.pictures_a_batch)
        batch, turn = divmod(batch, self.loops)
        source, _ = divmod(batch, super().batches_each)
        image = self.images[source].id if self.images else self.image
        drawn = super().placed(batch * self.pictures_a_batch + place + turn)
        return replace(drawn, image=image, images=(), loops=1, denoising_strength=self.strength_of(turn))

    def strength_of(self, turn: int) -> float:
        """The denoising strength of loopback round `turn`, counted from 0 (A1111 1.10, scripts/loopback.py)."""
        if self.loops == 1 or turn == 0:
            return self.denoising_strength
        angle = turn / (self.loops - 1) * math.pi / 2
        share = {"Linear": turn / (self.loops - 1), "Aggressive": math.sin(angle), "Lazy": 1 - math.cos(angle)}[self.strength_curve]
        return round(self.denoising_strength + (self.final_strength - self.denoising_strength) * share, 4)


FROM_EDGES = ("Edges", "Latent noise")
MASKED_CONTENTS = ("Fill", "Original", "Latent noise", "Latent nothing")
AREAS = ("Whole picture", "Only masked")


@dataclass(frozen=True, kw_only=True)
class Inpaint(InWindows, FromPicture):
    """A part of a picture drawn anew. The result has the picture's size; width and height are the size that is drawn."""

    kind: ClassVar[str] = "inpaint"
    title: ClassVar[str] = "Inpaint"

    mask: str = MASK("", Stored(), "Mask")
    inverted: bool = MASK(False, Flag(), "Redraw what is not masked")
    mask_blur: int = MASK(4, Range(0, 64), "Mask blur", "Pixels over which new and old blend at the edge")
    masked_content: str = MASK("Original", Choice(MASKED_CONTENTS), "Masked content", "What the drawing begins with under the mask")
    area: str = MASK("Whole picture", Choice(AREAS), "Inpaint area", "Only masked draws the part alone, at the full size: finer")
    padding: int = MASK(32, Range(0, 256, 4), "Padding", "Pixels around the mask that are seen as well, with only masked")
    soft: bool = MASK(False, Flag(), "Soft inpainting", "The mask's grey is a strength for each pixel")


@dataclass(frozen=True, kw_only=True)
class Outpaint(FromPicture):
    """A picture continued beyond its edges. Width and height are the size of one window; a wide strip takes several."""

    kind: ClassVar[str] = "outpaint"
    title: ClassVar[str] = "Outpaint"

    denoising_strength: float = SAMPLING(1.0, Range(0.1, 1, 0.01), "Denoising strength", "Below 1 more of the blurred edges shows through")
    left: int = BEGINNING(0, Range(0, 2048, 8, snap=True), "Left", "Pixels to add")
    right: int = BEGINNING(0, Range(0, 2048, 8, snap=True), "Right", "Pixels to add")
    top: int = BEGINNING(0, Range(0, 2048, 8, snap=True), "Top", "Pixels to add")
    bottom: int = BEGINNING(0, Range(0, 2048, 8, snap=True), "Bottom", "Pixels to add")
    overlap: int = BEGINNING(16, Range(0, 128), "Overlap", "Pixels inside the old edge over which old and new blend")
    begins_with: str = BEGINNING("Edges", Choice(FROM_EDGES), "New area begins with", "The picture's edges drawn outwards, or noise")


@dataclass(frozen=True, kw_only=True)
class Depth(Joining, FromPicture):
    """A picture held by a depth map. A depth checkpoint reads it, or a control unit that has no picture of its own.

    The map is `map`, or else what `estimator` makes of the picture. Then it is edited, in the order of the fields; 1 is nearest.
    """

    kind: ClassVar[str] = "depth"
    title: ClassVar[str] = "Depth"

    denoising_strength: float = SAMPLING(1.0, Range(0, 1, 0.01), "Denoising strength", "1 keeps the depths alone, below 1 the colours too")
    resize_mode: str = BEGINNING("Crop", Choice(RESIZE_MODES[:3]), "Resize mode", "How a picture of another shape comes to this size")
    estimator: str = DEPTH("Starter depth", Choice(), "Estimator", "What reads the depths off the picture")
    map: str = DEPTH("", Stored(), "Depth map")
    map_inverted: bool = DEPTH(False, Flag(), "Invert", "For maps in which far is white")
    cut_off: float = DEPTH(0.0, Range(0, 1, 0.01), "Cut-off", "What is further away than this becomes the background")
    far: float = DEPTH(0.0, Range(0, 1, 0.01), "Far", "This depth becomes the farthest")
    near: float = DEPTH(1.0, Range(0, 1, 0.01), "Near", "This depth becomes the nearest")
    curve: float = DEPTH(1.0, Range(0.2, 5, 0.05), "Curve", "Above 1 pushes the middle away, below 1 brings it nearer")
    map_blur: int = DEPTH(0, Range(0, 64), "Blur of the map", "Pixels, at the size that is drawn")


@dataclass(frozen=True, kw_only=True)
class Details(FromPicture):
    """Parts of a picture drawn anew, one after another, each as an inpainting. Width and height are the size of each drawing."""

    kind: ClassVar[str] = "details"
    title: ClassVar[str] = "Details"

    denoising_strength: float = SAMPLING(0.4, Range(0, 1, 0.01), "Denoising strength", "0.3 to 0.5 keeps what is there; 1 draws anew")
    boxes: tuple[DetailBox, ...] = DETAILS((), Several(DetailBox, MOST_BOXES), "Boxes")
    together: str = DETAILS(MERGES[0], Choice(MERGES), "Boxes are drawn", "All but these: the rest of the picture, in one drawing")
    detailers: tuple[Detailer, ...] = DETAILS((), Several(Detailer, MOST_DETAILERS), "Detailers")
    mask: str = MASK("", Stored(), "Painted", "Where something is painted in a box, that alone is drawn anew in it")
    mask_blur: int = MASK(4, Range(0, 64), "Mask blur", "Pixels over which new and old blend at the edge")
    padding: int = MASK(32, Range(0, 256, 4), "Padding", "Pixels around a box that are seen as well")

    def check(self) -> None:
        super().check()
        check_boxes(self.boxes)


Drawn = TypeVar("Drawn", bound=Drawing)
OF_ALL = (TextToImage, ImageToImage, Inpaint, Outpaint, Controlled, Depth, SecondPass, Details, Enlarge, Upscale, Clip, Turn)
KINDS: dict[str, type[Request]] = {kind.kind: kind for kind in OF_ALL}


def listed_in(request: Request) -> tuple[PictureUse, ...]:
    """The several pictures that it begins with in turn; none where it begins with one, or with none."""
    return request.images if isinstance(request, ImageToImage | Enlarge) else ()


def seed_of(request: Request) -> int:
    """-1 where it is not settled, and for what no dice are thrown for."""
    return request.seed if isinstance(request, Drawing | Wordless) else -1


def restore(values: Mapping[str, object]) -> Request:
    """The request that `describe` wrote. Raises `UserError` when the kind is unknown or a value is out of its limits.

    A drawing that does not say in which language its prompts are was described before there was another one.
    """
    kind = values.get("kind")
    if not isinstance(kind, str) or kind not in KINDS:
        raise UserError("These settings are of a kind that this version does not know. Update Atelier to read them.")
    before = {"language": WEIGHTS_ALONE} if issubclass(KINDS[kind], Drawing) else {}
    return KINDS[kind].admit(before | {name: value for name, value in values.items() if name != "kind"})
