"""Conditioning: a request's prompts and sizes as what the networks are given."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import cast

import torch
from PIL import Image
from torch import Tensor

from models.diffusion_model import DiffusionModel, RegionLoras
from models.errors import UserError
from models.families import Family
from pipelines.control.regions import Regions
from pipelines.control.units import Controls
from pipelines.control.view import View
from pipelines.denoising.areas import Areas, RegionWords
from pipelines.denoising.callers import distilled_scale
from pipelines.denoising.control_residuals import ControlResiduals
from pipelines.denoising.denoiser import Denoiser
from pipelines.denoising.guidance import Guidance
from pipelines.denoising.samples import stacked
from pipelines.denoising.stepped import Relay, SteppedDenoiser
from pipelines.denoising.tiled import Tiled
from pipelines.denoising.told import AtOnce, Condition, Conditioning
from pipelines.images.masking import Box, Patch
from pipelines.images.store import Inputs
from pipelines.images.tiles import WINDOWS_A_CALL, window_boxes
from pipelines.prompts.asked import AtOnce as Said
from pipelines.prompts.asked import asked_by
from pipelines.prompts.encode import Encoded, encode_prompts
from pipelines.requests.made_for import cannot_draw, what_reads
from pipelines.requests.request import Drawing, Upscale
from pipelines.samplers.noise_schedule import schedule_of
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
        inputs: Inputs | None = None,
    ) -> None:
        """`controls`: the request's control units, which steer the checkpoint and not the refiner. `extra_channels`: what its
        network reads next to the latents of whole pictures. `go_on`: as `Denoiser` takes it. `inputs`: where painted regions lie.
        """
        self._regions = Regions(request, inputs)
        self._extra_channels = extra_channels
        self._windows = window_boxes(request)
        self._go_on = go_on
        self._model = model
        self._controls = controls
        self._said = condition(request, model, self._regions)
        self._refiner_start = request.refiner_start
        self._refiner = _speaking_as(model, model.refiner) if model.refiner else None
        self._said_to_refiner = condition(request, self._refiner, self._regions) if self._refiner else None

    @property
    def follow_picture(self) -> bool:
        """Some control unit takes what the drawing begins with, so each picture needs a denoiser of its own."""
        return self._controls is not None and self._controls.follow_picture

    def whole(self, pictures: Sequence[Image.Image] = (), extra_channels: Tensor | None = None) -> SteppedDenoiser:
        """For whole pictures. `pictures`: what each of the batch begins with, at the size that is drawn; they may be one for all.

        `extra_channels`: where each batch has its own.
        """
        beside = self._extra_channels if extra_channels is None else extra_channels
        areas = self._regions.everywhere(self._model.device.torch_device) if self._regions else None
        return self._of(beside, self._controls.everywhere(pictures) if self._controls else None, areas)

    def of(self, patch: Patch, extra_channels: Tensor | None = None) -> SteppedDenoiser:
        """For a part of a picture."""
        device = self._model.device.torch_device
        areas = self._regions.at(patch.picture.size, patch.box, patch.size, device) if self._regions else None
        return self._of(extra_channels, self._controls.at([View.of_patch(patch)]) if self._controls else None, areas)

    def _of(self, extra_channels: Tensor | None, residuals: ControlResiduals | None, areas: Areas | None) -> SteppedDenoiser:
        """The denoiser of the checkpoint, and that of the refiner from the step at which it takes over, if there is one; in windows, if
        the request asks for them.

        `extra_channels`: what the checkpoint's network reads next to the latents. Raises `UserError` when one of the two reads
        something else.
        """
        if len(self._windows) == 1:
            return self._relay(extra_channels, residuals, areas)
        beside = None if extra_channels is None else stacked(extra_channels, self._windows)
        steered = residuals.windowed(self._windows, self._model.family.latent.pixels) if residuals else None
        divided = areas.windowed(self._windows) if areas else None
        return Tiled(self._relay(beside, steered, divided), self._windows, self._model.device.torch_device)

    def _relay(self, extra_channels: Tensor | None, residuals: ControlResiduals | None, areas: Areas | None) -> Relay:
        base = (0.0, self._denoiser(self._model, self._said, extra_channels, residuals, areas))
        if self._refiner is None or self._said_to_refiner is None:
            return Relay(base)
        return Relay(base, (self._refiner_start, self._denoiser(self._refiner, self._said_to_refiner, areas=areas)))

    def _denoiser(
        self,
        model: DiffusionModel,
        said: Conditioning,
        extra_channels: Tensor | None = None,
        residuals: ControlResiduals | None = None,
        areas: Areas | None = None,
    ) -> Denoiser:
        _check_reads(model, 0 if extra_channels is None else extra_channels.shape[1])
        most = WINDOWS_A_CALL if len(self._windows) > 1 else None
        return Denoiser(model, schedule_of(model), said, extra_channels, residuals, most, self._go_on, areas)


def _speaking_as(model: DiffusionModel, refiner: DiffusionModel) -> DiffusionModel:
    """The refiner with the words that the model knows."""
    return replace(refiner, embeddings=model.embeddings, encodings=model.encodings, encoder_state=model.encoder_state)


def condition(request: Drawing, model: DiffusionModel, regions: Regions) -> Conditioning:
    """What is said at each call of the network, each text encoded once."""
    asked = asked_by(request)
    told = {said: _everywhere(said, request, model, regions) for said in dict.fromkeys(asked.calls)}
    calls = tuple(told[said] for said in asked.calls)
    level = request.noise_level if isinstance(request, Upscale) else None
    return Conditioning(calls, Guidance(request), asked.prompt.over.calls_a_step, level)


def _everywhere(said: Said, request: Drawing, model: DiffusionModel, regions: Regions) -> AtOnce:
    """And the same as it is read with the LoRAs of each region that has some of its own."""
    apart: list[tuple[int, RegionLoras, AtOnce]] = []
    for region, own in model.regional.items():
        with own.dressed.worn():
            told = _told(said, request, replace(model, encoder_state=own.encoder_state), regions)
        apart.append(([*request.divided].index(region), own, told))
    return replace(_told(said, request, model, regions), apart=tuple(apart))


def _told(said: Said, request: Drawing, model: DiffusionModel, regions: Regions) -> AtOnce:
    """A distilled network knows the prompt alone, unless several are joined."""
    texts = [each.text if said.second is None else (each.text, said.second) for each in said.prompts]
    alone = said.negative is None or (len(texts) == 1 and distilled_scale(model, 1) is not None)
    against = [] if said.negative is None or alone else [said.negative, *([""] if said.empty else [])]
    encoded = encode_prompts(model, [*texts, *against], request.clip_skip)
    words, positive = _in_regions(said, request, model, regions, encoded[0], None if alone else said.negative)
    positives = [_condition(each, request, model.family, AESTHETIC) for each in (positive, *encoded[1 : len(texts)])]
    weighed = tuple((each.weight, positive) for each, positive in zip(said.prompts, positives, strict=True))
    if alone:
        return AtOnce(weighed, regions=words)
    zeros = [model.family.text.zeros_for_empty_negative and not text.strip() for text in against]
    asked = [_zeros(each) if zero else each for each, zero in zip(encoded[len(texts) :], zeros, strict=True)]
    negative, *empty = (_condition(each, request, model.family, NEGATIVE_AESTHETIC) for each in asked)
    return AtOnce(weighed, negative, words, empty=next(iter(empty), None))


def _in_regions(
    said: Said, request: Drawing, model: DiffusionModel, regions: Regions, prompt: Encoded, negative: str | None
) -> tuple[RegionWords | None, Encoded]:
    """The words of regions, each as long as it would be as the prompt, and the prompt with a pooled vector that speaks for all of them: of
    each as much as it has of the picture.
    """
    if not said.regions:
        return None, prompt
    share = request.base_share if said.prompts[0].text.strip() else 0.0  # where nothing is said, nothing is lost
    beside = [] if negative is None else [negative]
    encoded = [encode_prompts(model, [text, *beside], request.clip_skip)[0] for text in said.regions]
    words = RegionWords(tuple(each.vectors for each in encoded), share)
    pooled = [each.pooled for each in (prompt, *encoded)]
    if any(each is None for each in pooled):
        return words, prompt
    weighed = sum(part * each for part, each in zip(regions.parts(share), pooled, strict=True) if each is not None and part)
    return words, replace(prompt, pooled=cast(Tensor, weighed))


def _condition(encoded: Encoded, request: Drawing, family: Family, aesthetic: float) -> Condition:
    pooled = encoded.pooled if family.text.pooled else None
    sizes = [_size_numbers(family, request, window, aesthetic) for window in window_boxes(request)]
    return Condition(encoded.vectors, pooled, tuple(sizes))


def _size_numbers(family: Family, request: Drawing, window: Box, aesthetic: float) -> tuple[float, ...]:
    """Size of the original, its corner in the crop, and the target's size or the score: Podell et al. 2023, section 2.2.

    The picture is asked for as one that was not scaled, and a window (in latents) as the crop out of it that it is.
    """
    left, top, right, bottom = (side * family.latent.pixels for side in window)
    original = (request.height, request.width, top, left)
    return {0: (), 5: (*original, aesthetic), 6: (*original, bottom - top, right - left)}[family.text.size_numbers]


def _zeros(encoded: Encoded) -> Encoded:
    return Encoded(torch.zeros_like(encoded.vectors), None if encoded.pooled is None else torch.zeros_like(encoded.pooled))


def _check_reads(model: DiffusionModel, extra_channels: int) -> None:
    channels = model.unet.config["in_channels"]
    if channels != model.family.latent.channels + extra_channels:
        raise UserError(cannot_draw(model.checkpoint.name, what_reads(channels)))
