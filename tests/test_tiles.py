"""The geometry of tiles: every pixel is drawn, nothing is drawn outside, and every seam is drawn over."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from models.errors import UserError
from pipelines.images.masking import Box, Size
from pipelines.images.tiles import evenly, mask_of, parts, window_boxes
from pipelines.requests.request import ImageToImage, TextToImage
from pipelines.requests.tiles import BANDS, CROSSINGS, HALF_TILES, NO_SEAMS, ONE_BY_ONE, WINDOWS

SIDES = st.integers(8, 90).map(lambda latents: 8 * latents)
TILE_SIDES = st.integers(1, 4).map(lambda steps: 64 * steps)


def asked(**values: Any) -> ImageToImage:
    return ImageToImage.admit({"tiling": ONE_BY_ONE, "tile_size": 64} | values)


def covered(size: Size, boxes: list[Box]) -> np.ndarray[Any, Any]:
    count = np.zeros(size[::-1], int)
    for left, top, right, bottom in boxes:
        assert 0 <= left < right <= size[0] and 0 <= top < bottom <= size[1]
        count[top:bottom, left:right] += 1
    return count


def test_windows_are_as_many_as_mixture_of_diffusers_has() -> None:
    found = evenly((256, 256), 96, 48)
    assert len(found) == 25
    assert [box[0] for box in found[:5]] == [0, 40, 80, 120, 160]
    assert evenly((64, 64), 96, 48) == [(0, 0, 64, 64)]
    assert [box[:2] for box in evenly((100, 96), 96, 0)] == [(0, 0), (4, 0)]


@given(SIDES, SIDES, st.integers(2, 60), st.data())
@hypothesis_settings(deadline=None, max_examples=60)
def test_windows_are_alike_cover_everything_and_share_what_was_asked(width: int, height: int, side: int, data: st.DataObject) -> None:
    size, overlap = (width // 8, height // 8), data.draw(st.integers(0, side - 1))
    boxes = evenly(size, side, overlap)
    assert covered(size, boxes).min() == 1 or len(boxes) == 1 or overlap
    assert {(box[2] - box[0], box[3] - box[1]) for box in boxes} == {(min(side, size[0]), min(side, size[1]))}
    lefts = sorted({box[0] for box in boxes})
    assert all(left + side - after >= overlap for left, after in pairwise(lefts))


def test_what_is_not_in_windows_is_one() -> None:
    assert window_boxes(TextToImage(width=1024, height=512)) == [(0, 0, 128, 64)]
    assert window_boxes(ImageToImage(width=512, height=512)) == [(0, 0, 64, 64)]
    assert len(window_boxes(ImageToImage(width=1024, height=1024, tiling=WINDOWS, tile_size=512, tile_overlap=256))) == 9


@given(SIDES, SIDES, TILE_SIDES, st.sampled_from(["Linear", "Chess"]), st.integers(0, 20), st.integers(0, 64))
@hypothesis_settings(deadline=None, max_examples=60)
def test_each_pixel_is_in_one_tile(width: int, height: int, side: int, order: str, blur: int, padding: int) -> None:
    request = asked(tile_size=side, tile_order=order, tile_blur=blur, tile_padding=padding)
    found = parts(request, (width, height))
    assert (covered((width, height), [part.fresh for part in found]) == 1).all()
    assert {part.size for part in found} == {found[0].size}, "the network sees all of them at one size"
    for part in found:
        assert part.size[0] % 8 == part.size[1] % 8 == 0
        assert (
            part.box[0] <= part.fresh[0] and part.box[1] <= part.fresh[1] and part.box[2] >= part.fresh[2] and part.box[3] >= part.fresh[3]
        )
    covered((width, height), [part.box for part in found])


def test_on_a_chessboard_no_two_neighbours_follow_in_the_first_half() -> None:
    found = parts(asked(tile_order="Chess"), (192, 192))
    cells = [(part.fresh[0] // 64 + part.fresh[1] // 64) % 2 for part in found]
    assert cells == [0] * 5 + [1] * 4


@pytest.mark.parametrize(("seams", "count"), [(NO_SEAMS, 0), (BANDS, 12), (HALF_TILES, 12), (CROSSINGS, 16)])
def test_every_seam_is_drawn_over(seams: str, count: int) -> None:
    size = (192, 192)
    found = [part for part in parts(asked(seam_pass=seams, seam_width=32, tile_blur=0), size) if part.is_seam]
    assert len(found) == count
    fresh = np.zeros(size[::-1])
    for part in found:
        fresh = np.maximum(fresh, np.asarray(mask_of(part, size, 0), float) / 255)
    if found:
        assert fresh[63:65].min() > 0.9 and fresh[:, 127:129].min() > 0.9
        assert fresh[32, 32] < 0.1, "the middle of a tile stays" if seams != CROSSINGS else ""


@given(SIDES, SIDES, TILE_SIDES, st.integers(0, 24))
@hypothesis_settings(deadline=None, max_examples=40)
def test_masks_of_tiles_lie_inside_what_is_seen_and_make_up_the_whole(width: int, height: int, side: int, blur: int) -> None:
    """Outside its box a mask is nothing, and at a border of the box that is none of the picture it has come to nothing too."""
    request, size = asked(tile_size=side, tile_blur=blur), (width, height)
    highest = np.zeros(size[::-1])
    for part in parts(request, size):
        mask = np.asarray(mask_of(part, size, blur), float) / 255
        highest = np.maximum(highest, mask)
        outside = mask.copy()
        outside[part.box[1] : part.box[3], part.box[0] : part.box[2]] = 0
        assert not outside.any()
        if part.box[2] < width and part.fresh[2] < part.box[2]:
            assert mask[:, part.box[2] - 1].max() < 0.05
    assert highest.min() > 0.2


def test_windows_must_be_larger_than_what_they_share() -> None:
    with pytest.raises(UserError, match="cannot share 512"):
        ImageToImage.admit({"tiling": WINDOWS, "tile_size": 512, "tile_overlap": 512})


def test_in_tiles_a_picture_may_be_larger() -> None:
    large = {"width": 4096, "height": 4096}
    assert ImageToImage.admit({**large, "tiling": WINDOWS}).width == 4096
    with pytest.raises(UserError, match="or draw it in tiles"):
        ImageToImage.admit(large)
    with pytest.raises(UserError, match=r"Choose a smaller size\.$"):
        TextToImage.admit(large)
