"""Every part of a picture in a colour of its own, by Kirillov et al., "Segment Anything" (2023), or by Zhang et al., MobileSAM (2023).

A grid of points is asked what lies under each; good answers are kept, and the smaller is painted over the larger.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pipelines.preprocessors.annotators import Annotator
from pipelines.preprocessors.resolution import Pixels
from pipelines.preprocessors.weights import put_into, read

if TYPE_CHECKING:
    from controlnet_aux.segment_anything.predictor import Sam, SamPredictor

# As in the authors' own generator of all masks
AT_ONCE = 64  # points a call
LEAST_QUALITY, LEAST_STABILITY, MOST_OVERLAP = 0.88, 0.95, 0.7
MOST_MASKS = 1000  # that are compared, each with each
ENCODERS = {1280: "vit_h", 1024: "vit_l", 768: "vit_b"}  # by the width of their position tables; MobileSAM has none


def opened(paths: Sequence[Path]) -> Annotator:
    from controlnet_aux.segment_anything.build_sam import sam_model_registry

    tensors = read(paths[0])
    positions = tensors.get("image_encoder.pos_embed")
    encoder = "vit_t" if positions is None else ENCODERS.get(positions.shape[-1], "vit_b")
    return Annotator((put_into(sam_model_registry[encoder](), tensors, paths[0].name),))


def segments(pixels: Pixels, side: float, annotator: Annotator) -> Pixels:
    """(h, w, 3). Black where nothing was found. `side` x `side` points are asked; the time grows with their number."""
    from controlnet_aux.segment_anything.predictor import SamPredictor

    network = cast("Sam", annotator.networks[0])
    predictor = SamPredictor(network)
    with torch.inference_mode():
        predictor.set_image(pixels)
        logits = _kept(*_good_answers(network, predictor, pixels.shape, int(side)))
        masks = [_grown(network, predictor, one) for one in logits]
    return painted(sorted(masks, key=lambda mask: -int(mask.sum())), pixels.shape)


def painted(masks: Sequence[NDArray[np.bool_]], shape: tuple[int, ...]) -> Pixels:
    """The later over the earlier, in colours that are the same each time."""
    canvas = np.zeros((*shape[:2], 3), np.uint8)
    colours = np.random.RandomState(0).randint(32, 256, (len(masks), 3))
    for mask, colour in zip(masks, colours, strict=True):
        canvas[mask] = colour
    return canvas


def _good_answers(network: Sam, predictor: SamPredictor, shape: tuple[int, ...], side: int) -> tuple[Tensor, Tensor]:
    """Masks (n, 256, 256) as numbers around 0, and the quality that the network expects of each (n)."""
    found = [_answers(network, predictor, points) for points in _points(shape, side)]
    masks, quality = (torch.cat(parts) for parts in zip(*found, strict=True))
    best = quality.argsort(descending=True)[:MOST_MASKS]
    return masks[best], quality[best]


def _answers(network: Sam, predictor: SamPredictor, points: NDArray[np.float64]) -> tuple[Tensor, Tensor]:
    """Three masks a point, a part, what it is a part of, the whole; only those that are good and have sharp outlines."""
    where = torch.as_tensor(predictor.transform.apply_coords(points, predictor.original_size)).float()
    where = where[:, None].to(predictor.features.device)
    sparse, dense = network.prompt_encoder((where, torch.ones_like(where[..., 0], dtype=torch.int)), None, None)
    masks, quality = network.mask_decoder(
        image_embeddings=predictor.features, image_pe=network.prompt_encoder.get_dense_pe(),
        sparse_prompt_embeddings=sparse, dense_prompt_embeddings=dense, multimask_output=True,
    )  # fmt: skip
    masks, quality = masks.flatten(0, 1), quality.flatten()
    stability = (masks > 1).sum(dim=(1, 2)) / (masks > -1).sum(dim=(1, 2)).clamp(min=1)
    good = (quality > LEAST_QUALITY) & (stability >= LEAST_STABILITY)
    return masks[good], quality[good]


def _points(shape: tuple[int, ...], side: int) -> Iterator[NDArray[np.float64]]:
    """(n, 2): x and y in pixels, `AT_ONCE` at a time, evenly spread."""
    steps = (np.arange(side) + 0.5) / side
    across, down = np.meshgrid(steps * shape[1], steps * shape[0])
    points = np.stack([across.ravel(), down.ravel()], axis=1)
    yield from (points[start : start + AT_ONCE] for start in range(0, len(points), AT_ONCE))


def _kept(masks: Tensor, quality: Tensor) -> Tensor:
    """Those without a better one of nearly the same place: greedy suppression, here because torchvision's own is not always there."""
    areas = (masks > 0).flatten(1).float()
    common, sizes = areas @ areas.T, areas.sum(dim=1)
    same = (common > MOST_OVERLAP * (sizes[:, None] + sizes[None] - common)).cpu().numpy()
    kept = list[int]()
    for index in quality.argsort(descending=True).cpu().numpy().tolist():
        if not same[index, kept].any():
            kept.append(index)
    return masks[kept]


def _grown(network: Sam, predictor: SamPredictor, mask: Tensor) -> NDArray[np.bool_]:
    """(h, w), whether a pixel belongs to it."""
    whole = network.postprocess_masks(mask[None, None], predictor.input_size, predictor.original_size)
    return (whole[0, 0] > network.mask_threshold).cpu().numpy()
