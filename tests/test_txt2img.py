"""Text to image on toy weights: against diffusers' own pipeline, batches against single pictures, and numbers that overflow."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

from models.diffusion_model import DiffusionModel
from models.errors import Overflow, UserError
from models.library.catalog import Catalog
from models.memory.device import Device
from pipelines import TextToImage
from pipelines.denoising.vae_decode import TILE, Decoded, decode
from pipelines.images.store import Inputs
from pipelines.job_book.book import JobBook
from pipelines.jobs.events import Step
from pipelines.jobs.outputs import Outputs, read
from pipelines.requests.request import SAMPLER_NAMES
from pipelines.runtime.runner import open_runner
from pipelines.studio import Studio
from pipelines.tasks import txt2img
from tests.support.drawing import SAMPLER_KINDS, clip_tokenizer, finished, first_noise, levels, off_by, pixels, task
from tests.support.toy_weights import SCHEDULER, load_toy_model, write_toy_model
from tests.support.toys import wait_until

pytestmark = pytest.mark.smoke

REQUEST = TextToImage(prompt="a red house", negative_prompt="mountains", steps=4, seed=5, width=32, height=48)


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, DiffusionModel]:
    """By what they predict. Read once, in whatever order the tests ask for them."""
    kinds = "epsilon", "v_prediction"
    return {kind: load_toy_model(write_toy_model(tmp_path_factory.mktemp(kind), kind)) for kind in kinds}


@pytest.fixture(params=["epsilon", "v_prediction"])
def model(request: pytest.FixtureRequest, models: dict[str, DiffusionModel]) -> DiffusionModel:
    return models[request.param]


def plain_decode(model: DiffusionModel, latents: torch.Tensor) -> torch.Tensor:
    return model.vae.decode(latents, return_dict=False)[0]  # pyright: ignore[reportArgumentType]


def run(decoding: Generator[None, None, Decoded]) -> tuple[Decoded, int]:
    """The picture that a decode returns, and how often it offered to stop."""
    stops = 0
    while True:
        try:
            next(decoding)
            stops += 1
        except StopIteration as end:
            return end.value, stops


@pytest.mark.parametrize("guidance", [1.0, 6.5])
def test_a_picture_equals_the_one_of_diffusers_pipeline(model: DiffusionModel, guidance: float) -> None:
    from diffusers import EulerDiscreteScheduler, StableDiffusionPipeline

    scheduler = EulerDiscreteScheduler.from_config(SCHEDULER | {"prediction_type": model.prediction_type})
    parts = {"vae": model.vae, "text_encoder": model.text_encoder, "unet": model.unet, "scheduler": scheduler}
    none = {"safety_checker": None, "feature_extractor": None, "requires_safety_checker": False}
    pipeline = StableDiffusionPipeline(**parts, tokenizer=clip_tokenizer(model.checkpoint.tokenizer), **none)  # type: ignore[arg-type]
    pipeline.set_progress_bar_config(disable=True)
    request = replace(REQUEST, sampler="Euler", steps=8, guidance_scale=guidance)
    noise = first_noise(5, 48, 32)
    # diffusers multiplies the noise by sqrt(sigma_max^2 + 1) under "leading" spacing and by sigma_max under "linspace", as here
    same = {"negative_prompt": request.negative_prompt, "height": 48, "width": 32, "num_inference_steps": 8, "guidance_scale": guidance}
    theirs = pipeline(request.prompt, latents=noise, output_type="pil", **same).images[0]  # type: ignore[union-attr,arg-type]
    assert off_by(request, model, theirs) <= 1


@pytest.mark.parametrize(
    ("model", "sampler"),
    [*(("epsilon", name) for name in SAMPLER_NAMES), *(("v_prediction", name) for name in SAMPLER_KINDS)],
    indirect=["model"],
)
def test_image_i_of_seed_s_is_bit_for_bit_the_image_of_seed_s_plus_i(model: DiffusionModel, sampler: str) -> None:
    request = replace(REQUEST, sampler=sampler, steps=3)
    together = pixels(replace(request, batch_count=2, batch_size=2), model)
    alone = [pixels(replace(request, seed=5 + index), model)[0] for index in (1, 2)]  # the second of a batch, and the first of another
    assert together[1:3] == alone
    assert len(set(together)) == 4


def test_every_picture_carries_the_request_that_makes_it_alone(model: DiffusionModel) -> None:
    for picture in finished(txt2img.batches(task(replace(REQUEST, batch_size=2), model))):
        assert isinstance(picture.request, TextToImage)
        assert pixels(picture.request, model) == [picture.image.tobytes()]


def test_guidance_one_runs_one_branch(model: DiffusionModel) -> None:
    sizes: list[int] = []
    handle = model.unet.register_forward_pre_hook(lambda _, arguments: sizes.append(len(arguments[0])))
    pixels(replace(REQUEST, guidance_scale=1.0), model)
    assert set(sizes) == {1}
    sizes.clear()
    pixels(REQUEST, model)
    handle.remove()
    assert set(sizes) == {2}


def test_the_negative_prompt_and_a_weight_change_the_picture(model: DiffusionModel) -> None:
    variants = [REQUEST, replace(REQUEST, negative_prompt=""), replace(REQUEST, prompt="a (red:1.5) house")]
    assert len({pixels(variant, model)[0] for variant in variants}) == 3


def test_a_prompt_of_many_chunks_draws(model: DiffusionModel) -> None:
    assert len(pixels(replace(REQUEST, prompt="a red house, " * 60, steps=1), model)) == 1


def test_every_step_has_its_own_preview(model: DiffusionModel) -> None:
    with torch.inference_mode():
        batches = txt2img.batches(task(replace(REQUEST, steps=6, batch_size=3), model))
        steps = [event for batch in batches for event in batch if isinstance(event, Step)]
    assert [(step.index, step.count) for step in steps] == [(index, 6) for index in range(1, 7)]
    assert len({step.preview() for step in steps}) == 6


def test_one_nan_among_the_latents_is_found(model: DiffusionModel) -> None:
    def spoil(_module: object, _inputs: object, output: tuple[torch.Tensor]) -> tuple[torch.Tensor]:
        output[0][-1, -1, -1, -1] = torch.nan
        return output

    handle = model.unet.register_forward_hook(spoil)
    with pytest.raises(Overflow, match="UNet"):
        pixels(REQUEST, model)
    handle.remove()
    assert len(pixels(REQUEST, model)) == 1


def test_a_decode_that_overflows_in_half_precision_is_retried_in_full(tmp_path: Path) -> None:
    model = load_toy_model(write_toy_model(tmp_path), Device(torch.device("cpu"), torch.float16))
    latents = torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(0))
    plain, _ = run(decode(model, latents))
    with torch.inference_mode():  # the same function, with inner values beyond 65504
        assert model.vae.post_quant_conv
        model.vae.post_quant_conv.weight *= 8
        model.vae.decoder.conv_in.weight *= 2000
    assert not torch.isfinite(plain_decode(model, latents.half() * 5)).all()
    retried, _ = run(decode(model, latents))
    assert len(retried.image.getcolors(100_000) or []) > 10, "not a black picture"
    assert next(model.vae.parameters()).dtype == torch.float16, "the model is put back as it was"
    assert plain.image.size == retried.image.size
    assert (plain.notes, retried.notes) == ({}, {"VAE precision": "float32"})


def test_a_vae_that_overflows_in_full_precision_too_is_named(model: DiffusionModel) -> None:
    with pytest.raises(Overflow, match="VAE"):
        run(decode(model, torch.full((1, 4, 8, 8), torch.inf)))


def test_a_large_picture_is_decoded_in_tiles_that_join(model: DiffusionModel) -> None:
    latents = torch.randn(1, 4, 8, TILE + 40, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        tiled, stops = run(decode(model, latents))
        whole = plain_decode(model, latents / model.vae.config["scaling_factor"])
    assert stops == 2
    left = levels(tiled.image).view(64, -1, 3).float()
    expected = ((whole[0].permute(1, 2, 0) + 1) * 127.5).round().clamp(0, 255)
    # Tiles have their own group statistics, so they agree roughly, not exactly.
    assert (left - expected).abs().mean() < 0.1 * expected.std() + 1


def test_a_weight_that_is_missing_or_misshapen_or_nan_is_named(tmp_path: Path) -> None:
    folder = write_toy_model(tmp_path)
    file = folder / "unet" / "diffusion_pytorch_model.safetensors"
    good = load_file(file)
    nan = {name: torch.full_like(tensor, torch.nan) if name == "conv_in.bias" else tensor for name, tensor in good.items()}
    missing = {name: tensor for name, tensor in good.items() if name != "conv_in.bias"}
    misshapen = good | {"conv_in.bias": torch.zeros(3)}
    for bad, word in ((missing, "lacks"), (misshapen, "shape"), (nan, "finite")):
        save_file(bad, file)
        with pytest.raises(UserError, match=word):
            load_toy_model(folder)


def test_a_saved_picture_read_back_and_run_gives_the_same_pixels(tmp_path: Path) -> None:
    folder = write_toy_model(tmp_path / "model")
    catalog = Catalog(folder)
    outputs = Outputs(tmp_path / "outputs")
    book, inputs = JobBook(tmp_path / "studio.db", tmp_path / "outputs"), Inputs(tmp_path / "inputs")
    studio = Studio(catalog, outputs, book, lambda: open_runner(catalog, "cpu", inputs), inputs=inputs)
    studio.start()
    first = replace(REQUEST, seed=-1, width=64, height=96, batch_size=2, sampler="DPM++ SDE")
    studio.submit(first, "ada")
    wait_until(lambda: len(studio.recent("ada")) == 2, 60)
    original = studio.recent("ada")[0]
    studio.submit(read(original.path), "ada")
    wait_until(lambda: len(studio.recent("ada")) == 3, 60)
    again = studio.recent("ada")[0]
    studio.close()
    assert again.path != original.path
    assert Image.open(again.path).tobytes() == Image.open(original.path).tobytes()
    assert read(again.path) == read(original.path)
