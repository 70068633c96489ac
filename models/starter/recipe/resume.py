"""Puts the shipped weights where the stages look for their checkpoints, so that a training can go on from them.

    python -m models.starter.recipe.resume
    python -m models.starter.recipe.train latents --count 20000
    python -m models.starter.recipe.train unet --minutes 30 --rate 4e-4

The optimizer's state and the caption reader are not shipped; both are back to their old selves within some hundred steps.

The controls rest on the UNet. After an export they begin where they were, moved along by what the UNet has learnt since:

    python -m models.starter.recipe.resume controls --was OLD
    python -m models.starter.recipe.controls outlines --steps 600 --rate 2e-4

OLD is a starter folder as it was when the controls were trained.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TypeVar

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from torch import nn

from models.starter.recipe.controls import read_controlnet, read_depth_unet
from models.starter.recipe.controls_nets import DEPTH_GAIN, Averaged, with_depth_gain
from models.starter.recipe.controls_train import COURSES, DECAY
from models.starter.recipe.progress import save
from models.starter.recipe.sampling import STARTER, load_starter
from models.starter.recipe.unet_stage import Denoiser

Network = TypeVar("Network", bound=nn.Module)


def resume(starter_folder: Path, checkpoints: Path, size: int) -> None:
    """Write vae.pt, decoder.pt and unet.pt as the stages themselves write them."""
    starter = load_starter(starter_folder)
    denoiser = Denoiser(size, starter.tokenizer)
    denoiser.unet.load_state_dict(starter.unet.state_dict())
    denoiser.text_encoder.load_state_dict(starter.text_encoder.state_dict())
    weights = denoiser.state_dict()
    scale = starter.vae.config["scaling_factor"]
    save(checkpoints, "unet", {"network": weights, "average": weights, "step": 0, "seconds": 0.0, "scale": scale})
    for name in ("vae", "decoder"):
        save(checkpoints, name, _autoencoder(starter.vae))


def _autoencoder(vae: AutoencoderKL) -> dict[str, object]:
    weights = vae.state_dict()
    return {"network": weights, "average": weights, "step": 0, "seconds": 0.0}


def resume_controls(was: Path, starter_folder: Path, checkpoints: Path) -> None:
    """Write the checkpoints of both ControlNets and of the depth UNet. `was`: the starter that those in its folder were trained on."""
    old, new = (load_starter(folder).unet for folder in (was, starter_folder))
    for what in ("outlines", "depth"):
        _save(checkpoints, what, moved_along(read_controlnet(what, was), old, new))
    depth = moved_along(read_depth_unet(was), old, new)
    _save(checkpoints, "depth-unet", with_depth_gain(depth, 1 / DEPTH_GAIN))


@torch.no_grad()
def moved_along(network: Network, old: UNet2DConditionModel, new: UNet2DConditionModel) -> Network:
    """What began as a copy of a UNet, and what that UNet has learnt since, wherever both have the same weight. Changes the network."""
    before, after = old.state_dict(), new.state_dict()
    for name, weight in network.named_parameters():
        if name in before and before[name].shape == weight.shape:
            weight += after[name] - before[name]
    return network


def _save(checkpoints: Path, what: str, network: nn.Module) -> None:
    save(checkpoints, COURSES[what].name, {"weights": Averaged(network, DECAY).state_dict(), "step": 0})


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("what", nargs="?", choices=("stages", "controls"), default="stages")
    parser.add_argument("--was", type=Path, help="of the controls: the starter folder that they were trained on")
    parser.add_argument("--from", dest="starter", type=Path, default=STARTER, help="a starter folder")
    parser.add_argument("--folder", type=Path, default=Path("train"), help="where the checkpoints go")
    parser.add_argument("--size", type=int, choices=(128, 256), default=128)
    wish = parser.parse_args()
    if wish.what == "controls":
        resume_controls(wish.was or parser.error("Say where the old starter is: --was OLD."), wish.starter, wish.folder)
    else:
        resume(wish.starter, wish.folder, wish.size)
