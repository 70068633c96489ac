"""The names that tensors have in the files of latent diffusion and of OpenAI's CLIP, from those of diffusers and transformers.

Zero123's files are of that kind; what reads them goes the other way (`models.tensors.layouts`, `models.tensors.clip_vision`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import torch
from torch import Tensor

Tensors = dict[str, Tensor]

OUTER = {
    "conv_in": "input_blocks.0.0", "conv_norm_out": "out.0", "conv_out": "out.2",
    "time_embedding.linear_1": "time_embed.0", "time_embedding.linear_2": "time_embed.2",
}  # fmt: skip
RESIDUAL = {
    "norm1": "in_layers.0", "conv1": "in_layers.2", "time_emb_proj": "emb_layers.1", "norm2": "out_layers.0", "conv2": "out_layers.3",
    "conv_shortcut": "skip_connection",
}  # fmt: skip
BLOCK = re.compile(r"(down|up)_blocks\.(\d+)\.(\w+)\.(\d+)\.(.+)")
MIDDLE = re.compile(r"mid_block\.(\w+)\.(\d+)\.(.+)")

VAE_BLOCK = re.compile(r"(encoder|decoder)\.(down|up)_blocks\.(\d+)\.(\w+)\.(\d+)\.(.+)")
VAE_MIDDLE = re.compile(r"(encoder|decoder)\.mid_block\.resnets\.(\d+)\.(.+)")

CLIP_OUTER = {
    "embeddings.class_embedding": "class_embedding", "embeddings.patch_embedding.weight": "conv1.weight",
    "embeddings.position_embedding.weight": "positional_embedding",
    "pre_layrnorm.weight": "ln_pre.weight", "pre_layrnorm.bias": "ln_pre.bias",
    "post_layernorm.weight": "ln_post.weight", "post_layernorm.bias": "ln_post.bias",
}  # fmt: skip
CLIP_LAYER = {
    "layer_norm1": "ln_1", "layer_norm2": "ln_2", "mlp.fc1": "mlp.c_fc", "mlp.fc2": "mlp.c_proj", "self_attn.out_proj": "attn.out_proj",
}  # fmt: skip


def ldm_unet(tensors: Mapping[str, Tensor], layers: int) -> Tensors:
    """`layers`: of each block on the way down; the blocks' places count layers and samplers in one row."""
    return {_unet_name(name, layers, tensors): tensor for name, tensor in tensors.items()}


def _unet_name(name: str, layers: int, tensors: Mapping[str, Tensor]) -> str:
    module, _, last = name.rpartition(".")
    if module in OUTER:
        return f"{OUTER[module]}.{last}"
    if found := MIDDLE.fullmatch(name):
        place = 2 * int(found[2]) if found[1] == "resnets" else 1
        return f"middle_block.{place}.{_inner(found[1], found[3])}"
    found = BLOCK.fullmatch(name)
    assert found is not None, name
    way, block, kind, number, inner = found[1], int(found[2]), found[3], int(found[4]), found[5]
    first = block * (layers + 1)
    if kind == "downsamplers":
        return f"input_blocks.{first + layers + 1}.0.op.{last}"
    if kind == "upsamplers":  # behind the attention, where there is any
        above = 2 if any(other.startswith(f"up_blocks.{block}.attentions.") for other in tensors) else 1
        return f"output_blocks.{first + layers}.{above}.conv.{last}"
    head = f"input_blocks.{first + number + 1}" if way == "down" else f"output_blocks.{first + number}"
    return f"{head}.{1 if kind == 'attentions' else 0}.{_inner(kind, inner)}"


def _inner(kind: str, inner: str) -> str:
    module, _, last = inner.rpartition(".")
    return inner if kind == "attentions" else f"{RESIDUAL[module]}.{last}"


def ldm_vae(tensors: Mapping[str, Tensor]) -> Tensors:
    """Of a VAE without attention. The blocks of its way up are counted from the picture."""
    blocks = 1 + max(int(found[3]) for name in tensors if (found := VAE_BLOCK.fullmatch(name)))
    return {_vae_name(name, blocks): tensor for name, tensor in tensors.items()}


def _vae_name(name: str, blocks: int) -> str:
    if found := VAE_MIDDLE.fullmatch(name):
        return f"{found[1]}.mid.block_{int(found[2]) + 1}.{found[3]}".replace("conv_shortcut", "nin_shortcut")
    if found := VAE_BLOCK.fullmatch(name):
        side, way, block, kind, number, inner = found.groups()
        place = int(block) if way == "down" else blocks - 1 - int(block)
        what = f"block.{number}" if kind == "resnets" else f"{way}sample"
        return f"{side}.{way}.{place}.{what}.{inner}".replace("conv_shortcut", "nin_shortcut")
    return name.replace("conv_norm_out", "norm_out")


def clip_visual(tensors: Mapping[str, Tensor], layers: int) -> Tensors:
    """The encoder of pictures: query, key and value in one matrix, the projection the other way round."""
    flat = {name.removeprefix("vision_model."): tensor for name, tensor in tensors.items()}
    found = {old: flat[new] for new, old in CLIP_OUTER.items()} | {"proj": flat["visual_projection.weight"].T.contiguous()}
    for number in range(layers):
        own, to = f"encoder.layers.{number}.", f"transformer.resblocks.{number}."
        for last in ("weight", "bias"):
            found[f"{to}attn.in_proj_{last}"] = torch.cat([flat[f"{own}self_attn.{letter}_proj.{last}"] for letter in "qkv"])
            found |= {f"{to}{old}.{last}": flat[f"{own}{new}.{last}"] for new, old in CLIP_LAYER.items()}
    return found
