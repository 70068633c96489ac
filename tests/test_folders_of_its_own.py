"""A worker with folders of its own draws what the studio would, bit for bit and word for word, and is sent what it lacks, once."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import re
import sys
import threading
import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO, cast

import pytest
import torch
from PIL import Image

from models.errors import UserError
from models.files import Overrides
from models.library.received import OTHERWISE, Received
from models.library.told import told_from
from models.library.told_catalog import ToldCatalog
from models.memory.forecast import Machine
from models.memory.manager import Key
from pipelines.cluster.home import OWN_FOLDER, OWN_MODELS, on_this_computer
from pipelines.images.store import INPUTS, Inputs
from pipelines.jobs import frames, spoken, spoken_files
from pipelines.jobs.events import Picture, Step
from pipelines.jobs.far import GONE, FarRunner, open_apart
from pipelines.jobs.program import program
from pipelines.jobs.runner import Events, Runner
from pipelines.jobs.sending import NOT_THE_PICTURE, SENDING, Sending
from pipelines.jobs.wanted import Here
from pipelines.jobs.worker import Worker
from pipelines.metadata.provenance import LOADING, TIME
from pipelines.preprocessors.annotators import Annotators
from pipelines.requests.remaining import Progress
from pipelines.requests.request import Controlled, Drawing, ImageToImage, Request, TextToImage, describe
from pipelines.resolving.resolve import resolve
from pipelines.runtime.apart import OTHER_PROGRAM, checked, opened
from pipelines.runtime.receiving import PLAIN_NAMES, Receiving
from pipelines.runtime.runner import ModelRunner
from pipelines.runtime.serving import Answers, Serving
from tests.support.card_toys import Library, Workshop, given, write_small_library
from tests.support.drawing import ended
from tests.support.drawn_away import worker_in
from tests.support.kept import Drawings, branched, runner_with
from tests.support.toy_weights import CPU
from tests.support.toys import ToyPainter, toy_model_folder, toy_studio, wait_until

ROOM = 10**9
RANGE = 2**16  # bytes
TIMES = re.compile(r"[0-9]+\.[0-9]+ s\b|20[0-9]{2}-[-0-9T:.+Z ]*")


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Library:
    return write_small_library(tmp_path_factory.mktemp("library"))


@pytest.fixture(scope="module")
def local(library: Library) -> ModelRunner:
    return library.runner(CPU, Machine(host=10**9))


def setup_of(library: Library, root: Path, room: int = ROOM) -> spoken.Setup:
    models = [str(root.parent / "models")]
    return spoken.Setup(
        spoken.VERSION, "cpu", str(library.root / "starter"), models, "", ROOM, 10**9, 0, 1, False, str(root), room, program()
    )


def here_of(library: Library, local: ModelRunner) -> Here:
    annotators = Annotators([library.root / "models"], library.root / "starter")
    return Here(library.root / "starter", local.catalog, annotators, local.inputs, local.steps)


def serve(asked: BinaryIO, said: BinaryIO) -> None:
    """What a process does, in a thread."""
    with said:
        number, setup = frames.read_frame(asked)
        runner, receiving = opened(checked(setup))
        says = Answers(said)
        serving = Serving(runner, asked, says, receiving=receiving)
        says.say(number, serving.standing())
        serving.serve()


def far(library: Library, local: ModelRunner, root: Path, room: int = ROOM) -> FarRunner:
    (asked, asks), (answers, said) = ([os.fdopen(end, mode) for end, mode in zip(os.pipe(), ("rb", "wb"), strict=True)] for _ in range(2))
    thread = threading.Thread(target=serve, args=(asked, said), daemon=True)
    thread.start()

    def end() -> None:
        asks.close()
        thread.join(20)
        for file in (asked, answers):
            file.close()

    sending = Sending(here_of(library, local), local.files, room, RANGE)
    return FarRunner(local.catalog, asks, answers, setup_of(library, root, room), end, sending=sending)


@pytest.fixture
def taken(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Path, str, int]]:
    """Ranges that came: into which folder, of what, from where on."""
    found: list[tuple[Path, str, int]] = []
    take = Received.take

    def counted(self: Received, digest: str, at: int, data: bytes) -> int:
        found.append((self.folder, digest, at))
        return take(self, digest, at, data)

    monkeypatch.setattr(Received, "take", counted)
    return found


def drawn(runner: Runner, request: Request, progress: Progress | None = None) -> list[tuple[bytes, dict[str, object], dict[str, str]]]:
    """Pixels, and what is told of each picture but for its times."""
    found: list[tuple[bytes, dict[str, object], dict[str, str]]] = []
    for batch in runner.batches(request, progress):
        for event in batch:
            if isinstance(event, Picture):
                told = {name: text for name, text in event.made_with.items() if name not in (TIME, LOADING)}
                found.append((event.image.tobytes(), describe(event.request), told))
    return found


def everything(workshop: Workshop) -> Controlled:
    units = (workshop.unit(mask=workshop.mask), workshop.unit(id=workshop.ids["eye"], preprocessor="None"))
    return Controlled(**given(**workshop.added, checkpoint=workshop.ids["other"], controls=units))


def test_what_it_lacks_is_sent_once_and_its_pictures_and_records_are_those_of_the_studio(
    library: Library, local: ModelRunner, tmp_path: Path, taken: list[tuple[Path, str, int]]
) -> None:
    workshop = Workshop(local)
    local.catalog.override(workshop.ids["other"], Overrides(defaults={"steps": 5}, note="mine"))
    request = everything(workshop)
    expected = drawn(local, request)
    assert len(expected) == 1 and {"Lora hashes", "TI hashes", "VAE hash", "ControlNet hashes"} <= expected[0][2].keys()
    runner, told = far(library, local, tmp_path / "device"), list[Key]()
    runner.tell = lambda: told.append(runner.reading) if runner.reading else None
    with closing(runner):
        assert workshop.ids["other"] in runner.coming() and not {"starter"} & runner.coming().keys()
        assert drawn(runner, request) == expected
        shares = [int(key.family.removesuffix(" %")) for key in told if key.kind == SENDING]
        assert len(shares) > 5 and shares == sorted(shares) and shares[0] == 0 and told[-1].kind != SENDING
        wait_until(lambda: not left_in(tmp_path / "device" / "outputs"))  # of what people gave, nothing is left on its disk
        assert workshop.ids["other"] in runner.at_hand() and workshop.ids["other"] not in runner.coming()
        models = {digest for folder, digest, _ in taken if folder.name == "received"}
        assert len(models) > 8 and len(set(taken)) == len(taken)
        taken.clear()
        assert drawn(runner, request) == expected
        assert {folder.name for folder, _, _ in taken} == {"job"}, "of what is there nothing comes again"
        assert runner.files(request) == local.files(request), "steps that one of them has made the other goes on from"
    local.catalog.override(workshop.ids["other"], Overrides())


def test_files_of_its_own_are_used_under_whatever_names(
    library: Library, local: ModelRunner, tmp_path: Path, taken: list[tuple[Path, str, int]]
) -> None:
    request = everything(Workshop(local))
    for number, path in enumerate(sorted(path for path in (library.root / "models").rglob("*") if path.is_file())):
        place = tmp_path / "models" / f"of {number % 3}" / f"{number}.bin"
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(path.read_bytes())
    with closing(far(library, local, tmp_path / "device")) as runner:
        assert drawn(runner, request) == drawn(local, request)
    assert {folder.name for folder, _, _ in taken} == {"job"}
    plain, _ = ended(here_of(library, local).asked(resolve(TextToImage(**given()), local.catalog), Progress()))
    assert [model["own"] for model in plain.wanted.models] == ["."] and not plain.files, "the starter is not even asked for"


def test_a_stop_between_two_ranges_ends_it_and_the_next_try_goes_on_there(
    library: Library, local: ModelRunner, tmp_path: Path, taken: list[tuple[Path, str, int]]
) -> None:
    workshop = Workshop(local)
    request = TextToImage(**given(checkpoint=workshop.ids["other"]))
    with closing(far(library, local, tmp_path / "device")) as runner:
        with closing(runner.batches(request)) as batches, closing(next(batches)) as batch:
            while len(taken) < 4:
                assert next(batch) is None
        assert runner.reading is None and len(taken) == 4, "each range is a place to stop at"
    before = list(taken)
    with closing(far(library, local, tmp_path / "device")) as runner:  # another process
        assert drawn(runner, request) == drawn(local, request)
    assert not set(before) & set(taken[len(before) :]), "no range came twice"


def test_a_device_that_is_lost_while_models_go_to_it_has_not_taken_the_job_up(
    library: Library, local: ModelRunner, tmp_path: Path, taken: list[tuple[Path, str, int]]
) -> None:
    request, progress = TextToImage(**given(checkpoint=Workshop(local).ids["other"])), Progress()
    runner = far(library, local, tmp_path / "device")
    with closing(runner.batches(request, progress)) as batches, closing(next(batches)) as batch:
        while len(taken) < 2:
            next(batch)
        runner.close()
        with pytest.raises(RuntimeError, match=GONE[:30]):
            next(batch)
    assert runner.lost == GONE and runner.reading is None and not progress.taken


def test_what_is_changed_on_the_way_is_told_by_a_sentence_and_thrown_away(
    library: Library, local: ModelRunner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = TextToImage(**given(checkpoint=Workshop(local).ids["other"]))
    with closing(far(library, local, tmp_path / "device")) as runner:
        take, lies = Received.take, [True]
        monkeypatch.setattr(
            Received, "take", lambda self, digest, at, data: take(self, digest, at, bytes(len(data)) if lies and at == 0 else data)
        )
        with pytest.raises(UserError, match=OTHERWISE[:30]):
            drawn(runner, request)
        lies.clear()
        assert drawn(runner, request) == drawn(local, request)
    with closing(far(library, local, tmp_path / "small", room=1000)) as runner:
        with pytest.raises(UserError, match="keeps at most"):
            drawn(runner, request)
        assert runner.coming()[request.checkpoint] > 10**6, "a device that has no room is asked last"


def left_in(folder: Path) -> list[str]:
    """Names of all that lies there, also while it is cleared away."""
    return [name for _, folders, files in os.walk(folder) for name in (*folders, *files)]


def steps_of(runner: Runner, request: Request, progress: Progress | None = None) -> tuple[int, int, bytes]:
    """Of one picture: steps of its own that were made, those before them, and its pixels."""
    events = [event for batch in runner.batches(request, progress) for event in batch]
    steps = [event for event in events if isinstance(event, Step)]
    [picture] = [event for event in events if isinstance(event, Picture)]
    return sum(not step.before for step in steps), sum(bool(step.before) for step in steps), picture.image.tobytes()


def test_steps_that_are_made_go_there_and_those_that_are_not_kept_are_drawn_there_once_more(library: Library, tmp_path: Path) -> None:
    here = runner_with(library.runner(CPU, Machine(host=10**9)), tmp_path / "outputs")
    drawings, workshop = Drawings(here), Workshop(here)
    [trunk] = drawings.of(TextToImage(**given(checkpoint=workshop.ids["other"], steps=4, loras=(workshop.lora(),))))
    branch = resolve(branched(trunk, 2, prompt="a blue boat", loras=()), here.catalog)
    _, _, expected = steps_of(here, branch)
    with closing(far(library, here, tmp_path / "device")) as runner:
        made, before, pixels = steps_of(runner, branch)
        assert (made, before, pixels) == (2, 2, expected)
        wait_until(lambda: not [name for name in left_in(tmp_path / "device") if name.endswith(".steps")])
        drawings.forget()
        made, before, pixels = steps_of(runner, branch)
        assert (made, pixels) == (2, expected) and before > 2, "with what drew it then, which the branch does not name"
        plain = TextToImage(**given(steps=4))
        for event in drawings.events(plain, keep=False):
            if isinstance(event, Step) and event.state and event.index <= 3:
                here.steps.add("another", "", event.state())
        assert steps_of(runner, plain, Progress(job="another"))[0] == 1, "it goes on from its last kept step"


def test_a_picture_that_is_put_by_there_comes_here_and_one_that_lies_does_not(library: Library, local: ModelRunner, tmp_path: Path) -> None:
    workshop = Workshop(local)
    request = replace(ImageToImage(**workshop.over), loops=2, steps=2)
    expected, progress = drawn(local, request), Progress()
    own = replace(here_of(library, local), inputs=Inputs(tmp_path / INPUTS))
    for picture in (workshop.picture,):
        own.inputs.keep(local.inputs.open(picture, ""))
    with closing(far(library, local, tmp_path / "device")) as runner:
        runner._sending = sending = Sending(own, local.files, ROOM)  # pyright: ignore[reportPrivateUsage]
        assert drawn(runner, request, progress) == expected
        assert len(list(own.inputs.folder.rglob("*.png"))) == 2, "the picture of the first round"
        with pytest.raises(UserError, match="not here"):
            runner._ask(spoken_files.Fetch("../../secret"))  # pyright: ignore[reportPrivateUsage]
    other = own.inputs.path(workshop.picture).read_bytes()
    said = Picture(Image.new("RGB", (8, 8)), replace(request, image="ab" * 32), {}, 0, 1)
    for data in (other, b"\x89PNG", b""):
        with pytest.raises(UserError, match=NOT_THE_PICTURE[:30]):
            sending.brought(said, Progress(), lambda value, data=data: spoken.Data(data))


@pytest.mark.parametrize(
    "file",
    [{"sort": "beside", "name": "../out"}, {"sort": "beside", "name": "/etc/x"}, {"sort": "model", "whose": "m", "name": "a/../../x"},
     {"sort": "model", "whose": "m", "name": "a\\b"}, {"sort": "input", "whose": "../x"}, {"sort": "going", "name": "../a.1.going"},
     {"sort": "beside", "name": "clip_vision/C:x"}, {"sort": "steps", "name": "a.steps"}],
)  # fmt: skip
def test_no_name_leads_out_of_its_folder(tmp_path: Path, file: dict[str, object]) -> None:
    receiving = Receiving(tmp_path / "device", [], toy_model_folder(tmp_path / "starter"), ROOM)
    row: dict[str, object] = {"digest": hashlib.sha256(b"x").hexdigest(), "size": 1, "whose": "", "name": "", **file}
    wanted = spoken_files.Wanted([], [row])
    assert receiving.answer(wanted) == spoken_files.Lacking([[row["digest"], 0]])
    receiving.answer(spoken_files.Range(str(row["digest"]), 0, b"x"))
    with pytest.raises(UserError, match=f"{PLAIN_NAMES[:20]}|not here"):
        receiving.answer(wanted)
    assert {each.name for each in tmp_path.iterdir()} == {"device", "starter"}


@pytest.mark.parametrize("answer", [[["ab", 0]], [["ab" * 32, 0]], ["x"], [[1, 2, 3]]])
def test_what_a_worker_asks_for_beyond_the_job_it_does_not_get(library: Library, local: ModelRunner, answer: list[object]) -> None:
    sending = Sending(here_of(library, local), local.files, ROOM)
    lies = lambda value: spoken_files.Lacking(cast("list[list[object]]", answer))  # noqa: E731
    with pytest.raises(UserError, match="Start Atelier anew"):
        list(sending.sent(TextToImage(), Progress(), lies, lambda key: None, "cpu"))


def test_what_is_told_of_a_model_is_known_as_it_is_here(library: Library, local: ModelRunner, tmp_path: Path) -> None:
    catalog, there = local.catalog, ToldCatalog(library.root / "starter")
    entry = next(entry for entry in catalog.models("lora") if entry.called == "ink")
    catalog.override(entry.id, Overrides(note="from here"))
    told = told_from(json.loads(json.dumps(catalog.told(entry.id, 60).said())), tmp_path / "shown" / "model.safetensors", "")
    catalog.override(entry.id, Overrides())
    there.tell([told])
    found = there.model(entry.id)
    assert found.overrides == Overrides(note="from here")
    assert (found.true_name, found.called, found.identity, found.metadata) == ("ink", "ink", entry.identity, entry.metadata)
    assert there.hash(entry.id) == catalog.hash(entry.id) == told.file.hash
    assert there.by_hash("lora", catalog.hash(entry.id)[:10]) == found, "what a branch names by its hash is found"
    there.override(entry.id, Overrides(note="mine"))
    assert there.model(entry.id).overrides == Overrides(note="mine")
    there.override(entry.id, Overrides())
    assert there.model(entry.id).overrides == Overrides()
    for odd in ({"file": {}}, {"file": {}, "facts": {}, "digests": []}):
        with pytest.raises(UserError, match="another version"):
            told_from(odd, tmp_path, "")


def test_another_computer_has_its_own_folders_and_no_name_leads_out_of_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(OWN_FOLDER, str(tmp_path / "kept"))
    monkeypatch.setenv(OWN_MODELS, os.pathsep.join(("/a", "/b")))
    setup = spoken.Setup(spoken.VERSION, "cpu", "/ada/starter", ["/ada/models"], "", 0, 0, 0, 1, False, root="/ada/device 1")
    there = on_this_computer(setup)
    assert (there.root, there.models[1:]) == (str(tmp_path / "kept" / "device 1"), ["/a", "/b"])
    assert not [each for each in (there.starter, *there.models) if "ada" in each]
    assert on_this_computer(replace(setup, root="")) == replace(setup, root=""), "at the studio's own computer"
    with pytest.raises(UserError, match=PLAIN_NAMES[:20]):
        on_this_computer(replace(setup, root=".."))


def test_another_program_is_refused_with_a_sentence(library: Library, tmp_path: Path) -> None:
    setup = setup_of(library, tmp_path)
    assert checked(setup) == setup
    with pytest.raises(UserError, match=OTHER_PROGRAM[:30]):
        checked(replace(setup, program="0" * 32))
    (tmp_path / "models").mkdir()
    (tmp_path / "pipelines").mkdir()
    (tmp_path / "models" / "a.py").write_bytes(b"a\n")
    before = program(tmp_path)
    (tmp_path / "models" / "a.py").write_bytes(b"a\r\n")
    assert program(tmp_path) == before
    (tmp_path / "models" / "a.py").write_bytes(b"b\n")
    assert program(tmp_path) != before


def records(worker: Worker, job: str) -> list[tuple[bytes, str]]:
    """Pixels and record of each picture that is saved, but for its times."""
    found: list[tuple[bytes, str]] = []
    for record in worker.book.pictures_of(job):
        with Image.open(record.path) as image:
            found.append((image.tobytes(), TIMES.sub("", str(sorted(image.text.items())))))  # pyright: ignore[reportAttributeAccessIssue]
    return found


def test_a_process_with_an_empty_folder_draws_jobs_as_the_studio_does(
    library: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", str(torch.get_num_threads()))  # by which sums are added up in the same parts
    for name in ("starter", "models"):
        (tmp_path / name).symlink_to(library.root / name)
    worker, here = worker_in(tmp_path)
    workshop, far = Workshop(here), list[FarRunner]()
    request = ImageToImage(**workshop.over | {"checkpoint": workshop.ids["other"], "loras": (workshop.lora(),)})

    def opened() -> FarRunner:
        folders = Here(tmp_path / "starter", here.catalog, Annotators([], tmp_path / "starter"), here.inputs, here.steps)
        setup = setup_of(library, tmp_path / "away" / "device")
        far.append(open_apart(here.catalog, setup, sys.executable, Sending(folders, here.files, ROOM, RANGE)))
        return far[-1]

    both = Worker(worker.book, worker.outputs, lambda: here, steps=here.steps, further=lambda: [opened])
    both.start()
    wait_until(lambda: both.devices == 2, 60)
    jobs: list[str] = []
    for paused in (1, 0):
        both.pause(1 - paused, False)
        both.pause(paused, True)
        jobs.append(both.submit(request, "ada"))
        wait_until(lambda: (found := both.book.job(jobs[-1])) and found.state == "done", 60)
    ours, theirs = (records(both, job) for job in jobs)
    assert len(ours) == 1 and here.made == request.steps, "the second one was drawn there"
    assert theirs == ours
    wait_until(lambda: len(list(here.steps.folder.glob("*.steps"))) == 2)
    device = tmp_path / "away" / "device"
    assert not list((device / "job").glob("*")) and list((device / "received").glob("*/whole"))
    both.close()


class Sends(ToyPainter):
    """What it draws goes to it first."""

    def _batch(self, request: Drawing, batch: int) -> Events:
        if request.prompt == "sent":
            self.reading = Key(SENDING, "cuda:1", "34 %")
            self.tell()
            while self.reading:
                yield None
                time.sleep(0.05)
            self.tell()
        yield from super()._batch(request, batch)


def test_what_goes_to_a_device_is_told_and_teaches_nothing_of_its_pace(tmp_path: Path) -> None:
    runner = Sends(step_seconds=0.01)
    studio = toy_studio(tmp_path, runner=runner)
    plain = TextToImage(steps=2, seed=1)
    job = studio.submit(plain, "ada")
    wait_until(lambda: studio.job(job, "ada").state == "done")
    before = studio.book.queue.expected(plain)
    job = studio.submit(replace(plain, prompt="sent"), "ada")
    wait_until(lambda: runner.reading is not None)
    news = asyncio.run(studio.watch(job, "ada", 0, 0))
    assert (news["message"], news["preparing"], news["step"]) == ("34 %: models go to cuda:1", "", 0)
    runner.reading = None
    wait_until(lambda: studio.job(job, "ada").state == "done")
    assert before and studio.book.queue.expected(plain) == studio.book.queue.expected(plain, reads=True) == before
    assert asyncio.run(studio.watch(job, "ada", 0, 0))["message"] == ""
    studio.close()


def test_a_device_that_is_paused_while_models_go_to_it_leaves_the_job_to_another_at_once(tmp_path: Path) -> None:
    sends, other = Sends(), ToyPainter()
    studio = toy_studio(tmp_path, runner=sends, further=lambda: [lambda: other])
    wait_until(lambda: studio._worker.devices == 2)
    studio.devices.pause(1, True)
    job = studio.submit(TextToImage(steps=2, seed=1, prompt="sent"), "ada")
    wait_until(lambda: [device.coming for device in studio.devices.all()] == ["34 %", ""])
    studio.devices.pause(0, True)
    wait_until(lambda: not studio._worker.lives())
    assert studio.job(job, "ada").state == "waiting" and sends.reading, "it was not waited for"
    studio.devices.pause(1, False)
    wait_until(lambda: studio.job(job, "ada").state == "done")
    assert len(other.drawn) == 1 and not sends.drawn
    studio.close()
