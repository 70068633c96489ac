"""Enlarging by diffusion: a model that reads a small picture beside the latents draws it four times larger (Rombach et al. 2022, 4.4).

The small picture has one pixel for each latent. Noise is laid over it before it is read, and the network is told how much (Ho et al. 2021,
"Cascaded Diffusion Models", arXiv:2106.15282, noise conditioning augmentation): what the noise hides, it draws by itself.
"""

from __future__ import annotations

from collections.abc import Generator

from PIL import Image
from torch import Tensor

from models.diffusion_model import DiffusionModel
from models.errors import UserError
from models.memory.device import sent
from pipelines.denoising.preview import preview_like
from pipelines.denoising.vae_encode import to_pixels
from pipelines.jobs.runner import Events
from pipelines.requests.made_for import cannot_draw, what_reads
from pipelines.requests.request import Upscale
from pipelines.tasks.batch import DrawingBatch, DrawingTask
from pipelines.tasks.conditioning import Denoisers
from pipelines.tasks.sampling import noise_of
from pipelines.tasks.txt2img import draw

OWN_NOISE = 1  # added to the seed: the noise over the small picture is other noise than the drawing begins with


def batches(task: DrawingTask[Upscale]) -> Generator[Events]:
    """The prompts are encoded once for all batches."""
    picture = task.inputs.open(task.request.image)
    denoisers = Denoisers(task.request, task.model, go_on=task.go_on, inputs=task.inputs)
    for batch in task.batches():
        yield _batch(batch, picture, denoisers)


def _batch(batch: DrawingBatch[Upscale], picture: Image.Image, denoisers: Denoisers) -> Events:
    small = to_pixels(picture)
    denoiser = denoisers.whole(extra_channels=noised(batch, small))
    yield from draw(batch, denoiser, lambda x0: preview_like(small, x0))


def noised(batch: DrawingBatch[Upscale], small: Tensor) -> Tensor:
    """(n, 3, h, w): the small picture (1, 3, h, w) with noise of the level that is asked for, other noise for each picture of the batch."""
    signal = _signal(batch.model)[batch.request.noise_level]
    noise = noise_of(batch.singles, tuple(small.shape[1:]), batch.model, OWN_NOISE).first()
    return sent(small * signal.sqrt(), batch.model.device.torch_device) + noise * float((1 - signal).sqrt())


def _signal(model: DiffusionModel) -> Tensor:
    if model.picture_signal is None:
        raise UserError(cannot_draw(model.checkpoint.name, what_reads(model.unet.config["in_channels"])))
    return model.picture_signal
