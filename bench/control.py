"""Drawing under control units against the sum of the network calls, and previews of their maps, on the starter model."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

from PIL import Image
from torch import nn

from bench.engine import STEPS, USER, job_seconds, starter_request, studio
from bench.paired import Row, Timed, row, take_turns
from models.diffusion_model import DiffusionModel
from pipelines import ControlUse, Studio
from pipelines.control.control_map import control_picture
from pipelines.requests.request import TextToImage
from pipelines.runtime.runner import ModelRunner

MAP_SIDE = 512
UNITS = {"one unit": 1, "three units": 3}


def measure(rounds: int) -> list[Row]:
    with studio() as (atelier, runner):
        plain = starter_request(atelier.checkpoints()[0])
        requests = {name: replace(plain, controls=units(atelier, runner, plain, count)) for name, count in UNITS.items()}
        own: dict[str, list[float]] = {}
        variants = {f"job with {name}": clocked(atelier, runner, request, own.setdefault(name, [])) for name, request in requests.items()}
        times = take_turns(variants, rounds)
        rows = [row(f"job with {name} / its network calls", times[f"job with {name}"], own[name][1:], 1.05) for name in requests]
        return [*rows, *previews(atelier, runner, rounds)]


def units(atelier: Studio, runner: ModelRunner, request: TextToImage, count: int) -> tuple[ControlUse, ...]:
    """Outlines, depth, and the outlines of another picture, each read off a picture of grey ramps by Canny or taken as it is."""
    size = request.width, request.height
    pictures = [Image.linear_gradient("L").resize(size).convert("RGB"), Image.radial_gradient("L").resize(size).convert("RGB")]
    ids = [atelier.uploads.keep(picture, USER).id for picture in (*pictures, pictures[1])]
    names = ("outlines", "depth", "outlines")
    found = [runner.catalog.find("controlnet", name) for name in names]
    uses = [
        ControlUse(id=entry.id, image=image, preprocessor="None" if name == "depth" else "Canny")
        for entry, image, name in zip(found, ids, names, strict=True)
        if entry
    ]
    assert len(uses) == len(names), "the starter's ControlNets are not there"
    return tuple(uses[:count])


def clocked(atelier: Studio, runner: ModelRunner, request: TextToImage, calls: list[float]) -> Timed:
    """The job, and to `calls` what its own network calls took: in one run, as between two the machine differs by more than is measured."""

    def run() -> float:
        with runner.lent(request) as model, ExitStack() as stack:
            clocks = [Clock(network, stack) for network in networks_of(model)]
            seconds = job_seconds(atelier, request)
        unet, *steered = (clock.count for clock in clocks[: 1 + len(model.controls)])
        assert (unet, sum(steered)) == (STEPS, STEPS * len(request.controls)), "a network was called for nothing"
        calls.append(sum(clock.seconds for clock in clocks))
        return seconds

    return run


def networks_of(model: DiffusionModel) -> list[Any]:
    """The UNet, those that steer it, and all others that run before and after the steps."""
    steering: list[Any] = [control.ready(model.unet) for control in model.controls.values()]
    first_layers = [network.controlnet_cond_embedding for network in steering]
    return [model.unet, *steering, *first_layers, model.vae.decoder, *(encoder.network for encoder in model.text_encoders)]


class Clock:
    """How often a network is called, and for how long."""

    def __init__(self, network: nn.Module, stack: ExitStack) -> None:
        self.count, self.seconds, self._begin = 0, 0.0, 0.0
        stack.callback(network.register_forward_pre_hook(self._start).remove)
        stack.callback(network.register_forward_hook(self._stop).remove)

    def _start(self, *_: Any) -> None:
        self._begin = time.perf_counter()

    def _stop(self, *_: Any) -> None:
        self.count += 1
        self.seconds += time.perf_counter() - self._begin


def previews(atelier: Studio, runner: ModelRunner, rounds: int) -> list[Row]:
    """From the request of the page until the map is stored, against the map alone."""
    picture = Image.radial_gradient("L").resize((MAP_SIDE, MAP_SIDE)).convert("RGB")
    image, size = atelier.uploads.keep(picture, USER).id, (MAP_SIDE, MAP_SIDE)
    canny, deep = (ControlUse(image=image, preprocessor=name) for name in ("Canny", "Starter depth"))

    def estimated() -> None:
        with runner.annotator("starter_depth") as annotator:
            control_picture(deep, picture, size, annotator)

    times = take_turns(
        {
            "Canny of 512 pixels": lambda: _seconds(lambda: control_picture(canny, picture, size)),
            "its preview": lambda: _seconds(lambda: atelier.control_preview(canny, size, USER)),
            "depth of 512 pixels": lambda: _seconds(estimated),
            "its own preview": lambda: _seconds(lambda: atelier.control_preview(deep, size, USER)),
        },
        rounds,
    )
    return [
        row("preview of a Canny map / the map alone", times["its preview"], times["Canny of 512 pixels"], None),
        row("preview of a depth map / the map alone", times["its own preview"], times["depth of 512 pixels"], None),
    ]


def _seconds(work: Callable[[], Any]) -> float:
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin
