"""Loading of models that turn things, Zero123 and its relatives: UNet and VAE of Stable Diffusion 1, and what reads picture and pose."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import nn

from models.diffusion_model import DiffusionModel
from models.errors import UserError
from models.families import ZERO123
from models.files import ModelFile
from models.kits import KITS
from models.library.checkpoint import Facts, checkpoint_of
from models.loading.loading import latent_space, read_networks, training_signal
from models.loading.preview_decoder import load_preview_decoder
from models.loading.video import own_vision
from models.memory.device import Device
from models.networks.build import BUILDING, Blank, check, fill, form_of
from models.networks.components import file_parts
from models.networks.vision import Vision
from models.tensors.header import read_header
from models.tensors.sources import Source, config

KIT = KITS / "sd1"
PROJECTION = "cc_projection."
POSE = 4  # numbers of a view
POSED = 303_966_208 + 593_664  # weights of the encoder of pictures and of the projection, in the published size


@dataclass(frozen=True)
class PoseReader:
    """What a picture and a pose become together: all that the cross attention reads."""

    vision: Vision
    projection: nn.Linear  # of what is seen in the picture and four numbers


def load_turning(file: ModelFile, device: Device, go_on: Callable[[], None] = lambda: None) -> DiffusionModel:
    """The UNet and the VAE of a single file. `go_on`: asked before each tensor; what it raises ends the loading.

    Raises `UserError` when a part is missing, damaged, or does not fit its sizes; that is known before a weight is read.
    """
    networks = read_networks(file_parts(file.path, ZERO123, KIT, {}), device, go_on)
    return DiffusionModel(
        checkpoint=replace(checkpoint_of(file, Facts()), family=ZERO123.name, family_key=ZERO123.key),
        family=replace(ZERO123, latent=latent_space(ZERO123, networks["vae"])),
        device=device,
        unet=networks["unet"],
        vae=networks["vae"],
        text_encoders=(),
        preview=load_preview_decoder(file.path, ZERO123).to(device.torch_device),
        alphas_cumprod=training_signal(config(KIT / "scheduler.json")).float(),
        prediction_type="epsilon",
    )


def load_pose_reader(file: ModelFile, device: Device) -> PoseReader:
    """Raises `UserError` as `load_turning`."""
    header = read_header(file.path)
    names = {name.removeprefix(PROJECTION): name for name in header.tensors if name.startswith(PROJECTION)}
    if not names:
        raise UserError(f"“{file.path.stem}” holds no reader of poses. Look for the complete file of this model.")
    source = Source(f"reader of poses of “{file.path.stem}”", [(file.path, header)], names)
    shape = source.weights["weight"].shape if "weight" in source.weights else (1, 1)
    with BUILDING, torch.device("meta"):
        blank = Blank(nn.Linear(shape[-1], shape[0]), dict)
    projection = fill(blank, check(source, blank).read(form_of(device)), device)
    vision = own_vision(file.path, device)
    _check_fit(file, vision, projection)
    return PoseReader(vision, projection)


def _check_fit(file: ModelFile, vision: Vision, projection: nn.Linear) -> None:
    says, reads = vision.network.config.projection_dim, projection.in_features - POSE
    if says != reads:
        what = f"“{file.path.stem}” holds an encoder of pictures that says {says} numbers, and what follows it reads {reads}"
        raise UserError(f"{what}: the two are of different models. Look for the complete file of this model.")
