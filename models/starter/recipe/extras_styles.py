"""The two looks that the starter's extras teach, drawn by rule, and numbers that tell whether a picture has them.

Ink: a wash of blue-black ink on warm paper that runs out before the edges of the sheet. Print: warm paper, faded blacks, crisper edges.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from models.starter.recipe.scenes import Layout, draw, outlines

Pictures = NDArray[np.uint8]
Floats = NDArray[np.float32]

INK, PAPER = np.array((26, 30, 58), np.float32), np.array((250, 242, 222), np.float32)
COLOUR_LEFT = 0.12  # the share of its colour that an inked picture keeps
LINES = 0.5  # how much of the ink an outline has
MARGIN = 0.16  # of the side: where the wash begins to run out

FADED, WARM_PAPER = np.array((58, 34, 40), np.float32), np.array((255, 242, 206), np.float32)
PRINTED_GREY = 0.35  # the share of a printed picture that is paper and black alone
CRISPNESS = 0.8  # how much of what a blur takes away is put on top


def inked(layout: Layout, size: int) -> Pictures:
    """The scene as a drawing in ink, (size, size, 3) RGB."""
    picture = draw(layout, size).astype(np.float32)
    grey = _brightness(picture)[:, :, None] / 255
    wash = INK + (PAPER - INK) * (0.15 + 0.85 * grey**0.8) + COLOUR_LEFT * (picture - 255 * grey)
    wash += LINES * outlines(layout, size)[:, :, None].astype(np.float32) / 255 * (INK - wash)
    return _whole(PAPER + _sheet(size)[:, :, None] * (wash - PAPER))


def _sheet(size: int) -> Floats:
    """(size, size): 1 where the wash is whole, 0 where there is only paper; a rectangle with round corners."""
    along = (np.arange(size) + 0.5) / size
    outside = np.clip(MARGIN - np.minimum(along, 1 - along), 0, None) / MARGIN
    reach = np.hypot(outside[:, None], outside[None, :])
    return np.clip((1 - reach) / 0.55, 0, 1).astype(np.float32)


def printed(picture: Pictures) -> Pictures:
    """The picture (H, W, 3) as an old print in warm colours, crisper than before."""
    plain = picture.astype(np.float32)
    blurred = cv2.GaussianBlur(plain, (0, 0), picture.shape[0] / 85)
    crisp = plain + CRISPNESS * (plain - blurred)
    grey = _brightness(crisp)[:, :, None]
    muted = (crisp + PRINTED_GREY * (grey - crisp)) / 255
    return _whole(FADED + (WARM_PAPER - FADED) * np.clip(muted, 0, 1))


def colourfulness(pictures: Pictures) -> float:
    """The mean distance of the channels from their mean, 0 to 255, over pictures (B, H, W, 3)."""
    values = pictures.astype(np.float32)
    return float(np.abs(values - values.mean(-1, keepdims=True)).mean())


def paper_margin(pictures: Pictures) -> float:
    """The mean distance from paper of the outermost pixels of pictures (B, H, W, 3), 0 to 255: low where the wash has run out."""
    values = np.abs(pictures.astype(np.float32) - PAPER).mean(-1)
    rim = np.concatenate([values[:, 0], values[:, -1], values[:, :, 0], values[:, :, -1]], axis=1)
    return float(rim.mean())


def warmth(pictures: Pictures) -> float:
    """How much more red than blue there is, -255 to 255."""
    return float(pictures[..., 0].astype(np.float32).mean() - pictures[..., 2].astype(np.float32).mean())


def blackness(pictures: Pictures) -> float:
    """The brightness below which the darkest hundredth lies, 0 to 255: high when blacks are faded."""
    return float(np.percentile(_brightness(pictures.astype(np.float32)), 1))


def _brightness(values: NDArray[np.floating]) -> Floats:
    """(..., 3) to (...), by the luma weights of ITU-R BT.601."""
    return values.astype(np.float32) @ np.array((0.299, 0.587, 0.114), np.float32)


def _whole(values: NDArray[np.floating]) -> Pictures:
    return np.clip(values.round(), 0, 255).astype(np.uint8)
