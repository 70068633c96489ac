"""Folders of the owner's that are brought in: looked through in the background, file by file, and entered in the job book.

One folder after another, in a thread of its own that gives way: it runs at the lowest priority, and while a picture is drawn it rests for
most of the time. What was looked at stands in the book, so that a stop or a restart costs nothing but the listing of the folder. No file
is written to, and none is copied unless that was asked for.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from models.errors import UserError
from pipelines.job_book.book import BookError, JobBook, PictureRecord
from pipelines.job_book.brought import Folder, Looked, Mark
from pipelines.jobs.outputs import NotSaved, Outputs
from pipelines.services.answers import FolderNews
from pipelines.services.folder_files import FileLooker, files_in, is_as_it_was

log = logging.getLogger(__name__)

BATCH = 50  # files that are entered together
OFTEN = 1.0  # seconds after which they are entered, however few they are
RESTS = 40.0  # seconds of rest for each second of work while a picture is drawn
LONGEST_REST = 2.0
ASKED = 0.25  # seconds for which it is known whether a picture is drawn
QUIET = 10.0  # seconds without a file after which it is said that the folder does not answer
MOST_FOLDERS = 200
NOT_THERE = "There is no such folder on this machine, or it cannot be opened. Type the whole path of a folder."
OURS = "This is the folder in which Atelier keeps its own pictures; they are in the library already."
GONE = "The folder cannot be read any more. If it lies on another drive, see that it is there; then go on."
MOVED = "The file of this picture is not in its folder any more, or its drive is not there."
CHANGED = "The file of this picture was changed after it was brought in. Bring in its folder again to have it as it is now."
UNKNOWN = "This folder is not among those that were brought in. Reload the page."
BROKEN = "Something broke inside Atelier while this folder was read. The details are in the log."


@dataclass
class Progress:
    """How far the work on a folder is. `total`: files that look like pictures, as far as the folder is listed."""

    total: int = 0
    listed: bool = False
    counts: dict[str, int] = field(default_factory=dict[str, int])
    unopened: int = 0  # folders within that could not be opened
    began: float = field(default_factory=time.monotonic)
    fresh: int = 0  # files that were looked at since then
    moved: float = field(default_factory=time.monotonic)


class Folders:
    """Safe to call from any thread. Who may bring in folders is the door's business: the owner alone."""

    def __init__(self, book: JobBook, outputs: Outputs, checkpoint_of: Callable[[str], str]) -> None:
        """`checkpoint_of`: the id of the checkpoint of that name here, or the name itself."""
        self._book, self._outputs = book, outputs
        self._looker = FileLooker(checkpoint_of)
        self._progress: dict[str, Progress] = {}
        self._wake, self._closing = threading.Event(), threading.Event()
        self._stopped: set[str] = set()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._runs, self._asked = False, 0.0

    def start(self) -> None:
        """Goes on with what was being read when the studio was last closed."""
        try:
            if any(folder.state == "reading" for folder in self._book.brought.folders()):
                self._begin()
        except BookError:
            log.warning("the folders that were being brought in could not be looked up")

    def close(self) -> None:
        self._closing.set()
        self._wake.set()
        if self._thread:
            self._thread.join(5)

    def bring(self, path: str, copies: bool = False) -> str:
        """Begins to look through a folder, or looks through it again. Returns its id. Raises `UserError` when it cannot be opened."""
        folder = self._checked(path)
        if len(self._book.brought.folders()) >= MOST_FOLDERS:
            raise UserError(f"{MOST_FOLDERS} folders were brought in, which is the most.")
        folder_id = self._book.brought.open_folder(folder, copies)
        self._go(folder_id)
        return folder_id

    def stop(self, folder_id: str) -> None:
        """What was looked at so far stays. Raises `UserError` when there is no such folder."""
        if self._folder(folder_id).state == "reading":
            self._stopped.add(folder_id)
            self._book.brought.settle(folder_id, "stopped")

    def go_on(self, folder_id: str) -> None:
        folder = self._folder(folder_id)
        self._book.brought.open_folder(folder.path, folder.copies)
        self._go(folder_id)

    def check(self, record: PictureRecord) -> None:
        """Raises `UserError` when the file of a picture that lies outside is gone, or not what it was when it was entered."""
        if not record.outside:
            return
        mark = self._book.brought.mark_of(record.id)
        if mark is None or not is_as_it_was(record.path, mark):
            raise UserError(MOVED if mark and not os.path.lexists(record.path) else CHANGED)

    def news(self) -> list[FolderNews]:
        """How far each folder is, the newest first. Says no path."""
        return [self._news(folder) for folder in self._book.brought.folders()]

    def _checked(self, path: str) -> Path:
        try:
            folder = Path(path.strip()[:4096]).expanduser()
            if not folder.is_absolute() or not folder.is_dir():
                raise UserError(NOT_THERE)
            folder, own = folder.resolve(), self._outputs.folder.resolve()
            with os.scandir(folder):
                pass
        except (OSError, ValueError, RuntimeError) as error:  # a link in a circle, a NUL, a home folder that is not known
            raise UserError(NOT_THERE) from error
        if folder == own or own in folder.parents:
            raise UserError(OURS)
        return folder

    def _folder(self, folder_id: str) -> Folder:
        found = next((folder for folder in self._book.brought.folders() if folder.id == folder_id), None)
        if found is None:
            raise UserError(UNKNOWN)
        return found

    def _go(self, folder_id: str) -> None:
        self._stopped.discard(folder_id)
        self._begin()

    def _begin(self) -> None:
        with self._lock:
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._work, name="folders", daemon=True)
                self._thread.start()
        self._wake.set()

    def _work(self) -> None:
        with suppress(OSError, AttributeError):  # of this thread alone, where the system can do that
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 19)
        while not self._closing.is_set():
            self._wake.clear()
            try:
                waiting = [folder for folder in self._book.brought.folders() if folder.state == "reading"]
            except BookError:
                waiting = []
            if waiting:
                self._bring(waiting[-1])
            else:
                self._wake.wait()

    def _bring(self, folder: Folder) -> None:
        """One folder from where it stands. Nothing that goes wrong ends the thread."""
        try:
            if self._look_through(folder):
                self._book.brought.settle(folder.id, "done")
        except NotSaved as error:
            self._fail(folder, "stopped", str(error))
        except BookError as error:
            self._closing.wait(LONGEST_REST)
            self._fail(folder, "stopped", str(error))
        except OSError:
            self._fail(folder, "failed", GONE)
        except Exception:
            log.exception("a folder could not be brought in")
            self._fail(folder, "failed", BROKEN)

    def _fail(self, folder: Folder, state: str, sentence: str) -> None:
        self._stopped.add(folder.id)
        with suppress(BookError):
            self._book.brought.settle(folder.id, "stopped" if state == "stopped" else "failed", sentence)

    def _look_through(self, folder: Folder) -> bool:
        """False when it was stopped. Raises `OSError` when the folder itself cannot be read."""
        known = self._book.brought.known(folder.id)
        progress = self._progress[folder.id] = Progress(counts=dict(folder.counts))
        files = list(self._listed(folder, progress, known))
        progress.listed = True
        batch: list[Looked] = []
        entered = time.monotonic()
        for path, mark in files:
            if self._is_stopped(folder):
                break
            batch.append(self._look(folder, path, mark, {one.digest for one in batch}))
            progress.fresh += 1
            if len(batch) >= BATCH or time.monotonic() - entered > OFTEN:
                self._enter(folder, progress, batch)
                batch, entered = [], time.monotonic()
        self._enter(folder, progress, batch)
        return not self._is_stopped(folder)

    def _listed(self, folder: Folder, progress: Progress, known: Mapping[str, Mark]) -> Iterator[tuple[Path, Mark]]:
        """The files that are yet to be looked at."""
        for found in files_in(folder.path, self._outputs.folder):
            if self._is_stopped(folder):
                return
            progress.moved = time.monotonic()
            if found is None:
                progress.unopened += 1
                continue
            path, mark = found
            progress.total += 1
            if known.get(str(path)) != mark:
                yield path, mark
            self._rest(0.0001)

    def _look(self, folder: Folder, path: Path, mark: Mark, waiting: Collection[str]) -> Looked:
        """`waiting`: digests of what was looked at and is not entered yet."""
        began, copies = time.perf_counter(), self._outputs if folder.copies else None
        looked = self._looker.look(path, mark, copies, lambda digest: digest in waiting or self._book.brought.same(digest))
        self._rest(time.perf_counter() - began)
        return looked

    def _rest(self, worked: float) -> None:
        """While a picture is drawn."""
        now = time.monotonic()
        if now - self._asked > ASKED:
            self._runs, self._asked = self._book.brought.runs(), now
        if self._runs:
            self._closing.wait(min(worked * RESTS, LONGEST_REST))

    def _enter(self, folder: Folder, progress: Progress, batch: list[Looked]) -> None:
        if batch:
            counts = self._book.brought.enter(folder.id, batch)
            progress.counts = {name: progress.counts.get(name, 0) + count for name, count in counts.items()}
            progress.moved = time.monotonic()

    def _is_stopped(self, folder: Folder) -> bool:
        return self._closing.is_set() or folder.id in self._stopped

    def _news(self, folder: Folder) -> FolderNews:
        live = self._progress.get(folder.id)
        reading = folder.state == "reading"
        counts = live.counts if live and reading else folder.counts
        done = sum(counts.values())
        spent = max(time.monotonic() - live.began, 0.001) if live else 0.0
        return {
            "id": folder.id,
            "name": folder.path.name or "the whole drive",
            "state": folder.state,
            "copies": folder.copies,
            "total": max(live.total if live else done, done),
            "listed": not reading or bool(live and live.listed),
            "done": done,
            "settings": counts.get("settings", 0),
            "none": counts.get("none", 0),
            "no_picture": counts.get("no picture", 0),
            "unreadable": counts.get("unreadable", 0),
            "same": counts.get("same", 0),
            "unopened": live.unopened if live else 0,
            "speed": live.fresh / spent if live and reading else 0.0,
            "silent": bool(live and reading and time.monotonic() - live.moved > QUIET),
            "message": folder.message,
        }
