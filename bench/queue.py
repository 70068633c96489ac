"""A job among 1,000 waiting jobs and 10,000 kept pictures against the same job in an empty studio; the steps of a job whose queue ten
people watch against those of one that nobody watches; and how long somebody with one picture waits beside a job of 50 x 4.
"""

from __future__ import annotations

import asyncio
import json
import tempfile
import threading
import time
from pathlib import Path

import torch

from bench.engine import HERE, USER, job_seconds, starter_request, studio
from bench.paired import Row, Timed, compare, row, take_turns
from models.library.catalog import Catalog
from pipelines.images.store import Inputs
from pipelines.job_book.book import JobBook
from pipelines.jobs.outputs import Outputs
from pipelines.jobs.runner import Runner
from pipelines.jobs.worker import Worker
from pipelines.requests.request import TextToImage, describe
from pipelines.runtime.runner import open_runner
from pipelines.studio import Studio

WAITING = 1_000
KEPT = 10_000


def measure(rounds: int) -> list[Row]:
    catalog = Catalog(HERE / "models" / "starter")
    runner = open_runner(catalog, "cpu", Inputs(Path(tempfile.gettempdir()) / "atelier-inputs"))
    request = starter_request(catalog.checkpoints()[0])
    with tempfile.TemporaryDirectory() as name, torch.inference_mode():
        empty, full = (Worker(book(Path(name) / kind), Outputs(Path(name) / kind), lambda: runner) for kind in ("empty", "full"))
        fill(full.book, request)
        variants: dict[str, Timed] = {
            "a job in an empty studio": lambda: one_job(empty, runner, request),
            "a job among 1,000 waiting and 10,000 kept": lambda: one_job(full, runner, request),
        }
        times = take_turns(variants, rounds)
        empty.book.close()
        full.book.close()
    rows = compare(times, "a job in an empty studio", {"a job among 1,000 waiting and 10,000 kept": 1.03})
    return [*rows, *with_watchers(rounds), row("one picture beside 50 x 4: batches waited / two", waited(rounds), [2.0] * rounds, 1.0)]


def with_watchers(rounds: int) -> list[Row]:
    with studio() as (atelier, _), torch.inference_mode():
        request = starter_request(atelier.checkpoints()[0])
        variants: dict[str, Timed] = {
            "nobody watches the queue": lambda: job_seconds(atelier, request),
            "ten people watch the queue": lambda: seen(atelier, request, [f"guest {number}" for number in range(10)]),
            "its own person watches the queue": lambda: seen(atelier, request, [USER]),
        }
        times = take_turns(variants, rounds)
    return compare(times, "nobody watches the queue", {"ten people watch the queue": 1.03, "its own person watches the queue": None})


def seen(atelier: Studio, request: TextToImage, people: list[str]) -> float:
    """The job while people follow the queue, each as a page does."""
    stop = threading.Event()

    async def follow(user: str) -> None:
        after = -1
        while not stop.is_set():
            after = (await atelier.queue.watch(user, False, after, 0.2))["version"]

    async def all_of_them() -> None:
        await asyncio.gather(*(follow(user) for user in people))

    watching = threading.Thread(target=lambda: asyncio.run(all_of_them()))
    watching.start()
    seconds = job_seconds(atelier, request)
    stop.set()
    watching.join()
    return seconds


def waited(rounds: int) -> list[float]:
    """Batches that are drawn from when somebody comes, into the middle of a batch, until that person's own."""
    found: list[float] = []
    for number in range(rounds):
        with tempfile.TemporaryDirectory() as name:
            kept, many = book(Path(name)), TextToImage(batch_count=50, batch_size=4)
            kept.submit(many, "somebody", owner=bool(number % 2))
            job, before = kept.claim(), 0
            kept.submit(TextToImage(), "one picture")
            while job and job.user == "somebody":
                before += 1
                job.progress.batch += 1
                kept.queue.used(job.id, job.progress, 1.0)
                job = job if kept.queue.goes_on(job.id) else kept.claim()
            found.append(float(before))
            kept.close()
    return found


def book(folder: Path) -> JobBook:
    return JobBook(folder / "studio.db", folder)


def one_job(engine: Worker, runner: Runner, request: TextToImage) -> float:
    """From a submit until one job has ended, ours or one that waited: all are alike, and as many wait as before."""
    begin, waited = time.perf_counter(), engine.book.waiting()
    engine.submit(request, USER, owner=True)
    assert engine.run_next(runner)
    seconds = time.perf_counter() - begin
    assert engine.book.waiting() == waited
    return seconds


def fill(full: JobBook, request: TextToImage) -> None:
    """Jobs, pictures and the jobs that drew them, put into the book directly."""
    text, now = json.dumps(describe(request)), time.time()
    waiting = [(f"w{index}", f"user{index % 50}", text, now) for index in range(WAITING)]
    seats = [(f"user{index}", index) for index in range(50)]
    drawn = [(f"d{index}", USER, text, now) for index in range(KEPT)]
    kept = [(f"p{index}", "old", USER, f"day/{index}.png", 128, 128, index, now, text) for index in range(KEPT)]
    columns = "id, job, user, path, width, height, seed, created, request"
    with full._transaction() as db:
        db.executemany("insert into job (id, user, request, created) values (?, ?, ?, ?)", waiting)
        db.executemany("insert into job (id, user, request, created, state) values (?, ?, ?, ?, 'done')", drawn)
        db.executemany("insert into seat (user, place) values (?, ?)", seats)
        db.executemany(f"insert into picture ({columns}) values (?, ?, ?, ?, ?, ?, ?, ?, ?)", kept)
