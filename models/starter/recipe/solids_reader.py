"""Reads off a picture of a solid thing which one it is and from where it is seen: the most like of all drawn views.

Nothing is learnt: the reader knows how every solid looks from everywhere, and compares.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from models.starter.recipe.solids import SOLIDS, Pose, Solid, render

SIDE = 32  # pixels of the pictures that are compared
AZIMUTHS = tuple(float(azimuth) for azimuth in range(0, 360, 5))
USUAL_ELEVATIONS, USUAL_DISTANCES = (5.0, 12.0, 20.0, 28.0, 36.0, 45.0), (2.85, 3.15)


@dataclass(frozen=True)
class SolidReader:
    """All views that a picture is compared with."""

    solids: tuple[Solid, ...]
    poses: tuple[Pose, ...]
    views: NDArray[np.float32]  # (views, SIDE * SIDE * 3)

    def read(self, picture: NDArray[np.uint8]) -> tuple[Solid, Pose]:
        """Of a picture (size, size, 3) RGB."""
        distances = np.square(self.views - _small(picture)).sum(1)
        nearest = int(np.argmin(distances))
        return self.solids[nearest], self.poses[nearest]


def new_reader(
    solids: Sequence[Solid] = SOLIDS,
    elevations: Sequence[float] = USUAL_ELEVATIONS,
    distances: Sequence[float] = USUAL_DISTANCES,
    azimuths: Sequence[float] = AZIMUTHS,
) -> SolidReader:
    """Takes a millisecond a view; there are as many as the product of all."""
    poses = [Pose(azimuth, elevation, distance) for elevation in elevations for distance in distances for azimuth in azimuths]
    every = [(solid, pose) for solid in solids for pose in poses]
    views = np.stack([_small(render(solid, pose, 2 * SIDE)) for solid, pose in every])
    return SolidReader(tuple(solid for solid, _ in every), tuple(pose for _, pose in every), views)


def _small(picture: NDArray[np.uint8]) -> NDArray[np.float32]:
    return cv2.resize(picture, (SIDE, SIDE), interpolation=cv2.INTER_AREA).astype(np.float32).reshape(-1)


def angle_between(first: float, second: float) -> float:
    """Degrees between two azimuths, 0 to 180."""
    return abs((first - second + 180) % 360 - 180)
