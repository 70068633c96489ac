"""Captioned toy scenes: what they hold, how they are worded, how they are drawn.

A scene is drawn in three steps, so that the picture, its depth map and its
outline map always agree:

    scene = random_scene(rng)
    layout = arrange(scene, rng)        # all the chance is spent here
    draw(layout, 128), depth(layout, 128), outlines(layout, 128)

Coordinates in a layout are picture units: x to the right and y downwards, both
from 0 to 1, so one layout can be drawn at any size.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from models.starter.recipe.shapes import SHAPES, Points, oval

Colour = tuple[float, float, float]
Kind = TypeVar("Kind", np.uint8, np.float32)

KINDS = ("house", "tree", "car", "boat", "ball", "cube", "cone", "mushroom", "tower", "flower")
POSITIONS = ("left", "middle", "right")
SIZES = ("small", "big")
GROUNDS = ("grass", "sand", "snow", "sea")
TIMES = ("day", "sunset", "night", "dawn")

COLOURS: dict[str, Colour] = {
    "red": (214, 40, 40),
    "orange": (247, 138, 24),
    "yellow": (252, 218, 48),
    "green": (48, 156, 72),
    "blue": (36, 96, 222),
    "purple": (136, 60, 184),
    "pink": (252, 148, 196),
    "brown": (122, 74, 42),
    "white": (246, 246, 244),
    "black": (38, 38, 46),
}

FIXED: dict[str, Colour] = {
    "trunk": (112, 78, 52),
    "glass": (196, 226, 244),
    "lamp": (255, 232, 150),
    "wheel": (44, 44, 52),
    "cream": (244, 232, 208),
    "leaf": (70, 140, 66),
    "gold": (250, 200, 60),
    "door": (84, 60, 50),
}


@dataclass(frozen=True)
class Thing:
    """One object of a scene; every field is a word of the tables above."""

    kind: str
    colour: str
    position: str
    size: str


@dataclass(frozen=True)
class Scene:
    """One or two things, in different positions, on a ground, at a time of day."""

    things: tuple[Thing, ...]
    ground: str
    time: str
    mountains: bool


@dataclass(frozen=True)
class Part:
    """A filled polygon, points (N, 2) in picture units.

    `depth` is nearness from 0 (sky) to 1 (nearest), or None for decoration that
    is in neither the depth map nor the outline map. `shade` is how much darker
    the side away from the light is, from 0 to 1.
    """

    points: Points
    colour: Colour
    depth: float | None = None
    edge: Colour | None = None
    shade: float = 0.0


@dataclass(frozen=True)
class Layout:
    """A scene with every coordinate decided; parts are ordered from far to near."""

    scene: Scene
    horizon: float
    parts: tuple[Part, ...]


def random_scene(rng: np.random.Generator) -> Scene:
    """A scene with every attribute drawn evenly; half of them hold two things."""
    count = 1 + int(rng.random() < 0.5)
    places = rng.permutation(len(POSITIONS))[:count]
    things = tuple(_random_thing(POSITIONS[place], rng) for place in sorted(places))
    return Scene(things, _pick(GROUNDS, rng), _pick(TIMES, rng), bool(rng.random() < 0.5))


def held_out(scene: Scene) -> bool:
    """Whether a scene belongs to the tenth that is never trained on."""
    return zlib.crc32(repr(scene).encode()) % 10 == 0


def scene_of_split(rng: np.random.Generator, is_held_out: bool) -> Scene:
    """The next random scene of the training part or of the held-out part."""
    while True:
        scene = random_scene(rng)
        if held_out(scene) == is_held_out:
            return scene


def _random_thing(position: str, rng: np.random.Generator) -> Thing:
    return Thing(_pick(KINDS, rng), _pick(tuple(COLOURS), rng), position, _pick(SIZES, rng))


def _pick(words: tuple[str, ...], rng: np.random.Generator) -> str:
    return words[int(rng.integers(len(words)))]


# -- light and land -----------------------------------------------------------


@dataclass(frozen=True)
class Light:
    """Sky from top to horizon, the tint of the land, of things, and where it comes from."""

    zenith: Colour
    skyline: Colour
    land: Colour
    things: Colour
    side: int
    """-1 if the light comes from the left, +1 from the right."""


LIGHTS: dict[str, Light] = {
    "day": Light((82, 158, 236), (206, 232, 250), (1.0, 1.0, 1.0), (1.0, 1.0, 1.0), -1),
    "sunset": Light((96, 58, 132), (252, 142, 66), (0.92, 0.74, 0.66), (0.97, 0.87, 0.84), 1),
    "night": Light((10, 14, 46), (46, 58, 116), (0.48, 0.48, 0.64), (0.72, 0.74, 0.88), -1),
    "dawn": Light((132, 158, 214), (255, 212, 206), (0.90, 0.86, 0.94), (0.96, 0.93, 0.97), -1),
}

LANDS: dict[str, tuple[Colour, Colour]] = {
    "grass": ((150, 196, 92), (92, 156, 66)),
    "sand": ((240, 216, 158), (218, 184, 118)),
    "snow": ((250, 252, 255), (216, 228, 242)),
    "sea": ((84, 168, 196), (30, 104, 152)),
}
"""The colour of each ground at the horizon and at the bottom of the picture."""

WIDTHS = {"small": 0.245, "big": 0.385}
CENTRES = {"left": 0.205, "middle": 0.5, "right": 0.795}
FEET = {"small": 0.80, "big": 0.865}


def arrange(scene: Scene, rng: np.random.Generator, sky: np.random.Generator | None = None) -> Layout:
    """Decide every coordinate and colour of a scene; the same rng gives the same layout.

    `sky`: chance of its own for the sky; then a scene at another time has the same coordinates below it.
    """
    horizon = 0.575 + 0.02 * _jitter(rng)
    light = LIGHTS[scene.time]
    parts = _sky_parts(scene.time, sky or rng)
    if scene.mountains:
        parts += _mountain_parts(horizon, light, rng)
    parts += _ground_parts(scene.ground, light, horizon, rng)
    for thing in sorted(scene.things, key=lambda thing: FEET[thing.size]):
        parts += _thing_parts(thing, scene.ground, light, horizon, rng)
    return Layout(scene, horizon, tuple(parts))


def _jitter(rng: np.random.Generator) -> float:
    return float(rng.uniform(-1.0, 1.0))


def _tinted(colour: Colour, tint: Colour) -> Colour:
    return (colour[0] * tint[0], colour[1] * tint[1], colour[2] * tint[2])


def _mixed(first: Colour, second: Colour, share: float) -> Colour:
    red, green, blue = (a + (b - a) * share for a, b in zip(first, second, strict=True))
    return (red, green, blue)


def _ground_nearness(y: float, horizon: float) -> float:
    """Of the ground at a height y in the picture; 0.2 at the horizon, 1 at the lower edge."""
    return 0.2 + 0.8 * (y - horizon) / (1 - horizon)


def _disc(x: float, y: float, rx: float, ry: float, colour: Colour) -> Part:
    return Part(oval("", x, y, rx, ry).points, colour)


def _sky_parts(time: str, rng: np.random.Generator) -> list[Part]:
    sky = {"day": _day_sky, "sunset": _sunset_sky, "night": _night_sky, "dawn": _dawn_sky}
    return sky[time](rng)


def _day_sky(rng: np.random.Generator) -> list[Part]:
    x, y = 0.36 + 0.02 * _jitter(rng), 0.15 + 0.01 * _jitter(rng)
    parts = [_disc(x, y, 0.062, 0.062, (255, 244, 176))]
    x, y = 0.72 + 0.04 * _jitter(rng), 0.17 + 0.02 * _jitter(rng)
    for shift, width in ((-0.08, 0.07), (0.0, 0.1), (0.09, 0.07)):
        parts.append(_disc(x + shift, y - 0.02 * (shift == 0), width, 0.036, (250, 252, 255)))
    return parts


def _sunset_sky(rng: np.random.Generator) -> list[Part]:
    x, y = 0.66 + 0.02 * _jitter(rng), 0.44 + 0.01 * _jitter(rng)
    glow = _disc(x, y, 0.15, 0.15, (252, 158, 84))
    return [glow, _disc(x, y, 0.09, 0.09, (255, 222, 128)), *_streaks(rng, (214, 112, 110))]


def _dawn_sky(rng: np.random.Generator) -> list[Part]:
    x, y = 0.34 + 0.02 * _jitter(rng), 0.46 + 0.01 * _jitter(rng)
    glow = _disc(x, y, 0.14, 0.14, (255, 226, 206))
    return [glow, _disc(x, y, 0.075, 0.075, (255, 247, 220)), *_streaks(rng, (226, 200, 222))]


def _streaks(rng: np.random.Generator, colour: Colour) -> list[Part]:
    """Two thin clouds."""
    return [
        _disc(0.26 + 0.03 * _jitter(rng), 0.16 + 0.01 * _jitter(rng), 0.17, 0.016, colour),
        _disc(0.64 + 0.03 * _jitter(rng), 0.24 + 0.01 * _jitter(rng), 0.2, 0.016, colour),
    ]


def _night_sky(rng: np.random.Generator) -> list[Part]:
    x, y = 0.70 + 0.02 * _jitter(rng), 0.15 + 0.01 * _jitter(rng)
    moon = [
        _disc(x, y, 0.07, 0.07, (246, 240, 206)),
        _disc(x - 0.034, y - 0.012, 0.058, 0.058, (17, 22, 58)),
    ]
    places = ((0.1, 0.1), (0.26, 0.24), (0.4, 0.08), (0.52, 0.22), (0.88, 0.26), (0.9, 0.08))
    stars = [_disc(x + 0.015 * _jitter(rng), y + 0.015 * _jitter(rng), 0.011, 0.011, (232, 236, 255)) for x, y in places]
    return moon + stars


def _mountain_parts(horizon: float, light: Light, rng: np.random.Generator) -> list[Part]:
    rock = _mixed(_tinted((112, 120, 146), light.land), light.skyline, 0.15)
    cap = _mixed(_tinted((248, 250, 255), light.things), light.skyline, 0.1)
    parts: list[Part] = []
    for x, width, height in ((0.80, 0.30, 0.22), (0.16, 0.32, 0.25), (0.48, 0.27, 0.30)):
        top = (x + 0.02 * _jitter(rng), horizon - height - 0.015 * _jitter(rng))
        left, right = (x - width, horizon + 0.01), (x + width, horizon + 0.01)
        parts.append(Part(np.array([left, top, right]), rock, 0.15, _tinted(rock, (0.8, 0.8, 0.8)), 0.25))
        parts.append(Part(_snow_cap(left, top, right), cap, 0.15, None, 0.12))
    return parts


def _snow_cap(left: tuple[float, float], top: tuple[float, float], right: tuple[float, float]) -> Points:
    """The upper third of a mountain, with a zigzag lower edge."""
    down_left = np.array(top) + 0.34 * (np.array(left) - np.array(top))
    down_right = np.array(top) + 0.34 * (np.array(right) - np.array(top))
    steps = [down_left + (down_right - down_left) * share for share in (0.25, 0.5, 0.75)]
    lifted = [step - np.array([0.0, lift]) for step, lift in zip(steps, (0.03, 0, 0.03), strict=True)]
    return np.array([top, down_left, *lifted, down_right])


def _ground_parts(ground: str, light: Light, horizon: float, rng: np.random.Generator) -> list[Part]:
    """The marks that make grass, sand, snow and sea differ in more than colour."""
    far, near = (_tinted(colour, light.land) for colour in LANDS[ground])
    dark, pale = _mixed(near, (0, 0, 0), 0.16), _mixed(far, (255, 255, 255), 0.35)
    if ground == "sea":
        rows = ((0.1, 0.64), (0.6, 0.66), (0.86, 0.72), (0.32, 0.74), (0.12, 0.92), (0.62, 0.95))
        return [_mark(x, y, 0.11, 0.009, pale, rng) for x, y in rows]
    if ground == "grass":
        rows = ((0.08, 0.68), (0.35, 0.66), (0.65, 0.7), (0.92, 0.66), (0.3, 0.94), (0.7, 0.95))
        return [_tuft(x, y, dark, rng) for x, y in rows]
    if ground == "sand":
        rows = ((0.25, 0.68), (0.75, 0.74), (0.5, 0.93))
        return [_mark(x, y, 0.26, 0.012, dark, rng) for x, y in rows]
    mound = _mixed(far, (255, 255, 255), 0.5)
    return [_mark(x, horizon + 0.035, 0.3, 0.03, mound, rng) for x in (0.2, 0.8)]


def _mark(x: float, y: float, rx: float, ry: float, colour: Colour, rng: np.random.Generator) -> Part:
    return _disc(x + 0.02 * _jitter(rng), y + 0.006 * _jitter(rng), rx, ry, colour)


def _tuft(x: float, y: float, colour: Colour, rng: np.random.Generator) -> Part:
    x, y = x + 0.02 * _jitter(rng), y + 0.006 * _jitter(rng)
    zigzag = ((-0.03, -0.03), (-0.012, -0.012), (0.0, -0.04), (0.012, -0.012), (0.03, -0.03))
    return Part(np.array([(x - 0.02, y), *((x + u, y + v) for u, v in zigzag), (x + 0.02, y)]), colour)


def _thing_parts(thing: Thing, ground: str, light: Light, horizon: float, rng: np.random.Generator) -> list[Part]:
    width = WIDTHS[thing.size] * (1 + 0.03 * _jitter(rng))
    x = CENTRES[thing.position] + 0.012 * _jitter(rng)
    foot = FEET[thing.size] + 0.008 * _jitter(rng)
    nearness = _ground_nearness(foot, horizon)
    paints = _paints(COLOURS[thing.colour], light)
    edge = _edge(thing.colour, light)
    shadow = _mixed(_tinted(LANDS[ground][1], light.land), (0, 0, 30), 0.34)
    parts = [_disc(x - light.side * 0.04 * width, foot, 0.5 * width, 0.075 * width, shadow)]
    for piece in SHAPES[thing.kind]():
        points = np.array([x, foot]) + piece.points * np.array([width, -width])
        shade = 0.0 if piece.paint == "lamp" else 0.22
        parts.append(Part(points, paints[piece.paint], nearness, edge, shade))
    return parts


def _paints(main: Colour, light: Light) -> dict[str, Colour]:
    own = {
        "main": main,
        "dark": _mixed(main, (0, 0, 0), 0.28),
        "light": _mixed(main, (255, 255, 255), 0.36),
    }
    tinted = {name: _tinted(colour, light.things) for name, colour in (own | FIXED).items()}
    return tinted | {"lamp": FIXED["lamp"]}


def _edge(colour: str, light: Light) -> Colour:
    """Outlines are darker than the thing; a black thing gets a paler one."""
    if colour == "black":
        return _tinted((104, 104, 120), light.things)
    return _tinted(_mixed(COLOURS[colour], (20, 16, 30), 0.55), light.things)


# -- drawing ------------------------------------------------------------------

_SHIFT = 6
_FINER = 2


def draw(layout: Layout, size: int) -> NDArray[np.uint8]:
    """The picture, (size, size, 3) RGB."""
    canvas = _backdrop(layout, size * _FINER)
    side = LIGHTS[layout.scene.time].side
    for part in layout.parts:
        _fill_shaded(canvas, part, side)
        if part.edge is not None:
            width = max(1, round(canvas.shape[0] / 128))
            _line(canvas, part.points, part.edge, width)
    return _smaller(canvas, size)


def depth(layout: Layout, size: int) -> NDArray[np.float32]:
    """The exact nearness of every pixel, (size, size), 0 for the sky and 1 for the nearest."""
    finer = size * _FINER
    row = (np.arange(finer) + 0.5) / finer
    near = np.array([0.0 if y < layout.horizon else _ground_nearness(y, layout.horizon) for y in row.tolist()])
    canvas = np.repeat(near[:, None], finer, axis=1).astype(np.float32)
    for part in layout.parts:
        if part.depth is not None:
            cv2.fillPoly(canvas, [_fixed(part.points, finer)], part.depth, cv2.LINE_8, _SHIFT)
    return _smaller(canvas, size)


def outlines(layout: Layout, size: int) -> NDArray[np.uint8]:
    """The visible edges of everything but decoration, (size, size), white lines on black."""
    finer = size * _FINER
    canvas = np.zeros((finer, finer), dtype=np.uint8)
    horizon = np.array([[0.0, layout.horizon], [1.0, layout.horizon]])
    width = max(1, round(finer / 128))
    _line(canvas, horizon, (255, 255, 255), width)
    for part in layout.parts:
        if part.depth is not None:
            cv2.fillPoly(canvas, [_fixed(part.points, finer)], 0, cv2.LINE_AA, _SHIFT)
            _line(canvas, part.points, (255, 255, 255), width)
    return _smaller(canvas, size)


def _smaller(canvas: NDArray[Kind], size: int) -> NDArray[Kind]:
    return cv2.resize(canvas, (size, size), interpolation=cv2.INTER_AREA).astype(canvas.dtype, copy=False)


def _backdrop(layout: Layout, size: int) -> NDArray[np.uint8]:
    light = LIGHTS[layout.scene.time]
    far, near = (_tinted(colour, light.land) for colour in LANDS[layout.scene.ground])
    row = ((np.arange(size) + 0.5) / size)[:, None]
    sky = _ramp(light.zenith, light.skyline, row / layout.horizon)
    land = _ramp(far, near, (row - layout.horizon) / (1 - layout.horizon))
    column = np.where(row < layout.horizon, sky, land).astype(np.uint8)
    return np.ascontiguousarray(np.repeat(column[:, None, :], size, axis=1))


def _ramp(first: Colour, second: Colour, share: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.array(first) + (np.array(second) - np.array(first)) * np.clip(share, 0, 1)


def _fixed(points: Points, size: int) -> NDArray[np.int32]:
    """Picture units as OpenCV's fixed point pixels; pixel centres are whole numbers there."""
    return np.round((points * size - 0.5) * (1 << _SHIFT)).astype(np.int32)


def _line(canvas: NDArray[np.uint8], points: Points, colour: Colour, width: int) -> None:
    fixed = _fixed(points, canvas.shape[0])
    cv2.polylines(canvas, [fixed], True, colour, width, cv2.LINE_AA, _SHIFT)


def _fill_shaded(canvas: NDArray[np.uint8], part: Part, side: int) -> None:
    """Fill a polygon; across its width it darkens by `shade`, away from the light."""
    size = canvas.shape[0]
    if part.shade == 0:
        cv2.fillPoly(canvas, [_fixed(part.points, size)], part.colour, cv2.LINE_AA, _SHIFT)
        return
    low = np.clip(np.floor(part.points.min(0) * size).astype(int) - 1, 0, size)
    high = np.clip(np.ceil(part.points.max(0) * size).astype(int) + 2, 0, size)
    x0, y0, x1, y1 = int(low[0]), int(low[1]), int(high[0]), int(high[1])
    if x1 <= x0 or y1 <= y0:
        return
    mask = np.zeros((y1 - y0, x1 - x0), dtype=np.uint8)
    fixed = _fixed(part.points - np.array([x0, y0]) / size, size)
    cv2.fillPoly(mask, [fixed], 255, cv2.LINE_AA, _SHIFT)
    across = np.linspace(0, 1, x1 - x0)
    fade = 1 - part.shade * (across if side < 0 else 1 - across)
    paint = fade[None, :, None] * np.array(part.colour)
    share = mask[:, :, None] / np.float32(255)
    region = canvas[y0:y1, x0:x1]
    region[:] = (region * (1 - share) + paint * share).astype(np.uint8)
