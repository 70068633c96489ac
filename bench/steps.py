"""What keeping steps costs a job, on the starter model: in time, and bytes a picture; and what a branch half way saves.

Whole jobs vary by more than keeping takes when the machine has other work, so the seconds of the thread that keeps are counted as well.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

from bench.engine import HERE, STEPS, USER, job_seconds, starter_request
from bench.paired import Row, Timed, compare, row, take_turns
from models.library.catalog import Catalog
from pipelines.gallery.person import Person
from pipelines.images.store import Inputs
from pipelines.job_book.book import JobBook
from pipelines.jobs.outputs import Outputs
from pipelines.preprocessors.annotators import Annotators
from pipelines.requests.request import Drawing
from pipelines.runtime.runner import open_runner
from pipelines.steps.state import StepState
from pipelines.steps.store import KeptSteps, Rated
from pipelines.studio import Studio

BUDGET = 2 * 10**9


class Counted(KeptSteps):
    """Knows for how many seconds a processor was at work for it."""

    spent = 0.0

    def add(self, job: str, order: str, state: StepState) -> int:
        with self._counted():
            return super().add(job, order, state)

    def finish(self, job: str, picture: int, name: str, content: str, person: str = "") -> None:
        with self._counted():
            super().finish(job, picture, name, content, person)

    def make_room(self, rated: Rated = tuple) -> int:
        with self._counted():
            return super().make_room(rated)

    @contextmanager
    def _counted(self) -> Iterator[None]:
        begin = time.thread_time()
        yield
        self.spent += time.thread_time() - begin


def measure(rounds: int) -> list[Row]:
    with studio() as atelier:
        request = starter_request(atelier.checkpoints()[0])
        picture, trunk = drawn(atelier, request)
        branch = atelier.branched(picture, Person(USER, owner=True), STEPS // 2)
        spent: list[float] = []
        variants: dict[str, Timed] = {
            "job, nothing kept": lambda: with_budget(atelier, 0, request),
            "job, every step kept": lambda: counted(atelier, request, spent),
            "branch half way": lambda: job_seconds(atelier, branch),
        }
        times = take_turns(variants, rounds)
        print(f"   steps kept of a picture of {request.width} x {request.height}: {trunk / 1e3:.0f} kB")
    rows = compare(times, "job, nothing kept", {"job, every step kept": 1.03})
    rows.append(row("processor at work to keep / job", spent[-rounds:], times["job, every step kept"], 0.03))
    return [*rows, row("branch half way / job", times["branch half way"], times["job, every step kept"], 0.75)]


@contextmanager
def studio() -> Iterator[Studio]:
    """The real studio on the starter model, in a folder that goes away."""
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        catalog, inputs, kept = Catalog(HERE / "models" / "starter"), Inputs(folder / ".inputs"), Counted(folder, BUDGET)
        runner = open_runner(catalog, "cpu", inputs, steps=kept)
        annotators, book = Annotators([], HERE / "models" / "starter"), JobBook(folder / "studio.db", folder)
        result = Studio(catalog, Outputs(folder), book, lambda: runner, inputs=inputs, annotators=annotators, steps=kept)
        result.start()
        stack.callback(result.close)
        yield result


def counted(atelier: Studio, request: Drawing, spent: list[float]) -> float:
    """The seconds of a job, and in the list those of keeping its steps."""
    kept = atelier.steps
    assert isinstance(kept, Counted)
    before = kept.spent
    seconds = with_budget(atelier, BUDGET, request)
    time.sleep(0.2)  # until what is left is written
    spent.append(kept.spent - before)
    return seconds


def with_budget(atelier: Studio, budget: int, request: Drawing) -> float:
    atelier.steps.budget = budget
    seconds = job_seconds(atelier, request)
    atelier.steps.budget = BUDGET
    return seconds


def drawn(atelier: Studio, request: Drawing) -> tuple[str, int]:
    """The id of a picture whose steps are kept, and their bytes."""
    job_seconds(atelier, replace(request, seed=7))
    record = atelier.recent(USER, 1)[0]
    while (file := atelier.steps.of_picture(record.path)) is None:
        time.sleep(0.01)
    return record.id, file.path.stat().st_size
