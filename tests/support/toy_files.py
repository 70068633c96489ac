"""Toy models as the single files that people share, in every layout, with the names written down here independently of the loader.

    python -m tests.support.toy_files FOLDER        # one file of every kind

A toy is none of the public models, so each file carries its own sizes in its metadata.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor

from models.families import FAMILIES, SD1, Family
from models.files import Identity, ModelFile, ModelKind
from models.library.checkpoint import Checkpoint, Facts, checkpoint_of
from models.tensors.embedded_sizes import OWN_SIZES
from tests.support.original_names import Tensors, ldm_unet, ldm_vae, open_clip
from tests.support.toy_weights import ToyNetworks
from tests.support.wide_toys import WORDS, wide_networks

UNET, VAE = "model.diffusion_model.", "first_stage_model."
ENCODERS: Mapping[tuple[str, str], str] = {
    ("sd1", "clip_l"): "cond_stage_model.transformer.text_model.",
    ("sd2", "clip_h"): "cond_stage_model.model.",
    ("x4-upscaler", "clip_h"): "cond_stage_model.model.",
    ("sdxl", "clip_l"): "conditioner.embedders.0.transformer.text_model.",
    ("sdxl", "clip_g"): "conditioner.embedders.1.model.",
    ("sdxl-refiner", "clip_g"): "conditioner.embedders.0.model.",
}


def checkpoint(family: Family, networks: ToyNetworks) -> Tensors:
    """The whole model in the original layout: LDM for SD 1 and 2, SGM for SDXL and its refiner."""
    found = prefixed(UNET, ldm_unet(networks.unet.state_dict(), networks.unet.config.layers_per_block))
    found |= prefixed(VAE, ldm_vae(networks.vae.state_dict()))
    for key, network in networks.encoders.items():
        tensors = network.state_dict()
        found |= prefixed(ENCODERS[family.key, key], tensors if key == "clip_l" else open_clip(tensors, key == "clip_h"))
    return found


def prefixed(prefix: str, tensors: Mapping[str, Tensor]) -> Tensors:
    return {prefix + name: tensor for name, tensor in tensors.items()}


def sizes(networks: ToyNetworks) -> dict[str, str]:
    """The metadata of a toy's file."""
    own: dict[str, Any] = {"unet": dict(networks.unet.config), "vae": dict(networks.vae.config)}
    own |= {key: network.config.to_dict() for key, network in networks.encoders.items()}
    return {OWN_SIZES: json.dumps(own, default=str)}


def save(file: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    save_file({name: tensor.contiguous().clone() for name, tensor in tensors.items()}, file, dict(metadata))
    return file


def as_entry(path: Path, kind: ModelKind, family: str = "sd1") -> ModelFile:
    return ModelFile("toy", path.stem, path, 0, 0.0, Identity(kind, family))


def as_checkpoint(path: Path, family: Family, **facts: Any) -> Checkpoint:
    """As the catalogue would list it. `facts`: variant, prediction_type, zero_terminal_snr."""
    return replace(checkpoint_of(as_entry(path, "checkpoint", family.key), Facts()), **facts)


# ------------------------------------------------------------------------------------------------ what people did to checkpoints

Change = Callable[[Tensors], Tensors]


def to(dtype: torch.dtype) -> Change:
    return lambda tensors: {name: tensor.to(dtype) for name, tensor in tensors.items()}


def novel_ai(tensors: Tensors) -> Tensors:
    """The names of the NovelAI leak: the text encoder without its `text_model`."""
    return {name.replace("transformer.text_model.", "transformer."): tensor for name, tensor in tensors.items()}


def with_position_ids(dtype: torch.dtype) -> Change:
    return lambda tensors: tensors | {ENCODERS["sd1", "clip_l"] + "embeddings.position_ids": torch.arange(77).to(dtype)[None]}


def averaged(tensors: Tensors) -> Tensors:
    """The UNet's weights as latent diffusion keeps their averages: one word without dots."""
    own = {name.removeprefix("model."): tensor for name, tensor in tensors.items() if name.startswith(UNET)}
    return prefixed("model_ema.", {name.replace(".", ""): tensor for name, tensor in own.items()})


def with_averages(tensors: Tensors) -> Tensors:
    return tensors | {name: tensor + 1 for name, tensor in averaged(tensors).items()} | {"model_ema.decay": torch.tensor(0.9999)}


def only_averages(tensors: Tensors) -> Tensors:
    return {name: tensor for name, tensor in tensors.items() if not name.startswith(UNET)} | averaged(tensors)


def scaled_fp8(ending: str) -> Change:
    """Matrices of the UNet in eight bits with a scale each, as ComfyUI writes them."""

    def change(tensors: Tensors) -> Tensors:
        found = {"scaled_fp8": torch.zeros(2).to(torch.float8_e4m3fn)} | tensors
        for name, tensor in tensors.items():
            if name.startswith(UNET) and name.endswith(".weight") and tensor.ndim == 2:
                factor = tensor.float().abs().max() / 448
                found[name] = (tensor.float() / factor).to(torch.float8_e4m3fn)
                found[name.removesuffix(".weight") + ending] = factor
        return found

    return change


def v_prediction(tensors: Tensors) -> Tensors:
    """Two empty tensors say it."""
    return to(torch.float16)(tensors) | {"v_pred": torch.zeros(0), "ztsnr": torch.zeros(0)}


def without(prefix: str) -> Change:
    return lambda tensors: {name: tensor for name, tensor in tensors.items() if not name.startswith(prefix)}


def only(prefix: str, new: str = "") -> Change:
    return lambda tensors: prefixed(new, {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)})


SD1_LAYOUTS: Mapping[str, Change] = {
    "float32": to(torch.float32),
    "float16": to(torch.float16),
    "bfloat16": to(torch.bfloat16),
    "fp8": to(torch.float8_e4m3fn),
    "fp8 scaled": scaled_fp8(".scale_weight"),
    "fp8 with weight_scale": scaled_fp8(".weight_scale"),
    "NovelAI names": novel_ai,
    "position ids": with_position_ids(torch.int64),
    "position ids float": with_position_ids(torch.float32),
    "EMA and own weights": with_averages,
    "EMA only": only_averages,
}


LAYOUTS = {"sd1": SD1_LAYOUTS, "sdxl": {"float16": to(torch.float16), "v-prediction, zero SNR": v_prediction}}
Made = dict[str, Path]  # what it is -> the file


def write_every_format(folder: Path, words: int = WORDS) -> Made:
    """Checkpoints of four families, SD 1's in every layout, and components on their own. Drawing with them takes the real vocabulary."""
    made: Made = {}
    for family in FAMILIES.values():
        networks = wide_networks(family, words)
        made |= _write_checkpoints(folder / "checkpoints", family, networks)
        if family is SD1:
            made |= _write_components(folder, networks)
    return made


def _write_checkpoints(folder: Path, family: Family, networks: ToyNetworks) -> Made:
    whole, own = checkpoint(family, networks), sizes(networks)
    half = to(torch.float16)(whole)  # of which a layout takes as much room, unless it says otherwise
    layouts = LAYOUTS.get(family.key, {"float16": to(torch.float16)})
    return {
        f"{family.name}, {name}": save(folder / f"{family.key} {name}.safetensors", change(whole if name == "float32" else half), own)
        for name, change in layouts.items()
    }


def _write_components(folder: Path, networks: ToyNetworks) -> Made:
    whole, own = checkpoint(SD1, networks), sizes(networks)
    vaes = {"VAE bare": only(VAE)(whole), "VAE prefixed": only(VAE, VAE)(whole), "VAE diffusers": networks.vae.state_dict()}
    unets = {"UNet prefixed": only(UNET, UNET)(whole), "UNet bare": only(UNET)(whole), "UNet diffusers": networks.unet.state_dict()}
    made = {name: save(folder / "vae" / f"{name}.safetensors", tensors, own) for name, tensors in vaes.items()}
    return made | {name: save(folder / "diffusion_models" / f"{name}.safetensors", tensors, own) for name, tensors in unets.items()}


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.support.toy_files", description="Writes a small model file in every layout, for trying things out."
    )
    parser.add_argument("folder", type=Path, help="where they go, about 2 GB; it is made when it is not there")
    folder = parser.parse_args(arguments).folder
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for description, path in write_every_format(folder).items():
            print(f"{path.stat().st_size / 1e6:8.1f} MB  {description:32} {path}")
    except OSError as error:
        parser.error(f"nothing can be written to {folder}: {error.strerror}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
