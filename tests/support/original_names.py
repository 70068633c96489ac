"""The names and shapes that tensors have in the original repositories, from those of diffusers and transformers.

Written down independently of the loader, which goes the other way.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

Tensors = dict[str, Tensor]

RESNET = {
    "norm1": "in_layers.0",
    "conv1": "in_layers.2",
    "time_emb_proj": "emb_layers.1",
    "norm2": "out_layers.0",
    "conv2": "out_layers.3",
    "conv_shortcut": "skip_connection",
}
UNET_OUTER = {
    "conv_in": "input_blocks.0.0",
    "time_embedding.linear_1": "time_embed.0",
    "time_embedding.linear_2": "time_embed.2",
    "class_embedding": "label_emb",
    "add_embedding.linear_1": "label_emb.0.0",
    "add_embedding.linear_2": "label_emb.0.2",
    "conv_norm_out": "out.0",
    "conv_out": "out.2",
}


def ldm_unet(tensors: Mapping[str, Tensor], layers: int = 2) -> Tensors:
    """The names of latent diffusion, where a block's place counts layers and samplers in one row. `layers`: per block."""
    return {_unet_name(name, layers, list(tensors)): tensor for name, tensor in tensors.items()}


def _unet_name(name: str, layers: int, names: list[str]) -> str:
    module, _, last = name.rpartition(".")
    if module in UNET_OUTER:
        return f"{UNET_OUTER[module]}.{last}"
    side, rest = name.split(".", 1)
    if side == "mid_block":
        kind, number, inner = rest.split(".", 2)
        return f"middle_block.{2 * int(number) if kind == 'resnets' else 1}.{_inner(kind, inner)}"
    block, kind, number, inner = rest.split(".", 3)
    place = int(block) * (layers + 1) + int(number)
    if kind == "downsamplers":
        return f"input_blocks.{(int(block) + 1) * (layers + 1)}.0.op.{last}"
    if kind == "upsamplers":
        above = 2 if any(other.startswith(f"up_blocks.{block}.attentions.") for other in names) else 1
        return f"output_blocks.{int(block) * (layers + 1) + layers}.{above}.conv.{last}"
    head = f"input_blocks.{place + 1}" if side == "down_blocks" else f"output_blocks.{place}"
    return f"{head}.{0 if kind == 'resnets' else 1}.{_inner(kind, inner)}"


def _inner(kind: str, inner: str) -> str:
    module, _, last = inner.rpartition(".")
    return f"{RESNET[module]}.{last}" if kind == "resnets" else inner


def ldm_vae(tensors: Mapping[str, Tensor]) -> Tensors:
    blocks = 1 + max(int(name.split(".")[2]) for name in tensors if name.startswith("decoder.up_blocks."))
    return dict(_vae_entry(name, tensor, blocks) for name, tensor in tensors.items())


def _vae_entry(name: str, tensor: Tensor, blocks: int) -> tuple[str, Tensor]:
    if ".attentions.0." in name:
        return _vae_attention(name, tensor)
    parts = name.replace("conv_norm_out", "norm_out").replace("conv_shortcut", "nin_shortcut").split(".")
    if "mid_block" in parts:
        side, _, _, number, *rest = parts
        parts = [side, "mid", f"block_{int(number) + 1}", *rest]
    elif "down_blocks" in parts or "up_blocks" in parts:
        side, way, block, kind, number, *rest = parts
        place = block if way == "down_blocks" else str(blocks - 1 - int(block))
        where = ["block", number] if kind == "resnets" else ["downsample" if way == "down_blocks" else "upsample"]
        parts = [side, way.removesuffix("_blocks"), place, *where, *rest]
    return ".".join(parts), tensor


def _vae_attention(name: str, tensor: Tensor) -> tuple[str, Tensor]:
    side, inner = name.split(".")[0], name.split(".attentions.0.")[1]
    for new, old in {"group_norm": "norm", "to_q": "q", "to_k": "k", "to_v": "v", "to_out.0": "proj_out"}.items():
        inner = inner.replace(new, old)
    convolution = tensor[:, :, None, None] if tensor.ndim == 2 else tensor
    return f"{side}.mid.attn_1.{inner}", convolution


def open_clip(tensors: Mapping[str, Tensor], spare_layer: bool) -> Tensors:
    """`spare_layer`: OpenCLIP-H has a last layer that no model of the family uses."""
    flat = {name.removeprefix("text_model."): tensor for name, tensor in tensors.items()}
    layers = 1 + max(int(name.split(".")[2]) for name in flat if name.startswith("encoder.layers."))
    found = {
        "positional_embedding": flat["embeddings.position_embedding.weight"],
        "token_embedding.weight": flat["embeddings.token_embedding.weight"],
        "ln_final.weight": flat["final_layer_norm.weight"],
        "ln_final.bias": flat["final_layer_norm.bias"],
        "logit_scale": torch.tensor(4.6),
        "text_projection": flat.get("text_projection.weight", torch.eye(8)).T,
    }
    for number in range(layers + spare_layer):
        level = f"encoder.layers.{min(number, layers - 1)}."
        own = {name.removeprefix(level): tensor for name, tensor in flat.items() if name.startswith(level)}
        found |= {f"transformer.resblocks.{number}.{name}": tensor for name, tensor in _open_clip_layer(own).items()}
    return found


def _open_clip_layer(own: Mapping[str, Tensor]) -> Tensors:
    plain = {"layer_norm1": "ln_1", "layer_norm2": "ln_2", "mlp.fc1": "mlp.c_fc", "mlp.fc2": "mlp.c_proj"}
    plain["self_attn.out_proj"] = "attn.out_proj"
    found = {f"{new}.{last}": own[f"{old}.{last}"] for old, new in plain.items() for last in ("weight", "bias")}
    for last in ("weight", "bias"):
        found[f"attn.in_proj_{last}"] = torch.cat([own[f"self_attn.{letter}_proj.{last}"] for letter in "qkv"])
    return found
