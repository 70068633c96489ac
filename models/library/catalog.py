"""The catalogue: every model file in the folders, found in the background and kept as one table that is swapped in whole.

Nothing here reads a weight or imports torch. A query answers from the table; whether something has changed on disk is looked up in
the background, and a query waits for that only for a moment, so a folder that hangs holds up nobody.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from models.errors import UserError
from models.families import EVERY
from models.files import ModelFile, ModelKind, Overrides
from models.library.background import Background
from models.library.checkpoint import STARTER, Checkpoint, Facts, checkpoint_of, file_id, read_checkpoint
from models.library.contents import Contents
from models.library.hashes import Digests, claims, digest_of
from models.library.index import Found, Index
from models.library.overrides import OverrideBook
from models.library.passes import Passes
from models.library.table import CatalogTable, table_of
from models.library.told import Told

__all__ = ["STARTER", "Catalog", "Checkpoint", "read_checkpoint"]

STILL_READING = "The models folders are still being read, and a file that was asked for has not been found yet. Try again in a moment."


class Catalog:
    """The starter model, and what lies in the folders. Safe to call from any thread."""

    def __init__(self, starter: Path, folders: Sequence[Path] = (), cache: Path | None = None) -> None:
        """`cache`: a folder for the index and for what people decide; without it both are kept in memory only."""
        self._starter = starter
        self._index = Index(cache / "models.db" if cache else None)
        self._decided = OverrideBook(cache / "overrides.json" if cache else None)
        self._contents = Contents(self._index, self._hash_is_known)
        self._background = Background()
        self._found: dict[bytes, Found] = {}
        self._table = CatalogTable()
        self._version = 0
        self._changing = threading.RLock()
        self._passes = Passes(tuple(folders), starter, self._index, self._publish)
        self._publish({})

    @property
    def version(self) -> int:
        """Another number after each change. Asking for it has the disk looked at every few seconds, without waiting."""
        self._passes.look_if_old()
        return self._version

    @property
    def scanning(self) -> bool:
        """A first pass, or one that was asked for, is going on."""
        return self._passes.scanning

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences about folders that could not be looked through."""
        return self._passes.notes

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
        self._passes.anew(wait)

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

    def _refresh(self) -> None:
        """Waits a moment for what a look at the disk finds."""
        self._passes.look()

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
        return table_of(self._starter, found.values(), self._dressed)

    def _dressed(self, entry: Found) -> ModelFile:
        digest = self._contents.known(entry.fingerprint).whole
        overrides = self._decided.get([key for key in (digest, entry.fingerprint) if key])
        return replace(entry.file, hash=digest, overrides=overrides)


def _draws(entry: ModelFile) -> bool:
    return entry.usable and entry.identity.kind == "checkpoint" and entry.identity.family in EVERY
