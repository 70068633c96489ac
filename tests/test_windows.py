"""Where an extension is drawn, acted out on a grid of what is known: any picture, any margins, any window."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.images.masking import Box, Size
from pipelines.images.windows import extended, windows

SIDE = st.integers(16, 150)
MARGIN = st.one_of(st.just(0), st.integers(1, 120))
Case = tuple[Size, Box, Size]
CASES = st.tuples(st.tuples(SIDE, SIDE), st.tuples(MARGIN, MARGIN, MARGIN, MARGIN), st.tuples(SIDE, SIDE))
THIN = st.tuples(st.sampled_from([(1, 1), (1, 60), (60, 1), (2, 3), (7, 50)]), st.tuples(*[st.integers(0, 30)] * 4), st.tuples(SIDE, SIDE))
LARGE: list[Case] = [
    ((512, 512), (0, 0, 256, 0), (512, 512)), ((512, 768), (2048, 0, 2048, 512), (1024, 1024)), ((100, 900), (700, 30, 8, 0), (512, 512)),
    ((2000, 64), (0, 640, 0, 640), (512, 768)), ((64, 64), (8, 8, 8, 8), (512, 512)), ((300, 200), (500, 0, 8, 0), (768, 512)),
]  # fmt: skip


def act_out(case: Case) -> None:
    """Draws box by box. Every one is inside, shows something known and adds something, and in the end all is known."""
    size, margins, window = case
    width, height = extended(size, margins)
    known = np.zeros((height, width), bool)
    known[margins[1] : margins[1] + size[1], margins[0] : margins[0] + size[0]] = True
    for left, top, right, bottom in windows(size, margins, window):
        assert 0 <= left < right <= width and 0 <= top < bottom <= height
        part = known[top:bottom, left:right]
        assert part.any() and not part.all(), (case, (left, top, right, bottom))
        known[top:bottom, left:right] = True
    assert known.all(), case


@given(CASES)
@settings(deadline=None, max_examples=300)
def test_the_boxes_cover_what_is_new_and_each_adds_something_to_something_known(case: Case) -> None:
    act_out(case)


@pytest.mark.parametrize("case", LARGE)
def test_the_boxes_cover_extensions_of_real_sizes(case: Case) -> None:
    act_out(case)


@given(THIN)
@settings(deadline=None, max_examples=100)
def test_a_picture_of_one_pixel_can_be_extended_too(case: Case) -> None:
    act_out(case)


@given(CASES)
@settings(deadline=None)
def test_every_box_shows_at_least_as_much_that_is_known_as_what_is_new_along_its_way(case: Case) -> None:
    size, margins, window = case
    left, right = margins[0], margins[0] + size[0]
    for box in windows(size, (margins[0], 0, margins[2], 0), window):
        added = max(0, left - box[0]) + max(0, box[2] - right)
        assert added <= (box[2] - box[0]) / 2
        left, right = min(left, box[0]), max(right, box[2])


@given(CASES)
@settings(deadline=None)
def test_every_box_has_the_shape_of_the_window_up_to_a_pixel(case: Case) -> None:
    window = case[2]
    for left, top, right, bottom in windows(*case):
        wanted, found = window[0] / window[1], (right - left) / (bottom - top)
        narrowest = (right - left - 1) / (bottom - top + 1), (right - left + 1) / max(1e-9, bottom - top - 1)
        assert narrowest[0] <= wanted <= narrowest[1], (case, (left, top, right, bottom), found)
        assert right - left <= max(window[0], 2) and bottom - top <= max(window[1], 2)


@given(CASES)
@settings(deadline=None)
def test_what_is_mirrored_takes_as_many_boxes(case: Case) -> None:
    size, (left, top, right, bottom), window = case
    for one, other in (
        ((left, 0, 0, 0), (0, 0, left, 0)),
        ((0, top, 0, 0), (0, 0, 0, top)),
        ((0, 0, right, bottom), (right, bottom, 0, 0)),
    ):
        assert len(windows(size, one, window)) == len(windows(size, other, window))


def test_usual_extensions_take_few_boxes() -> None:
    assert windows((512, 512), (0, 0, 256, 0), (512, 512)) == [(256, 0, 768, 512)]
    assert windows((512, 512), (256, 0, 0, 0), (512, 512)) == [(0, 0, 512, 512)]
    assert windows((512, 512), (0, 0, 0, 256), (512, 512)) == [(0, 256, 512, 768)]
    assert windows((512, 512), (0, 0, 512, 0), (512, 512)) == [(256, 0, 768, 512), (512, 0, 1024, 512)]


@given(st.tuples(SIDE, SIDE), st.tuples(SIDE, SIDE))
def test_without_margins_there_is_nothing_to_draw(size: Size, window: Size) -> None:
    assert windows(size, (0, 0, 0, 0), window) == []
    assert extended(size, (0, 0, 0, 0)) == size
