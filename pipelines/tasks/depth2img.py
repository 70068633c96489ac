"""Depth to image: a map of what is near and far holds the drawing, by a checkpoint that reads it or by control units."""

from __future__ import annotations

from collections.abc import Generator

import torch
from torch import Tensor

from models.diffusion_model import DiffusionModel
from models.errors import UserError
from pipelines.control.units import Controls
from pipelines.control.view import NO_LENDER, Lender
from pipelines.depth.depth_map import Map, edited, fitted, relative, shown, to_map
from pipelines.images.store import Inputs
from pipelines.jobs.runner import Batch
from pipelines.preprocessors import preprocessor
from pipelines.preprocessors.depth import estimate_depth
from pipelines.requests.request import Depth
from pipelines.resolving.resolve import UNREAD_DEPTH
from pipelines.tasks.conditioning import Denoisers
from pipelines.tasks.img2img import draw
from pipelines.tasks.remaining import Progress, due
from pipelines.tasks.sampling import latent_shape

READS_DEPTH = 1  # channel next to the latents


def batches(
    request: Depth, model: DiffusionModel, inputs: Inputs, lender: Lender = NO_LENDER, progress: Progress | None = None
) -> Generator[Batch]:
    """One iterator of events a batch; the map is made once for all of them."""
    depth = depth_of(request, inputs, lender)
    controls = Controls(request, model, inputs, lender, taken=shown(depth))
    if not reads_depth(model) and not controls.take_picture:
        raise UserError(UNREAD_DEPTH)
    denoisers = Denoisers(request, model, controls, depth_channel(depth, request, model) if reads_depth(model) else None)
    for batch in due(request, progress):
        yield draw(request, batch, model, denoisers, inputs)


def depth_of(request: Depth, inputs: Inputs, lender: Lender) -> Map:
    """(height, width), 0 .. 1: what the networks will see."""
    if request.map:
        found = to_map(inputs.open(request.map, ""))
    else:
        with lender.annotator(preprocessor(request.estimator).weights) as annotator:
            found = relative(estimate_depth(annotator, inputs.open(request.image)))
    return edited(fitted(found, (request.width, request.height), request.resize_mode), request)


def reads_depth(model: DiffusionModel) -> bool:
    return model.unet.config["in_channels"] == model.family.latent_channels + READS_DEPTH


def depth_channel(depth: Map, request: Depth, model: DiffusionModel) -> Tensor:
    """(1, 1, h, w), -1 .. 1: the map at the size of the latents, its nearest and farthest at the two ends, as the depth checkpoint
    was trained (Stable Diffusion 2, ldm/models/diffusion/ddpm.py LatentDepth2ImageDiffusion). 0 where it is flat.
    """
    _, height, width = latent_shape(request, model)
    values = torch.from_numpy(depth)[None, None].to(model.device.torch_device)
    small = torch.nn.functional.interpolate(values, size=(height, width), mode="bicubic", align_corners=False)
    low, high = small.min(), small.max()
    return 2 * (small - low) / (high - low) - 1 if high > low else torch.zeros_like(small)
