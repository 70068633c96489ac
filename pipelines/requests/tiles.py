"""Tiles: how a picture that is larger than its network was trained for is drawn in parts.

In windows, all of them at every step and blended there, or tile by tile, each an inpainting that sees its neighbours as they are by
then. The fields belong to any request that comes to a size by drawing; which parts come of them says `pipelines.images.tiles`.
"""

from __future__ import annotations

from dataclasses import dataclass

from models.errors import UserError
from pipelines.requests.base import Request
from pipelines.requests.fields import Choice, Range
from pipelines.requests.groups import TILES

UNTILED, WINDOWS, ONE_BY_ONE = "Off", "Windows", "Tile by tile"
LINEAR, CHESS = "Linear", "Chess"
NO_SEAMS, BANDS, HALF_TILES, CROSSINGS = "None", "Band", "Half tile", "Half tile and crossings"
GRID = 64  # pixels: the network halves what it sees several times
MOST_PARTS = 4096  # of one picture
TILED_MEGAPIXELS = 16.8  # the largest area of one picture that is drawn in parts


@dataclass(frozen=True, kw_only=True)
class InWindows(Request):
    """A request whose picture may be drawn in windows. Beside it stands a drawing, which says the size of the whole."""

    tiling: str = TILES(UNTILED, Choice((UNTILED, WINDOWS)), "Tiles", "Windows blend at every step, so that a large picture shows no seams")
    tile_size: int = TILES(512, Range(GRID, 2048, GRID, snap=True), "Tile size", "Pixels a side; what the model was made for suits best")
    tile_overlap: int = TILES(256, Range(0, 1024, 8, snap=True), "Overlap", "Pixels that windows share; half a tile shows no seam")

    def check_tiles(self, width: int, height: int) -> None:
        """Raises `UserError` when a picture of this size cannot be drawn in such parts."""
        if self.tiling == WINDOWS and self.tile_overlap >= self.tile_size:
            raise UserError(f"Windows of {self.tile_size} pixels cannot share {self.tile_overlap}. Choose a smaller overlap.")
        shared = self.tile_overlap if self.tiling == WINDOWS else 0
        count = count_along(width, self.tile_size, shared) * count_along(height, self.tile_size, shared)
        if in_tiles(self) and count > MOST_PARTS:
            what = "windows" if self.tiling == WINDOWS else "tiles"
            raise UserError(f"The picture would take {count:,} {what}; {MOST_PARTS:,} are the most. Choose larger ones, or less overlap.")


@dataclass(frozen=True, kw_only=True)
class InTiles(InWindows):
    """One whose picture may be drawn tile by tile as well."""

    tiling: str = TILES(
        UNTILED, Choice((UNTILED, WINDOWS, ONE_BY_ONE)), "Tiles", "Windows blend at every step; tile by tile redraws one after another"
    )
    tile_order: str = TILES(LINEAR, Choice((LINEAR, CHESS)), "Order", "Row by row, or every other tile first, as on a chessboard")
    tile_padding: int = TILES(32, Range(0, 256, 4), "Tile padding", "Pixels around a tile that are seen as well")
    tile_blur: int = TILES(8, Range(0, 64), "Tile blur", "Pixels over which a tile and its neighbours blend")
    seam_pass: str = TILES(
        NO_SEAMS, Choice((NO_SEAMS, BANDS, HALF_TILES, CROSSINGS)), "Seams", "What is drawn once more where tiles meet, after all of them"
    )
    seam_strength: float = TILES(0.35, Range(0, 1, 0.01), "Strength at the seams", "Denoising strength of that")
    seam_width: int = TILES(64, Range(16, 512, 8, snap=True), "Seam width", "Pixels across a band")


def count_along(length: int, side: int, shared: int) -> int:
    """Parts along one side of the whole, neighbours of which share so much."""
    return 1 if length <= side else -(-(length - shared) // (side - shared))


def in_tiles(request: Request) -> bool:
    """Its picture is drawn in parts."""
    return isinstance(request, InWindows) and request.tiling != UNTILED


def one_by_one(request: Request) -> bool:
    """Its parts are drawn one after another."""
    return isinstance(request, InTiles) and request.tiling == ONE_BY_ONE
