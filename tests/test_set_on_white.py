"""A thing is cut out of its picture and set in the middle of a white square, by what is painted, what is transparent, or colours."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image, ImageDraw

from models.errors import UserError
from pipelines.images.set_on_white import NO_COLOUR, NOTHING, NOTHING_PAINTED, OTHER_SIZE, CutOut, set_on_white

WHOLE = CutOut(share=1.0)
THING = (40, 30, 79, 49)  # left, top, right, bottom, the last two within: 40 x 20


def scene(around: str = "white", size: tuple[int, int] = (160, 100)) -> Image.Image:
    """A red thing with a spot of the background's colour in it."""
    picture = Image.new("RGB", size, around)
    draw = ImageDraw.Draw(picture)
    draw.rectangle(THING, "red")
    draw.rectangle((55, 36, 64, 43), around)
    return picture


def reds(picture: Image.Image) -> tuple[int, int, int, int]:
    values = np.asarray(picture.convert("RGB"), np.int32)
    found = np.argwhere((values[..., 0] > 200) & (values[..., 1] < 60))
    (top, left), (bottom, right) = found.min(0), found.max(0) + 1
    return int(left), int(top), int(right), int(bottom)


@pytest.mark.parametrize(("around", "colour"), [("white", ""), ("#30a040", ""), ("#30a040", "#30a040")])
def test_a_thing_stands_in_the_middle_and_its_longer_side_takes_its_share(around: str, colour: str) -> None:
    made = set_on_white(scene(around), None, CutOut(colour=colour), 256)
    assert made.size == (256, 256) and made.getpixel((0, 0)) == (255, 255, 255) == made.getpixel((128, 20))
    assert reds(made) == (28, 78, 228, 178), "200 x 100 of 256"


def test_what_lies_beside_the_thing_within_its_bounds_is_white() -> None:
    picture = Image.new("RGB", (160, 100), "#30a040")
    ImageDraw.Draw(picture).polygon([(40, 20), (99, 20), (40, 79)], "red")
    made = set_on_white(picture, None, WHOLE, 60)
    assert made.getpixel((55, 55)) == (255, 255, 255) and made.getpixel((10, 10)) == (255, 0, 0)


def test_what_is_enclosed_stays_whatever_its_colour() -> None:
    made = set_on_white(scene("#30a040"), None, WHOLE, 80)
    assert made.getpixel((40, 40)) == (0x30, 0xA0, 0x40), "the spot in the thing"


def test_a_tolerance_takes_what_is_nearly_the_backgrounds_colour() -> None:
    picture = scene()
    picture.putpixel((3, 50), (240, 240, 240))
    assert reds(set_on_white(picture, None, replace(WHOLE, tolerance=0.1), 80)) == (0, 20, 80, 60)
    assert reds(set_on_white(picture, None, replace(WHOLE, tolerance=0.02), 80))[0] > 30, "the speck is a part of the thing then"


def test_what_is_painted_is_the_thing_and_nothing_else() -> None:
    mask = Image.new("L", (160, 100), 0)
    ImageDraw.Draw(mask).rectangle((40, 30, 59, 49), 255)
    assert reds(set_on_white(scene("blue"), mask, WHOLE, 80)) == (0, 0, 80, 80), "half of the thing, which is square"
    with pytest.raises(UserError, match=OTHER_SIZE[:20]):
        set_on_white(scene(), Image.new("L", (10, 10), 255), WHOLE, 80)


def test_what_is_transparent_is_not_the_thing() -> None:
    picture = scene("blue").convert("RGBA")
    alpha = Image.new("L", picture.size, 0)
    ImageDraw.Draw(alpha).rectangle(THING, 255)
    picture.putalpha(alpha)
    made = set_on_white(picture, None, WHOLE, 80)
    assert reds(made) == (0, 20, 80, 60) and made.getpixel((0, 0)) == (255, 255, 255)


def test_a_picture_may_be_taken_as_it_is() -> None:
    made = set_on_white(scene("blue"), None, replace(WHOLE, by_colour=False), 160)
    assert made.getpixel((2, 32)) == (0, 0, 255) and made.getpixel((80, 10)) == (255, 255, 255), "the whole picture, 160 x 100"


def test_where_there_is_no_thing_a_sentence_says_so() -> None:
    blank = Image.new("RGB", (20, 20), "white")
    for picture, mask, said in ((blank, None, NOTHING), (scene(), Image.new("L", (160, 100), 0), NOTHING_PAINTED)):
        with pytest.raises(UserError) as raised:
            set_on_white(picture, mask, WHOLE, 80)
        assert str(raised.value) == said
    with pytest.raises(UserError) as raised:
        set_on_white(scene(), None, replace(WHOLE, colour="red"), 80)
    assert str(raised.value) == NO_COLOUR
