"""Sending: what a job needs goes to a worker with folders of its own, in ranges, from where each file was broken off."""

from __future__ import annotations

import io
import time
from collections.abc import Callable, Generator, Mapping
from pathlib import Path

from PIL import Image

from models.errors import UserError
from models.json_values import is_row, is_whole
from models.memory.manager import Key
from pipelines.images.source_type import source_in
from pipelines.images.store import LABELLED, MODES, content_id
from pipelines.jobs import spoken, spoken_files
from pipelines.jobs.events import Picture
from pipelines.jobs.wanted import Asked, Here
from pipelines.requests.base import input_ids
from pipelines.requests.remaining import Progress
from pipelines.requests.request import Request

RANGE = 8 * 2**20  # bytes
ROUNDS = 3  # times that the same may be asked for
SENDING = "sending"  # the kind of what is told of as being read
NEVER = 1e7  # seconds
GUESS = 50e6  # bytes a second, while nothing was sent
NEWEST = 0.3  # share of the newest range in the rate
CHANGED = "“{}” was changed or taken away while it was sent to another device. Try again when it is whole."
KEEPS_ASKING = "The device asks for the same files again and again. The details are in its log."
NOT_THE_PICTURE = "A picture that was put by on another device came back as another one. Draw this again."

Ask = Callable[[spoken.Value], spoken.Value]
Tell = Callable[[Key | None], None]


class Sending:
    """For the thread of one hand; `coming` for any."""

    def __init__(self, here: Here, looks: Callable[[Request], str], room: int, range_size: int = RANGE) -> None:
        """`looks`: what the files that a request names look like to the studio: see `Runner.files`. `room`: bytes that it may keep."""
        self._here, self.looks, self._room, self._range = here, looks, room, range_size
        self._version, self._sizes = -1, dict[str, int]()  # of the studio's models, as of that version of its library
        self._rate = GUESS
        self._there: frozenset[str] = frozenset()  # ids of models whose files are there, as far as is known

    def sent(self, request: Request, progress: Progress, ask: Ask, tell: Tell, name: str) -> Generator[None]:
        """Each `None` is a place to stop at. `tell`: what goes there at this moment, called `name`. Raises `UserError`."""
        asked = yield from self._here.asked(request, progress)
        try:
            for _ in range(ROUNDS):
                lacking = yield from self._lacking(asked, ask)
                if not lacking:
                    self._are_there(asked)
                    return
                yield from self._send(asked, lacking, ask, lambda share: tell(Key(SENDING, name, f"{share:.0%}".replace("%", " %"))))
        finally:
            tell(None)
        raise UserError(KEEPS_ASKING)

    def brought(self, picture: Picture, progress: Progress, ask: Ask) -> None:
        """Pictures that the job has put by there, and that this one or a later one names. Raises `UserError`."""
        for picture_id in sorted({*input_ids(picture.request), *progress.stored.values()}):
            if not self._here.inputs.has(picture_id):
                answer = ask(spoken_files.Fetch(picture_id))
                self._keep(picture_id, answer.data if isinstance(answer, spoken.Data) else b"")

    def coming(self) -> Mapping[str, float]:
        """Seconds in which the models that are not there would come, by id: at the rate of late. Never, for what has no room there."""
        version = self._here.catalog.version
        if version != self._version:  # asking for the models themselves may wait for the disk
            entries = self._here.catalog.models()
            self._sizes = {entry.id: entry.size for entry in entries if not entry.path.is_relative_to(self._here.starter)}
            self._version = version
        rate, there = self._rate, self._there
        return {model: NEVER if size > self._room else size / rate for model, size in self._sizes.items() if model not in there}

    def learn(self, ask: Ask) -> None:
        """Which models lie in folders of its own, probably."""
        known = {entry.hash: entry for entry in self._here.catalog.models() if entry.hash and entry.path.is_file()}
        answer = ask(spoken_files.Owned([[digest, entry.size] for digest, entry in known.items()]))
        if isinstance(answer, spoken_files.Lacking):
            found = {str(row[0]) for row in answer.files if row}
            self._there |= {entry.id for digest, entry in known.items() if digest in found}

    # ------------------------------------------------------------------------------------------ on the way

    def _lacking(self, asked: Asked, ask: Ask) -> Generator[None, None, dict[str, int]]:
        """Of what was asked alone, and no more of it than there is."""
        while not isinstance(answer := ask(asked.wanted), spoken_files.Lacking):
            if not isinstance(answer, spoken.Nothing):
                raise UserError(spoken.OTHER)
            yield None
        sizes, found = asked.sizes, dict[str, int]()
        for row in answer.files:
            digest, begun = row if is_row(row) and len(row) == 2 else ("", 0)
            if not (isinstance(digest, str) and digest in sizes and is_whole(begun) and 0 <= begun <= sizes[digest]):
                raise UserError(spoken.OTHER)
            found[digest] = begun
        return found

    def _send(self, asked: Asked, lacking: Mapping[str, int], ask: Ask, told: Callable[[float], None]) -> Generator[None]:
        whole, done = sum(asked.sizes[digest] for digest in lacking), sum(lacking.values())
        for digest, begun in lacking.items():
            for at, data in _ranges(asked.paths[digest], begun, asked.sizes[digest], self._range):
                told(done / max(1, whole))
                began = time.monotonic()
                answer = ask(spoken_files.Range(digest, at, data))
                if isinstance(answer, spoken.Nothing):  # interrupted: whoever goes on asks again what is lacking
                    yield None
                    return
                if not isinstance(answer, spoken_files.Taken) or answer.bytes != at + len(data):
                    raise UserError(spoken.OTHER)
                self._learn(len(data), time.monotonic() - began)
                done += len(data)
                yield None

    def _learn(self, size: int, seconds: float) -> None:
        """Small files say nothing of how fast large ones go."""
        if size >= self._range and seconds > 0:
            self._rate += NEWEST * (size / seconds - self._rate)

    def _are_there(self, asked: Asked) -> None:
        self._there |= asked.models

    # ------------------------------------------------------------------------------------------ on the way back

    def _keep(self, picture_id: str, data: bytes) -> None:
        """What comes is a picture of exactly this content, or nothing."""
        try:
            with Image.open(io.BytesIO(data), formats=("PNG",)) as file:
                file.load()
                image = file.copy()
        except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
            raise UserError(NOT_THE_PICTURE) from error
        if image.mode not in MODES or content_id(image) != picture_id:
            raise UserError(NOT_THE_PICTURE)
        self._here.inputs.keep(image, source_in(data[:LABELLED]))


def is_sending(key: Key | None) -> bool:
    return key is not None and key.kind == SENDING


def _ranges(path: Path, begun: int, size: int, most: int) -> Generator[tuple[int, bytes]]:
    """(place, bytes); once for an empty file."""
    at = begun
    try:
        with path.open("rb") as file:
            file.seek(at)
            while True:
                data = file.read(min(most, size - at))
                if not data and at < size:
                    raise UserError(CHANGED.format(path.name))
                yield at, data
                at += len(data)
                if at >= size:
                    return
    except OSError as error:
        raise UserError(CHANGED.format(path.name)) from error
