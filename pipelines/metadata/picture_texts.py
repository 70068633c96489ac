"""The texts that a picture file carries, as they are: PNG texts (plain, compressed, international), EXIF, XMP and comments.

PNG texts have their own names; `USER_COMMENT` and the others below are what stands elsewhere in a file, whatever its format.
"""

from __future__ import annotations

import html
import io
import os
import re
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from PIL import ExifTags, Image, PngImagePlugin

from models.errors import UserError
from pipelines.images.exif_cost import costs_too_much
from pipelines.images.source_type import record_in
from pipelines.metadata.exif import block_of, values_of
from pipelines.metadata.stealth import STEALTH, hidden_text

LONGEST_TEXT = 1_000_000  # bytes of one text that is read
UNREADABLE = (OSError, ValueError, SyntaxError, EOFError, MemoryError, RuntimeError, struct.error)  # what Pillow raises for broken files
FORMATS = ("PNG", "JPEG", "WEBP", "AVIF")  # that can carry settings
MOST_TEXTS = 50
MOST_CHUNKS = 20_000  # of a PNG that are stepped over
PNG, BEHIND = b"\x89PNG\r\n\x1a\n", (b"tEXt", b"zTXt", b"iTXt", b"eXIf")
MOST_PIXELS = 50e6  # of a picture that is decoded for the sake of texts behind the pixels

ATELIER, PARAMETERS = "atelier", "parameters"
USER_COMMENT, DESCRIPTION, WINDOWS_COMMENT, COMMENT, XMP = "EXIF comment", "EXIF description", "EXIF XPComment", "JPEG comment", "XMP"
MAKE, MODEL, SOFTWARE, TOOL = "EXIF make", "EXIF model", "EXIF software", "XMP tool"
IN_EXIF: dict[int, str] = {
    ExifTags.Base.ImageDescription: DESCRIPTION, ExifTags.Base.XPComment: WINDOWS_COMMENT, ExifTags.Base.Make: MAKE,
    ExifTags.Base.Model: MODEL, ExifTags.Base.Software: SOFTWARE, ExifTags.Base.UserComment: USER_COMMENT,
}  # fmt: skip
XMP_TEXT = re.compile(r"<rdf:li[^>]{0,200}>([^<]+)</rdf:li>|<(?:exif:UserComment|dc:description)>([^<]+)<|UserComment=\"([^\"]+)\"")
XMP_TOOL = re.compile(r"CreatorTool(?:>|=\")([^<\"]{1,200})")


@dataclass(frozen=True)
class Looked:
    """A picture file, looked into: width and height, its texts by name, and what kind of file it is."""

    size: tuple[int, int]
    texts: dict[str, str]
    format: str  # one of `FORMATS`


def texts_in(source: Path | bytes) -> dict[str, str]:
    """By name; those that are longer than a megabyte are empty. Raises `UserError` for a file that is no picture, or too large."""
    return look(source).texts


def look(source: Path | bytes) -> Looked:
    """The same, and more. Raises as `texts_in`."""
    try:
        with io.BytesIO(source) if isinstance(source, bytes) else source.open("rb") as file:
            size, kind, texts = _look(file)
    except Image.DecompressionBombError as error:
        raise UserError("This picture is too large to open. Scale it down first.") from error
    except UNREADABLE as error:
        raise UserError("This file cannot be read as a picture, or its settings are too large.") from error
    short = {name: text if len(text.encode("utf-8", "replace")) <= LONGEST_TEXT else "" for name, text in texts.items()}
    if (own := {ATELIER, PARAMETERS} & {*texts}) and not any(short[name] for name in own):
        raise UserError("The settings in this picture are too large to be true. They were not read.")
    return Looked(size, short, kind)


def _look(file: BinaryIO) -> tuple[tuple[int, int], str, dict[str, str]]:
    if costs_too_much(file):
        raise ValueError("EXIF that claims more than it holds")
    behind = _has_texts_behind(file)
    with Image.open(file, formats=FORMATS) as image:
        return image.size, image.format or "", _texts_of(image, behind)


def _texts_of(image: Image.Image, behind: bool) -> dict[str, str]:
    texts = _named_texts(image)
    if behind and not {ATELIER, PARAMETERS} & {*texts} and image.width * image.height < MOST_PIXELS:
        image.load()
        texts = _named_texts(image)
    if {ATELIER, PARAMETERS} & {*texts}:
        return texts
    texts |= _exif_texts(image) | _other_texts(image)
    hidden = "" if texts or image.width * image.height > MOST_PIXELS else hidden_text(image)
    return texts | ({STEALTH: hidden} if hidden else {})


def _has_texts_behind(file: BinaryIO) -> bool:
    """Whether a PNG has texts behind its pixels, as some programs put them there. Only then are the pixels decoded to come to them."""
    found, pixels = False, False
    if file.read(8) == PNG:
        for _ in range(MOST_CHUNKS):
            head = file.read(8)
            if len(head) < 8:
                break
            pixels = pixels or head[4:] == b"IDAT"
            found = found or (pixels and head[4:] in BEHIND)
            file.seek(int.from_bytes(head[:4]) + 4, os.SEEK_CUR)
    file.seek(0)
    return found


def _named_texts(image: Image.Image) -> dict[str, str]:
    """Names in small letters where they are ours."""
    texts = [(name, text) for name, text in image.info.items() if isinstance(name, str) and isinstance(text, str)][:MOST_TEXTS]
    return {name.lower() if name.lower() in (ATELIER, PARAMETERS) else name: _mended(text) for name, text in texts}


def _mended(text: str) -> str:
    """Many programs write UTF-8 where PNG wants Latin-1."""
    if isinstance(text, PngImagePlugin.iTXt) or text.isascii():
        return str(text)
    try:
        return text.encode("latin-1").decode("utf-8")
    except UnicodeError:
        return text


def _exif_texts(image: Image.Image) -> dict[str, str]:
    raw = values_of(block_of(image.info), IN_EXIF, 2 * LONGEST_TEXT)
    found = {IN_EXIF[tag]: _exif_text(IN_EXIF[tag], value).strip("\0 ") for tag, value in raw.items()}
    return {name: text for name, text in found.items() if text}


def _exif_text(name: str, raw: bytes) -> str:
    return {USER_COMMENT: comment_text, WINDOWS_COMMENT: _utf16}.get(name, _bytes_text)(raw)


def _other_texts(image: Image.Image) -> dict[str, str]:
    """A JPEG's comment, and what XMP holds of texts."""
    comment, packet = image.info.get("comment"), image.info.get("XML:com.adobe.xmp") or image.info.get("xmp")
    texts = {COMMENT: _bytes_text(comment)} if isinstance(comment, bytes) else {}
    if isinstance(packet, str | bytes) and len(packet) <= LONGEST_TEXT:
        texts |= _xmp_texts(packet if isinstance(packet, str) else _bytes_text(packet))
    return texts


def _xmp_texts(packet: str) -> dict[str, str]:
    """The text that looks like settings, else all of them, and the program that wrote the packet."""
    texts = [html.unescape(next(filter(None, found.groups()), "")).strip() for found in XMP_TEXT.finditer(packet)]
    settings = next((text for text in texts if text.startswith("{") or "Steps:" in text), "\n".join(texts))
    tool, record = XMP_TOOL.search(packet), record_in(packet)
    return ({XMP: settings} if settings else {}) | ({TOOL: tool[1]} if tool else {}) | ({ATELIER: record} if record else {})


def comment_text(raw: bytes) -> str:
    """An EXIF UserComment: eight bytes that name its encoding (EXIF 2.32, 4.6.5), and then what programs really write."""
    code, body = raw[:8].upper(), raw[8:]
    if code == b"UNICODE\0":
        return _utf16(body) if b"\0" in body or body.startswith((b"\xfe\xff", b"\xff\xfe")) else _bytes_text(body, "utf-16-be")
    if code == b"JIS\0\0\0\0\0":
        return _bytes_text(body, "iso2022_jp" if b"\x1b" in body else "shift_jis")
    return _bytes_text(body if code in (b"ASCII\0\0\0", b"\0" * 8) else raw)


def _bytes_text(raw: bytes, otherwise: str = "latin-1") -> str:
    """UTF-8 if it can be; UTF-16 with a byte order mark or every other byte zero; else the encoding that is left."""
    if raw.startswith((b"\xfe\xff", b"\xff\xfe")) or raw[:200].count(0) > len(raw[:200]) // 4 > 0:
        return _utf16(raw)
    if b"\x1b$" in raw[:LONGEST_TEXT]:
        return raw.decode("iso2022_jp", "ignore")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeError:
        return raw.decode(otherwise, "ignore")


def _utf16(raw: bytes) -> str:
    """In either order: the mark says which, else the zeros of the letters that are also in ASCII."""
    if raw.startswith((b"\xfe\xff", b"\xff\xfe")):
        return raw.decode("utf-16", "ignore")
    return raw.decode("utf-16-be" if raw[0::2].count(0) >= raw[1::2].count(0) else "utf-16-le", "ignore")
