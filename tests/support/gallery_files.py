"""A gallery with pictures that nobody drew, for the tests of what can be asked of one and done to it."""

from __future__ import annotations

import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from PIL import Image

from pipelines.gallery.gallery import Gallery, asked_for
from pipelines.gallery.listing import Asked
from pipelines.gallery.person import Person
from pipelines.job_book.book import JobBook, PictureRecord
from pipelines.job_book.rows import Job
from pipelines.jobs.outputs import Outputs
from pipelines.requests.request import Request, TextToImage

ADA, BOB = Person("ada"), Person("bob")
MODEL = "Dream Shaper"


def book_of(folder: Path) -> JobBook:
    return JobBook(folder / "studio.db", folder)


@contextmanager
def gallery_in(folder: Path) -> Generator[tuple[JobBook, Gallery]]:
    book = book_of(folder)
    gallery = Gallery(book)
    try:
        yield book, gallery
    finally:
        gallery.close()
        book.close()


def put_in(book: JobBook, request: Request, user: str = "ada", job: str = "j", name: str = "", model: str = MODEL) -> PictureRecord:
    """A picture in the book; with a `name`, there is a file as well, else there is none."""
    path = book.folder / (name or f"{time.perf_counter_ns()}.png")
    return book.add_picture(Job(job, user, request, "done", "", 1.0, None, None), path, request, (64, 48), model)


def drawn_in(book: JobBook, prompt: str, user: str = "ada", seed: int = 1, image: Image.Image | None = None) -> PictureRecord:
    """A picture with its file, saved as the studio saves one."""
    request = TextToImage(prompt=prompt, seed=seed)
    path = Outputs(book.folder).save(image or Image.new("RGB", (64, 48), (seed % 256, 30, 60)), request, {"Model": MODEL})
    return book.add_picture(Job("j", user, request, "done", "", 1.0, None, None), path, request, (64, 48), MODEL)


def found(gallery: Gallery, query: str, person: Person = ADA, group: str = "", order: str = "newest") -> list[str]:
    """The ids that a query finds, all of them."""
    asked = asked_for(query, group, order)
    return [picture["id"] for offset in range(0, total(gallery, asked, person), 500) for picture in rows(gallery, asked, person, offset)]


def prompts_found(gallery: Gallery, query: str = "", person: Person = ADA) -> list[str]:
    return [picture["prompt"] for picture in rows(gallery, asked_for(query), person)]


def rows(gallery: Gallery, asked: Asked, person: Person = ADA, offset: int = 0) -> list[dict]:
    return [dict(picture) for picture in gallery.window(person, asked, offset, 500)["pictures"]]


def total(gallery: Gallery, asked: Asked, person: Person = ADA) -> int:
    return gallery.window(person, asked, 0, 0)["total"]
