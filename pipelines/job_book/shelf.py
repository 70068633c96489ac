"""The shelf: what the gallery finds and keeps of each picture, in tables beside that of the pictures, written in the same transactions.

    shelf      a narrow row a picture: facts of its request, rating, favourite, note, and when it went to the bin. A search reads it all
    words      the full-text index (FTS5): prompt, negative prompt, LoRAs, sampler, note; and as marks the model (m3) and boards (b12),
               so that a board that gets another name leaves the index as it is
    model      checkpoints by their ids, with the name that people know them by
    board, on_board     boards, each of one person, and what is on them
    lineage    which input pictures each picture was made from; content: which input picture a picture would be, where that was looked at

`shelf.deleted` is null for what is kept, else when it went to the bin, in seconds since 1970; `EMPTIED` for what leaves it as soon as
nothing needs it, `LEAVING` while its file is removed.

A picture that leaves the book leaves all of them, by a trigger.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection
from dataclasses import dataclass

from pipelines.job_book.facts import Facts, facts_of, spaced

TABLES = (
    """create table shelf (
      number integer primary key, user text not null, job text not null, created real not null,
      width integer not null, height integer not null, seed integer not null,
      kind text not null, model integer not null, sampler text not null, loras text not null, control integer not null,
      settings blob not null, rating integer not null default 0, favourite integer not null default 0, note text not null default '',
      deleted real, bytes integer not null default 0)""",
    "create index shelf_bin on shelf (deleted) where deleted is not null",
    """create virtual table words using fts5(prompt, negative, loras, sampler, note, marks, tokenize = "unicode61 remove_diacritics 2")""",
    "create table model (number integer primary key, id text unique not null, name text not null default '')",
    """create table board (
      number integer primary key autoincrement, id text unique not null, user text not null, name text not null,
      created real not null, deleted real)""",
    "create index board_user on board (user)",
    "create table on_board (board integer not null, picture integer not null, primary key (board, picture)) without rowid",
    "create index on_board_picture on on_board (picture)",
    "create table lineage (input text not null, picture integer not null, primary key (input, picture)) without rowid",
    "create index lineage_picture on lineage (picture)",
    "create table content (picture integer not null, input text not null, primary key (picture, input)) without rowid",
    """create trigger picture_gone after delete on picture begin
      delete from shelf where number = old.number;
      delete from words where rowid = old.number;
      delete from on_board where picture = old.number;
      delete from lineage where picture = old.number;
      delete from content where picture = old.number;
    end""",
)
SHELF = frozenset({"shelf", "words", "model", "board", "on_board", "lineage", "content"})
ROW = """insert into shelf (number, user, job, created, width, height, seed, kind, model, sampler, loras, control, settings)
  values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"""
WORDS = "insert into words (rowid, prompt, negative, loras, sampler, note, marks) values (?, ?, ?, ?, ?, '', ?)"
EMPTIED, LEAVING = 0.0, -1.0
AT_ONCE = 1_000  # pictures that are read into memory together


@dataclass(frozen=True, slots=True)
class Entered:
    """A picture as it was entered. `model`: the name of its checkpoint, or "". `contents`: ids of the input pictures that it would be."""

    number: int
    user: str
    job: str
    created: float  # seconds since 1970
    size: tuple[int, int]
    seed: int
    request: object  # JSON; whatever a damaged row holds
    model: str = ""
    contents: Collection[str] = ()


def put(db: sqlite3.Connection, entered: Entered) -> None:
    """Puts a picture on the shelf, in the transaction that enters it."""
    facts = facts_of(entered.request)
    model = _model(db, facts.checkpoint, entered.model)
    row = (entered.number, entered.user, entered.job, entered.created, *entered.size, entered.seed, facts.kind, model)
    db.execute(ROW, (*row, facts.sampler, facts.loras.casefold(), int(facts.control), facts.settings))
    _index(db, entered.number, facts, model)
    db.executemany("insert or ignore into lineage values (?, ?)", [(picture, entered.number) for picture in facts.inputs])
    db.executemany("insert or ignore into content values (?, ?)", [(entered.number, each) for each in entered.contents])


def fill(db: sqlite3.Connection) -> int:
    """Puts what is in the book and not on the shelf there, a thousand at a time. Returns how many pictures.

    No part of the step that makes the tables, so that a later step may change what a row holds.
    """
    query = """select number, user, job, created, width, height, seed, request from picture
      where number > ? and not exists (select 1 from shelf where shelf.number = picture.number) order by number limit ?"""
    last, count = -1, 0
    while rows := db.execute(query, (last, AT_ONCE)).fetchall():
        for number, user, job, created, width, height, seed, request in rows:
            put(db, Entered(number, user, job, created, (width, height), seed, request))
        last, count = rows[-1][0], count + len(rows)
    return count


def create(db: sqlite3.Connection) -> None:
    """The tables, empty."""
    for statement in TABLES:
        db.execute(statement)


def name_model(db: sqlite3.Connection, checkpoint: str, name: str) -> None:
    db.execute("update model set name = ? where id = ?", (name, checkpoint))


def _model(db: sqlite3.Connection, checkpoint: str, name: str) -> int:
    """The number of a checkpoint; 0 for a picture that was made with none. The newest name counts."""
    if not checkpoint:
        return 0
    known = db.execute("select number, name from model where id = ?", (checkpoint,)).fetchone()
    if known is None:
        return int(db.execute("insert into model (id, name) values (?, ?)", (checkpoint, name)).lastrowid or 0)
    if name and known[1] != name:
        name_model(db, checkpoint, name)
    return int(known[0])


def _index(db: sqlite3.Connection, number: int, facts: Facts, model: int) -> None:
    texts = (facts.prompt, facts.negative_prompt, facts.loras, facts.sampler)
    db.execute(WORDS, (number, *map(spaced, texts), f"m{model}" if model else ""))
