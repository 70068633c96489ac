"""The workshop: the runner, as far as those ask it who draw with what it lends."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Protocol

from models.diffusion_model import DiffusionModel
from models.library.catalog import Catalog
from models.memory.device import Device
from models.memory.forecast import Machine
from pipelines.control.view import Lender
from pipelines.images.store import Inputs
from pipelines.requests.request import Drawing
from pipelines.runtime.origins import Origins
from pipelines.runtime.sharing import Sharing
from pipelines.steps.store import KeptSteps


class Workshop(Lender, Protocol):
    machine: Machine
    device: Device
    catalog: Catalog
    inputs: Inputs
    origins: Origins
    steps: KeptSteps
    sharing: Sharing

    def lent(self, request: Drawing, sparing: bool = False) -> AbstractContextManager[DiffusionModel]: ...
    def spare(self, request: Drawing) -> None: ...
    def heed(self) -> None: ...
    def go_on(self) -> None: ...
