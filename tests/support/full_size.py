"""A Stable Diffusion 1 of full size with random weights, as one file, and what diffusers needs beside it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor

from models.kits import kit, tokenizer_folder
from models.memory.device import mend_torchvision
from tests.support.original_names import Tensors, ldm_unet, ldm_vae
from tests.support.toy_files import ENCODERS, UNET, VAE

CLASSES = {
    "unet": ["diffusers", "UNet2DConditionModel"],
    "vae": ["diffusers", "AutoencoderKL"],
    "text_encoder": ["transformers", "CLIPTextModel"],
    "tokenizer": ["transformers", "CLIPTokenizer"],
    "scheduler": ["diffusers", "EulerDiscreteScheduler"],
}
KIT_FILES = {"unet": "unet", "vae": "vae", "text_encoder": "clip_l"}


def write_full_size(file: Path, dtype: torch.dtype, seed: int = 0) -> Path:
    """1,066,235,307 random numbers in the original layout, spread so that pictures are finite: 2.1 GB in float16."""
    random = Repeating(seed, dtype)
    found: Tensors = {}
    for prefix, outline in outlines().items():
        found |= {prefix + name: drawn(name, tensor, random) for name, tensor in outline.items()}
    save_file(found, file)
    return file


class Repeating:
    """16 million random numbers from -1 to 1, taken over and over; each tensor begins elsewhere. A billion would take half a minute."""

    def __init__(self, seed: int, dtype: torch.dtype, count: int = 2**24) -> None:
        self._numbers = (torch.rand(count, generator=torch.Generator().manual_seed(seed)) * 2 - 1).to(dtype)
        self._place = 0

    def take(self, shape: torch.Size) -> Tensor:
        taken = torch.empty(shape.numel(), dtype=self._numbers.dtype)
        done = 0
        while done < len(taken):
            piece = self._numbers[self._place :][: len(taken) - done]
            taken[done : done + len(piece)] = piece
            done += len(piece)
            self._place = (self._place + len(piece)) % len(self._numbers)
        self._place = (self._place + 7919) % len(self._numbers)  # tensors of one shape begin in different places
        return taken.view(shape)


def outlines() -> dict[str, Tensors]:
    """Prefix in the file -> tensors without numbers, in the original layout."""
    mend_torchvision()
    from diffusers import AutoencoderKL, UNet2DConditionModel
    from transformers import CLIPTextConfig, CLIPTextModel

    with torch.device("meta"):
        unet, vae = UNet2DConditionModel(**sizes("unet")), AutoencoderKL(**sizes("vae"))
        encoder = CLIPTextModel(CLIPTextConfig(**sizes("clip_l")))
    return {UNET: ldm_unet(unet.state_dict()), VAE: ldm_vae(vae.state_dict()), ENCODERS["sd1", "clip_l"]: encoder.state_dict()}


def drawn(name: str, outline: Tensor, random: Repeating) -> Tensor:
    """Matrices as PyTorch begins them, norms near one, all else near nothing."""
    numbers = random.take(outline.shape)
    if outline.ndim > 1:
        return numbers.mul_(outline[0].numel() ** -0.5)
    return numbers.mul_(0.04).add_(1.0 if name.endswith("weight") else 0.0)


def write_diffusers_configs(folder: Path) -> Path:
    """A folder in diffusers' layout without weights: the `config` of its `from_single_file`."""
    for component, name in KIT_FILES.items():
        write_json(folder / component / "config.json", {"_class_name": CLASSES[component][1], **sizes(name)})
    write_json(folder / "text_encoder" / "config.json", {"model_type": "clip_text_model", **sizes("clip_l")})
    write_json(folder / "scheduler" / "scheduler_config.json", {"_class_name": CLASSES["scheduler"][1], **sizes("scheduler")})
    write_json(folder / "model_index.json", {"_class_name": "StableDiffusionPipeline", **CLASSES})
    shutil.copytree(tokenizer_folder("clip_l"), folder / "tokenizer", dirs_exist_ok=True)
    return folder


def single_file_pipeline(file: Path, configs: Path, dtype: torch.dtype) -> Any:
    """diffusers' own reading of the file."""
    mend_torchvision()
    from diffusers import StableDiffusionPipeline

    absent = {"safety_checker": None, "feature_extractor": None, "image_encoder": None}
    options: dict[str, Any] = {"config": str(configs), "torch_dtype": dtype, "local_files_only": True, **absent}
    return StableDiffusionPipeline.from_single_file(str(file), **options)


def sizes(name: str) -> dict[str, Any]:
    return json.loads((kit("sd1") / f"{name}.json").read_text("utf-8"))


def write_json(file: Path, values: dict[str, Any]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(values), encoding="utf-8")
