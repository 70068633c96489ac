"""PNG files from outside: every kind of sample, transparent colours, bombs, and files that end too early."""

from __future__ import annotations

import zlib

import numpy as np
import pytest
from PIL import Image

from pipelines.images import decode as module
from pipelines.images.decode import Normalised, as_mask, normalise
from tests.support.picture_files import SIGNATURE, blocks, chunk, grown, pixels, png, refused, saved, zeros
from tests.support.toys import FAR_TOO_LONG


@pytest.mark.parametrize("mode", ("1", "L", "LA", "P", "RGB", "RGBA", "I;16"))
def test_every_mode_of_png_keeps_its_greys(mode: str) -> None:
    grey = blocks().convert("L").point([0] * 128 + [255] * 128)
    picture = Image.fromarray(np.asarray(grey).astype(np.uint16) * 257) if mode == "I;16" else grey.convert(mode)
    assert np.array_equal(pixels(normalise(saved(picture))), np.asarray(grey.convert("RGB")))
    assert np.array_equal(np.asarray(as_mask(saved(picture))), np.asarray(grey))


def test_a_ramp_of_16_bits_stays_a_ramp() -> None:
    ramp = np.linspace(0, 65535, 256).astype(np.uint16)[None]
    assert np.array_equal(pixels(normalise(saved(Image.fromarray(ramp))))[0, :, 0], np.arange(256))
    colours = b"\0" + np.repeat(ramp[0], 3).astype(">u2").tobytes()
    assert np.array_equal(pixels(normalise(png(256, 1, colours, 16)))[0, :, 1], np.arange(256))


@pytest.mark.parametrize(
    ("depth", "colour", "row", "transparent", "alpha"),
    (
        (1, 0, b"\x40", b"\0\1", [255, 0]),
        (2, 0, b"\x10", b"\0\1", [255, 0]),
        (4, 0, b"\xf3", b"\0\3", [255, 0]),
        (8, 0, b"\xf3\3", b"\0\3", [255, 0]),
        (16, 0, b"\xf3\0\3\1", b"\3\1", [255, 0]),
        (8, 2, b"\0\0\0\1\2\3", b"\0\1\0\2\0\3", [255, 0]),
        (16, 2, bytes(6) + b"\1\4\2\5\3\6", b"\1\4\2\5\3\6", [255, 0]),
    ),
)
def test_the_one_transparent_colour_of_a_png_is_transparent(depth: int, colour: int, row: bytes, transparent: bytes, alpha: list) -> None:
    found = normalise(png(2, 1, b"\0" + row, depth, colour, chunk(b"tRNS", transparent))).alpha
    assert found is not None
    assert np.asarray(found)[0].tolist() == alpha


def test_a_transparent_palette_entry_is_transparent() -> None:
    palette = Image.new("P", (2, 1))
    palette.putpalette([255, 0, 0, 0, 0, 255])
    palette.putpixel((1, 0), 1)
    for transparent, left, alpha in ((0, [255, 255, 255], [0, 255]), (b"\x33\xff", [255, 204, 204], [51, 255])):
        result = normalise(saved(palette, transparency=transparent))
        assert pixels(result)[0].tolist() == [left, [0, 0, 255]]
        assert result.alpha is not None
        assert np.asarray(result.alpha)[0].tolist() == alpha


BOMBS = {
    "zTXt": lambda: chunk(b"zTXt", b"Comment\0\0" + zeros(500_000_000)),
    "iTXt": lambda: chunk(b"iTXt", b"Comment\0\1\0\0\0" + zeros(500_000_000)),
    "iCCP": lambda: chunk(b"iCCP", b"ICC\0\0" + zeros(300_000_000)),
    "tEXt": lambda: chunk(b"tEXt", b"workflow\0" + b"a" * 5_000_000),
}


@pytest.mark.timeout(FAR_TOO_LONG)
@pytest.mark.parametrize("name", BOMBS)
def test_texts_and_profiles_that_unpack_to_gigabytes_do_not_cost_them(name: str) -> None:
    data = png(1, 1, b"\0\1\2\3", 8, 2, BOMBS[name]())
    answers: list[Normalised] = []
    assert grown(lambda: answers.append(normalise(data))) < 100
    assert pixels(answers[0]).tolist() == [[[1, 2, 3]]]


@pytest.mark.parametrize("missing", (1, 3, 1_000))
def test_a_png_that_ends_in_good_order_before_its_last_row_is_refused(missing: int) -> None:
    rows = bytes(100 * 301)
    assert normalise(png(100, 100, rows)).image.size == (100, 100)
    assert refused(png(100, 100, rows[:-missing])) == module.DAMAGED


@pytest.mark.parametrize(("width", "height", "depth"), ((1, 1, 8), (9, 2, 1), (3, 7, 16), (5, 5, 4), (17, 33, 8)))
def test_an_interlaced_png_is_read_whole_or_not_at_all(width: int, height: int, depth: int) -> None:
    passes = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
    whole = bytes(
        sum((len(range(x, width, dx)) * depth + 7) // 8 + 1 for x, y, dx, dy in passes for _ in range(y, height, dy) if x < width)
    )
    data = png(width, height, whole, depth, 0)
    data = SIGNATURE + chunk(b"IHDR", data[16:28] + b"\1") + data[33:]
    assert normalise(data).image.size == (width, height)
    assert refused(data.replace(chunk(b"IDAT", zlib.compress(whole, 9)), chunk(b"IDAT", zlib.compress(whole[:-1], 9)))) == module.DAMAGED


def test_a_png_whose_pixels_were_altered_is_refused() -> None:
    data = bytearray(saved(blocks()))
    data[len(data) // 2] ^= 1
    assert refused(bytes(data)) == module.DAMAGED
