"""The passes over the folders of models: when the disk is looked at, what of an earlier look still holds, and how long anybody waits."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from models.library.index import Found, Index, restored
from models.library.rescan import Rescans
from models.library.scan import Scan, Watched, time_of
from models.library.timeouts import Silent, TimeLimit

SILENCE = 5.0  # seconds without an answer, after which a folder is left out
FIRST_WAIT = 2.0  # seconds that the first query waits for the first pass
WAIT = 1.0  # seconds that a query waits for a look at the disk
LOOK_EVERY = 2.0  # seconds between looks that are made only because somebody asked for the version
PUBLISH_EVERY = 0.5  # seconds between tables while a long first pass goes on


class Passes:
    """Safe to call from any thread."""

    def __init__(self, folders: Sequence[Path], starter: Path, index: Index, publish: Callable[[dict[bytes, Found]], None]) -> None:
        """`publish`: called with all that is found, by its path; of a long pass, with what it has so far."""
        self._folders, self._starter, self._index, self._publish = folders, starter, index, publish
        self.notes: tuple[str, ...] = ()  # sentences about folders that could not be looked through
        self._found: dict[bytes, Found] = {}
        self._patience = TimeLimit(SILENCE)
        self._turns = Rescans(self._pass)
        self._silent: Sequence[Path] = ()  # folders that did not answer
        self._watched: Watched = {}  # what to look at to see whether anything has changed
        self._wanted = True  # a pass over everything, whatever the times say
        self._stored = index.known()  # read by an earlier run of the studio; until the first pass has ended

    @property
    def scanning(self) -> bool:
        """A first pass, or one that was asked for, is going on."""
        return self._wanted and self._turns.busy

    def look(self) -> None:
        """Has the disk looked at and waits a moment for it, unless a long pass is going on already."""
        limit = WAIT if self._turns.ended else FIRST_WAIT
        if not self._turns.long(limit):
            self._turns.wait(self._turns.ask_or_join_the_first(), limit)

    def look_if_old(self) -> None:
        """Has the disk looked at without waiting, if that was some seconds ago."""
        if self._turns.age > LOOK_EVERY:
            self._turns.ask()

    def anew(self, wait: bool) -> None:
        """Looks through all folders, whatever the times say."""
        self._wanted = True
        ticket = self._turns.ask()
        if wait:
            self._turns.wait(ticket, None)

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
        self._watched, self._silent, self._wanted, self.notes = scan.watched, scan.silent, scan.hasty, tuple(scan.notes)

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
        self._found = found
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
