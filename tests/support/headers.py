"""Headers with the names and shapes of real model files, and nothing behind them.

UNets are whole: built without memory by diffusers from our kits, and named as in the original repositories by `original_names.py`.
Of other parts and kinds the telling tensors are written down, as the original files have them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

import torch

from models.files import Identity
from models.identify.identify import identify
from models.kits import kit
from models.networks.build import blank_unet
from models.tensors.header import Header, TensorInfo
from models.tensors.sources import config
from tests.support.original_names import ldm_unet

Shapes = Mapping[str, tuple[int, ...]]

UNET = "model.diffusion_model."
VAE: Shapes = {
    "encoder.conv_in.weight": (128, 3, 3, 3),
    "encoder.down.0.block.0.conv1.weight": (128, 128, 3, 3),
    "decoder.conv_in.weight": (512, 4, 3, 3),
    "decoder.up.0.block.0.conv1.weight": (128, 256, 3, 3),
    "decoder.conv_out.weight": (3, 128, 3, 3),
    "post_quant_conv.weight": (4, 4, 1, 1),
}
CLIP_L: Shapes = {"text_model.embeddings.token_embedding.weight": (49408, 768), "text_model.embeddings.position_ids": (1, 77)}
NOVEL_AI: Shapes = {"embeddings.token_embedding.weight": (49408, 768), "embeddings.position_ids": (1, 77)}
CLIP_H: Shapes = {"token_embedding.weight": (49408, 1024), "transformer.resblocks.0.attn.in_proj_weight": (3072, 1024)}
CLIP_G: Shapes = {"token_embedding.weight": (49408, 1280), "transformer.resblocks.0.attn.in_proj_weight": (3840, 1280)}
ENCODERS: Mapping[str, tuple[tuple[str, Shapes], ...]] = {  # family -> where its text encoders lie
    "sd1": (("cond_stage_model.transformer.", CLIP_L),),
    "sd2": (("cond_stage_model.model.", CLIP_H),),
    "sdxl": (("conditioner.embedders.0.transformer.", CLIP_L), ("conditioner.embedders.1.model.", CLIP_G)),
    "sdxl-refiner": (("conditioner.embedders.0.model.", CLIP_G),),
}
FAMILIES = tuple(ENCODERS)


def prefixed(prefix: str, shapes: Shapes) -> Shapes:
    return {prefix + name: shape for name, shape in shapes.items()}


@cache
def diffusers_unet(family: str, inputs: int = 4) -> Shapes:
    """Every tensor of the family's UNet, in diffusers' names."""
    network = blank_unet("UNet", {**config(kit(family, "") / "unet.json"), "in_channels": inputs}).network
    return {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}


@cache
def unet(family: str, inputs: int = 4) -> Shapes:
    """Every tensor of the family's UNet, in its original names without a prefix."""
    tensors = {name: torch.empty(shape, device="meta") for name, shape in diffusers_unet(family, inputs).items()}
    return {name: tuple(tensor.shape) for name, tensor in ldm_unet(tensors).items()}


def checkpoint(family: str, inputs: int = 4) -> dict[str, tuple[int, ...]]:
    """A whole checkpoint of the family: its UNet with every tensor, VAE and text encoders with the telling ones."""
    encoders = [prefixed(place, shapes) for place, shapes in ENCODERS[family]]
    parts = [prefixed(UNET, unet(family, inputs)), prefixed("first_stage_model.", VAE), *encoders]
    return {name: shape for part in parts for name, shape in part.items()}


def averaged(shapes: Shapes) -> Shapes:
    """The averaged weights (EMA) of a UNet, whose names have lost their dots."""
    return {f"model_ema.diffusion_model{name.replace('.', '')}": shape for name, shape in shapes.items()}


def shape_of(inputs: int = 4, context: int = 768, classes: int = 0, channels: int = 320) -> Shapes:
    """The telling tensors of a UNet in LDM names."""
    shapes = {
        "input_blocks.0.0.weight": (channels, inputs, 3, 3),
        "input_blocks.2.1.transformer_blocks.0.attn2.to_k.weight": (channels, context),
    }
    return prefixed(UNET, {**shapes, **({"label_emb.0.0.weight": (1280, classes)} if classes else {})})


def header(shapes: Shapes, metadata: Mapping[str, str] | None = None) -> Header:
    """As if read from a file in half precision."""
    tensors: dict[str, TensorInfo] = {}
    end = 0
    for name, shape in shapes.items():
        begin, end = end, end + 2 * math.prod(shape)
        tensors[name] = TensorInfo("F16", shape, begin, end)
    return Header(tensors, metadata or {}, 8, 8 + end)


def told(shapes: Shapes, name: str = "model", metadata: Mapping[str, str] | None = None, values: Sequence[float] = ()) -> Identity:
    """What such a file is said to be. `values`: of whichever small tensor is asked for."""
    return identify(header(shapes, metadata), name, lambda _: list(values))


def in_short(identity: Identity) -> tuple[str, str, str, bool]:
    return identity.kind, identity.family, identity.variant, identity.supported


def kohya_lora(modules: Mapping[str, tuple[int, int]], rank: int = 4) -> Shapes:
    """`modules`: name -> (outputs, inputs)."""
    pairs = [((f"{name}.lora_down.weight", (rank, ins)), (f"{name}.lora_up.weight", (outs, rank))) for name, (outs, ins) in modules.items()]
    return {**dict(item for pair in pairs for item in pair), **{f"{name}.alpha": () for name in modules}}


def write_json(folder: Path, files: Mapping[str, str]) -> Path:
    """A folder of small files: name -> content."""
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content, encoding="utf-8")
    return folder
