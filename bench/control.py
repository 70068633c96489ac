"""Drawing under control units against the bare sum of the network calls, and previews of their maps, on the starter model."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
from PIL import Image

from bench.engine import STEPS, USER, job_seconds, starter_request, studio
from bench.paired import Row, Timed, compare, row, take_turns
from models.loading import DiffusionModel
from pipelines import ControlUse, Studio
from pipelines.control_picture import control_picture
from pipelines.painter import ModelPainter
from pipelines.request import TextToImage

MAP_SIDE = 512


def measure(rounds: int) -> list[Row]:
    with studio() as (atelier, painter):
        plain = starter_request(atelier.checkpoints()[0])
        one, three = (replace(plain, controls=units(atelier, painter, plain, count)) for count in (1, 3))
        with painter.lent(three) as model, torch.inference_mode():
            variants: dict[str, Timed] = {
                "bare calls with one unit": bare_calls(model, plain, one.controls),
                "job with one unit": lambda: job_seconds(atelier, one),
                "bare calls with three units": bare_calls(model, plain, three.controls),
                "job with three units": lambda: job_seconds(atelier, three),
            }
            times = take_turns(variants, rounds)
        rows = compare(times, "bare calls with one unit", {"job with one unit": 1.05})
        rows += compare(times, "bare calls with three units", {"job with three units": 1.05})
        return [*rows, *previews(atelier, painter, rounds)]


def units(atelier: Studio, painter: ModelPainter, request: TextToImage, count: int) -> tuple[ControlUse, ...]:
    """Outlines, depth, and the outlines of another picture, each read off a picture of grey ramps by Canny or taken as it is."""
    size = request.width, request.height
    pictures = [Image.linear_gradient("L").resize(size).convert("RGB"), Image.radial_gradient("L").resize(size).convert("RGB")]
    ids = [atelier.intake.keep(picture, USER).id for picture in (*pictures, pictures[1])]
    names = ("outlines", "depth", "outlines")
    found = [painter.catalog.find("controlnet", name) for name in names]
    uses = [
        ControlUse(id=entry.id, image=image, preprocessor="None" if name == "depth" else "Canny")
        for entry, image, name in zip(found, ids, names, strict=True)
        if entry
    ]
    assert len(uses) == len(names), "the starter's ControlNets are not there"
    return tuple(uses[:count])


def bare_calls(model: DiffusionModel, request: TextToImage, uses: tuple[ControlUse, ...]) -> Timed:
    """The calls that the job makes, in their shapes, with nothing between them."""
    latents = torch.randn(2, 4, request.height // 8, request.width // 8)
    context = torch.randn(2, 77, model.unet.config["cross_attention_dim"])
    timestep, hint = torch.full((2,), 500.0), torch.rand(2, 3, request.height, request.width)
    networks = [model.controls[use.id].ready(model.unet) for use in uses]

    def run() -> float:
        begin = time.perf_counter()
        for _ in range(STEPS):
            answers = [network(latents, timestep, context, hint, 1.0, return_dict=False) for network in networks]
            down, mid = answers[0]
            model.unet(
                latents, timestep, context, down_block_additional_residuals=down, mid_block_additional_residual=mid, return_dict=False
            )
        model.vae.decode(latents[:1], return_dict=False)  # pyright: ignore[reportArgumentType]
        return time.perf_counter() - begin

    return run


def previews(atelier: Studio, painter: ModelPainter, rounds: int) -> list[Row]:
    """From the request of the page until the map is stored, against the map alone."""
    picture = Image.radial_gradient("L").resize((MAP_SIDE, MAP_SIDE)).convert("RGB")
    image, size = atelier.intake.keep(picture, USER).id, (MAP_SIDE, MAP_SIDE)
    canny, deep = (ControlUse(image=image, preprocessor=name) for name in ("Canny", "Starter depth"))

    def estimated() -> None:
        with painter.annotator("starter_depth") as annotator:
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
