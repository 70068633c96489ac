"""Pictures as they are given out: the file as it was saved, without its settings, or as JPEG, WebP or AVIF.

A label that says how a picture came to be (`pipelines.images.source_type`) stays in every one of them: it tells nothing of the settings.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePath
from typing import BinaryIO

from PIL import PngImagePlugin

from models.errors import UserError
from pipelines.gallery.bare_png import PIECE, SIGNATURE, pieces
from pipelines.gallery.leaving import Sign
from pipelines.images.clip_file import ENDING, moves, without_texts
from pipelines.images.decode import WHITE, normalise
from pipelines.images.source_type import PNG_NAME, packet, source_in
from pipelines.metadata.picture_texts import ATELIER, PARAMETERS, texts_in
from pipelines.metadata.written import LONGEST, exif_of

LARGEST = 200_000_000  # bytes of a file that is decoded
TOO_LARGE = "It is too large to be saved in another way than it is."
QUICK = 1  # of 9, zlib's levels: whoever waits for a ZIP would rather have it soon than small


@dataclass(frozen=True, slots=True)
class Format:
    """A format that pictures are given out in. `options`: as Pillow's `save` takes them; the highest quality that is worth its bytes."""

    says: str
    mime: str
    ending: str
    options: dict[str, int]
    transparent: bool = True


AS_SAVED = ""
MADE = re.compile(r"\d{8}-\d{6}-\d{4}(?=_|\.)")  # see `pipelines.jobs.outputs`
FORMATS = {
    "png": Format("PNG", "image/png", ".png", {"compress_level": QUICK}),
    "jpeg": Format("JPEG", "image/jpeg", ".jpg", {"quality": 95, "subsampling": 0}, transparent=False),
    "webp": Format("WebP", "image/webp", ".webp", {"quality": 92, "method": 4}),
    "avif": Format("AVIF", "image/avif", ".avif", {"quality": 85, "speed": 7}),
}


MIMES = {found.ending: found.mime for found in FORMATS.values()} | {".jpeg": FORMATS["jpeg"].mime}


def given_out(
    file: BinaryIO, name: str, wanted: str = AS_SAVED, settings: bool = True, sign: Sign | None = None
) -> tuple[str, Iterator[bytes]]:
    """The name that the file then has, and its pieces. `file` is at its beginning; `wanted`: `AS_SAVED`, or a name of `FORMATS`.
    `sign` is given all of it, as whatever is written later would break a signature.

    Without settings it has a name that tells none of them either.

    Raises `UserError` for a picture that cannot be decoded; the pieces raise `ValueError` for a PNG that ends in its middle.
    """
    called, contents = _given_out(file, name, wanted, settings)
    if sign is None:
        return called, contents
    return called, iter([sign(b"".join(contents), MIMES.get(PurePath(called).suffix.lower(), "image/png"))])


def _given_out(file: BinaryIO, name: str, wanted: str, settings: bool) -> tuple[str, Iterator[bytes]]:
    beginning = file.read(len(SIGNATURE))
    file.seek(0)
    name = name if settings else nameless(name)
    if wanted == AS_SAVED and settings:
        return name, iter(lambda: file.read(PIECE), b"")
    if wanted in (AS_SAVED, "png") and beginning == SIGNATURE:
        return name, iter(lambda: file.read(PIECE), b"") if settings else pieces(file)
    if wanted in (AS_SAVED, "webp") and PurePath(name).suffix == ENDING and (clip := _clip(file, settings)):
        return name, iter([clip])
    found = FORMATS[wanted or "png"]
    return f"{PurePath(name).stem}{found.ending}", iter([_drawn_anew(_whole(file), found, settings)])


def _clip(file: BinaryIO, settings: bool) -> bytes:
    """A clip stays one: all its frames, and its label alone where its settings stay here. b"" for what does not move."""
    data = _whole(file)
    file.seek(0)
    if not moves(data):
        return b""
    return data if settings else without_texts(data, packet(source_in(data)).encode())


def nameless(name: str) -> str:
    """The time at which a picture was made, with which its name begins; words of its prompt and its seed follow. Of others nothing."""
    made = MADE.match(name)
    return f"{made[0] if made else 'picture'}{PurePath(name).suffix}"


def _whole(file: BinaryIO) -> bytes:
    data = file.read(LARGEST + 1)
    if len(data) > LARGEST:
        raise UserError(TOO_LARGE)
    return data


def _drawn_anew(data: bytes, wanted: Format, settings: bool) -> bytes:
    """Upright, in sRGB; what is transparent stays so where the format knows it, and is white elsewhere."""
    image, stream = normalise(data, None if wanted.transparent else WHITE).image, io.BytesIO()
    texts = _texts(data) if settings else {}
    record, parameters = texts.get(ATELIER, ""), texts.get(PARAMETERS, "")
    if wanted.says == "PNG":
        image.save(stream, "PNG", pnginfo=_png_texts(source_in(data), texts), **wanted.options)
        return stream.getvalue()
    told = packet(source_in(data), record).encode()
    told = told if len(told) < LONGEST else packet(source_in(data)).encode()
    image.save(stream, wanted.says, xmp=told, exif=exif_of(parameters), **wanted.options)
    return stream.getvalue()


def _texts(data: bytes) -> dict[str, str]:
    """A file that says nothing that can be read is given out all the same."""
    try:
        return texts_in(data)
    except UserError:
        return {}


def _png_texts(source: str, texts: dict[str, str]) -> PngImagePlugin.PngInfo:
    info = PngImagePlugin.PngInfo()
    for name in (ATELIER, PARAMETERS):
        if name in texts:
            info.add_itxt(name, texts[name])
    if source:
        info.add_itxt(PNG_NAME, packet(source))
    return info
