"""Upscaling: what a network makes against spandrel's own call, tiles against the whole, and networks that misbehave."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from models.errors import UserError
from models.memory import device as memory
from models.memory.device import Device
from models.upscalers.upscaler import Upscaler, load_upscaler
from pipelines.requests.enlarge import passes
from pipelines.tasks import upscaling
from pipelines.tasks.spans import spans
from pipelines.tasks.upscaling import tile_for, upscaled
from tests.support.toy_weights import CPU
from tests.support.upscaled import ended, files, own_call, pixels
from tests.support.upscaler_toys import MAIN_REGISTRY, TOYS, ImageModelDescriptor, picture

__all__ = ["files"]


# ---- what its network makes ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [(24, 18), (1, 1), (5, 3)])
@pytest.mark.parametrize("name", TOYS)
def test_a_small_picture_is_spandrels_own_bit_for_bit(name: str, size: tuple[int, int], files: dict[str, Path]) -> None:
    image = picture(*size)
    made, told = ended(upscaled(load_upscaler(files[name], name, CPU), image, (size[0] * 4, size[1] * 4)))
    assert np.array_equal(pixels(made.image), own_call(files[name], image))
    assert [(step.index, step.count) for step in told] == [(1, 1)]


@pytest.mark.parametrize("name", TOYS)
def test_tiles_make_what_the_whole_makes(name: str, files: dict[str, Path]) -> None:
    """At the default overlap within 0.3 % of the mean level; without one the seams are there, so the tiles are."""
    upscaler, image = load_upscaler(files[name], name, CPU), picture(110, 90)
    whole, in_tiles, without = (
        pixels(ended(upscaled(upscaler, image, (440, 360), tile=tile, overlap=overlap))[0].image)
        for tile, overlap in ((110, 16), (64, upscaling.OVERLAP), (64, 0))
    )
    assert np.abs(in_tiles - whole).mean() < 0.003 * whole.mean()
    assert np.abs(without - whole).mean() > 3 * np.abs(in_tiles - whole).mean()


@pytest.mark.parametrize("length", [1, 63, 64, 65, 100, 127, 500, 1000, 8000])
@pytest.mark.parametrize(("tile", "overlap"), [(64, 16), (64, 0), (32, 16), (256, 24), (512, 128)])
def test_every_pixel_of_a_side_counts_once(length: int, tile: int, overlap: int) -> None:
    """At any size: weights add up to 1 everywhere, no tile is larger than allowed, and all but the end begin where windows do."""
    found, total = spans(length, tile, overlap), np.zeros(length * 4)
    for span in found:
        total[span.start * 4 : span.end * 4] += span.weights(4)
        assert span.end - span.start <= max(tile, 32) and span.start % 16 == 0
    assert np.abs(total - 1).max() < 1e-6


def test_a_strip_of_one_by_eight_thousand_is_enlarged(files: dict[str, Path]) -> None:
    made, told = ended(upscaled(load_upscaler(files["RealESRGAN Compact"], "", CPU), picture(1, 8000), (4, 32_000)))
    assert made.image.size == (4, 32_000) and len(told) > 10
    assert made.tile == 512


def test_what_is_transparent_stays_so_by_lanczos(files: dict[str, Path]) -> None:
    image = picture(20, 16, "RGBA")
    made, _ = ended(upscaled(load_upscaler(files["SPAN"], "", CPU), image, (80, 64)))
    alpha = image.getchannel("A").resize((80, 64), Image.Resampling.LANCZOS)
    assert made.image.mode == "RGBA" and made.image.getchannel("A").tobytes() == alpha.tobytes()
    assert np.array_equal(pixels(made.image.convert("RGB")), own_call(files["SPAN"], image))


def test_another_factor_takes_more_passes_and_a_last_lanczos(files: dict[str, Path]) -> None:
    """Twice is one pass, reduced; ten times are two, and the second is given no more than it needs."""
    assert passes((20, 10), (40, 20), 4) == [(20, 10)]
    assert passes((20, 10), (200, 100), 4) == [(20, 10), (50, 25)]
    assert passes((20, 10), (20, 10), 1) == [(20, 10)]
    image = picture(20, 16)
    made, _ = ended(upscaled(load_upscaler(files["SPAN"], "", CPU), image, (40, 32)))
    larger = Image.fromarray(own_call(files["SPAN"], image).astype(np.uint8))
    assert made.image.tobytes() == larger.resize((40, 32), Image.Resampling.LANCZOS).tobytes()
    tenfold, told = ended(upscaled(load_upscaler(files["SPAN"], "", CPU), image, (200, 160)))
    assert tenfold.image.size == (200, 160) and [step.count for step in told] == [2, 2]


def test_what_would_be_too_large_between_is_refused_before_anything_is_made() -> None:
    with pytest.raises(UserError, match="would make 1,600 megapixels before they are reduced; 400 are the most"):
        passes((10_000, 10_000), (10_000, 10_000), 4)


def test_each_tile_is_a_place_to_stop_and_shows_what_is_done(files: dict[str, Path]) -> None:
    work = upscaled(load_upscaler(files["RealESRGAN Compact"], "", CPU), picture(100, 100), (400, 400), tile=64)
    steps = [event for event in (next(work), next(work)) if event]
    first, second = (Image.open(io.BytesIO(step.preview())).convert("RGB") for step in steps)
    assert first.size == (100, 100) and first.tobytes() != second.tobytes()
    work.close()


# ---- networks that misbehave, and memory ---------------------------------------------------------------------------------------


class Odd(nn.Module):
    """A network that makes what it is told to."""

    def __init__(self, make: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1))
        self.make = make
        self.seen: list[int] = []

    def forward(self, image: Tensor) -> Tensor:
        self.seen.append(max(image.shape[-2:]))
        return self.make(image)


def odd(make: Callable[[Tensor], Tensor], scale: int = 2, **others: Any) -> Upscaler:
    architecture, network = MAIN_REGISTRY["Compact"].architecture, Odd(make)
    told: dict[str, Any] = {
        "tags": [],
        "supports_half": True,
        "supports_bfloat16": True,
        "input_channels": 3,
        "output_channels": 3,
        **others,
    }
    described = ImageModelDescriptor(network, network.state_dict(), architecture, purpose="SR", scale=scale, **told)
    return Upscaler("odd one", described, 100)


def twice(image: Tensor) -> Tensor:
    return image.repeat_interleave(2, -1).repeat_interleave(2, -2)


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda image: image, "“odd one” made 10 × 8 pixels instead of 20 × 16"),
        (lambda image: twice(image) / 0 - torch.inf, "made numbers that are no colours"),
    ],
)
def test_a_network_that_makes_nonsense_is_told_of(make: Callable[[Tensor], Tensor], sentence: str) -> None:
    with pytest.raises(UserError, match=sentence):
        ended(upscaled(odd(make), picture(10, 8), (20, 16)))


def test_a_network_for_grey_pictures_is_given_each_colour_and_one_for_four_channels_an_opaque_picture() -> None:
    image = picture(10, 8)
    nearest = image.resize((20, 16), Image.Resampling.NEAREST)
    for channels in (1, 4):
        given: list[Tensor] = []
        network = odd(lambda image, given=given: (given.append(image), twice(image))[1], input_channels=channels, output_channels=channels)
        assert ended(upscaled(network, image, (20, 16)))[0].image.tobytes() == nearest.tobytes()
        assert [each.shape[1] for each in given] == ([4] if channels == 4 else [1, 1, 1])
        assert channels == 1 or bool((given[0][:, 3] == 1).all())


def test_when_memory_ends_the_tiles_get_half_as_large_and_the_record_says_which() -> None:
    def greedy(image: Tensor) -> Tensor:
        if max(image.shape[-2:]) > 50:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return twice(image)

    image = picture(150, 90)
    upscaler = odd(greedy)
    made, _ = ended(upscaled(upscaler, image, (300, 180), tile=160))
    assert made.tile == 32 or made.tile == 48
    assert made.image.tobytes() == image.resize((300, 180), Image.Resampling.NEAREST).tobytes()
    again, _ = ended(upscaled(upscaler, image, (300, 180), tile=made.tile))
    assert again.image.tobytes() == made.image.tobytes()


def test_memory_that_is_never_enough_ends_with_a_sentence() -> None:
    def never(image: Tensor) -> Tensor:
        raise torch.OutOfMemoryError("CUDA out of memory")

    with pytest.raises(UserError, match="not enough memory"):
        ended(upscaled(odd(never), picture(150, 90), (300, 180)))


def test_the_tile_follows_the_memory_that_is_free(monkeypatch: pytest.MonkeyPatch) -> None:
    upscaler = odd(twice)  # 100 bytes a pixel
    for free, side in ((10**9, 512), (100 * 1.5 * 128**2, 112), (0, 32)):
        monkeypatch.setattr(upscaling, "free_now", lambda device, free=free: free)
        assert tile_for(upscaler, (2000, 2000)) == side


def test_one_that_looks_at_the_whole_picture_is_given_all_of_it_where_it_fits(
    files: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    upscaler = load_upscaler(files["SwinIR"], "", CPU)
    assert upscaler.wants_all and tile_for(upscaler, (900, 40)) == 900
    monkeypatch.setattr(upscaling, "free_now", lambda device: 10**6)
    assert tile_for(upscaler, (900, 40)) < 64


def test_half_precision_is_used_where_it_is_supported(files: dict[str, Path]) -> None:
    half = Device(torch.device("cpu"), torch.float16)
    assert load_upscaler(files["ESRGAN"], "", half).device.dtype == torch.float16
    assert load_upscaler(files["DAT"], "", half).device.dtype == torch.float32
    made, _ = ended(upscaled(load_upscaler(files["ESRGAN"], "", half), picture(12, 12), (48, 48)))
    assert np.abs(pixels(made.image) - own_call(files["ESRGAN"], picture(12, 12))).max() <= 1


def test_memory_is_counted_for_each_pixel(files: dict[str, Path]) -> None:
    """Compact: at the end the 48 numbers that a pixel becomes lie in one order and in another, four bytes each."""
    assert load_upscaler(files["RealESRGAN Compact"], "", CPU).bytes_a_pixel == 2 * 48 * 4


def test_what_is_free_on_the_host_is_what_the_system_says() -> None:
    assert 0 < memory.free_now(CPU) < 2**50
