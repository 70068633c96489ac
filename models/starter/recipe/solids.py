"""Solid things with coloured sides, and how they look from anywhere around them: what the model that turns things learns from.

Every solid is convex and stands on its foot, so its visible faces are those that turn to the camera and none hides another: the picture is
exact. The light goes along with the camera, from its upper left. Units are lengths of the thing; the camera looks at its middle.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from models.starter.recipe.scenes import COLOURS, FIXED, Colour

Corners = NDArray[np.float64]
"""(N, 3): x to the right and y to the back of who stands before the thing, z upwards."""

KINDS = ("house", "cube", "cone")
SCHEMES: dict[str, tuple[str, str, str, str]] = {
    "garden": ("red", "yellow", "blue", "green"),
    "evening": ("pink", "orange", "purple", "black"),
}
"""The colours of front, right side, back and left side. None is in two rows: who sees one side knows the others, and where it is."""

ELEVATIONS = 5.0, 45.0  # degrees above the thing's middle
DISTANCES = 2.75, 3.25
ROUND = 16  # sides of a cone
FOCUS = 2.7  # what lies one length beside the middle, at a distance of one, is seen so many halves of the picture beside it
LIGHT = np.array([-0.35, 0.55, 0.76])  # to the right, up and towards who looks; length one
AMBIENT = 0.6
WHITE = (255, 255, 255)
FINER, SHIFT = 2, 6


@dataclass(frozen=True)
class Solid:
    """A thing of a kind, in a row of colours."""

    kind: str
    scheme: str


@dataclass(frozen=True)
class Pose:
    """Where the camera stands."""

    azimuth: float  # degrees to the right around the thing; 0: before its front
    elevation: float  # degrees above its middle
    distance: float  # from its middle


@dataclass(frozen=True)
class Face:
    """A flat polygon, its corners in the order against the clock as seen from outside, and what is painted on it."""

    corners: Corners
    colour: Colour
    marks: tuple[tuple[Corners, Colour], ...] = ()
    is_edged: bool = True


SOLIDS = tuple(Solid(kind, scheme) for kind in KINDS for scheme in SCHEMES)


def random_pose(rng: np.random.Generator) -> Pose:
    return Pose(float(rng.uniform(0, 360)), float(rng.uniform(*ELEVATIONS)), float(rng.uniform(*DISTANCES)))


def turned(before: Pose, after: Pose) -> tuple[float, float, float, float]:
    """The four numbers that Zero123 is told: what the angle from straight above, the azimuth, the distance change. Up is negative."""
    angle = math.radians(after.azimuth - before.azimuth)
    return math.radians(before.elevation - after.elevation), math.sin(angle), math.cos(angle), after.distance - before.distance


def faces_of(solid: Solid) -> list[Face]:
    """All faces but the foot, which is never seen."""
    colours = [COLOURS[name] for name in SCHEMES[solid.scheme]]
    return {"house": _house, "cube": _cube, "cone": _cone}[solid.kind](colours)


def render(solid: Solid, pose: Pose, size: int) -> NDArray[np.uint8]:
    """The picture on white, (size, size, 3) RGB."""
    canvas = np.full((size * FINER, size * FINER, 3), 255, np.uint8)
    turn = camera(pose)
    for face in faces_of(solid):
        normal = _normal(face.corners)
        if float(normal @ (turn[2] * pose.distance - face.corners[0])) > 0:
            _paint(canvas, face, turn, pose.distance, normal)
    return cv2.resize(canvas, (size, size), interpolation=cv2.INTER_AREA).astype(np.uint8)


def camera(pose: Pose) -> NDArray[np.float64]:
    """(3, 3): the directions right, up and towards the camera, as seen by it."""
    azimuth, elevation = math.radians(pose.azimuth), math.radians(pose.elevation)
    right = np.array([math.cos(azimuth), math.sin(azimuth), 0.0])
    back = np.array([math.sin(azimuth) * math.cos(elevation), -math.cos(azimuth) * math.cos(elevation), math.sin(elevation)])
    return np.stack([right, np.cross(back, right), back])


def _paint(canvas: NDArray[np.uint8], face: Face, turn: NDArray[np.float64], distance: float, normal: NDArray[np.float64]) -> None:
    light = AMBIENT + (1 - AMBIENT) * max(0.0, float((turn @ normal) @ LIGHT))
    edge = tuple(channel * 0.35 * light for channel in face.colour)
    places = _seen(face.corners, turn, distance, canvas.shape[0])
    cv2.fillPoly(canvas, [places], tuple(channel * light for channel in face.colour), cv2.LINE_AA, SHIFT)
    for corners, colour in face.marks:
        mark = _seen(corners, turn, distance, canvas.shape[0])
        cv2.fillPoly(canvas, [mark], tuple(channel * light for channel in colour), cv2.LINE_AA, SHIFT)
    if face.is_edged:
        cv2.polylines(canvas, [places], True, edge, FINER, cv2.LINE_AA, SHIFT)


def _seen(corners: Corners, turn: NDArray[np.float64], distance: float, size: int) -> NDArray[np.int32]:
    """Places on the canvas, in OpenCV's fixed point pixels."""
    across, up, near = (corners @ turn.T).T
    scale = FOCUS / (distance - near)
    flat = np.stack([0.5 + across * scale / 2, 0.5 - up * scale / 2], 1)
    return np.round((flat * size - 0.5) * (1 << SHIFT)).astype(np.int32)


def _normal(corners: Corners) -> NDArray[np.float64]:
    normal = np.cross(corners[1] - corners[0], corners[2] - corners[1])
    return normal / np.linalg.norm(normal)


# -- the solids ---------------------------------------------------------------


def _quarter(corners: Corners, turns: int) -> Corners:
    """Turned about the upright axis: front to right side to back."""
    for _ in range(turns):
        corners = np.stack([-corners[:, 1], corners[:, 0], corners[:, 2]], 1)
    return corners


def _wall(half: float, low: float, high: float) -> Corners:
    return np.array([(-half, -half, low), (half, -half, low), (half, -half, high), (-half, -half, high)])


def _mark(half: float, x0: float, z0: float, x1: float, z1: float) -> Corners:
    return np.array([(x0, -half, z0), (x1, -half, z0), (x1, -half, z1), (x0, -half, z1)])


def _cube(colours: list[Colour]) -> list[Face]:
    half = 0.5
    top = np.array([(-half, -half, half), (half, -half, half), (half, half, half), (-half, half, half)])
    return [Face(_quarter(_wall(half, -half, half), side), colour) for side, colour in enumerate(colours)] + [Face(top, FIXED["cream"])]


def _house(colours: list[Colour]) -> list[Face]:
    """Gables to the front and to the back; a door in front and windows at the sides."""
    half, low, high, ridge = 0.46, -0.55, 0.12, 0.6
    gable = np.array([(-half, -half, low), (half, -half, low), (half, -half, high), (0.0, -half, ridge), (-half, -half, high)])
    roof = np.array([(half, -half, high), (half, half, high), (0.0, half, ridge), (0.0, -half, ridge)])
    marks = [[(_mark(half, -0.13, low, 0.13, -0.08), FIXED["door"])], *[[(_mark(half, -0.16, -0.32, 0.16, -0.02), FIXED["glass"])]] * 3]
    walls = [gable, _wall(half, low, high), gable, _wall(half, low, high)]
    sides = [
        Face(_quarter(wall, side), colour, tuple((_quarter(corners, side), paint) for corners, paint in marks[side]))
        for side, (wall, colour) in enumerate(zip(walls, colours, strict=True))
    ]
    return [*sides, Face(roof, COLOURS["brown"]), Face(_quarter(roof, 2), COLOURS["brown"])]


def _cone(colours: list[Colour]) -> list[Face]:
    """Each quarter of its mantle in another colour."""
    angle = (np.arange(ROUND + 1) - ROUND / 8) * 2 * math.pi / ROUND - math.pi / 2
    rim = np.stack([0.56 * np.cos(angle), 0.56 * np.sin(angle), np.full(ROUND + 1, -0.55)], 1)
    top = np.array([0.0, 0.0, 0.68])
    return [Face(np.stack([rim[side], rim[side + 1], top]), colours[side * 4 // ROUND], is_edged=False) for side in range(ROUND)]
