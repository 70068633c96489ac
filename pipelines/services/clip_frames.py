"""All frames of a clip as PNG in a ZIP, as they were decoded: out of its animation or the ZIP beside it, or out of its latents, which need
its model and are an errand of the worker's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path, PurePath

from PIL import Image

from models.errors import UserError
from models.families import EVERY
from models.library.catalog import Catalog
from pipelines.gallery.formats import nameless
from pipelines.gallery.leaving import Sign
from pipelines.images.clip_file import FRAMES, LATENTS, frames_kept, is_lossless, zipped
from pipelines.images.clip_latents import unpacked
from pipelines.images.source_type import packet, source_in
from pipelines.inside.again import record_of
from pipelines.job_book.book import PictureRecord
from pipelines.jobs.errands import answer, never
from pipelines.jobs.runner import Runner
from pipelines.jobs.worker import Worker
from pipelines.requests.request import Request, Wordless
from pipelines.requests.wordless import plays

AS_FRAMES, MIME = "frames", "application/zip"
STILL = "This picture does not move, so it has no frames."
LONGEST_WAIT = 600.0  # seconds that frames wait for the worker
PNG = "image/png"


class ClipFrames:
    """Safe to call from any thread."""

    def __init__(self, worker: Worker, catalog: Catalog, resolved: Callable[[Request], Request]) -> None:
        """`resolved`: as for `Insides`."""
        self._worker, self._catalog, self._resolved = worker, catalog, resolved

    def zip_of(
        self, record: PictureRecord, user: str, settings: bool = True, sign: Sign | None = None, gone: Callable[[], bool] = never
    ) -> tuple[str, bytes]:
        """The name of the file, and all of it. `settings`: whether its name may tell some. `gone`: whether nobody waits any more.

        Raises `UserError` for what does not move, and where latents are all there is and their model is not here.
        """
        pace = plays(record.request)[1]
        if not pace:
            raise UserError(STILL)
        label = packet(source_in(record.path.read_bytes()))

        def signed(png: bytes) -> bytes:
            return sign(png, PNG) if sign else png

        name = record.path.name if settings else nameless(record.path.name)
        return f"{PurePath(name).stem}{FRAMES}", zipped(self._frames(record, pace, user, gone), label, signed)

    def _frames(self, record: PictureRecord, pace: int, user: str, gone: Callable[[], bool]) -> Iterable[Image.Image]:
        path = record.path
        if is_lossless(path) or path.with_suffix(FRAMES).is_file() or not path.with_suffix(LATENTS).is_file():
            return frames_kept(path, pace)
        return answer(self._worker.between_jobs(f"frames {user}", self._decoding(path)), gone, LONGEST_WAIT)

    def _decoding(self, path: Path) -> Callable[[Runner], tuple[Image.Image, ...]]:
        """Of its latents, by the model that its record names."""
        record = record_of(path, self._catalog, self._resolved)
        request = record.request
        assert isinstance(request, Wordless)
        pixels = EVERY[self._catalog.checkpoint(request.checkpoint).family_key].latent.pixels
        latents = unpacked(path.with_suffix(LATENTS), plays(request)[0], request.size, pixels)

        def work(runner: Runner) -> tuple[Image.Image, ...]:
            decoding = runner.frames(request, latents, record.made_with)
            while True:
                try:
                    next(decoding)
                except StopIteration as done:
                    return done.value

        return work
