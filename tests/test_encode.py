"""Pixels to latents: the mean of the VAE's distribution, in tiles where a picture is large, in full precision where half overflows."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any, cast

import numpy as np
import pytest
import torch
from PIL import Image

from models.catalog import STARTER, Catalog
from models.device import Device
from models.errors import Overflow
from models.loading import DiffusionModel
from pipelines.decode import TILE, decode
from pipelines.encode import encode, mask_latents
from pipelines.inputs import Inputs
from pipelines.painter import open_painter
from tests.app_fixtures import ROOT
from tests.toy_weights import load_toy_model, write_toy_model


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return write_toy_model(tmp_path_factory.mktemp("toy"))


@pytest.fixture(scope="module")
def model(folder: Any) -> DiffusionModel:
    return load_toy_model(folder)


def picture(width: int, height: int) -> Image.Image:
    blots = np.random.default_rng(1).integers(0, 256, (8, 8, 3), np.uint8)
    return Image.fromarray(blots).resize((width, height), Image.Resampling.BICUBIC)


def run(work: Generator[None, None, Any]) -> tuple[Any, int]:
    stops = 0
    with torch.inference_mode():
        while True:
            try:
                next(work)
                stops += 1
            except StopIteration as end:
                return end.value, stops


def plainly(model: DiffusionModel, image: Image.Image) -> torch.Tensor:
    values = torch.from_numpy(np.asarray(image, np.float32) / 127.5 - 1).permute(2, 0, 1)[None]
    with torch.inference_mode():
        return cast(Any, model.vae.encode(values)).latent_dist.mean * model.vae.config["scaling_factor"]


def test_latents_are_the_mean_of_the_vae_s_distribution(model: DiffusionModel) -> None:
    latents, stops = run(encode(model, picture(64, 96)))
    assert stops == 0 and latents.shape == (1, 4, 12, 8)
    assert torch.allclose(latents, plainly(model, picture(64, 96)))


def test_a_large_picture_is_read_in_tiles_and_hardly_differs(model: DiffusionModel) -> None:
    image = picture((TILE + 8) * 8, 64)
    latents, stops = run(encode(model, image))
    whole = plainly(model, image)
    assert stops == 2 and latents.shape == whole.shape
    assert float((latents - whole).abs().mean() / whole.std()) < 0.05


def test_what_overflows_in_half_precision_is_read_in_full(folder: Any) -> None:
    half = load_toy_model(folder, Device(torch.device("cpu"), torch.float16))
    expected, _ = run(encode(load_toy_model(folder), picture(64, 64)))

    def overflow(module: torch.nn.Module, inputs: Any, output: torch.Tensor) -> torch.Tensor:
        return output * float("nan") if output.dtype == torch.float16 else output

    half.vae.encoder.register_forward_hook(overflow)
    latents, _ = run(encode(half, picture(64, 64)))
    assert torch.allclose(latents, expected, atol=1e-3)
    assert next(half.vae.parameters()).dtype == torch.float16


def test_what_overflows_in_full_precision_too_is_said(folder: Any) -> None:
    model = load_toy_model(folder)
    model.vae.encoder.register_forward_hook(lambda module, inputs, output: torch.full_like(cast(torch.Tensor, output), float("nan")))
    with pytest.raises(Overflow, match="VAE"):
        run(encode(model, picture(64, 64)))


def test_a_mask_in_latents_is_the_share_of_each_cell() -> None:
    mask = Image.new("L", (16, 8))
    mask.paste(255, (0, 0, 4, 8))
    assert mask_latents(mask, 1, 2).flatten().tolist() == [0.5, 0.0]


def test_the_starter_gives_a_picture_back_from_its_latents(tmp_path: Any) -> None:
    from models.starter.recipe.scenes import Scene, Thing, arrange, draw

    scene = Scene((Thing("house", "red", "left", "big"),), "grass", "day", mountains=True)
    image = Image.fromarray(draw(arrange(scene, np.random.default_rng(1)), 128))
    painter = open_painter(Catalog(ROOT / "models" / "starter"), "cpu", Inputs(tmp_path))
    with painter.model(STARTER) as model:
        latents, _ = run(encode(model, image))
        back, _ = run(decode(model, latents))
    assert np.abs(np.asarray(back.image, float) - np.asarray(image, float)).mean() < 8
