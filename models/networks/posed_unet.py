"""The UNet of SV3D_p: Stable Video Diffusion's, in which each frame is told for itself from where it is seen.

Voleti et al. (2024), arXiv:2403.12008. diffusers' UNet says the same to all frames, so the way through its layers is written here.
Importing this module imports diffusers.
"""

from __future__ import annotations

from typing import Any

import torch
from diffusers.models.embeddings import get_timestep_embedding
from diffusers.models.unets.unet_spatio_temporal_condition import UNetSpatioTemporalConditionModel
from torch import Tensor

__all__ = ["PosedUNet", "UNetSpatioTemporalConditionModel"]

WIDTHS = (256, 512, 512)  # sines and cosines of the noise on the picture, of the polar angle and of the azimuth


class PosedUNet(UNetSpatioTemporalConditionModel):
    """A network with the weights and the names of its parent."""

    def forward(
        self, sample: Tensor, timestep: Tensor | float, encoder_hidden_states: Tensor, added_time_ids: Tensor, return_dict: bool = False
    ) -> tuple[Tensor]:
        """`sample`: (n, frames, channels, h, w). `timestep`: (n,), or one for all. `encoder_hidden_states`: (n, 1, width).
        `added_time_ids`: (n, frames, 3), the noise on the picture, and polar angle and azimuth in radians. Gives a tuple, as diffusers'
        without `return_dict`.
        """
        count, frames = sample.shape[:2]
        times = torch.as_tensor(timestep, device=sample.device).expand(count)
        time = self.time_embedding(self.time_proj(times).to(sample.dtype)).unsqueeze(1)
        told = time + self.add_embedding(_waves(added_time_ids).to(sample.dtype)).view(count, frames, -1)
        context = encoder_hidden_states.repeat_interleave(frames, 0)
        still = torch.zeros(count, frames, dtype=sample.dtype, device=sample.device)  # no frame is a picture by itself
        answered = self._layers(sample.flatten(0, 1), {"temb": told.flatten(0, 1), "image_only_indicator": still}, context)
        return (answered.view(count, frames, *answered.shape[1:]),)

    def _layers(self, x: Tensor, told: dict[str, Tensor], context: Tensor) -> Tensor:
        x = self.conv_in(x)
        kept: list[Tensor] = [x]
        for block in self.down_blocks:
            x, found = block(hidden_states=x, **told, **_words(block, context))
            kept.extend(found)
        x = self.mid_block(hidden_states=x, **told, encoder_hidden_states=context)
        for block in self.up_blocks:
            beside = tuple(kept[-len(block.resnets) :])  # pyright: ignore[reportArgumentType]
            del kept[-len(beside) :]
            larger = {"upsample_size": kept[-1].shape[2:]} if kept else {}
            x = block(hidden_states=x, res_hidden_states_tuple=beside, **larger, **told, **_words(block, context))
        return self.conv_out(self.conv_act(self.conv_norm_out(x)))


def _words(block: Any, context: Tensor) -> dict[str, Tensor]:  # Any: a block of diffusers, some of which attend
    return {"encoder_hidden_states": context} if getattr(block, "has_cross_attention", False) else {}


def _waves(numbers: Tensor) -> Tensor:
    """(n * frames, 1280) of (n, frames, 3)."""
    each = numbers.flatten(0, -2).unbind(-1)
    pairs = zip(each, WIDTHS, strict=True)
    return torch.cat([get_timestep_embedding(value, width, flip_sin_to_cos=True, downscale_freq_shift=0) for value, width in pairs], -1)
