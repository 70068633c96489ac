"""What a picture of ours says of itself where a format has no texts by name: the settings in EXIF, the record and the label in XMP."""

from __future__ import annotations

from PIL import ExifTags, Image

from pipelines.images.source_type import packet

LONGEST = 65_000  # bytes of settings that a JPEG can hold in one place: its segments count with 16 bits


def exif_of(parameters: str) -> Image.Exif:
    """The settings as A1111 writes them into what is no PNG: a UserComment in UTF-16 (EXIF 2.32, 4.6.5)."""
    exif, comment = Image.Exif(), b"UNICODE\0" + parameters.encode("utf-16-be", "replace")
    if parameters and len(comment) < LONGEST:
        exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.UserComment] = comment
    return exif


def clip_texts(record: str, parameters: str, source: str) -> tuple[bytes, bytes]:
    """EXIF and XMP of a clip, whose format holds a record of any length."""
    return exif_of(parameters).tobytes(), packet(source, record).encode("utf-8", "replace")
