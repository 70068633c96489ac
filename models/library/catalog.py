"""The catalogue: every model file in the folders, found in the background and kept as one table that is swapped in whole.

Nothing here reads a weight or imports torch. A query answers from the table; whether something has changed on disk is looked up in
the background, and a query waits for that only for a moment, so a folder that hangs holds up nobody.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from models.errors import UserError
from models.families import EVERY
from models.files import Identity, ModelFile, ModelKind, Overrides
from models.library.background import Background
from models.library.checkpoint import STARTER, Checkpoint, Facts, checkpoint_of, file_id, read_checkpoint, read_folder, read_starter_depth
from models.library.contents import Contents
from models.library.hashes import Digests, claims, digest_of
from models.library.index import Found, Index, restored
from models.library.listing import Candidate, mark_now, mark_of
from models.library.matching import Names, told_apart
from models.library.overrides import OverrideBook
from models.library.rescan import Rescans
from models.library.scan import UPSCALER, Scan, Watched, starter_upscaler, time_of
from models.library.timeouts import Silent, TimeLimit
from models.library.told import Told
from models.names import folded

__all__ = ["STARTER", "Catalog", "Checkpoint", "read_checkpoint"]

SILENCE = 5.0  # seconds without an answer, after which a folder is left out
FIRST_WAIT = 2.0  # seconds that the first query waits for the first pass
STILL_READING = "The models folders are still being read, and a file that was asked for has not been found yet. Try again in a moment."
WAIT = 1.0  # seconds that a query waits for a look at the disk
LOOK_EVERY = 2.0  # seconds between looks that are made only because somebody asked for the version
PUBLISH_EVERY = 0.5  # seconds between tables while a long first pass goes on


@dataclass(frozen=True, slots=True)
class CatalogTable:
    """The table: everything that was found, in the order in which it is shown."""

    files: dict[str, ModelFile] = field(default_factory=dict[str, ModelFile])
    facts: dict[str, Facts] = field(default_factory=dict[str, Facts])
    fingerprints: dict[str, str] = field(default_factory=dict[str, str])
    names: Names = field(default_factory=lambda: Names(()))


class Catalog:
    """The starter model, and what lies in the folders. Safe to call from any thread."""

    def __init__(self, starter: Path, folders: Sequence[Path] = (), cache: Path | None = None) -> None:
        """`cache`: a folder for the index and for what people decide; without it both are kept in memory only."""
        self._starter = starter
        self._folders = tuple(folders)
        self._index = Index(cache / "models.db" if cache else None)
        self._decided = OverrideBook(cache / "overrides.json" if cache else None)
        self._contents = Contents(self._index, self._hash_is_known)
        self._background = Background()
        self._found: dict[bytes, Found] = {}
        self._table = CatalogTable()
        self._version = 0
        self._notes: tuple[str, ...] = ()
        self._changing = threading.RLock()
        self._patience = TimeLimit(SILENCE)
        self._passes = Rescans(self._pass)
        self._silent: Sequence[Path] = ()  # folders that did not answer
        self._watched: Watched = {}  # what to look at to see whether anything has changed
        self._wanted = True  # a pass over everything, whatever the times say
        self._stored = self._index.known()  # read by an earlier run of the studio; until the first pass has ended
        self._publish({})

    @property
    def version(self) -> int:
        """Another number after each change. Asking for it has the disk looked at every few seconds, without waiting."""
        if self._passes.age > LOOK_EVERY:
            self._passes.ask()
        return self._version

    @property
    def scanning(self) -> bool:
        """A first pass, or one that was asked for, is going on."""
        return self._wanted and self._passes.busy

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences about folders that could not be looked through."""
        return self._notes

    def checkpoints(self) -> list[Checkpoint]:
        """Those that can be drawn with, the starter first, the others by name."""
        self._refresh()
        table = self._table
        return [checkpoint_of(entry, table.facts[entry.id]) for entry in table.files.values() if _draws(entry)]

    def checkpoint(self, checkpoint_id: str) -> Checkpoint:
        """Raises `UserError` when no such model is there, or when it cannot be drawn with."""
        entry, facts = self._entry(checkpoint_id)
        if entry is None:
            raise self._missing("The checkpoint that was asked for is not in the models folder any more. Choose another one.")
        if not _draws(entry):
            raise UserError(entry.problem or entry.identity.note or f"“{entry.name}” is not a model that draws. Choose a checkpoint.")
        return checkpoint_of(entry, facts)

    def models(self, kind: ModelKind | None = None) -> list[ModelFile]:
        """Everything that was found, what cannot be used too; the starter's own first, the others by name."""
        self._refresh()
        return [entry for entry in self._table.files.values() if kind in (None, entry.identity.kind)]

    def model(self, model_id: str) -> ModelFile:
        """Raises `UserError` when it is not there."""
        entry, _ = self._entry(model_id)
        if entry is None:
            raise self._missing("This file is not in the models folders any more. Choose another one, or put it back.")
        return entry

    def _missing(self, gone: str) -> UserError:
        """Of what is not in the table. While that is still being made nobody knows whether it is gone."""
        return UserError(STILL_READING if self.scanning else gone)

    def named(self, kind: ModelKind, name: str) -> list[ModelFile]:
        """All files that a name means, in the order of the table: none, one, or those between which a person has to choose.

        Names are those of the files, never what is shown: with or without the ending, in NFC or NFD, exactly as written or else in
        large or small letters. Folders before a name, with / or \\ between, decide: they count from a folder of models on, or are its
        last ones. At last comes the name that a training program gave, then the beginning (8 digits or more) of a hash that is
        known. What can be used hides what cannot. Reads no file.
        """
        return self._meant(kind, name) or self._known([*self.models(kind)], digest_of(name))

    def find(self, kind: ModelKind, name: str) -> ModelFile | None:
        """The one file that a name or the beginning of a hash means, see `named` and `by_hash`. None, too, where it means several
        files of different content: `named` has them. Of copies the first of the table.
        """
        found = self._meant(kind, name)
        if not found:
            return self.by_hash(kind, name)
        return found[0] if self.alike(found) else None

    def by_hash(self, kind: ModelKind, digest: str) -> ModelFile | None:
        """By the first digits of its SHA-256, 8 to 64 in any case: of the whole file (A1111's model hash of 10, Civitai's AutoV2), or
        of its tensors alone (A1111's LoRA hashes of 12, AutoV3, `sshs_model_hash`), as it is or as its metadata claim.

        Of several with this content one that can be used comes first, then the first of the table; the name never matters. Files
        whose hash is not known are read for it, those that claim it first, then the smallest, at most 4 GiB at a call.
        """
        wanted = digest_of(digest)
        entries = self.models(kind) if wanted else []
        claiming = [entry for entry in entries if claims(entry, wanted)]
        content = self._known(entries, wanted) or self._read_for(claiming, wanted)
        claimed = claiming if len(claiming) == 1 else []
        return next(iter(content or claimed or self._read_for(entries, wanted)), None)

    def by_hash_within(self, kind: ModelKind, digest: str, seconds: float) -> ModelFile | None:
        """Like `by_hash`. Raises `TimeoutError` when the files are not read by then; they are read on, and that is remembered."""
        return self._background.within((kind, digest), lambda: self.by_hash(kind, digest), seconds)

    def file_hash(self, path: Path, seconds: float = 3600) -> str:
        """SHA-256 of a file that draws along and is in no table, remembered like the others. Raises `UserError` when it cannot be read,
        and `TimeoutError` like `by_hash_within`.
        """
        return self._background.within(path, lambda: self._contents.file(path), seconds)

    def holds(self, model_id: str, digest: str, seconds: float) -> bool:
        """Whether the file's content has a hash that begins so, as `by_hash` compares. Raises `TimeoutError` like `by_hash_within`,
        and `UserError` when the file cannot be read.
        """
        entry, wanted = self.model(model_id), digest_of(digest)
        known = self._contents.known(self._table.fingerprints.get(model_id, ""))
        digests = known if all(known) else self._background.within(model_id, lambda: self._contents.of(entry), seconds)
        return bool(wanted) and (digests.agree(wanted) or claims(entry, wanted))

    def alike(self, entries: Sequence[ModelFile]) -> bool:
        """Whether all have the same content; one has. Reads files of the same size whose hash is not known.

        False where one cannot be read.
        """
        if len(entries) < 2:
            return True
        try:
            return len({entry.size for entry in entries}) == 1 and len({self.hash(entry.id) for entry in entries}) == 1
        except UserError:
            return False

    def hash(self, model_id: str) -> str:
        """SHA-256 in hexadecimal digits; of a folder, of its UNet or only network. Reads the whole file the first time: seconds.

        Raises `UserError` when it cannot be read.
        """
        return self._contents.of(self.model(model_id)).whole

    def told(self, model_id: str, seconds: float) -> Told:
        """All that is known of a file, for a library elsewhere. Raises `UserError`, and `TimeoutError` like `by_hash_within`."""
        known = self._contents.known(self._table.fingerprints.get(model_id, ""))
        entry, facts = self.model(model_id), self._table.facts.get(model_id, Facts())
        digests = known if all(known) else self._background.within(model_id, lambda: self._contents.of(entry), seconds)
        return Told(replace(entry, hash=digests.whole), facts, digests)

    def override(self, model_id: str, overrides: Overrides) -> None:
        """Keeps a decision for as long as the file's content is the same. `Overrides()` takes it back. Raises `UserError`."""
        entry = self.model(model_id)
        keys = (entry.hash, self._table.fingerprints[entry.id])
        self._decided.put([key for key in keys if key], overrides)
        self._publish(self._found)

    def rescan(self, wait: bool = False) -> None:
        """Looks through all folders anew, in the background unless `wait`."""
        self._wanted = True
        ticket = self._passes.ask()
        if wait:
            self._passes.wait(ticket, None)

    def added(self, path: Path) -> str:
        """The id of a file that was just put into one of the folders. Raises `UserError` when it lies elsewhere."""
        self.rescan(wait=True)
        return self.model(file_id(path)).id

    # ------------------------------------------------------------------------------------------------ names and hashes

    def _meant(self, kind: ModelKind, name: str) -> list[ModelFile]:
        self._refresh()
        return self._table.names.meant(kind, name)

    def _known(self, entries: Sequence[ModelFile], digest: str) -> list[ModelFile]:
        """Those with this content, what can be used first."""
        fingerprints = self._table.fingerprints
        found = [entry for entry in entries if digest and self._contents.known(fingerprints.get(entry.id, "")).agree(digest)]
        return sorted(found, key=lambda entry: not entry.usable)

    def _read_for(self, entries: Sequence[ModelFile], digest: str) -> list[ModelFile]:
        """The first that turns out to have this content."""
        fingerprints = self._table.fingerprints
        unknown = [entry for entry in entries if entry.usable and not all(self._contents.known(fingerprints.get(entry.id, "")))]
        return self._contents.first(sorted(unknown, key=lambda entry: entry.size), digest)

    def _hash_is_known(self, fingerprint: str, digests: Digests) -> None:
        with self._changing:
            self._decided.follow(fingerprint, digests.whole)
            self._publish(self._found)

    # ------------------------------------------------------------------------------------------------ the table

    def _entry(self, model_id: str) -> tuple[ModelFile | None, Facts]:
        """From the table; only what is not in it makes the disk be looked at."""
        if model_id not in self._table.files:
            self._refresh()
        table = self._table
        return table.files.get(model_id), table.facts.get(model_id, Facts())

    def _publish(self, found: dict[bytes, Found]) -> None:
        """Makes a new table, and a new version if it differs."""
        with self._changing:
            table = self._tabled(found)
            if table.files != self._table.files or not self._version:
                self._table = table
                self._version += 1
            self._found = found

    def _tabled(self, found: Mapping[bytes, Found]) -> CatalogTable:
        entries = sorted(found.values(), key=self._place_on_shelf)
        everything = _one_each([self._read_starter(), *self._read_starter_depth(), *self._read_starter_upscaler(), *entries])
        files = {file.id: file for file in told_apart([self._dressed(entry) for entry in everything])}
        facts, fingerprints = ({entry.file.id: getattr(entry, name) for entry in everything} for name in ("facts", "fingerprint"))
        return CatalogTable(files, facts, fingerprints, Names(files.values()))

    def _dressed(self, entry: Found) -> ModelFile:
        digest = self._contents.known(entry.fingerprint).whole
        overrides = self._decided.get([key for key in (digest, entry.fingerprint) if key])
        return replace(entry.file, hash=digest, overrides=overrides)

    def _place_on_shelf(self, entry: Found) -> tuple[bool, str, tuple[str, ...], bytes]:
        file = entry.file
        return not file.path.is_relative_to(self._starter), folded(file.true_name), file.folders, os.fsencode(file.path)

    def _read_starter(self) -> Found:
        """It is a model of the Stable Diffusion 1 kind in a size of its own, whatever is missing from its folder."""
        file, facts = read_folder(self._starter, STARTER)
        told = file.identity if file.identity.supported else Identity("checkpoint", layout="diffusers")
        return Found(replace(file, identity=replace(told, family="sd1", variant="")), facts, mark_now(self._starter))

    def _read_starter_depth(self) -> list[Found]:
        found = read_starter_depth(self._starter)
        return [Found(*found, mark_now(self._starter / "depth"))] if found else []

    def _read_starter_upscaler(self) -> list[Found]:
        """Where the starter says what it is; else the first pass finds that."""
        path = self._starter / UPSCALER
        if not path.is_file():
            return []
        status = path.stat()
        found = starter_upscaler(Candidate(path, "upscaler", mark_of(status), status.st_size, status.st_mtime))
        return [found] if found.file.identity.kind == "upscaler" and found.file.title else []

    # ------------------------------------------------------------------------------------------------ the disk

    def _refresh(self) -> None:
        """Has the disk looked at and waits a moment for it, unless a long pass is going on already."""
        limit = WAIT if self._passes.ended else FIRST_WAIT
        if not self._passes.long(limit):
            self._passes.wait(self._passes.ask_or_join_the_first(), limit)

    def _pass(self) -> None:
        """Looks whether anything has changed, and if so looks through everything. In the thread of `Rescans`."""
        if not self._wanted and not self._is_changed():
            return
        before = self._stored.keys() | self._found.keys()
        scan = Scan(self._folders, self._starter, self._remembered, self._patience)
        found = self._gather(scan)
        if not scan.notes:  # else something may be away only for a while
            self._index.forget(before - found.keys())
            self._stored = {}
        self._watched, self._silent, self._wanted, self._notes = scan.watched, scan.silent, scan.hasty, tuple(scan.notes)

    def _gather(self, scan: Scan) -> dict[bytes, Found]:
        """Everything that the pass finds. A long pass shows what it has so far."""
        found: dict[bytes, Found] = {}
        new: list[Found] = []
        last = time.monotonic()
        for entry, is_new in scan.run():
            found[os.fsencode(entry.file.path)] = entry
            new += [entry] if is_new else []
            if time.monotonic() - last > PUBLISH_EVERY:
                self._keep({**self._found, **found}, new)
                last, new = time.monotonic(), []
        self._keep(found, new)
        return found

    def _keep(self, found: dict[bytes, Found], new: Sequence[Found]) -> None:
        self._index.keep(new)
        self._publish(found)

    def _remembered(self, path: bytes, fingerprint: str) -> Found | None:
        """What an earlier look at the same content saw."""
        seen = self._found.get(path)
        if seen and seen.fingerprint == fingerprint:
            return seen
        stored = self._stored.get(path)
        return restored(path, *stored) if stored and stored[0] == fingerprint else None

    def _is_changed(self) -> bool:
        watched = self._watched
        if any(not self._patience.hangs(folder) for folder in self._silent):
            return True
        try:
            return any(self._patience("times", lambda: [any(time_of(path) != before for path, before in watched.items())]))
        except Silent:
            return True  # each folder is then asked by itself


def _one_each(entries: Sequence[Found]) -> list[Found]:
    """A file and links to it of the same name are one entry, which may be called by the folders of all."""
    each: dict[str, Found] = {}
    for entry in entries:
        first = each.setdefault(entry.file.id, entry)
        folders = tuple(dict.fromkeys((*first.file.folders, *entry.file.folders)))
        each[entry.file.id] = replace(first, file=replace(first.file, folders=folders))
    return [*each.values()]


def _draws(entry: ModelFile) -> bool:
    return entry.usable and entry.identity.kind == "checkpoint" and entry.identity.family in EVERY
