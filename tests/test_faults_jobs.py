"""Our own code breaks, or numbers overflow: that costs one job, and the next one draws as if nothing had happened."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from models.errors import Overflow
from models.library.catalog import STARTER
from models.memory.device import Device
from models.memory.forecast import Machine
from pipelines.job_book.book import JobBook
from pipelines.jobs.outputs import Outputs
from pipelines.jobs.worker import BROKEN, Worker
from pipelines.requests.request import TextToImage
from pipelines.runtime.runner import ModelRunner
from tests.support.faults import CPU, GB, HOST_ALONE, REQUEST, Files, draw, files, ink, open_toys, originals, other, pictures, runner

__all__ = ["files", "originals", "runner"]  # fixtures

# ------------------------------------------------------------------------------------------------ our own code breaks


@dataclass
class Workshop:
    """An engine around the painter, and the pictures that it saved."""

    worker: Worker
    runner: ModelRunner

    def run(self, request: TextToImage = REQUEST) -> tuple[str, str, list[Path]]:
        """State, message and saved pictures of one job."""
        job_id = self.worker.submit(request, "ada")
        assert self.worker.run_next(self.runner)
        job = self.worker.book.job(job_id)
        assert job and self.worker.live(job_id) is None
        return job.state, job.message, [record.path for record in self.worker.book.pictures_of(job_id)]


@pytest.fixture
def workshop(runner: ModelRunner, tmp_path: Path) -> Iterator[Workshop]:
    outputs = tmp_path / "outputs"
    book = JobBook(outputs / "studio.db", outputs)
    yield Workshop(Worker(book, Outputs(outputs), lambda: runner), runner)
    book.close()


def broken(*arguments: Any, **keywords: Any) -> Any:
    raise ZeroDivisionError("/secret/path")


PLACES = {
    "step": "pipelines.denoising.denoiser.Denoiser.__call__",
    "sampler": "pipelines.tasks.sampling.sample",
    "schedule": "pipelines.tasks.sampling.plan",
    "LoRA": "pipelines.runtime.lending.applied",
    "reading a LoRA": "pipelines.runtime.loaders.read_lora",
    "decoder": "pipelines.tasks.sampling.decode",
    "saving": "pipelines.jobs.outputs.Outputs.save",
    "the news of a step": "pipelines.jobs.progress.JobProgress.advance",
}


@pytest.mark.parametrize("place", PLACES)
def test_f06_whatever_breaks_costs_one_job_and_tells_no_secret(workshop: Workshop, monkeypatch: pytest.MonkeyPatch, place: str) -> None:
    request = replace(REQUEST, loras=(ink(workshop.runner),))
    with monkeypatch.context() as patch:
        patch.setattr(PLACES[place], broken)
        assert workshop.run(request) == ("failed", BROKEN, [])
    fresh = draw(ModelRunner(workshop.runner.catalog, CPU, HOST_ALONE, workshop.runner.inputs), request)
    assert draw(workshop.runner, request) == fresh
    assert workshop.run(request)[0] == "done"
    assert all(line.leases == 0 for line in workshop.runner.ledger)


def test_f06_a_preview_that_breaks_costs_neither_the_job_nor_the_viewer(workshop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[list[str]] = []
    advance = workshop.worker.bell.ring

    def look(name: str | None = None) -> None:
        shown.extend(live.frames(-1) for live in workshop.worker._live.values())
        advance(name)

    monkeypatch.setattr("pipelines.tasks.sampling.preview_of", lambda decoder, x0: broken)
    monkeypatch.setattr(workshop.worker.bell, "ring", look)
    assert workshop.run()[0] == "done"
    assert shown and not any(shown)


# ------------------------------------------------------------------------------------------------ numbers overflow


def test_f07_a_network_with_a_weight_that_is_no_number_saves_no_picture(workshop: Workshop) -> None:
    with workshop.runner.model(STARTER) as model:
        weight, good = model.unet.conv_out.weight, model.unet.conv_out.weight.data.clone()
        weight.data[0, 0, 0, 0] = float("nan")
    state, message, saved = workshop.run()
    assert (state, saved) == ("failed", []) and "UNet" in message
    weight.data.copy_(good)
    assert workshop.run()[0] == "done"


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_f08_one_number_in_one_corner_is_enough(runner: ModelRunner, bad: float) -> None:
    def spoil(module: torch.nn.Module, inputs: Any, output: torch.Tensor) -> torch.Tensor:
        output = output.clone()
        output[-1, -1, -1, -1] = bad
        return output

    with runner.model(STARTER) as model:
        model.unet.conv_out.register_forward_hook(spoil)
    with pytest.raises(Overflow, match="UNet"):
        draw(runner)


def test_f09_a_vae_that_overflows_in_half_precision_is_used_in_full_and_the_picture_says_so(files: Files) -> None:
    half = Device(torch.device("cpu"), torch.float16)
    runner = open_toys(files, Machine(host=GB, element_size=2), half)
    with runner.model(STARTER) as model:
        before = {name: weight.clone() for name, weight in model.vae.state_dict().items()}

        def overflow(module: torch.nn.Module, inputs: Any, output: torch.Tensor) -> torch.Tensor:
            return output * float("nan") if output.dtype == torch.float16 else output

        model.vae.decoder.register_forward_hook(overflow)
    picture = pictures(runner)[0]
    assert picture.made_with["VAE precision"] == "float32" and picture.made_with["Model hash"]
    after = model.vae.state_dict()
    assert all(torch.equal(after[name], weight) and after[name].dtype == weight.dtype for name, weight in before.items())


# ------------------------------------------------------------------------------------------------ two people


@pytest.mark.parametrize("machine", [Machine(host=1), Machine(host=GB, device=30_000_000), HOST_ALONE], ids=["one", "moved", "both"])
def test_f30_two_people_on_two_checkpoints_each_get_their_own(files: Files, tmp_path: Path, machine: Machine) -> None:
    fresh = open_toys(files)
    chosen = {"ada": replace(REQUEST, steps=2), "bob": replace(REQUEST, steps=2, checkpoint=other(fresh))}
    expected = {user: pictures(fresh, request)[0] for user, request in chosen.items()}
    runner, outputs = open_toys(files, machine), tmp_path / "outputs"
    worker = Worker(JobBook(outputs / "studio.db", outputs), Outputs(outputs), lambda: runner)
    for number in range(20):
        worker.submit(chosen["ada" if number % 2 else "bob"], "ada" if number % 2 else "bob")
    while worker.run_next(runner):
        pass
    for user, picture in expected.items():
        records = worker.book.recent(user, 100)
        assert len(records) == 10
        for record in records:
            saved = Image.open(record.path)
            assert saved.tobytes() == picture.image.tobytes()
            assert f"Model hash: {picture.made_with['Model hash']}" in saved.info["parameters"]
    assert expected["ada"].made_with["Model hash"] != expected["bob"].made_with["Model hash"]
    worker.book.close()
