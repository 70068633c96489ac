"""The real painter: leases a model and runs a request's recipe on it. Importing this imports torch; the worker does so behind the page."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import AbstractContextManager

import torch

from models.catalog import STARTER, Catalog
from models.device import Device, choose, free_bytes
from models.loading import DiffusionModel, load
from models.manager import Manager
from pipelines import txt2img
from pipelines.engine import Batch
from pipelines.prompts import load_tokenizer
from pipelines.request import Request

RECIPES: dict[str, Callable[..., Generator[Batch]]] = {"txt2img": txt2img.batches}


class ModelPainter:
    def __init__(self, catalog: Catalog, device: Device, budget: int) -> None:
        """`budget`: bytes of weights to keep in memory at once."""
        self._catalog = catalog
        self._device = device
        self._manager: Manager[str, DiffusionModel] = Manager(self._load, budget)

    def warm_up(self) -> None:
        """Loads the starter model, so that the first job does not wait for it."""
        with self.model(STARTER):
            pass

    def model(self, checkpoint_id: str) -> AbstractContextManager[DiffusionModel]:
        return self._manager.lease(checkpoint_id)

    def batches(self, request: Request) -> Generator[Batch]:
        with torch.inference_mode(), self.model(request.checkpoint) as model:
            yield from RECIPES[request.kind](request, model)

    def _load(self, checkpoint_id: str) -> DiffusionModel:
        checkpoint = self._catalog.checkpoint(checkpoint_id)
        return load(checkpoint, self._device, load_tokenizer(checkpoint.tokenizer))


def open_painter(catalog: Catalog, device: str) -> ModelPainter:
    """Chooses the device and loads the starter model. Half of the free memory is the budget.

    Raises `UserError` when the device is not there.
    """
    chosen = choose(device)
    painter = ModelPainter(catalog, chosen, free_bytes(chosen) // 2)
    painter.warm_up()
    return painter
