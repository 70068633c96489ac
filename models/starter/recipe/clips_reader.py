"""Reads off a frame of a scene that moves how far the thing has come, how far the light, and whether the thing is still the same.

Nothing is learnt. The scene is known, so a frame is compared with how it would look; of the light the answer is a formula.
"""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from models.starter.recipe.clips import Moving, drifted, frame_of, set_moving
from models.starter.recipe.scenes import COLOURS, KINDS, draw

SKY = 0.4  # of the height, where no thing is
FARTHEST = 0.45  # widths of the picture
THING = 10.0  # a pixel that differs by more, of 255, where the thing is and where it is not, is one of the thing


def light_of(picture: NDArray[np.uint8], moving: Moving) -> float:
    """How much of its way to the next time of day the light has gone, by the sky: the share that comes nearest, by least squares."""
    size = picture.shape[0]
    rows = slice(0, int(SKY * size))
    now, later = (draw(layout, size)[rows].astype(np.float64) for layout in (moving.before, moving.after))
    change = later - now
    return float(((picture[rows] - now) * change).sum() / (change * change).sum())


def drift_of(picture: NDArray[np.uint8], moving: Moving) -> float:
    """How far the thing has come on its way, in widths of the picture: the whole pixel that comes nearest. Backwards is negative."""
    size, light = picture.shape[0], float(np.clip(light_of(picture, moving), 0, 1))
    ways, small = np.arange(-round(0.1 * size), round(FARTHEST * size)) / size, _half(picture)
    errors = [_error(small, frame_of(moving, float(way), light, size // 2)) for way in ways]
    return float(ways[int(np.argmin(errors))])


def thing_of(picture: NDArray[np.uint8], moving: Moving, seed: int, drift: float) -> tuple[str, str]:
    """Kind and colour of the thing, there where it is: the kind of the right colour and the colour of the right kind that come nearest.

    `seed`: that the scene was set with.
    """
    small, light = _half(picture), float(np.clip(light_of(picture, moving), 0, 1))
    thing = moving.scene.things[0]

    def error(kind: str, colour: str) -> float:
        scene = replace(moving.scene, things=(replace(thing, kind=kind, colour=colour),))
        return _error(small, frame_of(set_moving(scene, seed), drift, light, len(small)))

    kinds = [error(kind, thing.colour) for kind in KINDS]
    colours = [error(thing.kind, colour) for colour in COLOURS]
    return KINDS[int(np.argmin(kinds))], tuple(COLOURS)[int(np.argmin(colours))]


def thing_mask(moving: Moving, drift: float, size: int) -> NDArray[np.bool_]:
    """(size, size): where the thing and its shadow are."""
    here, away = (draw(drifted(moving.before, right), size).astype(np.float64) for right in (moving.way * drift, 9.0))
    return np.abs(here - away).max(2) > THING


def _half(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """At half the size, where comparing takes a quarter of the time."""
    return cv2.resize(picture, (picture.shape[1] // 2, picture.shape[0] // 2), interpolation=cv2.INTER_AREA).astype(np.uint8)


def _error(picture: NDArray[np.uint8], other: NDArray[np.uint8]) -> float:
    """The mean square of what differs."""
    return float(np.square(picture.astype(np.float32) - other).mean())
