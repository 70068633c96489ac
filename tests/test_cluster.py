"""Computers of a cluster are devices of the studio: they come and go while jobs run, and what they draw is what one alone draws."""

from __future__ import annotations

import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Generator
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch

from models.errors import UserError
from models.library.catalog import Catalog
from pipelines import TextToImage
from pipelines.cluster import room
from pipelines.cluster.chunks import Chunks, reading, writing
from pipelines.cluster.node import fresh_session, split
from pipelines.cluster.probe import check_code, looked_at
from pipelines.cluster.room import Room
from pipelines.cluster.secret import given_token, own_token
from pipelines.cluster.told import CODE, HERE, STUDIO, Entry, Node, Place, Roll, code, line
from pipelines.cluster.worker import said_last
from pipelines.jobs import frames, spoken
from pipelines.jobs.worker import Worker
from pipelines.services.devices import Devices
from tests.support.card_toys import given
from tests.support.drawn_away import STEPS, worker_in
from tests.support.pretended_ray import PretendedRay
from tests.support.toy_weights import write_toy_model
from tests.support.toys import wait_until
from tests.test_going_on import folder_with, pictures
from ui.door.own_addresses import own_addresses

ASKED = TextToImage(**given(steps=STEPS, sampler="DPM++ 2M SDE", seed=3, batch_count=3))

# ------------------------------------------------------------------------------------------------ bytes, names, tokens


def test_bytes_come_over_as_they_were_in_whatever_chunks() -> None:
    dice, chunks = random.Random(1), Chunks()
    all_of_them = [frames.frame(number, spoken.Data(dice.randbytes(size))) for number, size in enumerate((0, 1, 70_000, 3 * 2**20))]
    whole = b"".join(all_of_them)
    with writing(chunks.put) as file:
        while whole:
            size = dice.randint(1, 90_000)
            file.write(whole[:size])
            whole = whole[size:]
    chunks.put(b"")
    asks = reading(chunks)
    for number, frame in enumerate(all_of_them):
        found = frames.read_frame(asks)
        assert (found[0], frames.frame(*found)) == (number, frame)
    for _ in range(2):
        with pytest.raises(EOFError):
            frames.read_frame(asks)


def test_a_frame_is_one_chunk() -> None:
    put: list[bytes] = []
    file = writing(put.append)
    for size in (10, 200_000):
        file.write(frames.frame(1, spoken.Data(b"x" * size)))
        file.flush()
    assert len(put) == 2


def test_who_comes_back_has_the_place_from_before_and_two_of_one_name_have_two() -> None:
    roll = Roll()
    one, two, cards = Node("a", "attic", 0, True), Node("b", "attic", 0, True), Node("c", "cellar", 2, True)
    idle = Node("d", "desk", 0, False)
    assert roll.update([one, idle]) == (Place("attic", -1),), "who has neither cards nor leaves its processor is no device"
    assert roll.update([two, one, cards]) == (Place("attic", -1), Place("attic (2)", -1), Place("cellar", 0), Place("cellar", 1))
    assert roll.node(Place("attic", -1)) == one and roll.devices(Place("cellar", 1)) == 2
    assert roll.update([two]) == (Place("attic (2)", -1),)
    again = Node("e", "attic", 0, True)
    roll.update([two, again])
    assert roll.node(Place("attic", -1)) == again and roll.node(Place("attic (2)", -1)) == two
    assert roll.node(Place("cellar", 0)) is None


@pytest.mark.skipif(os.name == "nt", reason="modes of files are POSIX's")
def test_the_token_is_its_owners_alone(tmp_path: Path) -> None:
    path = own_token(tmp_path)
    assert path.stat().st_mode & 0o777 == 0o600 and path.parent.stat().st_mode & 0o777 == 0o700
    before = path.read_text()
    assert own_token(tmp_path).read_text() == before and len(before) == 64
    assert given_token(path) == path
    path.chmod(0o644)
    with pytest.raises(UserError, match="chmod 600"):
        given_token(path)
    with pytest.raises(UserError, match="cannot be read"):
        given_token(tmp_path / "none")
    (picture := tmp_path / "picture").write_bytes(b"\x89PNG")
    with pytest.raises(UserError, match="cannot be read"):
        given_token(picture)
    picture.write_bytes(b"\xef\xbb\xbf" + before.encode())
    with pytest.raises(UserError, match="is no token"):
        given_token(picture)
    (empty := tmp_path / "empty").touch(0o600)
    with pytest.raises(UserError, match="is empty"):
        given_token(empty)


def test_what_a_kill_has_left_of_a_session_goes_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (others := tmp_path / "others").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    first = fresh_session(note := tmp_path / "session")
    second = fresh_session(note)
    assert second.is_dir() and not first.exists() and second.stat().st_mode & 0o077 == 0
    for odd in ("", "..", "others", "/etc", f"{second.name}/../others"):
        note.write_text(odd)
        assert fresh_session(note).is_dir() and second.is_dir() and others.is_dir()


def test_only_a_studio_with_other_code_is_refused() -> None:
    check_code("attic:1", [{CODE: "other"}, {CODE: code(), STUDIO: "yes"}, {}])
    with pytest.raises(UserError, match="The studio at attic:1 has another version"):
        check_code("attic:1", [{CODE: "other", STUDIO: "yes"}])


def test_what_ray_says_in_the_end_is_told_without_its_times(tmp_path: Path) -> None:
    (log := tmp_path / "log").write_text("2026 INFO a.py:1 -- Starting\n2026 ERROR b.py:2 -- Version mismatch: 3.11 and 3.12\n\n")
    assert said_last(log) == "Version mismatch: 3.11 and 3.12"


def test_an_address_is_read_as_people_write_it() -> None:
    assert split("192.168.1.20") == ("192.168.1.20", 6379) and split("attic:7000") == ("attic", 7000)
    for wrong in ("", "attic:", "attic:x", ":7000", "attic:70000", "http://attic:6379", "a..b:6379", "é" * 63, "::1", "a b"):
        with pytest.raises(UserError, match=rf"“{wrong}” is no address of a cluster.*192\.168"):
            split(wrong)


# ------------------------------------------------------------------------------------------------ coming and going


@pytest.fixture(scope="module")
def starter(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_toy_model(tmp_path_factory.mktemp("model") / "starter")


class House:
    """A worker whose further devices are a cluster's."""

    def __init__(self, folder: Path, entry: Entry, ray: PretendedRay | None) -> None:
        worker, self.here = worker_in(folder)
        self.worker = Worker(worker.book, worker.outputs, lambda: self.here, steps=self.here.steps, further=self._further)
        self.devices = Devices(self.worker, str)
        self.room = Room(entry, self.here.catalog, lambda *_: (setup_of(folder), None), self.devices.welcome, ray and ray.begin_process)
        self.worker.start()
        wait_until(lambda: self.worker.devices == 1)
        self.worker.pause(0, True)

    def _further(self) -> tuple[()]:
        self.room.start([], draws=True)
        return ()

    def ready(self) -> list[int]:
        return [device.number for device in self.devices.all() if device.state == "ready" and device.number]

    def ended(self, job: str) -> bool:
        return (found := self.worker.book.job(job)) is not None and found.state == "done"

    def close(self) -> None:
        self.worker.close()
        self.room.close()


def setup_of(folder: Path) -> spoken.Setup:
    shared = str(folder / "starter"), [str(folder / "models")], str(folder / "outputs")
    return spoken.Setup(spoken.VERSION, "cpu", *shared, 10**9, 10**9, 0, 1, False)


@pytest.fixture
def ray() -> PretendedRay:
    return PretendedRay()


@pytest.fixture
def house(starter: Path, tmp_path: Path, ray: PretendedRay) -> Generator[House]:
    (folder := folder_with(starter, tmp_path) / ".ray").mkdir()
    house = House(tmp_path, Entry("attic:1", False, "", str(folder)), ray)
    yield house
    house.close()


def expected(starter: Path, folder: Path) -> list[bytes]:
    """What one device draws alone, in this process."""
    worker, here = worker_in(folder_with(starter, folder))
    job = worker.book.submit(ASKED, "ada")
    worker.run_next(here)
    found = pictures(worker, job)
    worker.close()
    return found


def test_a_computer_that_joins_later_draws_and_one_that_goes_loses_nothing(
    starter: Path, tmp_path_factory: pytest.TempPathFactory, house: House, ray: PretendedRay
) -> None:
    whole = expected(starter, tmp_path_factory.mktemp("alone"))
    ray.come("attic")
    wait_until(lambda: house.ready() == [1])
    job = house.worker.submit(ASKED, "ada")
    wait_until(lambda: len(house.worker.book.pictures_of(job)) == 1)
    ray.lose("attic")
    wait_until(lambda: house.devices.all()[1].state == "failed")
    assert house.devices.all()[1].title == "attic" and house.devices.all()[1].message
    assert not house.ended(job)
    ray.come("cellar")
    wait_until(lambda: house.ended(job))
    assert pictures(house.worker, job) == whole and len(house.worker.book.pictures_of(job)) == 3 and house.here.made == 0
    ray.come("attic")
    wait_until(lambda: house.ready() == [1, 2])
    assert [device.title.partition(" ·")[0] for device in house.devices.all()[1:]] == ["attic", "cellar"], "and no third one"
    assert house.worker.hands[1].device == "cpu of attic"


def test_the_process_in_the_cluster_may_end_and_is_begun_anew(house: House, ray: PretendedRay, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipelines.jobs.opener.REOPENED", (60.0, 60.0))  # so who has come is opened again because it has come
    ray.come("attic", cards=2)
    wait_until(lambda: house.ready() == [1, 2])
    assert [card for _, card, _ in ray.homes] == [True, True]
    ray.ended.set()
    wait_until(lambda: len(ray.homes) == 4 and house.ready() == [1, 2])
    assert len(house.devices.all()) == 3 and ray.begun == 2
    with pytest.raises(UserError, match="cellar is not in the cluster at the moment"):
        house.room.opened(Place("cellar", -1))
    held: list[object] = []  # as by the thread that listens

    def breaks(*told: object, **_: object) -> None:
        held.extend(told)
        raise RuntimeError("it broke")

    monkeypatch.setattr(room, "FarRunner", breaks)
    with pytest.raises(RuntimeError):
        house.room.opened(Place("attic", 0))
    wait_until(lambda: len(ray.homes) == 5 and ray.homes[4][2].is_over)


def test_what_keeps_the_studio_out_is_said_once_and_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(room, "AGAIN", (0.01, 0.01))
    said = [line({"trouble": "No token."}), line({"trouble": "No token."}), b'{"nodes": [', b"", b"", line({"nodes": []}), b""]
    left = iter(said)

    def begin(_entry: Entry, control: socket.socket) -> PretendedRay:
        if (told := next(left, None)) is None:
            raise OSError(28, "No space left on device")
        control.sendall(told)
        return ended

    (ended := PretendedRay()).wait = lambda timeout=None: None
    watched = Room(
        Entry("attic:1", False, "", str(tmp_path)), Catalog(tmp_path), lambda *_: (setup_of(tmp_path), None), lambda *_: lambda: None, begin
    )
    watched.start([], draws=False)
    wait_until(lambda: caplog.messages[-1:] == [room.NOT_IN.format("No space left on device")])
    watched.close()
    silent = room.NOT_IN.format(room.NO_WORD)
    assert caplog.messages == ["No token.", silent, silent, room.NOT_IN.format("No space left on device")], "anew after it was in"


def test_a_computer_with_other_code_is_no_device_and_says_why(house: House, ray: PretendedRay) -> None:
    ray.come("attic", known="0123")
    wait_until(lambda: len(house.devices.all()) == 2 and house.devices.all()[1].state == "failed")
    assert "another version of Atelier" in house.devices.all()[1].message and not ray.homes and len(code()) == 32


# ------------------------------------------------------------------------------------------------ with Ray


def actors(address: str) -> list[int]:
    """The processes in which devices of this very cluster draw; others on this machine may have one as well."""
    found = [path.parent for path in Path("/proc").glob("[0-9]*/cmdline") if _read(path).startswith("ray::Actor")]
    begun_by = {each: _read(each / "stat").rpartition(") ")[2].split()[1:2] for each in found}
    return [int(each.name) for each, by in begun_by.items() if by and f"--gcs-address={address}" in _read(Path("/proc", *by, "cmdline"))]


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("", 0))
        return int(found.getsockname()[1])


@pytest.mark.skipif(find_spec("ray") is None, reason="requirements-ray.txt is not installed")
@pytest.mark.skipif(sys.platform != "linux", reason="it looks for processes in /proc")
def test_two_computers_of_a_real_cluster_draw_what_one_draws_alone_and_a_kill_loses_nothing(
    starter: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", str(torch.get_num_threads()))  # by which sums are added up in the same parts
    whole, own = expected(starter, tmp_path / "alone"), own_addresses()[0]
    folder = folder_with(starter, tmp_path / "many")
    token, address = str(own_token(folder / "outputs")), f"{own}:{free_port()}"
    house = House(folder, Entry(address, True, token, str(Path(token).parent)), None)
    second, said = None, ""
    try:
        wait_until(lambda: house.ready() == [1], 60)
        with pytest.raises(UserError, match="another token"):
            looked_at(address, str(own_token(tmp_path / "other")))
        check_code(address, looked_at(address, token))
        command = [sys.executable, "-m", "pipelines.cluster.worker", "--ray", address, "--token-file", token]
        second = subprocess.Popen(command, cwd=HERE, stdout=subprocess.PIPE, text=True)
        wait_until(lambda: house.ready() == [1, 2], 60)
        worker = house.worker
        jobs = [worker.submit(ASKED, user) for user in ("ada", "bob")]
        wait_until(lambda: (live := worker.live(jobs[0])) is not None and live.step is not None and live.step.preview() != b"")
        wait_until(lambda: all(map(house.ended, jobs)), 60)
        assert [pictures(worker, job) for job in jobs] == [whole, whole] and house.here.made == 0
        assert len(list(worker.steps.kept.folder.glob("*.steps"))) == 6, "what each step leaves behind came over"
        killed = worker.submit(ASKED, "ada")
        wait_until(lambda: len(worker.book.pictures_of(killed)) == 1)
        drawing = actors(address)
        assert len(drawing) == 2
        for process in drawing:
            os.kill(process, signal.SIGKILL)
        wait_until(lambda: house.ended(killed) and house.ready() == [1, 2], 60)
        assert pictures(worker, killed) == whole and len(worker.book.pictures_of(killed)) == 3
        stopped = worker.submit(replace(ASKED, steps=100), "ada")
        wait_until(lambda: (live := worker.live(stopped)) is not None and live.step is not None)
        worker.stop(stopped)
        wait_until(lambda: (job := worker.book.job(stopped)) is not None and job.state == "stopped", 5)
    finally:
        house.close()
        if second:
            second.terminate()
            said, _ = second.communicate(timeout=30)
            assert second.returncode == 0
    assert said.startswith(f"This computer draws for the studio at {address}")
    assert actors(address) == []
