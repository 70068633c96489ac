"""Video: a picture that begins to move. It is looked at, then noise becomes latents of all frames together, which are decoded a few at a
time. What each of these phases needs is lent for it alone.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import replace

from PIL import Image
from torch import Tensor

from models.memory.clip_forecast import ClipWork
from models.video_model import VideoModel
from pipelines.control.view import Lender
from pipelines.denoising.clip import Motion, clip_denoiser, conditioning, seen_in
from pipelines.denoising.clip_decode import DecodedClip, decode_clip
from pipelines.denoising.preview import strip_of
from pipelines.images.masking import crop
from pipelines.jobs.events import Event
from pipelines.jobs.runner import Events
from pipelines.requests.request import Clip
from pipelines.requests.steps import steps_of
from pipelines.samplers.noise import ImageNoise
from pipelines.tasks.sampling import leg_of, levels_of, run
from pipelines.tasks.wordless import WordlessBatch, WordlessTask

OVER_PICTURE = 1  # added to the seed: the noise over the picture is other noise than the clip begins with
PRECISION = "VAE precision"


def batches(task: WordlessTask[Clip]) -> Generator[Events]:
    for batch in task.batches():
        yield _batch(batch)


def _batch(batch: WordlessBatch[Clip]) -> Events:
    """One clip, over the middle of the picture in the clip's shape."""
    [(index, single)] = batch.indexed()
    picture, lender = crop(batch.inputs.open(single.image), single.size), batch.task.lender
    yield None
    with lender.picture_encoder(single.checkpoint) as vision:
        seen = seen_in(vision, picture)
    yield None
    with lender.video(single.checkpoint, work_of(single), batch.task.sparing) as model:
        latents = yield from _sampled(batch, model, seen, picture)
        decoded = yield from decode_clip(model, latents[0], single.decode_chunk or model.chunk)
        made = replace(single, decode_chunk=decoded.chunk, one_by_one=model.one_by_one)
    yield batch.picture(decoded.frames[0], index, _notes(decoded), made, decoded.frames, latents[0])


def decoded_again(request: Clip, latents: Tensor, lender: Lender) -> Generator[None, None, tuple[Image.Image, ...]]:
    """The frames of a clip, from its kept latents (frames, channels, h, w), as they were decoded at first."""
    with lender.video(request.checkpoint, work_of(request)) as model:
        decoded = yield from decode_clip(model, latents.to(model.device.torch_device), request.decode_chunk or model.chunk)
    return decoded.frames


def work_of(request: Clip, slimness: float = 1.0) -> ClipWork:
    """A clip in the terms that decide over memory."""
    width, height = request.size
    return ClipWork(request.frames, width, height, request.is_guided, request.one_by_one, slimness)


def _sampled(batch: WordlessBatch[Clip], model: VideoModel, seen: Tensor, picture: Image.Image) -> Generator[Event | None, None, Tensor]:
    """Clean latents, (1, frames, channels, h, w)."""
    request, device, latent = batch.singles[0], model.device.torch_device, model.family.latent
    width, height = request.size
    over = ImageNoise([request.seed + OVER_PICTURE], (3, height, width)).first()
    motion = Motion(request.frames_a_second, request.motion, request.picture_noise)
    said = conditioning(model, seen, picture, over, motion, request.scales)
    yield None
    denoiser, shape = clip_denoiser(model, said, batch.task.go_on), (latent.channels, height // latent.pixels, width // latent.pixels)
    noise = ImageNoise([request.seed], (request.frames, *shape), device)
    levels = levels_of(request, denoiser.schedule, steps_of(request))
    first = denoiser.schedule.prediction.noised(noise.first(), levels.sigmas[0])
    return (yield from run(request, denoiser, first, levels, noise, leg_of(batch), _show(model)))


def _show(model: VideoModel) -> Callable[[Tensor], Callable[[], bytes]]:
    return lambda x0: strip_of(model.preview, x0)


def _notes(decoded: DecodedClip) -> dict[str, str]:
    return {PRECISION: decoded.precision} if decoded.precision else {}
