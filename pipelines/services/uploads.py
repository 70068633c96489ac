"""Uploads: pictures and masks, taken through the one door for pixels, kept by content, and each its owner's alone."""

from __future__ import annotations

import io
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from PIL import Image

from models.errors import UserError
from pipelines.credentials.judged import has_credential
from pipelines.depth.depth_map import read_depth
from pipelines.gallery.formats import MIMES
from pipelines.gallery.leaving import Sign
from pipelines.images.clip_file import frame_in, frames_kept
from pipelines.images.decode import WHITE, as_mask, normalise
from pipelines.images.masking import Size
from pipelines.images.set_on_white import thing_of
from pipelines.images.source_type import source_in
from pipelines.images.store import GONE, Inputs
from pipelines.job_book.book import JobBook, PictureRecord
from pipelines.job_book.lineage import known_as
from pipelines.requests.request import PictureUse, Turn, input_ids
from pipelines.requests.wordless import plays
from pipelines.services.guests import DiskQuota

SHOWN = 208  # pixels of a side of what a page shows
AT_ONCE = 2  # pictures that are decoded at the same time
LARGEST_FILE = 64 * 2**20  # bytes
ENDINGS = (".png", ".jpg", ".jpeg", ".webp", ".gif", ".avif", ".bmp")
NO_THING = "There is no picture of an object yet. Drop one on the canvas, paste one, or open one."


@dataclass(frozen=True)
class Taken:
    """A picture that was put in. `mask`: the id of a mask made from its transparency, if it has some."""

    id: str
    width: int
    height: int
    notes: tuple[str, ...] = ()
    mask: str = ""


class Uploads:
    """Safe to call from any thread."""

    def __init__(self, inputs: Inputs, book: JobBook, disk: DiskQuota | None = None) -> None:
        self.inputs = inputs
        self._book = book
        self._disk = disk or DiskQuota(book, inputs)
        self._turn = threading.Semaphore(AT_ONCE)
        # Hears that a person takes a finished picture for an input of this id; raises `UserError` where they may not see it.
        self.adopted: Callable[[PictureRecord, str, str], None] = lambda record, user, input_id: None
        self.signs: Callable[[str], Sign | None] = lambda picture_id: None  # as a finished picture leaves, so it becomes a parent

    def picture(self, data: bytes, user: str, transparent: bool = False) -> Taken:
        """Raises `UserError` for whatever is not a picture that can be used. `transparent`: what is so stays so, else it becomes white."""
        with self._turn:
            found = normalise(data, None if transparent else WHITE)
            mask = self._keep(_transparent(found.alpha), user) if found.alpha else ""
            taken = replace(self.keep(found.image, user, source_in(data)), notes=found.notes, mask=mask)
        self._keep_signed(taken.id, data, user)
        return taken

    def keep(self, image: Image.Image, user: str, source: str = "") -> Taken:
        """A picture that the studio has made itself: a control map, a depth map. `source`: the label of any other."""
        return Taken(self._keep(image, user, source), *image.size)

    def mask(self, data: bytes, size: Size, user: str) -> Taken:
        """A mask picture, scaled to the size of the picture it belongs to."""
        with self._turn:
            mask = as_mask(data)
            fitted = mask if mask.size == size else mask.resize(size, Image.Resampling.BILINEAR)
            notes = () if mask.size == size else (f"The mask, {mask.width} × {mask.height}, was scaled to the picture.",)
            return Taken(self._keep(fitted, user), *size, notes)

    def depth(self, data: bytes, user: str) -> Taken:
        """A depth map from a file."""
        with self._turn:
            depth, notes = read_depth(data)
            return replace(self.keep(depth, user), notes=notes)

    def adopt(self, record: PictureRecord, user: str, transparent: bool = False) -> Taken:
        """A finished picture as an input, as `picture` takes it; of a clip one frame. Raises `UserError` when its file is gone."""
        try:
            data = record.path.read_bytes()
        except OSError as error:
            raise UserError("The file of this picture is not in the outputs folder any more.") from error
        if frames_a_second := plays(record.request)[1]:
            return self._adopt_frame(record, user, data, frames_a_second)
        taken = self.picture(data, user, transparent)
        known_as(self._book.file, record.id, taken.id)
        self.adopted(record, user, taken.id)
        if sign := self.signs(record.id):
            self._keep_signed(taken.id, sign(data, MIMES.get(record.path.suffix.lower(), "image/png")), user)
        return taken

    def _adopt_frame(self, record: PictureRecord, user: str, data: bytes, frames_a_second: int) -> Taken:
        """The one that is meant, or the first."""
        taken = self.keep(frame_in(frames_kept(record.path, frames_a_second), record.frame or 0), user, source_in(data))
        known_as(self._book.file, record.id, taken.id)
        self.adopted(record, user, taken.id)
        return taken

    def folder(self, folder: Path, user: str, most: int, transparent: bool = False) -> tuple[list[PictureUse], list[str]]:
        """All pictures of a folder by name, and a sentence for each that cannot be used. For the owner of the machine alone.
        `transparent`: as for `picture`.
        """
        uses: list[PictureUse] = []
        notes: list[str] = []
        for file in list(_pictures_in(folder))[:most]:
            try:
                uses.append(PictureUse(id=self.picture(_read(file), user, transparent).id, name=file.name[:300]))
            except UserError as error:
                notes.append(f"{file.name[:100]}: {error}")
        if not uses:
            raise UserError(notes[0] if notes else f"There is no picture in {str(folder)[:200]}. It looks for {', '.join(ENDINGS)}.")
        return uses, notes

    def thing(self, request: Turn, user: str) -> bytes:
        """PNG, small: what a model that turns things will see of this person's picture. Raises `UserError` where that is nothing."""
        if not request.image or not all(self.find(each, user) for each in input_ids(request)):
            raise UserError(GONE if request.image else NO_THING)
        stream = io.BytesIO()
        thing_of(request, self.inputs, SHOWN).save(stream, "PNG")
        return stream.getvalue()

    def find(self, picture_id: str, user: str) -> Path | None:
        """The file, when it is there and this person's."""
        return self.inputs.path(picture_id) if self.inputs.has(picture_id) and self._book.inputs.has(picture_id, user) else None

    def size(self, picture_id: str) -> Size:
        """Width and height, read from the file's header. Raises `UserError` when it is gone."""
        return self.inputs.size(picture_id)

    def _keep(self, image: Image.Image, user: str, source: str = "") -> str:
        self._disk.check(user)
        picture_id = self.inputs.keep(image, source)
        self._book.inputs.give(picture_id, user)
        self._disk.add(user, self.inputs.path(picture_id).stat().st_size)
        return picture_id

    def _keep_signed(self, picture_id: str, data: bytes, user: str) -> None:
        """What is drawn on it carries its content credential along."""
        if has_credential(data):
            self._disk.add(user, self.inputs.keep_signed(picture_id, data))


def _transparent(alpha: Image.Image) -> Image.Image:
    """What cannot be seen is what is to be drawn."""
    return alpha.point(lambda value: 255 - value)


def _pictures_in(folder: Path) -> Iterator[Path]:
    try:
        files = sorted(file for file in folder.iterdir() if file.suffix.lower() in ENDINGS and file.is_file())
    except (OSError, ValueError) as error:
        raise UserError(f"The folder {str(folder)[:200]} cannot be read. Type the whole path of a folder on this machine.") from error
    yield from files


def _read(file: Path) -> bytes:
    try:
        if file.stat().st_size > LARGEST_FILE:
            raise UserError(f"It is larger than {LARGEST_FILE // 2**20} MB.")
        return file.read_bytes()
    except OSError as error:
        raise UserError("It cannot be read.") from error
