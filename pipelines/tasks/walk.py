"""A walk around a thing, whose frames a video model draws together (SV3D): a loop, or a sheet of them. Each frame depends on all others, so
none of them is a picture by itself.
"""

from __future__ import annotations

import math
from collections.abc import Generator
from dataclasses import replace

from PIL import Image
from torch import Tensor

from models.diffusion_model import DiffusionModel
from models.memory.clip_forecast import ClipWork
from models.video_model import VideoModel
from pipelines.control.view import Lender
from pipelines.denoising.clip import clip_denoiser, conditioning, seen_in
from pipelines.denoising.clip_decode import decode_clip
from pipelines.denoising.preview import preview_of, strip_of
from pipelines.denoising.turntable import AT_THE_PICTURE, Turntable, once_around
from pipelines.jobs.events import Event
from pipelines.jobs.runner import Events
from pipelines.requests.clip import triangle
from pipelines.requests.request import Turn
from pipelines.requests.steps import steps_of
from pipelines.requests.turn import LOOP
from pipelines.samplers.noise import ImageNoise
from pipelines.tasks.sampling import Show, leg_of, levels_of, run
from pipelines.tasks.sheet import sheet_of
from pipelines.tasks.video import OVER_PICTURE, PRECISION
from pipelines.tasks.wordless import WordlessBatch


def walked(batch: WordlessBatch[Turn], thing: Image.Image) -> Events:
    """`thing`: as the model sees it, RGB, square, at the size that is drawn."""
    [(index, single)] = batch.indexed()
    lender = batch.task.lender
    with lender.picture_encoder(single.checkpoint) as vision:
        seen = seen_in(vision, thing)
    yield None
    with lender.video(single.checkpoint, work_of(single), batch.task.sparing) as model:
        latents = yield from _sampled(batch, model, seen, thing)
        decoded = yield from decode_clip(model, latents[0], single.decode_chunk or model.chunk)
        made = replace(single, decode_chunk=decoded.chunk, one_by_one=model.one_by_one)
    notes = {PRECISION: decoded.precision} if decoded.precision else {}
    moves = single.gathered == LOOP
    image = decoded.frames[0] if moves else sheet_of(decoded.frames)
    yield batch.picture(image, index, notes, made, decoded.frames if moves else (), latents[0])


def decoded_again(request: Turn, latents: Tensor, lender: Lender) -> Generator[None, None, tuple[Image.Image, ...]]:
    """The frames of a loop, from its kept latents (views, channels, h, w), as they were decoded at first."""
    with lender.video(request.checkpoint, work_of(request)) as model:
        decoded = yield from decode_clip(model, latents.to(model.device.torch_device), request.decode_chunk or model.chunk)
    return decoded.frames


def work_of(request: Turn) -> ClipWork:
    return ClipWork(request.views, request.side, request.side, request.is_guided, request.one_by_one)


def way_of(request: Turn, posed: bool) -> Turntable:
    """Once around, from and to the height of the picture; on the far side it is as much higher as was asked."""
    count = request.views
    rise = [math.sin(math.pi * (place + 1) / count) for place in range(count)]
    return once_around([request.picture_elevation + request.elevation * share for share in rise], posed, count)


def _sampled(batch: WordlessBatch[Turn], model: VideoModel, seen: Tensor, thing: Image.Image) -> Generator[Event | None, None, Tensor]:
    """Clean latents, (1, frames, channels, h, w)."""
    request, latent = batch.singles[0], model.family.latent
    over = ImageNoise([request.seed + OVER_PICTURE], (3, request.side, request.side)).first()
    scales = triangle(AT_THE_PICTURE, request.guidance_scale, request.views)
    said = conditioning(model, seen, thing, over, way_of(request, model.posed), scales)
    yield None
    denoiser, side = clip_denoiser(model, said, batch.task.go_on), request.side // latent.pixels
    noise = ImageNoise([request.seed], (request.views, latent.channels, side, side), model.device.torch_device)
    show = shown_as(request, model)
    levels = levels_of(request, denoiser.schedule, steps_of(request))
    first = denoiser.schedule.prediction.noised(noise.first(), levels.sigmas[0])
    return (yield from run(request, denoiser, first, levels, noise, leg_of(batch), lambda x0: show(x0[0])))


def shown_as(request: Turn, model: DiffusionModel | VideoModel) -> Show:
    """Views side by side, or in a row where they become a loop: the page plays that. Of latents (views, 4, h, w)."""
    return lambda x0: strip_of(model.preview, x0.unsqueeze(0)) if request.plays[0] else preview_of(model.preview, x0)
