"""Turntables: what SV3D is told of a walk around a thing, whose frames it draws together.

Voleti et al. (2024), arXiv:2403.12008, as Stability's generative-models runs it: 21 frames, the last of which is the picture's own view.
The thing stands on white, in a square of 576 pixels. Its loop is that of clips (`pipelines.denoising.clip`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

FRAMES = 21  # that the models were trained on
PICTURE_NOISE = 1e-5  # that is laid over the picture, and told
AT_THE_PICTURE, BEHIND = 1.0, 2.5  # guidance at the ends of the walk, and on the far side
TOP = 90.0


@dataclass(frozen=True)
class Turntable:
    """The views of a walk, in degrees, one each frame."""

    azimuths: tuple[float, ...]  # around the thing, the last one the picture's own
    elevations: tuple[float, ...]
    posed: bool  # the model is told of them (SV3D_p); else of the noise alone, and walks around at one height (SV3D_u)

    @property
    def picture_noise(self) -> float:
        return PICTURE_NOISE

    @property
    def numbers(self) -> tuple[tuple[float, ...], ...]:
        """The noise; then, if it is told them, polar angle and azimuth of each frame in radians."""
        if not self.posed:
            return ((PICTURE_NOISE,),)
        own = self.azimuths[-1]
        walk = zip(self.azimuths, self.elevations, strict=True)
        return tuple((PICTURE_NOISE, math.radians(TOP - up), math.radians((around - own) % 360)) for around, up in walk)


def once_around(elevation: float | Sequence[float], posed: bool, frames: int = FRAMES) -> Turntable:
    """Evenly around, back to where the picture was taken. `elevation`: degrees of each frame, or of all."""
    azimuths = tuple(360 * (place + 1) / frames % 360 for place in range(frames))
    each = (elevation,) * frames if isinstance(elevation, int | float) else tuple(elevation)
    return Turntable(azimuths, each, posed)
