"""The maps that the controls learn from, and what is done to them so that maps of other origins work too.

Outlines are learnt half from the exact ones of the scenes and half from Canny's edges (Canny 1986) of their
pictures. Those show decoration as well, sun and stars and tufts, which tells the time and the ground; mostly it is
dropped or another scene's, so that it tells nothing and the words go on deciding.
"""

from __future__ import annotations

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from models.starter.recipe.scenes import Layout, depth, draw, outlines

Lines = NDArray[np.uint8]
Nearness = NDArray[np.float32]

EXACT_SHARE = 0.5
DROPPED, REPLACED = 0.5, 0.3
"""Shares of the Canny maps whose decoration is left out, or is another scene's."""

NEAR = 2
"""Pixels that Canny's edges may lie beside the exact outlines and still be theirs."""


def canny(picture: NDArray[np.uint8], low: float, high: float) -> Lines:
    """(H, W) edges, 0 or 255, of an RGB picture (H, W, 3)."""
    return cv2.Canny(np.ascontiguousarray(picture), low, high).astype(np.uint8, copy=False)


def outline_map(layout: Layout, other: Layout, size: int, rng: np.random.Generator) -> Lines:
    """(size, size) white lines on black, as one of many sources gives them. `other`: whose decoration it may show."""
    lines = outlines(layout, size) if rng.random() < EXACT_SHARE else _edges(layout, other, size, rng)
    return redrawn(lines, rng)


def _edges(layout: Layout, other: Layout, size: int, rng: np.random.Generator) -> Lines:
    low, chance = float(rng.uniform(50, 150)), rng.random()
    kept, decoration = parted(layout, size, low)
    if chance < DROPPED:
        return kept
    return np.maximum(kept, parted(other, size, low)[1] if chance < DROPPED + REPLACED else decoration)


def parted(layout: Layout, size: int, low: float) -> tuple[Lines, Lines]:
    """Canny's edges of a scene, parted into those along its outlines and those of its decoration."""
    edges = canny(draw(layout, size), low, 2 * low)
    wide = cv2.dilate(outlines(layout, size), np.ones((2 * NEAR + 1, 2 * NEAR + 1), np.uint8)) > 64
    return np.where(wide, edges, 0).astype(np.uint8), np.where(wide, 0, edges).astype(np.uint8)


def redrawn(lines: Lines, rng: np.random.Generator) -> Lines:
    """The same lines, sometimes without their soft edges, sometimes broader, sometimes paler."""
    if rng.random() < 0.25:
        lines = np.where(lines > rng.uniform(64, 128), 255, 0).astype(np.uint8)
    if rng.random() < 0.3:
        side = int(rng.integers(2, 4))
        lines = cv2.dilate(lines, np.ones((side, side), np.uint8)).astype(np.uint8, copy=False)
    strength = rng.uniform(0.6, 1.0) if rng.random() < 0.5 else 1.0
    return (lines * strength).astype(np.uint8)


def depth_map(layout: Layout, size: int, rng: np.random.Generator) -> Nearness:
    """(size, size) nearness 0..1, as estimators of many kinds give it: bent, soft, stretched, uneven."""
    near = depth(layout, size) ** np.float32(rng.uniform(0.7, 1.4))
    if rng.random() < 0.5:
        near = cv2.GaussianBlur(near, (0, 0), rng.uniform(0.3, 1.6))
    if rng.random() < 0.4:
        near = (near - near.min()) / (near.max() - near.min())
    if rng.random() < 0.3:
        near = near + rng.normal(0, rng.uniform(0, 0.03), near.shape)
    return np.clip(near, 0, 1).astype(np.float32)


def spoiled(picture: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """A picture as it may come to the estimator: softer, of another light or colour, noisy, (H, W, 3)."""
    soft = cv2.GaussianBlur(picture, (0, 0), rng.uniform(0.3, 1.6)) if rng.random() < 0.4 else picture
    light = 255 * (soft / 255.0) ** rng.uniform(0.75, 1.3) * rng.uniform(0.88, 1.12, 3)
    if rng.random() < 0.1:
        light = np.repeat(light.mean(2, keepdims=True), 3, axis=2)
    return np.clip(light + rng.normal(0, rng.uniform(0, 8), light.shape), 0, 255).astype(np.uint8)


def to_condition(maps: NDArray[np.uint8] | NDArray[np.float32]) -> Tensor:
    """Maps (B, H, W), uint8 or float 0..1, as a ControlNet takes them: (B, 3, H, W), 0..1."""
    grey = torch.from_numpy(maps).float() / (255 if maps.dtype == np.uint8 else 1)
    return grey[:, None].repeat(1, 3, 1, 1)


def to_latent_depth(maps: Nearness, side: int) -> Tensor:
    """Nearness (B, H, W) as the depth UNet takes it: (B, 1, side, side), each stretched to -1..1.

    As `StableDiffusionDepth2ImgPipeline` of diffusers does it. A flat map, which that cannot stretch, becomes 0.
    """
    small = functional.interpolate(torch.from_numpy(maps)[:, None].float(), (side, side), mode="bicubic", align_corners=False)
    low, high = small.amin((1, 2, 3), keepdim=True), small.amax((1, 2, 3), keepdim=True)
    return torch.where(high > low, 2 * (small - low) / (high - low).clamp(min=1e-6) - 1, torch.zeros_like(small))
