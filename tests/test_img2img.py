"""Image to image on toy weights: against diffusers' own pipelines, and what strength, rounds, batches and sizes promise."""

from __future__ import annotations

import copy
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import torch
from PIL import Image

from models.diffusion_model import DiffusionModel
from models.families import SDXL
from pipelines import ImageToImage, TextToImage
from pipelines.images.store import Inputs
from pipelines.jobs.events import Step
from pipelines.requests.request import RESIZE_MODES, PictureUse
from pipelines.samplers.noise import ImageNoise, Variation, slerp
from pipelines.tasks import img2img, txt2img
from tests.support.drawing import SAMPLER_KINDS, blots, clip_tokenizer, finished, latents_of, levels, task
from tests.support.toy_weights import SCHEDULER, load_toy_model, write_toy_model

SIDE = 64
REQUEST = ImageToImage(prompt="a red house", negative_prompt="mountains", steps=8, seed=5, width=SIDE, height=SIDE, sampler="Euler")


@pytest.fixture(scope="module", params=["epsilon", "v_prediction"])
def model(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> DiffusionModel:
    return load_toy_model(write_toy_model(tmp_path_factory.mktemp(request.param), request.param))


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> DiffusionModel:
    return load_toy_model(write_toy_model(tmp_path_factory.mktemp("plain")))


@pytest.fixture(scope="module")
def xl_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_toy_model(tmp_path_factory.mktemp("xl"), family=SDXL)


@pytest.fixture(scope="module")
def xl(xl_folder: Path) -> DiffusionModel:
    return load_toy_model(xl_folder, family=SDXL)


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Inputs:
    return Inputs(tmp_path_factory.mktemp("inputs"))


def from_picture(inputs: Inputs, **changes: Any) -> ImageToImage:
    return replace(REQUEST, image=inputs.keep(blots((SIDE, SIDE))), **changes)


def images(request: ImageToImage, model: DiffusionModel, inputs: Inputs) -> list[Image.Image]:
    return [picture.image for picture in finished(img2img.batches(task(request, model, inputs)))]


def pixels(request: ImageToImage, model: DiffusionModel, inputs: Inputs) -> list[bytes]:
    return [image.tobytes() for image in images(request, model, inputs)]


def steps_in(request: ImageToImage, model: DiffusionModel, inputs: Inputs) -> list[Step]:
    with torch.inference_mode():
        return [event for batch in img2img.batches(task(request, model, inputs)) for event in batch if isinstance(event, Step)]


def theirs(pipeline: Any, model: DiffusionModel, request: ImageToImage, strength: float, **more: Any) -> Image.Image:
    pipeline.set_progress_bar_config(disable=True)
    generator = torch.Generator().manual_seed(request.seed)
    same = {"num_inference_steps": request.steps, "guidance_scale": request.guidance_scale, "strength": strength}
    latents = latents_of(model, blots((SIDE, SIDE)))
    return pipeline(
        request.prompt, image=latents, negative_prompt=request.negative_prompt, generator=generator, output_type="pil", **same, **more
    ).images[0]


@pytest.mark.parametrize("guidance", [1.0, 6.5])
def test_a_picture_equals_the_one_of_diffusers_pipeline(model: DiffusionModel, inputs: Inputs, guidance: float) -> None:
    from diffusers import EulerDiscreteScheduler, StableDiffusionImg2ImgPipeline

    scheduler = EulerDiscreteScheduler.from_config(SCHEDULER | {"prediction_type": model.prediction_type})
    parts = {"vae": model.vae, "text_encoder": model.text_encoder, "unet": model.unet, "scheduler": scheduler}
    none = {"safety_checker": None, "feature_extractor": None, "requires_safety_checker": False}
    pipeline = StableDiffusionImg2ImgPipeline(**parts, tokenizer=clip_tokenizer(model.checkpoint.tokenizer), **none)  # type: ignore[arg-type]
    # Five of eight steps: there int(8 * 0.625), here int(8 * 0.55) + 1.
    expected = theirs(pipeline, model, replace(REQUEST, guidance_scale=guidance), 0.625)
    request = from_picture(inputs, denoising_strength=0.55, guidance_scale=guidance)
    [ours] = images(request, model, inputs)
    assert len(steps_in(request, model, inputs)) == 5
    assert int((levels(ours) - levels(expected)).abs().max()) <= 1


def test_an_sdxl_picture_equals_the_one_of_diffusers_pipeline(xl_folder: Path, xl: DiffusionModel, inputs: Inputs) -> None:
    from diffusers import StableDiffusionXLImg2ImgPipeline

    pipeline = StableDiffusionXLImg2ImgPipeline.from_pretrained(xl_folder, torch_dtype=torch.float32, local_files_only=True)
    sizes = {"original_size": (SIDE, SIDE), "target_size": (SIDE, SIDE)}
    expected = theirs(pipeline, xl, REQUEST, 0.625, **sizes)
    [ours] = images(from_picture(inputs, denoising_strength=0.55), xl, inputs)
    assert int((levels(ours) - levels(expected)).abs().max()) <= 1


def test_strength_one_is_text_to_image_bit_for_bit(model: DiffusionModel, inputs: Inputs) -> None:
    words = TextToImage(
        prompt=REQUEST.prompt, negative_prompt=REQUEST.negative_prompt, steps=8, seed=5, width=SIDE, height=SIDE, sampler="Euler"
    )
    [plain] = finished(txt2img.batches(task(words, model)))
    assert pixels(from_picture(inputs, denoising_strength=1.0), model, inputs) == [plain.image.tobytes()]


@pytest.mark.parametrize("mode", RESIZE_MODES)
def test_strength_zero_gives_the_picture_back_at_its_size_and_draws_nothing(plain: DiffusionModel, inputs: Inputs, mode: str) -> None:
    calls: list[int] = []
    networks = (plain.unet, plain.vae.encoder, plain.vae.decoder)
    hooks = [network.register_forward_hook(lambda *_: calls.append(1)) for network in networks]
    same, smaller = (blots(size) for size in ((SIDE, SIDE), (128, 128)))
    given = [replace(REQUEST, image=inputs.keep(image), denoising_strength=0.0, resize_mode=mode) for image in (same, smaller)]
    found = [pixels(request, plain, inputs) for request in given]
    for hook in hooks:
        hook.remove()
    # Of the same shape, so that nothing is cut off, filled in or distorted in any mode.
    assert found == [[same.tobytes()], [smaller.resize((SIDE, SIDE), Image.Resampling.LANCZOS).tobytes()]]
    assert calls == []


def test_the_picture_is_left_further_behind_as_strength_grows(plain: DiffusionModel, inputs: Inputs) -> None:
    """Against what hardly any noise gives, since the toy's encoder and decoder alone change a picture."""
    [start] = images(from_picture(inputs, denoising_strength=0.05, steps=40), plain, inputs)

    def off(strength: float, seed: int) -> float:
        [image] = images(from_picture(inputs, denoising_strength=strength, seed=seed), plain, inputs)
        return float((levels(image) - levels(start)).abs().float().mean())

    distances = [np.mean([off(strength, seed) for seed in (1, 2, 3)]) for strength in (0.2, 0.4, 0.6, 0.8, 1.0)]
    assert distances == sorted(distances)


@pytest.mark.parametrize(("strength", "count"), [(1.0, 8), (0.75, 7), (0.5, 5), (0.1, 1), (0.01, 1)])
def test_steps_that_run_are_those_of_the_rule(plain: DiffusionModel, inputs: Inputs, strength: float, count: int) -> None:
    steps = steps_in(from_picture(inputs, denoising_strength=strength), plain, inputs)
    assert [(step.index, step.count) for step in steps] == [(index + 1, count) for index in range(count)]


@pytest.mark.parametrize("strength", [1.0, 0.5, 0.1])
def test_exactly_the_steps_asked_for_run(plain: DiffusionModel, inputs: Inputs, strength: float) -> None:
    assert len(steps_in(from_picture(inputs, denoising_strength=strength, exact_steps=True), plain, inputs)) == 8


@pytest.mark.parametrize("sampler", ["DPM++ SDE", "DDIM"])
def test_exactly_the_steps_asked_for_run_where_they_are_many_and_the_strength_low(
    plain: DiffusionModel, inputs: Inputs, sampler: str
) -> None:
    request = from_picture(inputs, denoising_strength=0.01, exact_steps=True, steps=20, sampler=sampler)
    assert len(steps_in(request, plain, inputs)) == 20


@pytest.mark.parametrize("sampler", SAMPLER_KINDS)
def test_every_kind_of_sampler_draws_over_a_picture_and_a_batch_is_each_alone(plain: DiffusionModel, inputs: Inputs, sampler: str) -> None:
    request = from_picture(inputs, denoising_strength=0.5, sampler=sampler, steps=4)
    together = pixels(replace(request, batch_size=2, batch_count=2), plain, inputs)
    assert together == [pixels(replace(request, seed=5 + index), plain, inputs)[0] for index in range(4)]
    assert len(set(together)) == 4
    assert pixels(replace(request, denoising_strength=0.05), plain, inputs)


@pytest.mark.parametrize("mode", RESIZE_MODES)
def test_a_picture_of_another_size_comes_to_the_size_asked_for(plain: DiffusionModel, inputs: Inputs, mode: str) -> None:
    for size in ((63, 65), (7, 500), (1, 1), (200, 40)):
        image = inputs.keep(blots(size, 2))
        request = replace(REQUEST, image=image, resize_mode=mode, width=96, height=64, steps=3)
        for strength in (0.0, 0.5):
            assert [one.size for one in images(replace(request, denoising_strength=strength), plain, inputs)] == [(96, 64)]


def test_each_loopback_round_begins_with_the_picture_before_and_says_so(plain: DiffusionModel, inputs: Inputs) -> None:
    request = from_picture(inputs, denoising_strength=0.6, final_strength=0.3, loops=3, steps=4, batch_size=2, batch_count=2)
    drawn = finished(img2img.batches(task(request, plain, inputs)))
    assert [round(cast(ImageToImage, picture.request).denoising_strength, 2) for picture in drawn[::2]] == [0.6, 0.45, 0.3] * 2
    assert {cast(ImageToImage, drawn[place].request).image for place in (0, 1, 6, 7)} == {request.image}
    for before, after in [*zip(drawn[:4], drawn[2:6], strict=True), *zip(drawn[6:10], drawn[8:], strict=True)]:
        asked = cast(ImageToImage, after.request)
        assert inputs.open(asked.image).tobytes() == before.image.tobytes()
        assert pixels(asked, plain, inputs) == [after.image.tobytes()]


def test_several_pictures_are_drawn_as_each_alone(plain: DiffusionModel, inputs: Inputs) -> None:
    ids = [inputs.keep(blots((SIDE, SIDE), seed)) for seed in (3, 4, 5)]
    request = replace(REQUEST, images=tuple(PictureUse(id=image) for image in ids), denoising_strength=0.5, steps=4)
    alone = [
        pixels(replace(REQUEST, image=image, seed=5 + place, denoising_strength=0.5, steps=4), plain, inputs)[0]
        for place, image in enumerate(ids)
    ]
    assert pixels(request, plain, inputs) == alone


@pytest.mark.parametrize("strength", [1.0, 0.75, 0.3])
def test_a_refiner_takes_over_at_its_share_of_the_planned_steps(xl: DiffusionModel, inputs: Inputs, strength: float) -> None:
    """Of ten planned steps the last four are its own, however many of those before do not run."""
    calls: list[str] = []
    hooks: list[Any] = []
    refined = replace(xl, refiner=replace(xl, unet=copy.deepcopy(xl.unet)))
    assert refined.refiner
    for name, network in (("base", refined.unet), ("refiner", refined.refiner.unet)):
        hooks.append(network.register_forward_pre_hook(lambda *_, name=name: calls.append(name)))
    request = from_picture(inputs, denoising_strength=strength, steps=10, refiner="another", refiner_start=0.6)
    run = len(steps_in(request, refined, inputs))
    for hook in hooks:
        hook.remove()
    assert run == {1.0: 10, 0.75: 8, 0.3: 4}[strength]
    assert calls == ["base"] * (run - 4) + ["refiner"] * 4


# ---- variations ------------------------------------------------------------------------------------------------------------------


def first(seed: int, **changes: Any) -> torch.Tensor:
    return ImageNoise([seed], (4, 16, 16), **changes).first()


def test_a_variation_goes_from_one_seed_s_noise_to_the_other_s() -> None:
    assert torch.allclose(first(1, variation=Variation([2], 0.0)), first(1), atol=1e-5)
    assert torch.allclose(first(1, variation=Variation([2], 1.0)), first(2), atol=1e-5)
    lengths = [float(first(1, variation=Variation([2], share)).std()) for share in (0.25, 0.5, 0.75)]
    assert all(0.9 < length < 1.1 for length in lengths)  # a straight line would fall to 0.7


def test_the_arc_is_that_of_the_formula() -> None:
    one, other = torch.randn(2, 4, 9, 7, dtype=torch.float64, generator=torch.Generator().manual_seed(0)).unbind()
    got = slerp(one, other, 0.3)
    for channel in range(4):
        for column in range(7):
            a, b = one[channel, :, column], other[channel, :, column]
            angle = torch.arccos(a @ b / (a.norm() * b.norm()))
            expected = (torch.sin(0.7 * angle) * a + torch.sin(0.3 * angle) * b) / torch.sin(angle)
            assert torch.allclose(got[channel, :, column], expected)


def test_pictures_of_a_variation_share_the_seed_and_count_up_the_other(plain: DiffusionModel, inputs: Inputs) -> None:
    request = from_picture(inputs, variation_strength=0.3, variation_seed=9, batch_size=2, steps=3)
    drawn = [cast(ImageToImage, picture.request) for picture in finished(img2img.batches(task(request, plain, inputs)))]
    assert [(one.seed, one.variation_seed) for one in drawn] == [(5, 9), (5, 10)]
    assert pixels(request, plain, inputs) == [pixels(one, plain, inputs)[0] for one in drawn]
