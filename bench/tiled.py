"""A second pass in windows and tile by tile against the sum of its network calls, on the starter model."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace
from typing import Any

from PIL import Image

from bench.control import Clock
from bench.engine import USER, job_seconds, starter_request, studio
from bench.paired import Row, Timed, row, take_turns
from models.diffusion_model import DiffusionModel
from pipelines import ImageToImage, Studio
from pipelines.images.tiles import parts, window_boxes
from pipelines.requests.steps import steps_of
from pipelines.requests.tiles import ONE_BY_ONE, WINDOWS
from pipelines.runtime.runner import ModelRunner

TIMES = 2  # as large, along each side, as the starter was trained for


def measure(rounds: int) -> list[Row]:
    with studio() as (atelier, runner):
        plain = starter_request(atelier.checkpoints()[0])
        side = plain.width
        picture = Image.radial_gradient("L").resize((side * TIMES, side * TIMES)).convert("RGB")
        over: dict[str, Any] = {"width": side * TIMES, "height": side * TIMES, "tile_size": side, "tile_overlap": side // 2}
        windows = ImageToImage(
            prompt=plain.prompt, seed=1, image=atelier.uploads.keep(picture, USER).id, denoising_strength=0.4, tiling=WINDOWS, **over
        )
        requests = {"in windows": windows, "tile by tile": replace(windows, tiling=ONE_BY_ONE)}
        own: dict[str, list[float]] = {name: [] for name in requests}
        variants = {name: clocked(atelier, runner, request, own[name]) for name, request in requests.items()}
        times = take_turns(variants, min(rounds, 5))
    return [row(f"second pass {name} / its network calls", times[name], own[name][1:], 1.05) for name in requests]


def clocked(atelier: Studio, runner: ModelRunner, request: ImageToImage, calls: list[float]) -> Timed:
    """The job, and to `calls` what its own network calls took: in one run, as between two the machine differs by more than is measured."""
    count = len(parts(request, (request.width, request.height)) if request.tiling == ONE_BY_ONE else window_boxes(request))

    def run() -> float:
        with runner.lent(request) as model, ExitStack() as stack:
            clocks = [Clock(network, stack) for network in networks_of(model)]
            seconds = job_seconds(atelier, request)
        assert clocks[0].count == count * steps_of(request).run, "the network was called for nothing"
        calls.append(sum(clock.seconds for clock in clocks))
        return seconds

    return run


def networks_of(model: DiffusionModel) -> list[Any]:
    return [model.unet, model.vae.encoder, model.vae.decoder, *(encoder.network for encoder in model.text_encoders)]
