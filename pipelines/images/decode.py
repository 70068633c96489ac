"""Decoding of pictures from outside, the one door for pixels: uploads, pasted pictures, files of a folder.

    bytes ── what kind? ── how large? ── decode ── alpha ── sRGB ── flatten ── turn upright ── Normalised

Whatever the bytes are, the answer is a plain picture or a `UserError`. Only the decoders of `KINDS` ever see them, and none of them
sees a picture of more than `MOST_PIXELS`.
"""

from __future__ import annotations

import io
import math
import re
import struct
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import cast

import numpy as np
from PIL import Image, ImageCms, ImageFile
from PIL.AvifImagePlugin import AvifImageFile
from PIL.BmpImagePlugin import BmpImageFile
from PIL.GifImagePlugin import GifImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.WebPImagePlugin import WebPImageFile

from models.errors import UserError
from pipelines.images.decode_png import open_png, png_size
from pipelines.images.exif_cost import costs_too_much

MOST_PIXELS = 40_000_000
WHITE = (255, 255, 255)
MOST_SCANS = 500  # of a JPEG. Real ones have up to 15 or so; each one more costs time that its few bytes do not show

READS = "PNG, JPEG, WebP, GIF, AVIF or BMP"
DAMAGED = "This picture file is incomplete or damaged. Save or download it again, or choose another."
FIRST_ONLY = "It is an animation; its first picture was taken."
BROKEN_EXIF = "Its camera information (EXIF) is damaged and was ignored. If the picture lies on its side, turn it and save it again."
BROKEN_PROFILE = "Its colour profile is damaged or does not fit it, so its colours were taken as they are."

# The beginning of each kind of file, and its decoder. `Image.open` is not used, even with its `formats`: of a picture that is far too
# large it warns or raises without telling the size, and its JPEG opener walks through the further pictures of an MPO.
KINDS: tuple[tuple[re.Pattern[bytes], type[ImageFile.ImageFile]], ...] = (
    (re.compile(rb"\x89PNG\r\n\x1a\n"), PngImageFile),
    (re.compile(rb"\xff\xd8\xff"), JpegImageFile),
    (re.compile(rb"RIFF.{4}WEBPVP8[ LX]", re.DOTALL), WebPImageFile),
    (re.compile(rb"GIF8[79]a"), GifImageFile),
    (re.compile(rb".{4}ftyp(.{4}){0,10}avi[fs]", re.DOTALL), AvifImageFile),
    (re.compile(rb"BM"), BmpImageFile),
)

HINTS: tuple[tuple[re.Pattern[bytes], str], ...] = (
    (re.compile(rb"\Z"), "The file is empty."),
    (re.compile(rb"%PDF"), "It is a PDF document."),
    (re.compile(rb"(\xef\xbb\xbf)?\s*<(svg|(\?xml|!--|!doctype svg).{0,900}<svg)", re.DOTALL | re.IGNORECASE), "It is an SVG drawing."),
    (re.compile(rb"(\xef\xbb\xbf)?\s*<(!doctype html|html|head|body)", re.IGNORECASE), "It is a web page, not the picture on it."),
    (re.compile(rb"II[*+]\0|MM\0[*+]"), "It is a TIFF picture."),
    (re.compile(rb"8BPS"), "It is a Photoshop file."),
    (re.compile(rb"%!PS|\xc5\xd0\xd3\xc6"), "It is an EPS or PostScript file."),
    (re.compile(rb".{4}ftyp(hei|hev|mif1|msf1)", re.DOTALL), "It is a HEIC picture, as iPhones take them."),
)

# EXIF 2.32, tag 0x0112
TURNS = dict(enumerate(("FLIP_LEFT_RIGHT", "ROTATE_180", "FLIP_TOP_BOTTOM", "TRANSPOSE", "ROTATE_270", "TRANSVERSE", "ROTATE_90"), 2))


@dataclass(frozen=True)
class Normalised:
    """A picture that the rest of Atelier need not ask anything about."""

    image: Image.Image  # "RGB", 8 bits a channel, sRGB, upright, without metadata, transparency flattened; or "RGBA", where it is kept
    alpha: Image.Image | None  # "L", of the same size, 255 is opaque; None when the file is wholly opaque, or the picture has it
    notes: tuple[str, ...]  # sentences for the artist about what was done to the picture that they might not expect


@dataclass(frozen=True)
class _Decoded:
    """The pixels as the file has them, and what is needed to make sense of them."""

    image: Image.Image
    profile: bytes | None  # ICC
    exif: bytes
    notes: tuple[str, ...]


def normalise(data: bytes, background: tuple[int, int, int] | None = WHITE) -> Normalised:
    """The picture in a file. Transparent parts show `background` (RGB, 0..255); None: they stay transparent.

    Raises `UserError`, and nothing else, for bytes that are no picture, a damaged one or one of more than `MOST_PIXELS`.
    """
    with _damage_told():
        file = _decode(data)
        alpha = _alpha(file.image)
        picture, colour_notes = _in_srgb(file)
        if alpha is not None and background is None:
            picture.putalpha(alpha)
            alpha = None
        elif alpha is not None and background is not None:
            picture = Image.composite(picture, Image.new("RGB", picture.size, background), alpha)
        turn, exif_notes = _turn(file.exif)
        notes = (*file.notes, *colour_notes, *exif_notes)
        return Normalised(_plain(picture, turn), None if alpha is None else _plain(alpha, turn), notes)


def as_mask(data: bytes) -> Image.Image:
    """The mask in a file: "L", upright, 255 where the picture is to change.

    A file that is not wholly opaque is a mask by its alpha, 255 above 128 and 0 elsewhere; any other by its grey value. So does
    `create_binary_mask` of A1111 1.10. A colour profile is left aside, as numbers are meant here. Raises `UserError` as `normalise`.
    """
    with _damage_told():
        file = _decode(data)
        alpha = _alpha(file.image)
        mask = _rgb(file.image).convert("L") if alpha is None else alpha.point([0] * 129 + [255] * 127)
        return _plain(mask, _turn(file.exif)[0])


def sixteen_bits(data: bytes) -> Image.Image | None:
    """The numbers of a grey PNG of 16 bits as they stand in the file, "I;16"; None for any other picture. Raises as `normalise`."""
    with _damage_told():
        if _kind(data) is not PngImageFile:
            return None
        image = _decode_png(data).image
        return Image.fromarray(np.clip(np.asarray(image), 0, 65_535).astype(np.uint16)) if image.mode.startswith("I") else None


def eight_bits(image: Image.Image) -> Image.Image:
    """A picture of 16 or 32 bits a channel ("I;16", "I;16B", "I", "F") as "L"; any other as it is.

    16 bits: x / 257. "I": as 16 bits when a value is beyond 255, else as 8. "F": 0..1 when no value is beyond 1, else 0..255; what is
    not a number becomes 0. Values out of range are clipped.
    """
    if image.mode not in ("I;16", "I;16L", "I;16B", "I;16N", "I", "F"):
        return image
    values = np.nan_to_num(np.asarray(image).astype(np.float32), nan=0.0, posinf=np.inf, neginf=0.0)
    highest = values.max(where=np.isfinite(values), initial=0.0)
    steps = {"F": (1.0, 255.0), "I": (255.0, 65535.0)}.get(image.mode, (65535.0,))
    most = next((step for step in steps if highest <= step), steps[-1])
    return Image.fromarray(np.rint(np.clip(values, 0, most) * (255 / most)).astype(np.uint8))


@contextmanager
def _damage_told() -> Generator[None]:
    """Pillow's decoders raise almost anything when the bytes are wrong, down to `MemoryError`: one sentence for all of it."""
    try:
        yield
    except UserError:
        raise
    except Exception as error:
        raise UserError(DAMAGED) from error


def _decode(data: bytes) -> _Decoded:
    kind = _kind(data)
    if kind is PngImageFile:
        return _decode_png(data)
    if kind is GifImageFile:
        _admit_gif(data)
    if kind is JpegImageFile and data.count(b"\xff\xda") > MOST_SCANS:
        raise ValueError("a JPEG of too many scans")
    if costs_too_much(io.BytesIO(data)):
        raise ValueError("EXIF that claims more than it holds")
    image = kind(io.BytesIO(data))
    _admit(*image.size)
    if kind is BmpImageFile and image.info["compression"] in (1, 2):
        # One skip in it can make Pillow ask for 10 GB.
        raise UserError("This BMP picture is packed in a way that Atelier does not read (RLE). Save it as PNG.")
    notes = (FIRST_ONLY,) if getattr(image, "is_animated", False) else ()  # before load(): asking moves a GIF on
    image.load()
    return _Decoded(image, image.info.get("icc_profile"), image.info.get("exif", b""), notes)


def _kind(data: bytes) -> type[ImageFile.ImageFile]:
    head = data[:1024]
    for beginning, kind in KINDS:
        if beginning.match(head):
            return kind
    hint = next((f" {hint}" for beginning, hint in HINTS if beginning.match(head)), "")
    raise UserError(f"This is not a picture that Atelier reads ({READS}).{hint} {'Save it as PNG.' if data else 'Choose another.'}")


def _admit(width: int, height: int) -> None:
    """Refuses by the size alone, which the first bytes of a file tell."""
    if width < 1 or height < 1:
        raise UserError("This picture file has no pixels: its width or height is zero. Choose another.")
    if width * height > MOST_PIXELS:
        megapixels = f"{math.ceil(width * height / 1e5) / 10:,.1f}".removesuffix(".0")
        most = f"{MOST_PIXELS // 1_000_000} is the most"
        raise UserError(f"This picture is too large: {width:,} x {height:,} is {megapixels} megapixels; {most}. Scale it down first.")


def _admit_gif(data: bytes) -> None:
    """By the screen (GIF89a, section 18) and the first picture on it (section 20), as Pillow makes room for both when it opens one."""
    width, height, flags = struct.unpack_from("<HHB", data, 6)
    _admit(width, height)
    at = 13 + (3 << (flags & 7) + 1 if flags & 128 else 0)
    while (block := data[at]) != 0x2C:
        at += 1
        if block == 0x21:
            at += 1
            while data[at]:
                at += data[at] + 1
    left, top, across, down = struct.unpack_from("<4H", data, at + 1)
    _admit(max(width, left + across), max(height, top + down))


def _decode_png(data: bytes) -> _Decoded:
    _admit(*png_size(data))
    file = open_png(data)
    _admit(*file.image.size)  # again: a second header would count
    return _Decoded(file.load(), file.profile, file.exif, (FIRST_ONLY,) if file.animated else ())


def _alpha(image: Image.Image) -> Image.Image | None:
    """ "L", 255 is opaque; None when all of it is."""
    if not image.has_transparency_data:
        return None
    if image.mode.startswith("I;16"):
        alpha = Image.fromarray(np.where(np.asarray(image) == image.info["transparency"], 0, 255).astype(np.uint8))
    else:
        alpha = image.convert("RGBA").getchannel("A")
    return None if alpha.getextrema() == (255, 255) else alpha


def _rgb(image: Image.Image) -> Image.Image:
    """Without its alpha and without a colour profile: CMYK by Pillow's formula."""
    opaque = eight_bits(image).copy()
    opaque.info.pop("transparency", None)  # or converting would look for the colour that stands for it
    return opaque.convert("RGB")


def _in_srgb(file: _Decoded) -> tuple[Image.Image, tuple[str, ...]]:
    """ "RGB" without alpha, and notes."""
    if file.profile is None:
        return _rgb(file.image), ()
    try:
        return _converted(file.image, file.profile), ()
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError, KeyError):
        return _rgb(file.image), (BROKEN_PROFILE,)


def _converted(image: Image.Image, icc: bytes) -> Image.Image:
    """By its profile. Raises `PyCMSError`, `OSError`, `KeyError` or `ValueError` for one that is damaged or for another kind of picture."""
    profile = ImageCms.ImageCmsProfile(io.BytesIO(icc))
    mode = {"RGB ": "RGB", "GRAY": "L", "CMYK": "CMYK"}[getattr(cast(object, profile.profile), "xcolor_space", "")]  # pyright: ignore[reportUnknownMemberType]  # Pillow annotates it in part
    fits = {"L": ("1", "L", "LA", "I;16", "I;16B"), "CMYK": ("CMYK",)}.get(mode)
    if image.mode not in fits if fits else image.mode == "CMYK":
        raise ValueError("a profile for another kind of picture")
    colours = _rgb(image) if mode == "RGB" else eight_bits(image).convert(mode)
    usual = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))  # pyright: ignore[reportUnknownMemberType, reportUnknownArgumentType]
    transform = ImageCms.buildTransform(profile, usual, mode, "RGB")
    return colours if mode == "RGB" and _changes_nothing(transform) else transform.apply(colours)


def _changes_nothing(transform: ImageCms.ImageCmsTransform) -> bool:
    """Whether the profile is sRGB already, whatever its name: sent through it, 9 x 9 x 9 colours stay within a rounding step."""
    steps = np.linspace(0, 255, 9).astype(np.uint8)
    colours = np.stack(np.meshgrid(steps, steps, steps), -1).reshape(27, 27, 3)
    return bool(np.abs(np.asarray(transform.apply(Image.fromarray(colours))).astype(int) - colours).max() <= 1)


def _turn(exif: bytes) -> tuple[Image.Transpose | None, tuple[str, ...]]:
    """What makes the picture upright, and notes.

    Read here because Pillow only prints a warning about a damaged block, so nobody could be told.
    """
    try:
        turn = TURNS.get(_orientation(exif.removeprefix(b"Exif\0\0")))
    except (struct.error, KeyError):
        return None, (BROKEN_EXIF,)
    return Image.Transpose[turn] if turn else None, ()


def _orientation(tiff: bytes) -> int:
    """Tag 0x0112 of the first directory (TIFF 6.0, section 2), else 1. Raises `struct.error` or `KeyError` for a damaged block."""
    if not tiff:
        return 1
    order = {b"II*\0": "<", b"MM\0*": ">"}[tiff[:4]]
    (start,) = struct.unpack_from(f"{order}I", tiff, 4)
    (count,) = struct.unpack_from(f"{order}H", tiff, start)
    entries = (struct.unpack_from(f"{order}HHIH", tiff, start + 2 + 12 * index) for index in range(count))
    return next((value for tag, _, _, value in entries if tag == 0x0112), 1)


def _plain(image: Image.Image, turn: Image.Transpose | None) -> Image.Image:
    """Upright, and without metadata."""
    upright = image.copy() if turn is None else image.transpose(turn)
    upright.info.clear()
    return upright
