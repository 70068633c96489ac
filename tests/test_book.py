"""The job book when its rows or its file are not what they should be: nothing hides the rest, and nothing raw comes out."""

from __future__ import annotations

import json
import random
import sqlite3
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipelines.job_book.book import BookError, Job, JobBook
from pipelines.requests.request import ImageToImage, TextToImage, describe
from tests.support.asked import drawing

ONE = "1" * 64


@pytest.fixture
def book(tmp_path: Path) -> JobBook:
    return JobBook(tmp_path / "studio.db", tmp_path)


def claimed(book: JobBook) -> Job:
    job = book.claim()
    assert job
    return job


def drawn(book: JobBook, user: str, *prompts: str) -> None:
    """One job and one picture of each prompt."""
    for prompt in prompts:
        book.submit(TextToImage(prompt=prompt), user)
        job = claimed(book)
        book.add_picture(job, book._pictures / f"{prompt}.png", job.request, (64, 48))
        book.end(job.id, "done")


ODD = {
    "a field of a newer version": "json_set(request, '$.hires_scale', 2.0)",
    "a newer kind": "json_set(request, '$.kind', 'video')",
    "a kind that is no word": "json_set(request, '$.kind', json('[1]'))",
    "a value out of its limits": "json_set(request, '$.steps', 100000)",
    "a number beyond all numbers": "json_set(request, '$.steps', json('1e999'))",
    "a value of another type": "json_set(request, '$.prompt', 7)",
    "text that is cut": "substr(request, 1, 40)",
    "no text": "''",
    "another text": "'[1, 2]'",
    "a number for a text": "5",
    "bytes": "x'ff00fe'",
    "letters that are none": "cast(x'7b22fffe227d' as text)",
    "brackets without end": "replace(hex(zeroblob(50000)), '00', '[')",
}


@pytest.mark.parametrize("odd", ODD.values(), ids=ODD.keys())
def test_a_waiting_job_that_cannot_be_read_fails_with_a_sentence_and_the_next_one_is_drawn(book: JobBook, odd: str) -> None:
    bad, good = book.submit(TextToImage(checkpoint="A"), "ada"), book.submit(TextToImage(prompt="good", checkpoint="A"), "bob")
    book._db.execute(f"update job set request = {odd} where id = ?", (bad,))
    assert book.queue.ahead(good) == 1 and book.current("ada", "txt2img") in (bad, None)
    job = book.claim(["A"])
    assert job and (job.id, drawing(job.request).prompt) == (good, "good")
    assert book.claim() is None
    failed = book.job(bad)
    assert failed and failed.state == "failed" and "not drawn" in failed.message


@pytest.mark.parametrize("odd", ODD.values(), ids=ODD.keys())
def test_a_picture_whose_settings_cannot_be_read_is_shown_with_the_others_and_says_so(book: JobBook, odd: str) -> None:
    drawn(book, "ada", "first", "odd", "last")
    book._db.execute(f"update picture set request = {odd} where number = 2")
    last, middle, first = book.recent("ada", 10)
    assert (drawing(first.request).prompt, first.note, drawing(last.request).prompt, last.note) == ("first", "", "last", "")
    assert middle.note and middle.path == book._pictures / "odd.png" and (middle.width, middle.height) == (64, 48)
    assert book.picture(middle.id) == middle and book.pictures_of(middle.job_id) == [middle]


def test_of_settings_of_a_newer_version_everything_known_is_shown(book: JobBook) -> None:
    drawn(book, "ada", "a red house")
    book._db.execute("update picture set request = json_set(request, '$.hires_scale', 2.0, '$.steps', 'many', '$.width', 512)")
    [record] = book.recent("ada", 1)
    read = drawing(record.request)
    assert (read.prompt, read.width, read.steps) == ("a red house", 512, TextToImage().steps)
    assert "newer" in record.note


def test_inputs_that_only_a_newer_version_can_read_are_still_in_use(book: JobBook) -> None:
    drawn(book, "ada", "house")
    book._db.execute("update picture set request = ?", (json.dumps({"kind": "sculpture", "stones": [ONE]}),))
    assert book.inputs.used() == {ONE}


@pytest.mark.parametrize("path", ["/etc/passwd", "../../secret.png", "day/../../secret.png", "\0", ""])
def test_a_row_that_points_out_of_the_outputs_folder_names_no_file(book: JobBook, path: str) -> None:
    drawn(book, "ada", "house")
    book._db.execute("update picture set path = ?", (path,))
    [record] = book.recent("ada", 1)
    assert record.path.resolve().is_relative_to(book._pictures.resolve()) and not record.path.is_file()


def test_whatever_is_wrong_with_the_rows_only_our_own_errors_come_out(book: JobBook) -> None:
    dice = random.Random(5)
    text = json.dumps(describe(ImageToImage(image=ONE, prompt="a house")))
    for _ in range(300):
        drawn(book, "ada", "house")
        waits = book.submit(TextToImage(), "ada")
        place, kept = dice.randrange(len(text)), dice.choice([0, 1, 30])
        book._db.execute("update picture set request = ?", (text[:place] + dice.choice('{}[]",:0aé\0') + text[place + kept :],))
        book._db.execute("update job set request = ? where id = ?", (text[place:], waits))
        everything(book, waits)
        book._db.execute("delete from job")
        book._db.execute("delete from picture")


def everything(book: JobBook, job_id: str) -> None:
    for ask in (book.queue.ahead, book.job, book.pictures_of):
        ask(job_id)
    assert book.current("ada", "img2img") in (None, job_id) and book.waiting() == 1
    assert len(book.inputs.used()) <= 1
    for record in book.recent("ada", 9):
        assert book.picture(record.id) == record
        book.pictures_of(record.job_id)
    while job := book.claim(["starter"]):
        book.end(job.id, "done")


def test_what_no_book_can_hold_is_found_nowhere(book: JobBook) -> None:
    assert book.job("\ud800") is None and book.picture("\ud800") is None and book.recent("\ud800", 5) == []


# ------------------------------------------------------------------------------------------------ the file


def spoilt(book: JobBook) -> Callable[[], Any]:
    """A disk that has lost what was on it."""
    book._db.execute("pragma wal_checkpoint(truncate)")
    size = book._file.path.stat().st_size
    with book._file.path.open("r+b") as file:
        file.seek(4096)
        file.write(b"\x5a" * (size - 4096))
    return lambda: None


def full(book: JobBook) -> Callable[[], Any]:
    """A disk without room for one more page; returns what makes room."""
    pages = book._db.execute("pragma page_count").fetchone()[0]
    book._db.execute(f"pragma max_page_count = {pages}")
    return lambda: book._db.execute("pragma max_page_count = 1000000")


def held(book: JobBook) -> Callable[[], Any]:
    """Another program that writes and does not end."""
    other = sqlite3.connect(book._file.path, isolation_level=None, check_same_thread=False)
    other.execute("begin immediate")
    return other.close


@pytest.mark.parametrize(("kind", "begin"), [("full", full), ("locked", held)])
def test_what_the_file_does_not_take_is_told_and_taken_later(
    book: JobBook, kind: str, begin: Callable[..., Callable[[], Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipelines.job_book.file.PATIENCE", 0.1)
    long = TextToImage(prompt="x" * 90_000)
    waits = book.submit(TextToImage(), "ada")
    end = begin(book)
    job = Job("gone", "ada", long, "running", "", 0, 0, None)
    for change in (lambda: book.submit(long, "ada"), lambda: book.add_picture(job, book._pictures / "a.png", long, (8, 8))):
        with pytest.raises(BookError) as told:
            change()
        assert told.value.kind == kind and told.value.passing and not book._db.in_transaction
    assert book.waiting() == 1 and book.recent("ada", 5) == []
    end()
    assert claimed(book).id == waits
    assert book.submit(long, "ada")


def test_while_another_program_holds_the_book_it_is_read_without_waiting(book: JobBook) -> None:
    drawn(book, "ada", "house")
    end = held(book)
    writer = threading.Thread(target=lambda: book.submit(TextToImage(), "bob"))
    writer.start()
    time.sleep(0.2)  # it waits by now
    begin = time.perf_counter()
    assert len(book.recent("ada", 5)) == 1 and time.perf_counter() - begin < 3  # who writes waits for five
    end()
    writer.join(10)
    assert book.waiting() == 1


def test_a_change_that_cannot_be_kept_at_the_very_end_leaves_no_change_open(book: JobBook) -> None:
    book._db.execute("pragma foreign_keys = on")
    book._db.execute("create table later (job integer references job(number) deferrable initially deferred)")
    with pytest.raises(BookError), book._transaction() as db:
        db.execute("insert into later values (99)")  # is looked at when the transaction ends
    assert not book._db.in_transaction and book.submit(TextToImage(), "ada")


def test_a_book_that_is_damaged_while_it_is_open_is_told_as_damaged(book: JobBook) -> None:
    drawn(book, "ada", *"abc")
    spoilt(book)
    reopened = sqlite3.connect(book._file.path)  # another writer: what this one remembers of the file does not count any more
    reopened.close()
    for ask in (lambda: book.recent("ada", 5), lambda: book.submit(TextToImage(), "ada"), book.claim):
        book._db.execute("pragma shrink_memory")
        with pytest.raises(BookError) as told:
            ask()
        assert told.value.kind == "damaged" and not told.value.passing


def test_a_closed_book_says_that_the_studio_closes(book: JobBook) -> None:
    book.close()
    for ask in (lambda: book.recent("ada", 5), lambda: book.submit(TextToImage(), "ada"), book.claim, book.recover):
        with pytest.raises(BookError, match="closing"):
            ask()
