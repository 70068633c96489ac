"""A thing set on white, as models that turn things were trained to see it: cut out of its picture, in the middle of a white square.

Zero123's authors scale what they cut out so that its longer side takes 200 of 256 pixels; those of SV3D choose the share. The page shows
what this makes, and the recipe draws from it: one truth. No torch.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from models.errors import UserError
from pipelines.images.store import Inputs
from pipelines.requests.turn import BY_COLOUR, Turn

COLOUR = re.compile(r"#[0-9a-fA-F]{6}")
CORNER = 0.02  # share of the shorter side, of the squares in the corners that say what the background's colour is
SEEN = 0.5  # of what is opaque: from there on a pixel is of the thing
NOTHING = (
    "There is no object on this picture: all of it is background. Paint over the object, or choose another background colour or a smaller "
    "tolerance."
)
NOTHING_PAINTED = "Nothing of the object is painted. Paint over all of it, or clear the mask."
NO_COLOUR = "A background colour is written as # and six digits or letters up to f, like #ffffff; empty, it is that of the corners."
OTHER_SIZE = "What is painted belongs to a picture of another size. Paint it again."

Shares = NDArray[np.float32]  # (h, w), 0..1: how much of each pixel is the thing's
Colours = NDArray[np.float32]  # (h, w, 3), 0..255


@dataclass(frozen=True, slots=True)
class CutOut:
    """How a thing is told from what is around it."""

    by_colour: bool = True  # what is joined to the edge of the picture and has the background's colour is background; else nothing is
    colour: str = ""  # of the background, "#rrggbb"; "": of the corners
    tolerance: float = 0.1  # 0..1: of the whole range of a channel, how far a colour may be from the background's
    share: float = 200 / 256  # of the square's side that the thing's longer side takes


def thing_of(request: Turn, inputs: Inputs, side: int = 0) -> Image.Image:
    """What a model will see of a request's picture. `side`: another one than that which is drawn. Raises `UserError` as `set_on_white`."""
    mask = inputs.open(request.mask, "L") if request.mask else None
    cut = CutOut(request.cut == BY_COLOUR, request.background, request.tolerance, request.object_size)
    return set_on_white(inputs.open(request.image, ""), mask, cut, side or request.side)


def set_on_white(picture: Image.Image, mask: Image.Image | None, cut: CutOut, side: int) -> Image.Image:
    """RGB, `side` pixels square. `picture`: RGB or RGBA. `mask`: L, of its size, what is painted is the thing; None: colours decide.

    Raises `UserError` when there is no thing.
    """
    own = _shares(picture.getchannel("A") if picture.mode == "RGBA" else Image.new("L", picture.size, 255))
    colours = np.asarray(picture.convert("RGB"), np.float32)
    shares = own * (_of_mask(mask, picture) if mask else _of_colours(colours, own, cut))
    box = _bounds(shares, NOTHING_PAINTED if mask else NOTHING)
    white = 255 + (colours - 255) * shares[..., None]
    return _centred(Image.fromarray(np.rint(white).astype(np.uint8)).crop(box), side, cut.share)


def _shares(grey: Image.Image) -> Shares:
    return np.asarray(grey, np.float32) / np.float32(255)


def _of_mask(mask: Image.Image, picture: Image.Image) -> Shares:
    if mask.size != picture.size:
        raise UserError(OTHER_SIZE)
    return _shares(mask.convert("L"))


def _of_colours(colours: Colours, own: Shares, cut: CutOut) -> Shares:
    """All but what has the background's colour and is joined to the edge: white eyes stay."""
    if not cut.by_colour or own.min() < SEEN:  # what is transparent tells it already
        return np.ones_like(own)
    away = np.abs(colours - background(colours, cut.colour)).max(2)
    near: NDArray[np.uint8] = (away <= 255 * cut.tolerance).astype(np.uint8)
    _, parts, _, _ = cv2.connectedComponentsWithStats(near, connectivity=4)
    edge = np.concatenate([parts[0], parts[-1], parts[:, 0], parts[:, -1]])
    outside = np.isin(parts, np.setdiff1d(edge, [0]))
    return (~outside).astype(np.float32)


def background(colours: Colours, colour: str) -> Colours:
    """(3,), 0..255. Raises `UserError` for what is no colour."""
    if colour:
        if not COLOUR.fullmatch(colour):
            raise UserError(NO_COLOUR)
        return np.array([int(colour[place : place + 2], 16) for place in (1, 3, 5)], np.float32)
    side = max(1, int(min(colours.shape[:2]) * CORNER))
    corners = [part for rows in (colours[:side], colours[-side:]) for part in (rows[:, :side], rows[:, -side:])]
    return np.median(np.concatenate([part.reshape(-1, 3) for part in corners]), 0).astype(np.float32)


def _bounds(shares: Shares, missing: str) -> tuple[int, int, int, int]:
    down, across = (np.flatnonzero((shares >= SEEN).any(axis)) for axis in (1, 0))
    if not len(down):
        raise UserError(missing)
    return int(across[0]), int(down[0]), int(across[-1]) + 1, int(down[-1]) + 1


def _centred(thing: Image.Image, side: int, share: float) -> Image.Image:
    longest = max(1, round(side * share))
    times = longest / max(thing.size)
    size = tuple(max(1, round(length * times)) for length in thing.size)
    small = thing.resize((size[0], size[1]), Image.Resampling.LANCZOS)
    square = Image.new("RGB", (side, side), "white")
    square.paste(small, ((side - small.width) // 2, (side - small.height) // 2))
    return square
