"""Loaders of model files for the manager: how each kind is loaded, how large it will be, and whether its file has changed."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from models.control.network import ControlNetwork, load_control
from models.diffusion_model import DiffusionModel, LoadedVae
from models.errors import UserError
from models.families import FAMILIES
from models.files import ModelFile
from models.identify.control import IP_ADAPTER
from models.library.catalog import Catalog, Checkpoint
from models.library.vision_files import Encoders
from models.loading.loading import load, load_vae
from models.loading.turning import POSED, PoseReader, load_pose_reader, load_turning
from models.loading.video import load_image_encoder, load_video
from models.memory.clip_forecast import UNET, VAE, VISION
from models.memory.device import Device
from models.memory.forecast import NEEDS, Machine, vae_weights, weights_of
from models.memory.manager import Key
from models.memory.offload import HOST, Kept, Resident
from models.networks.vision import Vision, load_vision
from models.patches.embeddings import Embedding, read_embedding
from models.patches.hypernetworks import Hypernetwork, read_hypernetwork
from models.patches.ip_adapter import IpAdapter
from models.patches.ip_adapter_files import load_ip_adapter
from models.patches.lora_files import Lora, read_lora
from models.tensors.add_on_names import needed_of_hypernetwork, vectors_in
from models.tensors.header import Header, TensorInfo, floating, read_header
from models.tensors.lora_names import needed
from models.tensors.reading import read_tensors
from models.upscalers.upscaler import Upscaler, load_upscaler
from models.video_model import VideoModel
from pipelines.preprocessors.annotators import Annotator, Annotators
from pipelines.prompts import ClipTokenizer, load_tokenizer

Held = Resident[Any] | Kept[Any]  # Any: what a key of each kind stands for, see `LOADERS`
MOST_TOKENIZERS = 4
TURNING = "turn"  # of models that turn things
POSE_READER = "pose_reader"  # the kind of key of that which lies in one
PICTURE_ENCODER = "picture_encoder"  # the kind of key of that which lies in a video model
WATCHED = (".safetensors", ".json", ".txt")  # of a folder: what is read


class Loaders:
    def __init__(
        self, catalog: Catalog, device: Device, machine: Machine, annotators: Annotators, go_on: Callable[[], None] = lambda: None
    ) -> None:
        """`go_on`: asked again and again while something is loaded; what it raises ends the loading."""
        self._go_on = go_on
        self._annotators = annotators
        self.encoders = Encoders(annotators.folders)
        self._catalog = catalog
        self._device = device
        self._machine = machine
        self._tokenizers: dict[object, ClipTokenizer] = {}  # by their files

    def load(self, key: Key) -> Held:
        self._go_on()
        return LOADERS[key.kind](self, key)

    def size(self, key: Key) -> int:
        """Bytes that it will probably take in memory."""
        if key.kind in ("annotator", "vision"):
            return self._annotators.size(key.id) if key.kind == "annotator" else self.encoders.size(key.id)
        entry = self.entry(key)
        if key.kind in ("video", PICTURE_ENCODER):
            return min(entry.size, (UNET + VAE if key.kind == "video" else VISION) * self._machine.element_size)
        if key.kind in (TURNING, POSE_READER):
            numbers = NEEDS["sd1"].unet + NEEDS["sd1"].vae if key.kind == TURNING else POSED
            return min(entry.size, numbers * self._machine.element_size)
        if key.kind == "checkpoint":
            return weights_of(self._catalog.checkpoint(key.id).family_key, entry.size, self._machine)
        if key.kind == "control":
            return entry.size * self._machine.element_size // 2  # such files are mostly in half precision
        return vae_weights(entry.size, self._machine) if key.kind == "vae" else entry.size

    def fingerprint(self, key: Key) -> object:
        """What the file looks like from outside, and how it is to be understood. Raises `UserError` when it is gone."""
        if key.kind in ("annotator", "vision"):
            return self._annotators.fingerprint(key.id) if key.kind == "annotator" else self.encoders.fingerprint(key.id)
        entry = self.entry(key)
        understood = _understood(self.checkpoint(key)) if key.kind == "checkpoint" else ()
        try:
            return understood, _look(entry.path)
        except OSError as error:
            what = f"The file of “{entry.name}” is not in the models folder any more"
            raise UserError(f"{what}. Choose another {key.kind}, or put it back.") from error

    def checkpoint(self, key: Key) -> Checkpoint:
        """As the library understands it, or as the key says."""
        found = self._catalog.checkpoint(key.id)
        prediction_type, _, zero = key.family.partition(" ")
        return replace(found, prediction_type=prediction_type, zero_terminal_snr=bool(zero)) if prediction_type else found

    def entry(self, key: Key) -> ModelFile:
        return self._catalog.checkpoint(key.id).file if key.kind == "checkpoint" else self._catalog.model(key.id)

    def read_checkpoint(self, key: Key) -> Resident[DiffusionModel]:
        """The networks are read into the host's memory. What is small, and what pages look through, stays on the device."""
        checkpoint = self.checkpoint(key)
        device = self._device.torch_device
        tokenizers = {key: self._tokenizer(folder) for key, folder in checkpoint.tokenizers.items()}
        model = load(checkpoint, self._reading_device(), tokenizers, go_on=self._go_on)
        model = replace(model, device=self._device, preview=model.preview.to(device))
        return Resident(model, [*(encoder.network for encoder in model.text_encoders), model.unet, model.vae], device)

    def read_video(self, key: Key) -> Resident[VideoModel]:
        video = load_video(self._catalog.model(key.id), self._reading_device(), self._go_on)
        device = self._device.torch_device
        video = replace(video, device=self._device, preview=video.preview.to(device))
        return Resident(video, [video.unet, video.vae], device)

    def read_picture_encoder(self, key: Key) -> Resident[Vision]:
        """That which a video model brings."""
        vision = load_image_encoder(self._catalog.model(key.id), self._reading_device())
        return Resident(vision, [vision.network], self._device.torch_device)

    def read_turning(self, key: Key) -> Resident[DiffusionModel]:
        model = load_turning(self._catalog.model(key.id), self._reading_device(), self._go_on)
        device = self._device.torch_device
        model = replace(model, device=self._device, preview=model.preview.to(device))
        return Resident(model, [model.unet, model.vae], device)

    def read_pose_reader(self, key: Key) -> Resident[PoseReader]:
        reader = load_pose_reader(self._catalog.model(key.id), self._reading_device())
        return Resident(reader, [reader.vision.network, reader.projection], self._device.torch_device)

    def _tokenizer(self, folder: Path) -> ClipTokenizer:
        """Building one takes a fifth of a second, and most checkpoints have the same ones."""
        files = folder, _look(folder)
        if files not in self._tokenizers:
            while len(self._tokenizers) >= MOST_TOKENIZERS:
                del self._tokenizers[next(iter(self._tokenizers))]
            self._tokenizers[files] = load_tokenizer(folder)
        return self._tokenizers[files]

    def read_vae(self, key: Key) -> Resident[LoadedVae]:
        vae = load_vae(self._catalog.model(key.id), FAMILIES[key.family], self._reading_device())
        return Resident(vae, [vae.network], self._device.torch_device)

    def read_control(self, key: Key) -> Resident[ControlNetwork]:
        control = load_control(self._catalog.model(key.id), FAMILIES[key.family], self._reading_device())
        return Resident(control, [control.network], self._device.torch_device)

    def read_annotator(self, key: Key) -> Resident[Annotator]:
        annotator = self._annotators.load(key.id, HOST, torch.float32)
        return Resident(annotator, list(annotator.networks), self._device.torch_device)

    def read_ip_adapter(self, key: Key) -> Resident[IpAdapter]:
        adapter = load_ip_adapter(self._catalog.model(key.id), FAMILIES[key.family], self._reading_device())
        return Resident(adapter, [adapter.network], self._device.torch_device)

    def read_vision(self, key: Key) -> Resident[Vision]:
        vision = load_vision(self.encoders.path(key.id), self._reading_device())
        return Resident(vision, [vision.network], self._device.torch_device)

    def read_upscaler(self, key: Key) -> Resident[Upscaler]:
        entry = self._catalog.model(key.id)
        upscaler = load_upscaler(entry.path, entry.name, self._reading_device())
        return Resident(upscaler, [upscaler.network], self._device.torch_device)

    def read_lora(self, key: Key) -> Kept[Lora]:
        header, tensors = self._tensors(key, needed)
        lora = read_lora(tensors, header.metadata, self._catalog.model(key.id).name)
        return Kept(lora, lora.bytes)

    def read_embedding(self, key: Key) -> Kept[Embedding]:
        embedding = read_embedding(self._tensors(key, _vectors)[1], self._catalog.model(key.id).name)
        return Kept(embedding, sum(vectors.nbytes for vectors in embedding.vectors.values()))

    def read_hypernetwork(self, key: Key) -> Kept[Hypernetwork]:
        header, tensors = self._tensors(key, needed_of_hypernetwork)
        hypernetwork = read_hypernetwork(tensors, header.metadata, f"“{self._catalog.model(key.id).name}”")
        return Kept(hypernetwork, sum(tensor.nbytes for tensor in tensors.values()))

    def _tensors(self, key: Key, wanted: Callable[[Mapping[str, TensorInfo]], Collection[str]]) -> tuple[Header, dict[str, torch.Tensor]]:
        """Those that are wanted alone: what else lies in the file may be of any kind."""
        path = self._catalog.model(key.id).path
        header = read_header(path)
        return header, read_tensors(path, header, wanted(header.tensors))

    def _reading_device(self) -> Device:
        """The host's memory, in the numbers that the device computes with."""
        return replace(self._device, torch_device=HOST)


LOADERS: dict[str, Callable[[Loaders, Key], Held]] = {
    "checkpoint": Loaders.read_checkpoint,
    "vae": Loaders.read_vae,
    "video": Loaders.read_video,
    PICTURE_ENCODER: Loaders.read_picture_encoder,
    TURNING: Loaders.read_turning,
    POSE_READER: Loaders.read_pose_reader,
    "control": Loaders.read_control,
    "annotator": Loaders.read_annotator,
    IP_ADAPTER: Loaders.read_ip_adapter,
    "vision": Loaders.read_vision,
    "upscaler": Loaders.read_upscaler,
    "lora": Loaders.read_lora,
    "embedding": Loaders.read_embedding,
    "hypernetwork": Loaders.read_hypernetwork,
}


def _vectors(tensors: Mapping[str, TensorInfo]) -> Collection[str]:
    return vectors_in({name: info.shape for name, info in tensors.items()}, floating(tensors)).values()


def _understood(checkpoint: Checkpoint) -> tuple[object, ...]:
    return checkpoint.family_key, checkpoint.variant, checkpoint.prediction_type, checkpoint.zero_terminal_snr


def _look(path: Path) -> tuple[object, ...]:
    """Size, time and place of a file, or of every file that is read in a folder and the folders of its parts."""
    parts = [*path.glob("*"), *path.glob("*/*")] if path.is_dir() else [path]
    files = sorted(part for part in parts if part.suffix in WATCHED or part == path)
    return tuple((file.name, seen.st_size, seen.st_mtime_ns, seen.st_ino) for file in files for seen in [file.stat()])
