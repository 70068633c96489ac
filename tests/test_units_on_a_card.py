"""Control units whose toys no file can hold, on a pretended card: adapters and unions, read by a model that is handed its networks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from models.diffusion_model import DiffusionModel
from models.families import SD1, SDXL, Family
from models.memory.device import choose
from pipelines import Controlled, ControlUse
from pipelines.images.store import Inputs
from pipelines.jobs.events import Picture, Step
from pipelines.tasks import txt2img
from tests.support.controls import SAME, holding, inputs, unit
from tests.support.drawing import levels, task
from tests.support.pretended_device import NAME, Card, pretended_card
from tests.support.toy_weights import load_toy_model, write_toy_model
from tests.test_control_union import union_of, units_of

__all__ = ["inputs"]


def adapter_of(model: DiffusionModel) -> Any:
    from diffusers import T2IAdapter

    torch.manual_seed(3)
    return T2IAdapter(channels=[32, 64], num_res_blocks=1).eval().requires_grad_(False)


def one(inputs: Inputs) -> tuple[ControlUse, ...]:
    return (unit(inputs, mode="Prompt"),)


def both(inputs: Inputs) -> tuple[ControlUse, ...]:
    return units_of(inputs, (1, 3))


KINDS: dict[str, tuple[Family, Callable[[DiffusionModel], Any], Callable[[Inputs], tuple[ControlUse, ...]]]] = {
    "t2i-adapter": (SD1, adapter_of, one),
    "union": (SDXL, union_of, both),
}


@pytest.mark.parametrize("kind", KINDS)
def test_the_picture_is_that_of_the_host_and_a_step_waits_once(kind: str, inputs: Inputs, tmp_path: Path) -> None:
    family, network_of, units = KINDS[kind]
    folder = write_toy_model(tmp_path, family=family)
    plain = load_toy_model(folder, family=family)
    request = replace(Controlled(**SAME, controls=units(inputs)), steps=3)
    expected, _ = drawn(holding(plain, network_of(plain), kind=kind), request, inputs, Card())
    with pretended_card() as card:
        device = choose(NAME)
        network = network_of(plain).to(device.torch_device, device.dtype)
        found, waited = drawn(holding(load_toy_model(folder, device, family), network, kind=kind), request, inputs, card)
    assert int((levels(found) - levels(expected)).abs().max()) <= 8
    assert len(waited) == 3 and max(map(len, waited[1:])) == 1, waited


def drawn(model: DiffusionModel, request: Controlled, inputs: Inputs, card: Card) -> tuple[Image.Image, list[list[str]]]:
    """The picture, and for what each step waited."""
    image, waited = None, []
    with torch.inference_mode():
        for event in next(txt2img.batches(task(request, model, inputs))):
            if isinstance(event, Step):
                waited.append(list(card.waited))
            elif isinstance(event, Picture):
                image = event.image
            card.waited.clear()
    assert image
    return image, waited
