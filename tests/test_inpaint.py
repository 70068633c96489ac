"""Inpainting on toy weights: against diffusers' own pipelines, and that every pixel outside the blurred mask stays as it was."""

from __future__ import annotations

import io
import itertools
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from models.diffusion_model import DiffusionModel
from models.errors import UserError
from models.families import SDXL
from pipelines import Inpaint, TextToImage
from pipelines.denoising.stepped import Masked
from pipelines.denoising.vae_decode import decode
from pipelines.images.masking import blurred
from pipelines.images.store import Inputs
from pipelines.jobs.events import Step
from pipelines.requests.request import AREAS, MASKED_CONTENTS
from pipelines.requests.steps import Steps, steps_of
from pipelines.tasks import inpaint, txt2img
from pipelines.tasks.conditioning import Denoisers
from pipelines.tasks.sampling import RunPosition, noise_of, show_whole
from tests.support.drawing import SAMPLER_KINDS, blots, clip_tokenizer, ended, finished, latents_of, levels, task
from tests.support.toy_weights import SCHEDULER, load_toy_model, write_toy_model

SIDE = 64
REQUEST = Inpaint(prompt="a red house", negative_prompt="mountains", steps=8, seed=5, width=SIDE, height=SIDE, sampler="Euler", mask_blur=0)


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> DiffusionModel:
    return load_toy_model(write_toy_model(tmp_path_factory.mktemp("plain")))


@pytest.fixture(scope="module")
def velocity(tmp_path_factory: pytest.TempPathFactory) -> DiffusionModel:
    return load_toy_model(write_toy_model(tmp_path_factory.mktemp("velocity"), "v_prediction"))


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> DiffusionModel:
    """A network that reads the mask: nine channels in."""
    return load_toy_model(write_toy_model(tmp_path_factory.mktemp("nine"), channels_in=9))


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Inputs:
    return Inputs(tmp_path_factory.mktemp("inputs"))


def mask_of(size: tuple[int, int] = (SIDE, SIDE), box: tuple[int, int, int, int] = (16, 16, 39, 47)) -> Image.Image:
    """A rectangle; the default one lies on the grid of the latents."""
    mask = Image.new("L", size)
    ImageDraw.Draw(mask).rectangle(box, fill=255)
    return mask


def asked(inputs: Inputs, image: Image.Image | None = None, mask: Image.Image | None = None, **changes: Any) -> Inpaint:
    return replace(REQUEST, image=inputs.keep(image or blots((SIDE, SIDE))), mask=inputs.keep(mask or mask_of()), **changes)


def drawn(request: Inpaint, model: DiffusionModel, inputs: Inputs) -> list[Image.Image]:
    return [picture.image for picture in finished(inpaint.batches(task(request, model, inputs)))]


def array(image: Image.Image) -> NDArray[np.uint8]:
    return np.asarray(image)


# ---- against diffusers ------------------------------------------------------------------------------------------------------------


def theirs(model: DiffusionModel, strength: float) -> Image.Image:
    from diffusers import EulerDiscreteScheduler, StableDiffusionInpaintPipeline

    scheduler = EulerDiscreteScheduler.from_config(SCHEDULER | {"prediction_type": model.prediction_type})
    parts = {"vae": model.vae, "text_encoder": model.text_encoder, "unet": model.unet, "scheduler": scheduler}
    none = {"safety_checker": None, "feature_extractor": None, "requires_safety_checker": False}
    pipeline = StableDiffusionInpaintPipeline(**parts, tokenizer=clip_tokenizer(model.checkpoint.tokenizer), **none)  # type: ignore[arg-type]
    return answer(pipeline, model, strength)


def answer(pipeline: Any, model: DiffusionModel, strength: float, **sizes: Any) -> Image.Image:
    """Given latents and no pictures, so that the noise is the first and only thing that is drawn from the generator."""
    pipeline.set_progress_bar_config(disable=True)
    image, outside = blots((SIDE, SIDE)), torch.from_numpy(1 - array(mask_of()) / 255).float()
    pictures = {"image": latents_of(model, image), "masked_image_latents": latents_of(model, image, outside), "mask_image": mask_of()}
    sizes = {"height": SIDE, "width": SIDE, "num_inference_steps": 8, "guidance_scale": REQUEST.guidance_scale, **sizes}
    words = {"prompt": REQUEST.prompt, "negative_prompt": REQUEST.negative_prompt}
    return pipeline(**words, **pictures, **sizes, strength=strength, generator=torch.Generator().manual_seed(5)).images[0]


def off_inside(ours: Image.Image, expected: Image.Image) -> int:
    """The largest difference in levels under the mask."""
    inside = array(mask_of()) == 255
    return int(np.abs(array(ours)[inside].astype(int) - array(expected)[inside]).max())


@pytest.mark.parametrize("kind", ["plain", "velocity", "reader"])
def test_under_the_mask_a_picture_equals_the_one_of_diffusers_pipeline(kind: str, inputs: Inputs, request: pytest.FixtureRequest) -> None:
    model = request.getfixturevalue(kind)
    # Five of eight steps: there int(8 * 0.625), here int(8 * 0.55) + 1.
    [ours] = drawn(asked(inputs, denoising_strength=0.55), model, inputs)
    assert off_inside(ours, theirs(model, 0.625)) <= 1


def test_at_full_strength_a_network_that_reads_the_mask_equals_diffusers_once_both_begin_with_noise_alone(
    reader: DiffusionModel, inputs: Inputs
) -> None:
    """Ours keeps the picture under the noise even then, as A1111 does; what the network reads next to it is the same."""
    whole = asked(inputs, denoising_strength=1.0)
    expected = theirs(reader, 1.0)
    prepared, latents = painted(reader, whole, blank=True)
    assert not prepared.begins.any()
    assert off_inside(ended(decode(reader, latents))[0].image, expected) <= 1


def painted(
    model: DiffusionModel, request: Inpaint, content: str = "Original", blank: bool = False
) -> tuple[inpaint.Prepared, torch.Tensor]:
    """What a drawing begins with, and its clean latents. `blank`: begin with zeros."""
    patch = inpaint.patch_of(request, blots((SIDE, SIDE)), mask_of())
    prepared, _ = ended(inpaint.prepare(model, request, patch, content, Denoisers(request, model)))
    prepared = replace(prepared, begins=torch.zeros_like(prepared.begins)) if blank else prepared
    noise = noise_of([request], (4, SIDE // 8, SIDE // 8), model)
    latents, _ = ended(inpaint.paint(request, prepared, content, steps_of(request), noise, RunPosition(), show_whole(model)))
    return prepared, latents


def test_an_sdxl_network_that_reads_the_mask_equals_diffusers(tmp_path: Path, inputs: Inputs) -> None:
    from diffusers import StableDiffusionXLInpaintPipeline

    folder = write_toy_model(tmp_path, family=SDXL, channels_in=9)
    model = load_toy_model(folder, family=SDXL)
    pipeline = StableDiffusionXLInpaintPipeline.from_pretrained(folder, torch_dtype=torch.float32, local_files_only=True)
    [ours] = drawn(asked(inputs, denoising_strength=0.55), model, inputs)
    assert off_inside(ours, answer(pipeline, model, 0.625, original_size=(SIDE, SIDE), target_size=(SIDE, SIDE))) <= 1


def test_such_a_network_is_refused_where_there_is_no_mask(reader: DiffusionModel) -> None:
    with pytest.raises(UserError, match="inpainting model"):
        finished(txt2img.batches(task(TextToImage(prompt="x", seed=1, width=64, height=64), reader)))


# ---- what stays ------------------------------------------------------------------------------------------------------------------

KINDS = [
    {"area": area, "masked_content": content, "soft": soft, "mask_blur": blur, "inverted": inverted}
    for number, (area, content, soft, blur, inverted) in enumerate(
        itertools.product(AREAS, MASKED_CONTENTS, (False, True), (0, 4, 16), (False, True))
    )
    if number % 5 == 0 or (blur == 4 and not soft and not inverted)
]


@pytest.mark.parametrize("size", [(64, 64), (63, 65), (200, 120)])
def test_every_pixel_outside_the_blurred_mask_is_the_picture_s_own(plain: DiffusionModel, inputs: Inputs, size: tuple[int, int]) -> None:
    mask = mask_of(size, (9, 21, 30, 40))
    for changes in KINDS:
        [image] = drawn(asked(inputs, blots(size), mask, steps=2, padding=8, **changes), plain, inputs)
        over = mask.point(lambda value: 255 - value) if changes["inverted"] else mask
        outside = array(blurred(over, cast(int, changes["mask_blur"]))) == 0
        assert image.size == size
        assert (array(image)[outside] == array(blots(size))[outside]).all(), changes
        assert (array(image)[~outside] != array(blots(size))[~outside]).any(), changes


def test_so_it_is_with_a_network_that_reads_the_mask(reader: DiffusionModel, inputs: Inputs) -> None:
    size = (100, 80)
    for area, soft, content in itertools.product(AREAS, (False, True), ("Original", "Latent noise")):
        changes = {"area": area, "soft": soft, "masked_content": content, "mask_blur": 4, "steps": 2}
        [image] = drawn(asked(inputs, blots(size), mask_of(size), **changes), reader, inputs)
        outside = array(blurred(mask_of(size), 4)) == 0
        assert (array(image)[outside] == array(blots(size))[outside]).all(), changes


@pytest.mark.parametrize("sampler", SAMPLER_KINDS)
def test_latents_outside_the_mask_end_as_those_of_the_picture(plain: DiffusionModel, inputs: Inputs, sampler: str) -> None:
    prepared, latents = painted(plain, asked(inputs, sampler=sampler, steps=3))
    inside = (prepared.mask == 1).expand_as(latents)
    assert torch.equal(latents[~inside], prepared.kept[~inside])
    assert not torch.allclose(latents[inside], prepared.kept[inside])


def test_strength_zero_gives_the_picture_back(plain: DiffusionModel, inputs: Inputs) -> None:
    [image] = drawn(asked(inputs, blots((70, 50)), mask_of((70, 50)), denoising_strength=0.0), plain, inputs)
    assert image.tobytes() == blots((70, 50)).tobytes()


# ---- what is drawn -----------------------------------------------------------------------------------------------------------------


def test_each_masked_content_begins_with_something_else(plain: DiffusionModel, inputs: Inputs) -> None:
    images = [drawn(asked(inputs, masked_content=content), plain, inputs)[0].tobytes() for content in MASKED_CONTENTS]
    assert len(set(images)) == len(MASKED_CONTENTS)


def test_latent_nothing_begins_with_zeros(plain: DiffusionModel, inputs: Inputs) -> None:
    prepared, _ = painted(plain, asked(inputs, steps=1), "Latent nothing")
    inside = (prepared.mask == 1).expand_as(prepared.begins)
    assert (prepared.begins[inside] == 0).all() and torch.equal(prepared.begins[~inside], prepared.kept[~inside])


class Answers:
    """A guide whose answer is 1 everywhere."""

    schedule: Any = None
    gathered: Any = None

    def begin(self, index: int, steps: Steps) -> None: ...

    def __call__(self, x: torch.Tensor, sigma: torch.Tensor) -> torch.Tensor:
        return torch.ones_like(x)


@pytest.mark.parametrize("skipped", [0, 4])
def test_with_soft_inpainting_a_pixel_of_strength_m_joins_for_the_last_m_of_the_steps(skipped: int) -> None:
    strengths = torch.tensor([0.0, 0.25, 0.5, 1.0]).view(1, 1, 1, 4)
    denoiser = Masked(Answers(), torch.zeros(1, 1, 1, 4), strengths, soft=True)
    joined = torch.zeros(4)
    for index in range(skipped, skipped + 8):
        denoiser.begin(index, Steps(skipped + 8, skipped))
        joined += denoiser(torch.zeros(1, 1, 1, 4), torch.ones(1)).flatten()
    assert joined.tolist() == [0, 2, 4, 8]


def test_a_mask_of_black_and_white_is_the_same_soft_or_not_in_what_is_drawn(plain: DiffusionModel, inputs: Inputs) -> None:
    hard, soft = (drawn(asked(inputs, soft=soft), plain, inputs)[0] for soft in (False, True))
    inside = array(mask_of()) == 255
    assert (array(hard)[inside] == array(soft)[inside]).all()


def test_a_mask_over_everything_draws_the_whole_picture(plain: DiffusionModel, inputs: Inputs) -> None:
    everything = Image.new("L", (SIDE, SIDE), 255)
    for area in AREAS:
        [image] = drawn(asked(inputs, mask=everything, area=area, denoising_strength=1.0), plain, inputs)
        assert (levels(image) - levels(blots((SIDE, SIDE)))).abs().float().mean() > 5


@pytest.mark.parametrize("sampler", SAMPLER_KINDS)
def test_every_kind_of_sampler_works_and_candidates_are_each_their_own(plain: DiffusionModel, inputs: Inputs, sampler: str) -> None:
    request = asked(inputs, sampler=sampler, steps=4, mask_blur=4)
    together = [image.tobytes() for image in drawn(replace(request, batch_size=2, batch_count=2), plain, inputs)]
    assert together == [drawn(replace(request, seed=5 + index), plain, inputs)[0].tobytes() for index in range(4)]
    assert len(set(together)) == 4


def test_previews_show_the_part_in_its_place(plain: DiffusionModel, inputs: Inputs) -> None:
    size = (300, 100)
    request = asked(inputs, blots(size), mask_of(size, (10, 10, 30, 30)), area="Only masked", padding=4, steps=2)
    with torch.inference_mode():
        [first, *_] = [event for batch in inpaint.batches(task(request, plain, inputs)) for event in batch if isinstance(event, Step)]
        preview = Image.open(io.BytesIO(first.preview()))
    assert preview.size == size
    off = np.abs(array(preview.convert("RGB")).astype(int) - array(blots(size))).mean(2)
    assert off[:, 100:].mean() < 6 < off[10:30, 10:30].mean()
