"""Job books with real pictures beside them, for the tests of what becomes of both."""

from __future__ import annotations

from pathlib import Path

from PIL import Image

from pipelines.job_book.book import JobBook
from pipelines.jobs.outputs import Outputs
from pipelines.requests.request import Request, TextToImage
from tests.support.asked import drawing


def opened(folder: Path, again: bool = False) -> JobBook:
    return JobBook(folder / "studio.db", folder, again)


def saved(folder: Path, request: Request) -> Path:
    return Outputs(folder).save(Image.new("RGB", (24, 16), (200, 30, 30)), request, {})


def drawn(book: JobBook, user: str, *prompts: str, request: Request | None = None) -> list[Path]:
    """One job and one picture of each prompt, on the disk and in the book."""
    paths = []
    for number, prompt in enumerate(prompts):
        book.submit(request or TextToImage(prompt=prompt, seed=number), user)
        job = book.claim()
        assert job
        paths.append(saved(book._pictures, job.request))
        book.add_picture(job, paths[-1], job.request, (24, 16))
        book.end(job.id, "done")
    return paths


def prompts(book: JobBook, user: str = "", owner: bool = True) -> list[str]:
    return [drawing(record.request).prompt for record in book.recent(user, 100, owner)]
