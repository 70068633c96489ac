"""A job among 1,000 waiting jobs and 10,000 kept pictures against the same job in an empty studio."""

from __future__ import annotations

import json
import tempfile
import time
from pathlib import Path

import torch

from bench.engine import HERE, USER, starter_request
from bench.paired import Row, Timed, compare, take_turns
from models.library.catalog import Catalog
from pipelines.images.store import Inputs
from pipelines.job_book.book import JobBook
from pipelines.jobs.outputs import Outputs
from pipelines.jobs.worker import Worker
from pipelines.requests.request import TextToImage, describe
from pipelines.runtime.runner import ModelRunner, open_runner

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
    return compare(times, "a job in an empty studio", {"a job among 1,000 waiting and 10,000 kept": 1.03})


def book(folder: Path) -> JobBook:
    return JobBook(folder / "studio.db", folder)


def one_job(engine: Worker, runner: ModelRunner, request: TextToImage) -> float:
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
        db.executemany("insert into job (id, user, request, created, state, turn) values (?, ?, ?, ?, 'done', 0)", drawn)
        db.executemany("insert into seat values (?, ?)", seats)
        db.executemany(f"insert into picture ({columns}) values (?, ?, ?, ?, ?, ?, ?, ?, ?)", kept)
