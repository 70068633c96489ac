"""The job book: every job and every finished picture, in one SQLite file.

Jobs belong to the server, not to a page: a closed tab, a reload or a crash of the process loses none. Order is fair by the time that is
spent: everybody who waits has one batch drawn before anybody has a second one. How it is decided stands in `pipelines.job_book.order`,
what people do with their jobs in `pipelines.job_book.queue`.
"""

from __future__ import annotations

import json
import logging
import secrets
import sqlite3
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from itertools import count
from pathlib import Path

from models.errors import UserError
from pipelines.job_book.brought import Brought
from pipelines.job_book.desks import desk_of
from pipelines.job_book.entering import enter
from pipelines.job_book.errors import BookError, starting
from pipelines.job_book.file import BookFile
from pipelines.job_book.folder_lock import FolderLock
from pipelines.job_book.following import Carried, Following, follow
from pipelines.job_book.grids import BookGrids
from pipelines.job_book.inputs import BookInputs
from pipelines.job_book.opening import first_version, open_book
from pipelines.job_book.order import LANES, OWN_ORDER, everybody_gone, next_number, sit_down
from pipelines.job_book.placing import ALL_HERE, Place
from pipelines.job_book.queue import BookQueue, queued_as
from pipelines.job_book.ring import PASSES
from pipelines.job_book.room import EVERY, GUEST_JOBS, JOBS_A_USER, Allowance, check_hour, check_room
from pipelines.job_book.rows import NOBODY, Job, PictureRecord, job_of, picture_of
from pipelines.job_book.running import begun, recovered
from pipelines.requests.remaining import Progress
from pipelines.requests.request import Request, describe, seed_of

__all__ = ["GUEST_JOBS", "JOBS_A_USER", "PASSES", "BookError", "Job", "JobBook", "PictureRecord"]

log = logging.getLogger(__name__)

WAITING, RUNNING, DONE, STOPPED, FAILED, INTERRUPTED = "waiting", "running", "done", "stopped", "failed", "interrupted"
ENDED = (DONE, STOPPED, FAILED, INTERRUPTED)
REPLACED = "Another outputs folder has come into the place of the one before; its own list of jobs is used from now on."
KEPT = "not exists (select 1 from shelf where shelf.number = picture.number and deleted is not null)"  # not in the bin
NOTHING = Carried()


class JobBook:
    """Safe to use from any thread: one connection, one lock, every change one short transaction.

    Everything here raises `BookError` when the file cannot be read or written; then nothing of the change has been kept.
    """

    def __init__(self, file: Path, pictures: Path, again: bool = False, lock: FolderLock | None = None) -> None:
        """`pictures` is the folder that picture paths are relative to. `again`: make the book anew from the pictures that are there.

        What becomes of a missing, damaged, older or newer book: see `pipelines.job_book.opening`. `lock`: the one that holds the folder
        of the book; it follows when another folder comes into its place.
        """
        self._pictures = pictures
        self.news = ""  # what a person should know of how the book was found, or empty
        self._again, self._folder_lock, self._opened_before = again, lock, False
        self._claimed: set[str] = set()  # what this process has begun
        self._changes = count(1)
        self.shelf_version = 0  # another one after each change of pictures, and of what is known of them
        self.on_shelf: list[Callable[[], None]] = []  # hear of each
        with starting():
            self._file = BookFile(file, self._opened)
            self.queue = BookQueue(self._file)
            self.inputs = BookInputs(self._file)
            self.brought = Brought(self._file)
            self.grids = BookGrids(self._file, pictures)
            try:
                with self._file.transaction() as db:
                    self.first_version = first_version(db)
            except BookError:
                self._file.close()
                raise

    def close(self) -> None:
        self._file.close()

    def submit(
        self,
        request: Request,
        user: str,
        owner: bool = False,
        lane: str = "next",
        once: str = "",
        allowance: Allowance = EVERY,
        carried: Carried = NOTHING,
    ) -> str:
        """Adds a waiting job and returns its id. Raises `UserError` when this person, or all guests, have too many waiting.

        `owner`: this is who sits at the machine, and no guest. `once`: what the person calls this order; a second one of that name adds
        nothing and returns the id of the first. `allowance`: what this person may ask for, and what of it this job does. `carried`: what
        it carries along. Its pictures go onto the board that its person draws onto.
        """
        job_id = secrets.token_urlsafe(16)
        with self._transaction() as db:
            if once and (known := db.execute("select id from job where user = ? and once = ?", (user, once)).fetchone()):
                return known["id"]
            check_room(db, user, owner, allowance.jobs)
            check_hour(db, user, allowance)
            sit_down(db, user, lane == "idle")
            named = job_id, user, json.dumps(describe(request)), time.time(), int(owner), LANES[lane], once, allowance.megapixels
            columns = """id, user, request, created, owner, lane, once, megapixels, chain, chain_words, board, origin, batches, each, work,
              sort, words"""
            values = (*named, carried.chain, carried.words, desk_of(db, user), carried.origin, *queued_as(request))
            db.execute(f"insert into job ({columns}) values ({', '.join('?' * 17)})", values)
        return job_id

    def claim(
        self, at_hand: Collection[str] = (), others: Sequence[Place] = (), device: str = "", coming: Mapping[str, float] = ALL_HERE
    ) -> Job | None:
        """Takes the job that the next batch is drawn of and marks it running, or None when nobody waits: see `pipelines.job_book.order`.

        `at_hand`: ids of checkpoints that need not be swapped in. A job that names one may be drawn before its turn.
        `others`: the devices that draw beside the one that asks, which is called `device`; None also when all that waits is drawn earlier
        there. `coming`: ids of models that would have to be sent here, with the seconds that takes. A job that cannot be read is marked
        failed, with a sentence, and the one after it is taken.
        """
        with self._transaction() as db:
            if db.execute("select 1 from job where state = 'waiting' limit 1").fetchone() is None:
                everybody_gone(db)
                return None
            while (number := next_number(db, Place(device, frozenset(at_hand), coming=coming), others)) is not None:
                if job := begun(db, number):
                    self._claimed.add(job.id)
                    return job
            return None

    def released(self, job_id: str) -> None:
        """A job that this process had begun waits again."""
        self._claimed.discard(job_id)

    def waiting(self) -> int:
        """How many jobs wait, of everybody."""
        return self._all("select count(*) as n from job where state = 'waiting'", ())[0]["n"]

    def settle(self, job_id: str, request: Request) -> None:
        """Stores the request with the values that were chosen for it: the seed that is used instead of -1."""
        self._write("update job set request = ? where id = ?", (json.dumps(describe(request)), job_id))

    def end(self, job_id: str, state: str, message: str = "", then: Following | None = None) -> None:
        """Marks a waiting or running job as ended; one that has ended keeps its state. A stopped one can come back. `then`: what goes on
        from it, queued behind it.
        """
        self._claimed.discard(job_id)
        query = "update job set state = ?, message = ?, ended = ?, withdrawn = ? where id = ? and state in ('waiting', 'running')"
        with self._transaction() as db:
            ended = db.execute(query, (state, message, time.time(), int(state == STOPPED), job_id)).rowcount
            if then and ended:
                follow(db, job_id, then)

    def withdraw(self, job_id: str) -> bool:
        """Stops a job that still waits; it can come back. False when it runs or has ended."""
        query = "update job set state = 'stopped', ended = ?, withdrawn = 1 where id = ? and state = 'waiting'"
        return self._write(query, (time.time(), job_id)) == 1

    def recover(self, came_on: Callable[[str], bool] = lambda job_id: False) -> int:
        """At start: what ran when the server went away waits again if it had come on, else it is marked interrupted; returns how many of
        these there are. What waited keeps its place. `came_on`: whether a job has more to go on from than its pictures.
        """
        with self._transaction() as db:
            return recovered(db, (), came_on)

    def may_go_on(self, job_id: str) -> bool:
        """It waits, runs, or was stopped and may come back."""
        row = self._one("select state, withdrawn from job where id = ?", (job_id,))
        return row is not None and (row["state"] in (WAITING, RUNNING) or (row["state"] == STOPPED and bool(row["withdrawn"])))

    def rated(self) -> list[str]:
        """Paths of the pictures that somebody rated or marked, as the file has them."""
        return [row["path"] for row in self._all("select path from picture join shelf using (number) where rating > 0 or favourite", ())]

    def job(self, job_id: str) -> Job | None:
        row = self._one("select * from job where id = ?", (job_id,))
        return job_of(row) if row else None

    def current(self, user: str, kind: str = "") -> str | None:
        """The job this person sees when a page opens: the running one, or else the first that waits. `kind`: of that kind alone."""
        of_kind = "and case when json_valid(request) then json_extract(request, '$.kind') end = ?" if kind else ""
        of_user = f"user = ? and state in ('waiting', 'running') {of_kind}"
        query = f"select id from job where {of_user} order by state = 'waiting', {OWN_ORDER} limit 1"
        row = self._one(query, (user, kind) if kind else (user,))
        return row["id"] if row else None

    def add_picture(
        self,
        job: Job,
        path: Path,
        request: Request,
        size: tuple[int, int],
        model: str = "",
        progress: Progress | None = None,
        then: Following | None = None,
        contents: Collection[str] = (),
    ) -> PictureRecord:
        """`size`: width and height of the picture, which need not be those of the request. `model`: the name of its checkpoint.
        `progress`: where its job stands with it. `then`: what goes on from it, queued behind its job.
        `contents`: ids of the input pictures that it would be.
        """
        picture = PictureRecord(secrets.token_urlsafe(16), job.id, job.user, path, *size, seed_of(request), time.time(), request)
        arrives = not (then and then.carried.chain)  # of several steps, what comes of the last one
        with self._transaction() as db:
            if progress:
                db.execute("update job set batch = ?, pictures = ?, stored = ? where id = ?", (*progress.written(), job.id))
            enter(db, job, picture, path.relative_to(self._pictures).as_posix(), model, contents, arrives)
            if then:
                follow(db, job.id, then)
        self.shelf_changed()
        return picture

    def paths_of(self, user: str, after: int = 0) -> list[tuple[int, Path]]:
        """Number and file of each of this person's pictures that were entered after the picture of that number."""
        rows = self._all("select number, path from picture where user = ? and number > ? order by number", (user, after))
        return [(row["number"], self._pictures / row["path"]) for row in rows]

    def unfinished(self, user: str) -> list[Request]:
        """What this person's jobs ask for that wait or run; what cannot be read is left out."""
        rows = self._all("select * from job where user = ? and state in ('waiting', 'running')", (user,))
        return [job.request for job in map(job_of, rows)]

    def picture(self, picture_id: str) -> PictureRecord | None:
        row = self._one("select * from picture where id = ?", (picture_id,))
        return picture_of(row, self._pictures) if row else None

    def pictures_of(self, job_id: str) -> list[PictureRecord]:
        """Without those in the bin."""
        query = f"select * from picture where job = ? and {KEPT} order by number"
        return [picture_of(row, self._pictures) for row in self._all(query, (job_id,))]

    def recent(self, user: str, limit: int, owner: bool = False) -> list[PictureRecord]:
        """This person's newest pictures that are not in the bin, newest first; for the owner also those of nobody: found again.

        Without what was brought in from elsewhere, which would push out all that was drawn.
        """
        query = f"select * from picture where user in (?, ?) and program is null and {KEPT} order by number desc limit ?"
        rows = self._all(query, (user, NOBODY if owner else user, limit))
        return [picture_of(row, self._pictures) for row in rows]

    def _opened(self, path: Path) -> sqlite3.Connection:
        try:
            if self._folder_lock:
                self._folder_lock.take(path.parent)
        except UserError as error:
            raise BookError("locked", str(error)) from error
        db, self.news = open_book(path, self._pictures, self._again)
        if self._opened_before:
            self.news = f"{REPLACED} {self.news}".strip()
            recovered(db, self._claimed)
            self.shelf_changed()
        self._again, self._opened_before = False, True
        if self.news:
            log.warning(self.news)
        return db

    @property
    def file(self) -> BookFile:
        """For the gallery, which asks and writes what stands on the shelf itself (`pipelines.job_book.shelf`)."""
        return self._file

    @property
    def folder(self) -> Path:
        """The folder that paths of pictures are relative to."""
        return self._pictures

    def shelf_changed(self) -> None:
        """Something is another on the shelf than it was."""
        self.shelf_version = next(self._changes)
        for hears in tuple(self.on_shelf):
            hears()

    @property
    def _db(self) -> sqlite3.Connection:
        return self._file.db

    def _transaction(self) -> AbstractContextManager[sqlite3.Connection]:
        return self._file.transaction()

    def _write(self, query: str, values: tuple[object, ...]) -> int:
        with self._transaction() as db:
            return db.execute(query, values).rowcount

    def _one(self, query: str, values: tuple[object, ...]) -> sqlite3.Row | None:
        return next(iter(self._all(query, values)), None)

    def _all(self, query: str, values: tuple[object, ...]) -> list[sqlite3.Row]:
        return self._file.rows(query, values)
