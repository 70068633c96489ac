"""What the page is told of memory, and what its owner may unload: between jobs, in the worker's thread."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

from models.memory.manager import Key, LedgerLine
from pipelines import TextToImage
from tests.support.toys import ToyPainter, toy_studio, wait_until

LINE = LedgerLine("checkpoint:starter", Key("checkpoint", "starter"), "checkpoint", "device", 4, True, 1.0, 0)
GONE = LedgerLine("lora:gone", Key("lora", "gone"), "lora", "host", 4, True, 1.0, 0)


def test_the_ledger_names_things_as_the_library_does(tmp_path: Path) -> None:
    studio = toy_studio(tmp_path, runner=ToyPainter(ledger=(LINE, GONE)))
    wait_until(lambda: studio.engine_state()[0] == "ready")
    assert [line.name for line in studio.ledger()] == ["Starter", "a file that is not there any more"]
    studio.close()


def test_before_the_worker_has_started_there_is_nothing_to_tell(tmp_path: Path) -> None:
    studio = toy_studio(tmp_path, start=False)
    assert studio.ledger() == () and studio.forecast(TextToImage()) is None
    studio.unload("checkpoint:starter")
    studio.book.close()


def test_an_idle_worker_unloads_at_once(tmp_path: Path) -> None:
    studio = toy_studio(tmp_path, runner=ToyPainter(ledger=(LINE, GONE)))
    wait_until(lambda: studio.engine_state()[0] == "ready")
    studio.unload(LINE.id)
    wait_until(lambda: [line.id for line in studio.ledger()] == [GONE.id])
    studio.close()


def test_a_job_that_runs_keeps_its_models_until_it_has_ended(tmp_path: Path) -> None:
    runner = ToyPainter(gate=threading.Semaphore(0), ledger=(LINE,))
    studio = toy_studio(tmp_path, runner=runner)
    job_id = studio.submit(TextToImage(steps=3), "ada")
    assert runner.gate
    runner.gate.release(1)
    wait_until(lambda: runner.steps_made == 1)
    studio.unload(LINE.id)
    runner.gate.release(1)
    wait_until(lambda: runner.steps_made == 2)
    assert studio.ledger()
    runner.gate.release(1)
    wait_until(lambda: studio.job(job_id, "ada").state == "done")
    wait_until(lambda: not studio.ledger())
    studio.close()


def test_unloading_what_is_not_there_breaks_nothing(tmp_path: Path) -> None:
    class Strict(ToyPainter):
        def unload(self, line_id: str) -> None:
            raise KeyError(line_id)

    studio = toy_studio(tmp_path, runner=Strict())
    studio.unload("nothing")
    job_id = studio.submit(TextToImage(steps=1), "ada")
    wait_until(lambda: studio.job(job_id, "ada").state == "done")
    studio.close()


def test_the_engine_draws_what_is_at_hand_first(tmp_path: Path) -> None:
    class Holding(ToyPainter):
        def at_hand(self) -> tuple[str, ...]:
            return ("A",)

    runner = Holding()
    studio = toy_studio(tmp_path, runner=runner, start=False)
    for user, checkpoint in (("ada", "B"), ("bob", "A"), ("eve", "A")):
        studio.book.submit(TextToImage(checkpoint=checkpoint, steps=1, seed=1), user)
    studio.start()
    wait_until(lambda: len(runner.drawn) == 3)
    assert [request.checkpoint for request in runner.drawn] == ["A", "A", "B"]
    studio.close()


def test_what_the_page_asks_of_memory_needs_no_torch() -> None:
    asked = "models.memory.manager, models.memory.forecast, pipelines.resolving.forecast, pipelines.metadata.provenance"
    script = f"import sys, {asked}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], cwd=Path(__file__).parent.parent, check=False).returncode == 0
