"""SDXL and its refiner on toy weights, against diffusers' own pipelines."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from models.diffusion_model import DiffusionModel
from models.families import SDXL, SDXL_REFINER
from models.memory.device import Device
from pipelines import TextToImage
from pipelines.requests.request import SAMPLER_NAMES
from pipelines.samplers import SAMPLERS, plan
from pipelines.samplers.noise_schedule import NoiseSchedule
from pipelines.tasks import txt2img
from tests.support.drawing import finished, first_noise, levels, off_by, pixels, task
from tests.support.toy_weights import load_toy_model, write_toy_model

REQUEST = TextToImage(
    prompt="a red house", negative_prompt="mountains", steps=6, seed=5, width=64, height=96, sampler="Euler", guidance_scale=6.5
)
OF_DIFFUSERS = {"height": 96, "width": 64, "num_inference_steps": 6, "guidance_scale": 6.5}


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    root = tmp_path_factory.mktemp("sdxl")
    return write_toy_model(root / "base", family=SDXL), write_toy_model(root / "refiner", family=SDXL_REFINER, seed=1)


@pytest.fixture(scope="module")
def model(folders: tuple[Path, Path]) -> DiffusionModel:
    return load_toy_model(folders[0], family=SDXL)


@pytest.fixture(scope="module")
def refined(folders: tuple[Path, Path], model: DiffusionModel) -> DiffusionModel:
    return replace(model, refiner=load_toy_model(folders[1], family=SDXL_REFINER))


@pytest.fixture(scope="module")
def base_pipeline(folders: tuple[Path, Path]) -> Any:
    from diffusers import StableDiffusionXLPipeline

    return quiet(StableDiffusionXLPipeline.from_pretrained(folders[0], torch_dtype=torch.float32, local_files_only=True))


@pytest.fixture(scope="module")
def refiner_pipeline(folders: tuple[Path, Path], base_pipeline: Any) -> Any:
    from diffusers import StableDiffusionXLImg2ImgPipeline

    pipeline = StableDiffusionXLImg2ImgPipeline.from_pretrained(folders[1], torch_dtype=torch.float32, local_files_only=True)
    pipeline.register_modules(vae=base_pipeline.vae)
    return quiet(pipeline)


def quiet(pipeline: Any) -> Any:
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def theirs(pipeline: Any, prompt: str | None = "a red house", negative: str | None = "mountains", **settings: Any) -> Image.Image:
    noise = first_noise(REQUEST.seed, 96, 64)
    return pipeline(prompt, negative_prompt=negative, latents=noise, **OF_DIFFUSERS | settings).images[0]


@pytest.mark.parametrize("guidance", [1.0, 6.5])
def test_a_picture_equals_the_one_of_diffusers_pipeline(guidance: float, model: DiffusionModel, base_pipeline: Any) -> None:
    request = replace(REQUEST, guidance_scale=guidance)
    assert off_by(request, model, theirs(base_pipeline, guidance_scale=guidance)) <= 1


def test_an_empty_negative_prompt_is_zeros_as_in_diffusers(model: DiffusionModel, base_pipeline: Any) -> None:
    assert off_by(replace(REQUEST, negative_prompt=""), model, theirs(base_pipeline, negative=None)) <= 1
    assert off_by(replace(REQUEST, negative_prompt=""), model, theirs(base_pipeline, negative="")) > 1


def test_the_size_goes_to_the_network(model: DiffusionModel, base_pipeline: Any) -> None:
    """Told another original size, diffusers draws another picture; told ours, the same."""
    assert off_by(REQUEST, model, theirs(base_pipeline, original_size=(96, 64), target_size=(96, 64))) <= 1
    assert off_by(REQUEST, model, theirs(base_pipeline, original_size=(640, 640), target_size=(96, 64))) > 1
    assert off_by(REQUEST, model, theirs(base_pipeline, negative_original_size=(256, 256), negative_target_size=(96, 64))) > 1


def test_a_long_prompt_equals_diffusers_given_its_chunks(model: DiffusionModel, base_pipeline: Any) -> None:
    parts, negative = ["house " * 75, "snow " * 75, "a red tree"], ["mountains", "", ""]
    encoded = [
        base_pipeline.encode_prompt(part, negative_prompt=other or " ", device="cpu") for part, other in zip(parts, negative, strict=True)
    ]
    embeds, negative_embeds = (torch.cat([each[place] for each in encoded], 1) for place in (0, 1))
    pooled = {"pooled_prompt_embeds": encoded[0][2], "negative_pooled_prompt_embeds": encoded[0][3]}
    expected = theirs(base_pipeline, None, None, prompt_embeds=embeds, negative_prompt_embeds=negative_embeds, **pooled)
    assert off_by(replace(REQUEST, prompt="".join(parts)), model, expected) <= 1


def test_clip_skip_two_is_diffusers_one(model: DiffusionModel, base_pipeline: Any) -> None:
    """diffusers counts what is left out beyond the usual, and has a negative prompt skip nothing; so there is none here."""
    request = replace(REQUEST, guidance_scale=1.0, clip_skip=2)
    assert off_by(request, model, theirs(base_pipeline, guidance_scale=1.0, clip_skip=1)) <= 1


def test_guidance_rescale_equals_diffusers(model: DiffusionModel, base_pipeline: Any) -> None:
    expected = theirs(base_pipeline, guidance_rescale=0.7)
    assert off_by(replace(REQUEST, guidance_rescale=0.7), model, expected) <= 1
    assert off_by(REQUEST, model, expected) > 1


@pytest.mark.parametrize(("start", "steps"), [(0.8, 10), (0.5, 6)])
def test_base_and_refiner_equal_diffusers_ensemble_of_experts(
    start: float, steps: int, refined: DiffusionModel, base_pipeline: Any, refiner_pipeline: Any
) -> None:
    settings = {"num_inference_steps": steps, "guidance_scale": 6.5}
    prompts = {"prompt": REQUEST.prompt, "negative_prompt": REQUEST.negative_prompt}
    size = {"height": 96, "width": 64}
    noise = first_noise(REQUEST.seed, 96, 64)
    half = base_pipeline(**prompts, **settings, **size, latents=noise, denoising_end=start, output_type="latent").images
    sizes = {"original_size": (96, 64), "target_size": (96, 64)}
    whole = refiner_pipeline(**prompts, **settings, **sizes, image=half, denoising_start=start).images[0]
    request = replace(REQUEST, steps=steps, refiner="another", refiner_start=start)
    assert off_by(request, refined, whole) <= 1
    assert off_by(request, replace(refined, refiner=None), whole) > 1


@pytest.mark.parametrize("sampler", SAMPLER_NAMES)
def test_the_refiner_takes_over_at_its_step_in_every_sampler(sampler: str, refined: DiffusionModel) -> None:
    """Whose turn it is, call by call: four steps of the base, then one of the refiner."""
    calls: list[str] = []
    handles = [watch(refined, "base", calls.append), watch(refined.refiner, "refiner", calls.append)]
    pixels(replace(REQUEST, sampler=sampler, steps=5, refiner_start=0.8), refined)
    for handle in handles:
        handle.remove()
    of_base = calls_of(sampler, 4, ends_at_zero=False) + SAMPLERS[sampler].more_calls
    of_refiner = calls_of(sampler, 1, ends_at_zero=sampler != "DDIM")
    wanted = ["base"] * of_base + ["refiner"] * of_refiner
    assert calls == (sorted(calls) if SAMPLERS[sampler].adaptive and {*calls} == {*wanted} else wanted)


def calls_of(sampler: str, steps: int, ends_at_zero: bool) -> int:
    calls = SAMPLERS[sampler].calls_per_step
    return calls * steps - (calls - 1) * ends_at_zero


def watch(model: DiffusionModel | None, name: str, note: Callable[[str], None]) -> torch.utils.hooks.RemovableHandle:
    assert model is not None
    return model.unet.register_forward_pre_hook(lambda _module, _inputs: note(name))


def test_a_refiner_from_the_first_step_draws_alone_and_from_the_last_not_at_all(refined: DiffusionModel) -> None:
    assert refined.refiner is not None
    alone = replace(refined, unet=refined.refiner.unet, text_encoders=refined.refiner.text_encoders, family=SDXL_REFINER, refiner=None)
    assert pixels(replace(REQUEST, refiner_start=0.0), refined) == pixels(REQUEST, alone)
    assert pixels(replace(REQUEST, refiner_start=1.0), refined) == pixels(REQUEST, replace(refined, refiner=None))


def test_image_i_of_a_refined_batch_is_the_image_of_its_seed(refined: DiffusionModel) -> None:
    request = replace(REQUEST, sampler="DPM++ 2M SDE", steps=4, refiner_start=0.5)
    together = pixels(replace(request, batch_count=2, batch_size=2), refined)
    assert together == [pixels(replace(request, seed=5 + index), refined)[0] for index in range(4)]


def test_the_refiner_knows_its_own_timestep_for_a_noise_level(refined: DiffusionModel) -> None:
    """Trained on other noise levels, it is asked about the level the base arrived at, not about the base's timestep."""
    assert refined.refiner is not None
    other = replace(refined.refiner, alphas_cumprod=refined.refiner.alphas_cumprod**1.5)
    seen: list[float] = []
    handle = other.unet.register_forward_pre_hook(lambda _module, inputs: seen.append(float(inputs[1][0])))
    pixels(replace(REQUEST, steps=4, refiner_start=0.75), replace(refined, refiner=other))
    handle.remove()
    level = plan("Euler", "Automatic", 4, NoiseSchedule(refined.alphas_cumprod))[3]
    assert seen == [pytest.approx(float(NoiseSchedule(other.alphas_cumprod).sigma_to_t(level)), abs=1e-3)]


def test_half_precision_draws_nearly_the_same_picture(folders: tuple[Path, Path], model: DiffusionModel) -> None:
    coarse = load_toy_model(folders[0], Device(torch.device("cpu"), torch.float16), SDXL)
    [fine], [rough] = (finished(txt2img.batches(task(REQUEST, each))) for each in (model, coarse))
    difference = (levels(fine.image) - levels(rough.image)).abs().float()
    assert 0 < difference.mean() < 4
