"""Conditioning: a request's prompts and sizes as what the networks are given."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import torch
from PIL import Image
from torch import Tensor

from models.diffusion_model import DiffusionModel
from models.errors import UserError
from models.families import Family
from pipelines.control.units import Controls
from pipelines.control.view import View
from pipelines.denoising.control_residuals import ControlResiduals
from pipelines.denoising.denoiser import Denoiser, Relay, SteppedDenoiser, distilled_scale
from pipelines.denoising.guidance import Guidance
from pipelines.denoising.samples import stacked
from pipelines.denoising.tiled import Tiled
from pipelines.denoising.told import AtOnce, Condition, Conditioning
from pipelines.images.masking import Box, Patch
from pipelines.images.tiles import WINDOWS_A_CALL, window_boxes
from pipelines.prompts.asked import AtOnce as Said
from pipelines.prompts.asked import asked_by
from pipelines.prompts.encode import Encoded, encode_prompts
from pipelines.requests.made_for import cannot_draw, what_reads
from pipelines.requests.request import Drawing, Upscale
from pipelines.samplers.noise_schedule import NoiseSchedule
from pipelines.tasks.batch import DrawingTask

# What the refiner's pictures were scored by viewers, 1 .. 10: ask for good ones, and away from poor ones (Podell et al. 2023, SDXL).
AESTHETIC, NEGATIVE_AESTHETIC = 6.0, 2.5


def controls_of(task: DrawingTask[Drawing], taken: Image.Image | None = None) -> Controls:
    """The units of a job. `taken`: see `Controls`."""
    return Controls(task.request, task.model, task.inputs, task.lender, taken)


class Denoisers:
    """The denoisers that the runs of one request sample with. Its prompts are encoded once, for as many runs as it takes."""

    def __init__(
        self,
        request: Drawing,
        model: DiffusionModel,
        controls: Controls | None = None,
        extra_channels: Tensor | None = None,
        go_on: Callable[[], None] = lambda: None,
    ) -> None:
        """`controls`: the request's control units, which steer the checkpoint and not the refiner. `extra_channels`: what its
        network reads next to the latents of whole pictures. `go_on`: as `Denoiser` takes it.
        """
        self._extra_channels = extra_channels
        self._windows = window_boxes(request)
        self._go_on = go_on
        self._model = model
        self._controls = controls
        self._said = condition(request, model)
        self._refiner_start = request.refiner_start
        self._refiner = _speaking_as(model, model.refiner) if model.refiner else None
        self._said_to_refiner = condition(request, self._refiner) if self._refiner else None

    @property
    def follow_picture(self) -> bool:
        """Some control unit takes what the drawing begins with, so each picture needs a denoiser of its own."""
        return self._controls is not None and self._controls.follow_picture

    def whole(self, pictures: Sequence[Image.Image] = (), extra_channels: Tensor | None = None) -> SteppedDenoiser:
        """For whole pictures. `pictures`: what each of the batch begins with, at the size that is drawn; they may be one for all.

        `extra_channels`: where each batch has its own.
        """
        beside = self._extra_channels if extra_channels is None else extra_channels
        return self._of(beside, self._controls.everywhere(pictures) if self._controls else None)

    def of(self, patch: Patch, extra_channels: Tensor | None = None) -> SteppedDenoiser:
        """For a part of a picture."""
        return self._of(extra_channels, self._controls.at([View.of_patch(patch)]) if self._controls else None)

    def _of(self, extra_channels: Tensor | None, residuals: ControlResiduals | None) -> SteppedDenoiser:
        """The denoiser of the checkpoint, and that of the refiner from the step at which it takes over, if there is one; in windows, if
        the request asks for them.

        `extra_channels`: what the checkpoint's network reads next to the latents. Raises `UserError` when one of the two reads
        something else.
        """
        if len(self._windows) == 1:
            return self._relay(extra_channels, residuals)
        beside = None if extra_channels is None else stacked(extra_channels, self._windows)
        steered = residuals.windowed(self._windows, self._model.family.pixels_per_latent) if residuals else None
        return Tiled(self._relay(beside, steered), self._windows, self._model.device.torch_device)

    def _relay(self, extra_channels: Tensor | None, residuals: ControlResiduals | None) -> Relay:
        base = (0.0, self._denoiser(self._model, self._said, extra_channels, residuals))
        if self._refiner is None or self._said_to_refiner is None:
            return Relay(base)
        return Relay(base, (self._refiner_start, self._denoiser(self._refiner, self._said_to_refiner)))

    def _denoiser(
        self, model: DiffusionModel, said: Conditioning, extra_channels: Tensor | None = None, residuals: ControlResiduals | None = None
    ) -> Denoiser:
        _check_reads(model, 0 if extra_channels is None else extra_channels.shape[1])
        most = WINDOWS_A_CALL if len(self._windows) > 1 else None
        schedule = NoiseSchedule(model.alphas_cumprod, model.family.aligned_levels)
        return Denoiser(model, schedule, said, extra_channels, residuals, most, self._go_on)


def _speaking_as(model: DiffusionModel, refiner: DiffusionModel) -> DiffusionModel:
    """The refiner with the words that the model knows."""
    return replace(refiner, embeddings=model.embeddings, encodings=model.encodings, encoder_state=model.encoder_state)


def condition(request: Drawing, model: DiffusionModel) -> Conditioning:
    """What is said at each call of the network, each text encoded once."""
    asked = asked_by(request)
    told = {said: _told(said, request, model) for said in dict.fromkeys(asked.calls)}
    calls = tuple(told[said] for said in asked.calls)
    level = request.noise_level if isinstance(request, Upscale) else None
    return Conditioning(calls, Guidance(request), asked.prompt.over.calls_a_step, level)


def _told(said: Said, request: Drawing, model: DiffusionModel) -> AtOnce:
    """A distilled network knows the prompt alone, unless several are joined."""
    texts = [each.text if said.second is None else (each.text, said.second) for each in said.prompts]
    alone = said.negative is None or (len(texts) == 1 and distilled_scale(model, 1) is not None)
    encoded = encode_prompts(model, texts if said.negative is None or alone else [*texts, said.negative], request.clip_skip)
    positives = [_condition(each, request, model.family, AESTHETIC) for each in encoded[: len(texts)]]
    weighed = tuple((each.weight, positive) for each, positive in zip(said.prompts, positives, strict=True))
    if alone:
        return AtOnce(weighed)
    empty = model.family.zeros_for_empty_negative and not (said.negative or "").strip()
    negative = _zeros(encoded[-1]) if empty else encoded[-1]
    return AtOnce(weighed, _condition(negative, request, model.family, NEGATIVE_AESTHETIC))


def _condition(encoded: Encoded, request: Drawing, family: Family, aesthetic: float) -> Condition:
    pooled = encoded.pooled if family.pooled else None
    sizes = [_size_numbers(family, request, window, aesthetic) for window in window_boxes(request)]
    return Condition(encoded.vectors, pooled, tuple(sizes))


def _size_numbers(family: Family, request: Drawing, window: Box, aesthetic: float) -> tuple[float, ...]:
    """Size of the original, its corner in the crop, and the target's size or the score: Podell et al. 2023, section 2.2.

    The picture is asked for as one that was not scaled, and a window (in latents) as the crop out of it that it is.
    """
    left, top, right, bottom = (side * family.pixels_per_latent for side in window)
    original = (request.height, request.width, top, left)
    return {0: (), 5: (*original, aesthetic), 6: (*original, bottom - top, right - left)}[family.size_numbers]


def _zeros(encoded: Encoded) -> Encoded:
    return Encoded(torch.zeros_like(encoded.vectors), None if encoded.pooled is None else torch.zeros_like(encoded.pooled))


def _check_reads(model: DiffusionModel, extra_channels: int) -> None:
    channels = model.unet.config["in_channels"]
    if channels != model.family.latent_channels + extra_channels:
        raise UserError(cannot_draw(model.checkpoint.name, what_reads(channels)))
