"""The border between samplers and networks: noisy latents and a noise level in, the predicted clean latents out.

A sampler works on latents x = x0 + sigma * noise. The networks were trained on x / sqrt(sigma^2 + 1), the variance-preserving
form of the same thing; here is the one place that knows (Karras et al. 2022, table 1, and for the v form Salimans & Ho 2022).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from models.errors import Overflow
from models.loading import DiffusionModel
from pipelines.samplers.noise_schedule import NoiseSchedule


@dataclass(frozen=True)
class Conditioning:
    """What the prompts say to the network: (1, tokens, width) each, of equal length. No `negative`: guidance is 1."""

    positive: Tensor
    negative: Tensor | None
    guidance_scale: float


class Denoiser:
    """`denoise(x, sigma) -> x0` with classifier-free guidance (Ho & Salimans 2022): x0 = negative + scale * (positive - negative)."""

    def __init__(self, model: DiffusionModel, schedule: NoiseSchedule, conditioning: Conditioning) -> None:
        self._model = model
        self.schedule = schedule
        self._scale = conditioning.guidance_scale
        branches = [conditioning.positive] if conditioning.negative is None else [conditioning.negative, conditioning.positive]
        self._context = torch.cat(branches)  # (branches, tokens, width)

    def __call__(self, x: Tensor, sigma: Tensor) -> Tensor:
        """x: (n, 4, h, w) float32; sigma: (n,). Raises `Overflow` when the network's answer is not finite."""
        size = self._model.device.pictures_a_call or len(x)
        calls = zip(x.split(size), sigma.split(size), strict=True)
        x0 = torch.cat([self._predict(part, level) for part, level in calls])
        if not torch.isfinite(x0).all():
            raise Overflow("Numbers overflowed in the UNet, so there is no picture to show. Try a lower guidance, or another sampler.")
        return x0

    def _predict(self, x: Tensor, sigma: Tensor) -> Tensor:
        level = sigma.view(-1, 1, 1, 1)
        noise_free = (level**2 + 1).rsqrt()  # 1 / sqrt(sigma^2 + 1): also the cosine of v-prediction's angle
        output = self._network(x * noise_free, self.schedule.sigma_to_t(sigma))
        if self._model.prediction_type == "v_prediction":
            return x * noise_free**2 - output * level * noise_free
        return x - output * level

    def _network(self, x: Tensor, timestep: Tensor) -> Tensor:
        """The guided output of the UNet. Guidance is linear, so it acts on the output as it would on x0."""
        branches = len(self._context)
        dtype = self._model.device.dtype
        context = self._context.repeat_interleave(len(x), 0)
        inputs = x.to(dtype).repeat(branches, 1, 1, 1)
        output = self._model.unet(inputs, timestep.to(inputs.device).repeat(branches), context, return_dict=False)[0].float()
        if branches == 1:
            return output
        negative, positive = output.chunk(2)
        return negative + self._scale * (positive - negative)
