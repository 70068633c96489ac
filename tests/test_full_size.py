"""A Stable Diffusion 1 of full size, random weights, one file: the tensors and the picture are those of diffusers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from models.diffusion_model import DiffusionModel
from models.families import SD1
from models.kits import tokenizer_folder
from models.loading.loading import load
from models.memory.device import Device
from pipelines import TextToImage
from pipelines.prompts import load_tokenizer
from tests.support.drawing import first_noise, off_by
from tests.support.full_size import single_file_pipeline, write_diffusers_configs, write_full_size
from tests.support.toy_files import as_checkpoint

CPU = Device(torch.device("cpu"), torch.float32)
PROMPT, NEGATIVE, SIZE = "a photo of a cat on a boat", "rain", 64


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Two gigabytes, which do not wait for pytest to tidy up."""
    path = write_full_size(tmp_path_factory.mktemp("full") / "model.safetensors", torch.float16)
    yield path
    path.unlink()


@pytest.fixture(scope="module")
def ours(file: Path) -> DiffusionModel:
    return load(as_checkpoint(file, SD1), CPU, load_tokenizer(tokenizer_folder("clip_l")))


@pytest.fixture(scope="module")
def theirs(file: Path) -> Any:
    pipeline = single_file_pipeline(file, write_diffusers_configs(file.parent / "configs"), torch.float32)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def test_every_tensor_is_the_one_that_diffusers_reads(ours: DiffusionModel, theirs: Any) -> None:
    for mine, other in ((ours.unet, theirs.unet), (ours.vae, theirs.vae), (ours.text_encoder, theirs.text_encoder)):
        found, wanted = mine.state_dict(), other.state_dict()
        assert found.keys() == wanted.keys()
        assert [name for name, tensor in wanted.items() if not torch.equal(tensor, found[name])] == []


def test_the_picture_is_the_one_that_diffusers_draws(ours: DiffusionModel, theirs: Any) -> None:
    request = TextToImage(prompt=PROMPT, negative_prompt=NEGATIVE, sampler="Euler", steps=2, seed=7, width=SIZE, height=SIZE)
    words = {"prompt": PROMPT, "negative_prompt": NEGATIVE}
    same = {"height": SIZE, "width": SIZE, "num_inference_steps": 2, "guidance_scale": request.guidance_scale}
    picture = theirs(**words, **same, latents=first_noise(7, SIZE, SIZE), output_type="pil").images[0]
    assert off_by(request, ours, picture) <= 1
