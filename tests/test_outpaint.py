"""Outpainting on toy weights: what is known stays, what is new is drawn in windows, and edges and masks follow closed forms."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from models.diffusion_model import DiffusionModel
from models.memory.device import Device
from pipelines import Outpaint
from pipelines.images.store import Inputs
from pipelines.images.windows import windows
from pipelines.jobs.events import Step
from pipelines.tasks import outpaint
from pipelines.tasks.sampling import noise_of
from tests.support.asked import drawing
from tests.support.drawing import SAMPLER_KINDS, blots, finished, task
from tests.support.toy_weights import load_toy_model, write_toy_model

SIDE = 64
REQUEST = Outpaint(prompt="a red house", steps=3, seed=5, width=SIDE, height=SIDE, sampler="Euler", overlap=8)
MARGINS = [
    {"right": 64}, {"left": 40}, {"top": 24}, {"bottom": 96}, {"left": 32, "right": 32, "top": 16, "bottom": 16},
]  # fmt: skip


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> DiffusionModel:
    return load_toy_model(write_toy_model(tmp_path_factory.mktemp("plain")))


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Inputs:
    return Inputs(tmp_path_factory.mktemp("inputs"))


def asked(inputs: Inputs, size: tuple[int, int] = (SIDE, SIDE), **changes: Any) -> Outpaint:
    return replace(REQUEST, image=inputs.keep(blots(size)), **changes)


def drawn(request: Outpaint, model: DiffusionModel, inputs: Inputs) -> list[Image.Image]:
    return [picture.image for picture in finished(outpaint.batches(task(request, model, inputs)))]


def array(image: Image.Image) -> NDArray[np.uint8]:
    return np.asarray(image)


@pytest.mark.parametrize("margins", MARGINS)
@pytest.mark.parametrize("size", [(64, 64), (50, 90)])
def test_what_is_known_stays_and_the_rest_is_drawn(
    model: DiffusionModel, inputs: Inputs, margins: dict[str, int], size: tuple[int, int]
) -> None:
    [image] = drawn(asked(inputs, size, **margins), model, inputs)
    left, top = margins.get("left", 0), margins.get("top", 0)
    assert image.size == (size[0] + left + margins.get("right", 0), size[1] + top + margins.get("bottom", 0))
    inner = 8  # the overlap
    known = array(image)[top : top + size[1], left : left + size[0]][inner:-inner, inner:-inner]
    assert (known == array(blots(size))[inner:-inner, inner:-inner]).all()
    new = np.ones(image.size[::-1], bool)
    new[top : top + size[1], left : left + size[0]] = False
    assert array(image)[new].std() > 1


def test_without_overlap_every_pixel_of_the_picture_stays(model: DiffusionModel, inputs: Inputs) -> None:
    [image] = drawn(asked(inputs, right=64, overlap=0), model, inputs)
    assert (array(image)[:, :SIDE] == array(blots((SIDE, SIDE)))).all()


def test_steps_are_counted_over_all_windows(model: DiffusionModel, inputs: Inputs) -> None:
    request = asked(inputs, right=96, batch_size=2)
    with torch.inference_mode():
        steps = [event for batch in outpaint.batches(task(request, model, inputs)) for event in batch if isinstance(event, Step)]
    count = 2 * 3 * len(windows((SIDE, SIDE), (0, 0, 96, 0), (SIDE, SIDE)))
    assert count == 18 and [(step.index, step.count) for step in steps] == [(index + 1, count) for index in range(count)]


def test_a_job_can_be_left_between_windows(model: DiffusionModel, inputs: Inputs) -> None:
    calls: list[int] = []
    with torch.inference_mode():
        batch = next(outpaint.batches(task(asked(inputs, right=128), model, inputs)))
        first = [next(batch) for _ in range(REQUEST.steps)]
        hook = model.unet.register_forward_hook(lambda *_: calls.append(1))
        batch.close()
        assert next(batch, "over") == "over"
    hook.remove()
    assert all(isinstance(event, Step) for event in first) and calls == []


def test_each_picture_of_a_batch_is_the_one_of_its_seed_alone(model: DiffusionModel, inputs: Inputs) -> None:
    request = asked(inputs, right=64)
    together = [image.tobytes() for image in drawn(replace(request, batch_size=2), model, inputs)]
    assert together == [drawn(replace(request, seed=5 + index), model, inputs)[0].tobytes() for index in range(2)]


def test_a_picture_without_margins_comes_back(model: DiffusionModel, inputs: Inputs) -> None:
    assert drawn(asked(inputs), model, inputs)[0].tobytes() == blots((SIDE, SIDE)).tobytes()


@pytest.mark.parametrize("sampler", SAMPLER_KINDS)
def test_every_kind_of_sampler_extends(model: DiffusionModel, inputs: Inputs, sampler: str) -> None:
    [image] = drawn(asked(inputs, right=32, sampler=sampler), model, inputs)
    assert array(image)[:, SIDE:].std() > 1


def test_every_window_has_noise_of_its_own_in_a_variation_too(model: DiffusionModel) -> None:
    for strength in (0.0, 0.5, 1.0):
        request = replace(REQUEST, variation_strength=strength, variation_seed=9)
        one, other = (noise_of([request], (4, 32, 32), model, turn).first().flatten() for turn in (0, 1))
        assert abs(torch.corrcoef(torch.stack([one, other]))[0, 1].item()) < 0.1  # 4096 numbers: six standard errors


def test_what_a_decode_had_to_do_is_told_with_the_picture(tmp_path: Path, inputs: Inputs) -> None:
    half = load_toy_model(write_toy_model(tmp_path), Device(torch.device("cpu"), torch.float16))
    with torch.inference_mode():  # inner values beyond 65504
        assert half.vae.post_quant_conv
        half.vae.post_quant_conv.weight *= 8
        half.vae.decoder.conv_in.weight *= 2000
    [picture] = finished(outpaint.batches(task(asked(inputs, right=96), half, inputs)))
    assert picture.made_with["VAE precision"] == "float32"
    assert {way.precision for way in drawing(picture.request).decodes} == {"float32"}
    [again] = finished(outpaint.batches(task(picture.request, half, inputs)))  # type: ignore[arg-type]
    assert again.image.tobytes() == picture.image.tobytes()


def test_a_network_that_reads_the_mask_extends_too(tmp_path_factory: pytest.TempPathFactory, inputs: Inputs) -> None:
    reader = load_toy_model(write_toy_model(tmp_path_factory.mktemp("nine"), channels_in=9))
    [image] = drawn(asked(inputs, left=64), reader, inputs)
    assert (array(image)[:, SIDE + 8 :] == array(blots((SIDE, SIDE)))[:, 8:]).all()


def test_new_area_begins_with_noise_or_with_the_edges(model: DiffusionModel, inputs: Inputs) -> None:
    edges, noise = (
        drawn(asked(inputs, right=64, begins_with=begin, denoising_strength=0.6), model, inputs)[0] for begin in ("Edges", "Latent noise")
    )
    assert edges.tobytes() != noise.tobytes()


# ---- closed forms --------------------------------------------------------------------------------------------------------------------


def test_the_edges_are_drawn_outwards_as_numpy_pads_them() -> None:
    patch = outpaint.Canvas(blots((SIDE, SIDE)), (16, 0, 24, 0)).patch((0, 0, 104, SIDE), (SIDE, SIDE), 0)
    assert (array(patch.picture) == np.pad(array(blots((SIDE, SIDE))), ((0, 0), (16, 24), (0, 0)), mode="edge")).all()


def test_the_mask_is_full_where_nothing_is_known_and_falls_over_the_overlap() -> None:
    patch = outpaint.Canvas(blots((SIDE, SIDE)), (0, 0, 32, 0)).patch((0, 0, 96, SIDE), (SIDE, SIDE), 8)
    expected = np.r_[np.zeros(SIDE - 8), np.rint(255 * np.arange(1, 9) / 9), np.full(32, 255)]
    assert (array(patch.mask) == expected).all()


def test_a_drawing_takes_the_tone_of_the_picture() -> None:
    """One that is lighter by the same everywhere comes back as it should be, wherever it is used."""
    image = Image.new("RGB", (96, SIDE), (100, 110, 120))
    patch = outpaint.Canvas(image.crop((0, 0, 24, SIDE)), (0, 0, 72, 0)).patch((0, 0, 96, SIDE), (96, SIDE), 16)
    lighter = Image.new("RGB", (96, SIDE), (130, 150, 120))
    assert np.abs(array(outpaint.toned(lighter, patch)).astype(int) - [100, 110, 120])[array(patch.mask) > 0].max() <= 1


def test_without_an_overlap_the_tone_is_left_as_it_is() -> None:
    patch = outpaint.Canvas(blots((SIDE, SIDE)), (0, 0, 32, 0)).patch((0, 0, 96, SIDE), (96, SIDE), 0)
    drawing = blots((96, SIDE))
    assert outpaint.toned(drawing, patch) is drawing
