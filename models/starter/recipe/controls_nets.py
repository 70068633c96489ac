"""The networks of the controls, built on the starter's UNet, and the starter steered by them."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass, replace
from typing import Any, cast

import torch
from diffusers import ControlNetModel, UNet2DConditionModel
from diffusers.models.unets.unet_2d_condition import UNet2DConditionOutput
from torch import Tensor, nn
from transformers import DPTConfig, DPTForDepthEstimation

from models.starter.recipe.sampling import Starter

STEPS_SEEN = 10  # before the average reaches its own length it follows more closely
MIDDLE_NEARNESS = 0.4
DEPTH_GAIN = 8.0
"""In training depth maps are as many times as large: by Adam's steps the new channel learns as many times faster than the old ones."""


def control_sizes(unet: UNet2DConditionModel) -> dict[str, Any]:
    """The arguments of `ControlNetModel`. It has no attention: what a map says is where things are, not what the words say."""
    taken = ("in_channels", "block_out_channels", "layers_per_block", "attention_head_dim", "cross_attention_dim", "norm_num_groups")
    blocks = {"down_block_types": ["DownBlock2D"] * len(unet.config["block_out_channels"]), "mid_block_type": "UNetMidBlock2D"}
    own = {name: unet.config[name] for name in taken} | blocks
    own["block_out_channels"] = list(own["block_out_channels"])
    return own | {"conditioning_channels": 3, "conditioning_embedding_out_channels": [16, 32, 64, 96]}


def new_controlnet(unet: UNet2DConditionModel) -> ControlNetModel:
    """Zhang et al. 2023 (arXiv:2302.05543): begins as a copy of the UNet's first half, and adds nothing."""
    network = ControlNetModel(**control_sizes(unet))
    own, given = network.state_dict(), unet.state_dict()
    network.load_state_dict(own | {name: given[name] for name in own if name in given and given[name].shape == own[name].shape})
    return network


def new_depth_unet(unet: UNet2DConditionModel) -> UNet2DConditionModel:
    """The UNet with a fifth channel, the depth map, that does nothing yet. Stable Diffusion 2's way."""
    sizes = {name: value for name, value in unet.config.items() if not name.startswith("_")}  # not where it was read from
    wider = UNet2DConditionModel.from_config(sizes | {"in_channels": unet.config["in_channels"] + 1})
    assert isinstance(wider, UNet2DConditionModel)
    weights = unet.state_dict()
    first = weights["conv_in.weight"]
    weights["conv_in.weight"] = torch.cat([first, torch.zeros_like(first[:, :1])], 1)
    wider.load_state_dict(weights)
    return wider


@torch.no_grad()
def with_depth_gain(unet: UNet2DConditionModel, gain: float = DEPTH_GAIN) -> UNet2DConditionModel:
    """What was trained on maps `gain` times as large, for maps as they are. Changes the network given."""
    unet.get_parameter("conv_in.weight")[:, -1] *= gain
    return unet


def new_estimator(size: int) -> DPTForDepthEstimation:
    """Ranftl et al. 2021 (arXiv:2103.13413), small: pictures (B, 3, size, size) to nearness (B, size, size)."""
    sizes = DPTConfig(
        image_size=size, patch_size=8, hidden_size=96, num_hidden_layers=4, num_attention_heads=4, intermediate_size=288,
        backbone_out_indices=[0, 1, 2, 3], readout_type="ignore", reassemble_factors=[2, 1, 0.5, 0.25],
        neck_hidden_sizes=[24, 32, 48, 64], fusion_hidden_size=32, use_auxiliary_head=False,
    )  # fmt: skip
    network = DPTForDepthEstimation(sizes)
    last = [layer for layer in network.head.modules() if isinstance(layer, nn.Conv2d)][-1]
    assert last.bias is not None
    nn.init.constant_(last.bias, MIDDLE_NEARNESS)  # a rectifier follows: below nothing it would never learn
    return network


class Averaged(nn.Module):
    """A network in training and the moving average of its weights, which is what is kept in the end. Both are in one checkpoint."""

    def __init__(self, network: nn.Module, decay: float) -> None:
        super().__init__()
        self.network, self.average = network, deepcopy(network).requires_grad_(False).eval()
        self.decay = decay
        self.steps = nn.Parameter(torch.zeros(()), requires_grad=False)

    @torch.no_grad()
    def follow(self) -> None:
        """Once a step."""
        decay = min(self.decay, float((1 + self.steps) / (STEPS_SEEN + self.steps)))
        for mean, weight in zip(self.average.parameters(), self.network.parameters(), strict=True):
            mean.lerp_(weight, 1 - decay)
        self.steps += 1


# -- the starter, steered -----------------------------------------------------


@dataclass(frozen=True)
class WithControlNet:
    """Stands in for the UNet: the same call, with what a ControlNet adds. Within its timesteps, `low` to `high`, alone."""

    unet: UNet2DConditionModel
    controlnet: ControlNetModel
    maps: Tensor
    """(B, 3, H, W), 0..1. A call with 2 B latents, as guidance makes it, uses them twice."""
    weight: float = 1.0
    low: int = 0
    high: int = 1000

    @property
    def config(self) -> Any:
        return self.unet.config

    def __call__(self, latents: Tensor, timestep: Tensor | int, encoder_hidden_states: Tensor) -> UNet2DConditionOutput:
        if isinstance(timestep, int) and not self.low <= timestep < self.high:
            return self.unet(latents, timestep, encoder_hidden_states=encoder_hidden_states)
        maps = self.maps.repeat(len(latents) // len(self.maps), 1, 1, 1)
        down, middle = self.controlnet(latents, timestep, encoder_hidden_states, maps, self.weight, return_dict=False)
        return self.unet(
            latents,
            timestep,
            encoder_hidden_states=encoder_hidden_states,
            down_block_additional_residuals=down,
            mid_block_additional_residual=middle,
        )


@dataclass(frozen=True)
class WithDepth:
    """Stands in for the UNet: the depth UNet with its maps."""

    unet: UNet2DConditionModel
    maps: Tensor
    """(B, 1, h, w), -1..1."""

    @property
    def config(self) -> Any:
        return self.unet.config

    def __call__(self, latents: Tensor, timestep: Tensor | int, encoder_hidden_states: Tensor) -> UNet2DConditionOutput:
        maps = self.maps.repeat(len(latents) // len(self.maps), 1, 1, 1)
        return self.unet(torch.cat([latents, maps], 1), timestep, encoder_hidden_states=encoder_hidden_states)


def steered(starter: Starter, unet: WithControlNet | WithDepth) -> Starter:
    """The same starter, whose UNet is called with a control."""
    return replace(starter, unet=cast(UNet2DConditionModel, unet))
