"""Several devices, each with a hand of the worker, over one book: all is drawn, once, and as one device alone would have drawn it."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from collections.abc import Generator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from PIL import Image

from models.memory.agreed import Agreed
from models.memory.forecast import Machine
from models.memory.manager import Key, LedgerLine
from pipelines import Studio, TextToImage
from pipelines.job_book.book import ENDED, JobBook
from pipelines.jobs.events import Step
from pipelines.jobs.outputs import Outputs
from pipelines.jobs.runner import Events, Watching
from pipelines.jobs.worker import Worker
from pipelines.requests.remaining import Progress
from pipelines.requests.request import Request
from pipelines.services.job_news import RESTING
from tests.support.card_toys import given
from tests.support.drawn_away import STEPS, Stalling, begun, worker_in
from tests.support.toy_weights import write_toy_model
from tests.support.toys import ToyPainter, toy_studio, wait_until
from tests.test_going_on import folder_with

REQUEST = TextToImage(steps=3, width=64, height=64)


def studio_of(folder: Path, *painters: ToyPainter) -> Studio:
    first, *others = painters
    return toy_studio(folder, runner=first, further=lambda: [lambda other=other: other for other in others])


def gated(device: str = "toy") -> ToyPainter:
    return ToyPainter(gate=threading.Semaphore(0), device_name=device)


def free(*painters: ToyPainter) -> None:
    for painter in painters:
        assert painter.gate
        painter.gate.release(1000)


def running(studio: Studio) -> list[str]:
    return [live.job.id for live in studio._worker.lives()]


def ended(studio: Studio, *jobs: str) -> bool:
    return all((job := studio.book.job(each)) is not None and job.state in ENDED for each in jobs)


def test_two_devices_draw_side_by_side_and_everything_once(tmp_path: Path) -> None:
    one, two = ToyPainter(0.002), ToyPainter(0.002)
    studio = studio_of(tmp_path, one, two)
    asked = [replace(REQUEST, seed=number, batch_count=2) for number in range(1, 25)]
    jobs = [studio.submit(request, f"user {number % 3}") for number, request in enumerate(asked)]
    wait_until(lambda: ended(studio, *jobs))
    seeds = [record.seed for job in jobs for record in studio.book.pictures_of(job)]
    assert seeds == [seed for number in range(1, 25) for seed in (number, number + 1)]
    assert sorted(drawn.seed for drawn in (*one.drawn, *two.drawn)) == sorted(seeds), "nothing was drawn twice"
    assert one.drawn and two.drawn
    studio.close()


def test_stop_ends_the_job_that_is_meant_and_no_other(tmp_path: Path) -> None:
    one, two = gated(), gated()
    studio = studio_of(tmp_path, one, two)
    wait_until(lambda: studio._worker.devices == 2)
    jobs = [studio.submit(REQUEST, user) for user in ("ada", "bob")]
    wait_until(lambda: sorted(running(studio)) == sorted(jobs))
    studio.stop(jobs[1], "bob")
    free(one, two)
    wait_until(lambda: ended(studio, *jobs))
    assert [studio.job(job, user).state for job, user in zip(jobs, ("ada", "bob"), strict=True)] == ["done", "stopped"]
    studio.close()


def test_a_device_that_pauses_gives_its_job_to_another_after_the_batch_in_work(tmp_path: Path) -> None:
    one, two = gated(), gated()
    studio = studio_of(tmp_path, one, two)
    wait_until(lambda: studio._worker.devices == 2)
    job = studio.submit(replace(REQUEST, seed=5, batch_count=3), "ada")
    wait_until(lambda: running(studio) == [job])
    [at] = [device.number for device in studio.devices.all() if device.job]
    drawing, other = (one, two) if at == 0 else (two, one)
    studio.devices.pause(at, True)
    free(one, two)
    wait_until(lambda: ended(studio, job))
    assert [picture.seed for picture in drawing.drawn] == [5] and [picture.seed for picture in other.drawn] == [6, 7]
    assert [record.seed for record in studio.book.pictures_of(job)] == [5, 6, 7]
    studio.devices.pause(1 - at, True)
    waits = studio.submit(REQUEST, "ada")
    assert not ended(studio, waits) and not running(studio)
    assert asyncio.run(studio.watch(waits, "ada", 0, 0))["message"] == RESTING
    studio.devices.pause(at, False)
    wait_until(lambda: ended(studio, waits))
    assert [device.paused for device in studio.devices.all()] == [at != 0, at != 1]
    studio.close()


def test_a_device_that_is_not_there_leaves_all_to_the_others_and_says_why(tmp_path: Path) -> None:
    looks = threading.Event()

    def missing() -> ToyPainter:
        assert looks.wait(20)
        raise OSError("no such card")

    studio = toy_studio(tmp_path, runner=ToyPainter(), further=lambda: [missing])
    job = studio.submit(REQUEST, "ada")
    wait_until(lambda: ended(studio, job))
    assert studio.devices.all()[1].message.startswith("A device is being made ready.")
    looks.set()
    wait_until(lambda: studio.devices.all()[-1].state == "failed")
    assert studio.engine_state()[0] == "ready" and studio.devices.all()[1].message.startswith("This device could not be made ready;")
    studio.close()


def test_what_lies_in_each_memory_is_told_and_unloaded_there(tmp_path: Path) -> None:
    line = LedgerLine("checkpoint:starter", Key("checkpoint", "starter"), "checkpoint", "host", 100, True, 0.0, 0)
    one, two = ToyPainter(ledger=(line,)), ToyPainter(ledger=(line,), machine=Machine(host=9 * 10**9))
    studio = studio_of(tmp_path, one, two)
    wait_until(lambda: studio._worker.devices == 2)
    assert [device.used for device in studio.devices.all()] == [100, 100]
    assert studio.forecast is not None and studio._worker.runner is two, "a forecast is for the one with the most memory"
    studio.unload(studio.ledger()[1].id)
    wait_until(lambda: not two.ledger)
    assert one.ledger
    studio.close()


def test_a_setting_of_the_process_is_shared_by_who_wants_the_same_and_waited_for_by_others() -> None:
    value = [2]
    setting: Agreed[int] = Agreed(lambda: value[0], lambda new: value.__setitem__(0, new))
    stays = [setting.enter(None), setting.enter(2)]
    assert all(stays), "the usual one, by its name"
    seen: list[int | bool] = []
    passed: list[object] = []

    def other() -> None:
        leave = setting.enter(2, 0.01)
        seen.append(leave is not None)
        if leave:
            leave()
        with setting.held(4):
            seen.append(value[0])

    thread = threading.Thread(target=other, daemon=True)
    thread.start()
    wait_until(lambda: seen == [True] and setting._wanted[4])
    stays.append(setting.enter(2, 0.01))
    (third := threading.Thread(target=lambda: passed.append(setting.enter(2, 0.01)), daemon=True)).start()
    third.join(10)
    assert passed == [None], "who comes later does not pass who waits"
    for leave in stays:
        assert leave, "who is inside may enter once more, though somebody waits"
        assert value == [2] and len(seen) == 1
        leave()
    thread.join(10)
    assert seen == [True, 4] and value == [2], "the usual one is back"
    with setting.held(2):
        with setting.held(8):
            assert value == [8], "who is alone waits for nobody"
        assert value == [2]


def test_a_stay_is_ended_from_another_thread_and_with_its_own() -> None:
    value = [2]
    setting: Agreed[int] = Agreed(lambda: value[0], lambda new: value.__setitem__(0, new))
    leave, done = setting.enter(4), threading.Event()
    assert leave
    thread = threading.Thread(target=lambda: (leave(), setting.enter(8), done.wait(30)))
    thread.start()
    wait_until(lambda: value == [8])
    assert setting.enter(4, 0.01) is None
    done.set()
    thread.join(10)
    again = setting.enter(4, 0.01)
    assert again and value == [4], "who has ended draws no more, though it never left"
    leave()
    assert value == [4], "twice is once"
    again()
    assert value == [2]


def test_a_device_that_is_paused_while_it_chooses_takes_nothing(tmp_path: Path) -> None:
    def chooses() -> tuple[str, ...]:
        worker.pause(0, True)
        return ()

    book, runner = JobBook(tmp_path / "studio.db", tmp_path), ToyPainter()
    runner.at_hand = chooses
    worker = Worker(book, Outputs(tmp_path), lambda: runner)
    book.submit(REQUEST, "ada")
    assert not worker.run_next(runner) and not runner.drawn
    worker.pause(0, False)
    runner.at_hand = lambda: ()
    assert worker.run_next(runner) and runner.drawn
    book.close()


def test_errands_are_done_where_networks_can_be_looked_at_also_while_that_device_pauses(tmp_path: Path) -> None:
    here, apart = ToyPainter(), ToyPainter(is_apart=True)
    studio = studio_of(tmp_path, here, apart)
    wait_until(lambda: studio._worker.devices == 2)
    assert all(studio._worker.between_jobs("ada", lambda runner: runner).result(10) is here for _ in range(5))
    studio.devices.pause(0, True)
    assert studio._worker.between_jobs("ada", lambda runner: runner).result(10) is here
    assert studio._worker.between_jobs("ada", lambda runner: runner, device=1).result(10) is apart
    studio.close()


@dataclass
class Dying(ToyPainter):
    """Its card goes in the middle of a batch, as often as somebody draws on it."""

    def _wait(self) -> None:
        super()._wait()
        if self.steps_made % 3 == 1:
            self.lost = "The card has gone."
            raise RuntimeError("CUDA error: unspecified launch failure")


def test_a_job_whose_device_is_lost_goes_on_at_another_once(tmp_path: Path) -> None:
    studio = studio_of(tmp_path, Dying(), good := ToyPainter())
    wait_until(lambda: studio._worker.devices == 2)
    studio.devices.pause(1, True)
    jobs = [studio.submit(REQUEST, user) for user in ("ada", "bob")]
    wait_until(lambda: studio.devices.all()[0].state == "failed")
    assert [studio.job(job, user).state for job, user in zip(jobs, ("ada", "bob"), strict=True)] == ["waiting", "waiting"]
    assert studio.devices.all()[0].message == "The card has gone." and studio._worker.state[0] != "starting"
    studio.devices.pause(1, False)
    wait_until(lambda: ended(studio, *jobs))
    assert [len(studio.book.pictures_of(job)) for job in jobs] == [1, 1] and len(good.drawn) == 2
    studio.close()


def test_a_job_that_takes_two_devices_with_it_is_not_given_a_third(tmp_path: Path) -> None:
    studio = studio_of(tmp_path, Dying(), Dying(), good := gated())
    wait_until(lambda: studio._worker.devices == 3)
    for number in (0, 1):
        studio.devices.pause(number, True)
    other = studio.submit(REQUEST, "ada")
    wait_until(lambda: running(studio) == [other])
    for number in (0, 1):
        studio.devices.pause(number, False)
    job = studio.submit(REQUEST, "bob")
    wait_until(lambda: ended(studio, job))
    assert studio.job(job, "bob").state == "failed" and "second device" in studio.job(job, "bob").message
    free(good)
    wait_until(lambda: ended(studio, other))
    assert studio.job(other, "ada").state == "done"
    studio.close()


@dataclass
class DyingApart(Dying):
    """The same in a process of its own, which may have gone before it has heard of the job."""

    is_apart: bool = True
    has_heard: bool = True

    def batches(self, request: Request, progress: Progress | None = None, watching: Watching | None = None) -> Generator[Events]:
        assert progress
        progress.taken = self.has_heard
        return super().batches(request, progress, watching)


@pytest.mark.parametrize(
    ("has_heard", "machine", "state", "lost"), [(True, "", "failed", 2), (False, "", "done", 3), (True, "attic", "failed", 5)]
)
def test_a_job_is_given_up_for_devices_that_had_heard_of_it_and_later_where_it_may_be_the_network(
    tmp_path: Path, has_heard: bool, machine: str, state: str, lost: int
) -> None:
    opened: list[ToyPainter] = []

    def opener() -> ToyPainter:
        opened.append(DyingApart(has_heard=has_heard) if len(opened) < lost else ToyPainter(is_apart=True))
        return opened[-1]

    studio = toy_studio(tmp_path, runner=ToyPainter())
    wait_until(lambda: studio._worker.devices == 1)
    studio.devices.pause(0, True)
    studio.devices.welcome(opener, machine)
    job = studio.submit(REQUEST, "ada")
    wait_until(lambda: ended(studio, job))
    assert studio.job(job, "ada").state == state and sum(bool(painter.lost) for painter in opened) == lost
    studio.close()


# ------------------------------------------------------------------------------------------------ with weights


@pytest.fixture(scope="module")
def starter(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_toy_model(tmp_path_factory.mktemp("model") / "starter")


def worker_of_two(folder: Path, most: int = 10**9) -> tuple[Worker, Stalling, Stalling]:
    """Two processors over one book, both with weights of their own."""
    worker, one = worker_in(folder)
    two = Stalling(one.catalog, one.device, one.machine, one.inputs, steps=one.steps)
    one.most = two.most = most
    both = Worker(worker.book, Outputs(folder / "outputs"), lambda: one, steps=one.steps, further=lambda: [lambda: two])
    return both, one, two


def pixels(book: JobBook, job: str) -> list[bytes]:
    return [Image.open(record.path).tobytes() for record in book.pictures_of(job)]


ASKED = [TextToImage(**given(steps=STEPS, sampler="DPM++ 2M SDE", seed=number, batch_count=1 + number % 2)) for number in range(1, 7)]


def drawn_by_one(starter: Path, folder: Path) -> list[list[bytes]]:
    worker, runner = worker_in(folder_with(starter, folder))
    jobs = [worker.book.submit(request, f"user {number % 3}") for number, request in enumerate(ASKED)]
    while worker.run_next(runner):
        pass
    found = [pixels(worker.book, job) for job in jobs]
    worker.close()
    return found


def draw_until_killed(folder: str, most: int) -> None:
    os.environ["OMP_NUM_THREADS"] = "1"
    worker, _, _ = worker_of_two(Path(folder), most)
    worker.start()
    threading.Event().wait(120)


def test_after_a_kill_two_devices_go_on_and_all_is_as_one_alone_draws_it(starter: Path, tmp_path: Path) -> None:
    expected = drawn_by_one(starter, tmp_path / "one")
    folder = folder_with(starter, tmp_path / "two")
    book = JobBook(folder / "outputs" / "studio.db", folder / "outputs")
    jobs = [book.submit(request, f"user {number % 3}") for number, request in enumerate(ASKED)]
    book.close()
    process = begun(draw_until_killed, str(folder), STEPS + 2)
    kept = folder / "outputs" / ".steps"
    wait_until(lambda: len(list(kept.glob("*.going"))) == 2 and len(list((folder / "outputs").rglob("*.png"))) >= 2, 60)
    wait_until(lambda: all(path.stat().st_size > 1 for path in kept.glob("*.going")))
    process.kill()
    process.join(10)
    assert process.exitcode == -signal.SIGKILL
    worker, one, two = worker_of_two(folder)
    worker.start()
    wait_until(lambda: all((job := worker.book.job(each)) and job.state == "done" for each in jobs), 60)
    assert [pixels(worker.book, job) for job in jobs] == expected
    assert one.made and two.made
    pictures = {record.path for job in jobs for record in worker.book.pictures_of(job)}
    assert len(pictures) == sum(map(len, expected)) and pictures == set((folder / "outputs").rglob("*.png")), "none is lost, or there twice"
    worker.close()


class Failing(Stalling):
    """Its device is lost after so many steps."""

    def _stalling(self, batch: Events) -> Events:
        for event in batch:
            self.made += isinstance(event, Step) and not event.before
            yield event
            if self.made >= self.most:
                self.lost = "gone"
                raise RuntimeError("CUDA error: unspecified launch failure")


def test_from_a_device_that_is_lost_a_picture_goes_on_from_its_last_kept_step(starter: Path, tmp_path: Path) -> None:
    expected = drawn_by_one(starter, tmp_path / "one")[0]
    worker, two = worker_in(folder_with(starter, tmp_path / "two"))
    one = Failing(two.catalog, two.device, two.machine, two.inputs, steps=two.steps)
    one.most = 4
    both = Worker(worker.book, worker.outputs, lambda: one, steps=two.steps, further=lambda: [lambda: two])
    both.start()
    wait_until(lambda: both.devices == 2)
    both.pause(1, True)
    job = both.submit(ASKED[0], "user 0")
    wait_until(lambda: both.hands[0].state[0] == "failed", 60)
    both.pause(1, False)
    wait_until(lambda: (found := worker.book.job(job)) and found.state == "done", 60)
    assert pixels(worker.book, job) == expected
    assert one.made == 4 and two.made == 2 * STEPS - 4, "what was made is not made again"
    both.close()
