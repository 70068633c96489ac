"""Models that turn things, Zero123 and its relatives, told apart by their names: their tensors are the same, and what they mean by the last
of their four numbers is not. The distance for the first ones, the height from which the picture was taken for Stable Zero123.
"""

from __future__ import annotations

from collections.abc import Mapping

from models.families import SV3D, ZERO123, Family
from models.files import Identity
from models.identify.distilled import NOT_DISTILLED
from models.json_values import is_number, is_whole
from models.tensors.embedded_sizes import own_sizes

STABLE = "stable"
# What a person may decide: the key of an override -> how it is called.
CONVENTIONS: Mapping[str, str] = {NOT_DISTILLED: "the distance, as Zero123 and XL", STABLE: "the picture’s own height, as Stable Zero123"}
LARGEST = 1024  # pixels of a side
FRAMES = 21  # of a walk of SV3D
USUAL: Mapping[str, object] = {"steps": 50, "guidance_scale": 3.0, "object_size": 0.78}
OWN = "turn"  # beside the networks' sizes: what of `USUAL` is otherwise for this file
MOST_STEPS = 150


def turning_identity(name: str, metadata: Mapping[str, str], layout: str = "ldm") -> Identity:
    """`name`: the file's, in small letters. `metadata`: may say the networks' sizes, where these are not the published ones."""
    variant = STABLE if STABLE in name else "xl" if "xl" in name else ""
    known = {"side": _side(ZERO123, metadata), **_own(metadata)}
    return Identity("checkpoint", ZERO123.key, variant, layout, "epsilon", defaults=trained(known, variant))


def walk_identity(variant: str, metadata: Mapping[str, str]) -> Identity:
    """Of SV3D, which draws the frames of a walk together. `variant`: "u", or "p" for the one that is told each frame's view."""
    own = {"side": _side(SV3D, metadata), "views": FRAMES, "gathered": "Loop", "convention": "Walk", "steps": 50, "guidance_scale": 2.5}
    return Identity("checkpoint", SV3D.key, variant, "sgm", defaults=own | {"sampler": "Euler"})


def _side(family: Family, metadata: Mapping[str, str]) -> int:
    sample = own_sizes(metadata, "unet").get("sample_size")
    told = sample * family.latent.pixels if is_whole(sample) else 0
    return told if 0 < told <= LARGEST else family.native_size


def _own(metadata: Mapping[str, str]) -> dict[str, object]:
    """How many steps a file asks for, and how large in its square it knows a thing. Anybody may have written it."""
    told = own_sizes(metadata, OWN)
    steps, size = told.get("steps"), told.get("object_size")
    found: dict[str, object] = {"steps": steps} if is_whole(steps) and 0 < steps <= MOST_STEPS else {}
    return found | ({"object_size": size} if is_number(size) and 0.2 <= size <= 1 else {})


def trained(known: Mapping[str, object], variant: str) -> dict[str, object]:
    """Request field -> what suits a model of this variant. `known`: what was found of it."""
    return {**USUAL, **known, "convention": "Elevation" if variant == STABLE else "Distance"}
