"""Whatever comes in from outside becomes a plain picture, or a sentence that says what to do."""

from __future__ import annotations

import contextlib
import random
import struct
import zlib

import numpy as np
import pytest
from PIL import Image, ImageCms

from models.errors import UserError
from pipelines.images import decode as module
from pipelines.images.decode import MOST_PIXELS, as_mask, eight_bits, normalise
from tests.support.picture_files import (  # fmt: skip
    FORMATS,
    SIGNATURE,
    blocks,
    bmp,
    chunk,
    gif,
    grown,
    jpeg,
    pixels,
    png,
    refused,
    saved,
    strange_profile,
    webp,
    zeros,
)
from tests.support.toys import FAR_TOO_LONG


@pytest.mark.parametrize("kind", FORMATS)
def test_every_kind_that_atelier_reads_becomes_a_plain_rgb_picture(kind: str) -> None:
    result = normalise(saved(blocks(), kind))
    assert np.abs(pixels(result) - np.asarray(blocks()).astype(int)).mean() < 20
    assert (result.alpha, result.notes, type(result.image)) == (None, (), Image.Image)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ("JPEG", "PNG", "WEBP"))
def test_a_photograph_stands_upright(kind: str, orientation: int) -> None:
    flat = np.asarray(blocks()).astype(int)
    turned = {
        1: flat, 2: flat[:, ::-1], 3: np.rot90(flat, 2), 4: flat[::-1], 5: flat.transpose(1, 0, 2),
        6: np.rot90(flat, -1), 7: np.rot90(flat, 2).transpose(1, 0, 2), 8: np.rot90(flat),
    }[orientation]  # fmt: skip
    exif = Image.Exif()
    exif[0x0112] = orientation
    found = pixels(normalise(saved(blocks(), kind, exif=exif.tobytes())))
    assert found.shape == turned.shape
    assert np.abs(found - turned).mean() < 20


def test_alpha_and_masks_are_turned_with_the_picture() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    picture = blocks().convert("RGBA")
    picture.paste((0, 0, 0, 0), (0, 0, 96, 10))
    data = saved(picture, exif=exif.tobytes())
    alpha = normalise(data).alpha
    assert alpha is not None
    assert np.array_equal(np.asarray(alpha), np.rot90(np.asarray(picture)[..., 3], -1))
    assert np.array_equal(np.asarray(as_mask(data)), np.asarray(alpha))


@pytest.mark.parametrize("exif", (b"junk", b"MM\0*\0\0\xff\xff", b"II*\0\x08\0\0\0\xff\xff\x0f\x01"))
def test_a_damaged_exif_block_is_told_and_the_picture_used(exif: bytes) -> None:
    result = normalise(saved(blocks(), exif=exif))
    assert np.array_equal(pixels(result), np.asarray(blocks()))
    assert result.notes == (module.BROKEN_EXIF,)


@pytest.mark.parametrize(
    ("mode", "numbers", "values", "expected"),
    (
        ("I;16", "<u2", [0, 25700, 65535], [0, 100, 255]),
        ("I;16B", ">u2", [0, 25700, 65535], [0, 100, 255]),
        ("I", "=i4", [-4, 128, 255], [0, 128, 255]),
        ("I", "=i4", [257, 65535, 99999], [1, 255, 255]),
        ("F", "=f4", [0.2, 1, -3], [51, 255, 0]),
        ("F", "=f4", [np.nan, 51, np.inf], [0, 51, 255]),
        ("F", "=f4", [np.nan, -np.inf, 0.2], [0, 0, 51]),
    ),
)
def test_numbers_of_more_than_8_bits_become_greys(mode: str, numbers: str, values: list[float], expected: list[int]) -> None:
    image = Image.frombytes(mode, (3, 1), np.array(values).astype(numbers).tobytes())
    assert np.asarray(eight_bits(image))[0].tolist() == expected


def test_what_is_transparent_shows_the_background() -> None:
    result = normalise(saved(Image.new("RGBA", (4, 4), (255, 0, 0, 0))), (10, 20, 30))
    assert np.array_equal(pixels(result), np.full((4, 4, 3), (10, 20, 30)))
    assert result.alpha is not None
    assert result.alpha.getextrema() == (0, 0)
    assert normalise(saved(blocks().convert("RGBA"))).alpha is None


def test_what_is_transparent_stays_so_where_that_is_asked_for() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    picture = blocks().convert("RGBA")
    picture.paste((9, 8, 7, 100), (0, 0, 96, 10))
    result = normalise(saved(picture, exif=exif.tobytes()), None)
    assert (result.image.mode, result.alpha) == ("RGBA", None)
    assert np.array_equal(np.asarray(result.image), np.rot90(np.asarray(picture), -1))
    assert normalise(saved(blocks()), None).image.mode == "RGB"


def test_a_mask_is_the_alpha_above_128_or_else_the_grey() -> None:
    alpha = Image.fromarray(np.array([[0, 128, 129, 255]], np.uint8))
    picture = Image.merge("RGBA", (*Image.new("RGB", (4, 1), "white").split(), alpha))
    assert np.asarray(as_mask(saved(picture)))[0].tolist() == [0, 0, 255, 255]
    assert np.array_equal(np.asarray(as_mask(saved(blocks()))), np.asarray(blocks().convert("L")))


@pytest.mark.parametrize("kind", ("GIF", "WEBP", "PNG", "AVIF", "MPO"))
def test_of_several_pictures_the_first_is_taken(kind: str) -> None:
    result = normalise(saved(blocks(), kind, save_all=True, append_images=[Image.new("RGB", blocks().size, "red")]))
    assert np.abs(pixels(result) - np.asarray(blocks()).astype(int)).mean() < 20
    assert result.notes == (() if kind == "MPO" else (module.FIRST_ONLY,))


@pytest.mark.parametrize(("kind", "mode"), (("PNG", "RGBA"), ("WEBP", "RGBA"), ("AVIF", "RGBA"), ("JPEG", "RGB"), ("JPEG", "CMYK")))
def test_a_colour_profile_is_applied_and_the_alpha_kept(kind: str, mode: str) -> None:
    picture = Image.new(mode, (16, 16), (255, 0, 0, 255 if mode == "RGBA" else 0)[: len(mode)])
    if mode == "RGBA":
        picture.paste((0, 0, 0, 0), (0, 0, 8, 16))
    profile = strange_profile(b"CMYK", 4) if mode == "CMYK" else strange_profile(b"RGB ", 3)
    result = normalise(saved(picture, kind, icc_profile=profile))
    red, green, _ = pixels(result)[8, 14]
    assert green > red + 60
    assert mode != "RGBA" or (result.alpha is not None and np.asarray(result.alpha)[8, ::15].tolist() == [0, 255])


def test_a_cmyk_photograph_without_a_profile_is_shown_by_the_formula() -> None:
    cyan = saved(Image.new("CMYK", (16, 16), (255, 0, 0, 0)), "JPEG")
    assert np.abs(pixels(normalise(cyan))[8, 8] - (0, 255, 255)).max() < 4


def test_a_grey_picture_may_carry_the_srgb_profile_which_changes_nothing() -> None:
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    for picture in (blocks(), blocks().convert("L"), blocks().quantize(16)):
        result = normalise(saved(picture, icc_profile=srgb))
        assert np.array_equal(pixels(result), np.asarray(picture.convert("RGB")))
        assert result.notes == ()


@pytest.mark.parametrize("profile", (b"junk", bytes(200), strange_profile(b"RGB ", 3)[:300], strange_profile(b"CMYK", 4)))
def test_a_profile_that_is_damaged_or_for_another_kind_is_told_and_the_picture_used(profile: bytes) -> None:
    result = normalise(saved(blocks(), icc_profile=profile))
    assert np.array_equal(pixels(result), np.asarray(blocks()))
    assert result.notes == (module.BROKEN_PROFILE,)


HUGE = {
    "13,000 x 13,000 is 169 megapixels": lambda: png(13_000, 13_000)[:33] + chunk(b"IDAT", zeros(13_000 * 39_001)),
    "20,000 x 20,000 is 400 megapixels": lambda: png(20_000, 20_000),
    "65,500 x 65,500 is 4,290.3 megapixels": lambda: png(65_500, 65_500)[:33],
    "65,500 x 65,000": lambda: jpeg(65_500, 65_000),
    "65,000 x 65,500": lambda: gif((65_000, 65_500), (1, 1)),
    "20,000 x 7,000 is 140 megapixels": lambda: gif((10, 10), (20_000, 7_000)),
    "16,000 x 16,001": lambda: webp(16_000, 16_001),
    "1,000,000 x 41 is 41 megapixels": lambda: bmp(1_000_000, 41),
    "7,000 x 5,715 is 40.1 megapixels": lambda: png(7_000, 5_715),
}


@pytest.mark.parametrize("said", HUGE)
def test_a_picture_that_is_too_large_is_refused_by_its_size_alone(said: str, recwarn: pytest.WarningsRecorder) -> None:
    data, answers = HUGE[said](), []
    assert grown(lambda: answers.append(refused(data))) < 50
    assert said in answers[0]
    assert f"{MOST_PIXELS // 10**6} is the most. Scale it down first." in answers[0]
    assert not recwarn.list


def test_a_picture_may_be_as_narrow_as_it_likes_and_a_header_without_pixels_costs_nothing() -> None:
    assert normalise(png(1, 1_000_000, bytes(2_000_000), 8, 0)).image.size == (1, 1_000_000)
    assert grown(lambda: refused(png(1_000_000, 10)[:33])) < 50


@pytest.mark.parametrize("data", (png(0, 5), png(5, 0), gif((0, 0), (0, 0)), bmp(0, 0), jpeg(0, 4)))
def test_a_picture_without_pixels_is_refused(data: bytes) -> None:
    assert "no pixels" in refused(data) or refused(data) == module.DAMAGED


@pytest.mark.timeout(FAR_TOO_LONG)
def test_a_small_file_that_would_keep_the_decoder_busy_for_long_is_refused() -> None:
    assert "RLE" in refused(bmp(30_000_000, 1, 1, b"\0\2\xff\xff\0\1"))
    photograph = saved(blocks(), "JPEG", progressive=True)
    scan = photograph[photograph.rindex(b"\xff\xda") : -2]
    assert refused(photograph[:-2] + scan * 1_000 + photograph[-2:]) == module.DAMAGED


@pytest.mark.parametrize("kind", FORMATS)
def test_half_a_picture_is_no_picture(kind: str) -> None:
    data = saved(blocks(), kind)
    for part in (0.02, 0.1, 0.3, 0.5, 0.8, 0.95):
        assert refused(data[: int(len(data) * part)])[:21] in (module.DAMAGED[:21], "This is not a picture")


OTHERS = {
    "empty": b"", "PDF": b"%PDF-1.7\n", "SVG": b'<?xml version="1.0"?>\n<svg xmlns="">', "web page": b"\n<!DOCTYPE html><html>",
    "TIFF": b"II*\0\x08\0\0\0", "Photoshop": b"8BPS\0\1", "EPS": b"%!PS-Adobe-3.0 EPSF", "HEIC": b"\0\0\0\x18ftypheic\0\0\0\0mif1",
    "not a picture": b"hello",
}  # fmt: skip


@pytest.mark.parametrize("name", OTHERS)
def test_another_kind_of_file_is_named_and_refused(name: str) -> None:
    said = refused(OTHERS[name])
    assert said.startswith("This is not a picture that Atelier reads (PNG, JPEG, WebP, GIF, AVIF or BMP).")
    assert name in said


def altered(data: bytes, dice: random.Random) -> bytes:
    """A few bytes changed, perhaps the end cut off; a PNG with the checksums that its chunks ought to have."""
    changed = bytearray(data)
    for _ in range(dice.randint(1, 6)):
        changed[dice.randrange(len(data))] = dice.randrange(256)
    at = 8
    while data.startswith(SIGNATURE) and at + 12 <= len(changed):
        end = at + 8 + int.from_bytes(changed[at : at + 4])
        changed[end : end + 4] = struct.pack(">I", zlib.crc32(changed[at + 4 : end]))
        at = end + 4
    return bytes(changed[: dice.choice((len(changed), len(changed), dice.randrange(len(changed))))])


@pytest.mark.timeout(2 * FAR_TOO_LONG)
@pytest.mark.parametrize("kind", FORMATS)
def test_whatever_is_changed_in_a_file_nothing_but_a_user_error_comes_out(kind: str) -> None:
    dice = random.Random(kind)
    exif = {} if kind in ("GIF", "BMP") else {"exif": b"II*\0\x08\0\0\0\1\0\x12\1\3\0\1\0\0\0\6\0\0\0\0\0\0\0"}
    data = saved(blocks().resize((16, 12)), kind, **exif)
    for _ in range(300):
        attempt = altered(data, dice)
        with contextlib.suppress(UserError):
            assert pixels(normalise(attempt)).shape[:2] == as_mask(attempt).size[::-1]
