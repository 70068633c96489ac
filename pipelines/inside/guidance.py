"""Guidance: what the network predicts with the prompt and without it, how far these are apart, and what more or less of it would make."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from PIL import Image
from torch import Tensor

from models.diffusion_model import DiffusionModel
from pipelines.denoising.callers import distilled_scale
from pipelines.denoising.guidance import Guidance
from pipelines.denoising.pushes import Meaning
from pipelines.inside.desk import jpeg, png
from pipelines.inside.shown import previewed
from pipelines.inside.watch import StepSeen
from pipelines.requests.guidance import STEADY, may_guide
from pipelines.requests.request import Drawing
from pipelines.samplers.noise_schedule import schedule_of

SCALES = (0.0, 1.0, 2.0, 3.0, 5.0, 7.5, 10.0, 15.0, 20.0)


def scales_of(request: Drawing, model: DiffusionModel) -> tuple[list[float], int]:
    """Those that a step is shown at, and the place of the one that it begins with. A distilled network was told its own, and cannot be
    shown at others.
    """
    own = request.guidance_scale
    is_alone = distilled_scale(model, own) is not None or not may_guide(request)
    end = own if request.guidance_curve == STEADY else request.guidance_end
    scales: list[float] = [own] if is_alone else sorted({*SCALES, own, end})
    return scales, scales.index(own)


class Predictions:
    """What one step predicts: clean latents (1, 4, h, w) for any guidance, without asking the network again."""

    def __init__(self, model: DiffusionModel, request: Drawing, seen: StepSeen) -> None:
        self.seen, self._guidance = seen, Guidance(request)
        schedule = schedule_of(model)
        self.sigma = schedule.t_to_sigma(torch.tensor(seen.timestep)).view(1, 1, 1, 1)
        noise_free = (self.sigma**2 + 1).rsqrt()
        self._meaning = Meaning(schedule.prediction, seen.given / noise_free, self.sigma)

    @property
    def positive(self) -> Tensor:
        return self._clean(self.seen.positive)

    @property
    def negative(self) -> Tensor:
        return self._clean(self.seen.negative)

    def at(self, scale: float) -> Tensor:
        return self._clean(self._guidance.combine(self.seen.answers, scale, self._meaning))

    def _of(self, output: Tensor | None) -> Tensor:
        assert output is not None
        return output

    def _clean(self, output: Tensor | None) -> Tensor:
        return self._meaning.clean(self._of(output))


def pictures_of_step(
    model: DiffusionModel, predictions: Predictions, scales: Sequence[float], number: int
) -> tuple[Mapping[str, bytes], float]:
    """Files of one step, and how far the two predictions are apart, as the root of the mean square."""
    names, latents = ["given", "positive"], [predictions.seen.given, predictions.positive]
    if predictions.seen.negative is not None:
        names, latents = [*names, "negative"], [*latents, predictions.negative]
    names, latents = [*names, *(f"at-{place}" for place in range(len(scales)))], [*latents, *map(predictions.at, scales)]
    shown = previewed(model, torch.cat(latents).to(model.device.torch_device))
    files = {f"step-{number}-{name}.jpg": jpeg(picture) for name, picture in zip(names, shown, strict=True)}
    if predictions.seen.negative is None:
        return files, 0.0
    apart = (predictions.positive - predictions.negative).pow(2).mean(1)[0].sqrt()
    return files | {f"step-{number}-apart.png": grey(apart)}, apart.pow(2).mean().sqrt().item()


def grey(strength: Tensor) -> bytes:
    """A map (h, w) that is nowhere negative, from black to its largest as white."""
    share = strength / strength.max().clamp(min=1e-12)
    return png(Image.fromarray((share * 255).round().to(torch.uint8).cpu().numpy()))
