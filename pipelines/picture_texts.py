"""The texts that a picture file carries, as they are: PNG texts, and the EXIF comment of JPEG, WebP and AVIF."""

from __future__ import annotations

import io
import struct
from pathlib import Path

from PIL import Image, PngImagePlugin

from models.errors import UserError

LONGEST_TEXT = 1_000_000  # bytes of one text chunk that is read
UNREADABLE = (OSError, ValueError, SyntaxError, EOFError, MemoryError, RuntimeError, struct.error)  # what Pillow raises for broken files
FORMATS = ("PNG", "JPEG", "WEBP", "AVIF")  # that can carry settings


def texts_in(source: Path | bytes) -> dict[str, str]:
    """The texts "atelier" and "parameters" of a picture file, those that are there. Raises `UserError`."""
    try:
        with Image.open(io.BytesIO(source) if isinstance(source, bytes) else source, formats=FORMATS) as image:
            texts = _texts_of(image)
    except Image.DecompressionBombError as error:
        raise UserError("This picture is too large to open. Scale it down first.") from error
    except UNREADABLE as error:
        raise UserError("This file cannot be read as a picture, or its settings are too large.") from error
    short = {name: text for name, text in texts.items() if len(text.encode("utf-8", "replace")) <= LONGEST_TEXT}
    if texts and not short:
        raise UserError("The settings in this picture are too large to be true. They were not read.")
    return short


def _texts_of(image: Image.Image) -> dict[str, str]:
    names = ("atelier", "parameters")
    texts = {name: str(image.info[name]) for name in names if isinstance(image.info.get(name), str)}
    if not texts and isinstance(image, PngImagePlugin.PngImageFile) and image.width * image.height < 50e6:
        image.load()  # some programs put the texts behind the pixels
        texts = {name: image.info[name] for name in names if isinstance(image.info.get(name), str)}
    return texts or _user_comment(image)


def _user_comment(image: Image.Image) -> dict[str, str]:
    """A1111 keeps the text of JPEG, WebP and AVIF in EXIF UserComment (0x9286 of IFD 0x8769), as UTF-16."""
    raw = image.getexif().get_ifd(0x8769).get(0x9286)
    if not isinstance(raw, bytes) or not raw.startswith(b"UNICODE\0") or len(raw) > 2 * LONGEST_TEXT:
        return {}
    body = raw[8:]
    big_endian = body[0::2].count(0) >= body[1::2].count(0)
    return {"parameters": body.decode("utf-16-be" if big_endian else "utf-16-le", "ignore")}
