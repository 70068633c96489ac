"""Trains the starter's controls on its shipped weights and writes their files:

    python -m models.starter.recipe.controls outlines
    python -m models.starter.recipe.controls depth
    python -m models.starter.recipe.controls depth-unet
    python -m models.starter.recipe.controls estimator
    python -m models.starter.recipe.controls_evaluate

Each may be stopped and started again and goes on where it was; once done it only writes its files. With --so-far
it writes what the last checkpoint holds and trains nothing.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from diffusers import ControlNetModel, UNet2DConditionModel
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from transformers import DPTForDepthEstimation, DPTImageProcessor

from models.starter.recipe.controls_nets import Averaged, control_sizes, new_controlnet, new_depth_unet, new_estimator, with_depth_gain
from models.starter.recipe.controls_train import COURSES, DECAY, train_controlnet, train_depth_unet, train_estimator
from models.starter.recipe.extras_course import Course
from models.starter.recipe.progress import load
from models.starter.recipe.sampling import STARTER, Starter, load_starter
from models.tensors.embedded_sizes import OWN_SIZES, own_sizes

FILES = {
    "outlines": "controlnets/outlines.safetensors",
    "depth": "controlnets/depth.safetensors",
    "depth-unet": "depth/unet",
    "estimator": "depth_estimator",
}
ABOUT = {
    "outlines": ("Outlines", "White outlines on black, exact ones or Canny's; for Atelier's starter model."),
    "depth": ("Depth", "Depth maps, near is white; for Atelier's starter model."),
}

TRAININGS: dict[str, Callable[[Starter, Path, Course], nn.Module]] = {
    "outlines": lambda starter, folder, course: train_controlnet(starter, folder, "outlines", course),
    "depth": lambda starter, folder, course: train_controlnet(starter, folder, "depth", course),
    "depth-unet": train_depth_unet,
    "estimator": train_estimator,
}


def metadata(what: str, starter: Starter) -> dict[str, str]:
    """What the file of a ControlNet says of itself."""
    title, description = ABOUT[what]
    return {
        "modelspec.sai_model_spec": "1.0.0", "modelspec.implementation": "diffusers", "modelspec.resolution": "128x128",
        "modelspec.author": "Atelier", "modelspec.license": "that of the repository", "format": "pt",
        "modelspec.architecture": "stable-diffusion-v1/controlnet", "modelspec.title": title,
        "modelspec.description": description, OWN_SIZES: json.dumps({"controlnet": control_sizes(starter.unet)}),
    }  # fmt: skip


def write(what: str, network: nn.Module, starter: Starter, folder: Path) -> Path:
    """One safetensors file for a ControlNet, a folder for the others, in half precision."""
    place = folder / FILES[what]
    place.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(network, ControlNetModel):
        return _write_file(
            place, {name: value.half().contiguous() for name, value in network.state_dict().items()}, metadata(what, starter)
        )
    assert isinstance(network, UNet2DConditionModel | DPTForDepthEstimation)
    nn.Module.half(network)
    network.save_pretrained(place)
    if isinstance(network, DPTForDepthEstimation):
        processor_of(starter.vae.config["sample_size"]).save_pretrained(place)
    for file in place.glob("*.safetensors"):
        file.chmod(0o644)  # safetensors writes for its owner alone
    return place


def _write_file(file: Path, tensors: dict[str, Tensor], about: dict[str, str]) -> Path:
    partial = file.with_suffix(".partial")
    save_file(tensors, partial, about)
    partial.chmod(0o644)
    return partial.replace(file)


def processor_of(size: int) -> DPTImageProcessor:
    """Pictures of any size to (B, 3, size, size) in -1..1."""
    half = [0.5, 0.5, 0.5]
    return DPTImageProcessor(size={"height": size, "width": size}, image_mean=half, image_std=half)


def so_far(what: str, starter: Starter, folder: Path) -> nn.Module:
    """The average in the last checkpoint of a training."""
    blank = {"depth-unet": lambda: new_depth_unet(starter.unet), "estimator": lambda: new_estimator(starter.vae.config["sample_size"])}
    trained = Averaged(blank.get(what, lambda: new_controlnet(starter.unet))(), DECAY)
    stored = load(folder, COURSES[what].name)
    if stored is None:
        raise FileNotFoundError(f"{folder}/{COURSES[what].name}.pt is missing: train it first")
    trained.load_state_dict(stored["weights"])
    return with_depth_gain(trained.average) if isinstance(trained.average, UNet2DConditionModel) else trained.average


# -- reading them again -------------------------------------------------------


def read_controlnet(what: str, folder: Path = STARTER) -> ControlNetModel:
    """By the sizes that the file states, in float32."""
    file = folder / FILES[what]
    with safe_open(file, "pt") as opened:
        sizes: dict[str, Any] = {**own_sizes(opened.metadata() or {}, "controlnet")}  # Any: of each argument its own type
    network = ControlNetModel(**sizes)
    network.load_state_dict({name: value.float() for name, value in load_file(file).items()})
    return network.eval()


def read_depth_unet(folder: Path = STARTER) -> UNet2DConditionModel:
    return UNet2DConditionModel.from_pretrained(folder / FILES["depth-unet"], local_files_only=True).float().eval()


def read_estimator(folder: Path = STARTER) -> tuple[DPTForDepthEstimation, DPTImageProcessor]:
    place = folder / FILES["estimator"]
    network = DPTForDepthEstimation.from_pretrained(place, local_files_only=True)
    return network.float().eval(), DPTImageProcessor.from_pretrained(place, local_files_only=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("what", choices=tuple(FILES))
    parser.add_argument("--starter", type=Path, default=STARTER)
    parser.add_argument("--folder", type=Path, default=Path("train"), help="checkpoints and latents")
    parser.add_argument("--steps", type=int, help="in place of the usual number")
    parser.add_argument("--rate", type=float, help="learning rate at its peak, in place of the usual one")
    parser.add_argument("--so-far", action="store_true", help="write what the last checkpoint holds")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    wish = parser.parse_args()
    torch.set_num_threads(wish.threads)
    starter, course = load_starter(wish.starter), COURSES[wish.what]
    course = replace(course, steps=wish.steps or course.steps, rate=wish.rate or course.rate)
    network = so_far(wish.what, starter, wish.folder) if wish.so_far else TRAININGS[wish.what](starter, wish.folder, course)
    print(write(wish.what, network, starter, wish.starter))


if __name__ == "__main__":
    main()
