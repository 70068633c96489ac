"""Leaving: what signs a picture of ours when it leaves the studio, where the owner wants that."""

from __future__ import annotations

from collections.abc import Callable, Collection

from pipelines.credentials.judged import judged, mime_of
from pipelines.credentials.signing import Signing
from pipelines.images.source_type import source_in
from pipelines.images.store import INPUTS, Inputs
from pipelines.job_book.book import JobBook
from pipelines.metadata.source_of import source_of
from pipelines.requests.request import Request, begins_with

Sign = Callable[[bytes, str], bytes]  # a whole file and its media type -> the same, signed
LARGEST = 200_000_000  # bytes of a file that is signed


class Leaving:
    """Safe to call from any thread."""

    def __init__(self, book: JobBook, signing: Signing | None = None) -> None:
        self._book, self.signing = book, signing or Signing(book.folder)
        self._inputs = Inputs(book.folder / INPUTS)

    def sign(self, picture_id: str) -> Sign | None:
        """None where nothing is signed, and for pictures that another program made: nobody claims those. Raises `BookError`."""
        record = self._book.picture(picture_id) if self.signing.on else None
        if record is None or record.program is not None:
            return None
        source, request = source_of(record.request, self._inputs.source), record.request

        def signed(data: bytes, mime: str) -> bytes:
            return self.signing.signed(data, mime, source, self._parent(request)) if len(data) <= LARGEST else data

        return signed

    def sign_together(self, picture_ids: Collection[str]) -> Sign | None:
        """Of what is put together of these pictures; None where nothing is signed, or another program made one of them."""
        records = [self._book.picture(each) for each in picture_ids] if self.signing.on else []
        if not records or any(record is None or record.program is not None for record in records):
            return None
        return lambda data, mime: self.signing.signed(data, mime, source_in(data)) if len(data) <= LARGEST else data

    def label(self, picture_id: str) -> str:
        """Of a picture that is here, one of `SOURCE_TYPES`; "" of one that another program made. Raises `BookError`."""
        record = self._book.picture(picture_id)
        return source_of(record.request, self._inputs.source) if record and record.program is None else ""

    def _parent(self, request: Request) -> bytes:
        """What a picture began with: the signed file that it came in, as long as that holds, else its PNG; b"" where there is none."""
        picture = begins_with(request)
        if not picture or not self._inputs.has(picture):
            return b""
        came = self._inputs.signed(picture)
        if came and judged(came, mime_of(came)).state == "holds":
            return came
        try:
            return self._inputs.path(picture).read_bytes()
        except OSError:
            return b""
