"""Lending: what a request names, in memory for the length of a `with` block, and given back as it was. Importing it imports torch."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Generator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import replace
from typing import Any

import torch
from torch import nn

from models.diffusion_model import DiffusionModel, RegionLoras
from models.errors import Interrupted
from models.identify.control import IP_ADAPTER
from models.library.catalog import STARTER, Catalog
from models.loading.turning import PoseReader
from models.memory.clip_forecast import ClipWork, forecast_clip, slimness_of_video
from models.memory.device import Device, release
from models.memory.forecast import Machine, Work, peak_in_turn, working_memory
from models.memory.manager import Key, LedgerLine, Lent, Manager, Tier
from models.memory.offload import in_turn, lying
from models.networks.compiled import Compiler, Use
from models.networks.vision import Vision
from models.patches import applied
from models.patches.hypernetworks import active
from models.patches.ip_adapter import IpAdapter
from models.patches.lora import dressed
from models.upscalers.upscaler import Upscaler
from models.video_model import VideoModel
from pipelines.preprocessors.annotators import Annotator, Annotators
from pipelines.prompts.encode import Encodings
from pipelines.requests.guidance import is_shaped, joins
from pipelines.requests.request import Drawing, Request, TextToImage, Wordless
from pipelines.resolving.forecast import work_of
from pipelines.runtime.loaders import PICTURE_ENCODER, POSE_READER, TURNING, Held, Loaders
from pipelines.runtime.origins import Origins
from pipelines.runtime.requested import Named
from pipelines.runtime.shaped import shaped
from pipelines.tasks.recipes import WORDLESS

TILES = 2 * 2**30  # bytes on a device that are kept free for the tiles of an upscaler


class ModelLender:
    """The networks and weights of one device. Lent and given back in one thread; told of, and interrupted, from any."""

    def __init__(
        self, catalog: Catalog, device: Device, machine: Machine, annotators: Annotators, compiler: Compiler | None = None
    ) -> None:
        """`machine`: how much memory there is for weights and pictures. `annotators`: where the weights of preprocessors are.
        `compiler`: of the blocks of networks; without it, they run as they are written.
        """
        self.catalog = catalog
        self.device = device
        self.machine = machine
        self.compiler = compiler
        self._unwanted = threading.Event()  # what is being loaded; read by whoever loads
        self._loaders = Loaders(catalog, device, machine, annotators, self.go_on)
        budgets: dict[Tier, int] = {"host": machine.host} if machine.device is None else {"device": machine.device, "host": machine.host}
        self.manager: Manager[Held] = Manager(self._load, budgets, self._loaders.size, self._loaders.fingerprint)
        self._encodings = Encodings()
        self.reading: Key | None = None
        self.tell: Callable[[], None] = lambda: None
        self.origins = Origins(catalog, device, annotators, self._loaders.fingerprint)

    # ---------------------------------------------------------------------------------------------- what is in memory

    @property
    def ledger(self) -> tuple[LedgerLine, ...]:
        return self.manager.ledger

    def _load(self, key: Key) -> Held:
        self.reading = key
        self.tell()
        try:
            return self._loaders.load(key)
        finally:
            self.reading = None
            self.tell()

    def at_hand(self) -> Collection[str]:
        return {key.id for key in self.manager.quick() if key.kind in ("checkpoint", *WORDLESS)}

    def files(self, request: Request) -> str:
        """By size and time, as leases go by. Raises `UserError` when one is gone."""
        if isinstance(request, Wordless):
            return repr(self._loaders.fingerprint(Key(request.kind, request.checkpoint)))
        if not isinstance(request, Drawing):
            return ""
        named = Named(request, self.catalog)
        return repr([(key, self._loaders.fingerprint(key)) for key in (*named.networks, *named.added, *named.looking)])

    def unload(self, line_id: str) -> None:
        if self.manager.unload(line_id):
            release(self.device)

    # ---------------------------------------------------------------------------------------------- what is unwanted

    def interrupt(self) -> None:
        self._unwanted.set()

    def heed(self) -> None:
        """From here on nothing is unwanted: what was interrupted has come to its end."""
        self._unwanted.clear()

    def go_on(self) -> None:
        """Raises `Interrupted` when what runs is unwanted."""
        if self._unwanted.is_set():
            raise Interrupted

    # ---------------------------------------------------------------------------------------------- one network alone

    @contextmanager
    def annotator(self, key: str) -> Generator[Annotator | None]:
        """The network of a preprocessor for the length of the block; None for one that has no weights."""
        if not key:
            yield None
            return
        with self._alone(Key("annotator", key)) as annotator:
            yield annotator

    @contextmanager
    def image_prompt_networks(self, adapter_id: str, family: str) -> Generator[tuple[IpAdapter, Vision]]:
        """An IP-Adapter and the vision encoder that belongs to it. Raises `UserError` when there is no such encoder."""
        with self._alone(Key(IP_ADAPTER, adapter_id, family)) as adapter:
            encoder = self._loaders.encoders.fitting(adapter.reads, adapter.is_plus)
            self.origins.looked_through(*self._loaders.encoders.called(encoder))
            with self._alone(Key("vision", encoder)) as vision:
                yield adapter, vision

    @contextmanager
    def vision(self, width: int) -> Generator[Vision]:
        """An encoder of pictures whose summaries have so many numbers. Raises `UserError` when there is none."""
        with self._alone(Key("vision", self._loaders.encoders.summing_up(width))) as vision:
            yield vision

    @contextmanager
    def upscaler(self, upscaler_id: str) -> Generator[Upscaler]:
        """A network that makes pictures larger, with room beside it for its tiles. Raises `UserError` when it is not there."""
        room = min(TILES, (self.machine.device or 0) // 2)
        with self._alone(Key("upscaler", upscaler_id), room) as upscaler:
            yield upscaler

    @contextmanager
    def video(self, model_id: str, work: ClipWork, sparing: bool = False) -> Generator[VideoModel]:
        """A video model without its encoder of pictures, with room beside it for this clip. Raises `UserError` when it is not there.

        `sparing`: on a device with a memory of its own, it comes there a part at a time.
        """
        work = replace(work, slimness=slimness_of_video(self.catalog.model(model_id).size))
        found = forecast_clip(work, self.machine, self.machine.device or self.machine.host)
        with self._alone(Key("video", model_id), found.work, sparing, layer_by_layer=found.denoising > found.available) as video:
            yield replace(video, one_by_one=found.one_by_one, chunk=found.chunk)

    @contextmanager
    def picture_encoder(self, model_id: str) -> Generator[Vision]:
        """The encoder of pictures of a video model. It is asked once a clip and as large as a small checkpoint, so it is not kept."""
        key = Key(PICTURE_ENCODER, model_id)
        with self._alone(key) as vision:
            yield vision
        self.manager.forget(key)

    @contextmanager
    def turning(self, model_id: str, work: Work, sparing: bool = False) -> Generator[DiffusionModel]:
        """A model that turns things, without what reads poses, with room beside it for these views. `sparing`: as for `video`."""
        with self._alone(Key(TURNING, model_id), working_memory(work, self.machine), sparing) as model:
            yield model

    @contextmanager
    def pose_reader(self, model_id: str) -> Generator[PoseReader]:
        """That of a model that turns things, kept as little as `picture_encoder`."""
        key = Key(POSE_READER, model_id)
        with self._alone(key) as reader:
            yield reader
        self.manager.forget(key)

    @contextmanager
    def _alone(
        self, key: Key, room: int = 0, sparing: bool = False, layer_by_layer: bool = False
    ) -> Generator[Any]:  # Any: what a key of this kind stands for
        """Something that runs by itself, on the device; a network at a time where it does not fit beside what is lent, and a layer at a
        time where a network is larger than the device.

        `room`: bytes on the device that it works in. `sparing`: a network at a time, whatever there is room for. `layer_by_layer`: so, too.
        """
        tier: Tier = "host" if sparing or self.machine.device is None else "device"
        with ExitStack() as stack:
            with torch.inference_mode(False):  # a recipe runs in it, and what is read there could not be moved or used elsewhere
                lent = stack.enter_context(self.manager.lease([key], tier, room))
            if lent.tier == "host" and self.machine.device is not None:
                networks = lent.items[key].networks
                too_large = layer_by_layer or lying(networks, ()).drawing > self.machine.device
                stack.enter_context(in_turn(networks, self.device.torch_device, too_large))
            yield lent.items[key].value

    # ---------------------------------------------------------------------------------------------- all that a request names

    def warm_up(self) -> None:
        """Loads the starter model, so that the first job does not wait for it."""
        with self.model(STARTER):
            pass

    def model(self, checkpoint_id: str) -> AbstractContextManager[DiffusionModel]:
        """One checkpoint as it is, with nothing added."""
        return self.lent(TextToImage(checkpoint=checkpoint_id))

    @contextmanager
    def lent(self, request: Drawing, sparing: bool = False) -> Generator[DiffusionModel]:
        """Everything that the request names, joined to one model for the length of the block; then all is as before, bit for bit.

        `sparing`: on a device with a memory of its own, the networks come to it one at a time.
        """
        named, work = Named(request, self.catalog), work_of(request, self.catalog, self.machine)
        tier: Tier = "host" if sparing or self.machine.device is None else "device"
        with ExitStack() as stack:
            lent = stack.enter_context(self.manager.lease(named.networks, tier, working_memory(work, self.machine)))
            added = stack.enter_context(self.manager.lease(named.added)).items
            use = Use()
            made_with = self.origins.begin(request, lambda: use.told if self.compiler else {})
            model = named.joined({**added, **lent.items}, self.origins.hashes, made_with)
            model = replace(model, encodings=self._encodings, encoder_state=named.encoder_state(self._loaders.fingerprint))
            model = replace(model, regional=self._regional(model, named, added))
            everywhere = named.loras(added)
            paced = stack.enter_context(applied(model, [use for use, _ in everywhere], [pace for _, pace in everywhere]))
            stack.enter_context(active(model, named.hypernetworks(added)))
            stack.enter_context(shaped(model, request))
            paced.bring_home = stack.enter_context(self._running(_with_joined(lent, model), model, lent.tier, work))
            for own in model.regional.values():
                own.dressed.bring_home = paced.bring_home
            if self.compiler and not is_shaped(request) and (lent.tier == "device" or self.machine.device is None):
                stack.enter_context(self.compiler.at_work(_drawing(model), use))
            yield replace(model, paced=paced if paced.patches else None, joins=joins(request))

    def _regional(self, model: DiffusionModel, named: Named, added: Mapping[Key, Held]) -> dict[int, RegionLoras]:
        """The LoRAs of regions, while the model is without any."""
        everywhere, mark = named.loras(added), self._loaders.fingerprint
        return {
            region: RegionLoras(dressed(model, everywhere, named.loras(added, region)), named.encoder_state(mark, region))
            for region in named.dressed
        }

    def make_room(self) -> None:
        self.manager.unload_idle()
        release(self.device)

    def spare(self, request: Drawing) -> None:
        """Makes all the room there is for this request."""
        named = Named(request, self.catalog)
        self.manager.unload_idle(keep={*named.added, *named.networks})
        release(self.device)

    def _running(
        self, networks: Collection[nn.Module], model: DiffusionModel, tier: Tier, work: Work
    ) -> AbstractContextManager[Callable[[], None]]:
        """What does not fit the device whole goes there part by part, and a part that does not fit either, layer by layer. Gives what
        brings all of it back into the host's memory until it is needed again.
        """
        if tier == "device" or self.machine.device is None:
            return nullcontext(lambda: None)
        decoding = [model.vae]
        drawing = [network for network in networks if network is not model.vae]
        too_large = peak_in_turn(work, self.machine, lying(drawing, decoding)) > self.machine.device
        return in_turn(networks, self.device.torch_device, layer_by_layer=too_large)


def _with_joined(lent: Lent[Held], model: DiffusionModel) -> list[nn.Module]:
    """Each network once: those that are lent, and those that a Control-LoRA makes with weights of the UNet."""
    own = [network for item in lent.items.values() for network in item.networks]
    joined = [control.ready(model.unet) for control in model.controls.values()]
    return list({id(network): network for network in (*own, *joined)}.values())


def _drawing(model: DiffusionModel) -> list[nn.Module]:
    """The networks that run at every step."""
    controls = [control.ready(model.unet) for control in model.controls.values()]
    return [model.unet, *([model.refiner.unet] if model.refiner else []), *controls]
