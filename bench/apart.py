"""The starter's job of 20 steps on a device that is far, told and answered in plain values, against one in this process.

Far is in a process of its own, with the studio's folders and with others, and by Ray where that is installed (`packages/ray.lock`), in a
cluster of this one computer.
"""

from __future__ import annotations

import queue
import socket
import statistics
import sys
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import torch

from bench.engine import HERE, starter_request
from bench.paired import Row, Timed, compare, take_turns
from bench.queue import book, one_job
from models.library.catalog import Catalog
from pipelines.cluster.room import Room
from pipelines.cluster.secret import own_token
from pipelines.cluster.told import Entry
from pipelines.images.store import INPUTS, Inputs
from pipelines.jobs.far import FarRunner, open_apart
from pipelines.jobs.outputs import Outputs
from pipelines.jobs.runner import Runner
from pipelines.jobs.sending import Sending
from pipelines.jobs.spoken import VERSION, Setup
from pipelines.jobs.wanted import Here
from pipelines.jobs.worker import Worker
from pipelines.preprocessors.annotators import Annotators
from pipelines.requests.request import TextToImage
from pipelines.runtime.runner import ModelRunner, open_runner
from pipelines.steps.store import KeptSteps
from ui.door.own_addresses import own_addresses

BUDGET = 10**9  # bytes of steps that are kept, so that each step's state comes over
JOINS = 120.0  # seconds in which a cluster begins
SHARE, SECONDS = 1.05, 0.05  # that the way may cost


def measure(rounds: int) -> list[Row]:
    catalog, folder = Catalog(HERE / "models" / "starter"), HERE / "models" / "starter"
    request = starter_request(catalog.checkpoints()[0])
    with ExitStack() as after, torch.inference_mode():
        name = after.enter_context(tempfile.TemporaryDirectory())
        outputs = Path(name)
        steps = KeptSteps(outputs, BUDGET)
        here = open_runner(catalog, "cpu", Inputs(outputs / INPUTS), steps=steps)
        setup = Setup(VERSION, "cpu", str(folder), [], name, BUDGET, 0, 0, 1, False)
        runners: dict[str, Runner] = {"a job in this process": here, "a job apart": open_apart(catalog, setup, sys.executable)}
        runners["the same, with folders of its own"] = with_folders(catalog, setup, here)
        if find_spec("ray"):
            runners["a job by Ray"] = by_ray(catalog, setup, outputs, after)
        variants = {kind: timed(number, runner, request, outputs, after) for number, (kind, runner) in enumerate(runners.items())}
        times = take_turns(variants, rounds)
    base = "a job in this process"
    return compare(times, base, {name: SHARE + SECONDS / statistics.median(times[base]) for name in variants if name != base})


def timed(number: int, runner: Runner, request: TextToImage, outputs: Path, after: ExitStack) -> Timed:
    """A job on this device, in a book of its own."""
    after.callback(runner.close)
    own, steps = outputs / str(number), KeptSteps(outputs, BUDGET)
    worker = Worker(book(own), Outputs(own), lambda: runner, steps=steps)
    after.callback(worker.book.close)
    after.callback(worker.close)
    return lambda: one_job(worker, runner, request)


def with_folders(catalog: Catalog, setup: Setup, here: ModelRunner) -> FarRunner:
    """A device that shares no folder. The starter is not sent, so what is measured is being told and asked."""
    starter = HERE / "models" / "starter"
    own = replace(setup, outputs="", root=str(Path(setup.outputs) / "device"), room=BUDGET)
    folders = Here(starter, catalog, Annotators([], starter), here.inputs, here.steps)
    return open_apart(catalog, own, sys.executable, Sending(folders, here.files, BUDGET))


def by_ray(catalog: Catalog, setup: Setup, outputs: Path, after: ExitStack) -> FarRunner:
    """A device of a cluster that begins here, and ends with `after`."""
    token, come = str(own_token(outputs)), queue.SimpleQueue[Callable[[], FarRunner]]()

    def welcome(opened: Callable[[], FarRunner], _machine: str) -> Callable[[], None]:
        come.put(opened)
        return lambda: None

    with socket.socket() as found:
        found.bind(("", 0))
        address = f"{own_addresses()[0]}:{found.getsockname()[1]}"
    room = Room(Entry(address, True, token, str(Path(token).parent)), catalog, lambda *_: (setup, None), welcome)
    after.callback(room.close)
    room.start([], draws=True)
    return come.get(timeout=JOINS)()
