"""A tiny model of random weights that turns things, in one file as Columbia's code saves it, with what is left over of CLIP's words."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from models.families import SD1
from models.tensors.embedded_sizes import OWN_SIZES
from tests.support.original_names import Tensors, ldm_unet, ldm_vae
from tests.support.toy_files import prefixed, save
from tests.support.toy_video import VISION, WIDTH, ToyVideo, toy_video, vision_tensors
from tests.support.toy_weights import ToyNetworks, toy_networks

SIDE, POSE, TOLD = 64, 4, 32  # pixels; numbers of a pose; width of what the UNet reads


@dataclass(frozen=True)
class ToyTurning:
    networks: ToyNetworks
    video: ToyVideo  # whose encoder of pictures it has
    projection: nn.Linear

    @property
    def metadata(self) -> dict[str, str]:
        unet: dict[str, Any] = {**self.networks.unet.config, "sample_size": SIDE // 8}
        sizes = {"unet": unet, "vae": dict(self.networks.vae.config), "vision": VISION}
        return {OWN_SIZES: json.dumps(sizes, default=str)}


def toy_turning(seed: int = 1) -> ToyTurning:
    torch.manual_seed(seed)
    projection = nn.Linear(WIDTH + POSE, TOLD)
    return ToyTurning(toy_networks(SD1, 100, channels_in=8), toy_video(), projection)


def original(toy: ToyTurning) -> Tensors:
    found = prefixed("model.diffusion_model.", ldm_unet(toy.networks.unet.state_dict(), 1))
    found |= prefixed("first_stage_model.", ldm_vae(toy.networks.vae.state_dict()))
    found |= prefixed("cond_stage_model.model.visual.", vision_tensors(toy.video.vision.state_dict()))
    found |= {"cond_stage_model.model.token_embedding.weight": torch.randn(9, 8), "cond_stage_model.model.logit_scale": torch.tensor(4.6)}
    return found | prefixed("cc_projection.", toy.projection.state_dict())


def write_turning(file: Path, toy: ToyTurning | None = None) -> Path:
    toy = toy or toy_turning()
    return save(file, original(toy), toy.metadata)
