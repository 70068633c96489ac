"""Pixels around a drawing, against plain numpy and scipy: resizing, masks, the part that is drawn, and its way back."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import gaussian_filter

from pipelines.images.masking import RESIZE, Box, Patch, Size, blurred, crop_box, fill_out, filled, scaled, whole

SIDES = st.integers(8, 1200)
DRAWN = st.integers(8, 512).map(lambda steps: 8 * steps)


def picture(size: Size, seed: int = 0) -> Image.Image:
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3)).astype(np.uint8))


def mask(size: Size, box: Box) -> Image.Image:
    found = Image.new("L", size)
    found.paste(255, box)
    return found


def random_mask(size: Size, seed: int) -> Image.Image:
    """Half of it nothing, a quarter all, the rest in between."""
    values = np.random.default_rng(seed).integers(0, 1020, (size[1], size[0]))
    return Image.fromarray(np.where(values < 510, 0, np.where(values > 765, 255, values - 510)).astype(np.uint8))


def pixels(image: Image.Image) -> NDArray[np.int64]:
    return np.asarray(image).astype(int)


def odd(width: int, height: int, target: Size) -> float:
    """How far an aspect is from the target's: 0 is the same, and twice as wide is as far as twice as high."""
    return abs(np.log(width * target[1] / (height * target[0])))


@st.composite
def crops(draw: st.DrawFn) -> tuple[Box, Size, Size, int, int]:
    size = draw(SIDES), draw(SIDES)
    left, top = draw(st.integers(0, size[0] - 1)), draw(st.integers(0, size[1] - 1))
    bounds = left, top, draw(st.integers(left + 1, size[0])), draw(st.integers(top + 1, size[1]))
    return bounds, size, (draw(DRAWN), draw(DRAWN)), draw(st.integers(0, 256)), draw(st.integers(0, 64))


@given(crops())
def test_the_part_that_is_drawn_holds_what_is_painted_and_its_surroundings_inside_the_picture(given: tuple) -> None:
    bounds, size, target, padding, blur = given
    left, top, right, bottom = crop_box(bounds, size, target, padding, blur)
    reach = padding + (2 * int(2.5 * blur + 0.5) + 1) // 2
    least = max(0, bounds[0] - reach), max(0, bounds[1] - reach), min(size[0], bounds[2] + reach), min(size[1], bounds[3] + reach)
    assert 0 <= left <= least[0] < least[2] <= right <= size[0]
    assert 0 <= top <= least[1] < least[3] <= bottom <= size[1]
    before = odd(least[2] - least[0], least[3] - least[1], target)
    assert odd(right - left, bottom - top, target) <= before + 1e-9
    if right - left < size[0] and bottom - top < size[1]:
        assert abs((right - left) - (bottom - top) * target[0] / target[1]) <= max(1, target[0] / target[1]) / 2


@pytest.mark.parametrize("corner", [(0, 0), (200, 300), (384, 480)])
def test_a_mask_of_128_by_32_is_drawn_as_a_square_of_128(corner: Size) -> None:
    """The vector of A1111's own tests: no padding, no blur, drawn at 512 x 512."""
    box = crop_box((*corner, corner[0] + 128, corner[1] + 32), (512, 512), (512, 512), 0, 0)
    assert (box[2] - box[0], box[3] - box[1]) == (128, 128)


@pytest.mark.parametrize("blur", [1, 2, 4, 9, 20])
def test_a_blur_is_a_gaussian_cut_off_at_two_and_a_half_sigma(blur: int) -> None:
    given = random_mask((90, 70), blur)
    expected = gaussian_filter(np.asarray(given, np.float64), blur, truncate=2.5, mode="nearest")
    assert np.abs(pixels(blurred(given, blur)) - expected).max() < 1
    assert np.array_equal(pixels(blurred(given, 0)), pixels(given))


def test_a_blur_reaches_no_farther_than_its_kernel_and_the_border_of_the_picture_is_no_edge() -> None:
    for blur in (1, 4, 10):
        inside = mask((200, 200), (90, 90, 110, 110))
        reach = int(2.5 * blur + 0.5)
        found = blurred(inside, blur).getbbox()
        assert found is not None
        assert min(found[:2]) >= 90 - reach and max(found[2:]) <= 110 + reach
        assert pixels(blurred(Image.new("L", (40, 30), 255), blur)).min() == 255


@pytest.mark.parametrize("seed", range(4))
def test_filling_changes_masked_pixels_alone_and_makes_no_colour_that_is_not_between_those_around(seed: int) -> None:
    given, over = picture((60, 44), seed), mask((60, 44), (10 + seed, 5, 40, 30))
    found, hidden = pixels(filled(given, over)), pixels(over) == 255
    assert np.array_equal(found[~hidden], pixels(given)[~hidden])
    around = pixels(given)[~hidden]
    assert (found[hidden] >= around.min(0) - 1).all()
    assert (found[hidden] <= around.max(0) + 1).all()


def test_filling_leaves_nothing_of_what_was_masked() -> None:
    grey = Image.new("RGB", (64, 64), (90, 120, 30))
    marked = grey.copy()
    marked.paste((255, 0, 255), (20, 20, 40, 40))
    assert np.abs(pixels(filled(marked, mask((64, 64), (20, 20, 40, 40)))) - pixels(grey)).max() <= 1


def test_filling_goes_over_from_one_side_to_the_other() -> None:
    halves = Image.new("RGB", (96, 64), "black")
    halves.paste((255, 255, 255), (48, 0, 96, 64))
    row = pixels(filled(halves, mask((96, 64), (24, 0, 72, 64))))[32, 24:72, 0]
    assert (np.diff(row) >= 0).all()
    assert row[0] < 100 < 155 < row[-1]


def test_filling_where_all_or_nothing_is_masked_is_still_a_picture() -> None:
    given = picture((20, 20))
    assert np.array_equal(pixels(filled(given, Image.new("L", (20, 20)))), pixels(given))
    assert filled(given, Image.new("L", (20, 20), 255)).size == (20, 20)


@st.composite
def patches(draw: st.DrawFn) -> Patch:
    size = draw(st.integers(2, 60)), draw(st.integers(2, 60))
    left, top = draw(st.integers(0, size[0] - 1)), draw(st.integers(0, size[1] - 1))
    box = left, top, draw(st.integers(left + 1, size[0])), draw(st.integers(top + 1, size[1]))
    same = draw(st.booleans())
    drawn = (box[2] - left, box[3] - top) if same else (draw(st.integers(1, 80)), draw(st.integers(1, 80)))
    seed = draw(st.integers(0, 999))
    return Patch(picture(size, seed), random_mask(size, seed), box, drawn)


@given(patches())
@settings(deadline=None)
def test_what_is_not_masked_comes_back_bit_for_bit(patch: Patch) -> None:
    found = pixels(patch.put_back(picture(patch.size, 1234)))
    inside = pixels(mask(patch.picture.size, patch.box)) > 0
    untouched = (pixels(patch.mask) == 0) | ~inside
    assert np.array_equal(found[untouched], pixels(patch.picture)[untouched])


@given(patches())
@settings(deadline=None)
def test_what_is_wholly_masked_is_wholly_new_and_the_rest_is_mixed_by_the_mask(patch: Patch) -> None:
    drawn = picture(patch.size, 4321)
    left, top, right, bottom = patch.box
    new = pixels(scaled(drawn, (right - left, bottom - top)))
    found = pixels(patch.put_back(drawn))[top:bottom, left:right]
    share = pixels(patch.mask)[top:bottom, left:right, None]
    assert np.array_equal(found[share[..., 0] == 255], new[share[..., 0] == 255])
    exact = (pixels(patch.picture)[top:bottom, left:right] * (255 - share) + new * share) / 255
    assert np.abs(found - exact).max() <= 0.51


def test_a_patch_shows_its_part_and_its_mask_at_the_size_that_is_drawn() -> None:
    patch = Patch(picture((50, 40)), random_mask((50, 40), 3), (10, 5, 26, 21), (16, 16))
    assert np.array_equal(pixels(patch.image), pixels(patch.picture)[5:21, 10:26])
    assert np.array_equal(pixels(patch.image_mask), pixels(patch.mask)[5:21, 10:26])
    larger = Patch(patch.picture, patch.mask, patch.box, (64, 32))
    assert larger.image.size == larger.image_mask.size == (64, 32)


@given(patches(), st.integers(1, 100))
@settings(deadline=None)
def test_a_small_patch_is_a_patch_of_a_small_picture(patch: Patch, longest: int) -> None:
    small = patch.small(longest)
    width, height = small.picture.size
    assert small.mask.size == (width, height)
    assert max(width, height) == min(longest, max(patch.picture.size))
    assert 0 <= small.box[0] < small.box[2] <= width
    assert 0 <= small.box[1] < small.box[3] <= height
    assert small.put_back(picture(small.size)).size == (width, height)
    if longest >= max(patch.picture.size):
        assert small.box == patch.box


@pytest.mark.parametrize("mode", RESIZE)
def test_every_mode_gives_the_size_that_was_asked_for_from_any_shape(mode: str) -> None:
    shapes = ((1, 1), (7, 500), (63, 65), (512, 64), (1, 4000), (4000, 1), (256, 256))
    for shape, target in product(shapes, ((64, 64), (512, 64), (64, 512), (256, 256))):
        assert RESIZE[mode](picture(shape), target).size == target, (shape, target)


@pytest.mark.parametrize("mode", RESIZE)
def test_a_picture_of_the_right_size_is_not_touched(mode: str) -> None:
    given = picture((96, 64))
    assert np.array_equal(pixels(RESIZE[mode](given, (96, 64))), pixels(given))


def test_cropping_keeps_the_middle() -> None:
    given = picture((200, 100))
    assert np.array_equal(pixels(RESIZE["Crop"](given, (100, 100))), pixels(given)[:, 50:150])
    assert np.array_equal(pixels(RESIZE["Crop"](given, (200, 40))), pixels(given)[30:70])


def test_filling_out_puts_the_whole_picture_in_the_middle_and_repeats_its_border() -> None:
    given = picture((64, 48))
    wide, high = pixels(fill_out(given, (90, 48))), pixels(fill_out(given, (64, 101)))
    assert np.array_equal(wide[:, 13:77], pixels(given))
    assert (wide[:, :13] == pixels(given)[:, :1]).all() and (wide[:, 77:] == pixels(given)[:, -1:]).all()
    assert np.array_equal(high[26:74], pixels(given))
    assert (high[:26] == pixels(given)[:1]).all() and (high[74:] == pixels(given)[-1:]).all()


def test_the_whole_of_a_picture_is_a_box() -> None:
    assert picture((30, 20)).crop(whole((30, 20))).size == (30, 20)
