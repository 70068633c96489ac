"""What tests of whole drawings share: run a request to its pictures, and compare pictures by the numbers of their pixels."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
from PIL import Image

from models.loading import DiffusionModel
from pipelines import TextToImage, txt2img
from pipelines.engine import Batch
from pipelines.events import Picture


def finished(batches: Iterable[Batch]) -> list[Picture]:
    with torch.inference_mode():
        return [event for batch in batches for event in batch if isinstance(event, Picture)]


def pixels(request: TextToImage, model: DiffusionModel) -> list[bytes]:
    return [picture.image.tobytes() for picture in finished(txt2img.batches(request, model))]


def levels(image: Image.Image) -> torch.Tensor:
    """The picture's bytes, as numbers."""
    return torch.frombuffer(bytearray(image.tobytes()), dtype=torch.uint8).int()


def off_by(request: TextToImage, model: DiffusionModel, theirs: Image.Image) -> int:
    """The largest difference, in levels of 255, between our picture and another."""
    [ours] = finished(txt2img.batches(request, model))
    assert len(ours.image.getcolors(100_000) or []) > 10, "not a picture of one colour"
    return int((levels(ours.image) - levels(theirs)).abs().max())


def first_noise(seed: int, height: int, width: int) -> torch.Tensor:
    """What diffusers' pipelines are given to begin with, so that they draw the same picture."""
    return torch.randn(1, 4, height // 8, width // 8, generator=torch.Generator().manual_seed(seed))


def clip_tokenizer(folder: Path) -> Any:
    """transformers' own tokenizer of a folder."""
    from transformers import CLIPTokenizer

    return CLIPTokenizer.from_pretrained(folder, model_max_length=77, local_files_only=True)
