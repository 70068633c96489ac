"""Inpainting on toy weights: against diffusers' own pipelines, and that every pixel outside the blurred mask stays as it was."""

from __future__ import annotations

import io
import itertools
from dataclasses import replace
from typing import Any, cast

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from models.errors import UserError
from models.families import SDXL
from models.loading import DiffusionModel
from pipelines import Inpaint, TextToImage, inpaint, txt2img
from pipelines.course import Leg, noise_of, show_whole
from pipelines.denoise import Masked
from pipelines.events import Step
from pipelines.inputs import Inputs
from pipelines.masking import blurred
from pipelines.request import AREAS, MASKED_CONTENTS, SAMPLER_NAMES
from pipelines.strength import steps_of
from tests.drawing import clip_tokenizer, finished, levels
from tests.toy_weights import SCHEDULER, load_toy_model, write_toy_model

SIDE = 64
REQUEST = Inpaint(prompt="a red house", negative_prompt="mountains", steps=8, seed=5, width=SIDE, height=SIDE, sampler="Euler", mask_blur=0)


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> DiffusionModel:
    return load_toy_model(write_toy_model(tmp_path_factory.mktemp("plain")))


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> DiffusionModel:
    """A network that reads the mask: nine channels in."""
    return load_toy_model(write_toy_model(tmp_path_factory.mktemp("nine"), channels_in=9))


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Inputs:
    return Inputs(tmp_path_factory.mktemp("inputs"))


def picture(size: tuple[int, int] = (SIDE, SIDE), seed: int = 1) -> Image.Image:
    blots = np.random.default_rng(seed).integers(0, 256, (8, 8, 3), np.uint8)
    return Image.fromarray(blots).resize(size, Image.Resampling.BICUBIC)


def mask_of(size: tuple[int, int] = (SIDE, SIDE), box: tuple[int, int, int, int] = (16, 16, 39, 47)) -> Image.Image:
    """A rectangle; the default one lies on the grid of the latents."""
    mask = Image.new("L", size)
    ImageDraw.Draw(mask).rectangle(box, fill=255)
    return mask


def asked(inputs: Inputs, image: Image.Image | None = None, mask: Image.Image | None = None, **changes: Any) -> Inpaint:
    return replace(REQUEST, image=inputs.keep(image or picture()), mask=inputs.keep(mask or mask_of()), **changes)


def drawn(request: Inpaint, model: DiffusionModel, inputs: Inputs) -> list[Image.Image]:
    return [picture.image for picture in finished(inpaint.batches(request, model, inputs))]


def array(image: Image.Image) -> NDArray[np.uint8]:
    return np.asarray(image)


# ---- against diffusers ------------------------------------------------------------------------------------------------------------


def theirs(model: DiffusionModel, strength: float, content: Image.Image) -> Image.Image:
    from diffusers import EulerDiscreteScheduler, StableDiffusionInpaintPipeline

    scheduler = EulerDiscreteScheduler.from_config(SCHEDULER | {"prediction_type": model.prediction_type})
    parts = {"vae": model.vae, "text_encoder": model.text_encoder, "unet": model.unet, "scheduler": scheduler}
    none = {"safety_checker": None, "feature_extractor": None, "requires_safety_checker": False}
    pipeline = StableDiffusionInpaintPipeline(**parts, tokenizer=clip_tokenizer(model.checkpoint.tokenizer), **none)  # type: ignore[arg-type]
    pipeline.set_progress_bar_config(disable=True)
    generator = torch.Generator().manual_seed(5)
    sizes = {"height": SIDE, "width": SIDE, "num_inference_steps": 8, "strength": strength, "guidance_scale": REQUEST.guidance_scale}
    words = {"prompt": REQUEST.prompt, "negative_prompt": REQUEST.negative_prompt}
    answer = cast(Any, pipeline)(**words, image=content, mask_image=mask_of(), generator=generator, output_type="pil", **sizes)
    return answer.images[0]


@pytest.fixture
def certain(monkeypatch: pytest.MonkeyPatch) -> None:
    """diffusers draws from the VAE's distribution; here its middle is taken, as ours does."""
    from diffusers.models.autoencoders.vae import DiagonalGaussianDistribution

    monkeypatch.setattr(DiagonalGaussianDistribution, "sample", lambda self, generator=None: self.mean)


@pytest.mark.usefixtures("certain")
@pytest.mark.parametrize("channels", [4, 9])
def test_under_the_mask_a_picture_equals_the_one_of_diffusers_pipeline(
    plain: DiffusionModel, reader: DiffusionModel, inputs: Inputs, channels: int
) -> None:
    model = plain if channels == 4 else reader
    # Five of eight steps: there int(8 * 0.625), here int(8 * 0.55) + 1.
    expected = theirs(model, 0.625, picture())
    [ours] = drawn(asked(inputs, denoising_strength=0.55), model, inputs)
    inside = array(mask_of()) == 255
    assert np.abs(array(ours)[inside].astype(int) - array(expected)[inside]).max() <= 2
    assert (array(ours)[~inside] == array(picture())[~inside]).all()


@pytest.mark.usefixtures("certain")
def test_at_full_strength_a_network_that_reads_the_mask_equals_diffusers(reader: DiffusionModel, inputs: Inputs) -> None:
    """Nearly: they begin with noise alone, we with the picture under as much of it, which leaves a trace."""
    expected = theirs(reader, 1.0, picture())
    [ours] = drawn(asked(inputs, denoising_strength=1.0), reader, inputs)
    inside = array(mask_of()) == 255
    assert np.abs(array(ours)[inside].astype(int) - array(expected)[inside]).mean() < 6


def test_an_sdxl_network_that_reads_the_mask_draws(tmp_path_factory: pytest.TempPathFactory, inputs: Inputs) -> None:
    folder = write_toy_model(tmp_path_factory.mktemp("xl"), family=SDXL, channels_in=9)
    [image] = drawn(asked(inputs), load_toy_model(folder, family=SDXL), inputs)
    assert image.size == (SIDE, SIDE) and array(image)[20:40, 20:36].std() > 1


def test_such_a_network_is_refused_where_there_is_no_mask(reader: DiffusionModel) -> None:
    with pytest.raises(UserError, match="inpainting model"):
        finished(txt2img.batches(TextToImage(prompt="x", seed=1, width=64, height=64), reader))


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
        [image] = drawn(asked(inputs, picture(size), mask, steps=2, padding=8, **changes), plain, inputs)
        over = mask.point(lambda value: 255 - value) if changes["inverted"] else mask
        outside = array(blurred(over, cast(int, changes["mask_blur"]))) == 0
        assert image.size == size
        assert (array(image)[outside] == array(picture(size))[outside]).all(), changes
        assert (array(image)[~outside] != array(picture(size))[~outside]).any(), changes


def test_so_it_is_with_a_network_that_reads_the_mask(reader: DiffusionModel, inputs: Inputs) -> None:
    for area in AREAS:
        [image] = drawn(asked(inputs, picture((100, 80)), mask_of((100, 80)), area=area, mask_blur=4), reader, inputs)
        outside = array(blurred(mask_of((100, 80)), 4)) == 0
        assert (array(image)[outside] == array(picture((100, 80)))[outside]).all()


def test_latents_outside_the_mask_end_as_those_of_the_picture(plain: DiffusionModel, inputs: Inputs) -> None:
    request = asked(inputs)
    patch = inpaint.patch_of(request, picture(), mask_of())
    with torch.inference_mode():
        prepared = ended(inpaint.prepare(plain, request, patch, "Original"))
        noise = noise_of([request], (4, 8, 8), plain)
        latents = ended(inpaint.paint(request, prepared, "Original", steps_of(request), noise, Leg(), show_whole(plain)))
    inside = (prepared.mask == 1).expand_as(latents)
    assert torch.equal(latents[~inside], prepared.kept[~inside])
    assert not torch.allclose(latents[inside], prepared.kept[inside])


def ended(generator: Any) -> Any:
    while True:
        try:
            next(generator)
        except StopIteration as end:
            return end.value


def test_strength_zero_gives_the_picture_back(plain: DiffusionModel, inputs: Inputs) -> None:
    [image] = drawn(asked(inputs, picture((70, 50)), mask_of((70, 50)), denoising_strength=0.0), plain, inputs)
    assert image.tobytes() == picture((70, 50)).tobytes()


# ---- what is drawn -----------------------------------------------------------------------------------------------------------------


def test_each_masked_content_begins_with_something_else(plain: DiffusionModel, inputs: Inputs) -> None:
    images = [drawn(asked(inputs, masked_content=content), plain, inputs)[0].tobytes() for content in MASKED_CONTENTS]
    assert len(set(images)) == len(MASKED_CONTENTS)


def test_latent_nothing_begins_with_zeros(plain: DiffusionModel, inputs: Inputs) -> None:
    request = asked(inputs)
    with torch.inference_mode():
        prepared = ended(inpaint.prepare(plain, request, inpaint.patch_of(request, picture(), mask_of()), "Latent nothing"))
    inside = (prepared.mask == 1).expand_as(prepared.begins)
    assert (prepared.begins[inside] == 0).all() and torch.equal(prepared.begins[~inside], prepared.kept[~inside])


class Answers:
    """A guide whose answer is 1 everywhere."""

    schedule: Any = None

    def begin(self, index: int, steps: int) -> None: ...

    def __call__(self, x: torch.Tensor, sigma: torch.Tensor) -> torch.Tensor:
        return torch.ones_like(x)


@pytest.mark.parametrize("skipped", [0, 4])
def test_with_soft_inpainting_a_pixel_of_strength_m_joins_for_the_last_m_of_the_steps(skipped: int) -> None:
    strengths = torch.tensor([0.0, 0.25, 0.5, 1.0]).view(1, 1, 1, 4)
    guide = Masked(Answers(), torch.zeros(1, 1, 1, 4), strengths, soft=True, skipped=skipped)
    joined = torch.zeros(4)
    for index in range(skipped, skipped + 8):
        guide.begin(index, skipped + 8)
        joined += guide(torch.zeros(1, 1, 1, 4), torch.ones(1)).flatten()
    assert joined.tolist() == [0, 2, 4, 8]


def test_a_mask_of_black_and_white_is_the_same_soft_or_not_in_what_is_drawn(plain: DiffusionModel, inputs: Inputs) -> None:
    hard, soft = (drawn(asked(inputs, soft=soft), plain, inputs)[0] for soft in (False, True))
    inside = array(mask_of()) == 255
    assert (array(hard)[inside] == array(soft)[inside]).all()


def test_a_mask_over_everything_draws_the_whole_picture(plain: DiffusionModel, inputs: Inputs) -> None:
    everything = Image.new("L", (SIDE, SIDE), 255)
    for area in AREAS:
        [image] = drawn(asked(inputs, mask=everything, area=area, denoising_strength=1.0), plain, inputs)
        assert (levels(image) - levels(picture())).abs().float().mean() > 5


@pytest.mark.parametrize("sampler", SAMPLER_NAMES)
def test_every_sampler_works_and_candidates_are_each_their_own(plain: DiffusionModel, inputs: Inputs, sampler: str) -> None:
    request = asked(inputs, sampler=sampler, steps=4, mask_blur=4)
    together = [image.tobytes() for image in drawn(replace(request, batch_size=2, batch_count=2), plain, inputs)]
    assert together == [drawn(replace(request, seed=5 + index), plain, inputs)[0].tobytes() for index in range(4)]
    assert len(set(together)) == 4


def test_previews_show_the_part_in_its_place(plain: DiffusionModel, inputs: Inputs) -> None:
    size = (300, 100)
    request = asked(inputs, picture(size), mask_of(size, (10, 10, 30, 30)), area="Only masked", padding=4, steps=2)
    with torch.inference_mode():
        [first, *_] = [event for batch in inpaint.batches(request, plain, inputs) for event in batch if isinstance(event, Step)]
        preview = Image.open(io.BytesIO(first.preview()))
    assert preview.size == size
    off = np.abs(array(preview.convert("RGB")).astype(int) - array(picture(size))).mean(2)
    assert off[:, 100:].mean() < 6 < off[10:30, 10:30].mean()
