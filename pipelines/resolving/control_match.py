"""Control models matched to preprocessors, told by their names: no file says what its maps looked like in training.

The names are those that authors give their files (lllyasviel's ControlNets 1.0 and 1.1, T2I-Adapters, the SDXL collections) and the
starter's own. A union model reads every kind of map that it has a name for.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from models.files import ModelFile
from pipelines.preprocessors import PREPROCESSORS

SHORT = 4  # letters: a word of so few is looked for as a whole one, as "seg" also stands in other words
LINES = ("outlines",)  # the starter's reads white lines on black, whatever found them

READ_BY: Mapping[str, tuple[str, ...]] = {  # preprocessor -> words in the names of models that read its maps, the best first
    "None": (),
    "Canny": ("canny", *LINES),
    "HED": ("softedge", "hed", *LINES),
    "PidiNet": ("softedge", "pidinet", "hed", *LINES),
    "TEED": ("teed", "softedge", "hed", *LINES),
    "AnyLine": ("anyline", "mistoline", "lineart", *LINES),
    "Scribble": ("scribble", "sketch", *LINES),
    "Scribble HED": ("scribble", "sketch", *LINES),
    "Scribble PidiNet": ("scribble", "sketch", *LINES),
    "Line art": ("lineart", *LINES),
    "Line art realistic": ("lineart", *LINES),
    "Line art coarse": ("lineart", *LINES),
    "Line art anime": ("lineartanime", "anime", "lineart", *LINES),
    "MLSD": ("mlsd", *LINES),
    "Starter depth": ("depth",),
    "Depth Anything v2": ("depth",),
    "MiDaS": ("depth",),
    "DPT": ("depth",),
    "Zoe": ("zoe", "depth"),
    "ZoeDepth": ("zoe", "depth"),
    "LeReS": ("depth",),
    "Depth Pro": ("depth",),
    "Normal BAE": ("normalbae", "normal"),
    "MiDaS normals": ("normal",),
    "OpenPose": ("openpose", "dwpose", "keypose", "pose"),
    "OpenPose hands": ("openpose", "dwpose", "pose"),
    "OpenPose face": ("openpose", "dwpose", "pose"),
    "OpenPose full": ("openpose", "dwpose", "pose"),
    "Segformer": ("segmentation", "seg", "ade20k"),
    "Segment Anything": ("segmentanything", "sam"),
    "Shuffle": ("shuffle",),
    "Tile": ("tile",),
    "Blur": ("blur", "tile"),
    "Recolour luminance": ("recolor", "recolour", "colorize"),
    "Recolour intensity": ("recolor", "recolour", "colorize"),
    "Threshold": ("brightness", "scribble"),
    "Invert": ("lineart", "scribble", *LINES),
    "Inpaint mask": ("inpaint",),
}


def readers(models: Sequence[ModelFile]) -> dict[str, str]:
    """Preprocessor -> id of the model among these that reads its maps best; nothing for those that none reads."""
    found = {name: _reader(name, models) for name in READ_BY}
    return {name: entry.id for name, entry in found.items() if entry}


def _reader(preprocessor: str, models: Sequence[ModelFile]) -> ModelFile | None:
    """By the first word that any has in its name, the plainest name first; else a union model."""
    for word in READ_BY[preprocessor]:
        if named := [entry for entry in models if _has(entry.true_name, word)]:
            return min(named, key=lambda entry: len(entry.true_name))
    unions = (entry for entry in models if entry.identity.variant.startswith("union"))
    return next(unions, None) if PREPROCESSORS[preprocessor].union_kind else None


def _has(name: str, word: str) -> bool:
    parts = re.findall(r"[a-z]+|\d+", re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).lower())
    return word in parts if len(word) <= SHORT else word in "".join(parts)
