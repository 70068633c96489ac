"""The store of input pictures and masks, kept by content: the same pixels are one file, and an id means them for good.

    outputs/.inputs/3f/3f9a…e1.png       64 hexadecimal digits: SHA-256 of mode, size and pixels
    outputs/.inputs/3f/3f9a…e1.signed    the very file that came, where it carries a content credential: what rewrites it breaks that

So a finished picture can bring back what it was made from. Whose a picture is, stands in the job book.
"""

from __future__ import annotations

import hashlib
import logging
import os
import re
import secrets
import time
from collections.abc import Collection
from pathlib import Path

from PIL import Image, PngImagePlugin

from models.errors import UserError
from pipelines.images.source_type import PNG_NAME, packet, source_in
from pipelines.requests.fields import INPUT_ID

log = logging.getLogger(__name__)

MODES = ("RGB", "RGBA", "L", "I;16")  # pictures, pictures with what is transparent, masks, depth maps
INPUTS = ".inputs"  # in the folder of finished pictures
COMPRESSION = 1  # of 9: pictures hardly shrink further, and masks are small anyway
GONE = "The picture this starts from is not stored here any more. Put it in again."
LABELLED = 2_000  # bytes at the beginning of a file, in which its label stands
WEEK = 7 * 86_400  # seconds


class Inputs:
    """Safe for any number of threads and processes on one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = Path(folder)

    def keep(self, image: Image.Image, source: str = "") -> str:
        """Stores a picture (RGB or RGBA), an L mask or a 16-bit depth map and returns its id. `source`: its label, see `source`.

        Raises `UserError` when the disk does not take it.
        """
        assert image.mode in MODES, image.mode
        picture_id = content_id(image)
        try:
            self._write(image, self.path(picture_id), source)
        except OSError as error:
            log.error("An input picture could not be stored: %s", error)
            raise UserError("The picture could not be stored: the disk is full or cannot be written. Make room, then try again.") from error
        return picture_id

    def open(self, picture_id: str, mode: str = "RGB") -> Image.Image:
        """The pixels that were kept, in a mode, "" for the one they were kept in. In all others what is transparent is white.

        Raises `UserError` when they are not there, or not what they were.
        """
        try:
            with Image.open(self.path(picture_id), formats=("PNG",)) as file:
                file.load()
                image = file.copy()
        except (OSError, ValueError, SyntaxError) as error:
            raise UserError(GONE) from error
        if content_id(image) != picture_id:
            raise UserError("The stored picture this starts from is damaged. Put it in again.")
        image.info.clear()
        return image if mode in ("", image.mode) else on_white(image).convert(mode)

    def source(self, picture_id: str) -> str:
        """How the picture came to be, one of `pipelines.images.source_type.SOURCE_TYPES`; "" where nobody has said."""
        try:
            with self.path(picture_id).open("rb") as file:
                return source_in(file.read(LABELLED))
        except OSError:
            return ""

    def keep_signed(self, picture_id: str, data: bytes) -> int:
        """Keeps the file that a picture came in, once. Returns its bytes, 0 where there was one already or the disk does not take it."""
        path = self.signed_path(picture_id)
        if path.exists():
            return 0
        part = path.with_suffix(f".{secrets.token_hex(8)}.part")
        try:
            part.write_bytes(data)
            part.replace(path)
        except OSError as error:
            log.warning("A picture's content credential could not be kept: %s", error)
            return 0
        finally:
            part.unlink(missing_ok=True)
        return len(data)

    def signed(self, picture_id: str) -> bytes:
        """The file with a content credential that the picture came in, or b""."""
        try:
            return self.signed_path(picture_id).read_bytes() if INPUT_ID.fullmatch(picture_id) else b""
        except OSError:
            return b""

    def signed_path(self, picture_id: str) -> Path:
        return self.path(picture_id).with_suffix(".signed")

    def size(self, picture_id: str) -> tuple[int, int]:
        """Width and height, read from the file's header. Raises `UserError` when it is gone."""
        try:
            with Image.open(self.path(picture_id), formats=("PNG",)) as file:
                return file.size
        except (OSError, ValueError) as error:
            raise UserError(GONE) from error

    def has(self, picture_id: str) -> bool:
        return bool(INPUT_ID.fullmatch(picture_id)) and self.path(picture_id).is_file()

    def beginning(self, digits: str) -> list[str]:
        """The ids that begin with these digits, 8 at least."""
        if not re.fullmatch(r"[0-9a-f]{8,64}", digits):
            return []
        return [file.stem for file in self.folder.glob(f"{digits[:2]}/{digits}*.png") if INPUT_ID.fullmatch(file.stem)]

    def path(self, picture_id: str) -> Path:
        assert INPUT_ID.fullmatch(picture_id), "an id has come this far unchecked"
        return self.folder / picture_id[:2] / f"{picture_id}.png"

    def sweep(self, used: Collection[str], age: float = WEEK) -> int:
        """Removes what no job and no picture names and nobody has put in for `age` seconds. Returns how many files."""
        before = time.time() - age
        files = [file for file in self.folder.glob("??/*") if file.stem not in used and _touched(file) < before]
        for file in files:
            file.unlink(missing_ok=True)
        return len(files)

    def _sound(self, path: Path) -> bool:
        """Whether the file is there and holds what its name says. A damaged one is written anew."""
        try:
            self.open(path.stem)
        except UserError:
            return False
        return True

    def _write(self, image: Image.Image, path: Path, source: str) -> None:
        if self._sound(path) and (not source or self.source(path.stem)):  # a label, once there, stays
            os.utime(path)  # in use again: the sweep counts from now
            return
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        part = path.with_suffix(f".{secrets.token_hex(8)}.part")
        try:
            image.save(part, "PNG", compress_level=COMPRESSION, pnginfo=_labelled(source))
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)


def _labelled(source: str) -> PngImagePlugin.PngInfo | None:
    if not source:
        return None
    texts = PngImagePlugin.PngInfo()
    texts.add_itxt(PNG_NAME, packet(source))
    return texts


def _touched(file: Path) -> float:
    """Seconds since 1970; never, for one that another process has just removed."""
    try:
        return file.stat().st_mtime
    except OSError:
        return float("inf")


def on_white(image: Image.Image) -> Image.Image:
    """What is transparent becomes white; all else is as it is."""
    return Image.alpha_composite(Image.new("RGBA", image.size, "white"), image) if image.mode == "RGBA" else image


def content_ids(image: Image.Image) -> frozenset[str]:
    """The ids that a picture has when it is put in: with its transparency, and on white."""
    if image.mode != "RGBA":
        return frozenset({content_id(image)})
    flat = Image.composite(image.convert("RGB"), Image.new("RGB", image.size, "white"), image.getchannel("A"))  # as `decode.normalise` does
    return frozenset({content_id(image), content_id(flat)})


def content_id(image: Image.Image) -> str:
    """SHA-256 of mode, size and pixels: independent of how a file was written."""
    digest = hashlib.sha256(f"{image.mode} {image.width} {image.height}\n".encode())
    digest.update(image.tobytes())
    return digest.hexdigest()
