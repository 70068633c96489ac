"""A whole job of the engine against the bare sum of its network calls, on the starter model; and what viewers add."""

from __future__ import annotations

import asyncio
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import torch

from bench.paired import Row, Timed, compare, row, take_turns
from models.diffusion_model import DiffusionModel
from models.library.catalog import STARTER, Catalog, Checkpoint
from pipelines.images.store import Inputs
from pipelines.job_book.book import JobBook
from pipelines.jobs.outputs import Outputs
from pipelines.preprocessors.annotators import Annotators
from pipelines.requests.request import Request, TextToImage
from pipelines.runtime.runner import ModelRunner, open_runner
from pipelines.studio import Studio

HERE = Path(__file__).parent.parent
STEPS = 20
USER = "bench"


def measure(rounds: int) -> list[Row]:
    with studio() as (atelier, runner):
        request = starter_request(atelier.checkpoints()[0])
        with torch.inference_mode(), runner.model(STARTER) as model:
            bare = bare_calls(model, request)
            first_two = bare_calls(model, request, steps=2, decode=False)
            variants: dict[str, Timed] = {
                "bare UNet and VAE calls": bare,
                "job, nobody watching": lambda: job_seconds(atelier, request),
                "job, previews at every step": lambda: watched(atelier, request, viewers=1),
                "job, five viewers": lambda: watched(atelier, request, viewers=5),
                "job, a viewer that stalls": lambda: watched(atelier, request, viewers=1, stalled=True),
                "first two UNet calls": first_two,
                "click to first preview": lambda: first_preview(atelier, request),
            }
            times = take_turns(variants, rounds)
    rows = compare(times, "bare UNet and VAE calls", {"job, nobody watching": 1.10})
    watching = {"job, previews at every step": 1.03, "job, five viewers": None, "job, a viewer that stalls": 1.03}
    rows += compare(times, "job, nobody watching", watching)
    clicked, called = times["click to first preview"], times["first two UNet calls"]
    return [*rows, row("click to first preview / first two UNet calls", clicked, called, 1.5)]


@contextmanager
def studio() -> Iterator[tuple[Studio, ModelRunner]]:
    """The real studio on the starter model, in a folder that goes away."""
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        catalog = Catalog(HERE / "models" / "starter")
        inputs = Inputs(folder / ".inputs")
        runner = open_runner(catalog, "cpu", inputs)
        annotators = Annotators([], HERE / "models" / "starter")
        result = Studio(
            catalog, Outputs(folder), JobBook(folder / "studio.db", folder), lambda: runner, inputs=inputs, annotators=annotators
        )
        result.start()
        stack.callback(result.close)
        yield result, runner


def starter_request(checkpoint: Checkpoint) -> TextToImage:
    size = checkpoint.native_size
    return TextToImage(prompt=checkpoint.examples[0], seed=1, steps=STEPS, width=size, height=size, sampler="DPM++ 2M")


def bare_calls(model: DiffusionModel, request: TextToImage, steps: int = STEPS, decode: bool = True) -> Timed:
    """The network calls that the job makes, in their shapes, with nothing between them."""
    latents = torch.randn(2, 4, request.height // 8, request.width // 8)
    context = torch.randn(2, 77, model.unet.config["cross_attention_dim"])
    timestep = torch.full((2,), 500.0)

    def run() -> float:
        begin = time.perf_counter()
        for _ in range(steps):
            model.unet(latents, timestep, context, return_dict=False)
        if decode:
            model.vae.decode(latents[:1], return_dict=False)  # pyright: ignore[reportArgumentType]
        return time.perf_counter() - begin

    return run


def job_seconds(atelier: Studio, request: Request) -> float:
    """From the moment the worker takes the job until its pictures are saved and it has ended."""
    job_id = atelier.submit(request, USER)
    while (job := atelier.job(job_id, USER)).ended is None:
        time.sleep(0.05)
    assert job.state == "done" and job.started, job.message
    return job.ended - job.started


def watched(atelier: Studio, request: Request, viewers: int, stalled: bool = False) -> float:
    """The job while pages watch it. A stalled one asks once and then does not read for the rest of the job."""
    stop = threading.Event()
    watching = [threading.Thread(target=_view, args=(atelier, stop, stalled)) for _ in range(viewers)]
    for thread in watching:
        thread.start()
    seconds = job_seconds(atelier, request)
    stop.set()
    for thread in watching:
        thread.join()
    return seconds


def _view(atelier: Studio, stop: threading.Event, stalled: bool) -> None:
    async def follow() -> None:
        while not stop.is_set() and (job_id := atelier.current(USER)) is None:
            await asyncio.sleep(0.001)
        after = -1
        while not stop.is_set():
            news = await atelier.watch(job_id or "", USER, after, 0.2)
            after = news["version"]
            if stalled:
                await asyncio.to_thread(stop.wait)

    asyncio.run(follow())


def first_preview(atelier: Studio, request: TextToImage) -> float:
    """From submit until a viewer holds the first frame; the job is then stopped."""

    async def follow() -> None:
        after = -1
        while not (news := await atelier.watch(job_id, USER, after))["previews"]:
            after = news["version"]

    begin = time.perf_counter()
    job_id = atelier.submit(request, USER)
    asyncio.run(follow())
    seconds = time.perf_counter() - begin
    atelier.stop(job_id, USER)
    while atelier.current(USER):
        time.sleep(0.002)
    return seconds


def until(longest: float, condition: Callable[[], bool]) -> None:
    """Raises `TimeoutError` when it does not come true within `longest` seconds."""
    end = time.monotonic() + longest
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError
        time.sleep(0.01)
