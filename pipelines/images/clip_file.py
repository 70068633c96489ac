"""Clips as files: frames to an animated WebP and back, and what lies beside it. No torch.

    20261130-091500-0001_clip-of-25-frames_s7.webp          plays in every browser, and carries the record
    20261130-091500-0001_clip-of-25-frames_s7.frames.zip    the same frames as PNG, 0001.png and on
    20261130-091500-0001_clip-of-25-frames_s7.latents.safetensors    or the latents that its model makes them of (`clip_latents.py`)

A WebP keeps a frame that is like the one before it as a longer one, so frames are found by their time. Without losses it is quick to
write: the smallest effort gives files that are hardly larger than those of the greatest.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from PIL import Image, ImageSequence, PngImagePlugin

from models.errors import UserError
from pipelines.images.source_type import PNG_NAME

ENDING = ".webp"
FRAMES = ".frames.zip"
LATENTS = ".latents.safetensors"
BESIDE = (FRAMES, LATENTS)  # endings of what lies beside a clip
COMPRESSION = 1  # of 9, of the PNGs
LOSSLESS: dict[str, bool | int] = {"lossless": True, "quality": 0, "method": 0}
LOSSY: dict[str, bool | int] = {"quality": 90, "method": 2}
RIFF, WEBP = b"RIFF", b"WEBP"
SAID = (b"EXIF", b"XMP ")  # chunks with texts
GONE = "The file of this clip cannot be read."


def written(
    frames: Sequence[Image.Image], frames_a_second: int, options: dict[str, bool | int], exif: bytes = b"", xmp: bytes = b""
) -> bytes:
    """The WebP, which plays again and again. `exif`, `xmp`: what it says of itself."""
    stream, (first, *others) = io.BytesIO(), frames
    told = {name: block for name, block in (("exif", exif), ("xmp", xmp)) if block}
    first.save(stream, "webp", save_all=True, append_images=others, duration=lasts(frames_a_second), loop=0, **options, **told)
    return stream.getvalue()


def lasts(frames_a_second: int) -> int:
    """Milliseconds of one frame."""
    return round(1000 / frames_a_second)


def zipped(frames: Iterable[Image.Image], label: str = "", sign: Callable[[bytes], bytes] = bytes) -> bytes:
    """All frames as PNG, in a ZIP that packs them no further. `label`: the XMP packet that each of them carries."""
    stream, texts = io.BytesIO(), PngImagePlugin.PngInfo()
    if label:
        texts.add_itxt(PNG_NAME, label)
    with zipfile.ZipFile(stream, "w") as archive:
        for number, frame in enumerate(frames, 1):
            png = io.BytesIO()
            frame.save(png, "PNG", compress_level=COMPRESSION, pnginfo=texts)
            archive.writestr(zipfile.ZipInfo(f"{number:04}.png"), sign(png.getvalue()))
    return stream.getvalue()


def unzipped(source: Path) -> Iterator[Image.Image]:
    """The frames of such a ZIP. Raises `UserError` for what cannot be read."""
    try:
        with zipfile.ZipFile(source) as archive:
            for name in sorted(archive.namelist()):
                picture = Image.open(io.BytesIO(archive.read(name)), formats=("PNG",)).convert("RGB")
                picture.info.clear()
                yield picture
    except (OSError, ValueError, SyntaxError, zipfile.BadZipFile) as error:
        raise UserError(GONE) from error


def frames_kept(path: Path, frames_a_second: int) -> Iterator[Image.Image]:
    """The frames of a clip as they were decoded, where its animation or a ZIP beside it has them so; else those of the animation."""
    archive = path.with_suffix(FRAMES)
    return unzipped(archive) if archive.is_file() and not is_lossless(path) else frames_in(path, frames_a_second)


def frames_in(source: Path | bytes, frames_a_second: int) -> Iterator[Image.Image]:
    """The frames of a clip, RGB, one after another. Raises `UserError` for what cannot be read."""
    try:
        with Image.open(io.BytesIO(source) if isinstance(source, bytes) else source, formats=("WEBP",)) as file:
            for frame in ImageSequence.Iterator(file):
                picture = frame.convert("RGB")
                picture.info.clear()
                for _ in range(max(1, round(int(file.info.get("duration", 0)) / lasts(frames_a_second)))):
                    yield picture
    except (OSError, ValueError, SyntaxError, EOFError) as error:
        raise UserError(GONE) from error


def frame_in(found: Iterable[Image.Image], number: int) -> Image.Image:
    """One of these frames, from 0; counted from the last one, -1, where it is negative. Raises `UserError` where there is none."""
    frames = list(found)
    if not -len(frames) <= number < len(frames):
        raise UserError(f"This clip has {len(frames)} frames, so there is none of that number.")
    return frames[number]


def beside(path: Path) -> list[Path]:
    """What may lie beside a picture: nothing, beside most."""
    return [path.with_suffix(ending) for ending in BESIDE] if path.suffix == ENDING else []


def is_whole(head: bytes, size: int) -> bool:
    """Whether a file of so many bytes that begins so is a WebP to its end."""
    return head[:4] == RIFF and head[8:12] == WEBP and int.from_bytes(head[4:8], "little") + 8 == size


def size_in(head: bytes) -> tuple[int, int] | None:
    """Width and height in the first 30 bytes of a WebP that has an extended head, as all have that say something of themselves."""
    if len(head) < 30 or head[12:16] != b"VP8X":
        return None
    return int.from_bytes(head[24:27], "little") + 1, int.from_bytes(head[27:30], "little") + 1


def moves(data: bytes) -> bool:
    """Whether a file is a WebP of several frames."""
    return is_whole(data[:12], len(data)) and any(kind == b"ANIM" for kind, _ in _chunks(data[:200]))


def is_lossless(path: Path) -> bool:
    """Whether its pixels are as they were written: its first frame says how all are kept."""
    with path.open("rb") as file:
        return b"VP8L" in file.read(400)


def without_texts(data: bytes, xmp: bytes) -> bytes:
    """A WebP whose pixels are as they were, and which says this alone. Raises `ValueError` for what is none."""
    if not is_whole(data[:12], len(data)):
        raise ValueError("no whole WebP")
    chunks = [chunk for kind, chunk in _chunks(data) if kind not in SAID]
    if xmp:
        chunks.append(b"XMP " + len(xmp).to_bytes(4, "little") + xmp + b"\0" * (len(xmp) % 2))
    body = WEBP + b"".join(_flagged(chunk, bool(xmp)) for chunk in chunks)
    return RIFF + len(body).to_bytes(4, "little") + body


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = 12
    while at + 8 <= len(data):
        length = int.from_bytes(data[at + 4 : at + 8], "little")
        end = at + 8 + length + length % 2
        yield data[at : at + 4], data[at:end]
        at = end


def _flagged(chunk: bytes, has_xmp: bool) -> bytes:
    """The head says which texts there are: bit 3 EXIF, bit 2 XMP (WebP container specification, "Extended file format")."""
    if chunk[:4] != b"VP8X":
        return chunk
    flags = chunk[8] & ~0b1100 | (0b100 if has_xmp else 0)
    return chunk[:8] + bytes([flags]) + chunk[9:]
