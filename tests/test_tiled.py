"""Drawing in windows and tile by tile: against networks whose error at borders is known, and against each part drawn by itself."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from models.diffusion_model import DiffusionModel
from models.errors import Interrupted
from pipelines import ControlUse, Drawing, ImageToImage, Inpaint, describe, restore
from pipelines.control.units import Controls
from pipelines.denoising import vae_decode
from pipelines.denoising.stepped import Masked
from pipelines.denoising.tiled import Tiled, equal, gaussian
from pipelines.images.masking import Box
from pipelines.images.store import Inputs
from pipelines.images.tiles import evenly
from pipelines.jobs.events import Picture, Step
from pipelines.requests.as_made import DecodeUse
from pipelines.requests.steps import Steps
from pipelines.requests.tiles import CROSSINGS, ONE_BY_ONE, WINDOWS, InWindows
from pipelines.samplers.noise_schedule import NoiseSchedule
from pipelines.services.preflight import preflight, tiles_lines
from pipelines.tasks import img2img, inpaint
from pipelines.tasks.conditioning import Denoisers
from tests.support.controls import folder, holding, inputs, model, net_of, xl, xl_folder
from tests.support.drawing import SAMPLER_KINDS, blots, finished, task
from tests.support.toy_weights import load_toy_model, write_toy_model

__all__ = ["folder", "inputs", "model", "xl", "xl_folder"]

SIDE = 128
REQUEST = ImageToImage(
    prompt="a red house", negative_prompt="mountains", steps=3, seed=5, width=SIDE, height=SIDE, sampler="Euler", denoising_strength=0.6,
    tiling=WINDOWS, tile_size=64, tile_overlap=32,
)  # fmt: skip
BOXES = [(left, top, left + 8, top + 8) for top in (0, 4, 8) for left in (0, 4, 8)]  # its windows, in latents


class Convolution:
    """A network of one convolution, whatever the noise level. What it cannot see at a border, it takes to be nothing."""

    gathered: Tensor | None = None

    def __init__(self, side: int) -> None:
        torch.manual_seed(1)
        self._network = nn.Conv2d(4, 4, side, padding=side // 2).requires_grad_(False)
        self.schedule = NoiseSchedule(torch.linspace(0.99, 0.01, 1000))

    def begin(self, index: int, steps: Steps) -> None:
        pass

    def __call__(self, x: Tensor, sigma: Tensor) -> Tensor:
        return self._network(x)


def error(side: int, weights: Callable[[int], Tensor]) -> float:
    """Of windows against the whole, as a share of the largest number that there is."""
    network = Convolution(side)
    x = torch.randn(2, 4, 40, 56, generator=torch.Generator().manual_seed(3))
    tiled = Tiled(network, evenly((56, 40), 24, 12), weights=weights)
    whole = network(x, torch.ones(2))
    return ((tiled(x, torch.ones(2)) - whole).abs().max() / whole.abs().max()).item()


def test_the_error_of_windows_is_what_is_known() -> None:
    """A network of one pixel has none, one that sees its neighbours only where a border has weight."""
    assert error(1, gaussian) < 1e-6 and error(1, equal) < 1e-6
    assert error(3, gaussian) < 2e-5
    assert error(3, equal) > 0.1


def test_a_mask_goes_round_windows() -> None:
    network = Tiled(Convolution(3), evenly((16, 16), 8, 4))
    x, picture = (torch.randn(1, 4, 16, 16, generator=torch.Generator().manual_seed(seed)) for seed in (1, 2))
    mask = torch.zeros(1, 1, 16, 16)
    mask[..., 3:9, 5:12] = 1
    found = Masked(network, picture, mask)(x, torch.ones(1))
    assert torch.equal(found, torch.where(mask > 0, network(x, torch.ones(1)), picture))


# ---- whole drawings --------------------------------------------------------------------------------------------------------------


def asked(inputs: Inputs, **changes: Any) -> ImageToImage:
    return replace(REQUEST, image=inputs.keep(blots((SIDE, SIDE))), **changes)


def drawn(request: ImageToImage, model: DiffusionModel, inputs: Inputs) -> Image.Image:
    [picture] = finished(img2img.batches(task(request, model, inputs)))
    return picture.image


def test_one_window_is_the_whole_bit_for_bit(model: DiffusionModel, inputs: Inputs) -> None:
    one = drawn(asked(inputs, tile_size=SIDE, tile_overlap=64), model, inputs)
    assert one.tobytes() == drawn(asked(inputs, tiling="Off"), model, inputs).tobytes()
    assert one.tobytes() != drawn(asked(inputs), model, inputs).tobytes()


@pytest.mark.parametrize("sampler", SAMPLER_KINDS)
def test_every_kind_of_sampler_runs_in_windows_and_asks_once_for_each(sampler: str, model: DiffusionModel, inputs: Inputs) -> None:
    shapes: list[tuple[int, ...]] = []
    hook = model.unet.register_forward_pre_hook(lambda _, given: shapes.append(tuple(given[0].shape)))
    request = asked(inputs, sampler=sampler, steps=2)
    first = drawn(request, model, inputs)
    in_windows, shapes = shapes, []
    hook.remove()
    hook = model.unet.register_forward_pre_hook(lambda _, given: shapes.append(tuple(given[0].shape)))
    whole = drawn(replace(request, tiling="Off"), model, inputs)
    hook.remove()
    assert set(in_windows) == {(2, 4, 8, 8)} and set(shapes) == {(2, 4, 16, 16)}
    assert len(in_windows) == 9 * len(shapes)
    [line] = list(tiles_lines(request))
    assert line.startswith(f"9 windows of 64 × 64: {len(in_windows)} calls of the network, 2.2 times")
    [line] = list(tiles_lines(replace(request, sampler="DPM adaptive")))
    assert line.startswith("9 windows of 64 × 64: at least 36 calls of the network")
    assert len(first.getcolors(100_000) or []) > 10 and first.tobytes() != whole.tobytes()


def test_an_inpainting_in_windows_leaves_what_is_not_masked(model: DiffusionModel, inputs: Inputs) -> None:
    picture, mask = blots((SIDE, SIDE)), Image.new("L", (SIDE, SIDE))
    mask.paste(255, (24, 40, 104, 88))
    shared: dict[str, Any] = {item.name: getattr(REQUEST, item.name) for item in fields(InWindows)}
    request = Inpaint(
        prompt="a red house",
        image=inputs.keep(picture),
        mask=inputs.keep(mask),
        seed=5,
        steps=3,
        width=SIDE,
        height=SIDE,
        mask_blur=0,
        **shared,
    )
    calls: list[int] = []
    hook = model.unet.register_forward_hook(lambda *_: calls.append(1))
    found, whole = (
        [np.asarray(made.image) for made in finished(inpaint.batches(task(asked, model, inputs)))]
        for asked in (replace(request, batch_count=2), replace(request, tiling="Off"))
    )
    hook.remove()
    kept, hidden = np.asarray(picture), np.asarray(mask) == 0
    assert len(calls) == 9 * 3 * 2 + 3
    assert all((one[hidden] == kept[hidden]).all() and (one[~hidden] != kept[~hidden]).any() for one in found)
    assert not np.array_equal(found[0], whole[0])
    assert any(line.startswith("9 windows of 64") for line in preflight(request, (SIDE, SIDE), (24, 40, 104, 88)).lines)


def test_previews_are_of_the_whole_and_a_picture_s_record_makes_it_again(model: DiffusionModel, inputs: Inputs) -> None:
    with torch.inference_mode():
        events = [event for batch in img2img.batches(task(asked(inputs, batch_size=2), model, inputs)) for event in batch if event]
    steps, made = [event for event in events if isinstance(event, Step)], [event for event in events if isinstance(event, Picture)]
    assert [Image.open(io.BytesIO(step.preview())).size for step in steps] == [(2 * 16 + 2, 16)] * len(steps)
    assert [(step.index, step.count) for step in steps] == [(1, 2), (2, 2)]
    for picture in made:
        request = restore(describe(picture.request))
        assert isinstance(request, ImageToImage) and request.tiling == WINDOWS
        assert drawn(request, model, inputs).tobytes() == picture.image.tobytes()


def blended(answers: Sequence[Tensor]) -> Tensor:
    """Mixture of Diffusers, written down once more: answers of `BOXES`, in the order of these."""
    place = (np.arange(8) - 3.5) / 8
    weight = np.exp(-(place**2) / 0.02)[:, None] * np.exp(-(place**2) / 0.02)
    total, weights = np.zeros((*answers[0].shape[:2], 16, 16)), np.zeros((16, 16))
    for (left, top, right, bottom), answer in zip(BOXES, answers, strict=True):
        total[..., top:bottom, left:right] += answer.double().numpy() * weight
        weights[top:bottom, left:right] += weight
    return torch.as_tensor(total / weights)


def noisy(count: int = 2) -> tuple[Tensor, Tensor]:
    return torch.randn(count, 4, 16, 16, generator=torch.Generator().manual_seed(7)) * 3, torch.full((count,), 2.5)


@pytest.mark.parametrize("case", ["a map", "a map of each", "a map in a region", "channels beside"])
def test_each_window_reads_what_belongs_to_it(case: str, model: DiffusionModel, inputs: Inputs, tmp_path: Path) -> None:
    """Against each window drawn by itself, with what it reads cut out by hand."""
    map_, mask = blots((SIDE, SIDE), 8), Image.linear_gradient("L").resize((SIDE, SIDE))
    beside = torch.randn(1, 5, 16, 16, generator=torch.Generator().manual_seed(4))
    network = load_toy_model(write_toy_model(tmp_path, channels_in=9)) if case == "channels beside" else holding(model, net_of(model, 0))
    others = [blots((SIDE, SIDE), seed) for seed in (11, 12)]

    def answer(box: Box | None) -> Tensor:
        size = SIDE if box is None else 64
        cut = (lambda image: image) if box is None else (lambda image: image.crop([8 * side for side in box]))
        use = ControlUse(id="0", preprocessor="None", image="" if case == "a map of each" else inputs.keep(cut(map_)))
        if case == "a map in a region":
            use = replace(use, mask=inputs.keep(cut(mask)))
        request = replace(REQUEST, width=size, height=size, tiling=WINDOWS if box is None else "Off", controls=(use,))
        latents, sigma = noisy()
        part = (...,) if box is None else (..., slice(box[1], box[3]), slice(box[0], box[2]))
        if case == "channels beside":
            denoise = Denoisers(replace(request, controls=()), network, extra_channels=beside[part]).whole()
        else:
            denoise = Denoisers(request, network, Controls(request, network, inputs)).whole(list(map(cut, others)))
        denoise.begin(0, Steps(3))
        with torch.inference_mode():
            return denoise(latents[part], sigma)

    expected = blended([answer(box) for box in BOXES])
    assert (answer(None) - expected).abs().max() < 1e-4 * expected.abs().max()
    assert not torch.allclose(answer(BOXES[0]), answer(BOXES[8])[:1], atol=1e-2)


def test_an_sdxl_window_is_told_which_part_of_the_picture_it_is(xl: DiffusionModel) -> None:
    told: list[list[float]] = []
    hook = xl.unet.register_forward_pre_hook(
        lambda _, __, given: told.extend(given["added_cond_kwargs"]["time_ids"].tolist()), with_kwargs=True
    )
    denoise = Denoisers(replace(REQUEST, height=64), xl).whole()
    denoise.begin(0, Steps(3))
    with torch.inference_mode():
        denoise(torch.randn(1, 4, 8, 16), torch.ones(1))
    hook.remove()
    assert told == [[64, 128, 0, left, 64, 64] for left in (0, 32, 64) for _ in range(2)]  # original, corner, size; two branches each


def test_a_step_can_be_ended_between_two_windows(model: DiffusionModel) -> None:
    calls: list[int] = []

    def go_on() -> None:
        if len(calls) == 4:
            raise Interrupted

    hook = model.unet.register_forward_hook(lambda *_: calls.append(1))
    denoise = Denoisers(REQUEST, model, go_on=go_on).whole()
    denoise.begin(0, Steps(3))
    with torch.inference_mode(), pytest.raises(Interrupted):
        denoise(*noisy(1))
    hook.remove()
    assert len(calls) == 4


# ---- tile by tile ----------------------------------------------------------------------------------------------------------------

SMALL = replace(REQUEST, tiling=ONE_BY_ONE, tile_padding=64, tile_blur=2)  # of a picture of 2 x 2 tiles, each of which sees all of it


def painted(request: ImageToImage, picture: Image.Image, fresh: Box, inputs: Inputs, model: DiffusionModel) -> Image.Image:
    mask = Image.new("L", picture.size)
    mask.paste(255, fresh)
    shared: dict[str, Any] = {item.name: getattr(request, item.name) for item in fields(Drawing)} | {
        "denoising_strength": request.denoising_strength
    }
    by_hand = Inpaint(**shared, image=inputs.keep(picture), mask=inputs.keep(mask), mask_blur=request.tile_blur)
    [made] = finished(inpaint.batches(task(by_hand, model, inputs)))
    return made.image


def test_tile_by_tile_is_one_inpainting_after_another(model: DiffusionModel, inputs: Inputs) -> None:
    request = replace(SMALL, image=inputs.keep(blots((96, 96))))
    picture = blots((96, 96)).resize((SIDE, SIDE), Image.Resampling.LANCZOS)
    for fresh in ((0, 0, 64, 64), (64, 0, 128, 64), (0, 64, 64, 128), (64, 64, 128, 128)):
        picture = painted(request, picture, fresh, inputs, model)
    assert drawn(request, model, inputs).tobytes() == picture.tobytes()


def test_seams_are_drawn_after_the_tiles_and_every_step_is_told(model: DiffusionModel, inputs: Inputs) -> None:
    request = asked(inputs, tiling=ONE_BY_ONE, tile_padding=8, tile_blur=2, seam_pass=CROSSINGS, seam_strength=0.99, steps=2)
    shapes: list[tuple[int, ...]] = []
    hook = model.unet.register_forward_pre_hook(lambda _, given: shapes.append(tuple(given[0].shape)))
    with torch.inference_mode():
        events = [event for batch in img2img.batches(task(replace(request, batch_size=2), model, inputs)) for event in batch if event]
    hook.remove()
    steps, made = [event for event in events if isinstance(event, Step)], [event for event in events if isinstance(event, Picture)]
    assert [step.index for step in steps] == [*range(1, 2 * (4 + 5) * 2 + 1)] and {step.count for step in steps} == {36}
    assert shapes == [(2, 4, 10, 10)] * 36, "64 pixels and 8 on both sides"
    [line] = list(tiles_lines(request))
    assert line.startswith("4 tiles of 80 × 80, then 5 parts along their seams: 18 calls")
    for picture in made:
        record = restore(describe(picture.request))
        assert isinstance(record, ImageToImage)
        assert drawn(record, model, inputs).tobytes() == picture.image.tobytes()
    plain = drawn(replace(request, seam_pass="None"), model, inputs)
    off = np.abs(np.asarray(made[0].image, int) - np.asarray(plain, int)).max(2)
    assert off[60:68, 20:108].mean() > 3 * off[8:24, 8:24].mean()


def test_the_vae_s_way_in_each_part_is_the_recorded_one(model: DiffusionModel, inputs: Inputs, monkeypatch: pytest.MonkeyPatch) -> None:
    recorded, seen = tuple(DecodeUse(tile=8 * place) for place in range(32, 36)), list[DecodeUse]()

    def noted(model: DiffusionModel, latents: Tensor, way: DecodeUse) -> Any:
        seen.append(way)
        return vae_decode.decode(model, latents, way)

    monkeypatch.setattr("pipelines.tasks.tile_by_tile.decode", noted)
    [made] = finished(img2img.batches(task(asked(inputs, tiling=ONE_BY_ONE, decodes=recorded), model, inputs)))
    assert tuple(seen) == recorded and isinstance(made.request, ImageToImage) and made.request.decodes == recorded


def test_strength_nought_draws_no_tile(model: DiffusionModel, inputs: Inputs) -> None:
    request = asked(inputs, tiling=ONE_BY_ONE, denoising_strength=0.0)
    assert drawn(request, model, inputs).tobytes() == blots((SIDE, SIDE)).tobytes()


def test_a_unit_with_its_own_map_is_cut_as_each_tile_is(model: DiffusionModel, inputs: Inputs) -> None:
    """Where the whole map is one colour but for one tile, the other tiles are drawn as under the one colour alone."""
    plain, marked = Image.new("RGB", (SIDE, SIDE), "grey"), Image.new("RGB", (SIDE, SIDE), "grey")
    marked.paste(blots((40, 40), 3), (88, 88))
    held = holding(model, net_of(model, 0))
    units = [(ControlUse(id="0", preprocessor="None", image=inputs.keep(image)),) for image in (plain, marked)]
    request = asked(inputs, tiling=ONE_BY_ONE, tile_padding=0, tile_blur=0)
    one, other = (np.asarray(drawn(replace(request, controls=use), held, inputs), int) for use in units)
    assert np.array_equal(one[:64], other[:64]) and np.array_equal(one[:, :64], other[:, :64])
    assert not np.array_equal(one[64:, 64:], other[64:, 64:])
