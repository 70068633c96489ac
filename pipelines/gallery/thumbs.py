"""Thumbs: small versions of pictures, made when they are asked for and kept on the disk.

    outputs/.thumbs/3f/{id}.webp            at most 320 pixels a side, without metadata, about 10 kB
    outputs/.thumbs/3f/{id}.moving.webp     of a clip, all frames

Whatever becomes of them, they are made again. The folder is bounded: when there are too many, those that were made first go.
"""

from __future__ import annotations

import hashlib
import logging
import os
import secrets
import threading
from collections.abc import Iterator
from contextlib import suppress
from io import BytesIO
from pathlib import Path

from PIL import Image

from pipelines.images.clip_file import frames_in, written
from pipelines.images.decode import normalise
from pipelines.images.store import on_white

log = logging.getLogger(__name__)

SIDE = 320  # pixels, the longer side
MOST = 200_000  # files: about 2 GB
LEFT = 0.9  # of them, when the first have gone
MOVING = ".moving"
HEAD = b"RIFF"  # of a WebP


class Thumbs:
    """Safe to use from any thread."""

    def __init__(self, folder: Path, most: int = MOST) -> None:
        self._folder, self._most = folder, most
        self._counting = threading.Lock()
        self._count: int | None = None  # files; None before they were counted

    def of(self, picture_id: str, picture: Path, from_elsewhere: bool = False) -> bytes:
        """A WebP. Raises `OSError` or `UserError` when the picture cannot be read. `from_elsewhere`: another program wrote it."""
        path = self._path(picture_id)
        return _read(path) or self._made(path, make_thumb(picture, from_elsewhere))

    def moving(self, picture_id: str, clip: Path, frames_a_second: int) -> bytes:
        """The same of a clip, which plays. Raises `UserError` when it cannot be read."""
        path = self._path(f"{picture_id}{MOVING}")
        return _read(path) or self._made(path, moving_thumb(clip, frames_a_second))

    def kept(self, picture_id: str) -> bytes:
        """The WebP, if it was made before; b"" if not."""
        return _read(self._path(picture_id))

    def remove(self, picture_id: str) -> None:
        for name in (picture_id, f"{picture_id}{MOVING}"):
            with suppress(OSError):
                self._path(name).unlink()
                self._counted(-1)

    def _made(self, path: Path, made: bytes) -> bytes:
        part = path.with_suffix(f".{secrets.token_hex(8)}.part")
        try:
            for folder in (self._folder, path.parent):
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            part.write_bytes(made)
            part.replace(path)
            self._counted(1)
        except OSError as error:  # it is shown all the same
            log.debug("A small picture cannot be kept: %s", error)
            with suppress(OSError):
                part.unlink()
        return made

    def _path(self, picture_id: str) -> Path:
        return self._folder / hashlib.sha256(picture_id.encode()).hexdigest()[:2] / f"{picture_id}.webp"

    def _counted(self, more: int) -> None:
        """One more or less. They are counted one by one when the first one is added, which takes a moment, and from then on by this."""
        with self._counting:
            self._count = sum(1 for _ in self._files()) if self._count is None else self._count + more
            if self._count > self._most:
                self._count = self._swept()

    def _swept(self) -> int:
        """Removes those that were made first, and what was left half written. Returns how many there are then."""
        files = sorted(self._files(), key=_made_at)
        first = len(files) - int(self._most * LEFT)
        for path in files[:first]:
            with suppress(OSError):
                path.unlink()
        return len(files) - max(first, 0)

    def _files(self) -> Iterator[Path]:
        return self._folder.glob("??/*")


def make_thumb(path: Path, from_elsewhere: bool = False) -> bytes:
    """A WebP of at most 320 pixels a side, without metadata. Raises `OSError` for what is none; of one from elsewhere `UserError`."""
    return small(normalise(path.read_bytes()).image if from_elsewhere else _opened(path))


def moving_thumb(clip: Path, frames_a_second: int) -> bytes:
    """A WebP of at most 320 pixels a side that plays. Raises `UserError` for what is no clip."""
    frames = list(frames_in(clip, frames_a_second))
    for frame in frames:
        frame.thumbnail((SIDE, SIDE), Image.Resampling.BILINEAR)
    return written(frames, frames_a_second, {"quality": 70, "method": 0})


def small(image: Image.Image) -> bytes:
    """The same of a picture that was decoded. It is made small itself."""
    image.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS)
    stream = BytesIO()
    image.save(stream, "webp", quality=82, method=2)
    return stream.getvalue()


def _opened(path: Path) -> Image.Image:
    with Image.open(path, formats=("PNG", "WEBP")) as image:
        return on_white(image).convert("RGB")


def _read(path: Path) -> bytes:
    """b"" for what is not there, or not whole as after a cut of the power."""
    try:
        found = path.read_bytes()
    except OSError:
        return b""
    return found if found.startswith(HEAD) and len(found) == int.from_bytes(found[4:8], "little") + 8 else b""


def _made_at(path: Path) -> float:
    try:
        return os.stat(path).st_mtime
    except OSError:
        return 0.0
