"""The runner: leases what a request names and runs its recipe on it. Importing it imports torch; the worker does so in time."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Collection, Generator, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager, nullcontext, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from models.diffusion_model import DiffusionModel
from models.errors import Interrupted, UserError
from models.identify.control import IP_ADAPTER
from models.library.catalog import STARTER, Catalog
from models.memory.device import Device, choose, read_machine, release, threads
from models.memory.forecast import Machine, Work, drop_frames, exhausted, is_out_of_memory, working_memory
from models.memory.manager import Key, LedgerLine, Lent, Manager, Tier
from models.memory.offload import in_turn
from models.patches import applied
from models.patches.hypernetworks import active
from pipelines.images.store import Inputs
from pipelines.jobs.events import Event, Picture
from pipelines.jobs.runner import Batch
from pipelines.preprocessors.annotators import Annotators
from pipelines.requests.as_made import threads_here
from pipelines.requests.request import Request, TextToImage
from pipelines.resolving.forecast import work_of
from pipelines.runtime.loaders import Held, Loaders
from pipelines.runtime.origins import Origins
from pipelines.runtime.requested import Named
from pipelines.tasks import depth2img, img2img, inpaint, outpaint, txt2img
from pipelines.tasks.remaining import Progress

OWN = Path(__file__).parents[2] / "models" / "starter"
log = logging.getLogger(__name__)

RECIPES: dict[str, Callable[..., Generator[Batch]]] = {
    "txt2img": txt2img.batches,
    "img2img": img2img.batches,
    "inpaint": inpaint.batches,
    "outpaint": outpaint.batches,
    "controlnet": txt2img.batches,
    "depth": depth2img.batches,
}


class ModelRunner:
    def __init__(self, catalog: Catalog, device: Device, machine: Machine, inputs: Inputs, annotators: Annotators | None = None) -> None:
        """`machine`: how much memory there is for weights and pictures. `inputs`: the pictures that requests begin with.

        `annotators`: where the weights of preprocessors are; without it, only the starter's are known.
        """
        self.machine = machine
        self.inputs = inputs
        self.catalog = catalog
        self._device = device
        annotators = annotators or Annotators([], OWN)
        self._unwanted = threading.Event()  # what is being loaded; read by whoever loads
        self._loaders = Loaders(catalog, device, machine, annotators, self._go_on)
        budgets: dict[Tier, int] = {"host": machine.host} if machine.device is None else {"device": machine.device, "host": machine.host}
        self.manager: Manager[Held] = Manager(self._load, budgets, self._loaders.size, self._loaders.fingerprint)
        self.reading: Key | None = None
        self.tell: Callable[[], None] = lambda: None
        self.origins = Origins(catalog, device, annotators, self._loaders.fingerprint)

    # ---------------------------------------------------------------------------------------------- what the engine asks

    @property
    def ledger(self) -> tuple[LedgerLine, ...]:
        return self.manager.ledger

    @property
    def runtime(self) -> Mapping[str, str]:
        return self.origins.runtime

    def _load(self, key: Key) -> Held:
        self.reading = key
        self.tell()
        try:
            return self._loaders.load(key)
        finally:
            self.reading = None
            self.tell()

    def at_hand(self) -> Collection[str]:
        return {key.id for key in self.manager.quick() if key.kind == "checkpoint"}

    def unload(self, line_id: str) -> None:
        if self.manager.unload(line_id):
            release(self._device)

    def interrupt(self) -> None:
        self._unwanted.set()

    def heed(self) -> None:
        """From here on nothing is unwanted: what was interrupted has come to its end."""
        self._unwanted.clear()

    def _go_on(self) -> None:
        if self._unwanted.is_set():
            raise Interrupted

    def batches(self, request: Request) -> Generator[Batch]:
        """When memory runs out, the batch is drawn once more in a sparing way, and so are those after it."""
        self.heed()
        with closing(_Run(self, request)) as run:
            for number in range(request.batch_total):
                yield run.batch(number)

    # ---------------------------------------------------------------------------------------------- lending

    @contextmanager
    def annotator(self, key: str) -> Iterator[Any]:
        """The network of a preprocessor for the length of the block; None for one that has no weights."""
        if not key:
            yield None
            return
        with self._alone(Key("annotator", key)) as annotator:
            yield annotator

    @contextmanager
    def image_prompt_networks(self, adapter_id: str, family: str) -> Iterator[tuple[Any, Any]]:
        """An IP-Adapter and the vision encoder that belongs to it. Raises `UserError` when there is no such encoder."""
        with self._alone(Key(IP_ADAPTER, adapter_id, family)) as adapter:
            encoder = self._loaders.encoders.fitting(adapter.reads, adapter.is_plus)
            self.origins.looked_through(*self._loaders.encoders.called(encoder))
            with self._alone(Key("vision", encoder)) as vision:
                yield adapter, vision

    @contextmanager
    def _alone(self, key: Key) -> Iterator[Any]:
        """Something that runs by itself, on the device; layer by layer where it does not fit beside what is lent."""
        tier: Tier = "host" if self.machine.device is None else "device"
        with ExitStack() as stack:
            with torch.inference_mode(False):  # a recipe runs in it, and what is read there could not be moved or used elsewhere
                lent = stack.enter_context(self.manager.lease([key], tier))
            if lent.tier == "host" and self.machine.device is not None:
                stack.enter_context(in_turn(lent.items[key].networks, self._device.torch_device))
            yield lent.items[key].value

    def warm_up(self) -> None:
        """Loads the starter model, so that the first job does not wait for it."""
        with self.model(STARTER):
            pass

    def model(self, checkpoint_id: str) -> AbstractContextManager[DiffusionModel]:
        """One checkpoint as it is, with nothing added."""
        return self.lent(TextToImage(checkpoint=checkpoint_id))

    @contextmanager
    def lent(self, request: Request, sparing: bool = False) -> Iterator[DiffusionModel]:
        """Everything that the request names, joined to one model for the length of the block; then all is as before, bit for bit.

        `sparing`: on a device with a memory of its own, the networks come to it one at a time.
        """
        named, work = Named(request, self.catalog), work_of(request, self.catalog, self.machine)
        tier: Tier = "host" if sparing or self.machine.device is None else "device"
        with ExitStack() as stack:
            lent = stack.enter_context(self.manager.lease(named.networks, tier, working_memory(work, self.machine)))
            added = stack.enter_context(self.manager.lease(named.added)).items
            model = named.joined({**added, **lent.items}, self.origins.hashes, self.origins.begin(request))
            stack.enter_context(applied(model, named.loras(added)))
            stack.enter_context(active(model, named.hypernetworks(added)))
            stack.enter_context(self._running(_with_joined(lent, model), lent.tier, work))
            yield model

    def spare(self, request: Request) -> None:
        """Makes all the room there is for this request."""
        named = Named(request, self.catalog)
        self.manager.unload_idle(keep={*named.added, *named.networks})
        release(self._device)

    def _running(self, networks: Collection[Any], tier: Tier, work: Work) -> AbstractContextManager[None]:
        """What does not fit the device whole goes there part by part, and a part that does not fit either, layer by layer."""
        if tier == "device" or self.machine.device is None:
            return nullcontext()
        largest = max(sum(weight.nbytes for weight in network.parameters()) for network in networks)
        too_large = largest + working_memory(replace(work, patched=0), self.machine) > self.machine.device
        return in_turn(networks, self._device.torch_device, layer_by_layer=too_large)


def _with_joined(lent: Lent[Held], model: DiffusionModel) -> list[Any]:
    """Each network once: those that are lent, and those that a Control-LoRA makes with weights of the UNet."""
    own = [network for item in lent.items.values() for network in item.networks]
    joined = [control.ready(model.unet) for control in model.controls.values()]
    return list({id(network): network for network in (*own, *joined)}.values())


class _Run:
    """One job on its model: how far it has come, and whether it goes on in the sparing way."""

    def __init__(self, runner: ModelRunner, request: Request) -> None:
        self._runner = runner
        self._request = request
        self._progress = Progress()
        self._sparing = False
        self._begin()

    def _begin(self) -> None:
        self._lease = ExitStack()
        self._recipe: Generator[Batch] | None = None
        self._model: Any = None

    def close(self) -> None:
        """Ends the recipe and gives the model back."""
        if self._recipe:
            self._recipe.close()
        self._lease.close()
        self._begin()

    def batch(self, number: int) -> Batch:
        """Whatever of it is not drawn when memory runs out is tried again, as long as each other try brings a picture."""
        end, tries = (number + 1) * self._request.batch_size, 0
        self._progress.batch = number
        while self._progress.pictures < end:
            before = self._progress.pictures
            if not (yield from self._attempt()):
                return
            tries = 1 if self._progress.pictures > before else tries + 1
            if tries > 1:
                raise UserError(exhausted(work_of(self._request, self._runner.catalog, self._runner.machine), self._runner.machine))
            self._sparing = True
            self._runner.spare(self._request)

    def _lent(self) -> Generator[None, None, DiffusionModel]:
        """All that is needed, in memory. Loading that is interrupted begins again if the job is not stopped at the next stop."""
        while True:
            with suppress(Interrupted):
                model = self._lease.enter_context(self._runner.lent(self._request, self._sparing))
                yield None
                return model
            self._runner.heed()
            yield None

    def _attempt(self) -> Generator[Event | None, None, bool]:
        """Draws the rest of a batch. True when memory ran out; nothing of the attempt but its pictures is then kept."""
        try:
            yield from self._events()
        except Exception as error:
            if not is_out_of_memory(error):
                raise
            log.warning("memory ran out: %s", drop_frames(error))
        else:
            return False
        self.close()
        return True

    def _events(self) -> Batch:
        if self._recipe is None:
            self._lease.enter_context(threads(threads_here(self._request.threads)))
            self._model = yield from self._lent()
            self._recipe = RECIPES[self._request.kind](self._request, self._model, self._runner.inputs, self._runner, self._progress)
        with torch.inference_mode():
            batch = next(self._recipe)
            yield None
            for event in batch:
                if isinstance(event, Picture):
                    self._progress.pictures = event.index + 1
                    event = replace(event, request=self._runner.origins.recorded(event.request, self._model))
                yield event


def open_runner(
    catalog: Catalog, device: str, inputs: Inputs, machine: Machine | None = None, annotators: Annotators | None = None
) -> ModelRunner:
    """Chooses the device and loads the starter model. `machine`: the memory that may be used; without it, it is read.

    Raises `UserError` when the device is not there.
    """
    chosen = choose(device)
    runner = ModelRunner(catalog, chosen, machine or read_machine(chosen), inputs, annotators)
    runner.warm_up()
    return runner
