"""Models for a card's figures: whole folders in diffusers' layout with random weights, in full size, or as toys where there is no card."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from models.families import FAMILIES
from models.kits import kit, suffixes, tokenizer_folder
from models.networks.build import blank_encoder, blank_unet, blank_vae
from models.tensors.sources import config
from tests.support.full_size import Repeating, drawn, write_json
from tests.support.toy_weights import SCHEDULER, SHAPES, write_toy_model

RANK = 16  # of the LoRA
WEIGHTS = {"unet": "diffusion_pytorch_model", "vae": "diffusion_pytorch_model"}


@dataclass(frozen=True)
class Scale:
    """How large all of it is: of real use on a card, or a few seconds on a processor."""

    full: bool
    sides: Mapping[str, int]  # pixels of a picture by family
    steps: int
    turbo_steps: int
    batch: int
    rounds: int


FULL = Scale(True, {"sd1": 512, "sdxl": 1024}, 30, 4, 4, 3)
REDUCED = Scale(False, {"sd1": 64, "sdxl": 64}, 3, 2, 2, 1)


def write_models(root: Path, scale: Scale) -> Path:
    """`root/checkpoints`: sd1, sd1-other and sdxl. `root/loras`: one for each of the two families, for all that attends."""
    for name, family, seed in (("sd1", "sd1", 0), ("sd1-other", "sd1", 1), ("sdxl", "sdxl", 2)):
        folder = root / "checkpoints" / name
        if scale.full:
            write_full_size(folder, family, seed)
        else:
            write_toy_model(folder, seed=seed, family=FAMILIES[family])
    for family in scale.sides:
        write_lora(root / "loras" / f"{family}.safetensors", root / "checkpoints" / family / "unet")
    return root


def write_full_size(folder: Path, family: str, seed: int) -> None:
    """In half precision, spread so that pictures are finite: 2.1 GB, or 6.9 GB of SDXL."""
    random = Repeating(seed, torch.float16)
    for name, network in _networks(family).items():
        (folder / name).mkdir(parents=True)
        weights = {key: drawn(key, outline, random) for key, outline in network.state_dict().items() if outline.is_floating_point()}
        save_file(weights, folder / name / f"{WEIGHTS.get(name, 'model')}.safetensors", {"format": "pt"})
        _write_config(network, folder / name)
    for key, suffix in suffixes(family).items():
        shutil.copytree(tokenizer_folder(key), folder / f"tokenizer{suffix}")
    write_json(folder / "scheduler" / "scheduler_config.json", SCHEDULER | {"prediction_type": "epsilon", "steps_offset": 1})
    write_json(folder / "model_index.json", _index(family))


def _networks(family: str) -> dict[str, Any]:  # Any: of two libraries, each with its own way to write a configuration
    """On meta, by the names of their folders."""
    folder = kit(family)
    encoders = {
        f"text_encoder{suffix}": blank_encoder(key, key, config(folder / f"{key}.json")).network for key, suffix in suffixes(family).items()
    }
    unet, vae = blank_unet("UNet", config(folder / "unet.json")), blank_vae("VAE", config(folder / "vae.json"))
    return {"unet": unet.network, "vae": vae.network, **encoders}


def _write_config(network: Any, folder: Path) -> None:
    write = network.save_config if hasattr(network, "save_config") else network.config.save_pretrained
    write(folder)


def _index(family: str) -> dict[str, Any]:
    shape = SHAPES[family]
    parts: dict[str, Any] = {"unet": ["diffusers", "UNet2DConditionModel"], "vae": ["diffusers", "AutoencoderKL"]}
    parts["scheduler"] = ["diffusers", "EulerDiscreteScheduler"]
    for key, suffix in suffixes(family).items():
        kind = "CLIPTextModelWithProjection" if key == "clip_g" else "CLIPTextModel"
        parts |= {f"text_encoder{suffix}": ["transformers", kind], f"tokenizer{suffix}": ["transformers", "CLIPTokenizer"]}
    return {"_class_name": shape.pipeline, **parts, **shape.index}


def write_lora(file: Path, unet: Path) -> None:
    """Changes every matrix of the UNet's attention a little."""
    network = blank_unet("UNet", config(unet / "config.json")).network
    torch.manual_seed(0)
    pairs: dict[str, Tensor] = {}
    for name, module in network.named_modules():
        if isinstance(module, nn.Linear) and ".attn" in name:
            layer = "lora_unet_" + name.replace(".", "_")
            pairs[f"{layer}.lora_down.weight"] = torch.randn(RANK, module.in_features).half() * 0.01
            pairs[f"{layer}.lora_up.weight"] = torch.randn(module.out_features, RANK).half() * 0.01
    file.parent.mkdir(parents=True, exist_ok=True)
    save_file(pairs, file)
