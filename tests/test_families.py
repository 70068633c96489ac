"""Stable Diffusion 2, zero terminal SNR and distilled guidance on toy weights, against diffusers' pipelines; and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from models.diffusion_model import DiffusionModel
from models.errors import UserError
from models.families import SD1, SD2, SDXL, Family
from models.patches.embeddings import Embedding
from pipelines import TextToImage
from pipelines.requests.request import SAMPLER_NAMES
from tests.support.drawing import first_noise, off_by, pixels
from tests.support.toy_weights import SCHEDULER, load_toy_model, write_toy_model

REQUEST = TextToImage(
    prompt="a red house", negative_prompt="mountains", steps=6, seed=5, width=64, height=96, sampler="Euler", guidance_scale=6.5
)
Toys = Callable[..., Path]


@pytest.fixture(scope="module")
def toys(tmp_path_factory: pytest.TempPathFactory) -> Toys:
    """Toy folders, each written once."""
    written: dict[tuple[Any, ...], Path] = {}

    def toy(family: Family, prediction_type: str, zero_snr: bool = False) -> Path:
        key = (family.key, prediction_type, zero_snr)
        if key not in written:
            written[key] = write_toy_model(tmp_path_factory.mktemp(family.key), prediction_type, family=family, zero_snr=zero_snr)
        return written[key]

    return toy


def theirs(folder: Path, request: TextToImage, **parts: Any) -> Any:
    """The picture of the pipeline that diffusers itself finds for the folder, with steps where ours lie."""
    from diffusers import DiffusionPipeline, EulerDiscreteScheduler

    pipeline: Any = DiffusionPipeline.from_pretrained(folder, torch_dtype=torch.float32, local_files_only=True, **parts)
    even = {"timestep_spacing": SCHEDULER["timestep_spacing"], "steps_offset": 1}
    pipeline.scheduler = EulerDiscreteScheduler.from_config(dict(pipeline.scheduler.config) | even)
    pipeline.set_progress_bar_config(disable=True)
    noise = first_noise(request.seed, request.height, request.width)
    size = {"height": request.height, "width": request.width, "num_inference_steps": request.steps}
    guidance = {"guidance_scale": request.guidance_scale, "guidance_rescale": request.guidance_rescale}
    return pipeline(request.prompt, negative_prompt=request.negative_prompt, latents=noise, **size, **guidance).images[0]


@pytest.mark.parametrize("side", [64, 96])
@pytest.mark.parametrize("prediction_type", ["epsilon", "v_prediction"])
def test_a_picture_of_sd2_equals_the_one_of_diffusers_pipeline(prediction_type: str, side: int, toys: Toys) -> None:
    folder = toys(SD2, prediction_type)
    request = replace(REQUEST, width=side, height=side)
    assert off_by(request, load_toy_model(folder, family=SD2), theirs(folder, request)) <= 1


def test_an_empty_negative_prompt_of_sd2_is_encoded(toys: Toys) -> None:
    folder = toys(SD2, "epsilon")
    request = replace(REQUEST, negative_prompt="")
    assert off_by(request, load_toy_model(folder, family=SD2), theirs(folder, request)) <= 1


@pytest.mark.parametrize("rescale", [0.0, 0.7])
@pytest.mark.parametrize("family", [SD2, SDXL], ids=lambda family: family.key)
def test_a_picture_with_zero_terminal_snr_equals_the_one_of_diffusers(family: Family, rescale: float, toys: Toys) -> None:
    folder = toys(family, "v_prediction", zero_snr=True)
    model = load_toy_model(folder, family=family)
    assert model.alphas_cumprod[-1] < 1e-6
    request = replace(REQUEST, guidance_rescale=rescale)
    assert off_by(request, model, theirs(folder, request)) <= 1


@pytest.fixture(scope="module")
def without_signal(toys: Toys) -> DiffusionModel:
    """Its first level has nothing of a picture."""
    return load_toy_model(toys(SD2, "v_prediction", zero_snr=True), family=SD2)


@pytest.mark.parametrize("sampler", SAMPLER_NAMES)
def test_every_sampler_draws_with_zero_terminal_snr(sampler: str, without_signal: DiffusionModel) -> None:
    request = replace(REQUEST, sampler=sampler, steps=4, batch_size=2)
    assert len({*pixels(request, without_signal)}) == 2  # whose numbers are all finite


def test_a_network_distilled_with_its_guidance_is_told_it_and_draws_in_one_branch(toys: Toys) -> None:
    folder = toys(SD1, "epsilon")
    model = load_toy_model(folder, family=SD1)
    from diffusers import UNet2DConditionModel

    torch.manual_seed(0)
    unet: Any = UNet2DConditionModel.from_config(dict(model.unet.config) | {"time_cond_proj_dim": 16})
    unet.eval()
    request = replace(REQUEST, guidance_scale=8.0)
    assert off_by(request, replace(model, unet=unet), theirs(folder, request, unet=unet)) <= 1
    assert off_by(replace(request, guidance_scale=1.5), replace(model, unet=unet), theirs(folder, request, unet=unet)) > 0


def test_clip_skip_of_one_and_two_differ_and_beyond_the_layers_it_stops(toys: Toys) -> None:
    model = load_toy_model(toys(SD2, "epsilon"), family=SD2)
    drawn = {skip: pixels(replace(REQUEST, clip_skip=skip, steps=2), model) for skip in (1, 2, 3, 12)}
    assert drawn[1] != drawn[2]
    assert drawn[2] == drawn[3] == drawn[12], "the toy has two layers"


@pytest.mark.parametrize(("asked", "taken"), [(0, 1), (-1, 1), (1, 1), (2, 2), (12, 12), (13, 12)])
def test_a_clip_skip_beyond_its_limits_is_put_on_the_nearest(asked: int, taken: int) -> None:
    assert TextToImage.admit({"clip_skip": asked}).clip_skip == taken


@pytest.mark.parametrize(("channels", "word"), [(9, "inpainting"), (5, "depth"), (8, "editing"), (6, "another task")])
def test_a_checkpoint_that_needs_a_picture_is_refused_with_a_sentence(channels: int, word: str, toys: Toys) -> None:
    model = load_toy_model(toys(SD1, "epsilon"), family=SD1)
    other: Any = replace(model, unet=SimpleNamespace(config={"in_channels": channels}))  # type: ignore[arg-type]
    with pytest.raises(UserError, match=f"{word}.*Choose another checkpoint"):
        pixels(REQUEST, other)
    with pytest.raises(UserError, match=word):
        pixels(REQUEST, replace(model, refiner=other))


def test_a_vae_of_another_family_is_given_latents_at_the_checkpoints_scale(toys: Toys) -> None:
    """The same VAE with another factor in its own configuration draws the same picture."""
    model = load_toy_model(toys(SD1, "epsilon"), family=SD1)
    vae = deepcopy(model.vae)
    vae.register_to_config(scaling_factor=0.13025)
    assert vae.config["scaling_factor"] != model.vae.config["scaling_factor"]
    assert pixels(REQUEST, replace(model, vae=vae)) == pixels(REQUEST, model)


def test_a_refiner_reads_the_embeddings_of_the_request(toys: Toys) -> None:
    model: DiffusionModel = load_toy_model(toys(SD1, "epsilon"), family=SD1)
    model = replace(model, refiner=model)
    word = Embedding("house", {"clip_l": torch.randn(2, 32, generator=torch.Generator().manual_seed(0))})
    only_refiner = replace(REQUEST, steps=2, refiner_start=0.0)
    assert pixels(only_refiner, replace(model, embeddings={"house": word})) != pixels(only_refiner, model)
