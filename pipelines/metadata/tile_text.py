"""Tiles in a settings text, both ways: under the keys of the extension "Ultimate SD upscale" for a drawing tile by tile, else our own."""

from __future__ import annotations

from collections.abc import Mapping

from pipelines.requests.base import Request
from pipelines.requests.second_pass import Enlarging
from pipelines.requests.tiles import LINEAR, NO_SEAMS, ONE_BY_ONE, WINDOWS, InTiles, InWindows

ULTIMATE = {
    "tile_size": "Ultimate SD upscale tile_size",
    "tile_blur": "Ultimate SD upscale mask_blur",
    "tile_padding": "Ultimate SD upscale padding",
}
UPSCALER = "Ultimate SD upscale upscaler"
TILE_WIDTH = "Ultimate SD upscale tile_width"  # in its later versions
FURTHER = {"tile_order": "Tile order", "seam_pass": "Seam pass", "seam_strength": "Seam strength", "seam_width": "Seam width"}
IN_WINDOWS = {"tile_size": "Window size", "tile_overlap": "Window overlap"}
TILE_HEIGHT = "Ultimate SD upscale tile_height"  # there; tiles are squares here
OURS = frozenset((*ULTIMATE.values(), UPSCALER, TILE_WIDTH, TILE_HEIGHT, *FURTHER.values(), *IN_WINDOWS.values()))
FIELDS = {**IN_WINDOWS, **FURTHER, **ULTIMATE, "tiling": UPSCALER}  # field -> the key that is named where no kind here has it


def tile_pairs(request: Request) -> dict[str, str]:
    """Nothing for what is not drawn in tiles."""
    if isinstance(request, InWindows) and request.tiling == WINDOWS:
        return {key: str(getattr(request, name)) for name, key in IN_WINDOWS.items()}
    return _one_by_one(request) if isinstance(request, InTiles) and request.tiling == ONE_BY_ONE else {}


def _one_by_one(request: InTiles) -> dict[str, str]:
    """What enlarges a second pass is told by its own key."""
    pairs = {} if isinstance(request, Enlarging) else {UPSCALER: "Lanczos"}
    pairs |= {key: str(getattr(request, name)) for name, key in ULTIMATE.items()}
    if request.tile_order != LINEAR:
        pairs[FURTHER["tile_order"]] = request.tile_order
    if request.seam_pass != NO_SEAMS:
        pairs |= {FURTHER[name]: f"{getattr(request, name)}" for name in ("seam_pass", "seam_strength", "seam_width")}
    return pairs


def tile_values(pairs: Mapping[str, str]) -> dict[str, str]:
    """Fields of `InTiles`, as they were written."""
    if any(key in pairs for key in (*ULTIMATE.values(), TILE_WIDTH)):
        known = {**FURTHER, **ULTIMATE}
        found = {name: pairs[key] for name, key in known.items() if key in pairs}
        return {"tiling": ONE_BY_ONE} | ({"tile_size": pairs[TILE_WIDTH]} if TILE_WIDTH in pairs else {}) | found
    found = {name: pairs[key] for name, key in IN_WINDOWS.items() if key in pairs}
    return {"tiling": WINDOWS, **found} if found else {}
