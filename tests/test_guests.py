"""What a guest may ask for: work and room on the disk."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from models.errors import UserError
from pipelines import ImageToImage, TextToImage
from pipelines.images.store import Inputs
from pipelines.job_book.book import JobBook
from pipelines.requests.request import Outpaint, Request
from pipelines.services.guests import DiskQuota, check_work, work_of
from pipelines.services.uploads import Uploads
from tests.support.toys import toy_studio

HUGE = TextToImage(steps=150, width=2048, height=2048, batch_count=100, batch_size=16)


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def book(tmp_path: Path) -> Any:
    made = JobBook(tmp_path / "book.db", tmp_path)
    yield made
    made.close()


def quota(book: JobBook, folder: Path, most: int, clock: Clock | None = None) -> DiskQuota:
    return DiskQuota(book, Inputs(folder / "inputs"), most, clock or Clock())


def store(book: JobBook, folder: Path, user: str, size: int) -> Path:
    """A finished picture of so many bytes, as the engine enters one."""
    path = folder / f"{user} {len(list(folder.iterdir()))}.png"
    path.write_bytes(b"x" * size)
    job = book.job(book.submit(TextToImage(), user))
    assert job
    book.withdraw(job.id)
    book.add_picture(job, path, TextToImage(), (64, 64))
    return path


def test_work_is_steps_times_area_times_all_pictures_that_come_of_it() -> None:
    assert work_of(TextToImage(steps=10, width=1000, height=1000)) == 10
    assert work_of(TextToImage(steps=10, width=1000, height=1000, batch_count=3, batch_size=2)) == 60
    assert work_of(ImageToImage(steps=10, width=1000, height=1000, loops=4, batch_count=2)) == 80
    assert work_of(Outpaint(steps=1, width=1000, height=1000, right=2000, overlap=0), (1000, 1000)) > 2


@pytest.mark.parametrize(
    "request_",
    [HUGE, replace(HUGE, batch_size=1), ImageToImage(steps=150, width=1024, height=1024, loops=32, batch_count=16),
     ImageToImage(steps=20, width=1024, height=1024, images=(), batch_count=100, batch_size=16)],
)  # fmt: skip
def test_a_guest_is_told_when_a_job_is_too_much(request_: Request) -> None:
    with pytest.raises(UserError, match="guest may draw in one job"):
        check_work(request_)


def test_usual_work_is_not_too_much_for_a_guest() -> None:
    check_work(TextToImage(steps=50, width=1024, height=1024, batch_count=50))


def test_the_owner_may_draw_what_a_guest_may_not(tmp_path: Path) -> None:
    studio = toy_studio(tmp_path, start=False)
    with pytest.raises(UserError, match="guest"):
        studio.submit(HUGE, "guest")
    assert studio.submit(HUGE, "owner", owner=True)
    studio.close()


def test_room_is_counted_from_the_files_also_after_a_restart(book: JobBook, tmp_path: Path) -> None:
    store(book, tmp_path, "a", 600)
    store(book, tmp_path, "b", 100)
    for disk in (quota(book, tmp_path, 1000), quota(book, tmp_path, 1000)):
        disk.check("a", 400)
        with pytest.raises(UserError, match="no room"):
            disk.check("a", 401)
        disk.check("b", 900)


def test_what_is_drawn_later_is_added_and_what_is_removed_gives_room_again(book: JobBook, tmp_path: Path) -> None:
    clock = Clock()
    disk = quota(book, tmp_path, 1000, clock)
    disk.check("a", 1000)
    first = store(book, tmp_path, "a", 700)
    with pytest.raises(UserError):
        disk.check("a", 301)
    first.unlink()
    clock.now += 11
    disk.check("a", 1000)


def test_inputs_and_what_is_kept_elsewhere_count_and_the_owner_has_no_limit(book: JobBook, tmp_path: Path) -> None:
    disk = quota(book, tmp_path, 3000)
    uploads = Uploads(Inputs(tmp_path / "inputs"), book, disk)
    noise = Image.effect_noise((64, 64), 90)
    uploads.keep(noise, "a")
    with pytest.raises(UserError, match="no room"):
        disk.check("a", 1000)
    disk.counts_too(lambda user: 2990 if user == "b" else 0)
    with pytest.raises(UserError, match="no room"):
        disk.check("b", 11)
    disk.free("a")
    disk.check("a", 10**12)


def test_a_guest_who_has_used_everything_puts_nothing_in(book: JobBook, tmp_path: Path) -> None:
    uploads = Uploads(Inputs(tmp_path / "inputs"), book, quota(book, tmp_path, 1))
    uploads.keep(Image.new("L", (8, 8)), "a")
    with pytest.raises(UserError, match="no room"):
        uploads.keep(Image.new("L", (9, 9)), "a")
    assert len(book.inputs.of("a")) == 1


def test_jobs_that_wait_have_their_room_already(book: JobBook, tmp_path: Path) -> None:
    ten = TextToImage(width=64, height=64, batch_count=10)
    disk = quota(book, tmp_path, 2 * 10 * 64 * 64 * 3)
    for _ in range(2):
        disk.check_job("a", ten)
        book.submit(ten, "a")
    with pytest.raises(UserError, match="no room"):
        disk.check_job("a", ten)


def test_guests_leave_some_of_the_disk_however_many_they_are(book: JobBook, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipelines.services.guests.RESERVE", 10**18)
    with pytest.raises(UserError, match="nearly full"):
        quota(book, tmp_path, 10**15).check("a")
    quota(book, tmp_path, 0).check("a")
