"""The networks of the tiny Zero123 (Liu et al. 2023, arXiv:2303.11328), of Zero123's own form."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from torch import Tensor, nn
from transformers import CLIPVisionModelWithProjection

from models.starter.recipe.moving_vision import EMBEDDING

POSE = 4  # numbers
TOLD = 96  # width of what the cross attention reads


def new_turn_unet(size: int) -> UNet2DConditionModel:
    """Predicts the noise in latents (B, 4, size / 8, size / 8), beside which lie those of the picture, told one token (B, 1, 96)."""
    return UNet2DConditionModel(
        sample_size=size // 8,
        in_channels=8,
        block_out_channels=(32, 64, 128),
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
        layers_per_block=1,
        attention_head_dim=4,
        cross_attention_dim=TOLD,
        norm_num_groups=16,
    )


class TurnDenoiser(nn.Module):
    """UNet and the projection of picture and pose, which are trained together."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.unet = new_turn_unet(size)
        self.cc_projection = nn.Linear(EMBEDDING + POSE, TOLD)

    def forward(self, noisy: Tensor, timesteps: Tensor, seen: Tensor, pose: Tensor, beside: Tensor, shown: Tensor) -> Tensor:
        """The noise. `seen` (B, 64) and `pose` (B, 4) become the token; `beside`: the picture's latents, not scaled.

        `shown`: (B,), 1 or 0. Without the picture means zeros in place of the token and of the latents.
        """
        token = self.cc_projection(torch.cat([seen, pose], 1)).unsqueeze(1) * shown[:, None, None]
        joined = torch.cat([noisy, beside * shown[:, None, None, None]], 1)
        return self.unet(joined, timesteps, encoder_hidden_states=token).sample


class PoseStudent(nn.Module):
    """The denoiser in training, with a linear reader of its middle: where the thing is to be seen from must stand there.

    By the noise alone the sum of two angles is learnt late, as little of a picture depends on it until all else is right.
    """

    def __init__(self, size: int) -> None:
        super().__init__()
        self.denoiser = TurnDenoiser(size)
        self.reader = nn.Linear(self.denoiser.unet.config["block_out_channels"][-1], POSE)
        self._middle: list[Any] = []  # Any: the hook's answer, one tensor
        middle = self.denoiser.unet.mid_block
        assert isinstance(middle, nn.Module)
        middle.register_forward_hook(lambda module, given, made: self._middle.append(made))

    def forward(self, *told: Tensor) -> tuple[Tensor, Tensor]:
        """What the denoiser says, and the pose (B, 4) that is read in its middle."""
        self._middle.clear()
        noise = self.denoiser(*told)
        return noise, self.reader(self._middle.pop().float().mean((2, 3)))


@dataclass(frozen=True)
class Turner:
    """All networks that turn a thing."""

    denoiser: TurnDenoiser
    vision: CLIPVisionModelWithProjection
    vae: AutoencoderKL
