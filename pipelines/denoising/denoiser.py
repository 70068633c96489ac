"""The denoiser, between samplers and networks: noisy latents and a noise level in, the predicted clean latents out.

A sampler works on latents x = x0 + sigma * noise. The networks were trained on x / sqrt(sigma^2 + 1), the variance-preserving
form of the same thing; here is the one place that knows (Karras et al. 2022, table 1, and for the v form Salimans & Ho 2022).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from models.diffusion_model import DiffusionModel
from pipelines.denoising.control_residuals import Call, ControlResiduals
from pipelines.denoising.samples import Samples
from pipelines.requests.steps import Steps
from pipelines.samplers.noise_schedule import NoiseSchedule


@dataclass(frozen=True)
class Condition:
    """The condition of one prompt: what it says to the network."""

    context: Tensor  # (1, tokens, width): what the cross attention reads
    pooled: Tensor | None = None  # (1, width): SDXL adds it to the timestep
    sizes: tuple[tuple[float, ...], ...] = ((),)  # SDXL: the numbers that go with it (`Family.size_numbers`), once or for each window


@dataclass(frozen=True)
class AtOnce:
    """What the network is told at one call: prompts of equal length. No `negative`: guidance is 1, or the network was distilled to
    know it.
    """

    positives: tuple[tuple[float, Condition], ...]  # what each weighs, and what it says; more than one only with a negative one
    negative: Condition | None = None


@dataclass(frozen=True)
class Conditioning:
    """The conditioning of the prompts over the calls of a run."""

    calls: tuple[AtOnce, ...]  # what each call is told, the last one from there on; what is the same is the same object
    guidance_scale: float
    guidance_rescale: float = 0.0  # 0 .. 1
    calls_a_step: int = 1
    noise_level: int | None = None  # of the small picture that is read beside the latents, where a network is told it


class _Told:
    """What one call of the network reads: the conditions of its branches, the negative one first."""

    def __init__(self, branches: Sequence[Condition]) -> None:
        self.context = torch.cat([branch.context for branch in branches])  # (branches, tokens, width)
        pooled = [branch.pooled for branch in branches if branch.pooled is not None]
        self.pooled = torch.cat(pooled) if pooled else None  # (branches, width)
        # float32 whatever the model's precision: bfloat16 has no number for a size like 1032
        self.sizes = torch.tensor([branch.sizes for branch in branches], dtype=torch.float32, device=self.context.device)


class _Turn:
    """What is told at once: the negative prompt and the first one together, each further one alone."""

    def __init__(self, at_once: AtOnce) -> None:
        (self.weight, first), *others = at_once.positives
        self.guided = at_once.negative is not None
        self.first = _Told([at_once.negative, first] if at_once.negative else [first])
        self.others = [(weight, _Told([condition])) for weight, condition in others]


class Denoiser:
    """`denoise(x, sigma) -> x0` with classifier-free guidance (Ho & Salimans 2022): x0 = negative + scale * (positive - negative).

    Prompts that are joined each push away from the negative one by their weight (Liu et al. 2022, arXiv:2206.01714, composable diffusion).
    """

    def __init__(
        self,
        model: DiffusionModel,
        schedule: NoiseSchedule,
        conditioning: Conditioning,
        extra_channels: Tensor | None = None,
        residuals: ControlResiduals | None = None,
        most_a_call: int | None = None,
        go_on: Callable[[], None] = lambda: None,
    ) -> None:
        """`extra_channels`: (n or 1 or one a window, channels, h, w), read next to the latents (c_concat); for inpainting, the mask
        and the rest. `most_a_call`: samples, where the device would take more. `go_on`: asked between two calls of one step; raises
        to end it.
        """
        self._model = model
        self._extra_channels = extra_channels
        self._residuals = residuals or ControlResiduals()
        self.schedule, self._timesteps = schedule, schedule.to(model.device.torch_device)
        self._distilled_scale = distilled_scale(model, conditioning.guidance_scale)
        self._scale = 1.0 if self._distilled_scale is not None else conditioning.guidance_scale
        self._rescale = conditioning.guidance_rescale
        turns = {id(told): _Turn(told) for told in conditioning.calls}
        self._turns = [turns[id(told)] for told in conditioning.calls]
        self._calls_a_step = conditioning.calls_a_step
        self._step = self._made = 0  # the step that runs, and the calls that were made in it
        self._turn = self._turns[0]
        level = conditioning.noise_level
        self._level = None if level is None else torch.tensor([level], device=model.device.torch_device)
        self._most_a_call, self._go_on = most_a_call, go_on

    def begin(self, index: int, steps: Steps) -> None:
        self._residuals.begin(index, steps)
        if self._model.paced and index < steps.planned:
            self._model.paced.turn(index - steps.skipped, steps.run)
        self._step, self._made = index - steps.skipped, 0

    def __call__(self, x: Tensor, sigma: Tensor) -> Tensor:
        """x: (n, 4, h, w) float32; sigma: (n,). Calls are counted from the first step that runs, as schedules do."""
        number = self._step * self._calls_a_step + min(self._made, self._calls_a_step - 1)
        self._turn = self._turns[min(number, len(self._turns) - 1)]
        self._made += 1
        size = self._model.device.pictures_a_call or self._most_a_call or len(x)
        answers: list[Tensor] = []
        for first in range(0, len(x), size):
            if first:
                self._go_on()
            call = Samples(first, min(first + size, len(x)), len(x))
            answers.append(self._predict(call.rows(x), call.rows(sigma), call))
        return torch.cat(answers)

    def _predict(self, x: Tensor, sigma: Tensor, samples: Samples) -> Tensor:
        level = sigma.view(-1, 1, 1, 1)
        noise_free = (level**2 + 1).rsqrt()  # 1 / sqrt(sigma^2 + 1): also the cosine of v-prediction's angle
        output = self._network(x * noise_free, self._timesteps.sigma_to_t(sigma), samples)
        return predicted(self._model.prediction_type, x, output, level, noise_free)

    def _network(self, x: Tensor, timestep: Tensor, samples: Samples) -> Tensor:
        """The guided output of the UNet. Guidance is linear, so it acts on the output as it would on x0."""
        turn = self._turn
        output = self._told(turn.first, x, timestep, samples)
        if not turn.guided:
            return output
        negative, positive = output.chunk(2)
        pushes = [(turn.weight, positive)]
        for weight, told in turn.others:
            self._go_on()
            pushes.append((weight, self._told(told, x, timestep, samples)))
        return guided(negative, pushes, self._scale, self._rescale)

    def _told(self, told: _Told, x: Tensor, timestep: Tensor, samples: Samples) -> Tensor:
        """The output of the UNet for each branch, (branches * n, 4, h, w)."""
        branches = len(told.context)
        dtype = self._model.device.dtype
        context = told.context.repeat_interleave(len(x), 0)
        latents = x.to(dtype).repeat(branches, 1, 1, 1)
        timesteps = timestep.repeat(branches)
        added = _added(told, samples)
        steered = self._residuals.residuals(Call(latents, timesteps, context, added, branches, samples))
        level = None if self._level is None else self._level.expand(len(latents))
        further = {"timestep_cond": self._distilled_scale, "class_labels": level, "added_cond_kwargs": added, **steered}
        given = self._with_beside(latents, samples)
        with self._residuals.with_image_prompts(self._model.unet, branches, samples):
            return self._model.unet(given, timesteps, context, **further, return_dict=False)[0].float()

    def _with_beside(self, latents: Tensor, samples: Samples) -> Tensor:
        if self._extra_channels is None:
            return latents
        extra_channels = samples.rows(self._extra_channels)
        return torch.cat([latents, extra_channels.to(latents).repeat(len(latents) // len(extra_channels), 1, 1, 1)], 1)


def predicted(prediction_type: str, x: Tensor, output: Tensor, level: Tensor, noise_free: Tensor) -> Tensor:
    """The clean latents that the network's output means at x. `level`: sigma; `noise_free`: 1 / sqrt(sigma^2 + 1)."""
    if prediction_type == "v_prediction":
        return x * noise_free**2 - output * level * noise_free
    return x - output * level


def guided(negative: Tensor, pushes: Sequence[tuple[float, Tensor]], scale: float, rescale: float) -> Tensor:
    """With guidance rescale the contrast goes back towards that of the prompt alone: Lin et al. 2023, arXiv:2305.08891, 3.4."""
    if len(pushes) == 1:
        positive = pushes[0][1]
        pushed = negative + scale * (positive - negative)
    else:
        push = sum((weight * (positive - negative) for weight, positive in pushes), torch.zeros_like(negative))
        positive, pushed = negative + push, negative + scale * push
    if not rescale:
        return pushed
    dimensions = tuple(range(1, pushed.ndim))  # each picture by itself
    contrast = positive.std(dimensions, keepdim=True) / pushed.std(dimensions, keepdim=True)
    return pushed * (rescale * contrast + 1 - rescale)


def _added(told: _Told, samples: Samples) -> dict[str, Tensor] | None:
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


class SteppedDenoiser(Protocol):
    """A denoiser that is told which step comes next: what a run samples with."""

    @property
    def schedule(self) -> NoiseSchedule: ...

    def begin(self, index: int, steps: Steps) -> None:
        """Step `index` of those that are planned, counted from 0, comes next."""
        ...

    def __call__(self, x: Tensor, sigma: Tensor) -> Tensor: ...


class Relay:
    """The denoisers of one run, each from its share of the steps on. What the sampler remembers goes on across the change."""

    def __init__(self, *turns: tuple[float, Denoiser]) -> None:
        """`turns`: (0 .. 1, denoiser) in the order in which they run, the first one from 0. Their latents must mean the same."""
        self._turns = turns
        self._denoise = turns[0][1]

    @property
    def schedule(self) -> NoiseSchedule:
        """The noise levels of the first, which the steps are planned on; each denoiser knows its own timestep for a level."""
        return self._turns[0][1].schedule

    def begin(self, index: int, steps: Steps) -> None:
        self._denoise = [denoise for start, denoise in self._turns if index / steps.planned >= start][-1]
        self._denoise.begin(index, steps)

    def __call__(self, x: Tensor, sigma: Tensor) -> Tensor:
        """As `Denoiser`, by the one whose turn it is."""
        return self._denoise(x, sigma)


class Masked:
    """Keeps what is not masked: after each call of the network its answer counts under the mask, and the picture's latents elsewhere.

    With `soft` the mask is a strength for each pixel: one of value m joins for the last m of the steps that run (Levin & Fried
    2023, arXiv:2306.00950, differential diffusion); without it, the mask is rounded to 0 and 1.
    """

    def __init__(self, denoiser: SteppedDenoiser, picture: Tensor, mask: Tensor, soft: bool = False) -> None:
        """`picture`: (n or 1, 4, h, w) clean latents. `mask`: (1, 1, h, w), 0 .. 1, 1 is drawn anew."""
        self._guide, self._picture, self._soft = denoiser, picture, soft
        self._strengths = mask
        self._mask = mask.round()

    @property
    def schedule(self) -> NoiseSchedule:
        return self._guide.schedule

    def begin(self, index: int, steps: Steps) -> None:
        self._guide.begin(index, steps)
        if self._soft:
            left = (steps.planned - index) / max(1, steps.run)  # 1 at the first step that runs
            self._mask = (self._strengths >= min(left, 1 - 1e-6)).to(self._strengths)

    def __call__(self, x: Tensor, sigma: Tensor) -> Tensor:
        return self._guide(x, sigma) * self._mask + self._picture * (1 - self._mask)
