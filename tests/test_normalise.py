"""Whatever comes in from outside becomes a plain picture, or a sentence that says what to do."""

from __future__ import annotations

import contextlib
import functools
import io
import random
import struct
import threading
import zlib
from collections.abc import Callable

import numpy as np
import psutil
import pytest
from PIL import Image, ImageCms
from toys import FAR_TOO_LONG

from models.errors import UserError
from pipelines import normalise as module
from pipelines.normalise import MOST_PIXELS, Normalised, as_mask, eight_bits, normalise

FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "AVIF", "BMP")
SIGNATURE = b"\x89PNG\r\n\x1a\n"


@functools.cache
def blocks() -> Image.Image:
    """Eight by six blocks of colour, 96 x 72: no turn of it looks like another."""
    colours = np.random.default_rng(7).integers(0, 256, (6, 8, 3))
    return Image.fromarray(np.kron(colours, np.ones((12, 12, 1))).astype(np.uint8))


def saved(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(width: int, height: int, rows: bytes = b"", depth: int = 8, colour: int = 2, *extra: bytes) -> bytes:
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0))
    return SIGNATURE + header + b"".join(extra) + chunk(b"IDAT", zlib.compress(rows, 9)) + chunk(b"IEND", b"")


@functools.cache
def zeros(count: int) -> bytes:
    """That many zeros, as zlib packs them, without ever being in memory at once."""
    packer = zlib.compressobj(1)
    million = bytes(1_000_000)
    return b"".join(packer.compress(million) for _ in range(count // 1_000_000)) + packer.flush()


def bmp(width: int, height: int, compression: int = 0, body: bytes = b"") -> bytes:
    bits = 8 if compression else 24
    header = struct.pack("<IiiHHIIiiII", 40, width, height, 1, bits, compression, len(body), 0, 0, 256 if compression else 0, 0)
    palette = bytes(1024) if compression else b""
    return b"BM" + struct.pack("<IHHI", 0, 0, 0, 54 + len(palette)) + header + palette + body


def gif(screen: tuple[int, int], picture: tuple[int, int]) -> bytes:
    return b"GIF89a" + struct.pack("<HHBBB", *screen, 0, 0, 0) + b"!\xfe\x02hi\0," + struct.pack("<HHHHB", 0, 0, *picture, 0) + b"\x02\0;"


def webp(width: int, height: int) -> bytes:
    """One small picture on a canvas of that size."""
    frame = bytes(6) + (7).to_bytes(3, "little") * 2 + bytes(4) + saved(Image.new("RGB", (8, 8)), "WEBP")[12:]
    body = b"WEBPVP8X" + struct.pack("<II", 10, 2) + (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    body += b"ANIM" + struct.pack("<IIH", 6, 0, 0) + b"ANMF" + struct.pack("<I", len(frame)) + frame
    return b"RIFF" + struct.pack("<I", len(body)) + body


def jpeg(width: int, height: int) -> bytes:
    """A small JPEG that says it is of that size."""
    data = saved(Image.new("RGB", (8, 8)), "JPEG")
    at = data.index(b"\xff\xc0") + 5
    return data[:at] + struct.pack(">HH", height, width) + data[at + 4 :]


def strange_profile(space: bytes, channels: int) -> bytes:
    """A profile of two grid points a channel (ICC.1:2001-04, lut8Type) by which all of the first channel, alone, is green."""
    grid = [index == 1 << channels - 1 for index in range(2**channels)]
    lab = b"".join(bytes((150, 128 - 70 * green, 128 + 50 * green)) for green in grid)
    identity = struct.pack(">9i", 65536, 0, 0, 0, 65536, 0, 0, 0, 65536)
    table = b"mft1" + bytes(4) + bytes((channels, 3, 2, 0)) + identity + bytes(range(256)) * channels + lab + bytes(range(256)) * 3
    white = struct.pack(">3i", 63190, 65536, 54061)
    text = b"desc" + bytes(4) + struct.pack(">I", 5) + b"test\0" + bytes(78)
    tags, where, body = b"", 128 + 4 + 3 * 12, b""
    for name, content in ((b"A2B0", table), (b"wtpt", b"XYZ " + bytes(4) + white), (b"desc", text)):
        tags += name + struct.pack(">II", where + len(body), len(content))
        body += content + bytes(-len(content) % 4)
    header = bytes(4) + struct.pack(">I", 0x02400000) + b"prtr" + space + b"Lab " + bytes(12) + b"acsp" + bytes(28) + white + bytes(48)
    return struct.pack(">I", where + len(body)) + header + struct.pack(">I", 3) + tags + body


def refused(data: bytes) -> str:
    with pytest.raises(UserError) as told:
        normalise(data)
    with pytest.raises(UserError):
        as_mask(data)
    return str(told.value)


def pixels(result: Normalised) -> np.ndarray:
    assert result.image.mode == "RGB"
    assert result.image.info == {}
    return np.asarray(result.image).astype(int)


def grown(work: Callable[[], object]) -> float:
    """The most megabytes that `work` held at a time, by looking every millisecond."""
    process, over = psutil.Process(), threading.Event()
    before = highest = process.memory_info().rss

    def look() -> None:
        nonlocal highest
        while not over.wait(0.001):
            highest = max(highest, process.memory_info().rss)

    looking = threading.Thread(target=look)
    looking.start()
    try:
        work()
    finally:
        over.set()
        looking.join()
    return (highest - before) / 1e6


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
