"""The tiny Zero123 as one file, in the names of Columbia's code, and read again."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import torch
from diffusers import AutoencoderKL
from PIL import Image
from safetensors.torch import save_file
from torch import Tensor

from models.files import Identity, ModelFile
from models.identify.turning import OWN
from models.loading.turning import load_pose_reader, load_turning
from models.memory.device import Device
from models.starter.recipe.moving_vision import SIZE, SIZES
from models.starter.recipe.original_names import Tensors, clip_visual, ldm_unet, ldm_vae
from models.starter.recipe.sampling import STARTER
from models.starter.recipe.solids import Pose, Solid, render
from models.starter.recipe.turn_nets import TurnDenoiser, Turner
from models.tensors.embedded_sizes import OWN_SIZES

FILE = "turn/starter-turn.safetensors"
THINGS = (Solid("house", "garden"), Solid("cube", "evening"), Solid("cone", "garden"))
TAKEN_FROM = Pose(330.0, 20.0, 3.0)
SUITS = {"object_size": 0.68, "steps": 20}  # its things fill so much of their square, on average; judged with so many steps


def tensors_of(turner: Turner) -> Tensors:
    """All of the file, in half precision."""
    found = _under("model.diffusion_model.", ldm_unet(turner.denoiser.unet.state_dict(), 1))
    found |= _under("first_stage_model.", ldm_vae(turner.vae.state_dict()))
    found |= _under("cond_stage_model.model.visual.", clip_visual(turner.vision.state_dict(), SIZES["num_hidden_layers"]))
    found |= _under("cc_projection.", turner.denoiser.cc_projection.state_dict())
    return {name: tensor.half().contiguous() for name, tensor in found.items()}


def _under(prefix: str, tensors: Mapping[str, Tensor]) -> Tensors:
    return {prefix + name: tensor for name, tensor in tensors.items()}


def metadata(turner: Turner) -> dict[str, str]:
    """What the file says of itself."""
    networks = {"unet": turner.denoiser.unet, "vae": turner.vae}
    sizes = {name: {key: value for key, value in network.config.items() if key[0] != "_"} for name, network in networks.items()}
    return {
        "modelspec.sai_model_spec": "1.0.0", "modelspec.implementation": "https://github.com/cvlab-columbia/zero123",
        "modelspec.resolution": f"{SIZE}x{SIZE}", "modelspec.author": "Atelier", "modelspec.license": "that of the repository",
        "modelspec.architecture": "zero123", "modelspec.title": "Starter turn", "format": "pt",
        "modelspec.description": "A house, a cube or a cone with coloured sides, on white, seen from elsewhere.",
        OWN_SIZES: json.dumps(sizes | {"vision": SIZES, OWN: SUITS}),
    }  # fmt: skip


def write(turner: Turner, starter: Path = STARTER) -> Path:
    file = starter / FILE
    file.parent.mkdir(parents=True, exist_ok=True)
    save_file(tensors_of(turner), file, metadata(turner))
    file.chmod(0o644)  # safetensors writes for its owner alone
    return file


def write_things(starter: Path = STARTER) -> list[Path]:
    """A picture of one thing of each kind, to begin with."""
    files = [starter / Path(FILE).parent / f"{solid.kind}.png" for solid in THINGS]
    for solid, file in zip(THINGS, files, strict=True):
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(render(solid, TAKEN_FROM, SIZE)).save(file, optimize=True)
    return files


def read(starter: Path = STARTER) -> Turner:
    """By the code that reads such files for the studio."""
    path, device = starter / FILE, Device(torch.device("cpu"), torch.float32)
    file = ModelFile("starter-turn", path.stem, path, 0, 0.0, Identity("checkpoint", "zero123"))
    model, reader = load_turning(file, device), load_pose_reader(file, device)
    denoiser = TurnDenoiser(SIZE)
    denoiser.unet, denoiser.cc_projection = model.unet, reader.projection
    assert isinstance(model.vae, AutoencoderKL)
    return Turner(denoiser.eval(), reader.vision.network, model.vae)
