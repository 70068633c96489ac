"""The index: what was read from model files, so that the next start reads none of them again. SQLite; it may be deleted at any time.

An entry counts for as long as the file's mark (size, time, inode) is the same and the rules that read it are: a change in the code
that identifies files makes the whole index anew. Hashes are kept by mark alone, so a file that is renamed keeps its own.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import sqlite3
import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from models.files import Identity, ModelFile
from models.library.checkpoint import Facts, facts_from
from models.library.hashes import Digests

log = logging.getLogger(__name__)

TABLES = """
create table if not exists files (path blob primary key, mark text not null, entry text not null) without rowid;
create table if not exists hashes (mark text primary key, hash text not null) without rowid;
create table if not exists tensor_hashes (mark text primary key, hash text not null) without rowid;
create table if not exists rules (version text not null);
"""
RULES = (
    "files.py", "names.py", "safe_text.py", "identify/*.py", "library/checkpoint.py", "library/index.py", "library/listing.py",
    "library/scan.py", "tensors/embedded_sizes.py", "tensors/header.py", "tensors/signature.py", "tensors/small_tensor.py",
    "upscalers/architectures.py",
)  # fmt: skip
BUSY = 5.0  # seconds to wait for another process that writes


@dataclass(frozen=True, slots=True)
class Found:
    """One file or folder as it was read, and what tells whether it has changed since."""

    file: ModelFile  # without hash and overrides
    facts: Facts
    fingerprint: str


class Index:
    """Safe to call from any thread."""

    def __init__(self, file: Path | None) -> None:
        """`file` None: in memory only. A file that cannot be used is made anew, or done without."""
        self._lock = threading.Lock()
        self._database = _open(file)

    def known(self) -> dict[bytes, tuple[str, str]]:
        """Path -> (mark, entry) of everything; `restored` makes the entry readable."""
        with self._lock:
            return {
                path: (fingerprint, entry) for path, fingerprint, entry in self._database.execute("select path, mark, entry from files")
            }

    def keep(self, found: Iterable[Found]) -> None:
        rows = [(os.fsencode(entry.file.path), entry.fingerprint, _as_text(entry)) for entry in found]
        self._write("insert or replace into files values (?, ?, ?)", rows)

    def forget(self, paths: Iterable[bytes]) -> None:
        self._write("delete from files where path = ?", [(path,) for path in paths])

    def hashes(self) -> Mapping[str, Digests]:
        """Mark -> hashes of every file that was ever hashed."""
        both = "select mark, hashes.hash, coalesce(tensor_hashes.hash, '') from hashes left join tensor_hashes using (mark)"
        with self._lock:
            return {fingerprint: Digests(whole, tensors) for fingerprint, whole, tensors in self._database.execute(both)}

    def keep_hash(self, fingerprint: str, digests: Digests) -> None:
        for table, digest in (("hashes", digests.whole), ("tensor_hashes", digests.tensors)):
            self._write(f"insert or replace into {table} values (?, ?)", [(fingerprint, digest)])

    def close(self) -> None:
        with self._lock:
            self._database.close()

    def _write(self, statement: str, rows: Sequence[tuple[object, ...]]) -> None:
        """Losing a line of the index costs a second look at a file, so it stops nothing."""
        if not rows:
            return
        try:
            with self._lock, self._database:
                self._database.executemany(statement, rows)
        except sqlite3.Error:
            log.warning("the index of models could not be written", exc_info=True)


def restored(path: bytes, fingerprint: str, text: str) -> Found | None:
    """An entry out of the index; None when it is not one."""
    try:
        entry = json.loads(text)
        identity = Identity(**entry.pop("identity"))
        facts = facts_from(entry.pop("facts"))
        words = tuple(entry.pop("words"))
        return Found(ModelFile(**entry, path=Path(os.fsdecode(path)), identity=identity, words=words), facts, fingerprint)
    except (ValueError, TypeError, KeyError, AttributeError):
        return None


def _as_text(entry: Found) -> str:
    file = entry.file
    return json.dumps({
        "id": file.id, "name": file.name, "size": file.size, "changed": file.changed, "problem": file.problem,
        "metadata": dict(file.metadata), "words": file.words, "identity": asdict(file.identity), "facts": asdict(entry.facts),
    })  # fmt: skip


def _open(file: Path | None) -> sqlite3.Connection:
    if file is None:
        return _prepared(":memory:")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        return _prepared(str(file))
    except (OSError, sqlite3.Error):
        log.warning("%s cannot be used; it is made anew", file, exc_info=True)
    try:
        file.unlink(missing_ok=True)
        return _prepared(str(file))
    except (OSError, sqlite3.Error):
        log.warning("%s cannot be made; the models are read anew at each start", file, exc_info=True)
        return _prepared(":memory:")


def _prepared(name: str) -> sqlite3.Connection:
    database = sqlite3.connect(name, timeout=BUSY, check_same_thread=False)
    try:
        with database:
            database.execute("pragma journal_mode = wal")
            database.execute("pragma synchronous = normal")
            database.executescript(TABLES)
            _follow_rules(database)
    except sqlite3.Error:
        database.close()
        raise
    return database


def _follow_rules(database: sqlite3.Connection) -> None:
    version = _rules_version()
    if database.execute("select version from rules").fetchall() != [(version,)]:
        database.execute("delete from files")
        database.execute("delete from rules")
        database.execute("insert into rules values (?)", (version,))


def _rules_version() -> str:
    """The code that reads and judges files, as a number: small, so hashing it at each start costs nothing."""
    sources = sorted(source for pattern in RULES for source in Path(__file__).parents[1].glob(pattern))
    return hashlib.sha256(b"\0".join(source.read_bytes() for source in sources)).hexdigest()
