"""Origins of a picture beyond what its request names: the files that draw along, and what it was computed on and with."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

import torch

from models.diffusion_model import DiffusionModel
from models.library.catalog import Catalog
from models.memory.device import ATTENTIONS, Device, has_kernels_to_choose
from models.memory.manager import Key
from pipelines.metadata.companions import companions, content
from pipelines.metadata.provenance import ATTENTION, COMPILED, UPSCALERS, VISION, Hash, Hashes, MadeWith, one, several
from pipelines.metadata.text_keys import VERSION
from pipelines.preprocessors.annotators import Annotators
from pipelines.requests.as_made import Understanding
from pipelines.requests.drawn_small import enlarger_of
from pipelines.requests.request import OWN_VAE, Drawing, Drawn, Enlarge, Request, SecondPass, Wordless

BY_NETWORK = {"spandrel": version("spandrel")}  # beside the versions of everything
FILE = "file"  # the kind of key that a file which is in no table goes by


class Origins:
    def __init__(self, catalog: Catalog, device: Device, annotators: Annotators, fingerprint: Callable[[Key], object]) -> None:
        """`fingerprint`: of what the library knows."""
        self._catalog = catalog
        self._device = device
        self._annotators = annotators
        self.hashes = Hashes(self._digest, lambda key: _look(key) if key.kind == FILE else fingerprint(key))
        self._looked: dict[str, Hash] = {}
        self.runtime = runtime(device)

    def begin(self, request: Drawing, decided: Callable[[], Mapping[str, str]] = dict) -> Mapping[str, str]:
        """Reading the files for their hashes begins now; who first looks at the result waits for them.

        `decided`: what is known then of how the job was computed.
        """
        self._looked = {}
        found = companions(request, self._catalog, self._annotators)
        begun = {file: self.hashes.begin(Key(FILE, str(file))) for each in found for file in each.files}

        def facts() -> dict[str, str]:
            told = [(each.title, each.name, content(each.files, lambda file: begun[file]())) for each in found]
            told += [(VISION, name, digest()) for name, digest in self._looked.items()]
            enlarges = enlarger_of(request) or (isinstance(request, SecondPass) and request.upscaler)
            return {**_lists(told), **self.runtime, **decided(), **(BY_NETWORK if enlarges else {})}

        return MadeWith(facts)

    def enlarging(self, request: Enlarge) -> Mapping[str, str]:
        """The same of what an upscaler makes: the upscalers by the names that other studios have for them, and on what they run."""
        keys = {title: Key("upscaler", upscaler) for title, upscaler in zip(UPSCALERS, request.upscalers, strict=False)}
        begun = {title: self.hashes.begin(key) for title, key in keys.items()}

        def facts() -> dict[str, str]:
            told = [one(title, self._catalog.model(key.id).called, begun[title]()) for title, key in keys.items()]
            return {**{name: text for each in told for name, text in each.items()}, **self.runtime, **BY_NETWORK}

        return MadeWith(facts)

    def of_model(self, request: Wordless) -> Mapping[str, str]:
        """The same of what one model draws by itself."""
        key = Key(request.kind, request.checkpoint)
        begun = self.hashes.begin(key)
        return MadeWith(lambda: {**one("Model", self._catalog.model(key.id).called, begun()), **self.runtime})

    def looked_through(self, name: str, file: Path) -> None:
        """An IP-Adapter looked through this encoder."""
        self._looked[name] = self.hashes.begin(Key(FILE, str(file)))

    def recorded(self, request: Drawn, model: DiffusionModel) -> Drawn:
        """The request of a finished picture, with what was decided while it was drawn."""
        models = [model, *([model.refiner] if model.refiner else [])]
        understood = tuple(_understood(each) for each in models)
        return replace(request, as_made="", vae=request.vae or OWN_VAE, understood=understood, threads=self._threads)

    def recorded_wordless(self, request: Request) -> Wordless:
        """The same of what is drawn without words."""
        assert isinstance(request, Wordless)
        return replace(request, as_made="", threads=self._threads)

    @property
    def _threads(self) -> int:
        """Those that add up sums at this moment; 0 where no processor does."""
        return torch.get_num_threads() if self._device.torch_device.type == "cpu" else 0

    def _digest(self, key: Key) -> str:
        return self._catalog.file_hash(Path(key.id)) if key.kind == FILE else self._catalog.hash(key.id)


def _lists(told: Sequence[tuple[str, str, str]]) -> dict[str, str]:
    """By title, of (title, name, hash)."""
    lists: dict[str, str] = {}
    for title in dict.fromkeys(title for title, _, _ in told):
        lists |= several(title, [(name, digest) for own, name, digest in told if own == title])
    return lists


def runtime(device: Device) -> Mapping[str, str]:
    """On what, in which numbers and with which versions pictures are computed."""
    number_type = str(device.dtype).removeprefix("torch.")
    versions = {name: version(name) for name in ("torch", "diffusers", "transformers", "Pillow")}
    kernels = {ATTENTION: ATTENTIONS[0], COMPILED: "no"} if has_kernels_to_choose(device) else {}
    return {"Device": _device_name(device.torch_device), "Number type": number_type, **kernels, **versions, "Atelier": VERSION}


def _device_name(device: torch.device) -> str:
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"cpu {torch.backends.cpu.get_cpu_capability()}" if device.type == "cpu" else device.type


def _look(key: Key) -> tuple[int, int]:
    status = Path(key.id).stat()
    return status.st_size, status.st_mtime_ns


def _understood(model: DiffusionModel) -> Understanding:
    checkpoint = model.checkpoint
    return Understanding(id=checkpoint.id, prediction_type=model.prediction_type, zero_terminal_snr=checkpoint.zero_terminal_snr)
