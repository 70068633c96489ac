"""What a card gives, against plain diffusers at equal pictures: SD 1.5 at 512 and SDXL at 1024 pixels in full size, with random weights.

    python run.py bench gpu      about ten minutes on one card, and 12 GB of disk while it runs

Pictures alone and in batches, a few steps without guidance as turbo models take, previews of every step, a LoRA, the first picture of a
process, and a model put away and brought back (A-B-A); the peak of memory stands beside the forecast. Where there is no card, toys
go the same way in a few seconds, which says that all of it works and nothing of speed.
"""

from __future__ import annotations

import gc
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from PIL import Image, ImageChops, ImageStat

from bench.gpu_models import FULL, REDUCED, Scale, write_models
from bench.paired import Row, Timed, compare, row, take_turns
from models.library.catalog import Catalog
from models.memory.alive import Alive
from models.memory.device import Device, choose, read_machine, release
from models.memory.forecast import forecast
from pipelines.images.store import Inputs
from pipelines.jobs.events import Picture, Step
from pipelines.requests.request import LoraUse, TextToImage
from pipelines.resolving.forecast import work_of
from pipelines.runtime.runner import OWN, ModelRunner

PROMPT, NEGATIVE = "a red house beside a lake", "mountains"
EQUAL = 2.0  # levels of 255 that pictures may differ by on the average: two orders of adding up in half precision
GUIDANCE = 7.0


def measure(rounds: int) -> list[Row]:
    """`rounds` counts where there is no card; on one, three fill the ten minutes."""
    return measured(FULL if torch.cuda.is_available() else REDUCED)


def measured(scale: Scale) -> list[Row]:
    with tempfile.TemporaryDirectory() as name:
        root = write_models(Path(name), scale)
        rows: list[Row] = []
        for family in scale.sides:
            with opened(root, family, scale) as bench:
                rows += figures(bench)
            rows.append(first_pictures(root, family, scale))
        return [*rows, swap(root, scale)]


@dataclass(frozen=True)
class Bench:
    """Both programs with one model, loaded and warm."""

    family: str
    scale: Scale
    device: Device
    runner: ModelRunner
    pipeline: Any  # Any: diffusers annotates its pipelines in part
    request: TextToImage
    lora: str  # id in the library


@contextmanager
def opened(root: Path, family: str, scale: Scale) -> Iterator[Bench]:
    device = _device(scale)
    runner, pipeline = _runner(root, device), _pipeline(root / "checkpoints" / family, device)
    lora = next(file.id for file in runner.catalog.models("lora") if file.called == family)
    try:
        yield Bench(family, scale, device, runner, pipeline, _request(runner.catalog, family, scale), lora)
    finally:
        del runner, pipeline
        release(device)


def _device(scale: Scale) -> Device:
    return choose("cuda" if scale.full else "cpu")


def _runner(root: Path, device: Device) -> ModelRunner:
    catalog = Catalog(OWN, [root])
    catalog.rescan(wait=True)
    return ModelRunner(catalog, device, read_machine(device), Inputs(root / "inputs"))


def _pipeline(folder: Path, device: Device) -> Any:
    from diffusers import DiffusionPipeline
    from diffusers.utils import logging as of_diffusers
    from transformers.utils import logging as of_transformers

    of_diffusers.disable_progress_bar()
    of_transformers.disable_progress_bar()
    absent = {} if "xl" in folder.name else {"safety_checker": None, "feature_extractor": None, "requires_safety_checker": False}
    pipeline: Any = DiffusionPipeline.from_pretrained(folder, torch_dtype=device.dtype, local_files_only=True, **absent)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline.to(device.torch_device)


def _request(catalog: Catalog, name: str, scale: Scale) -> TextToImage:
    side = scale.sides[name.partition("-")[0]]
    checkpoint = next(entry.id for entry in catalog.checkpoints() if entry.file.called == name)
    same = {"steps": scale.steps, "seed": 5, "width": side, "height": side, "guidance_scale": GUIDANCE, "sampler": "Euler"}
    return TextToImage(prompt=PROMPT, negative_prompt=NEGATIVE, checkpoint=checkpoint, schedule="Normal", **same)


# ---------------------------------------------------------------------------------------------- what is timed


def figures(bench: Bench) -> list[Row]:
    one, scale = bench.request, bench.scale
    asked = {
        "picture": one,
        f"batch of {scale.batch}": replace(one, batch_size=scale.batch),
        f"{scale.turbo_steps} steps, no guidance": replace(one, steps=scale.turbo_steps, guidance_scale=1.0),
    }
    rows = [_against_diffusers(bench, f"{bench.family}: {what}", request) for what, request in asked.items()]
    peak(bench)
    return [*rows, *within(bench)]


def _against_diffusers(bench: Bench, title: str, request: TextToImage) -> Row:
    check_equal(bench, request, title)
    variants: dict[str, Timed] = {
        "ours": lambda: ours_seconds(bench, request),
        "theirs": lambda: theirs_seconds(bench, request),
    }
    times = take_turns(variants, bench.scale.rounds)
    return row(f"{title}, Atelier / diffusers", times["ours"], times["theirs"], None)


def within(bench: Bench) -> list[Row]:
    """What is added to a picture, against the picture alone."""
    title, one = bench.family, bench.request
    plain, seen, lora = f"{title}: picture", f"{title}: every step looked at", f"{title}: with a LoRA"
    changed = replace(one, loras=(LoraUse(id=bench.lora, unet=0.7),))
    variants: dict[str, Timed] = {
        plain: lambda: ours_seconds(bench, one),
        seen: lambda: ours_seconds(bench, one, look=True),
        lora: lambda: ours_seconds(bench, changed),
    }
    return compare(take_turns(variants, bench.scale.rounds), plain, {seen: None, lora: None})


def ours_seconds(bench: Bench, request: TextToImage, look: bool = False) -> float:
    return _timed(bench.device, lambda: ours(bench.runner, request, look))


def theirs_seconds(bench: Bench, request: TextToImage) -> float:
    return _timed(bench.device, lambda: theirs(bench.pipeline, request))


def _timed(device: Device, run: Callable[[], object]) -> float:
    _wait(device)
    begin = time.perf_counter()
    run()
    _wait(device)
    return time.perf_counter() - begin


def _wait(device: Device) -> None:
    if device.torch_device.type == "cuda":
        torch.cuda.synchronize(device.torch_device)


def ours(runner: ModelRunner, request: TextToImage, look: bool = False) -> list[Image.Image]:
    """`look`: at the preview of every step."""
    pictures: list[Image.Image] = []
    for batch in runner.batches(request):
        for event in batch:
            if isinstance(event, Picture):
                pictures.append(event.image)
            elif isinstance(event, Step) and look:
                event.preview()
    return pictures


def theirs(pipeline: Any, request: TextToImage) -> list[Image.Image]:
    """The noise of each picture from its own seed, as here, in full precision on the host."""
    shape = (1, 4, request.height // 8, request.width // 8)
    seeds = range(request.seed, request.seed + request.batch_size)
    noise = [torch.randn(shape, generator=torch.Generator().manual_seed(seed)) for seed in seeds]
    same = {"height": request.height, "width": request.width, "num_inference_steps": request.steps}
    asked = {"guidance_scale": request.guidance_scale, "negative_prompt": request.negative_prompt, **same}
    return pipeline(request.prompt, latents=torch.cat(noise), num_images_per_prompt=len(noise), **asked).images


def check_equal(bench: Bench, request: TextToImage, title: str) -> None:
    """Raises `AssertionError` where the two do not draw the same: then times say nothing."""
    pairs = list(zip(ours(bench.runner, request), theirs(bench.pipeline, request), strict=True))
    apart = max(max(ImageStat.Stat(ImageChops.difference(one, other)).mean) for one, other in pairs)
    print(f"   {title}: {len(pairs)} pictures, {apart:.2f} levels of 255 apart on the average", flush=True)
    assert apart <= EQUAL, f"{title}: the pictures differ"


# ---------------------------------------------------------------------------------------------- memory, beginnings, swaps


def peak(bench: Bench) -> None:
    """Prints it beside the forecast. Without a card, what is counted of tensors beside the weights."""
    machine = bench.runner.machine
    predicted = forecast(work_of(bench.request, bench.runner.catalog, machine), machine, machine.device or machine.host)
    if bench.device.torch_device.type != "cuda":
        with bench.runner.model(bench.request.checkpoint) as model:
            alive = Alive(torch.nn.ModuleList([model.unet, model.vae, *(encoder.network for encoder in model.text_encoders)]))
            with alive:
                ours(bench.runner, bench.request)
        print(f"   {bench.family}: {alive.peak / 1e6:.1f} MB beside the weights, forecast {predicted.work / 1e6:.1f} MB")
        return
    theirs_held = torch.cuda.memory_allocated()
    torch.cuda.reset_peak_memory_stats()
    with bench.runner.model(bench.request.checkpoint):
        held = sum(line.bytes for line in bench.runner.ledger if line.tier == "device")
        ours(bench.runner, bench.request)
    found = torch.cuda.max_memory_allocated() - theirs_held + held
    print(f"   {bench.family}: {found / 1e9:.2f} GB at the peak, forecast {(predicted.weights + predicted.work) / 1e9:.2f} GB")


def first_pictures(root: Path, family: str, scale: Scale) -> Row:
    """From nothing to the first picture of one step, the files read before: what loading costs."""
    device, times = _device(scale), {"ours": list[float](), "theirs": list[float]()}

    def first_of_ours() -> None:
        runner = _runner(root, device)
        ours(runner, replace(_request(runner.catalog, family, scale), steps=1))

    def first_of_theirs() -> None:
        catalog = Catalog(OWN, [root])
        catalog.rescan(wait=True)
        theirs(_pipeline(root / "checkpoints" / family, device), replace(_request(catalog, family, scale), steps=1))

    for _ in range(scale.rounds):
        for name, run in (("ours", first_of_ours), ("theirs", first_of_theirs)):
            times[name].append(_timed(device, run))
            gc.collect()
            release(device)
    return row(f"{family}: first picture, Atelier / diffusers", times["ours"], times["theirs"], None)


def swap(root: Path, scale: Scale) -> Row:
    """A, B and A again in one step each, on room for one of them, against the same three without a change of model."""
    device = _device(scale)
    runner = _runner(root, device)
    first, second = (replace(_request(runner.catalog, name, scale), steps=1) for name in ("sd1", "sd1-other"))
    if device.torch_device.type == "cuda":
        weights = work_of(first, runner.catalog, runner.machine).weights
        room = forecast(work_of(first, runner.catalog, runner.machine), runner.machine, 0).work + int(1.2 * weights)
        runner = ModelRunner(runner.catalog, device, replace(runner.machine, device=room), runner.inputs)

    def all_of(*requests: TextToImage) -> float:
        return _timed(device, lambda: [ours(runner, request) for request in requests])

    variants: dict[str, Timed] = {"A-A-A": lambda: all_of(first, first, first), "A-B-A": lambda: all_of(first, second, first)}
    times = take_turns(variants, scale.rounds)
    return row("sd1: A-B-A / A-A-A", times["A-B-A"], times["A-A-A"], None)
