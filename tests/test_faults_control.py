"""Control units that cannot work are refused before the first step, and odd pictures are read all the same."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from models.errors import UserError
from models.library.catalog import STARTER
from pipelines import Controlled, ControlUse
from pipelines.job_book.book import JobBook
from pipelines.resolving.resolve import resolve
from pipelines.runtime.runner import ModelRunner
from pipelines.services.uploads import Uploads
from tests.support.faults import REQUEST, Files, draw, files, open_toys, originals, runner
from tests.support.toy_controls import control_lora, sizes_of

__all__ = ["files", "originals", "runner"]
SIDE = REQUEST.width
SAME: dict[str, Any] = {"prompt": REQUEST.prompt, "steps": REQUEST.steps, "seed": REQUEST.seed, "width": SIDE, "height": SIDE}


def write_net(files: Files, **other: Any) -> None:
    """A ControlNet for the toy model, or for one of other sizes."""
    from diffusers import ControlNetModel

    with open_toys(files).model(STARTER) as model:
        _, net = control_lora(model.unet)
    net: Any = ControlNetModel.from_config({**net.config, **other}) if other else net
    path = files.models / "controlnet" / "lines.safetensors"
    path.parent.mkdir()
    save_file(net.state_dict(), path, sizes_of(net))


def of_unit(runner: ModelRunner, picture: bytes) -> Controlled:
    """As the page does it: the picture goes through the door, then the request is looked through."""
    folder = runner.inputs.folder
    taken = Uploads(runner.inputs, JobBook(folder / "book.db", folder)).picture(picture, "me")
    [net] = runner.catalog.models("controlnet")
    return resolve(Controlled(**SAME, controls=(ControlUse(id=net.id, image=taken.id),)), runner.catalog)


def png(image: Image.Image) -> bytes:
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


def small() -> Image.Image:
    """10 x 10, half of it transparent."""
    chance = np.random.default_rng(1).integers(0, 256, (10, 10, 4), np.uint8)
    chance[:5, :, 3], chance[5:, :, 3] = 255, 0
    return Image.fromarray(chance, "RGBA")


def test_b36_a_net_of_another_width_is_refused_before_step_1_and_the_next_job_works(files: Files) -> None:
    write_net(files, cross_attention_dim=64)
    runner = open_toys(files)
    before = draw(runner)
    with pytest.raises(UserError, match=r"“lines” was made for a model of another size"):
        of_unit(runner, png(small()))
    assert draw(runner) == before


def test_b36_a_tiny_transparent_picture_is_stretched_over_what_is_drawn(files: Files) -> None:
    write_net(files)
    runner, maps = open_toys(files), list[torch.Tensor]()
    request = of_unit(runner, png(small()))
    with runner.lent(request) as model:
        net: Any = model.controls[request.controls[0].id].network
        net.controlnet_cond_embedding.register_forward_pre_hook(lambda _, given: maps.append(given[0]))
    assert draw(runner, request) != draw(runner)
    [seen] = maps
    assert seen.shape == (1, 3, SIDE, SIDE)
    assert seen.isfinite().all() and 0 <= seen.min() < seen.max() <= 1
