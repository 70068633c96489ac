"""Inpainting: a part of a picture is drawn anew, the rest stays as it is, bit for bit.

Two kinds of network can do it: an ordinary one, whose answer counts under the mask alone (`Masked`), and one that was trained for
it and reads the mask and the rest of the picture next to the latents (9 channels; Rombach et al. 2022, section 4.5).
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from models.diffusion_model import DiffusionModel
from pipelines.denoising.preview import LONGEST, preview_in
from pipelines.denoising.stepped import Masked, SteppedDenoiser
from pipelines.denoising.vae_encode import encode, encode_pixels, mask_latents, to_pixels
from pipelines.images.masking import Patch, blurred, crop_box, filled, whole
from pipelines.jobs.events import Event
from pipelines.jobs.runner import Events
from pipelines.requests.request import Drawing, Inpaint
from pipelines.requests.steps import Steps, steps_of
from pipelines.samplers.noise import ImageNoise
from pipelines.tasks.batch import DrawingBatch, DrawingTask
from pipelines.tasks.conditioning import Denoisers, controls_of
from pipelines.tasks.sampling import RunPosition, Show, latent_shape, leg_of, levels_of, noise_of, pictures, run

READS_MASK = 5  # channels next to the latents: one of the mask, four of the picture without what is masked
SOFT_EDGE = 4  # with soft inpainting, a pixel of strength 1/4 and more is wholly new in the result


def batches(task: DrawingTask[Inpaint]) -> Generator[Events]:
    """The picture and its mask are read and turned to latents once for all batches."""
    request = task.request
    patch = patch_of(request, task.inputs.open(request.image), task.inputs.open(request.mask, "L"))
    denoisers = Denoisers(request, task.model, controls_of(task), go_on=task.go_on, inputs=task.inputs)
    begun: list[Prepared] = []
    for batch in task.batches():
        yield _batch(batch, patch, denoisers, begun)


def patch_of(request: Inpaint, picture: Image.Image, mask: Image.Image) -> Patch:
    """What is drawn of the picture, and with which mask."""
    if request.inverted:
        mask = mask.point(lambda value: 255 - value)
    size = request.width, request.height
    bounds = mask.getbbox()
    if request.area == "Only masked" and bounds:
        box = crop_box(bounds, picture.size, size, request.padding, request.mask_blur)
    else:
        box = whole(picture.size)
    return Patch(picture, blurred(mask, request.mask_blur), box, size)


@dataclass(frozen=True)
class Prepared:
    """A patch as a network is given it."""

    begins: Tensor  # (1, 4, h, w), clean latents to begin with
    kept: Tensor  # (1, 4, h, w), those of the picture as it is
    mask: Tensor  # (1, 1, h, w), 0 .. 1, the share of what is new
    denoiser: SteppedDenoiser
    reads_mask: bool  # such a network keeps the rest by itself

    def guided(self, soft: bool) -> SteppedDenoiser:
        return self.denoiser if self.reads_mask else Masked(self.denoiser, self.kept, self.mask, soft)


def prepare(model: DiffusionModel, request: Drawing, patch: Patch, content: str, denoisers: Denoisers) -> Generator[None, None, Prepared]:
    """`content`: one of MASKED_CONTENTS, what the masked part begins with. `denoisers`: of this request."""
    _, height, width = latent_shape(request, model)
    image, pixel_mask = patch.image, patch.image_mask
    mask = mask_latents(pixel_mask, height, width).to(model.device.torch_device)
    kept = begins = yield from encode(model, image)
    if content == "Fill":
        begins = yield from encode(model, filled(image, pixel_mask))
    elif content in ("Latent noise", "Latent nothing"):
        begins = kept * (1 - mask.round())
    if reads_mask(model):
        extra_channels = yield from _extra_channels(model, image, pixel_mask)
        return Prepared(begins, kept, mask, denoisers.of(patch, extra_channels), True)
    return Prepared(begins, kept, mask, denoisers.of(patch), False)


def reads_mask(model: DiffusionModel) -> bool:
    return model.unet.config["in_channels"] == model.family.latent.channels + READS_MASK


def _extra_channels(model: DiffusionModel, image: Image.Image, mask: Image.Image) -> Generator[None, None, Tensor]:
    """(1, 5, h, w): the mask, 0 or 1, of the nearest pixel; then the latents of the picture with middle grey under the mask."""
    hard = torch.as_tensor((np.asarray(mask) >= 128).astype(np.float32))[None, None]
    latents = yield from encode_pixels(model, to_pixels(image) * (1 - hard))
    return torch.cat([torch.nn.functional.interpolate(hard, size=latents.shape[2:]).to(latents), latents], 1)


def _batch(batch: DrawingBatch[Inpaint], patch: Patch, denoisers: Denoisers, begun: list[Prepared]) -> Events:
    """The candidates of one batch. `begun` holds what was prepared for the first one."""
    request, model = batch.request, batch.model
    steps = steps_of(request)
    if not steps.run:
        yield from _kept(batch, patch)
        return
    if not begun:
        begun.append((yield from prepare(model, request, patch, request.masked_content, denoisers)))
        yield None
    noise = noise_of(batch.singles, latent_shape(request, model), model)
    show = show_in(model, patch)
    latents = yield from paint(request, begun[0], request.masked_content, steps, noise, leg_of(batch), show, request.soft)
    final = softened(patch) if request.soft else patch
    yield from pictures(batch, latents, final.put_back)


def paint(
    request: Drawing,
    prepared: Prepared,
    content: str,
    steps: Steps,
    noise: ImageNoise,
    position: RunPosition,
    show: Show,
    soft: bool = False,
) -> Generator[Event | None, None, Tensor]:
    """Samples a prepared patch and returns its clean latents, those of the kept part put in once more at the end."""
    denoiser = prepared.guided(soft)
    levels = levels_of(request, denoiser.schedule, steps)
    first, begins = noise.first(), prepared.begins
    if content == "Latent noise":
        begins = begins + first * prepared.mask.round()
    noisy = denoiser.schedule.prediction.noised(first, levels.sigmas[0], begins)
    latents = yield from run(request, denoiser, noisy, levels, noise, position, show)
    if prepared.reads_mask or soft:
        return latents
    mask = prepared.mask.round()
    return latents * mask + prepared.kept * (1 - mask)


def softened(patch: Patch) -> Patch:
    """What soft inpainting changed little is shown as it was drawn: only where hardly anything may change, old and new blend."""
    return replace(patch, mask=patch.mask.point([min(255, SOFT_EDGE * value) for value in range(256)]))


def show_in(model: DiffusionModel, patch: Patch) -> Show:
    """Previews show the part in its place in the picture, which is made small once somebody looks."""
    small = cache(lambda: patch.small(LONGEST))
    return lambda x0: lambda: preview_in(model.preview, x0, small())()


def _kept(batch: DrawingBatch[Inpaint], patch: Patch) -> Events:
    """Strength 0: the picture as it is."""
    for index, _ in batch.indexed():
        yield batch.returned(patch.picture.copy(), index)
