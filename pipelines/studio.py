"""The studio: all that the page and other programs see of the work. Importing it loads no weights and no torch."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from models.errors import UserError
from models.library.catalog import Checkpoint
from models.memory.manager import LedgerLine
from pipelines.assembly import Services
from pipelines.gallery.person import Person
from pipelines.job_book.book import Job, PictureRecord
from pipelines.job_book.following import Carried
from pipelines.jobs.errands import never
from pipelines.jobs.outputs import inspect
from pipelines.requests.as_made import loosened
from pipelines.requests.branch import Branch, as_in, check_branch
from pipelines.requests.control_unit import ControlUse
from pipelines.requests.request import Drawing, Request
from pipelines.requests.steps import steps_of
from pipelines.resolving.rebind import Rebound, rebind
from pipelines.services.answers import JobNews
from pipelines.services.job_news import summary
from pipelines.services.strips import NO_STEPS
from pipelines.services.uploads import Taken
from pipelines.steps.content import told_of

__all__ = ["Checkpoint", "Studio", "summary"]


class Studio(Services):
    """One book, one worker, one catalogue. Safe to call from any thread."""

    def start(self) -> None:
        """Starts the worker; it warms up behind the page."""
        self._worker.start()
        self._grid_jobs.start()
        self.people.start()
        self.gallery.start()
        self.folders.start()

    def close(self) -> None:
        self.folders.close()
        self.gallery.close()
        self.people.close()
        self.inside.close()
        self._worker.close()
        self.book.close()

    def engine_state(self) -> tuple[str, str]:
        """("starting" | "ready" | "troubled" | "failed", a sentence). "troubled": jobs wait, or pictures wait for room; it passes."""
        return self._worker.state

    def submit(self, request: Request, user: str, owner: bool = False, lane: str = "next", once: str = "", origin: str = "") -> str:
        """Queues the request and returns the job's id. Raises `UserError` when it cannot be drawn.

        What is kept is the request with everything it names looked up: see `resolve`. `owner`: of who sits at the machine. `lane`: "now",
        "next" or "idle". `once`: what the page calls this order; another one of that name is taken for the same.
        `origin`: the id of the picture whose settings it was begun with.
        """
        admitted, allowance = self.admission.admitted(request, user, owner)
        job_id = self._worker.submit(admitted, user, owner, lane, once, allowance, Carried(origin=origin))
        self.strengths.remember(user, admitted)
        if owner:
            self.book.news = ""
        return job_id

    def stop(self, job_id: str, user: str) -> None:
        self.job(job_id, user)
        self._worker.stop(job_id)

    def skip(self, job_id: str, user: str) -> None:
        self.job(job_id, user)
        self._worker.skip(job_id)

    def current(self, user: str, kind: str = "") -> str | None:
        return self.book.current(user, kind)

    def recent(self, user: str, limit: int = 60, owner: bool = False) -> list[PictureRecord]:
        return self.book.recent(user, limit, owner)

    def news(self, owner: bool) -> str:
        """What whoever sits at the machine should know of how the job book was found, until they draw again."""
        return self.book.news if owner else ""

    def fork(self, picture_id: str, person: Person) -> PictureRecord | None:
        """Another person's picture whose settings this one may use: it is on a shared board, and its maker tells them."""
        record = self.book.picture(picture_id)
        shown = record is not None and record.user not in person.users and self.gallery.shares(picture_id, person)
        return record if shown and self.gallery.tells(picture_id, person) else None

    def branched(
        self, picture_id: str, person: Person, step: int, leg: int = 0, request: Drawing | None = None, shown: bool = False
    ) -> Drawing:
        """What goes on from that step, counted from 1, of a picture that this person sees and may know the making of.

        `request`: what is asked for from there on; without it, all stays as it was. `shown`: what was predicted then becomes a picture.
        Raises `UserError` where there is nothing to go on from.
        """
        record = self.book.picture(picture_id)
        if record is None or not (self.gallery.shows(picture_id, person) and self.gallery.tells(picture_id, person)):
            raise UserError("There is no such picture among yours.")
        self.own_picture(picture_id, person.user, person.owner)  # takes up the inputs of what is nobody's
        if record.note or not isinstance(record.request, Drawing):
            raise UserError(record.note or NO_STEPS)
        made_with = inspect(record.path).made_with
        asked = loosened(request or self._as_it_was(record.request, made_with))
        use = Branch(of=record.request, step=step, leg=leg, shown=shown, made_with=json.dumps(told_of(made_with)))
        branch = replace(asked, branch=(use,), **as_in(asked, record.request))
        check_branch(branch, steps_of(branch).run)
        return branch

    def varied(self, picture_id: str, person: Person) -> Drawing:
        """What a picture that this person sees, and may know the making of, was made by, in terms of this library. Raises `UserError`."""
        record = self.book.picture(picture_id)
        if record is None or not (self.gallery.shows(picture_id, person) and self.gallery.tells(picture_id, person)):
            raise UserError("There is no such picture among yours.")
        self.own_picture(picture_id, person.user, person.owner)
        if record.note or not isinstance(record.request, Drawing):
            raise UserError(record.note or "This picture was not drawn by a model, so there is nothing to vary in it.")
        return self._as_it_was(record.request, inspect(record.path).made_with)

    def _as_it_was(self, request: Drawing, made_with: Mapping[str, str]) -> Drawing:
        found = rebind(request, made_with, self._catalog).request
        assert isinstance(found, Drawing)
        return found

    def origin(self, picture_id: str, person: Person) -> str:
        """The id, where a job of this person's may say that it was begun with that picture's settings; else ""."""
        record = self.book.picture(picture_id) if picture_id else None
        may = record is not None and (record.user in person.users or self.fork(picture_id, person) is not None)
        return picture_id if may else ""

    def picture(self, picture_id: str) -> PictureRecord | None:
        return self.book.picture(picture_id)

    def settings(self, source: Path | bytes, user: str) -> Rebound:
        """What made a picture, in terms of this library and this person's input pictures, with a sentence for each thing that is not here.

        Raises `UserError` when the picture carries no settings.
        """
        return self.readings.settings(source, user)

    def ledger(self) -> tuple[LedgerLine, ...]:
        """What is in memory, device by device, the least recently used first; nothing before the worker has started."""
        return tuple(line for device in self.devices.all() for line in device.lines)

    def unload(self, line_id: str) -> None:
        """Lets go of what a line of the ledger names, as soon as no job runs there."""
        self.devices.unload(line_id)

    def control_preview(
        self, use: ControlUse, size: tuple[int, int], user: str, image: str = "", mask: str = "", gone: Callable[[], bool] = never
    ) -> Taken:
        """What a unit's model will see at this drawing size (width, height), stored as a picture of this person.

        `image`, `mask`: those that the tab begins with, for a unit that has none of its own. Waits while a job runs when the
        preprocessor needs a network, as long as `gone` does not say that nobody waits for it. Raises `UserError` when it cannot be made.
        """
        return self.control.preview(use, size, user, image, mask, gone)

    def job(self, job_id: str, user: str) -> Job:
        """Raises `UserError` when it is not among this user's jobs."""
        return self._news.job(job_id, user)

    async def watch(self, job_id: str, user: str, after: int, timeout: float = 20) -> JobNews:
        """Waits until the job has news after version `after`, at most `timeout` seconds, and returns its progress."""
        return await self._news.watch(job_id, user, after, timeout)
