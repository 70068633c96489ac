"""What tests of upscalers share: files of all toys, work brought to its end, spandrel's own call."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from pipelines.jobs.events import Step
from pipelines.tasks.upscaling import Upscaled
from tests.support.upscaler_toys import TOYS, ImageModelDescriptor, ModelLoader, write


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("upscalers")
    return {name: write(folder / f"{name}.safetensors", name) for name in TOYS}


def ended(work: Generator[Step | None, None, Upscaled]) -> tuple[Upscaled, list[Step]]:
    told: list[Step] = []
    while True:
        try:
            event = next(work)
        except StopIteration as end:
            return end.value, told
        told += [event] if event else []


def pixels(image: Image.Image) -> np.ndarray:
    return np.asarray(image, np.float64)


def own_call(file: Path, image: Image.Image) -> np.ndarray:
    """What spandrel itself makes of the file and the picture."""
    network = ModelLoader().load_from_file(file).eval()
    assert isinstance(network, ImageModelDescriptor)
    given = torch.from_numpy(np.array(image.convert("RGB"))).permute(2, 0, 1)[None].float() / 255
    return (network(given)[0].permute(1, 2, 0).numpy() * 255).round()
