"""Pixels to latents: the mean of the VAE's distribution, in tiles where a picture is large, in full precision where half overflows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from models.diffusion_model import DiffusionModel
from models.errors import Overflow
from models.library.catalog import STARTER, Catalog
from models.memory.device import Device
from pipelines.denoising.vae_decode import TILE, decode
from pipelines.denoising.vae_encode import encode, mask_latents
from pipelines.images.store import Inputs
from pipelines.runtime.runner import open_runner
from tests.support.app_fixtures import ROOT
from tests.support.drawing import blots, ended, latents_of
from tests.support.toy_weights import load_toy_model, write_toy_model


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_toy_model(tmp_path_factory.mktemp("toy"))


@pytest.fixture(scope="module")
def model(folder: Path) -> DiffusionModel:
    return load_toy_model(folder)


def test_latents_are_the_mean_of_the_vae_s_distribution(model: DiffusionModel) -> None:
    latents, stops = ended(encode(model, blots((64, 96))))
    assert stops == 0 and latents.shape == (1, 4, 12, 8)
    assert torch.allclose(latents, latents_of(model, blots((64, 96))))


def test_a_large_picture_is_read_in_tiles_and_hardly_differs(model: DiffusionModel) -> None:
    image = blots(((TILE + 8) * 8, 64))
    latents, stops = ended(encode(model, image))
    whole = latents_of(model, image)
    assert stops == 2 and latents.shape == whole.shape
    assert float((latents - whole).abs().mean() / whole.std()) < 0.05


def test_what_overflows_in_half_precision_is_read_in_full(folder: Path) -> None:
    half, full = load_toy_model(folder, Device(torch.device("cpu"), torch.float16)), load_toy_model(folder)
    seen: list[bool] = []
    with torch.inference_mode():
        for model in (half, full):
            model.vae.encoder.conv_in.weight *= 2**17  # exact, and what comes out of it is beyond 65504
    half.vae.encoder.register_forward_hook(lambda _module, _inputs, output: seen.append(bool(torch.isfinite(output).all())))
    latents, _ = ended(encode(half, blots((64, 64))))
    assert seen == [False, True]
    assert torch.allclose(latents, latents_of(full, blots((64, 64))))
    assert next(half.vae.parameters()).dtype == torch.float16, "the model is put back as it was"


def test_what_overflows_in_full_precision_too_is_said(folder: Path) -> None:
    model = load_toy_model(folder)

    def overflow(module: torch.nn.Module, inputs: Any, output: Any) -> torch.Tensor:
        return torch.full_like(output, torch.nan)

    model.vae.encoder.register_forward_hook(overflow)
    with pytest.raises(Overflow, match="VAE"):
        ended(encode(model, blots((64, 64))))


def test_a_mask_in_latents_is_the_share_of_each_cell() -> None:
    mask = Image.new("L", (16, 8))
    mask.paste(255, (0, 0, 4, 8))
    assert mask_latents(mask, 1, 2).flatten().tolist() == [0.5, 0.0]


def test_the_starter_gives_a_picture_back_from_its_latents(tmp_path: Path) -> None:
    from models.starter.recipe.scenes import Scene, Thing, arrange, draw

    scene = Scene((Thing("house", "red", "left", "big"),), "grass", "day", mountains=True)
    image = Image.fromarray(draw(arrange(scene, np.random.default_rng(1)), 128))
    runner = open_runner(Catalog(ROOT / "models" / "starter"), "cpu", Inputs(tmp_path))
    with runner.model(STARTER) as model:
        latents, _ = ended(encode(model, image))
        back, _ = ended(decode(model, latents))
    assert np.abs(np.asarray(back.image, float) - np.asarray(image, float)).mean() < 8
