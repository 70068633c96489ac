"""What tests of control units share: toy networks with ControlNets, maps, pictures of both sides and how far apart they are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw

from models.control.network import ControlNetwork
from models.diffusion_model import DiffusionModel
from models.families import SDXL
from pipelines import ControlUse
from pipelines.images.store import Inputs
from pipelines.requests.request import Drawing
from pipelines.tasks import img2img, inpaint, outpaint, txt2img
from tests.support.drawing import finished, levels, task
from tests.support.toy_weights import load_toy_model, write_toy_model

SIDE = 64
SAME: dict[str, Any] = {
    "prompt": "a red house", "negative_prompt": "mountains", "steps": 8, "seed": 5, "width": SIDE, "height": SIDE, "sampler": "Euler",
    "guidance_scale": 6.5,
}  # fmt: skip
THEIRS: dict[str, Any] = {
    "prompt": "a red house", "negative_prompt": "mountains", "num_inference_steps": 8, "guidance_scale": 6.5, "output_type": "pil",
}  # fmt: skip
NONE: dict[str, Any] = {"safety_checker": None, "feature_extractor": None, "requires_safety_checker": False}
HALF = {"strength": 0.625}  # five of eight steps: there int(8 * 0.625), here int(8 * 0.55) + 1
RECIPES: dict[str, Any] = {"txt2img": txt2img, "controlnet": txt2img, "img2img": img2img, "inpaint": inpaint, "outpaint": outpaint}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_toy_model(tmp_path_factory.mktemp("sd1"))


@pytest.fixture(scope="module")
def xl_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_toy_model(tmp_path_factory.mktemp("xl"), family=SDXL)


@pytest.fixture(scope="module")
def model(folder: Path) -> DiffusionModel:
    return load_toy_model(folder)


@pytest.fixture(scope="module")
def xl(xl_folder: Path) -> DiffusionModel:
    return load_toy_model(xl_folder, family=SDXL)


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Inputs:
    return Inputs(tmp_path_factory.mktemp("inputs"))


def net_of(model: DiffusionModel, seed: int) -> Any:
    """A ControlNet of the model's own sizes whose last layers are not zero, as those of a new one would be."""
    from diffusers import ControlNetModel

    net = ControlNetModel.from_unet(model.unet, conditioning_embedding_out_channels=(8, 8, 16, 16))
    return stirred(net, seed)


def stirred(network: Any, seed: int, size: float = 0.2) -> Any:
    torch.manual_seed(seed)
    for weight in network.parameters():
        if not weight.any():
            torch.nn.init.normal_(weight, std=size)
    return network.eval().requires_grad_(False)


def map_of(seed: int) -> Image.Image:
    """White lines on black."""
    chance, image = np.random.default_rng(seed), Image.new("RGB", (SIDE, SIDE))
    for _ in range(6):
        ImageDraw.Draw(image).line([tuple(map(int, point)) for point in chance.integers(0, SIDE, (2, 2))], "white", 2)
    return image


def holding(model: DiffusionModel, *networks: Any, kind: str = "controlnet") -> DiffusionModel:
    """The model with networks under the ids 0, 1, 2 …"""
    return replace(model, controls={str(place): ControlNetwork(kind, network, f"net {place}", 0) for place, network in enumerate(networks)})


def unit(inputs: Inputs, place: int = 0, **changes: Any) -> ControlUse:
    return ControlUse(id=str(place), image=inputs.keep(map_of(place)), **changes)


def drawn(request: Drawing, model: DiffusionModel, inputs: Inputs) -> Image.Image:
    [picture] = finished(RECIPES[request.kind].batches(task(request, model, inputs)))
    return picture.image


def off(ours: Image.Image, theirs: Image.Image) -> int:
    """The largest difference in levels of 255."""
    assert len(ours.getcolors(100_000) or []) > 10, "not a picture of one colour"
    return int((levels(ours) - levels(theirs)).abs().max())


def far(one: Image.Image, other: Image.Image) -> bool:
    """Several times as far apart as two that count as equal."""
    return int((levels(one) - levels(other)).abs().max()) > 5


def pipeline(name: str, folder: Path, **parts: Any) -> Any:
    import diffusers

    more = NONE if "XL" not in name else {"feature_extractor": None, "image_encoder": None} if "ControlNet" in name else {}
    given = more | parts
    found = getattr(diffusers, name).from_pretrained(folder, torch_dtype=torch.float32, local_files_only=True, **given)
    found.set_progress_bar_config(disable=True)
    return found


def sizes(folder: Path) -> dict[str, Any]:
    return {"original_size": (SIDE, SIDE), "target_size": (SIDE, SIDE)} if "xl" in folder.name else {}


def models_of(size: str, request: pytest.FixtureRequest) -> tuple[DiffusionModel, Path]:
    names = {"sd1": ("model", "folder"), "xl": ("xl", "xl_folder")}[size]
    model, folder = (request.getfixturevalue(name) for name in names)
    return model, folder


def xl_of(size: str) -> str:
    return "XL" if size == "xl" else ""


def several(things: Sequence[Any]) -> Any:
    """As diffusers takes them: one alone, several in a list."""
    return things[0] if len(things) == 1 else list(things)


def mask_of() -> Image.Image:
    mask = Image.new("L", (SIDE, SIDE))
    ImageDraw.Draw(mask).rectangle((16, 16, 39, 47), fill=255)
    return mask
