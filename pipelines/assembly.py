"""Assembly: the services of a studio, made and joined, and what they ask of each other. Importing it loads no weights and no torch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from models.downloads.hub import HUB
from models.errors import UserError
from models.library.catalog import Catalog, Checkpoint
from models.memory.forecast import Forecast
from pipelines.completion.tag_lists import TagFolders
from pipelines.details.detectors import Detectors
from pipelines.gallery.gallery import Gallery
from pipelines.gallery.person import Person
from pipelines.images.store import INPUTS, Inputs
from pipelines.job_book.book import NOBODY, JobBook, PictureRecord
from pipelines.job_book.following import Carried
from pipelines.job_book.room import Allowance
from pipelines.jobs.outputs import Outputs, inspect
from pipelines.jobs.runner import Runner
from pipelines.jobs.worker import Openers, Worker, alone
from pipelines.metadata.two_passes import first_pass
from pipelines.people.passwords import Passwords
from pipelines.people.people import People
from pipelines.preprocessors.annotators import Annotators
from pipelines.requests.made_for import draws
from pipelines.requests.request import Clip, Drawing, Enlarge, Request, SecondPass, TextToImage, Turn, input_ids
from pipelines.requests.second_pass import FirstPass
from pipelines.resolving.forecast import forecast_of, forecast_of_clip, forecast_of_tiles, forecast_of_turn
from pipelines.services.admission import Admission
from pipelines.services.checks import Checks
from pipelines.services.clip_frames import ClipFrames
from pipelines.services.clip_plan import ClipPlans
from pipelines.services.completion import Completion
from pipelines.services.control_preview import ControlPreviews
from pipelines.services.cost import Costs
from pipelines.services.depth_preview import DepthPreviews
from pipelines.services.detail_finder import DetailFinder
from pipelines.services.details import Details
from pipelines.services.devices import Devices
from pipelines.services.examples import Examples
from pipelines.services.finish_files import FinishFiles
from pipelines.services.finish_jobs import JobFollowers
from pipelines.services.finishes import Bench, Finishes
from pipelines.services.folders import Folders
from pipelines.services.grid_jobs import GridJobs
from pipelines.services.grid_names import GridNames
from pipelines.services.grid_plans import GridPlans
from pipelines.services.grids import Grids
from pipelines.services.guests import DiskQuota
from pipelines.services.inside import Insides
from pipelines.services.job_news import NewsDesk
from pipelines.services.library import Library
from pipelines.services.lineage import Lineages
from pipelines.services.live_heat import LiveHeats
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
from pipelines.services.strips import Strips
from pipelines.services.together import Together
from pipelines.services.token_view import TokenViews
from pipelines.services.uploads import Uploads
from pipelines.steps.store import KeptSteps
from pipelines.wildcards.folders import WildcardFolders


class Services:
    """All services about one book, one worker and one catalogue. `Studio` has what a page does with them."""

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
        further: Callable[[], Openers] = alone,
        passwords: Passwords | None = None,
    ) -> None:
        """`weights`: the folder that downloaded and converted models go to. `inputs`: shared with the runner; else beside the outputs.

        `annotators`: the weights of preprocessors, shared with the runner; without it, there are none. `hub`: where downloads come from.
        `guest_disk`: bytes that each guest's pictures and inputs may take; 0 for no limit. `wildcards`, `tags`, `steps` (those
        that are kept, shared with the runner): without it, there are none. `further`: what opens further devices, see `Worker`.
        `passwords`: how they are hashed, if not as usual.
        """
        self._catalog, self.book, self.wildcards = catalog, book, wildcards or WildcardFolders([])
        self.library = Library(catalog, weights, hub)
        self.steps = steps or KeptSteps(outputs.folder, 0)
        kept, annotators = inputs or Inputs(outputs.folder / INPUTS), annotators or Annotators([], outputs.folder / ".none")
        self.clips = outputs.clips
        self._join_people(kept, guest_disk, passwords)
        self._join_worker(outputs, open_runner, further)
        self._join_previews(annotators)
        self._join_writing(outputs, tags or TagFolders([]))
        self._join_gallery(kept)
        self._join_checks(kept, annotators)
        self._join_inside(kept)
        self.folders = Folders(book, outputs, self._checkpoint_of)
        self.finishes = Finishes(FinishFiles(outputs.folder), self._bench())
        self._join_grids()

    def _join_people(self, kept: Inputs, guest_disk: int, passwords: Passwords | None) -> None:
        """Who comes in, what of the disk is theirs, and what they bring."""
        self.people = People(self.book.file, passwords=passwords)
        self.disk = DiskQuota(self.book, kept, guest_disk)
        self.disk.bounded_by(lambda user: self.people.quota(user).disk)
        self.uploads = Uploads(kept, self.book, self.disk)

    def _join_worker(self, outputs: Outputs, open_runner: Callable[[], Runner], further: Callable[[], Openers]) -> None:
        """What lets a request in, draws it, tells of it, and has the queue."""
        self.admission = admission = Admission(
            self._catalog, self.uploads, self.wildcards, self.people, self.disk, lambda request: self.control.check(request)
        )
        followers = JobFollowers(
            self.book, self.uploads, lambda: self.finder, lambda: self.gallery, admission.step, admission.resolved, self.disk.free,
            lambda record, runner: self.safety.entered(record, runner), lambda job: self._grid_jobs.moved(job),
        )  # fmt: skip
        heats = LiveHeats()
        heats.is_veiled = lambda user: bool(self.people.checker_of(user))
        self._worker = Worker(self.book, outputs, open_runner, followers, self.steps, heats.onlooker, further)
        self._news = NewsDesk(self.book, self._worker, self._catalog)
        self.devices = Devices(self._worker, self._news.name_of)
        self.queue = Queue(self.book, self._worker, self._news, admission.admitted, admission.allowance, admission.step, heats=heats)
        self.people.on_dropped, self.people.on_held = self.queue.drop, self.queue.held

    def _join_previews(self, annotators: Annotators) -> None:
        """What may be seen before a drawing: maps, depths, details."""
        self.annotator_files = AnnotatorFiles(annotators, self.library.queue)
        self.control = ControlPreviews(self.uploads, self._worker, annotators)
        self.depth = DepthPreviews(self.uploads, self.control)
        self.finder = DetailFinder(self.uploads, self._worker, Detectors(annotators.folders))

    def _join_writing(self, outputs: Outputs, tags: TagFolders) -> None:
        """What helps to fill a form."""
        catalog = self._catalog
        self.prompts = PromptReader(catalog, self.wildcards)
        self.tokens = TokenViews(self.prompts, catalog)
        self.history, self.strengths = PromptHistory(self.book), Strengths(outputs.folder)
        self.cards = ModelCards(catalog, outputs.folder / ".library")
        self.completion = Completion(catalog, self.wildcards, tags, self.history, self.strengths, self.cards)
        self.examples = Examples(catalog)
        self.presets = Presets(PresetFiles(outputs.folder, self.disk.check), catalog)
        self.disk.counts_too(self.presets.files.bytes_of)
        self.costs = Costs(self.book.queue, self.forecast)
        self.clip_plans = ClipPlans(catalog, self.book.queue, self.forecast)

    def _join_gallery(self, kept: Inputs) -> None:
        """What is done with finished pictures, alone and together."""
        self.details = Details(self.book, self._catalog)
        self.gallery = Gallery(self.book, self.disk.gave_back)
        self.lineage = Lineages(self.book, self.gallery.lineage, self.details, kept)
        self.people.on_linked = self.gallery.boards.linked
        self.gallery.on_removed = self.steps.remove
        self.together = Together(self.book, self._worker, self.queue, self.gallery.boards, self.people)

    def _join_checks(self, kept: Inputs, annotators: Annotators) -> None:
        """What pictures and texts say of themselves, and which pictures are not shown."""
        self.readings = Readings(self._catalog, self.uploads, annotators, self._runtime)
        self.checks = Checks(self.gallery.leaving.signing.anchors)
        self.safety = Safety(self.book, self.people, annotators, kept, lambda: self._worker)
        self.uploads.adopted, self.uploads.signs = self.safety.adopted, self.gallery.leaving.sign
        self._news.frames = self.safety.frames

    def _join_inside(self, kept: Inputs) -> None:
        """What looks into a drawing, and at its steps."""
        self.inside = Insides(self._worker, self._catalog, kept, self.tokens, self.admission.resolved)
        self.strips = Strips(self.steps, self._catalog, self.book.queue)
        self.clip_frames = ClipFrames(self._worker, self._catalog, self.admission.resolved)

    def _join_grids(self) -> None:
        """Grids, and the jobs of their cells."""
        admission = self.admission

        def names(user: str) -> GridNames:
            return GridNames(self._catalog, self.presets, user)

        self._grid_jobs = GridJobs(self.book, admission.admitted, admission.allowance, names, self.disk.free, self._worker.changed)
        self.grids = Grids(
            self.book, self._worker, self._news, self._grid_jobs, names, admission.admitted, admission.allowance,
            GridPlans(self.book.queue, names, self.forecast, lambda: self.steps.budget > 0),
        )  # fmt: skip
        self.people.on_dropped = self.grids.dropped(self.queue.drop)

    def checkpoints(self, kind: str = "") -> list[Checkpoint]:
        """Those that can draw requests of a kind; all of them without one."""
        return [entry for entry in self._catalog.checkpoints() if not kind or draws(entry, kind)]

    def own_picture(self, picture_id: str, user: str, owner: bool = False) -> PictureRecord | None:
        """A picture of this person, whose inputs are this person's too. The owner takes up those of nobody.

        Raises `UserError` for one that was brought in and whose file has gone or changed since.
        """
        record = self.book.picture(picture_id)
        if record and owner and record.user == NOBODY:
            self.folders.check(record)
            for input_id in input_ids(record.request):
                self.book.inputs.give(input_id, user)
            return record
        return record if record and record.user == user else None

    def forecast(self, request: Request) -> Forecast | None:
        """What the request will take of the memory, and what would fit if not; None before the worker has started, and where no model is.

        Raises `UserError` when the request names something that is not there.
        """
        runner = self._worker.runner
        if runner and isinstance(request, Enlarge) and request.upscaler:
            return forecast_of_tiles(request, self._catalog, runner.machine, runner.ledger)
        if runner and isinstance(request, Clip):
            return forecast_of_clip(request, self._catalog, runner.machine, runner.ledger)
        if runner and isinstance(request, Turn) and request.checkpoint:
            return forecast_of_turn(request, self._catalog, runner.machine, runner.ledger)
        if runner is None or not isinstance(request, Drawing):
            return None
        return forecast_of(request, self._catalog, runner.machine, runner.ledger, self.safety.weight)

    def first_pass(self, record: PictureRecord, image: str) -> tuple[FirstPass, ...]:
        """What a second pass of a finished picture can tell of it. `image`: the picture's id as an input."""
        if not isinstance(record.request, TextToImage):
            return ()
        try:
            made_with = inspect(record.path).made_with
        except UserError:
            made_with = {}
        return (first_pass(record.request, image, made_with),)

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
            admit=self.admission.step,
            allow=self.admission.allowance,
            check=self.admission.resolved,
            submit=submit,
            name=self._called,
        )

    def _called(self, model_id: str) -> str:
        try:
            return self.library.model(model_id).name
        except UserError:
            return "a model that is not here any more"

    def _checkpoint_of(self, name: str) -> str:
        return next((entry.id for entry in self._catalog.named("checkpoint", name)), name)

    def _runtime(self) -> Mapping[str, str]:
        return self._worker.runner.runtime if self._worker.runner else {}
