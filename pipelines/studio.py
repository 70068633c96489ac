"""The studio: all that the page and other programs see of the work. Importing it loads no weights and no torch."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from models.downloads.hub import HUB
from models.errors import UserError
from models.library.catalog import Catalog, Checkpoint
from models.memory.forecast import Forecast
from models.memory.manager import Key, LedgerLine
from pipelines.images.store import Inputs
from pipelines.job_book.book import ENDED, NOBODY, RUNNING, WAITING, Job, JobBook, PictureRecord
from pipelines.jobs.errands import never
from pipelines.jobs.outputs import Outputs
from pipelines.jobs.progress import JobProgress
from pipelines.jobs.runner import Runner
from pipelines.jobs.worker import Worker
from pipelines.preprocessors.annotators import Annotators
from pipelines.requests.control_unit import ControlUse
from pipelines.requests.made_for import draws
from pipelines.requests.request import Drawing, Enlarge, Outpaint, Request, begins_with, input_ids
from pipelines.resolving.forecast import forecast_of
from pipelines.resolving.rebind import Rebound
from pipelines.resolving.resolve import resolve
from pipelines.services.answers import JobNews, PictureSummary
from pipelines.services.control_preview import ControlPreviews
from pipelines.services.depth_preview import DepthPreviews
from pipelines.services.details import Details
from pipelines.services.examples import Examples
from pipelines.services.folders import Folders
from pipelines.services.guests import DiskQuota, check_work
from pipelines.services.library import Library
from pipelines.services.preprocessor_weights import AnnotatorFiles
from pipelines.services.prompt_notes import PromptReader
from pipelines.services.readings import Readings
from pipelines.services.uploads import Taken, Uploads

READ = {  # kinds of what the runner reads, as people call them
    "vae": "VAE", "control": "ControlNet", "ip-adapter": "IP-Adapter", "vision": "vision encoder", "annotator": "preprocessor",
    "lora": "LoRA",
}  # fmt: skip
ENDED_VERSION = 2**53 - 1  # newer than any number a running job shows; the largest integer JavaScript keeps exactly


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
    ) -> None:
        """`weights`: the folder that downloaded and converted models go to. `inputs`: shared with the runner; else beside the outputs.

        `annotators`: the weights of preprocessors, shared with the runner; without it, there are none. `hub`: where downloads come from.
        `guest_disk`: bytes that each guest's pictures and inputs may take; 0 for no limit.
        """
        self._catalog = catalog
        kept = inputs or Inputs(outputs.folder / ".inputs")
        self.disk = DiskQuota(book, kept, guest_disk)
        self.uploads = Uploads(kept, book, self.disk)
        self.library = Library(catalog, weights, hub)
        self.book = book
        self._worker = Worker(book, outputs, open_runner)
        annotators = annotators or Annotators([], outputs.folder / ".none")
        self.annotator_files = AnnotatorFiles(annotators, self.library.queue)
        self.control = ControlPreviews(self.uploads, self._worker, annotators)
        self.depth = DepthPreviews(self.uploads, self.control)
        self.prompts = PromptReader(catalog)
        self.examples = Examples(catalog)
        self.details = Details(book, catalog)
        self.readings = Readings(catalog, self.uploads, annotators, self._runtime)
        self.folders = Folders(book, outputs, self._checkpoint_of)

    def start(self) -> None:
        """Starts the worker; it warms up behind the page."""
        self._worker.start()
        self.folders.start()

    def close(self) -> None:
        self.folders.close()
        self._worker.close()
        self.book.close()

    def engine_state(self) -> tuple[str, str]:
        """("starting" | "ready" | "troubled" | "failed", a sentence). "troubled": jobs wait, or pictures wait for room; it passes."""
        return self._worker.state

    def checkpoints(self, kind: str = "") -> list[Checkpoint]:
        """Those that can draw requests of a kind; all of them without one."""
        return [entry for entry in self._catalog.checkpoints() if not kind or draws(entry, kind)]

    def submit(self, request: Request, user: str, owner: bool = False) -> str:
        """Queues the request and returns the job's id. Raises `UserError` when it cannot be drawn.

        What is kept is the request with everything it names looked up: see `resolve`. `owner`: of who sits at the machine.
        """
        self.uploads.check(request, user)
        if not owner:
            check_work(request, self.uploads.size(request.image) if isinstance(request, Outpaint | Enlarge) else None)
            self.disk.check_job(user, request)
        resolved = resolve(request, self._catalog)
        self.control.check(resolved)
        job_id = self._worker.submit(resolved, user, owner)
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
        return tuple(replace(line, name=self._name_of(line.key)) for line in runner.ledger) if runner else ()

    def unload(self, line_id: str) -> None:
        """Lets go of what a line of the ledger names, as soon as no job runs."""
        self._worker.between_jobs(f"unload {line_id}", lambda runner: runner.unload(line_id))

    def forecast(self, request: Request) -> Forecast | None:
        """What the request will take of the memory, and what would fit if it does not. None before the worker has started, and for what
        needs no model.

        Raises `UserError` when the request names something that is not there.
        """
        runner = self._worker.runner
        if runner is None or not isinstance(request, Drawing):
            return None
        return forecast_of(request, self._catalog, runner.machine, runner.ledger)

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
        job = self.book.job(job_id)
        if job is None or job.user != user:
            raise UserError("This job is not among yours. Reload the page to see your own.")
        return self._worker.known(job)

    async def watch(self, job_id: str, user: str, after: int, timeout: float = 20) -> JobNews:
        """Waits until the job has news after version `after`, at most `timeout` seconds, and returns its progress."""
        deadline = asyncio.get_running_loop().time() + timeout
        while True:
            bell = self._worker.bell.ticket()
            left = deadline - asyncio.get_running_loop().time()
            if self._version(job_id, after) > after or left <= 0:
                return await asyncio.to_thread(self._progress, job_id, user, after)
            try:
                await asyncio.wait_for(bell.wait(), left)
            except TimeoutError:
                continue

    def _preparing(self) -> str:
        """What is being read from the disk, as words; "" while nothing is."""
        key = self._worker.runner.reading if self._worker.runner else None
        return f"the {READ.get(key.kind, key.kind)} “{self._name_of(key)}”" if key else ""

    def _name_of(self, key: Key) -> str:
        if key.kind in ("annotator", "vision"):
            return key.id
        try:
            return self._catalog.checkpoint(key.id).name if key.kind == "checkpoint" else self._catalog.model(key.id).name
        except UserError:
            return "a file that is not there any more"

    def _version(self, job_id: str, after: int = -1) -> int:
        live = self._worker.live(job_id)
        if live:
            return live.version
        if self._worker.queue_version <= after:
            return after  # nothing but steps of other jobs: not worth a look into the book
        job = self.book.job(job_id)
        return self._worker.queue_version if job and self._worker.known(job).state in (WAITING, RUNNING) else ENDED_VERSION

    def _progress(self, job_id: str, user: str, after: int) -> JobNews:
        version = self._version(job_id)  # read first: what changes meanwhile is then told again, never missed
        live = self._worker.live(job_id)
        if live and live.job.user == user:
            return _in_motion(self._standing(live.job, live.pictures, version), self._preparing(), live, after)
        job = self.job(job_id, user)
        return self._standing(job, self.book.pictures_of(job_id), ENDED_VERSION if job.state in ENDED else version)

    def _standing(self, job: Job, pictures: Sequence[PictureRecord], version: int) -> JobNews:
        """What is known of any job, also of one that waits or has ended."""
        waits = job.state == WAITING
        worker, sentence = self._worker.state
        hindered = sentence if job.state not in ENDED and worker != "ready" else ""
        return {
            "job": job.id,
            "kind": job.request.kind,
            "begins_with": begins_with(job.request),
            "state": job.state,
            "version": version,
            "ahead": self.book.ahead(job.id) if waits else 0,
            "step": 0,
            "steps": job.request.steps if isinstance(job.request, Drawing) else 0,
            "picture": len(pictures),
            "pictures_total": job.request.picture_count,
            "batch_size": job.request.pictures_a_batch,
            "preparing": "",
            "eta": None,
            "previews": [],
            "pictures": [summary(record) for record in pictures],
            "message": job.message or hindered,
            "unsaved": self._worker.saving.waits(job.id),
        }


def _in_motion(standing: JobNews, preparing: str, live: JobProgress, after: int) -> JobNews:
    """With what only a running job has."""
    step = live.step
    prepared: JobNews = {**standing, "preparing": preparing}
    if step is None:
        return prepared
    before = step.batch * live.job.request.pictures_a_batch
    return {**prepared, "step": step.index, "steps": step.count, "picture": before, "eta": live.eta(), "previews": live.frames(after)}


def summary(record: PictureRecord) -> PictureSummary:
    """What a page shows of a picture."""
    request = record.request
    # A seed goes as text: JavaScript's numbers lose digits beyond 2^53.
    seed = str(record.seed) if isinstance(request, Drawing) else ""
    return {
        "id": record.id,
        "width": record.width,
        "height": record.height,
        "seed": seed,
        "prompt": request.words,
        "kind": request.kind,
        "from": begins_with(request),
        "note": record.note,
    }
