"""The studio: all that the page and other programs see of the work. Importing it loads no weights and no torch."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from models.downloads.hub import HUB
from models.errors import UserError
from models.library.catalog import Catalog, Checkpoint
from models.memory.forecast import Forecast
from models.memory.manager import LedgerLine
from pipelines.completion.tag_lists import TagFolders
from pipelines.details.detectors import Detectors
from pipelines.gallery.gallery import Gallery
from pipelines.gallery.person import Person
from pipelines.images.store import INPUTS, Inputs
from pipelines.job_book.book import NOBODY, Job, JobBook, PictureRecord
from pipelines.job_book.following import Carried
from pipelines.job_book.room import EVERY, JOBS_A_USER, Allowance
from pipelines.jobs.errands import never
from pipelines.jobs.outputs import Outputs, inspect
from pipelines.jobs.runner import Runner
from pipelines.jobs.worker import Worker
from pipelines.metadata.two_passes import first_pass, sized, with_own_first
from pipelines.people.people import People
from pipelines.preprocessors.annotators import Annotators
from pipelines.requests.as_made import loosened
from pipelines.requests.branch import Branch, as_in, check_branch
from pipelines.requests.control_unit import ControlUse
from pipelines.requests.drawn_small import DrawnSmall
from pipelines.requests.made_for import draws
from pipelines.requests.request import (
    Drawing,
    Enlarge,
    Outpaint,
    Request,
    SecondPass,
    TextToImage,
    Upscale,
    begins_with,
    input_ids,
    listed_in,
)
from pipelines.requests.second_pass import FirstPass
from pipelines.requests.steps import steps_of
from pipelines.resolving.forecast import forecast_of, forecast_of_tiles
from pipelines.resolving.rebind import Rebound, rebind
from pipelines.resolving.resolve import resolve
from pipelines.resolving.wording import with_words
from pipelines.services.answers import JobNews
from pipelines.services.checks import Checks
from pipelines.services.completion import Completion
from pipelines.services.control_preview import ControlPreviews
from pipelines.services.cost import Costs
from pipelines.services.depth_preview import DepthPreviews
from pipelines.services.detail_finder import DetailFinder
from pipelines.services.details import Details
from pipelines.services.examples import Examples
from pipelines.services.finish_files import FinishFiles
from pipelines.services.finish_jobs import JobFollowers, admitted_unfound
from pipelines.services.finishes import Bench, Finishes
from pipelines.services.folders import Folders
from pipelines.services.guests import DiskQuota, check_work, pixels_of
from pipelines.services.inside import Insides
from pipelines.services.job_news import NewsDesk, summary
from pipelines.services.library import Library
from pipelines.services.lineage import Lineages
from pipelines.services.model_cards import ModelCards
from pipelines.services.preprocessor_weights import AnnotatorFiles
from pipelines.services.preset_files import PresetFiles
from pipelines.services.presets import Presets
from pipelines.services.prompt_history import PromptHistory
from pipelines.services.prompt_notes import PromptReader
from pipelines.services.queue import Queue
from pipelines.services.readings import Readings
from pipelines.services.safety import Safety
from pipelines.services.strengths import Strengths
from pipelines.services.strips import NO_STEPS, Strips
from pipelines.services.together import Together
from pipelines.services.token_view import TokenViews
from pipelines.services.uploads import Taken, Uploads
from pipelines.steps.content import told_of
from pipelines.steps.store import KeptSteps
from pipelines.wildcards.folders import WildcardFolders

__all__ = ["Checkpoint", "Studio", "summary"]


class Studio:
    """One book, one worker, one catalogue. Safe to call from any thread."""

    def __init__(
        self,
        catalog: Catalog,
        outputs: Outputs,
        book: JobBook,
        open_runner: Callable[[], Runner],
        weights: Path | None = None,
        inputs: Inputs | None = None,
        annotators: Annotators | None = None,
        hub: str = HUB,
        guest_disk: int = 0,
        wildcards: WildcardFolders | None = None,
        tags: TagFolders | None = None,
        steps: KeptSteps | None = None,
    ) -> None:
        """`weights`: the folder that downloaded and converted models go to. `inputs`: shared with the runner; else beside the outputs.

        `annotators`: the weights of preprocessors, shared with the runner; without it, there are none. `hub`: where downloads come from.
        `guest_disk`: bytes that each guest's pictures and inputs may take; 0 for no limit. `wildcards`, `tags`, `steps` (those
        that are kept, shared with the runner): without it, there are none.
        """
        self._catalog = catalog
        kept = inputs or Inputs(outputs.folder / INPUTS)
        self.people = People(book.file)
        self.disk = DiskQuota(book, kept, guest_disk)
        self.disk.bounded_by(lambda user: self.people.quota(user).disk)
        self.uploads = Uploads(kept, book, self.disk)
        self.library = Library(catalog, weights, hub)
        self.book = book
        followers = JobFollowers(
            book, self.uploads, lambda: self.finder, lambda: self.gallery, self._admitted_step, self._resolved, self.disk.free,
            lambda record: self.safety.entered(record),
        )  # fmt: skip
        self.steps = steps or KeptSteps(outputs.folder, 0)
        self._worker = Worker(book, outputs, open_runner, followers, self.steps)
        annotators = annotators or Annotators([], outputs.folder / ".none")
        self._news = NewsDesk(book, self._worker, catalog)
        self.queue = Queue(book, self._worker, self._news, self._admitted, self._allowance, self._admitted_step)
        self.people.on_dropped, self.people.on_held = self.queue.drop, self.queue.held
        self.annotator_files = AnnotatorFiles(annotators, self.library.queue)
        self.control = ControlPreviews(self.uploads, self._worker, annotators)
        self.depth = DepthPreviews(self.uploads, self.control)
        self.finder = DetailFinder(self.uploads, self._worker, Detectors(annotators.folders))
        self.wildcards = wildcards or WildcardFolders([])
        self.prompts = PromptReader(catalog, self.wildcards)
        self.tokens = TokenViews(self.prompts, catalog)
        self.history, self.strengths = PromptHistory(book), Strengths(outputs.folder)
        self.cards = ModelCards(catalog, outputs.folder / ".library")
        self.completion = Completion(catalog, self.wildcards, tags or TagFolders([]), self.history, self.strengths, self.cards)
        self.examples = Examples(catalog)
        self.details = Details(book, catalog)
        self.gallery = Gallery(book, self.disk.gave_back)
        self.lineage = Lineages(book, self.gallery.lineage, self.details, kept)
        self.people.on_linked = self.gallery.boards.linked
        self.gallery.on_removed = self.steps.remove
        self.together = Together(book, self._worker, self.queue, self.gallery.boards, self.people)
        self.readings = Readings(catalog, self.uploads, annotators, self._runtime)
        self.checks = Checks(self.gallery.leaving.signing.anchors)
        self.safety = Safety(book, self.people, annotators, kept, lambda: self._worker)
        self.uploads.adopted, self.uploads.signs = self.safety.adopted, self.gallery.leaving.sign
        self._news.frames = self.safety.frames
        self.inside = Insides(self._worker, catalog, kept, self.tokens, self._resolved)
        self.strips = Strips(self.steps, catalog, book.queue)
        self.costs = Costs(book.queue, self.forecast)
        self.folders = Folders(book, outputs, self._checkpoint_of)
        self.finishes = Finishes(FinishFiles(outputs.folder), self._bench())
        self.presets = Presets(PresetFiles(outputs.folder, self.disk.check), catalog)
        self.disk.counts_too(self.presets.files.bytes_of)

    def start(self) -> None:
        """Starts the worker; it warms up behind the page."""
        self._worker.start()
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

    def checkpoints(self, kind: str = "") -> list[Checkpoint]:
        """Those that can draw requests of a kind; all of them without one."""
        return [entry for entry in self._catalog.checkpoints() if not kind or draws(entry, kind)]

    def submit(self, request: Request, user: str, owner: bool = False, lane: str = "next", once: str = "", origin: str = "") -> str:
        """Queues the request and returns the job's id. Raises `UserError` when it cannot be drawn.

        What is kept is the request with everything it names looked up: see `resolve`. `owner`: of who sits at the machine. `lane`: "now",
        "next" or "idle". `once`: what the page calls this order; another one of that name is taken for the same.
        `origin`: the id of the picture whose settings it was begun with.
        """
        admitted, allowance = self._admitted(request, user, owner)
        job_id = self._worker.submit(admitted, user, owner, lane, once, allowance, Carried(origin=origin))
        self.strengths.remember(user, admitted)
        if owner:
            self.book.news = ""
        return job_id

    def _allowance(self, user: str, owner: bool, pixels: float = 0.0) -> Allowance:
        """What a person may ask for. `pixels`: of what is asked for now. Raises `UserError` for a guest who may not draw."""
        if owner:
            return EVERY
        quota = self.people.allowance(user)
        return Allowance(quota.jobs or JOBS_A_USER, quota.megapixels, pixels / 1e6)

    def _admitted(self, request: Request, user: str, owner: bool) -> tuple[Request, Allowance]:
        """As it may be queued, with everything it names looked up, and what its person may ask for."""
        if isinstance(request, SecondPass):
            request = with_own_first(request)
        if isinstance(request, DrawnSmall):
            request = replace(request, as_drawn="")
        self.uploads.check(request, user)
        if isinstance(request, SecondPass | Upscale):
            request = sized(request, self.uploads.size(request.image))
        request = with_words(request, self.wildcards.shelf(fresh=True))
        begins = [use.id for use in listed_in(request)] or [begins_with(request)]
        sizes = [self.uploads.size(each) for each in begins] if isinstance(request, Outpaint | Enlarge) else []
        pixels = sum(pixels_of(request, size) for size in sizes) if sizes else pixels_of(request)
        allowance = self._allowance(user, owner, pixels)
        if not owner:
            check_work(request, *sizes)
            self.disk.check_job(user, request)
        resolved = resolve(request, self._catalog)
        self.control.check(resolved)
        return resolved, allowance

    def _resolved(self, request: Request) -> Request:
        return resolve(request, self._catalog)

    def _admitted_step(self, request: Request, user: str, owner: bool) -> tuple[Request, Allowance]:
        """The same of a step of a finish, whose details may be looked for only when its turn has come."""
        return admitted_unfound(request, self.uploads.size, lambda asked: self._admitted(asked, user, owner))

    def _called(self, model_id: str) -> str:
        try:
            return self.library.model(model_id).name
        except UserError:
            return "a model that is not here any more"

    def _bench(self) -> Bench:
        """What finishes need of the studio."""

        def submit(request: Request, person: Person, once: str, allowance: Allowance, carried: Carried) -> str:
            return self._worker.submit(request, person.user, person.owner, "next", once, allowance, carried)

        def first(request: Request, record: PictureRecord) -> Request:
            if not isinstance(request, SecondPass):
                return request
            return replace(request, first=self.first_pass(record, request.image))

        return Bench(
            book=self.book,
            checkpoints=self.checkpoints,
            find=lambda picture_id, person: self.own_picture(picture_id, person.user, person.owner),
            adopt=lambda record, user, transparent: self.uploads.adopt(record, user, transparent).id,
            first=first,
            admit=self._admitted_step,
            allow=self._allowance,
            check=self._resolved,
            submit=submit,
            name=self._called,
        )

    def first_pass(self, record: PictureRecord, image: str) -> tuple[FirstPass, ...]:
        """What a second pass of a finished picture can tell of it. `image`: the picture's id as an input."""
        if not isinstance(record.request, TextToImage):
            return ()
        try:
            made_with = inspect(record.path).made_with
        except UserError:
            made_with = {}
        return (first_pass(record.request, image, made_with),)

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

    def own_picture(self, picture_id: str, user: str, owner: bool = False) -> PictureRecord | None:
        """A picture of this person, whose inputs are this person's too. The owner takes up those of nobody.

        Raises `UserError` for one that was brought in and whose file has gone or changed since.
        """
        record = self.book.picture(picture_id)
        if record and owner and record.user == NOBODY:
            self.folders.check(record)
            for input_id in input_ids(record.request):
                self.book.own_input(input_id, user)
            return record
        return record if record and record.user == user else None

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

    def _checkpoint_of(self, name: str) -> str:
        return next((entry.id for entry in self._catalog.named("checkpoint", name)), name)

    def _runtime(self) -> Mapping[str, str]:
        return self._worker.runner.runtime if self._worker.runner else {}

    def ledger(self) -> tuple[LedgerLine, ...]:
        """What is in memory, the least recently used first; nothing before the worker has started."""
        runner = self._worker.runner
        return tuple(replace(line, name=self._news.name_of(line.key)) for line in runner.ledger) if runner else ()

    def unload(self, line_id: str) -> None:
        """Lets go of what a line of the ledger names, as soon as no job runs."""
        self._worker.between_jobs(f"unload {line_id}", lambda runner: runner.unload(line_id))

    def forecast(self, request: Request) -> Forecast | None:
        """What the request will take of the memory, and what would fit if not; None before the worker has started, and where no model is.

        Raises `UserError` when the request names something that is not there.
        """
        runner = self._worker.runner
        if runner and isinstance(request, Enlarge) and request.upscaler:
            return forecast_of_tiles(request, self._catalog, runner.machine, runner.ledger)
        if runner is None or not isinstance(request, Drawing):
            return None
        return forecast_of(request, self._catalog, runner.machine, runner.ledger, self.safety.weight)

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
