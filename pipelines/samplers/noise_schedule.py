"""The noise schedule: the levels a model was trained on, and the way between them and its timesteps."""

from __future__ import annotations

from copy import copy
from typing import TYPE_CHECKING, Self

import torch
from torch import Tensor

from models.families import SD_ALIGNED_LEVELS
from models.families.prediction import EPSILON, PREDICTIONS, Prediction

if TYPE_CHECKING:
    from models.diffusion_model import DiffusionModel


class NoiseSchedule:
    """Training noise levels sigma_t = sqrt((1 - alphas_cumprod_t) / alphas_cumprod_t), t = 0 .. N - 1, rising.

    Between two timesteps log sigma is linear in t, as in k-diffusion's DiscreteSchedule, so a sampler may stop anywhere.
    """

    def __init__(
        self, alphas_cumprod: Tensor, aligned_levels: tuple[float, ...] = SD_ALIGNED_LEVELS, prediction: Prediction = EPSILON
    ) -> None:
        """`alphas_cumprod`: (N,) on the host, where steps are planned; falling from nearly 1 towards 0, above 0. `aligned_levels`: those
        that Align Your Steps takes, falling. `prediction`: what is predicted at these levels, and how noise is mixed in.
        """
        self._count(((1 - alphas_cumprod) / alphas_cumprod).sqrt())
        self.aligned_levels, self.prediction = aligned_levels, prediction

    def _count(self, sigmas: Tensor) -> None:
        self.sigmas, self.log_sigmas = sigmas, sigmas.log()
        self.sigma_min, self.sigma_max = sigmas[0].item(), sigmas[-1].item()

    def to(self, device: torch.device) -> Self:
        """The same for noise levels that are on a device."""
        moved = copy(self)
        moved.sigmas, moved.log_sigmas = self.sigmas.to(device), self.log_sigmas.to(device)
        return moved

    def __len__(self) -> int:
        return len(self.sigmas)

    def t_to_sigma(self, t: Tensor) -> Tensor:
        """Noise level at timestep t, 0 <= t <= N - 1, whole or not."""
        t = t.to(self.sigmas)
        low = t.floor().long()
        return torch.lerp(self.log_sigmas[low], self.log_sigmas[t.ceil().long()], t - low).exp()

    def sigma_to_t(self, sigma: Tensor, quantize: bool = False) -> Tensor:
        """Timestep of a noise level; levels outside the trained range give the first or the last.

        With `quantize` the nearest trained timestep (in log sigma), as a whole number.
        """
        log_sigma = sigma.to(self.sigmas).log().clamp(self.log_sigmas[0], self.log_sigmas[-1])
        low = (torch.searchsorted(self.log_sigmas, log_sigma, right=True) - 1).clamp(0, len(self) - 2)
        below, above = self.log_sigmas[low], self.log_sigmas[low + 1]
        t = low + (log_sigma - below) / (above - below)
        return t.round().long() if quantize else t

    def time(self, sigma: Tensor) -> Tensor:
        """What the network is told of noise levels (n,)."""
        return self.prediction.time(sigma, self.sigma_to_t)


class CountedSchedule(NoiseSchedule):
    """The levels that a prediction counts by itself, for networks that were trained on no timesteps."""

    def __init__(self, prediction: Prediction, aligned_levels: tuple[float, ...]) -> None:
        self._count(torch.tensor(prediction.levels))
        self.aligned_levels, self.prediction = aligned_levels, prediction


def schedule_of(model: DiffusionModel) -> NoiseSchedule:
    """Of what a model predicts."""
    prediction, aligned = PREDICTIONS[model.prediction_type], model.family.aligned_levels
    return CountedSchedule(prediction, aligned) if prediction.levels else NoiseSchedule(model.alphas_cumprod, aligned, prediction)
