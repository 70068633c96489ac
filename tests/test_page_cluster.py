"""Computers of a cluster on the page, in a real Chromium: its owner sees them come, lets them draw, stops one and loses one.

What joins them is Ray where that is installed (`requirements-ray.txt`), and in any case one of pretence, whose computers are threads.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Generator
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Protocol

import pytest
import torch
from playwright.sync_api import Locator, expect

from models.library.catalog import Catalog
from models.memory.forecast import Machine
from pipelines import Studio
from pipelines.cluster.room import Room
from pipelines.cluster.secret import own_token
from pipelines.cluster.told import HERE, Entry
from pipelines.images.store import INPUTS, Inputs
from pipelines.job_book.book import PictureRecord
from pipelines.jobs.events import Step
from pipelines.jobs.progress import JobProgress
from pipelines.jobs.runner import Runner
from pipelines.runtime.runner import ModelRunner
from pipelines.steps.store import KeptSteps
from tests.support.drawn_away import worker_in
from tests.support.one_chromium import OneChromium
from tests.support.page_fixtures import House, Visit, browser, free_port, house, opened, visit, wait_for
from tests.support.pretended_ray import PretendedRay
from tests.support.toy_weights import CPU, write_toy_model
from tests.test_cluster import actors, setup_of
from tests.test_going_on import folder_with, pictures
from ui.door.own_addresses import own_addresses

__all__ = ["browser", "house", "visit"]
pytestmark = pytest.mark.browser
WITH_RAY = pytest.mark.skipif(find_spec("ray") is None or sys.platform != "linux", reason="requirements-ray.txt is not installed")


class Computers(Protocol):
    entry: Entry
    ray: PretendedRay | None

    def come(self) -> None:
        """A second one."""
        ...

    def lose(self, number: int) -> None:
        """At least this one, counted from 1."""
        ...

    def close(self) -> None: ...


class Pretended:
    def __init__(self, folder: Path) -> None:
        self.entry, self.ray = Entry("attic:1", False, "", str(folder)), PretendedRay()
        self.ray.come("attic")

    def come(self) -> None:
        self.ray.come("cellar")

    def lose(self, number: int) -> None:
        self.ray.lose(("attic", "cellar")[number - 1])

    def close(self) -> None:
        pass


class Real:
    """Two of this machine."""

    ray = None

    def __init__(self, folder: Path) -> None:
        self._token = str(own_token(folder))
        self.entry = Entry(f"{own_addresses()[0]}:{free_port()}", True, self._token, str(folder))
        self._second = list[subprocess.Popen[bytes]]()

    def come(self) -> None:
        asked = ["--ray", self.entry.address, "--token-file", self._token]
        self._second.append(
            subprocess.Popen([sys.executable, "-m", "pipelines.cluster.worker", *asked], cwd=HERE, stdout=subprocess.DEVNULL)
        )

    def lose(self, number: int) -> None:
        for process in actors(self.entry.address):
            os.kill(process, signal.SIGKILL)

    def close(self) -> None:
        for process in self._second:
            process.terminate()
            process.wait(30)


@dataclass
class ClusterHouse(House):
    """Its studio has a device of its own, and those of a cluster."""

    computers: Computers | None = None
    rooms: list[Room] = field(default_factory=list)

    def open(self) -> None:
        self.more = {"steps": KeptSteps(self.folder / "outputs", 10**9), "further": self._further}
        super().open()

    def catalog(self) -> Catalog:
        return Catalog(self.folder / "starter", [self.folder / "models"])

    def _open_runner(self) -> Runner:
        outputs = self.folder / "outputs"
        return ModelRunner(self.catalog(), CPU, Machine(host=10**9), Inputs(outputs / INPUTS), steps=self.more["steps"])

    def _further(self) -> tuple[()]:
        assert self.studio and self.computers
        ray, welcome = self.computers.ray, self.studio.devices.welcome
        room = Room(self.computers.entry, self.catalog(), lambda *_: (setup_of(self.folder), None), welcome, ray and ray.begin_process)
        self.rooms.append(room)
        room.start([], draws=True)
        return ()


@pytest.fixture(scope="module", params=[Pretended, pytest.param(Real, marks=WITH_RAY)])
def open_house(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, one_chromium: OneChromium) -> Generator[House]:
    os.environ["OMP_NUM_THREADS"] = str(torch.get_num_threads())  # by which sums are added up in the same parts
    folder = folder_with(write_toy_model(tmp_path_factory.mktemp("model") / "starter"), tmp_path_factory.mktemp("house"))
    (kept := folder / "outputs" / ".ray").mkdir()
    house = ClusterHouse(folder, one_chromium.port, tabs=("txt2img", "models"), computers=request.param(kept))
    with opened(house):
        yield house
    assert house.computers
    for room in house.rooms:
        room.close()
    house.computers.close()


def row(visit: Visit, number: int) -> Locator:
    return visit.page.locator(".device").filter(has=visit.page.locator("strong", has_text=f"{number}. "))


def alone(house: House, folder: Path, studio: Studio, job: str) -> list[bytes]:
    """What one device draws by itself for the same request."""
    (folder := folder / job).mkdir()
    worker, runner = worker_in(folder_with(house.folder / "starter", folder))
    asked = studio.book.job(job)
    assert asked
    again = worker.book.submit(asked.request, "ada")
    worker.run_next(runner)
    found = pictures(worker, again)
    worker.close()
    return found


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int, int]]:
    """Of each step that came: its job, its number, and bytes of its preview."""
    found: list[tuple[str, int, int]] = []
    advance = JobProgress.advance

    def advanced(live: JobProgress, news: Step | PictureRecord, version: int) -> None:
        advance(live, news, version)
        if isinstance(news, Step) and not news.before:
            found.append((live.job.id, news.index, len(news.preview())))

    monkeypatch.setattr(JobProgress, "advance", advanced)
    return found


def only_cluster(visit: Visit, computers: Computers) -> None:
    """A second computer comes, and the owner pauses the studio's own device."""
    visit.open_tab("Models")
    expect(row(visit, 2)).to_contain_text("Free", timeout=90_000)
    computers.come()
    expect(row(visit, 3)).to_contain_text("Free", timeout=90_000)
    expect(row(visit, 3)).to_contain_text("hold models")
    visit.page.get_by_role("button", name="Pause: 1.").click()
    expect(row(visit, 1)).to_contain_text("Paused")
    visit.open_tab("Text to image")


def test_computers_come_draw_stop_and_go_and_the_page_shows_it(
    house: ClusterHouse, visit: Visit, tmp_path: Path, seen: list[tuple[str, int, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    studio, computers = house.studio, house.computers
    assert studio and computers
    only_cluster(visit, computers)
    visit.unfold()
    for name, value in {"steps": "6", "seed": "3", "width": "64", "height": "64", "batch_count": "3"}.items():
        visit.set(name, value)
    visit.generate("a red ball")
    visit.finished()
    [job] = {job for job, _, _ in seen}
    wait_for(visit.page, lambda: job not in studio._worker._live)
    assert [step for _, step, _ in seen] == [1, 2, 3, 4, 5, 6] * 3 and all(size for _, _, size in seen), "every step with its preview"
    assert pictures(studio._worker, job) == alone(house, tmp_path, studio, job), "bit for bit"

    visit.set("batch_count", "1")
    visit.set("steps", "150")
    seen.clear()
    visit.generate("a red ball")
    visit.wait_for_step(2)
    at = list[int]()
    stop = studio.stop
    monkeypatch.setattr(studio, "stop", lambda *asked: (at.append(seen[-1][1]), stop(*asked)))
    visit.part("stop").click()
    wait_for(visit.page, lambda: "Stopped" in (visit.part("status").text_content() or ""))
    assert seen[-1][1] <= at[0] + 1, "within a step"

    visit.set("batch_count", "3")
    visit.set("steps", "40")
    seen.clear()
    visit.generate("a red house")
    wait_for(visit.page, lambda: len({step for _, step, _ in seen}) > 20)
    job = seen[0][0]
    lost = next(hand.number for hand in studio._worker.hands if hand.live)
    computers.lose(lost)
    visit.open_tab("Models")
    expect(row(visit, lost + 1)).to_contain_text("not in the cluster at the moment" if computers.ray else "Free", timeout=60_000)
    visit.open_tab("Text to image")
    wait_for(visit.page, lambda: len(studio.book.pictures_of(job)) == 3 and job not in studio._worker._live, 90)
    visit.finished()
    assert pictures(studio._worker, job) == alone(house, tmp_path, studio, job), "each once, and the same"
    assert not studio._worker.hands[0].live and studio.devices.all()[0].paused
