"""A device that draws in a process of its own: told and answered in plain values, its pictures are those of one in this process, and its
death costs nothing but time.
"""

from __future__ import annotations

import io
import os
import signal
import sys
import threading
from collections.abc import Generator
from contextlib import closing
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, cast, get_args

import numpy as np
import pytest
import torch
from PIL import Image

from models.errors import UserError
from models.files import Overrides
from models.library.catalog import Catalog
from models.memory.manager import Key, LedgerLine
from pipelines import TextToImage
from pipelines.jobs import frames, spoken, spoken_as
from pipelines.jobs.events import Picture, Step
from pipelines.jobs.far import APART, GONE, HANGS, FarRunner, decided_in, open_apart
from pipelines.jobs.far_states import FEW, HELD, FarStates
from pipelines.jobs.line import Line, Lost
from pipelines.jobs.progress import Frame as JobFrame
from pipelines.jobs.worker import Worker
from pipelines.requests.remaining import Progress
from pipelines.requests.request import Request
from pipelines.runtime.apart import OTHER_VERSION, talk
from pipelines.runtime.serving import Answers, Serving
from pipelines.steps.state import StepState
from tests.support.card_toys import given
from tests.support.drawn_away import STEPS, Stalling, worker_in
from tests.support.toy_weights import write_toy_model
from tests.support.toys import toy_model_folder, wait_until
from tests.test_going_on import folder_with, pictures

LOOPS = TextToImage(**given(steps=STEPS, sampler="DPM++ 2M SDE", seed=3, batch_count=3))

# ------------------------------------------------------------------------------------------------ values


def there_and_back(value: spoken.Value, number: int = 7) -> spoken.Value:
    found = frames.read_frame(io.BytesIO(frames.frame(number, value)))
    assert found[0] == number
    return found[1]


def test_every_value_comes_over_as_it_was() -> None:
    by_kind: dict[str, object] = {"int": 3, "str": "ä “x”", "bool": True, "float": 0.1, "bytes": b"\0\xff", "Table": {"a": [1, None]}}
    assert {*spoken.KINDS.values()} == {*get_args(spoken.Value)}
    for kind in spoken.KINDS.values():
        told = {each.name: by_kind.get(str(each.type), ["a", "b"]) for each in fields(kind)}  # pyright: ignore[reportArgumentType]
        value = kind(**told)
        assert there_and_back(value) == value


def test_pictures_states_and_lines_are_the_same_to_the_last_bit() -> None:
    dice = np.random.default_rng(1)
    image = Image.fromarray(dice.integers(0, 255, (5, 7, 4), np.uint8), "RGBA")
    picture = Picture(image, LOOPS.single(1), {"Model": "toy"}, 1, 3)
    said = there_and_back(spoken_as.picture_said(picture, "{}"))
    assert isinstance(said, spoken.PictureSaid)
    again = spoken_as.picture_of(said)
    assert (again.image.mode, again.image.tobytes()) == ("RGBA", image.tobytes())
    assert (again.request, again.made_with, again.index, again.frames) == (LOOPS.single(1), picture.made_with, 1, ())
    latents = dice.normal(size=(2, 4, 3, 5)).astype(np.float32)
    moving = replace(picture, frames=(image, image.rotate(180)), latents=latents)
    said = there_and_back(spoken_as.picture_said(moving, "{}"))
    assert isinstance(said, spoken.PictureSaid)
    assert [frame.tobytes() for frame in spoken_as.picture_of(said).frames] == [frame.tobytes() for frame in moving.frames]
    assert (kept := spoken_as.picture_of(said).latents) is not None and np.array_equal(kept, latents)
    x, x0, old = (dice.normal(size=(2, 4, 3, 5)).astype(np.float32) for _ in range(3))
    state = StepState(1, 2, 9, 0.7, 4, x, x0, (None, old, None), (5, 6), x0)
    told = there_and_back(spoken_as.numbers_of(state, 3))
    assert isinstance(told, spoken.Numbers)
    found = spoken_as.state_of(told)
    assert found.remembered[0] is None and found.remembered[2] is None and found.pictures == (5, 6) and found.sigma == 0.7
    assert found.gathered is not None and np.array_equal(found.gathered, x0)
    assert spoken_as.state_of(spoken_as.numbers_of(replace(state, gathered=None), 3)).gathered is None
    assert found.remembered[1] is not None and np.array_equal(found.remembered[1], old)
    assert np.array_equal(found.x, x) and np.array_equal(found.x0, x0)
    line = LedgerLine("checkpoint:a", Key("checkpoint", "a"), "checkpoint", "device", 5, True, 1.5, 2)
    assert spoken_as.line_of(spoken_as.line_said(line)) == line


@pytest.mark.parametrize(
    "said",
    [b"\xff\xff\xff\xff{}", b"\x02\0\0\0{}", b"\x02\0\0\0[[", b'\x30\0\0\0{"id":1,"is":"eval","fields":{},"blobs":{}}        ',
     frames.frame(1, spoken.Text("x")).replace(b'"text": "x"', b'"tixt": "x"')],
)  # fmt: skip
def test_what_is_no_value_of_this_version_is_refused(said: bytes) -> None:
    with pytest.raises(UserError, match="Start Atelier anew"):
        frames.read_frame(io.BytesIO(said))
    with pytest.raises(EOFError):
        frames.read_frame(io.BytesIO(frames.frame(1, spoken.Data(b"abc"))[:-1]))


class Known:
    """A runner that knows a library, and draws nothing."""

    def __init__(self, catalog: Catalog) -> None:
        self.catalog = catalog


def test_what_people_decided_about_models_holds_there_and_is_taken_back_there(tmp_path: Path) -> None:
    folder = toy_model_folder(tmp_path / "toy")
    here, there = Catalog(folder), Catalog(folder)
    serving = Serving(cast(Any, Known(there)), io.BytesIO(), Answers(io.BytesIO()))
    for decided in (Overrides(prediction_type="v_prediction", zero_terminal_snr=True, defaults={"steps": 5}), Overrides()):
        here.override("starter", decided)
        draw = there_and_back(spoken_as.draw_of(LOOPS, Progress(), decided_in(here)))
        assert isinstance(draw, spoken.Draw)
        serving.decide(draw)
        assert [entry.overrides for entry in there.models()] == [decided]
        assert there.checkpoint("starter") == here.checkpoint("starter")


class Led(Known):
    """Notes how far it is told that its job stands."""

    def batches(self, request: Request, progress: Progress) -> Generator[Generator[None]]:
        self.progress = progress
        while True:
            yield (None for _ in range(9))


def test_how_far_a_job_stands_is_what_the_studio_says_and_never_less_than_was_drawn(tmp_path: Path) -> None:
    runner = Led(Catalog(toy_model_folder(tmp_path / "toy")))
    serving = Serving(cast(Any, runner), io.BytesIO(), Answers(io.BytesIO()))
    stands: list[tuple[int, int]] = []
    for value in (spoken_as.draw_of(LOOPS, Progress(), {}), spoken.NextBatch(2, 3), spoken.NextEvent(2, 1, False), spoken.NextBatch(1, 4)):
        serving._answered(value)
        if not isinstance(value, spoken.Draw):
            stands.append((runner.progress.batch, runner.progress.pictures))
    assert stands == [(2, 3), (2, 3), (1, 4)]


STANDING = spoken.Standing("cpu", {"host": 1, "device": None, "element_size": 4, "one_by_one": True})
OPEN: list[spoken.Value] = [spoken.Done(), spoken.Done(), spoken.Nothing()]  # a batch has begun


class Pretended:
    """A process that gives these answers, one a question, and then no more; or it ends."""

    def __init__(self, folder: Path, answers: list[spoken.Value], unasked: spoken.Value | None = None, ends: bool = False) -> None:
        pipes = [[os.fdopen(end, mode) for end, mode in zip(os.pipe(), ("rb", "wb"), strict=True)] for _ in range(2)]
        (self._asked, self.asks), (self.answers, self._said) = pipes
        self._answers, self._unasked, self._ends = answers, unasked, ends
        self.ended: list[bool] = []
        self._setup, self._catalog = setup_of(folder), Catalog(toy_model_folder(folder / "toy"))
        threading.Thread(target=self._answer, daemon=True).start()

    def runner(self, patience: float = 0.4) -> FarRunner:
        return FarRunner(self._catalog, self.asks, self.answers, self._setup, lambda: self.ended.append(True), patience)

    def _answer(self) -> None:
        for value in self._answers:
            number, _ = frames.read_frame(self._asked)
            self._said.write(frames.frame(number, value))
            self._said.flush()
        if self._unasked:
            self._said.write(frames.frame(0, self._unasked))
            self._said.flush()
        if self._ends:
            frames.read_frame(self._asked)
            self._said.close()

    def close(self) -> None:
        for file in (self._said, self.asks, self._asked, self.answers):
            file.close()


@pytest.mark.parametrize("ends", [False, True])
def test_a_process_that_answers_no_more_is_lost_with_a_sentence(tmp_path: Path, ends: bool) -> None:
    process = Pretended(tmp_path, [STANDING], ends=ends)
    runner = process.runner()
    with closing(runner.batches(LOOPS)) as batches, pytest.raises(RuntimeError):
        next(next(batches))
    assert runner.lost == (GONE if ends else HANGS) and process.ended == [True] * (not ends)
    process.close()


def test_a_job_is_left_without_waiting_and_who_asks_next_finds_out_that_it_hangs(tmp_path: Path) -> None:
    process = Pretended(tmp_path, [STANDING, *OPEN])
    runner = process.runner()
    batches = runner.batches(LOOPS)
    batch = next(batches)
    assert next(batch) is None
    batch.close()
    batches.close()
    assert not runner.lost
    with pytest.raises(RuntimeError):
        runner.files(LOOPS)
    assert runner.lost == HANGS and process.ended == [True]
    process.close()


@pytest.mark.parametrize(
    "unasked", [spoken.Standing("cpu", {"cores": 2}), replace(STANDING, reading=["a"]), replace(STANDING, ledger=[{}])]
)
def test_a_process_that_says_what_nobody_understands_is_lost_at_once(tmp_path: Path, unasked: spoken.Standing) -> None:
    process = Pretended(tmp_path, [STANDING], unasked=unasked)
    runner = process.runner(patience=60)
    wait_until(lambda: runner.lost == GONE)
    with closing(runner.batches(LOOPS)) as batches, pytest.raises(RuntimeError):
        next(next(batches))
    process.close()


def test_a_process_that_cannot_open_its_device_says_why_or_that_it_does_not_answer(tmp_path: Path) -> None:
    process = Pretended(tmp_path, [])
    with pytest.raises(UserError, match="does not answer"):
        process.runner()
    process.close()
    for told, said in (
        (frames.frame(1, setup_of(tmp_path)).replace(b'"parts"', b'"shares"'), OTHER_VERSION[:20]),  # of another version
        (frames.frame(1, replace(setup_of(tmp_path), root=str(tmp_path / "device"))), "FileNotFoundError"),
    ):
        talk(io.BytesIO(told), answers := io.BytesIO())
        answers.seek(0)
        number, answer = frames.read_frame(answers)
        assert number == 1 and said in str(answer)


# ------------------------------------------------------------------------------------------------ what steps leave behind


def said(step: int) -> spoken.Numbers:
    return spoken.Numbers(step, 0, 0, 1, 0.0, 0, [0], [0], [], b"", b"", b"", b"")


def test_states_are_said_unasked_while_somebody_takes_them_and_each_once() -> None:
    states = FarStates()
    assert not states.is_wanted() and states.take(1, False, 0) is None, "the first one is asked for"
    states.made(1)
    assert states.is_wanted()
    threading.Timer(0.05, lambda: states.put(said(2))).start()
    assert states.take(2, True, 30) == said(2), "it is waited for"
    assert states.take(2, True, 0) is None, "who wants it once more asks"
    states.put(spoken.Unsaid(3))
    assert states.take(3, True, 0) is None
    with pytest.raises(TimeoutError):
        states.take(4, True, 0.01)
    for step in range(4, 5 + HELD):
        states.put(said(step))
    assert states.take(4, True, 0) is None and states.take(5, True, 0) == said(5), "what nobody takes is not held for ever"
    states.made(4 + FEW)
    assert states.is_wanted()
    states.made(5 + FEW)
    assert not states.is_wanted()
    states.over()
    assert states.take(99, True, 30) is None, "who waits is woken when nothing more is said"


class Written(io.BytesIO):
    """Counts what is written at once."""

    times = 0

    def write(self, told: Any) -> int:
        self.times += 1
        return super().write(told)


def test_a_state_goes_along_with_what_is_said_next_and_alone_where_nothing_is() -> None:
    answers = Answers(file := Written())
    waits = threading.Thread(target=lambda: answers.say_along(0, said(1), 60))
    waits.start()
    wait_until(lambda: answers._held)
    answers.say(2, spoken.Nothing())
    waits.join(10)
    assert not waits.is_alive() and file.times == 1
    answers.say_along(0, said(2), 0.01)
    assert file.times == 2
    file.seek(0)
    assert [frames.read_frame(file) for _ in range(3)] == [(0, said(1)), (2, spoken.Nothing()), (0, said(2))]


# ------------------------------------------------------------------------------------------------ a process


@pytest.fixture(scope="module")
def starter(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_toy_model(tmp_path_factory.mktemp("model") / "starter")


def setup_of(folder: Path, version: int = spoken.VERSION) -> spoken.Setup:
    shared = str(folder / "starter"), [str(folder / "models")], str(folder / "outputs")
    return spoken.Setup(version, "cpu", *shared, 10**9, 10**9, 0, 1, False)


def beside(folder: Path) -> tuple[Worker, Stalling, list[FarRunner]]:
    """A worker that draws here and apart; what is apart, one after another."""
    worker, here = worker_in(folder)
    far: list[FarRunner] = []

    def opened() -> FarRunner:
        far.append(open_apart(here.catalog, setup_of(folder), sys.executable))
        return far[-1]

    return Worker(worker.book, worker.outputs, lambda: here, steps=here.steps, further=lambda: [opened]), here, far


def process_of(parent: int) -> int:
    """The child of this process that draws apart."""
    told = {path: _read(path).rpartition(") ")[2].split() for path in Path("/proc").glob("[0-9]*/stat")}
    children = [path.parent for path, fields in told.items() if len(fields) > 1 and fields[1] == str(parent)]
    return next(int(child.name) for child in children if "pipelines.runtime.apart" in _read(child / "cmdline"))


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="it looks for the process in /proc")
def test_what_is_drawn_apart_is_the_same_and_a_kill_in_the_middle_loses_nothing(
    starter: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", str(torch.get_num_threads()))  # by which sums are added up in the same parts
    plain, here = worker_in(folder_with(starter, tmp_path / "one"))
    job = plain.book.submit(LOOPS, "ada")
    plain.run_next(here)
    expected = pictures(plain, job)
    plain.close()
    worker, local, far = beside(folder_with(starter, tmp_path / "two"))
    asked: list[type] = []
    put = Line.put
    monkeypatch.setattr(Line, "put", lambda line, value: asked.append(type(value)) or put(line, value))
    worker.start()
    wait_until(lambda: worker.devices == 2, 60)
    worker.pause(0, True)
    job = worker.submit(LOOPS, "ada")
    wait_until(lambda: (found := worker.book.job(job)) and found.state == "done", 60)
    assert pictures(worker, job) == expected and local.made == 0
    assert len(list(worker.steps.kept.folder.glob("*.steps"))) == 3, "what each step leaves behind came over, and is kept here"
    assert asked.count(spoken.State) < asked.count(spoken.NextEvent) / 4, "most of it unasked"
    assert far[0].device_name == "cpu" and far[0].at_hand() == {"starter"} and far[0].ledger
    with pytest.raises(UserError, match=APART[:20]):
        far[0].annotator("x")
    killed = worker.submit(LOOPS, "ada")
    wait_until(lambda: len(worker.book.pictures_of(killed)) == 1)
    os.kill(process_of(os.getpid()), signal.SIGKILL)
    wait_until(lambda: (found := worker.book.job(killed)) and found.state == "done", 60)
    assert pictures(worker, killed) == expected and len(far) == 2, "a new process has drawn the rest"
    assert len(worker.book.pictures_of(killed)) == 3 and local.made == 0
    worker.close()


def test_a_process_of_another_version_is_refused_with_a_sentence(starter: Path, tmp_path: Path) -> None:
    folder = folder_with(starter, tmp_path)
    worker, here = worker_in(folder)
    with pytest.raises(UserError, match="another version"):
        open_apart(here.catalog, setup_of(folder, spoken.VERSION + 1), sys.executable)
    worker.close()


def test_a_preview_that_is_asked_of_a_lost_device_is_a_frame_less_and_no_fault_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    def asked_of(error: Exception) -> JobFrame:
        def preview() -> bytes:
            raise error

        return JobFrame(Step(1, 5, 0, 1, preview), 1)

    assert asked_of(Lost(GONE)).url() == "" and not caplog.records
    assert asked_of(OSError("the disk")).url() == "" and [each.levelname for each in caplog.records] == ["ERROR"]
