"""The outputs folder as a place: one Atelier in it at a time, and no book is written into after it was moved away."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from PIL import Image

from models.errors import UserError
from pipelines.job_book.book import BookError, JobBook
from pipelines.job_book.folder_lock import FolderLock
from pipelines.job_book.rows import NOBODY
from pipelines.jobs.outputs import Outputs
from pipelines.requests.request import TextToImage

ROOT = Path(__file__).parent.parent
HOLD = "import sys, time; from pathlib import Path; from pipelines.job_book.folder_lock import FolderLock; lock = FolderLock(); "
HOLD += "lock.take(Path(sys.argv[1])); print('held', flush=True); time.sleep(600)"

WORK = """
import random, sys
from pathlib import Path
from PIL import Image
from pipelines.job_book.book import JobBook
from pipelines.jobs.outputs import Outputs
from pipelines.requests.request import TextToImage

folder = Path(sys.argv[1])
book, outputs = JobBook(folder / "studio.db", folder), Outputs(folder)
book.recover()
print("open", book.news, flush=True)
while True:
    waits = book.submit(TextToImage(seed=random.randrange(2**32)), "ada")
    job = book.claim()
    path = outputs.save(Image.new("RGB", (8, 8)), job.request, {})
    picture = book.add_picture(job, path, job.request, (8, 8))
    print("booked", picture.id, flush=True)
    book.end(job.id, "done")
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "outputs"
    made.mkdir()
    return made


def opened(folder: Path, lock: FolderLock | None = None) -> JobBook:
    return JobBook(folder / "studio.db", folder, lock=lock)


def drawn(book: JobBook, prompt: str) -> None:
    book.submit(TextToImage(prompt=prompt), "ada")
    job = book.claim()
    assert job
    path = Outputs(book._pictures).save(Image.new("RGB", (8, 8)), job.request, {})
    book.add_picture(job, path, job.request, (8, 8))
    book.end(job.id, "done")


def prompts(book: JobBook) -> list[str]:
    return [record.request.words for record in book.recent("ada", 9, True)]


# ------------------------------------------------------------------------------------------------ one at a time


def test_another_process_on_the_same_folder_is_refused_by_name_until_it_is_killed(folder: Path, tmp_path: Path) -> None:
    first = subprocess.Popen([sys.executable, "-c", HOLD, str(folder)], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        assert first.stdout and first.stdout.readline() == "held\n"
        link = tmp_path / "link"
        link.symlink_to(folder)
        for way in (folder, link):
            with pytest.raises(UserError) as told:
                FolderLock().take(way)
            assert str(way) in str(told.value) and str(first.pid) in str(told.value)
    finally:
        first.send_signal(signal.SIGKILL)
        first.wait()
    lock = FolderLock()
    lock.take(folder)
    lock.take(folder)
    assert str(os.getpid()) in (folder / "studio.lock").read_text()
    lock.release()
    FolderLock().take(folder)


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "outputs").write_text("a file")
    with pytest.raises(UserError, match="cannot be written"):
        FolderLock().take(tmp_path / "outputs")


def test_a_drive_without_locks_is_told_and_used_all_the_same(
    folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def unknown(handle: int) -> None:
        raise OSError(38, "Function not implemented")

    monkeypatch.setattr("pipelines.job_book.folder_lock._lock", unknown)
    FolderLock().take(folder)
    assert "knows no locks" in caplog.text


def test_a_second_start_changes_nothing_in_the_folder(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import app

    lock = FolderLock()
    book = opened(folder, lock)
    book.submit(TextToImage(), "ada")
    job = book.claim()
    day = folder / "2026-01-01"
    day.mkdir()
    unfinished = day / ".20260101-000000-0000.part"
    unfinished.write_bytes(b"being written")
    os.utime(unfinished, (0, 0))
    names = sorted(path.name for path in folder.iterdir())
    for more in ([], ["--rebuild-book"]):
        assert app.main(["--no-browser", "--port", "0", "--outputs-dir", str(folder), *more]) == 1
        told = capsys.readouterr().err
        assert f"process {os.getpid()}" in told and str(folder) in told
    assert unfinished.exists() and sorted(path.name for path in folder.iterdir()) == names
    assert job and book.job(job.id) == job
    lock.release()


def test_killed_at_any_moment_no_booked_picture_is_lost_and_no_whole_one_is_left_unbooked(folder: Path) -> None:
    dice, booked = random.Random(3), set[str]()
    for _ in range(5):
        worker = subprocess.Popen([sys.executable, "-c", WORK, str(folder)], cwd=ROOT, stdout=subprocess.PIPE, text=True)
        assert worker.stdout and worker.stdout.readline().startswith("open")
        time.sleep(dice.uniform(0, 0.15))
        worker.send_signal(signal.SIGKILL)
        booked |= {line.split()[1] for line in worker.communicate()[0].splitlines() if line.startswith("booked ") and len(line) > 28}
    book = opened(folder)
    assert "made anew" not in book.news and book._db.execute("pragma integrity_check").fetchone()[0] == "ok"
    records = book.recent("ada", 100_000)
    assert booked <= {record.id for record in records} and len(booked) > 10
    assert {record.path for record in records} == set(folder.glob("*/*.png"))


# ------------------------------------------------------------------------------------------------ moved while it is open


def test_a_folder_that_is_moved_away_is_missed_at_the_next_change_and_goes_on_when_it_is_back(folder: Path, tmp_path: Path) -> None:
    book = opened(folder)
    drawn(book, "before")
    folder.rename(tmp_path / "elsewhere")
    for change in (lambda: book.submit(TextToImage(), "ada"), book.claim, book.recover):
        with pytest.raises(BookError, match="not in its place") as told:
            change()
        assert told.value.kind == "moved" and told.value.passing
    assert not folder.exists() and prompts(book) == ["before"]
    (tmp_path / "elsewhere").rename(folder)
    drawn(book, "after")
    book.close()
    assert prompts(opened(folder)) == ["after", "before"]


def test_a_folder_that_is_removed_and_made_anew_gets_a_book_of_its_own(folder: Path) -> None:
    lock = FolderLock()
    book = opened(folder, lock)
    drawn(book, "gone")
    shutil.rmtree(folder)
    with pytest.raises(BookError, match="not in its place"):
        book.submit(TextToImage(), "ada")
    folder.mkdir()
    drawn(book, "new")
    assert prompts(book) == ["new"] and (folder / "studio.db").exists()
    with pytest.raises(UserError, match="Another Atelier"):
        FolderLock().take(folder)  # the new one is held as well
    book.close()
    lock.release()
    assert prompts(opened(folder)) == ["new"]


def test_a_book_that_is_removed_alone_is_made_again_from_the_pictures(folder: Path) -> None:
    book = opened(folder)
    drawn(book, "first")
    for name in ("studio.db", "studio.db-wal", "studio.db-shm"):
        (folder / name).unlink(missing_ok=True)
    drawn(book, "second")
    assert sorted(prompts(book)) == ["first", "second"] and "1 picture was found" in book.news
    assert [record.user for record in book.recent("ada", 9, True)].count(NOBODY) == 1


def test_another_folder_in_the_place_is_used_with_the_book_that_it_has(folder: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    drawn(opened(other), "of the other")
    book = opened(folder)
    drawn(book, "of the first")
    folder.rename(tmp_path / "first")
    other.rename(folder)
    job = book.submit(TextToImage(prompt="goes there"), "ada")
    assert prompts(book) == ["of the other"] and book.job(job)
    assert prompts(JobBook(tmp_path / "first" / "studio.db", tmp_path / "first")) == ["of the first"]


def test_a_drive_that_is_unplugged_is_not_written_behind_its_mount_point(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    book = opened(folder)
    shutil.rmtree(folder)
    folder.mkdir()  # what the drive was mounted on
    monkeypatch.setattr(book._file, "_home", (-1, 1))
    with pytest.raises(BookError, match="not in its place"):
        book.submit(TextToImage(), "ada")
    assert not any(folder.iterdir())


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="mounts a small disk, which only root may")
def test_a_full_disk_is_told_at_a_start_and_changes_nothing(folder: Path) -> None:
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=600k", "tmpfs", str(folder)], check=False).returncode:
        pytest.skip("this system mounts no small disk")
    try:
        book = opened(folder)
        book.submit(TextToImage(prompt="waits"), "ada")
        book.close()
        ballast = folder / "ballast"
        with ballast.open("wb", buffering=0) as file, pytest.raises(OSError):
            while True:
                file.write(b"\0" * 4096)
        for again in (False, True):
            with pytest.raises(BookError, match=r"full.* start again"):
                JobBook(folder / "studio.db", folder, again)
        ballast.unlink()
        assert JobBook(folder / "studio.db", folder).waiting() == 1
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)
