"""Pictures on disk: a name for each, saved whole or not at all, and read back with the exact request that made them.

    outputs/2026-11-21/20261121-031502-0007_red-house-in-the-snow_s1234.png

A clip is an animated WebP, with its frames beside it (`pipelines.images.clip_file`).

The name sorts by time: date, time of day, ten-thousandths of a second, words of the prompt, seed (of a drawing). Three texts are in the
PNG:

    atelier      {"version": 1, "request": ..., "made_with": ...}      JSON, complete, the one that counts
    parameters   the settings as A1111 text, for other programs
    XMP          the label that says how it came to be (`pipelines.metadata.source_of`)
"""

from __future__ import annotations

import errno
import io
import json
import logging
import os
import re
import shutil
import threading
import time
import unicodedata
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path

from PIL import Image, PngImagePlugin

from models.errors import UserError
from pipelines.images import clip_file, clip_latents
from pipelines.images.source_type import PNG_NAME, packet
from pipelines.images.store import INPUTS, Inputs
from pipelines.job_book.errors import Trouble, trouble
from pipelines.jobs.clip_choice import LATENTS, NOTHING, ClipChoices
from pipelines.metadata import infotext
from pipelines.metadata.picture_settings import FORMAT_VERSION, Reading, inspect, read
from pipelines.metadata.source_of import source_of
from pipelines.metadata.written import clip_texts
from pipelines.prompts import first_words
from pipelines.requests.request import Drawing, Request, Wordless, describe
from pipelines.requests.wordless import plays
from pipelines.steps.state import Numbers

__all__ = ["NotSaved", "Outputs", "Reading", "inspect", "read", "slug"]

log = logging.getLogger(__name__)

SLUG_BYTES = 60
LEAST_FREE = 200_000_000  # bytes
PNG = ".png"
PLAYED = 8  # frames a second of what moves and does not say how fast
COMPRESSION = 1  # of 9. On pictures, 6 takes three times as long for a tenth less
UNFINISHED = ".part"


SENTENCES: dict[Trouble, str] = {
    "full": "The disk is full, so pictures cannot be saved. Make room there.",
    "unwritable": "The pictures folder cannot be written. Allow writing there, or start Atelier with another --outputs-dir.",
    "moved": "The pictures folder is not in its place any more: moved, removed, or its drive is gone. Put it back.",
}
DISK = "The disk with the pictures reported an error. Look at the pictures folder."


Files = Mapping[str, bytes]  # by their endings


class NotSaved(UserError):
    """The disk did not take a picture. Nothing is left of the attempt, and the next one may go well."""


class Outputs:
    """The folder of finished pictures. Safe for any number of threads and processes on one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = Path(folder)
        self._inputs = Inputs(self.folder / INPUTS)
        self.clips = ClipChoices(self.folder)
        self._was_there = self.folder.is_dir()
        self._last = 0
        self._lock = threading.Lock()

    def save(self, image: Image.Image, request: Request, made_with: dict[str, str]) -> Path:
        """Write the picture as PNG and return its path: the file is complete and on the disk when this returns.

        Raises `NotSaved` when the disk is full or cannot be written; then nothing is left of the attempt.
        """
        return self.put({PNG: _png(image, request, made_with, source_of(request, self._inputs.source))}, request)

    def encoded(self, frames: Sequence[Image.Image], request: Request, made_with: dict[str, str], latents: Numbers | None = None) -> Files:
        """What `put` saves of a clip: it takes seconds, so it may be asked for in another thread. Writes nothing. `latents`: that its
        frames were decoded from; where there are none, PNGs are kept for them.
        """
        source, kept = source_of(request, self._inputs.source), self.clips.choice
        record = _json(request, made_with)
        told = clip_texts(record, infotext.write(request, made_with), source)
        made = {clip_file.ENDING: clip_file.written(frames, plays(request)[1] or PLAYED, kept.options, *told)}
        if kept.beside == LATENTS and latents is not None:
            return made | {clip_file.LATENTS: clip_latents.packed(latents, {"atelier": record, "xmp": packet(source)})}
        return made if kept.beside == NOTHING else made | {clip_file.FRAMES: clip_file.zipped(frames, packet(source))}

    def put(self, files: Files, request: Request) -> Path:
        """Files of one picture, by their endings, under one name: its own first, and the path of that. All are complete and on the disk
        when this returns. Raises `NotSaved`, as `save`.
        """
        with _told():
            self._find_folder()
            return self._put(files, _name(request))

    def keep_copy(self, data: bytes, request: Request, ending: str) -> Path:
        """A picture file from elsewhere, byte for byte, under a name of ours. `ending`: ".png" and the like. Raises `NotSaved`."""
        self.check_space()
        with _told():
            self._find_folder()
            return self._put({ending: data}, _name(request))

    def check_space(self) -> None:
        """Raises `NotSaved` when less than 200 MB are free: a job should not start that cannot be kept."""
        with _told():
            self._find_folder()
            free = shutil.disk_usage(self.folder).free
        if free < LEAST_FREE:
            left, needed = f"{free / 1e6:.0f} MB", f"{LEAST_FREE / 1e6:.0f} MB"
            raise NotSaved(f"The disk with the pictures has {left} left; {needed} are needed. Make room, then try again.")

    def sweep(self, older_than: float = 60) -> int:
        """Remove what interrupted saves left, if last touched more than `older_than` seconds ago. Returns how many."""
        left = [path for ending in (UNFINISHED, *clip_file.BESIDE) for path in self.folder.glob(f"*/.*{ending}")]
        alone = [path for ending in clip_file.BESIDE for path in self.folder.glob(f"*/*{ending}") if not _clip_of(path, ending).exists()]
        return sum(_remove_if_old(path, time.time() - older_than) for path in (*left, *alone))

    def _find_folder(self) -> None:
        """Makes it at first. One that was there and is gone is not made anew: nobody would look for the pictures in two places."""
        if self._was_there and not self.folder.is_dir():
            raise FileNotFoundError(errno.ENOENT, "the outputs folder is gone")
        self.folder.mkdir(parents=True, exist_ok=True)
        self._was_there = True

    def _put(self, files: Files, called: str) -> Path:
        """The picture itself comes into its place last, so that what is announced is whole; what a kill leaves without it is swept."""
        (ending, data), *beside = files.items()
        temporary, target = self._reserve(f"{called}{ending}")
        others = [(temporary.with_suffix(each), target.with_suffix(each), content) for each, content in beside]
        try:
            for path, content in [(temporary, data), *((path, content) for path, _, content in others)]:
                _write_through(path, content)
            for path, place, _ in others:
                path.replace(place)
            temporary.replace(target)
        except BaseException:
            temporary.unlink(missing_ok=True)
            for path, place, _ in others:
                path.unlink(missing_ok=True)
                place.unlink(missing_ok=True)
            raise
        _keep_names(target.parent)
        return target

    def _reserve(self, ending: str) -> tuple[Path, Path]:
        """A moment that nobody else has: its temporary file, made here and now empty, and the name of the finished one.

        Whoever wants the same finished name needs the same temporary first, so looking for the finished one is no race.
        """
        while True:
            moment = self._next_moment()
            day = self.folder / f"{moment[:4]}-{moment[4:6]}-{moment[6:8]}"
            temporary, target = day / f".{moment}{UNFINISHED}", day / f"{moment}{'' if ending.startswith('_') else '_'}{ending}"
            _make_day(day)
            try:
                os.close(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
            except FileExistsError:
                continue
            if not target.exists():
                return temporary, target
            temporary.unlink()

    def _next_moment(self) -> str:
        """Local time to a ten-thousandth of a second, always later than the last one given here."""
        with self._lock:
            self._last = max(self._last + 1, time.time_ns() // 100_000)
            seconds, fraction = divmod(self._last, 10_000)
        return f"{datetime.fromtimestamp(seconds):%Y%m%d-%H%M%S}-{fraction:04d}"


def _clip_of(beside: Path, ending: str) -> Path:
    """The clip that something with this ending lies beside."""
    return beside.with_name(beside.name.removesuffix(ending) + clip_file.ENDING)


def _name(request: Request) -> str:
    return f"{slug(request.words)}_s{request.seed}" if isinstance(request, Drawing | Wordless) else slug(request.words)


def slug(prompt: str) -> str:
    """The first words of a prompt for a file name: letters and digits of any script, at most 60 bytes of UTF-8.

    No other character can come through, so neither separators, control and direction marks nor trailing dots can. Device
    names such as CON cannot arise either, as every file name begins with the date.
    """
    text = unicodedata.normalize("NFKC", first_words(prompt[:500]).encode("utf-8", "ignore").decode()).lower()
    words = re.sub(r"-+", "-", "".join(char if unicodedata.category(char)[0] in "LNM" else "-" for char in text)).strip("-")
    if len(words.encode()) <= SLUG_BYTES:
        return words
    cut = words.encode()[: SLUG_BYTES + 1].decode("utf-8", "ignore")
    whole, _, _ = cut.rpartition("-")
    return whole if len(whole.encode()) >= SLUG_BYTES // 2 else _without_half_letter(words, cut)


def _png(image: Image.Image, request: Request, made_with: dict[str, str], source: str) -> bytes:
    file, texts = io.BytesIO(), _png_texts(request, made_with)
    texts.add_itxt(PNG_NAME, packet(source))
    image.save(file, "PNG", compress_level=COMPRESSION, pnginfo=texts)
    return file.getvalue()


def _png_texts(request: Request, made_with: dict[str, str]) -> PngImagePlugin.PngInfo:
    """Both texts. Whatever is wrong with one of them, the picture is worth keeping: then it is saved without."""
    texts = PngImagePlugin.PngInfo()
    for name, text_of, add in (("atelier", _json, texts.add_itxt), ("parameters", infotext.write, texts.add_text)):
        try:
            add(name, text_of(request, made_with).encode("utf-8", "replace").decode())
        except (ValueError, TypeError, AttributeError, RecursionError):
            log.exception("The settings could not be written into the picture as %s", name)
    return texts


def _json(request: Request, made_with: dict[str, str]) -> str:
    whole = {"version": FORMAT_VERSION, "request": describe(request), "made_with": made_with}
    return json.dumps(whole, ensure_ascii=False, allow_nan=False)


def _write_through(path: Path, data: bytes) -> None:
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _make_day(day: Path) -> None:
    if not day.is_dir():
        day.mkdir(parents=True, exist_ok=True)
        _keep_names(day.parent)


def _keep_names(folder: Path) -> None:
    """Have the folder's list of names written out too. Windows does so itself; some file systems cannot be asked."""
    if os.name == "nt":
        return
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _remove_if_old(path: Path, before: float) -> bool:
    try:
        if path.stat().st_mtime >= before:
            return False
        path.unlink()
    except OSError:
        return False  # another process was quicker, or the file is not ours to remove: harmless either way
    return True


def _without_half_letter(words: str, cut: str) -> str:
    """Cut before the last letter when its accents would be cut off from it."""
    cut = cut.encode()[:SLUG_BYTES].decode("utf-8", "ignore")
    while cut and unicodedata.category(words[len(cut)])[0] == "M":
        cut = cut[:-1]
    return cut.strip("-")


@contextmanager
def _told() -> Generator[None]:
    """Turns what the disk raises inside the block into `NotSaved`."""
    try:
        yield
    except OSError as error:
        log.error("Saving a picture failed: %s", error)
        raise NotSaved(SENTENCES.get(trouble(error), DISK)) from error
