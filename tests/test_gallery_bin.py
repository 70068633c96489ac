"""The bin of the gallery: nothing is removed before its time, nothing that another picture needs, and a guest's room comes back."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from models.errors import UserError
from pipelines.gallery.bin import DAYS, Bin
from pipelines.gallery.gallery import Gallery
from pipelines.gallery.person import Person
from pipelines.images.store import Inputs
from pipelines.job_book.book import JobBook, PictureRecord
from pipelines.job_book.reader import Reader
from pipelines.requests.request import ImageToImage
from pipelines.services.guests import DiskQuota
from pipelines.services.uploads import Uploads
from tests.support.gallery_files import ADA, BOB, drawn_in, found, gallery_in, put_in
from tests.support.toys import toy_studio, wait_until

MONTH = DAYS * 86_400
Opened = tuple[JobBook, Gallery]


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Opened]:
    with gallery_in(tmp_path) as both:
        yield both


def noise(size: tuple[int, int] = (64, 48)) -> Image.Image:
    return Image.frombytes("RGB", size, os.urandom(size[0] * size[1] * 3))


def bin_at(book: JobBook, gallery: Gallery, seconds: float = 0.0) -> Bin:
    """The bin of this gallery, as it will be in so many seconds."""
    return Bin(gallery._changes, Reader(book.file.path), gallery._gone, lambda: time.time() + seconds)


def removed(book: JobBook, gallery: Gallery, seconds: float = 0.0) -> int:
    rests: list[float] = []
    return bin_at(book, gallery, seconds).remove_due(rests.append)


def test_what_is_thrown_away_is_out_of_sight_and_comes_back_as_it_was(opened: Opened) -> None:
    book, gallery = opened
    record = drawn_in(book, "house")
    gallery.marks.rate([record.id], ADA, 5)
    assert gallery.marks.throw([record.id], ADA)["changed"] == 1
    assert (
        found(gallery, "") == [] and book.recent("ada", 9) == [] == book.pictures_of("j") and found(gallery, "house in:bin") == [record.id]
    )
    gallery.marks.restore([record.id], ADA)
    assert found(gallery, "rating:5") == [record.id] and [each.id for each in book.recent("ada", 9)] == [record.id]
    assert record.path.is_file()


def test_nothing_is_removed_before_thirty_days_and_then_file_row_and_small_version(opened: Opened) -> None:
    book, gallery = opened
    record, kept = drawn_in(book, "house"), drawn_in(book, "kept")
    gallery.thumbs.of(record.id, record.path)
    gallery.marks.throw([record.id], ADA)
    assert removed(book, gallery, MONTH - 60) == 0 and record.path.is_file()
    assert removed(book, gallery, MONTH + 60) == 1
    assert not record.path.exists() and book.picture(record.id) is None and gallery.thumbs.kept(record.id) == b""
    assert found(gallery, "") == [kept.id] and found(gallery, "in:bin") == [] and kept.path.is_file()


def test_throwing_away_again_does_not_begin_the_thirty_days_anew(opened: Opened) -> None:
    book, gallery = opened
    record = drawn_in(book, "house")
    gallery.marks.throw([record.id], ADA)
    before = gallery.details(record.id, ADA)["deleted"]
    gallery.marks.throw([record.id], ADA)
    assert gallery.details(record.id, ADA)["deleted"] == before


def test_the_bin_says_what_it_takes_and_is_emptied_at_once_when_it_is_asked(opened: Opened) -> None:
    book, gallery = opened
    mine, others = [drawn_in(book, str(number), seed=number) for number in range(3)], drawn_in(book, "bob's", "bob")
    gallery.marks.throw([each.id for each in mine], ADA)
    gallery.marks.throw([others.id], BOB)
    size = sum(each.path.stat().st_size for each in mine)
    assert gallery.bin.content(ADA) == {"count": 3, "bytes": size, "leaving": 0, "needed": 0}
    assert gallery.empty_bin(ADA) == 3 and gallery.bin.content(ADA)["leaving"] == 3
    assert removed(book, gallery) == 3
    assert gallery.bin.content(ADA)["count"] == 0 and gallery.bin.content(BOB)["count"] == 1 and others.path.is_file()


# ------------------------------------------------------------------------------------------------ what others were made from


def made_from(book: JobBook, record: PictureRecord, user: str = "ada") -> PictureRecord:
    """A picture that was made from another one, as the page sends it on."""
    taken = Uploads(Inputs(book.folder / ".inputs"), book).adopt(record, user)
    return put_in(book, ImageToImage(prompt="over", image=taken.id), user)


@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_what_another_picture_was_made_from_stays_until_nothing_needs_it(opened: Opened, mode: str) -> None:
    book, gallery = opened
    image = noise()
    if mode == "RGBA":
        image.putalpha(100)
    source, unused = drawn_in(book, "source", image=image), drawn_in(book, "unused", image=noise())
    child = made_from(book, source)
    gallery.marks.throw([source.id, unused.id], ADA)
    gallery.empty_bin(ADA)
    assert removed(book, gallery) == 1 and source.path.is_file() and not unused.path.exists()
    assert gallery.bin.content(ADA)["needed"] == 1 and gallery.details(source.id, ADA)["needed"]
    assert found(gallery, "in:bin") == [source.id]
    gallery.marks.throw([child.id], ADA)
    assert removed(book, gallery) == 0, "what is in the bin may come back"
    gallery.empty_bin(ADA)
    assert removed(book, gallery) + removed(book, gallery) == 2 and not source.path.exists()


def test_what_a_job_waits_to_be_made_from_stays(opened: Opened) -> None:
    book, gallery = opened
    source = drawn_in(book, "source", image=noise())
    drawn_in(book, "other")
    taken = Uploads(Inputs(book.folder / ".inputs"), book).adopt(source, "ada")
    made_from(book, drawn_in(book, "another", image=noise()))
    job = book.submit(ImageToImage(image=taken.id), "ada")
    gallery.marks.throw([source.id], ADA)
    gallery.empty_bin(ADA)
    assert removed(book, gallery) == 0
    book.withdraw(job)
    assert removed(book, gallery) == 1


# ------------------------------------------------------------------------------------------------ bad luck


def test_a_kill_between_file_and_row_is_made_good(opened: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    book, gallery = opened
    record = drawn_in(book, "house")
    gallery.marks.throw([record.id], ADA)
    unlink = Path.unlink

    def killed(path: Path, missing_ok: bool = False) -> None:
        unlink(path, missing_ok=missing_ok)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Path, "unlink", killed)
        removed(book, gallery, 2 * MONTH)
    assert book.picture(record.id) and not record.path.exists()
    assert found(gallery, "in:bin") == [], "it is on its way out"
    gallery.marks.restore([record.id], ADA)
    assert found(gallery, "") == [] and removed(book, gallery) == 1 and book.picture(record.id) is None


def test_a_file_that_cannot_be_removed_now_is_removed_later(opened: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    book, gallery = opened
    record = drawn_in(book, "house")
    gallery.marks.throw([record.id], ADA)

    def refused(path: Path, missing_ok: bool = False) -> None:
        raise PermissionError(13, "no")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", refused)
        assert removed(book, gallery, 2 * MONTH) == 0
    assert removed(book, gallery, 2 * MONTH) == 1 and not record.path.exists()


def test_a_picture_whose_file_is_gone_already_leaves_the_book(opened: Opened) -> None:
    book, gallery = opened
    record = drawn_in(book, "house")
    gallery.marks.throw([record.id], ADA)
    record.path.unlink()
    assert removed(book, gallery, 2 * MONTH) == 1 and book.picture(record.id) is None


@pytest.mark.parametrize("path", ["../outside.png", "linked/outside.png"])
def test_nothing_outside_the_outputs_folder_is_ever_removed(tmp_path: Path, path: str) -> None:
    outside = tmp_path / "outside.png"
    outside.write_bytes(b"somebody's")
    with gallery_in(tmp_path / "outputs") as (book, gallery):
        (book.folder / "linked").symlink_to(tmp_path)
        record = drawn_in(book, "house")
        with book.file.transaction() as db:
            db.execute("update picture set path = ?", (path,))
        gallery.marks.throw([record.id], ADA)
        assert removed(book, gallery, 2 * MONTH) == 1
    assert outside.read_bytes() == b"somebody's"


def test_removing_leaves_four_fifths_of_the_time_to_others(opened: Opened) -> None:
    book, gallery = opened
    records = [drawn_in(book, str(number), seed=number) for number in range(3)]
    gallery.marks.throw([each.id for each in records], ADA)
    rests: list[float] = []
    begin = time.monotonic()
    bin_at(book, gallery, 2 * MONTH).remove_due(rests.append)
    assert len(rests) == 3 and sum(rests) >= 4 * min(time.monotonic() - begin, 0.05)


# ------------------------------------------------------------------------------------------------ room


def test_a_guests_bin_is_counted_and_what_leaves_it_gives_its_room_back(opened: Opened) -> None:
    book, gallery = opened
    quota = DiskQuota(book, Inputs(book.folder / ".inputs"), 10**6)
    gallery._gave_back = quota.gave_back
    records = [drawn_in(book, str(number), "guest", number, noise((300, 300))) for number in range(3)]
    guest, size = Person("guest"), sum(each.path.stat().st_size for each in records)
    room = 10**6 - size
    quota.check("guest", room)
    gallery.marks.throw([records[0].id], guest)
    quota.check("guest", room)
    with pytest.raises(UserError, match="no room"):
        quota.check("guest", room + 1)
    freed = records[0].path.stat().st_size
    gallery.empty_bin(guest)
    removed(book, gallery)
    quota.check("guest", room + freed)
    with pytest.raises(UserError, match="no room"):
        quota.check("guest", room + freed + 1)


def test_a_studio_empties_its_bin_by_itself(tmp_path: Path) -> None:
    studio = toy_studio(tmp_path)
    record = drawn_in(studio.book, "house")
    studio.gallery.marks.throw([record.id], ADA)
    studio.gallery.empty_bin(ADA)
    wait_until(lambda: not record.path.exists(), 20)
    studio.close()
