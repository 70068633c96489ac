"""The network of the tiny video model, of the form of Stable Video Diffusion (Blattmann et al. 2023, arXiv:2311.15127)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from diffusers import AutoencoderKL, UNetSpatioTemporalConditionModel
from torch import Tensor, nn
from transformers import CLIPVisionModelWithProjection

from models.networks.video import EPS
from models.starter.recipe.moving_vision import EMBEDDING

FRAMES = 8
MOMENT = 3  # numbers of a frame: where the thing is, how far it has come, how far the light has
STEPS, GUIDANCE = 12, (1.0, 1.0)  # what suits it: guidance of the first and of the last frame, none
NUMBER = 32  # sines and cosines of each number that it is told


def new_video_unet(size: int) -> UNetSpatioTemporalConditionModel:
    """Predicts v from scaled latents of a clip and those of its picture beside them, (B, frames, 8, size / 8, size / 8)."""
    network = UNetSpatioTemporalConditionModel(
        sample_size=size // 8,
        block_out_channels=(32, 64, 128),  # pyright: ignore[reportArgumentType]
        down_block_types=("DownBlockSpatioTemporal", "CrossAttnDownBlockSpatioTemporal", "DownBlockSpatioTemporal"),  # pyright: ignore[reportArgumentType]
        up_block_types=("UpBlockSpatioTemporal", "CrossAttnUpBlockSpatioTemporal", "UpBlockSpatioTemporal"),  # pyright: ignore[reportArgumentType]
        layers_per_block=1,
        num_attention_heads=(1, 2, 4),  # pyright: ignore[reportArgumentType]
        cross_attention_dim=EMBEDDING,
        addition_time_embed_dim=NUMBER,
        projection_class_embeddings_input_dim=3 * NUMBER,
        num_frames=FRAMES,
    )
    for block in network.modules():
        if hasattr(block, "norm1") and isinstance(block.norm1, nn.GroupNorm):
            block.norm1.eps = block.norm2.eps = EPS  # pyright: ignore[reportAttributeAccessIssue, reportArgumentType]
    return network


class VideoDenoiser(nn.Module):
    """The UNet, called as it is used: in the equation of Karras et al. 2022 (arXiv:2206.00364) that predicts v."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.unet = new_video_unet(size)

    def forward(self, noisy: Tensor, levels: Tensor, seen: Tensor, beside: Tensor, numbers: Tensor) -> Tensor:
        """What the network says, before the equation. `noisy` (B, frames, 4, h, w) with noise of `levels` (B,), `seen` (B, 64), `beside`
        (B, 4, h, w) the picture's latents, not scaled, `numbers` (B, 3): frames a second less one, motion, noise on the picture.
        """
        inside = noisy / (levels**2 + 1).sqrt()[:, None, None, None, None]
        joined = torch.cat([inside, beside.unsqueeze(1).expand(-1, noisy.shape[1], -1, -1, -1)], 2)
        return self.unet(joined, 0.25 * levels.log(), seen.unsqueeze(1), numbers, return_dict=False)[0]


class WayStudent(nn.Module):
    """The denoiser in training, with a linear reader of its middle: how far thing and light have come must stand there, of each frame.

    As for the turns (`turn_nets.py`): by the noise alone a product of numbers is learnt late.
    """

    def __init__(self, size: int) -> None:
        super().__init__()
        self.denoiser = VideoDenoiser(size)
        self.reader = nn.Linear(self.denoiser.unet.config["block_out_channels"][-1], MOMENT)
        self._middle: list[Any] = []  # Any: the hook's answer, one tensor
        self.denoiser.unet.mid_block.register_forward_hook(lambda module, given, made: self._middle.append(made))

    def forward(self, noisy: Tensor, *told: Tensor) -> tuple[Tensor, Tensor]:
        """What the network says, and (B, frames, 3) what is read in its middle."""
        self._middle.clear()
        said = self.denoiser(noisy, *told)
        return said, self.reader(self._middle.pop().float().mean((2, 3))).unflatten(0, noisy.shape[:2])


def wanted_of(clean: Tensor, noisy: Tensor, levels: Tensor) -> Tensor:
    """What the network is to say: v."""
    level = levels[:, None, None, None, None]
    return (noisy / (level**2 + 1) - clean) * (level**2 + 1).sqrt() / level


def clean_of(said: Tensor, noisy: Tensor, levels: Tensor) -> Tensor:
    """The clip without noise, by what the network says."""
    level = levels[:, None, None, None, None]
    return noisy / (level**2 + 1) - said * level / (level**2 + 1).sqrt()


@dataclass(frozen=True)
class Mover:
    """All networks that make a clip of a picture."""

    denoiser: VideoDenoiser
    vision: CLIPVisionModelWithProjection
    vae: AutoencoderKL
