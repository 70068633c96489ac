"""Loading of video models: Stability's single files, and folders in the diffusers layout. As `models.loading.loading`, in one pass."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from torch import nn

from models.errors import UserError
from models.families import SV3D, SVD
from models.files import ModelFile
from models.kits import KITS
from models.loading.loading import latent_space, read_networks
from models.loading.preview_decoder import load_preview_decoder
from models.memory.device import Device
from models.networks.build import Blank, of_class
from models.networks.video import blank_video_unet, blank_video_vae
from models.networks.vision import Vision, load_vision, vision_of
from models.tensors.clip_vision import vision_names, vision_tensors
from models.tensors.embedded_sizes import own_sizes
from models.tensors.header import Header, read_header
from models.tensors.layouts import Names
from models.tensors.sources import Source, config, folder_source
from models.tensors.video_names import ADDED, TIME_STACK, video_unet_names, video_vae_names
from models.video_model import VideoModel

KIT = KITS / "svd"
IMAGE_ENCODER = "image_encoder"  # the folder of it, in the diffusers layout


@dataclass(frozen=True)
class VideoPart:
    """One network of a video model."""

    component: str  # "unet" or "vae"
    source: Source
    make: Callable[[], Blank[nn.Module]]

    def blank(self) -> Blank[nn.Module]:
        return self.make()


def load_video(file: ModelFile, device: Device, go_on: Callable[[], None] = lambda: None) -> VideoModel:
    """The UNet and the VAE. `go_on`: asked before each tensor; what it raises ends the loading.

    Raises `UserError` when a part is missing, damaged, or does not fit its sizes; that is known before a weight is read.
    """
    path = file.path
    parts = _folder_parts(path) if path.is_dir() else _file_parts(path)
    networks = read_networks(parts, device, go_on)
    unet, vae = networks["unet"], networks["vae"]
    family = SV3D if file.identity.family == SV3D.key else SVD
    return VideoModel(
        file=file,
        family=replace(family, latent=latent_space(family, vae)),
        device=device,
        unet=unet,
        vae=vae,
        preview=load_preview_decoder(path / "preview", family).to(device.torch_device),
        timed_decoder=is_timed(parts[0].source),
    )


def load_image_encoder(file: ModelFile, device: Device) -> Vision:
    """The encoder of pictures that goes with it. Raises `UserError` as `load_video`."""
    return load_vision(file.path / IMAGE_ENCODER, device) if file.path.is_dir() else own_vision(file.path, device)


def own_vision(file: Path, device: Device) -> Vision:
    """The encoder of pictures that a single file brings."""
    header = read_header(file)
    names = vision_names(list(header.tensors))
    if not names:
        raise _missing("encoder of pictures", file)
    return vision_of(Source(f"encoder of pictures of “{file.stem}”", [(file, header)], names), header.metadata, vision_tensors, device)


def is_timed(vae: Source) -> bool:
    """Its decoder has layers over the frames, in the original's names or in diffusers'."""
    return any(name.startswith("decoder.") and (TIME_STACK in name or ".temporal_res_block." in name) for name in vae.names)


def _file_parts(file: Path) -> list[VideoPart]:
    header = read_header(file)
    names = list(header.tensors)
    vae = _source("VAE", file, header, video_vae_names(names))
    unet = _source("UNet", file, header, video_unet_names(names))
    sizes = {part: config(KIT / f"{part}.json") | own_sizes(header.metadata, part) for part in ("unet", "vae")}
    sizes["unet"] |= _added(unet)
    return [
        VideoPart("vae", vae, partial(blank_video_vae, vae.part, sizes["vae"], is_timed(vae))),
        VideoPart("unet", unet, partial(blank_video_unet, unet.part, sizes["unet"])),
    ]


def _added(unet: Source) -> dict[str, object]:
    """How many numbers are added to the time embedding: what tells SVD, SV3D_u and SV3D_p apart."""
    width = next((unet.weights[name].shape[-1] for name in ADDED if name in unet.weights), None)
    return {} if width is None else {"projection_class_embeddings_input_dim": width}


def _source(what: str, file: Path, header: Header, names: Names) -> Source:
    if not names:
        raise _missing(what, file)
    return Source(f"{what} of “{file.stem}”", [(file, header)], names)


def _missing(what: str, file: Path) -> UserError:
    return UserError(f"“{file.stem}” holds no {what}. Look for the complete file of this model.")


def _folder_parts(folder: Path) -> list[VideoPart]:
    vae, unet = (folder_source(folder / name) for name in ("vae", "unet"))
    sizes = {name: config(folder / name / "config.json") for name in ("vae", "unet")}
    timed = is_timed(vae)
    checked = of_class(vae.part, sizes["vae"], "video_vae" if timed else "vae"), of_class(unet.part, sizes["unet"], "video_unet")
    return [
        VideoPart("vae", vae, partial(blank_video_vae, vae.part, checked[0], timed)),
        VideoPart("unet", unet, partial(blank_video_unet, unet.part, checked[1])),
    ]
