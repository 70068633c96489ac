"""Preprocessors, one file each: pictures to the maps of outlines, depth, poses and the like that control models read.

Each one is a function of pixels, (h, w, 3) in 0 .. 255, and of up to two thresholds; one that needs weights takes its annotator too
(`annotators.py`). It is imported when it is used: torch, OpenCV and controlnet-aux take seconds.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from PIL import Image

from models.errors import UserError

if TYPE_CHECKING:
    from pipelines.preprocessors.annotators import Annotator

# How a map is drawn, which decides how it may be resized: shades; black and white; a few colours that each mean something;
# or whatever somebody puts in.
DrawnIn = Literal["Shades", "Black and white", "Colours", "Anything"]


@dataclass(frozen=True)
class Threshold:
    """A number that a preprocessor asks for."""

    title: str
    default: float
    low: float
    high: float
    step: float

    def admit(self, value: float) -> float:
        """A value beyond the limits means the default, so that a request that does not speak of thresholds gets the usual ones."""
        return value if self.low <= value <= self.high else self.default


@dataclass(frozen=True)
class Preprocessor:
    """One line of the list."""

    name: str  # as shown, and as requests keep it
    info: str
    made_by: str  # the file of this package and its function
    thresholds: tuple[Threshold, ...] = ()  # at most two
    weights: str = ""  # the annotator that it needs, one of `annotators.ANNOTATORS`; "": it works at once
    union_kind: str = ""  # what its map shows, one of `control_use.UNION_KINDS`
    drawn_in: DrawnIn = "Shades"
    own_size: bool = False  # it works on the picture as it is, whatever the resolution
    needs_mask: bool = False


SAFE_STEPS = Threshold("Steps of brightness", 0, 0, 10, 1)  # 0: as many as there are. Few ones hide what shines through the outlines
GAMMA = Threshold("Gamma", 1, 0.1, 2, 0.01)

TABLE = (
    Preprocessor("None", "The picture is a map already.", "none.picture", drawn_in="Anything", own_size=True),
    # ---- outlines
    Preprocessor(
        "Canny", "Thin outlines wherever brightness changes, for Canny models.", "canny.edges",
        (Threshold("Low threshold", 100, 1, 255, 1), Threshold("High threshold", 200, 1, 255, 1)),
        union_kind="Hard edge", drawn_in="Black and white",
    ),
    Preprocessor(
        "HED", "Soft outlines of what matters, for soft edge models.", "hed.soft_edges", (SAFE_STEPS,), weights="hed",
        union_kind="Soft edge",
    ),
    Preprocessor(
        "PidiNet", "Soft outlines, cleaner than those of HED, for soft edge models.", "pidinet.soft_edges", (SAFE_STEPS,),
        weights="pidinet", union_kind="Soft edge",
    ),
    Preprocessor(
        "TEED", "Fine soft outlines from a tiny network, for soft edge models.", "teed.soft_edges",
        (Threshold("Steps of brightness", 2, 0, 10, 1),), weights="teed", union_kind="Soft edge",
    ),
    Preprocessor(
        "AnyLine", "Outlines together with fine strokes, for MistoLine and line art models.", "anyline.lines", weights="anyline",
        union_kind="Hard edge",
    ),
    Preprocessor(
        "Scribble", "Rough strokes from differences of blurs, for scribble models.", "scribble.strokes",
        (Threshold("Threshold", 32, 1, 64, 1),), union_kind="Soft edge", drawn_in="Black and white",
    ),
    Preprocessor(
        "Scribble HED", "Rough strokes along the outlines that HED finds, for scribble models.", "hed.scribble", weights="hed",
        union_kind="Soft edge", drawn_in="Black and white",
    ),
    Preprocessor(
        "Scribble PidiNet", "Rough strokes along the outlines that PidiNet finds, for scribble models.", "pidinet.scribble",
        weights="pidinet", union_kind="Soft edge", drawn_in="Black and white",
    ),
    Preprocessor(
        "Line art", "Dark strokes of the picture, bright on black, for line art models.", "line_art.strokes",
        (Threshold("Blur", 6, 0.5, 32, 0.5), Threshold("Threshold", 8, 1, 64, 1)), union_kind="Hard edge",
    ),
    Preprocessor(
        "Line art realistic", "Lines as one would draw a photograph, for line art models.", "line_art_realistic.fine",
        weights="line_art", union_kind="Hard edge",
    ),
    Preprocessor(
        "Line art coarse", "The same with fewer, bolder lines, for line art models.", "line_art_realistic.coarse",
        weights="line_art_coarse", union_kind="Hard edge",
    ),
    Preprocessor(
        "Line art anime", "Lines of anime drawings, for anime line art models.", "line_art_anime.lines", weights="line_art_anime",
        union_kind="Hard edge",
    ),
    Preprocessor(
        "MLSD", "Straight lines only, of rooms and buildings, for MLSD models.", "mlsd.straight_lines",
        (Threshold("Score", 0.1, 0.01, 1, 0.01), Threshold("Least length", 0.1, 0.01, 20, 0.01)), weights="mlsd",
        union_kind="Hard edge", drawn_in="Black and white",
    ),
    # ---- depth and normals
    Preprocessor(
        "Starter depth", "Depth by the small estimator that comes with the studio, for depth models.", "depth.depth_map",
        weights="starter_depth", union_kind="Depth",
    ),
    Preprocessor(
        "Depth Anything v2", "Depth with fine outlines, for depth models.", "depth.depth_map", weights="depth_anything_v2",
        union_kind="Depth",
    ),
    Preprocessor("MiDaS", "Depth as the first depth models learned it.", "depth.depth_map", weights="midas", union_kind="Depth"),
    Preprocessor("DPT", "Depth by the large DPT network, for depth models.", "depth.depth_map", weights="dpt", union_kind="Depth"),
    Preprocessor("Zoe", "Depth from distances in metres, for depth models.", "depth.depth_map", weights="zoe", union_kind="Depth"),
    Preprocessor(
        "ZoeDepth", "The same in its newer form, for indoors and outdoors.", "depth.depth_map", weights="zoedepth", union_kind="Depth",
    ),
    Preprocessor("LeReS", "Depth with much detail far away, for depth models.", "depth.depth_map", weights="leres", union_kind="Depth"),
    Preprocessor(
        "Depth Pro", "Very fine depth, from a large and slow network, for depth models.", "depth.depth_map", weights="depth_pro",
        union_kind="Depth",
    ),
    Preprocessor(
        "Normal BAE", "Which way surfaces face, for normal map models of ControlNet 1.1.", "normal_bae.normals", weights="normal_bae",
        union_kind="Normal",
    ),
    Preprocessor(
        "MiDaS normals", "Which way surfaces face, from depth, for normal map models of ControlNet 1.0.", "midas.normals",
        (Threshold("Background", 0.4, 0, 1, 0.01),), weights="midas", union_kind="Normal",
    ),
    # ---- poses and segments
    Preprocessor("OpenPose", "Skeletons of the bodies, for pose models.", "openpose.bodies", weights="openpose", union_kind="Pose"),
    Preprocessor(
        "OpenPose hands", "Skeletons of bodies and hands, for pose models.", "openpose.hands", weights="openpose_hands",
        union_kind="Pose",
    ),
    Preprocessor("OpenPose face", "Skeletons with faces, for pose models.", "openpose.faces", weights="openpose_face", union_kind="Pose"),
    Preprocessor(
        "OpenPose full", "Bodies, hands and faces, for pose models.", "openpose.everything", weights="openpose_full", union_kind="Pose",
    ),
    Preprocessor(
        "Segformer", "What is where, in the colours of ADE20K, for segmentation models.", "segformer.segments", weights="segformer",
        union_kind="Segments", drawn_in="Colours",
    ),
    Preprocessor(
        "Segment Anything", "Every part in a colour of its own, for models that were trained on such maps.", "segment_anything.segments",
        (Threshold("Points a side", 32, 4, 64, 1),), weights="segment_anything", union_kind="Segments", drawn_in="Colours",
    ),
    # ---- the picture itself
    Preprocessor("Shuffle", "The picture stirred: colours and textures without shapes, for shuffle models.", "shuffle.stirred"),
    Preprocessor(
        "Tile", "The picture without its details, for tile models.", "tile.smaller", (Threshold("Times smaller", 1, 1, 16, 0.01),),
        union_kind="Tile", own_size=True,
    ),
    Preprocessor(
        "Blur", "The picture blurred, for blur and tile models.", "blur.blurred", (Threshold("Radius", 9, 0.01, 64, 0.01),),
        union_kind="Tile",
    ),
    Preprocessor(
        "Recolour luminance", "The picture in greys as bright as it looks, for recolour models.", "recolour.luminance", (GAMMA,),
        own_size=True,
    ),
    Preprocessor(
        "Recolour intensity", "The picture in greys of its brightest channel, for recolour models.", "recolour.intensity", (GAMMA,),
        own_size=True,
    ),
    Preprocessor(
        "Threshold", "White where the picture is bright, for scribble and brightness models.", "threshold.bright",
        (Threshold("Threshold", 127, 1, 254, 1),), union_kind="Soft edge", drawn_in="Black and white",
    ),
    Preprocessor(
        "Invert", "Black for white: makes a map of a drawing on paper, for line art and scribble models.", "invert.inverted",
        union_kind="Hard edge", drawn_in="Anything", own_size=True,
    ),
    Preprocessor(
        "Inpaint mask", "The picture with its masked part taken out, for inpaint models.", "inpaint_mask.preview", union_kind="Repaint",
        own_size=True, needs_mask=True,
    ),
)  # fmt: skip
PREPROCESSORS: dict[str, Preprocessor] = {entry.name: entry for entry in TABLE}


def preprocessor(name: str) -> Preprocessor:
    """Raises `UserError` for a name that is not in the table."""
    if name not in PREPROCESSORS:
        raise UserError(f"The preprocessor “{name[:100]}” is not known here. Choose one of the list.")
    return PREPROCESSORS[name]


def preprocess(
    name: str,
    picture: Image.Image,
    resolution: int,
    a: float,
    b: float,
    annotator: Annotator | None = None,
    mask: Image.Image | None = None,
) -> Image.Image:
    """The map of an RGB picture, "RGB". Its shorter side is `resolution`, unless the preprocessor keeps the picture's own size.

    `a` and `b`: its thresholds; values beyond their limits mean the defaults. `annotator`: what `Annotators.load(weights)` gave.
    `mask`: "L", of any size, 255 where the picture is to be drawn anew. The same input makes the same map.
    """
    from pipelines.preprocessors.resolution import at_resolution

    entry = preprocessor(name)
    pixels = np.asarray(picture) if entry.own_size else at_resolution(np.asarray(picture), resolution)
    thresholds = [limits.admit(value) for limits, value in zip(entry.thresholds, (a, b), strict=False)]
    drawn = np.asarray(named(entry.made_by)(pixels, *thresholds, **_further(entry, annotator, mask)))
    return Image.fromarray(drawn).convert("RGB")


def _further(entry: Preprocessor, annotator: Annotator | None, mask: Image.Image | None) -> dict[str, object]:
    if entry.needs_mask:
        return {"mask": mask}
    assert not entry.weights or annotator is not None, f"{entry.name} was asked for without its annotator"
    return {"annotator": annotator} if entry.weights else {}


def named(path: str) -> Callable[..., Any]:  # Any: what it takes and gives is the table's business
    """The function of a "file.function" of this package."""
    module, function = path.split(".")
    return getattr(importlib.import_module(f"{__name__}.{module}"), function)
