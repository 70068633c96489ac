"""The runner: runs the recipe of a request with what it lends of one device. Importing it imports torch; the worker does so in time."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

import torch
from PIL import Image

from models.library.catalog import Catalog
from models.memory.device import Device, choose, is_lost, read_machine
from models.memory.forecast import Machine
from models.networks.compiled import Compiler
from pipelines.images.store import Inputs
from pipelines.jobs.events import Picture
from pipelines.jobs.runner import Events, Watching
from pipelines.preprocessors.annotators import Annotators
from pipelines.requests.remaining import Progress
from pipelines.requests.request import Drawing, Enlarge, Request, Wordless
from pipelines.runtime.attempts import Attempts
from pipelines.runtime.clock import timed
from pipelines.runtime.lending import ModelLender
from pipelines.runtime.sharing import Sharing
from pipelines.runtime.wordless import WordlessTries, frames_of
from pipelines.steps.begun import Own
from pipelines.steps.state import Numbers
from pipelines.steps.store import KeptSteps
from pipelines.tasks.batch import Task
from pipelines.tasks.recipes import MADE

OWN = Path(__file__).parents[2] / "models" / "starter"


class ModelRunner(ModelLender):
    """Turns requests into pictures on one device: a `Runner` of this process, and what recipes draw with (`Workshop`)."""

    is_apart = False

    def __init__(
        self,
        catalog: Catalog,
        device: Device,
        machine: Machine,
        inputs: Inputs,
        annotators: Annotators | None = None,
        steps: KeptSteps | None = None,
        compiler: Compiler | None = None,
    ) -> None:
        """`machine`: how much memory there is for weights and pictures. `inputs`: the pictures that requests begin with.

        `annotators`: where the weights of preprocessors are; without it, only the starter's are known. `steps`: those that are kept;
        without it, there are none. `compiler`: of the blocks of networks; without it, they run as they are written.
        """
        super().__init__(catalog, device, machine, annotators or Annotators([], OWN), compiler)
        self.inputs = inputs
        self.steps = steps or KeptSteps(inputs.folder.parent, 0)
        self.sharing = Sharing()
        self.lost = ""

    @property
    def device_name(self) -> str:
        return str(self.device.torch_device)

    @property
    def runtime(self) -> Mapping[str, str]:
        return self.origins.runtime

    def coming(self) -> Mapping[str, float]:
        """All files lie here."""
        return {}

    def close(self) -> None:
        """What it holds goes with this process."""

    def batches(self, request: Request, progress: Progress | None = None, watching: Watching | None = None) -> Generator[Events]:
        """What needs a model is given it; all else is made without one."""
        self.heed()
        begun = progress or Progress()
        with self._noticing():
            if isinstance(request, Wordless):
                tries = WordlessTries(self, request, begun)
                for number in range(begun.batch, request.batch_total):
                    yield self._noticed(tries.batch(number))
                return
            if not isinstance(request, Drawing):
                made_with: Mapping[str, str] = self.origins.enlarging(request) if isinstance(request, Enlarge) and request.upscaler else {}
                for batch in MADE[request.kind](Task(request, self.inputs, self, begun)):
                    yield self._noticed(timed(_with(batch, made_with)))
                return
            with closing(Attempts(self, request, begun, watching)) as attempts:
                for number in range(begun.batch, request.batch_total):
                    yield self._noticed(attempts.batch(number))

    def _noticed(self, events: Events) -> Events:
        with self._noticing():
            yield from events

    @contextmanager
    def _noticing(self) -> Generator[None]:
        """Whatever is raised goes on; a device that is lost by it is remembered as lost."""
        try:
            yield
        except Exception as error:
            if is_lost(error):
                self.lost = f"The device {self.origins.runtime['Device']} does not answer any more. Start Atelier anew to use it again."
            raise

    def watched(self, request: Drawing | Wordless, watching: Watching, own: Own | None = None) -> Events:
        """The events of the first batch alone; `watching` looks at the networks of a drawing meanwhile."""
        self.heed()
        if isinstance(request, Wordless):
            yield from WordlessTries(self, request, Progress(), own).batch(0)
            return
        with closing(Attempts(self, request, Progress(), watching, own)) as attempts:
            yield from attempts.batch(0)

    def frames(self, request: Wordless, latents: Numbers, made_with: Mapping[str, str]) -> Generator[None, None, tuple[Image.Image, ...]]:
        self.heed()
        with self._noticing():
            return (yield from frames_of(self, request, latents, made_with))


def _with(events: Events, made_with: Mapping[str, str]) -> Events:
    """The events of a batch, in which pictures are told of this as well."""
    with closing(events):
        for event in events:
            yield replace(event, made_with={**made_with, **event.made_with}) if isinstance(event, Picture) else event


def open_runner(
    catalog: Catalog,
    device: str,
    inputs: Inputs,
    machine: Machine | None = None,
    annotators: Annotators | None = None,
    steps: KeptSteps | None = None,
    compiles: bool = False,
) -> ModelRunner:
    """Chooses the device and loads the starter model. `machine`: the memory that may be used; without it, it is read. `compiles`:
    the blocks of networks, behind the first jobs, where the device gains by it.

    Raises `UserError` when the device is not there.
    """
    chosen = choose(device)
    if chosen.torch_device.type == "cuda":
        torch.cuda.set_device(chosen.torch_device)  # of this thread: what names no device means this one
    compiler = Compiler() if compiles and chosen.torch_device.type == "cuda" else None
    runner = ModelRunner(catalog, chosen, machine or read_machine(chosen), inputs, annotators, steps, compiler)
    runner.warm_up()
    return runner
