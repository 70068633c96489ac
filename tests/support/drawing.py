"""What tests of whole drawings share: pictures to begin with, a request run to its pictures, and pictures compared by their numbers."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from pathlib import Path
from typing import Any, TypeVar, cast

import numpy as np
import torch
from PIL import Image

from models.diffusion_model import DiffusionModel
from pipelines import TextToImage
from pipelines.control.view import NO_LENDER, Lender
from pipelines.images.store import Inputs
from pipelines.jobs.events import Picture
from pipelines.jobs.runner import Events
from pipelines.requests.remaining import Progress
from pipelines.requests.request import Drawing
from pipelines.samplers import SAMPLERS
from pipelines.tasks import txt2img
from pipelines.tasks.batch import DrawingTask


def blots(size: tuple[int, int], seed: int = 1) -> Image.Image:
    """Coloured blots, as smooth as a picture is."""
    colours = np.random.default_rng(seed).integers(0, 256, (8, 8, 3), np.uint8)
    return Image.fromarray(colours).resize(size, Image.Resampling.BICUBIC)


def latents_of(model: DiffusionModel, image: Image.Image, shown: torch.Tensor | float = 1.0) -> torch.Tensor:
    """The mean that the VAE gives by itself, (1, 4, h/8, w/8); `shown`: (h, w), 0 where middle grey stands instead of the picture.

    diffusers' pipelines take it in place of a picture, which keeps their own draw from the VAE's distribution out of the noise.
    """
    values = torch.from_numpy(np.asarray(image, np.float32) / 127.5 - 1).permute(2, 0, 1)[None] * shown
    with torch.inference_mode():
        return cast(Any, model.vae.encode(values)).latent_dist.mean * model.vae.config["scaling_factor"]


def ended(work: Generator[Any, None, Any]) -> tuple[Any, int]:
    """What a generator returns, and how often it yielded before."""
    stops = 0
    with torch.inference_mode():
        while True:
            try:
                next(work)
                stops += 1
            except StopIteration as end:
                return end.value, stops


# One sampler of each kind that a recipe could treat differently: by how often it asks the network, what noise it asks for, and whether
# it looks at what is predicted without the prompt. `test_txt2img` draws with all of them, also with the one that takes many calls.
SAMPLER_KINDS = tuple(
    {
        spec.needs_both or (spec.calls_per_step, spec.more_calls, spec.noise): name
        for name, spec in reversed(SAMPLERS.items())
        if not spec.adaptive
    }.values()
)
NO_INPUTS = Inputs(Path("nowhere"))
Drawn = TypeVar("Drawn", bound=Drawing)


def task(request: Drawn, model: DiffusionModel, inputs: Inputs = NO_INPUTS, lender: Lender = NO_LENDER) -> DrawingTask[Drawn]:
    """What a recipe is given for this request, from its beginning."""
    return DrawingTask(request, inputs, lender, Progress(), model)


def finished(batches: Iterable[Events]) -> list[Picture]:
    with torch.inference_mode():
        return [event for batch in batches for event in batch if isinstance(event, Picture)]


def pixels(request: TextToImage, model: DiffusionModel) -> list[bytes]:
    return [picture.image.tobytes() for picture in finished(txt2img.batches(task(request, model)))]


def levels(image: Image.Image) -> torch.Tensor:
    """The picture's bytes, as numbers."""
    return torch.frombuffer(bytearray(image.tobytes()), dtype=torch.uint8).int()


def off_by(request: TextToImage, model: DiffusionModel, theirs: Image.Image) -> int:
    """The largest difference, in levels of 255, between our picture and another."""
    [ours] = finished(txt2img.batches(task(request, model)))
    assert len(ours.image.getcolors(100_000) or []) > 10, "not a picture of one colour"
    return int((levels(ours.image) - levels(theirs)).abs().max())


def first_noise(seed: int, height: int, width: int) -> torch.Tensor:
    """What diffusers' pipelines are given to begin with, so that they draw the same picture."""
    return torch.randn(1, 4, height // 8, width // 8, generator=torch.Generator().manual_seed(seed))


def clip_tokenizer(folder: Path) -> Any:
    """transformers' own tokenizer of a folder."""
    from transformers import CLIPTokenizer

    return CLIPTokenizer.from_pretrained(folder, model_max_length=77, local_files_only=True)
