"""How a start finds the job book: older, newer, damaged, missing, or of somebody else. Nothing of it is silent, and no picture is lost."""

from __future__ import annotations

import json
import os
import random
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from pipelines.job_book.book import BookError
from pipelines.job_book.rows import NOBODY
from pipelines.job_book.schema import BACKUPS, MIGRATIONS, VERSION, backup_name
from pipelines.requests.request import ImageToImage, TextToImage, describe
from tests.support.book_files import drawn, opened, prompts, saved

ONE = "1" * 64
# The tables as version 0.1 made them, before and after it counted turns.
FIRST_BOOK = """
create table job (
  number integer primary key autoincrement, id text unique not null, user text not null, request text not null,
  state text not null default 'waiting', message text not null default '',
  created real not null, started real, ended real);
create index job_waiting on job (user, number) where state = 'waiting';
create index job_active on job (user, number) where state in ('waiting', 'running');
create table user_turn (user text primary key, last real not null);
create table picture (
  number integer primary key autoincrement, id text unique not null, job text not null, user text not null, path text not null,
  width integer not null, height integer not null, seed integer not null, created real not null, request text not null);
create index picture_user on picture (user, number);
create index picture_job on picture (job, number);
"""
LAST_BOOK = (
    FIRST_BOOK
    + """
alter table job add column turn integer;
create index job_turn on job (turn);
create index job_to_come on job (user, number) where turn is null;
create table input (id text not null, user text not null, primary key (id, user)) without rowid;
"""
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


# ------------------------------------------------------------------------------------------------ versions


@pytest.mark.parametrize("tables", [FIRST_BOOK, LAST_BOOK], ids=["first", "last"])
def test_a_book_of_version_0_1_comes_to_this_one_and_is_kept_as_it_was(folder: Path, tables: str) -> None:
    text = json.dumps(describe(TextToImage(prompt="old")))
    old = sqlite3.connect(folder / "studio.db")
    old.executescript(tables)
    old.execute("insert into job (id, user, request, state, created) values ('a', 'ada', ?, 'done', 1)", (text,))
    if "turn integer" in tables:
        old.execute("update job set turn = 0")
    for name, user in (("b", "ada"), ("c", "bob"), ("d", "eve")):
        old.execute("insert into job (id, user, request, created) values (?, ?, ?, 2)", (name, user, text))
    old.executemany("insert into user_turn values (?, ?)", [("bob", 9e9), ("ada", 5.0)])
    old.execute("insert into picture values (1, 'p', 'a', 'ada', 'day/p.png', 8, 8, 3, 1, ?)", (text,))
    old.commit()
    old.close()
    book = opened(folder)
    assert book._db.execute("pragma user_version").fetchone()[0] == VERSION and book.news == ""
    assert prompts(book, "ada") == ["old"]
    assert [job.id for job in iter(book.claim, None)] == ["d", "b", "c"]  # who was served last goes last, as before
    kept = sqlite3.connect(backup_name(folder / "studio.db", 0))
    assert kept.execute("select count(*) from job").fetchone() == (4,) and kept.execute("pragma user_version").fetchone() == (0,)


def test_a_step_that_fails_changes_nothing_and_is_taken_again_at_the_next_start(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn(opened(folder), "ada", "house")

    def broken(db: sqlite3.Connection) -> None:
        db.execute("create table more (id text)")
        db.execute("insert into nothing values (1)")

    steps = ("pipelines.job_book.schema.MIGRATIONS", "pipelines.job_book.schema.VERSION", "pipelines.job_book.opening.VERSION")
    for name, value in zip(steps, ((*MIGRATIONS, broken), VERSION + 1, VERSION + 1), strict=True):
        monkeypatch.setattr(name, value)
    with pytest.raises(BookError):
        opened(folder)
    monkeypatch.undo()
    book = opened(folder)
    assert prompts(book, "ada") == ["house"] and not book._db.execute("select 1 from sqlite_master where name = 'more'").fetchone()


def test_only_a_few_earlier_books_are_kept(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened(folder).close()
    more = tuple((lambda db, number=number: db.execute(f"create table t{number} (id text)")) for number in range(6))
    steps = ("pipelines.job_book.schema.MIGRATIONS", "pipelines.job_book.schema.VERSION", "pipelines.job_book.opening.VERSION")
    for update in range(1, 7):
        for name, value in zip(steps, ((*MIGRATIONS, *more[:update]), VERSION + update, VERSION + update), strict=True):
            monkeypatch.setattr(name, value)
        opened(folder).close()
    kept = {path.name for path in folder.glob("studio.db.version-*")}
    assert kept == {f"studio.db.version-{VERSION + 6 - number}" for number in range(BACKUPS, 0, -1)}


def test_a_book_of_a_newer_version_is_refused_and_stays_as_it_is(folder: Path) -> None:
    book = opened(folder)
    book._db.execute(f"pragma user_version = {VERSION + 1}")
    book.close()
    before = (folder / "studio.db").read_bytes()
    for again in (False, True):
        with pytest.raises(BookError, match="newer Atelier"):
            opened(folder, again)
    assert (folder / "studio.db").read_bytes() == before and not list(folder.glob("*.bad*"))


# ------------------------------------------------------------------------------------------------ bad books


def cut(share: float) -> Callable[[Path], None]:
    return lambda file: os.truncate(file, int(file.stat().st_size * share))


def overwritten(file: Path) -> None:
    with file.open("r+b") as stream:
        stream.seek(4096)
        stream.write(random.Random(1).randbytes(3 * 4096))


def without_a_table(file: Path) -> None:
    db = sqlite3.connect(file)
    db.execute("drop table picture")
    db.close()


BAD: dict[str, Callable[[Path], object]] = {
    "garbage": lambda file: file.write_bytes(b"\xff" * 8192),
    "a web page": lambda file: file.write_text("<!doctype html>" * 100),
    "empty": lambda file: file.write_bytes(b""),
    "zeros": lambda file: file.write_bytes(b"\0" * 8192),
    "cut to a little": cut(0.01),
    "cut in the middle": cut(0.5),
    "cut at the end": cut(0.9),
    "overwritten inside": overwritten,
    "without a table": without_a_table,
    "without any table": lambda file: (file.unlink(), sqlite3.connect(file).execute("vacuum")),
    "missing": lambda file: file.unlink(),
}


@pytest.mark.parametrize("spoil", BAD.values(), ids=BAD.keys())
def test_a_bad_book_is_set_aside_and_every_picture_is_found_again(folder: Path, spoil: Callable[[Path], None]) -> None:
    book = opened(folder)
    paths = drawn(book, "ada", "first", "second", "third")
    drawn(book, "ada", "from", request=ImageToImage(prompt="from", image=ONE, seed=5))
    book.submit(TextToImage(prompt="waits"), "ada")
    book.close()
    spoil(folder / "studio.db")
    spoilt = (folder / "studio.db").read_bytes() if (folder / "studio.db").exists() else None
    book = opened(folder)
    assert prompts(book, "ada") == ["from", "third", "second", "first"]
    assert [record.path for record in book.recent("ada", 9, True)][-1:] == paths[:1] and book.inputs.used() == {ONE}
    assert [(record.width, record.height, record.seed) for record in book.recent("ada", 9, True)][1] == (24, 16, 2)
    assert "4 pictures were found" in book.news
    if spoilt is not None:
        assert (folder / "studio.db.bad").exists() and "studio.db.bad" in book.news
    book.close()
    assert opened(folder).news == ""


def test_of_a_damaged_book_what_can_be_read_is_kept(folder: Path) -> None:
    book = opened(folder)
    drawn(book, "ada", "first")
    drawn(book, "bob", "second")
    first, second = book.recent("ada", 1)[0], book.recent("bob", 1)[0]
    waits = book.submit(TextToImage(prompt="waits"), "bob")
    saved(folder, TextToImage(prompt="unbooked", seed=9))
    book._db.execute("pragma writable_schema = on")
    book._db.execute("update sqlite_master set rootpage = 9999 where name = 'picture_job'")  # an index that leads nowhere
    book.close()
    book = opened(folder)
    assert "damaged" in book.news
    assert prompts(book, "ada", owner=False) == ["first"] and prompts(book, "bob", owner=False) == ["second"]
    assert {record.id for record in book.recent("ada", 1) + book.recent("bob", 1)} == {first.id, second.id}
    assert prompts(book, NOBODY) == ["unbooked"]
    job = book.claim()
    assert job and job.id == waits


def test_bad_books_are_numbered(folder: Path) -> None:
    for _ in range(3):
        (folder / "studio.db").write_bytes(b"\xff" * 8192)
        (folder / "studio.db-wal").write_bytes(b"what was in front of it")
        opened(folder).close()
    names = {path.name for path in folder.glob("studio.db.bad*")}
    assert names >= {f"studio.db.bad{number}{end}" for number in ("", 2, 3) for end in ("", "-wal")}


def test_a_damaged_journal_beside_a_sound_book_costs_no_picture(folder: Path) -> None:
    book = opened(folder)
    drawn(book, "ada", "first")
    book._db.execute("pragma wal_checkpoint(truncate)")
    drawn(book, "ada", "second")
    journal = (folder / "studio.db-wal").read_bytes()
    for name in ("studio.db", "studio.db-wal"):  # as after a kill: the first one is never closed
        (folder / f"copy-{name}").write_bytes((folder / name).read_bytes())
    book.close()
    (folder / "copy-studio.db").replace(folder / "studio.db")
    (folder / "studio.db-wal").write_bytes(bytes(byte ^ 0x5A for byte in journal))
    assert sorted(prompts(opened(folder), "ada")) == ["first", "second"]


def test_the_file_of_another_program_is_refused_and_stays_as_it_is(folder: Path) -> None:
    other = sqlite3.connect(folder / "studio.db")
    other.execute("create table job (id text)")
    other.close()
    before = (folder / "studio.db").read_bytes()
    for again in (False, True):
        with pytest.raises(BookError, match="another program"):
            opened(folder, again)
    assert (folder / "studio.db").read_bytes() == before


def test_a_folder_in_the_place_of_the_book_is_told(folder: Path) -> None:
    (folder / "studio.db").mkdir()
    with pytest.raises(BookError, match="is itself a folder"):
        opened(folder)


def test_a_book_that_another_program_holds_is_told(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened(folder).close()
    monkeypatch.setattr("pipelines.job_book.file.PATIENCE", 0.05)
    for how in ("immediate", "exclusive"):
        other = sqlite3.connect(folder / "studio.db", isolation_level=None)
        other.execute("pragma locking_mode = exclusive") if how == "exclusive" else None
        other.execute(f"begin {how}")
        with pytest.raises(BookError, match=r"holds .* start again"):
            opened(folder)
        other.close()


def test_a_new_folder_begins_a_book_without_a_word(folder: Path) -> None:
    assert opened(folder / "new").news == ""
