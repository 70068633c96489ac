"""The starter's job of 20 steps on a device in a process of its own, told and answered in plain values, against one in this process."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import torch

from bench.engine import HERE, starter_request
from bench.paired import Row, Timed, compare, take_turns
from bench.queue import book, one_job
from models.library.catalog import Catalog
from pipelines.images.store import INPUTS, Inputs
from pipelines.jobs.far import open_apart
from pipelines.jobs.outputs import Outputs
from pipelines.jobs.spoken import VERSION, Setup
from pipelines.jobs.worker import Worker
from pipelines.runtime.runner import open_runner
from pipelines.steps.store import KeptSteps

BUDGET = 10**9  # bytes of steps that are kept, so that each step's state comes over


def measure(rounds: int) -> list[Row]:
    catalog, folder = Catalog(HERE / "models" / "starter"), HERE / "models" / "starter"
    request = starter_request(catalog.checkpoints()[0])
    with tempfile.TemporaryDirectory() as name, torch.inference_mode():
        outputs = Path(name)
        steps = KeptSteps(outputs, BUDGET)
        here = open_runner(catalog, "cpu", Inputs(outputs / INPUTS), steps=steps)
        setup = Setup(VERSION, "cpu", str(folder), [], name, BUDGET, 0, 0, 1, False)
        apart = open_apart(catalog, setup, sys.executable)
        workers = [Worker(book(outputs / kind), Outputs(outputs / kind), lambda: here, steps=steps) for kind in ("here", "apart")]
        variants: dict[str, Timed] = {
            "a job in this process": lambda: one_job(workers[0], here, request),
            "a job apart": lambda: one_job(workers[1], apart, request),
        }
        times = take_turns(variants, rounds)
        apart.close()
        for worker in workers:
            worker.close()
            worker.book.close()
    return compare(times, "a job in this process", {"a job apart": 1.05})
