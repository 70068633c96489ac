"""Kills the process of a device in the middle of jobs, again and again, and counts what came: `.venv/bin/python -m bench.apart_kills`.

Every job that was taken up must come to its end with each of its pictures once, whichever process drew them, and no picture that was told
may be missing on the disk. Who draws apart is begun anew after each kill; the first device pauses, so nothing is drawn in this process.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import sys
import tempfile
import time
from pathlib import Path

from bench.engine import HERE, starter_request, until
from models.library.catalog import Catalog
from pipelines.images.store import INPUTS, Inputs
from pipelines.job_book.book import ENDED, JobBook
from pipelines.jobs.far import FarRunner, open_apart
from pipelines.jobs.outputs import Outputs
from pipelines.jobs.spoken import VERSION, Setup
from pipelines.jobs.worker import Worker
from pipelines.requests.request import TextToImage
from pipelines.runtime.runner import open_runner
from pipelines.steps.store import KeptSteps

BUDGET, PICTURES, LONGEST = 10**9, 3, 120.0  # bytes of kept steps; of a job; seconds
WITHIN = 0.3  # seconds after a picture, or the first step, within which the kill comes


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        found = killed(Path(name), options.kills, random.Random(options.seed))
    print(found)
    return 0 if found.endswith("0 wrong") else 1


def killed(outputs: Path, kills: int, dice: random.Random) -> str:
    folder, steps = HERE / "models" / "starter", KeptSteps(outputs, BUDGET)
    catalog, book = Catalog(folder), JobBook(outputs / "studio.db", outputs)
    processes: list[int] = []

    def opened() -> FarRunner:
        before = _children()
        runner = open_apart(catalog, Setup(VERSION, "cpu", str(folder), [], str(outputs), BUDGET, 0, 0, 1, False), sys.executable)
        processes.append(next(iter(_children() - before)))
        return runner

    here = open_runner(catalog, "cpu", Inputs(outputs / INPUTS), steps=steps)
    worker = Worker(book, Outputs(outputs), lambda: here, steps=steps, further=lambda: [opened])
    worker.start()
    until(LONGEST, lambda: worker.devices == 2)
    worker.pause(0, True)
    base, told, jobs = starter_request(catalog.checkpoints()[0]), set[Path](), list[str]()
    for number in range(kills):
        request = TextToImage(
            checkpoint=base.checkpoint, prompt="a red house", steps=6, seed=number, batch_count=PICTURES, width=128, height=128
        )
        jobs.append(worker.submit(request, "somebody"))
        drawn = dice.randrange(PICTURES)
        until(LONGEST, lambda drawn=drawn: (live := worker.live(jobs[-1])) is not None and live.step is not None and live.drawn >= drawn)
        time.sleep(dice.random() * WITHIN)
        told |= {record.path for record in book.pictures_of(jobs[-1])}
        os.kill(processes[-1], signal.SIGKILL)
        until(LONGEST, lambda: (job := book.job(jobs[-1])) is not None and job.state in ENDED)
    wrong = sum(
        [record.seed for record in book.pictures_of(job)] != [number + index for index in range(PICTURES)]
        for number, job in enumerate(jobs)
    )
    wrong += sum(not path.is_file() for path in told) + abs(
        len(set(outputs.rglob("*.png")) - set((outputs / INPUTS).rglob("*"))) - kills * PICTURES
    )
    worker.close()
    book.close()
    return (
        f"{kills} kills, {len(processes)} processes, {len(jobs)} jobs of {PICTURES} pictures, {len(told)} told before a kill: {wrong} wrong"
    )


def _children() -> set[int]:
    listed = Path(f"/proc/{os.getpid()}/task").glob("*/children")
    return {int(each) for path in listed for each in path.read_text().split()}


if __name__ == "__main__":
    sys.exit(main())
