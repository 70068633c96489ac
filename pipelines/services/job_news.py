"""News of jobs: how far each has come, for whoever watches it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from models.errors import UserError
from models.library.catalog import Catalog
from models.memory.manager import Key
from pipelines.job_book.book import ENDED, RUNNING, WAITING, Job, JobBook, PictureRecord
from pipelines.job_book.errors import NotYours
from pipelines.job_book.order import EVERYBODY
from pipelines.jobs.progress import Bell, JobProgress
from pipelines.jobs.sending import is_sending
from pipelines.jobs.worker import Worker
from pipelines.requests.drawn_small import DrawnSmall
from pipelines.requests.request import Drawing, Wordless, begins_with
from pipelines.requests.wordless import plays
from pipelines.services.answers import JobNews, PictureSummary

READ = {  # kinds of what the runner reads, as people call them
    "vae": "VAE", "control": "ControlNet", "ip-adapter": "IP-Adapter", "vision": "vision encoder", "annotator": "preprocessor",
    "lora": "LoRA",
}  # fmt: skip
ENDED_VERSION = 2**53 - 1  # newer than any number a running job shows; the largest integer JavaScript keeps exactly
PAUSED = "Your jobs are paused. Let them go on in the queue."
HELD = "The owner of this studio holds your jobs. They keep their place."
RESTING = "The owner of this studio has paused what draws here. Your job keeps its place."
ALL_PAUSED = "The owner of this studio has paused it. Your job keeps its place."


class NewsDesk:
    """Safe to call from any thread."""

    def __init__(self, book: JobBook, worker: Worker, catalog: Catalog) -> None:
        self._book, self._worker, self._catalog = book, worker, catalog
        self.frames: Callable[[str, list[str]], list[str]] = lambda user, frames: frames  # previews as a person may see them

    def job(self, job_id: str, user: str) -> Job:
        """Raises `UserError` when it is not among this user's jobs."""
        job = self._book.job(job_id)
        if job is None or job.user != user:
            raise NotYours
        return self._worker.known(job)

    async def watch(self, job_id: str, user: str, after: int, timeout: float) -> JobNews:
        await newer(self._worker.bell, lambda: self._version(job_id, after) > after, timeout, user)
        return await asyncio.to_thread(self._progress, job_id, user, after)

    def of_live(self, live: JobProgress, after: int) -> JobNews:
        """With the previews that are newer than version `after`."""
        version = live.version
        news = _in_motion(self._standing(live.job, live.pictures, version), self._preparing(live), live, after)
        return {**news, "previews": self.frames(live.job.user, news["previews"]), "message": news["message"] or _sent(live.reading())}

    def name_of(self, key: Key) -> str:
        if key.kind in ("annotator", "vision"):
            return key.id
        try:
            return self._catalog.checkpoint(key.id).name if key.kind == "checkpoint" else self._catalog.model(key.id).name
        except UserError:
            return "a file that is not there any more"

    def _preparing(self, live: JobProgress) -> str:
        """What is being read from the disk for a job, as words; "" while nothing is."""
        key = live.reading()
        return f"the {READ.get(key.kind, key.kind)} “{self.name_of(key)}”" if key and not is_sending(key) else ""

    def _version(self, job_id: str, after: int = -1) -> int:
        live = self._worker.live(job_id)
        if live:
            return live.version
        if self._worker.queue_version <= after:
            return after  # nothing but steps of other jobs: not worth a look into the book
        job = self._book.job(job_id)
        return self._worker.queue_version if job and self._worker.known(job).state in (WAITING, RUNNING) else ENDED_VERSION

    def _progress(self, job_id: str, user: str, after: int) -> JobNews:
        version = self._version(job_id)  # read first: what changes meanwhile is then told again, never missed
        live = self._worker.live(job_id)
        if live and live.job.user == user:
            return {**self.of_live(live, after), "version": version}
        job = self.job(job_id, user)
        return self._standing(job, self._book.pictures_of(job_id), ENDED_VERSION if job.state in ENDED else version)

    def _standing(self, job: Job, pictures: Sequence[PictureRecord], version: int) -> JobNews:
        """What is known of any job, also of one that waits or has ended."""
        waits, (frames, pace) = job.state == WAITING, plays(job.request)
        return {
            "job": job.id,
            "kind": job.request.kind,
            "begins_with": begins_with(job.request),
            "state": job.state,
            "version": version,
            "ahead": self._book.queue.ahead(job.id) if waits else 0,
            "step": 0,
            "steps": job.request.steps if isinstance(job.request, Drawing | Wordless) else 0,
            "before": "",
            "picture": len(pictures),
            "pictures_total": job.request.picture_count,
            "batch_size": job.request.pictures_a_batch,
            "preparing": "",
            "eta": None,
            "previews": [],
            "frames": frames,
            "pace": pace,
            "pictures": [summary(record) for record in pictures],
            "message": job.message or (self._paused(job) if waits else "") or self._hindered(job),
            "unsaved": self._worker.is_hindered(job.id),
        }

    def _paused(self, job: Job) -> str:
        pausing = self._book.queue.pausing()
        if EVERYBODY in pausing:
            return ALL_PAUSED
        if self._book.queue.is_held(job.id):
            return HELD
        return PAUSED if job.user in pausing else ""

    def _hindered(self, job: Job) -> str:
        state, sentence = self._worker.state
        if job.state not in ENDED and state != "ready":
            return sentence
        return RESTING if job.state == WAITING and self._worker.rests else ""


async def newer(bell: Bell, is_so: Callable[[], bool], timeout: float, name: str = "") -> None:
    """Waits until something is so that the bell rings for, at most `timeout` seconds. `name`: whom it concerns, "" for everything."""
    deadline = asyncio.get_running_loop().time() + timeout
    while True:
        ticket = bell.ticket(name)
        left = deadline - asyncio.get_running_loop().time()
        if is_so() or left <= 0:
            return
        try:
            await asyncio.wait_for(ticket.wait(), left)
        except TimeoutError:
            continue


def _sent(key: Key | None) -> str:
    """What goes to the device that draws, "" where nothing does. The number comes first: what is too long for its place ends early."""
    return f"{key.family}: models go to {key.id}" if key and is_sending(key) else ""


def _in_motion(standing: JobNews, preparing: str, live: JobProgress, after: int) -> JobNews:
    """With what only a running job has."""
    step = live.step
    prepared: JobNews = {**standing, "preparing": preparing}
    if step is None:
        return prepared
    before = step.batch * live.job.request.pictures_a_batch
    return {
        **prepared,
        "step": step.index,
        "steps": step.count,
        "before": step.before,
        "picture": before,
        "eta": live.eta(),
        "previews": live.frames(after),
    }


def summary(record: PictureRecord) -> PictureSummary:
    """What a page shows of a picture."""
    request = record.request
    frames, pace = plays(request)
    # A seed goes as text: JavaScript's numbers lose digits beyond 2^53.
    seed = str(record.seed) if isinstance(request, Drawing | Wordless) else ""
    return {
        "id": record.id,
        "width": record.width,
        "height": record.height,
        "seed": seed,
        "prompt": request.words,
        "kind": request.kind,
        "frames": frames,
        "pace": pace,
        "from": begins_with(request),
        "as_drawn": request.as_drawn if isinstance(request, DrawnSmall) else "",
        "note": record.note,
    }
