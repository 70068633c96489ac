"""Control units on a device that has little memory: their networks take their turns with the model's, and the picture is the same."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from safetensors.torch import save_file

from models.library.catalog import STARTER
from models.memory.forecast import Machine, working_memory
from pipelines import Controlled, ControlUse
from pipelines.resolving.forecast import work_of
from pipelines.runtime.runner import ModelRunner
from tests.support.drawing import blots
from tests.support.faults import CARD, GB, REQUEST, Files, draw, files, open_toys, originals
from tests.support.toy_controls import control_lora, sizes_of

__all__ = ["files", "originals"]
SIDE = REQUEST.width


@pytest.mark.parametrize("room", ["for a part", "for less than a part"])
@pytest.mark.parametrize("kind", ["controlnet", "control-lora"])
def test_its_networks_come_to_a_device_that_cannot_hold_all_and_the_picture_is_the_same(kind: str, room: str, files: Files) -> None:
    write_unit(files, kind)
    plain = open_toys(files)
    request = held_by_unit(plain)
    pictures = working_memory(work_of(request, plain.catalog, CARD), CARD)
    device = {"for a part": largest(plain, request) + pictures, "for less than a part": 1}[room]
    runner, away = open_toys(files, Machine(host=GB, device=device)), list[bool]()
    with runner.lent(request, sparing=True) as model:
        layer: Any = model.controls[request.controls[0].id].ready(model.unet).get_submodule("conv_in")
        home = layer.weight.data_ptr()
        layer.register_forward_hook(lambda layer, *_: away.append(layer.weight.data_ptr() != home))
    assert draw(runner, request) == draw(plain, request) != draw(plain)
    assert {line.tier for line in runner.ledger} == {"host"}
    assert away == [True] * REQUEST.steps, "its weights were on the device at each call"


def largest(runner: ModelRunner, request: Controlled) -> int:
    """Bytes of the largest network."""
    with runner.lent(request) as model:
        networks = [model.unet, model.vae, *(control.ready(model.unet) for control in model.controls.values())]
        return max(sum(weight.nbytes for weight in network.parameters()) for network in networks)


def write_unit(files: Files, kind: str) -> Path:
    path = files.models / "controlnet" / "lines.safetensors"
    path.parent.mkdir()
    with open_toys(files).model(STARTER) as model:
        tensors, whole = control_lora(model.unet)
    save_file(tensors if kind == "control-lora" else whole.state_dict(), path, sizes_of(whole))
    return path


def held_by_unit(runner: ModelRunner) -> Controlled:
    [entry] = runner.catalog.models("controlnet")
    image: Image.Image = blots((SIDE, SIDE))
    same: Any = {"prompt": REQUEST.prompt, "steps": REQUEST.steps, "seed": REQUEST.seed, "width": SIDE, "height": SIDE}
    return Controlled(**same, controls=(ControlUse(id=entry.id, image=runner.inputs.keep(image)),))
