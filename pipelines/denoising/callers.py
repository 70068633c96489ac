"""Callers: how the network of each architecture is asked. One takes what is told, noisy latents and a time, and gives the output.

The denoiser knows the table alone. A new architecture is a class and its line.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import Any, Protocol

import torch
from torch import Tensor

from models.diffusion_model import DiffusionModel
from models.video_model import VideoModel
from pipelines.denoising.areas import Areas
from pipelines.denoising.control_residuals import Call, ControlResiduals
from pipelines.denoising.samples import Samples
from pipelines.denoising.told import Told
from pipelines.requests.steps import Steps


class Caller(Protocol):
    """Asks the network of one model."""

    def begin(self, index: int, steps: Steps) -> None:
        """Step `index` of those that are planned, counted from 0, comes next."""
        ...

    def guided(self, scale: Any) -> bool:  # Any: as its guidance says it
        """Whether the network itself is told this guidance, so that there is nothing left to multiply."""
        ...

    def __call__(self, told: Told, x: Tensor, time: Tensor, samples: Samples, held: bool = True) -> Tensor:
        """The output for each branch, (branches * n, ...), float32. x: (n, ...) as the network reads it; `time`: (n,). `held`: the last
        branch is a prompt's; else none is.
        """
        ...


@dataclass(frozen=True)
class Beside:
    """What a run may give its caller besides the words: what an architecture does not read, it is not given."""

    extra_channels: Tensor | None = None  # (n or 1 or one a window, channels, h, w), read next to the latents (c_concat)
    residuals: ControlResiduals = field(default_factory=ControlResiduals)
    noise_level: int | None = None  # of the small picture that is read beside the latents, where a network is told it
    go_on: Callable[[], None] = lambda: None  # asked between two calls of one step; raises to end it
    areas: Areas | None = None  # where the words of regions act, if there are any


class UNetCaller:
    """The UNet of Stable Diffusion and its relatives, steered by control networks and pictures that are shown to it."""

    def __init__(self, model: DiffusionModel, beside: Beside) -> None:
        self._model, self._areas = model, beside.areas
        self._extra_channels, self._residuals = beside.extra_channels, beside.residuals
        self._level = None if beside.noise_level is None else torch.tensor([beside.noise_level], device=model.device.torch_device)
        self._distilled: dict[float, Tensor | None] = {}  # what a network is told of its guidance, for each of its values
        self._scale: Tensor | None = None
        self._is_first = False  # the next call is that of the first step

    def begin(self, index: int, steps: Steps) -> None:
        self._is_first = index == steps.skipped
        self._residuals.begin(index, steps)
        if self._model.paced and index < steps.planned:
            self._model.paced.turn(index - steps.skipped, steps.run)
        for own in self._model.regional.values() if index < steps.planned else ():
            own.dressed.turn(index - steps.skipped, steps.run)

    def guided(self, scale: float) -> bool:
        if scale not in self._distilled:
            self._distilled[scale] = distilled_scale(self._model, scale)
        self._scale = self._distilled[scale]
        return self._scale is not None

    def __call__(self, told: Told, x: Tensor, time: Tensor, samples: Samples, held: bool = True) -> Tensor:
        branches, dtype = told.branches, self._model.device.dtype
        context = told.context(samples)
        latents = x.to(dtype).repeat(branches, 1, 1, 1)
        timesteps = time.repeat(branches)
        added = _added(told, samples)
        steered = self._residuals.residuals(Call(latents, timesteps, context, added, branches, samples, held))
        level = None if self._level is None else self._level.expand(len(latents))
        further = {"timestep_cond": self._scale, "class_labels": level, "added_cond_kwargs": added, **steered}
        given = self._with_beside(latents, told.beside(samples), samples)
        divided = self._areas.reading(self._model.unet, told.regions, branches, samples) if self._areas else nullcontext()

        def ask() -> Tensor:
            with divided, self._residuals.with_image_prompts(self._model.unet, branches if held else 0, samples):
                return self._model.unet(given, timesteps, context, **further, return_dict=False)[0].float()

        is_first, self._is_first = self._is_first, False
        if not is_first or self._model.recall is None:
            return ask()
        return self._model.recall([given, timesteps, context, self._scale, level, *(added or {}).values()], ask)

    def _with_beside(self, latents: Tensor, own: Tensor | None, samples: Samples) -> Tensor:
        """`own`: what each branch reads for itself; else all read the same, or nothing."""
        if own is not None:
            return torch.cat([latents, own.to(latents)], 1)
        if self._extra_channels is None:
            return latents
        extra_channels = samples.rows(self._extra_channels)
        return torch.cat([latents, extra_channels.to(latents).repeat(len(latents) // len(extra_channels), 1, 1, 1)], 1)


class ClipCaller:
    """The UNet of Stable Video Diffusion and SV3D: x is a clip, (n, frames, channels, h, w), beside each frame of which lies the same
    picture. Its numbers are told once a clip, or once a frame.
    """

    def __init__(self, model: VideoModel, beside: Beside) -> None:
        self._model, self._go_on = model, beside.go_on

    def begin(self, index: int, steps: Steps) -> None:
        """Nothing of it changes from step to step."""

    def guided(self, scale: object) -> bool:
        return False

    def __call__(self, told: Told, x: Tensor, time: Tensor, samples: Samples, held: bool = True) -> Tensor:
        """Branches go one after another where pictures do, and where there is no room for both."""
        branches, apart = list(range(told.branches)), self._model.one_by_one or self._model.device.pictures_a_call == 1
        together = [[branch] for branch in branches] if apart else [branches]
        answers: list[Tensor] = []
        for place, each in enumerate(together):
            if place:
                self._go_on()
            answers.append(self._asked(told, each, x, time, samples))
        return torch.cat(answers)

    def _asked(self, told: Told, branches: Sequence[int], x: Tensor, time: Tensor, samples: Samples) -> Tensor:
        picture, dtype = told.beside(samples, branches), self._model.device.dtype
        assert picture is not None, "a clip begins with a picture"
        latents, numbers = x.repeat(len(branches), 1, 1, 1, 1), told.sizes[list(branches)].squeeze(1).repeat_interleave(len(x), 0)
        given = torch.cat([latents, picture.to(latents).unsqueeze(1).expand(-1, x.shape[1], -1, -1, -1)], 2).to(dtype)
        context = told.context(samples, branches).to(dtype)
        return self._model.unet(given, time.repeat(len(branches)), context, numbers, return_dict=False)[0].float()


def _added(told: Told, samples: Samples) -> dict[str, Tensor] | None:
    if told.pooled is None:
        return None
    count = samples.end - samples.first
    sizes = [samples.rows(branch).expand(count, -1) for branch in told.sizes]
    return {"text_embeds": told.pooled.repeat_interleave(count, 0), "time_ids": torch.cat(sizes)}


def distilled_scale(model: DiffusionModel, guidance_scale: float) -> Tensor | None:
    """What a network that was distilled with its guidance is told of it, (1, width); None: it is an ordinary one.

    The guidance beyond 1 as sines and cosines: Luo et al. 2023, arXiv:2310.04378, latent consistency models.
    """
    width = model.unet.config.get("time_cond_proj_dim")
    if not width:
        return None
    half = width // 2
    angles = 1000 * (guidance_scale - 1) * torch.exp(torch.arange(half) * (-math.log(10000) / (half - 1)))
    return torch.cat([angles.sin(), angles.cos()]).unsqueeze(0).to(model.device.torch_device, model.device.dtype)


# Any: a model of the architecture that its line names
CALLERS: Mapping[str, Callable[[Any, Beside], Caller]] = {"unet": UNetCaller, "clip": ClipCaller}
