"""Networks that work otherwise than they were built, for the length of a `with` block: edges that join, ways up that weigh otherwise."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import ExitStack, contextmanager

from torch import nn

from models.diffusion_model import DiffusionModel
from models.patches.free_u import free_u
from models.patches.seamless import seamless
from pipelines.requests.guidance import free_numbers, joins
from pipelines.requests.request import Drawing


@contextmanager
def shaped(model: DiffusionModel, request: Drawing) -> Generator[None]:
    """The networks work as the request asks, for the length of the block: they join the edges, and their ways up weigh otherwise."""
    networks: list[nn.Module] = [model.unet, model.vae.decoder, model.preview]
    networks += [control.ready(model.unet) for control in model.controls.values()]
    with ExitStack() as stack:
        for each in filter(None, (model, model.refiner)):
            stack.enter_context(free_u(each.unet, free_numbers(request, each.family.free_u), request.free_u))
        networks += [model.refiner.unet] if model.refiner else []
        stack.enter_context(seamless(networks, *joins(request)))
        yield
