"""Depth to image: a map of what is near and far holds the drawing, by a checkpoint that reads it or by control units."""

from __future__ import annotations

from collections.abc import Generator
from typing import cast

import torch
from torch import Tensor

from models.diffusion_model import DiffusionModel
from models.errors import UserError
from pipelines.control.view import Lender
from pipelines.depth.depth_map import Map, edited, fitted, relative, shown, to_map
from pipelines.images.store import Inputs
from pipelines.jobs.runner import Events
from pipelines.preprocessors import preprocessor
from pipelines.preprocessors.annotators import Annotator
from pipelines.preprocessors.depth import estimate_depth
from pipelines.requests.request import Depth
from pipelines.resolving.checks import UNREAD_DEPTH
from pipelines.tasks.batch import DrawingTask
from pipelines.tasks.conditioning import Denoisers, controls_of
from pipelines.tasks.img2img import draw
from pipelines.tasks.sampling import latent_shape

READS_DEPTH = 1  # channel next to the latents


def batches(task: DrawingTask[Depth]) -> Generator[Events]:
    """The map is made once for all batches."""
    request, model = task.request, task.model
    depth = depth_of(request, task.inputs, task.lender)
    controls = controls_of(task, taken=shown(depth))
    if not reads_depth(model) and not controls.take_picture:
        raise UserError(UNREAD_DEPTH)
    channel = depth_channel(depth, request, model) if reads_depth(model) else None
    denoisers = Denoisers(request, model, controls, channel, task.go_on, task.inputs)
    for batch in task.batches():
        yield draw(batch, denoisers)


def depth_of(request: Depth, inputs: Inputs, lender: Lender) -> Map:
    """(height, width), 0 .. 1: what the networks will see."""
    if request.map:
        found = to_map(inputs.open(request.map, ""))
    else:
        with lender.annotator(preprocessor(request.estimator).weights) as annotator:
            found = relative(estimate_depth(cast(Annotator, annotator), inputs.open(request.image)))  # every estimator has weights
    return edited(fitted(found, (request.width, request.height), request.resize_mode), request)


def reads_depth(model: DiffusionModel) -> bool:
    return model.unet.config["in_channels"] == model.family.latent.channels + READS_DEPTH


def depth_channel(depth: Map, request: Depth, model: DiffusionModel) -> Tensor:
    """(1, 1, h, w), -1 .. 1: the map at the size of the latents, its nearest and farthest at the two ends, as the depth checkpoint
    was trained (Stable Diffusion 2, ldm/models/diffusion/ddpm.py LatentDepth2ImageDiffusion). 0 where it is flat.
    """
    _, height, width = latent_shape(request, model)
    values = torch.as_tensor(depth)[None, None]
    small = torch.nn.functional.interpolate(values, size=(height, width), mode="bicubic", align_corners=False)
    low, high = small.min(), small.max()
    return (2 * (small - low) / (high - low) - 1 if high > low else torch.zeros_like(small)).to(model.device.torch_device)
