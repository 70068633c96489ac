"""The second pass: its size and steps by A1111's rules, and its pixels against image to image of the enlarged picture."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from PIL import Image

from models.diffusion_model import DiffusionModel
from models.errors import UserError
from pipelines.images.store import Inputs
from pipelines.jobs.events import Step
from pipelines.requests.request import ImageToImage, SecondPass, limits
from pipelines.requests.second_pass import LATENT_MODES
from pipelines.requests.tiles import InTiles
from pipelines.tasks import img2img, second_pass
from tests.support.drawing import blots, ended, finished, latents_of, task
from tests.support.toy_weights import load_toy_model, write_toy_model

ASKED = SecondPass(prompt="a red house", negative_prompt="mountains", steps=4, seed=5, sampler="Euler a", denoising_strength=0.6)


# ---- the size ------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "picture", "enlarged", "size"),
    [
        ({"hires_factor": 2.0}, (512, 768), (1024, 1536), (1024, 1536)),
        ({"hires_factor": 1.1}, (512, 512), (563, 563), (560, 560)),  # int(512 * 1.1), and whole latents of it
        ({"hires_factor": 1.25}, (515, 400), (643, 500), (640, 496)),  # int, not round
        ({"hires_factor": 1.55}, (600, 400), (930, 620), (928, 616)),
        ({"hires_width": 1000}, (512, 768), (1000, 1500), (1000, 1496)),
        ({"hires_height": 1000, "hires_factor": 4.0}, (512, 768), (666, 1000), (664, 1000)),
        ({"hires_width": 1000, "hires_height": 1000}, (512, 768), (1000, 1500), (1000, 1000)),
        ({"hires_width": 1024, "hires_height": 512}, (1000, 1000), (1024, 1024), (1024, 512)),
        ({"hires_width": 512, "hires_height": 1024}, (1000, 1000), (1024, 1024), (512, 1024)),
        ({"hires_width": 768, "hires_height": 1152}, (512, 768), (768, 1152), (768, 1152)),
        ({"hires_factor": 4.0, "tiling": "Windows"}, (1024, 1024), (4096, 4096), (4096, 4096)),
    ],
)
def test_the_size_is_that_of_a1111(
    asked: dict[str, Any], picture: tuple[int, int], enlarged: tuple[int, int], size: tuple[int, int]
) -> None:
    target = SecondPass(**asked).target(picture)
    assert (target.enlarged, target.size) == (enlarged, size)


def test_what_stands_out_is_cut_off_around_the_middle_the_odd_latent_on_the_far_side() -> None:
    """1500 - 1000 pixels are 62 latents: 31 above and 31 below. 1512 - 1000 are 64; 1500 - 992 are 63: 31 above, 32 below."""
    assert SecondPass(hires_width=1000, hires_height=1000).target((512, 768)).box == (0, 248, 1000, 1248)
    assert SecondPass(hires_width=1000, hires_height=992).target((512, 768)).box == (0, 248, 1000, 1240)


@pytest.mark.parametrize(
    ("asked", "picture", "sentence"),
    [
        ({}, (1, 1), "would draw 0 × 0; 64 pixels a side are the least. Choose a larger factor"),
        ({}, (1, 8000), "64 pixels a side are the least"),
        ({"hires_factor": 4.0}, (1024, 512), "2,048, 8.4 megapixels; 4.2 are the most. Choose a smaller factor"),
        ({"hires_factor": 4.0}, (1100, 100), "4,400 × 400; 4,096 pixels a side are the most"),
        ({"hires_height": 4096}, (512, 512), "Choose a smaller width and height, or draw it in tiles"),
        ({"tiling": "Tile by tile", "hires_upscaler": "Latent"}, (512, 512), "begins with pixels, and a latent mode makes none"),
    ],
)
def test_what_cannot_be_drawn_is_said(asked: dict[str, Any], picture: tuple[int, int], sentence: str) -> None:
    with pytest.raises(UserError, match=sentence):
        SecondPass(**asked).target(picture)


# ---- the pixels ----------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> DiffusionModel:
    return load_toy_model(write_toy_model(tmp_path_factory.mktemp("model")))


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Inputs:
    return Inputs(tmp_path_factory.mktemp("inputs"))


PICTURE = (56, 40)


def of_picture(inputs: Inputs, **changes: Any) -> SecondPass:
    request = replace(ASKED, image=inputs.keep(blots(PICTURE)), **changes)
    width, height = request.target(PICTURE).size
    return replace(request, width=width, height=height)


def drawn(request: Any, recipe: Any, model: DiffusionModel, inputs: Inputs) -> list[bytes]:
    return [picture.image.tobytes() for picture in finished(recipe.batches(task(request, model, inputs)))]


def over_enlarged(request: SecondPass, image: Image.Image, inputs: Inputs) -> ImageToImage:
    """Image to image with the same settings."""
    shared = {
        name: getattr(request, name) for name in ("prompt", "negative_prompt", "steps", "seed", "sampler", "width", "height", "batch_size")
    }
    tiles = {name: getattr(request, name) for name in limits(InTiles)}
    return ImageToImage(**shared, **tiles, image=inputs.keep(image), denoising_strength=request.denoising_strength, exact_steps=True)


@pytest.mark.parametrize(
    ("changes", "enlarged", "box"),
    [
        ({}, (112, 80), (0, 0, 112, 80)),
        ({"hires_upscaler": "Nearest", "hires_factor": 1.7, "batch_size": 2}, (95, 68), (0, 0, 88, 64)),
        ({"hires_upscaler": "Bicubic", "hires_width": 64, "hires_height": 96}, (134, 96), (32, 0, 96, 96)),
        ({"denoising_strength": 1.0}, (112, 80), (0, 0, 112, 80)),
        ({"denoising_strength": 0.0}, (112, 80), (0, 0, 112, 80)),
        ({"tiling": "Windows", "tile_size": 64, "tile_overlap": 32, "batch_size": 2}, (112, 80), (0, 0, 112, 80)),
        ({"tiling": "Tile by tile", "tile_size": 64, "tile_padding": 8, "tile_blur": 2, "seam_pass": "Band"}, (112, 80), (0, 0, 112, 80)),
    ],
)
def test_with_a_filter_it_is_image_to_image_of_the_enlarged_picture(
    changes: dict[str, Any], enlarged: tuple[int, int], box: tuple[int, int, int, int], model: DiffusionModel, inputs: Inputs
) -> None:
    request = of_picture(inputs, **changes)
    image = blots(PICTURE).resize(enlarged, Image.Resampling[request.hires_upscaler.upper()]).crop(box)
    assert drawn(request, second_pass, model, inputs) == drawn(over_enlarged(request, image, inputs), img2img, model, inputs)


@pytest.mark.parametrize("mode", LATENT_MODES)
def test_a_latent_mode_is_one_interpolation_of_the_latents_of_the_picture(mode: str, model: DiffusionModel, inputs: Inputs) -> None:
    request = of_picture(inputs, hires_upscaler=mode, hires_width=64, hires_height=96)
    [how, *more] = mode.removeprefix("Latent").strip(" ()").split() or ["bilinear"]
    how, smooth = ("bilinear", True) if how == "antialiased" else (how, "antialiased" in more)
    found, _ = ended(second_pass.enlarged(task(request, model, inputs)))
    latents, _ = ended(found.latents(request))
    read = latents_of(model, blots(PICTURE))
    theirs = torch.nn.functional.interpolate(read, size=(12, 16), mode=how, antialias=smooth)[:, :, :, 4:12]
    assert torch.equal(latents, theirs)


def test_the_plain_latent_mode_is_image_to_image_that_stretches_latents(model: DiffusionModel, inputs: Inputs) -> None:
    request = of_picture(inputs, hires_upscaler="Latent")
    theirs = replace(over_enlarged(request, blots(PICTURE), inputs), resize_mode="Stretch latents")
    assert drawn(request, second_pass, model, inputs) == drawn(theirs, img2img, model, inputs)


@pytest.mark.parametrize("strength", [0.1, 0.5, 1.0])
def test_all_its_steps_run_at_any_strength(strength: float, model: DiffusionModel, inputs: Inputs) -> None:
    request = of_picture(inputs, denoising_strength=strength, batch_count=1)
    with torch.inference_mode():
        steps = [event for batch in second_pass.batches(task(request, model, inputs)) for event in batch if isinstance(event, Step)]
    assert [step.index for step in steps] == [1, 2, 3, 4]
