"""Scenes that move: a thing drifts over the ground and the light goes on to the next time of day, every frame drawn exactly.

What happens can be seen in the first frame: a thing at the side goes to the other one, a thing in the middle to where the light comes from,
and each time of day has its next. How much of it happens from frame to frame is what a video model is told: the number of motion, and the
frames of a second.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from models.starter.recipe.scenes import LIGHTS, Layout, Scene, arrange, draw, scene_of_split
from models.starter.recipe.shapes import SHAPES

NEXT = {"day": "night", "sunset": "night", "night": "dawn", "dawn": "day"}
WAYS = {"left": 1, "right": -1}  # +1: to the right
USUAL_MOTION, USUAL_RATE = 127, 7  # of the number of motion, and a second: what Stable Video Diffusion is told when nobody says more
DRIFT = 0.02  # widths of the picture in a frame, at the usual numbers
LIGHT_FRAMES = 14  # in which the light has gone on to its next time, at the usual numbers
MOTIONS, RATES = (1, 255), (5, 14)  # the numbers that a clip may have
USUAL_SHARE = 0.5


@dataclass(frozen=True)
class Moving:
    """A scene of one thing at its time of day and at the next; all else is alike. `way`: +1 where the thing drifts right, else -1."""

    before: Layout
    after: Layout
    way: int

    @property
    def scene(self) -> Scene:
        """That of the first frame."""
        return self.before.scene


@dataclass(frozen=True)
class Pace:
    """What a video model is told of a clip."""

    motion: float  # 1 .. 255
    rate: int  # frames a second

    def passed(self, frame: int) -> float:
        """Frames of the usual pace that have gone by at a frame."""
        return frame * self.motion / USUAL_MOTION * USUAL_RATE / self.rate

    def drift(self, frame: int) -> float:
        """How far the thing is from its first place, in widths of the picture."""
        return DRIFT * self.passed(frame)

    def light(self, frame: int) -> float:
        """How much of the way to the next time of day the light has gone, 0 to 1."""
        return min(1.0, self.passed(frame) / LIGHT_FRAMES)


def moving_scene(rng: np.random.Generator, is_held_out: bool) -> Moving:
    """The next random scene of one thing, of the training part or of the held-out part."""
    while True:
        scene = scene_of_split(rng, is_held_out)
        if len(scene.things) == 1:
            return set_moving(scene, int(rng.integers(2**32)))


def set_moving(scene: Scene, seed: int) -> Moving:
    """A scene of one thing; the seed decides its coordinates."""
    later = replace(scene, time=NEXT[scene.time])
    before, after = (arrange(each, np.random.default_rng(seed), np.random.default_rng([seed, 1])) for each in (scene, later))
    return Moving(before, after, WAYS.get(scene.things[0].position, LIGHTS[scene.time].side))


def pace_of(step: float, rng: np.random.Generator) -> Pace:
    """A pace at which a frame is so many frames of the usual one: every second time, where there is one, at the usual rate."""
    if rng.random() < USUAL_SHARE and step * USUAL_MOTION <= MOTIONS[1]:
        return Pace(step * USUAL_MOTION, USUAL_RATE)
    most = min(RATES[1], MOTIONS[1] * USUAL_RATE / (USUAL_MOTION * step))
    rate = int(rng.integers(RATES[0], max(RATES[0], int(most)) + 1))
    return Pace(step * USUAL_MOTION * rate / USUAL_RATE, rate)


def clip(moving: Moving, pace: Pace, frames: Sequence[int], size: int) -> NDArray[np.uint8]:
    """Those frames, (frames, size, size, 3) RGB."""
    return np.stack([frame_of(moving, pace.drift(frame), pace.light(frame), size) for frame in frames])


def frame_of(moving: Moving, drift: float, light: float, size: int) -> NDArray[np.uint8]:
    """The thing so many widths of the picture along its way, the light so much of its way; (size, size, 3) RGB."""
    now, later = (draw(drifted(layout, moving.way * drift), size).astype(np.float32) for layout in (moving.before, moving.after))
    return np.round(now + light * (later - now)).astype(np.uint8)


def drifted(layout: Layout, right: float) -> Layout:
    """The thing of a layout, with its shadow, moved to the right by so many widths of the picture."""
    pieces = 1 + len(SHAPES[layout.scene.things[0].kind]())
    moved = [replace(part, points=part.points + np.array([right, 0.0])) for part in layout.parts[-pieces:]]
    return replace(layout, parts=(*layout.parts[:-pieces], *moved))
