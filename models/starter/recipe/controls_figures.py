"""How near a picture comes to a map: lines by an F1 with a tolerance, depth by correlation, with the mean scene taken out or not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from transformers import DPTForDepthEstimation, DPTImageProcessor

from models.starter.recipe.captions import Attributes, caption, full_attributes
from models.starter.recipe.controls_maps import Lines, Nearness, canny
from models.starter.recipe.evaluate import HELD_OUT_SEED
from models.starter.recipe.judge import Reading
from models.starter.recipe.scenes import COLOURS, POSITIONS, TIMES, Layout, Scene, arrange, depth, scene_of_split

Pictures = NDArray[np.uint8]
TOLERANCE = 2.0
"""Pixels, at 128 a side, that a line may lie beside its place."""

THRESHOLDS = (100, 200)
"""Of Canny, by which the lines of a made picture are found."""


def held_out_layouts(count: int) -> list[Layout]:
    rng = np.random.default_rng(HELD_OUT_SEED + 5)
    return [arrange(scene_of_split(rng, is_held_out=True), rng) for _ in range(count)]


# -- lines --------------------------------------------------------------------


def line_f1(picture: NDArray[np.uint8], lines: Lines) -> float:
    """Of Canny's edges of a picture (H, W, 3) against a map (H, W); 1 where every line of each has one of the other near."""
    made, wanted = canny(picture, *THRESHOLDS) > 0, lines > 64
    precision, recall = _share_near(made, wanted), _share_near(wanted, made)
    return 2 * precision * recall / max(precision + recall, 1e-9)


def _share_near(points: NDArray[np.bool_], others: NDArray[np.bool_]) -> float:
    if not points.any() or not others.any():
        return 0.0
    away = cv2.distanceTransform(np.where(others, 0, 255).astype(np.uint8), cv2.DIST_L2, 5)
    return float((away[points] <= TOLERANCE).mean())


def mean_f1(pictures: Pictures, maps: Sequence[Lines]) -> float:
    return float(np.mean([line_f1(picture, lines) for picture, lines in zip(pictures, maps, strict=True)]))


# -- depth --------------------------------------------------------------------


@torch.no_grad()
def estimated(network: DPTForDepthEstimation, processor: DPTImageProcessor, pictures: Pictures) -> Nearness:
    """Nearness (B, H, W) of pictures (B, H, W, 3), as a user of the two gets it."""
    parts: list[Nearness] = []
    for at in range(0, len(pictures), 20):
        some = pictures[at : at + 20]
        given = processor(images=[Image.fromarray(picture) for picture in some], return_tensors="pt")
        sizes = [picture.shape[:2] for picture in some]
        found = processor.post_process_depth_estimation(network(**given), target_sizes=sizes)
        parts.append(np.stack([np.asarray(one["predicted_depth"]) for one in found]))
    return np.concatenate(parts)


def correlation(made: Nearness, wanted: Nearness) -> float:
    """Pearson's, of each map (B, H, W) with its own; the mean over those that are not flat."""
    found = [np.corrcoef(one.ravel(), other.ravel())[0, 1] for one, other in zip(made, wanted, strict=True) if one.std() and other.std()]
    return float(np.mean(found)) if found else 0.0


def own_correlation(made: Nearness, wanted: Nearness) -> float:
    """The same after the mean of the wanted maps is taken from all: every scene has sky above and near ground below."""
    mean = wanted.mean(0)
    return correlation(made - mean, wanted - mean)


def depths(layouts: Sequence[Layout], size: int) -> Nearness:
    return np.stack([depth(layout, size) for layout in layouts])


# -- what is asked for beside the map -----------------------------------------


def repainted(scene: Scene, rng: np.random.Generator) -> tuple[str, Attributes]:
    """A caption with the scene's kinds, positions and sizes but other colours and another time, saying all of those."""
    things = tuple(replace(thing, colour=_other(thing.colour, tuple(COLOURS), rng)) for thing in scene.things)
    wanted = replace(scene, things=things, time=_other(scene.time, TIMES, rng))
    while True:
        words, said = caption(wanted, rng)
        if said.time and len(said.things) == len(things) and all(thing.colour and thing.position for thing in said.things):
            return words, full_attributes(wanted)


def _other(word: str, words: Sequence[str], rng: np.random.Generator) -> str:
    rest = [one for one in words if one != word]
    return rest[int(rng.integers(len(rest)))]


def shares_seen(readings: Sequence[Reading], said: Sequence[Attributes]) -> dict[str, float]:
    """Of the things said: seen of this kind at its place, of this colour at its place; of the pictures: of this time."""
    pairs = [
        (reading.things[POSITIONS.index(thing.position)], thing)
        for reading, wanted in zip(readings, said, strict=True)
        for thing in wanted.things
        if thing.position is not None
    ]
    kinds = [seen is not None and seen.kind == wanted.kind for seen, wanted in pairs]
    colours = [seen is not None and seen.colour == wanted.colour for seen, wanted in pairs]
    times = [reading.time == wanted.time for reading, wanted in zip(readings, said, strict=True)]
    return {"kinds": float(np.mean(kinds)), "colours": float(np.mean(colours)), "times": float(np.mean(times))}
