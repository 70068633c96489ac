"""The denoiser, between samplers and networks: noisy latents and a noise level in, the predicted clean latents out.

How a network reads noisy latents, what it is told of their noise level and what its output means, its prediction says
(`models.families.prediction`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, cast

import torch
from torch import Tensor

from models.diffusion_model import DiffusionModel
from models.video_model import VideoModel
from pipelines.denoising.apart import answered_apart
from pipelines.denoising.areas import Areas
from pipelines.denoising.callers import CALLERS, Beside
from pipelines.denoising.control_residuals import ControlResiduals
from pipelines.denoising.guidance import Answers
from pipelines.denoising.pushes import Meaning
from pipelines.denoising.samples import Samples
from pipelines.denoising.third_look import listening, looked
from pipelines.denoising.told import Conditioning, Turn
from pipelines.requests.steps import Steps
from pipelines.samplers.noise_schedule import NoiseSchedule

if TYPE_CHECKING:
    from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel


class Denoiser:
    """`denoise(x, sigma) -> x0` with guidance, which says at each step what is asked of the network and what is made of its answers."""

    def __init__(
        self,
        model: DiffusionModel | VideoModel,
        schedule: NoiseSchedule,
        conditioning: Conditioning,
        extra_channels: Tensor | None = None,
        residuals: ControlResiduals | None = None,
        most_a_call: int | None = None,
        go_on: Callable[[], None] = lambda: None,
        areas: Areas | None = None,
    ) -> None:
        """`extra_channels`: (n or 1 or one a window, channels, h, w), read next to the latents (c_concat); for inpainting, the mask
        and the rest. `most_a_call`: samples, where the device would take more. `go_on`: asked between two calls of one step; raises
        to end it. `areas`: where the words of regions act, if there are any.
        """
        self._device, self._areas = model.device, areas
        self._unet = cast("UNet2DConditionModel", model.unet)  # of a clip nobody asks for a third look
        beside = Beside(extra_channels, residuals or ControlResiduals(), conditioning.noise_level, go_on, areas)
        self._caller = CALLERS[model.family.architecture](model, beside)
        self.schedule, self._timesteps = schedule, schedule.to(model.device.torch_device)
        self._guidance = conditioning.guidance
        turns = {id(told): Turn(told) for told in conditioning.calls}
        self._turns = [turns[id(told)] for told in conditioning.calls]
        self._calls_a_step = conditioning.calls_a_step
        self._step = self._made = 0  # the step that runs, and the calls that were made in it
        self.gathered: Tensor | None = None  # the pushes so far, of all samples, where guidance has momentum
        self._turn = self._turns[0]
        self._guide(0, 1)
        self._most_a_call, self._go_on = most_a_call, go_on

    def begin(self, index: int, steps: Steps) -> None:
        self._caller.begin(index, steps)
        self._step, self._made = index - steps.skipped, 0
        if not self._step:
            self.gathered = None
        if self._step < steps.run:
            self._guide(self._step, steps.run)

    def _guide(self, index: int, run: int) -> None:
        """A distilled network is told its guidance, and nothing is left to multiply."""
        scale = self._guidance.scale(index, run)
        told = self._caller.guided(1.0 if scale is None else scale)
        self._scale = 1.0 if told and scale is not None else scale

    def __call__(self, x: Tensor, sigma: Tensor) -> Tensor:
        """x: (n, 4, h, w), of clips (n, frames, 4, h, w), float32; sigma: (n,). Calls are counted from the first step that runs, as
        schedules do.
        """
        return torch.cat([self._combined(*branches) for branches in self.branches(x, sigma)])

    def both(self, x: Tensor, sigma: Tensor) -> tuple[Tensor, Tensor]:
        """As a call, and beside it what is predicted without the prompt; the same twice where that is not asked."""
        found = [(self._combined(*branches), _without(*branches)) for branches in self.branches(x, sigma)]
        combined, without = zip(*found, strict=True)
        whole = torch.cat(combined)
        return whole, whole if None in without else torch.cat(without)

    def branches(self, x: Tensor, sigma: Tensor) -> Iterator[tuple[Answers, Meaning]]:
        """What the network answers in each branch, and what its answers mean: of so many samples at a time as there is room for."""
        number = self._step * self._calls_a_step + min(self._made, self._calls_a_step - 1)
        self._turn = self._turns[min(number, len(self._turns) - 1)]
        self._made += 1
        size = self._device.pictures_a_call or self._most_a_call or len(x)
        before, gathered = self.gathered, list[Tensor]()
        for first in range(0, len(x), size):
            if first:
                self._go_on()
            call = Samples(first, min(first + size, len(x)), len(x))
            answers, meaning = self._answered(call.rows(x), call.rows(sigma), call)
            own = self._guidance.gathered(answers, self._scale, meaning, None if before is None else call.rows(before))
            gathered += [] if own is None else [own]
            yield replace(answers, gathered=own), meaning
        self.gathered = torch.cat(gathered) if gathered else before

    def _answered(self, x: Tensor, sigma: Tensor, samples: Samples) -> tuple[Answers, Meaning]:
        meaning = Meaning(self.schedule.prediction, x, sigma.view(-1, *[1] * (x.ndim - 1)))
        time, look = self._timesteps.time(sigma), self._guidance.look(self._scale)
        with listening(look, self._unet) as heard:
            answers = self._answers(meaning.given, time, samples)

        def asked(turn: Turn, given: Tensor, without: bool) -> Answers:
            self._go_on()
            return Answers([(1.0, self._caller(turn.against if without else turn.alone, given, time, samples, not without))])

        def ask(given: Tensor, without: bool) -> Tensor:
            return self._in_regions(asked(self._turn, given, without), lambda turn: asked(turn, given, without), samples).positive

        return replace(answers, looked=looked(look, self._unet, ask, answers, meaning, heard, self._guidance.blur)), meaning

    def _answers(self, x: Tensor, timestep: Tensor, samples: Samples) -> Answers:
        def again(turn: Turn) -> Answers:
            self._go_on()
            return self._asked(turn, x, timestep, samples)

        return self._in_regions(self._asked(self._turn, x, timestep, samples), again, samples)

    def _in_regions(self, found: Answers, again: Callable[[Turn], Answers], samples: Samples) -> Answers:
        """In regions with LoRAs of their own, what the network answers with these, when it is asked once more."""
        apart: list[tuple[int, Answers]] = []
        for place, own, turn in self._turn.apart:
            with own.dressed.worn():
                apart.append((place, again(turn)))
        return answered_apart(found, apart, self._areas, samples) if self._areas else found

    def _asked(self, turn: Turn, x: Tensor, timestep: Tensor, samples: Samples) -> Answers:
        if turn.both is None or not (turn.others or self._guidance.asks(self._scale)):
            return Answers([(turn.weight, self._caller(turn.alone, x, timestep, samples))])
        negative, positive = self._caller(turn.both, x, timestep, samples).chunk(2)
        pushes = [(turn.weight, positive)]
        for weight, told in turn.others:
            self._go_on()
            pushes.append((weight, self._caller(told, x, timestep, samples)))
        if turn.empty:
            self._go_on()
        return Answers(pushes, negative, self._caller(turn.empty, x, timestep, samples, False) if turn.empty else None)

    def _combined(self, answers: Answers, meaning: Meaning) -> Tensor:
        return meaning.clean(self._guidance.combine(answers, self._scale, meaning))


def _without(answers: Answers, meaning: Meaning) -> Tensor | None:
    return None if answers.negative is None else meaning.clean(answers.negative)
