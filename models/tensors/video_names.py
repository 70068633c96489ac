"""Video models in one file, Stable Video Diffusion's and SV3D's: where it keeps its networks, and the names that these have in
diffusers and transformers.

The original is Stability's generative-models. Its UNet and the decoder of its VAE are those of latent diffusion, with a layer over the
frames (`time_stack`) behind each one over the picture, and a number that mixes the two (`mix_factor`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from torch import Tensor

from models.tensors.layouts import Names, unet_names
from models.tensors.unet_names import INNER, OUTER

DECODER = "first_stage_model.decoder."
# The encoder that made the training's latents is that of the conditioner: an ordinary VAE, beside the one that the decoder was trained on.
# SV3D, which is told less, has it in another place.
ENCODERS = ("conditioner.embedders.3.encoder.", "conditioner.embedders.1.encoder.", "first_stage_model.")
ADDED = ("label_emb.0.0.weight", "add_embedding.linear_1.weight")  # reads what is added to the time embedding
TIME_STACK = ".time_stack."
RESIDUAL = {old: new for new, old in INNER.items()}
FIRST_AND_LAST = {old: new for new, old in OUTER.items()}
BLOCK = re.compile(r"(input_blocks|output_blocks)\.(\d+)\.(\d)\.(.+)")
MIDDLE = re.compile(r"middle_block\.(\d)\.(.+)")
VAE_BLOCK = re.compile(r"(encoder|decoder)\.(down|up)\.(\d+)\.(block\.\d+|downsample|upsample)\.(.+)")
VAE_MIDDLE = re.compile(r"(encoder|decoder)\.mid\.(block_[12]|attn_1)\.(.+)")
VAE_ATTENTION = {"norm": "group_norm", "q": "to_q", "k": "to_k", "v": "to_v", "proj_out": "to_out.0"}


def video_unet_names(names: Sequence[str]) -> Names:
    return unet_names(names)


def video_vae_names(names: Sequence[str]) -> Names:
    """The decoder, and the encoder with what follows it."""
    found = {f"decoder.{name[len(DECODER) :]}": name for name in names if name.startswith(DECODER)}
    for prefix in ENCODERS:
        beside = {name[len(prefix) :]: name for name in names if name.startswith((f"{prefix}encoder.", f"{prefix}quant_conv."))}
        if beside:
            return found | beside
    return found


# ------------------------------------------------------------------------------------------------------------------------- the UNet


def video_unet_tensors(tensors: Mapping[str, Tensor], layers: int) -> dict[str, Tensor]:
    """`layers`: of each block. Names of diffusers stay what they are."""
    return {_unet_name(name, layers): tensor for name, tensor in tensors.items()}


def _unet_name(name: str, layers: int) -> str:
    module, _, last = name.rpartition(".")
    if module in FIRST_AND_LAST:
        return f"{FIRST_AND_LAST[module]}.{last}"
    if found := MIDDLE.fullmatch(name):
        place = int(found[1])
        return f"mid_block.attentions.0.{_attention(found[2])}" if place == 1 else f"mid_block.resnets.{place // 2}.{_residual(found[2])}"
    if found := BLOCK.fullmatch(name):
        return _in_block(found[1] == "input_blocks", int(found[2]), int(found[3]), found[4], layers)
    return name


def _in_block(is_down: bool, number: int, place: int, inner: str, layers: int) -> str:
    block, layer = divmod(number - is_down, layers + 1)
    side = f"{'down' if is_down else 'up'}_blocks.{block}"
    if inner.startswith(("op.", "conv.")):
        return f"{side}.{'downsamplers' if is_down else 'upsamplers'}.0.conv.{inner.partition('.')[2]}"
    return f"{side}.attentions.{layer}.{_attention(inner)}" if place else f"{side}.resnets.{layer}.{_residual(inner)}"


def _attention(inner: str) -> str:
    inner = re.sub(r"^time_stack\.", "temporal_transformer_blocks.", inner)
    return re.sub(r"^time_pos_embed\.([02])\.", lambda found: f"time_pos_embed.linear_{int(found[1]) // 2 + 1}.", inner)


def _residual(inner: str) -> str:
    """Of the UNet, and the layers over the frames of the VAE."""
    if inner.startswith("time_mixer."):
        return inner
    kind, rest = ("temporal", inner.removeprefix("time_stack.")) if inner.startswith("time_stack.") else ("spatial", inner)
    module, _, last = rest.rpartition(".")
    return f"{kind}_res_block.{RESIDUAL.get(module, module)}.{last}"


# -------------------------------------------------------------------------------------------------------------------------- the VAE


def video_vae_tensors(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Also of one whose decoder knows no frames. Names of diffusers stay what they are."""
    blocks = 1 + max((int(found[3]) for name in tensors if (found := VAE_BLOCK.fullmatch(name)) and found[1] == "decoder"), default=0)
    timed = any(name.startswith("decoder.") and TIME_STACK in name for name in tensors)
    return dict(_vae_entry(name, tensor, blocks, timed) for name, tensor in tensors.items())


def _vae_entry(name: str, tensor: Tensor, blocks: int, timed: bool) -> tuple[str, Tensor]:
    if found := VAE_MIDDLE.fullmatch(name):
        side, what, inner = found.groups()
        if what == "attn_1":
            module, _, last = inner.rpartition(".")
            matrix = tensor[:, :, 0, 0] if tensor.ndim == 4 else tensor
            return f"{side}.mid_block.attentions.0.{VAE_ATTENTION[module]}.{last}", matrix
        return f"{side}.mid_block.resnets.{int(what[-1]) - 1}.{_vae_residual(inner, timed and side == 'decoder')}", tensor
    if found := VAE_BLOCK.fullmatch(name):
        side, way, number, what, inner = found.groups()
        head = f"{side}.{way}_blocks.{number if way == 'down' else blocks - 1 - int(number)}"
        if not what.startswith("block."):
            return f"{head}.{what}rs.0.{inner}", tensor
        return f"{head}.resnets.{what.removeprefix('block.')}.{_vae_residual(inner, timed and side == 'decoder')}", tensor
    return name.replace(".norm_out.", ".conv_norm_out.").replace("conv_out.time_mix_conv.", "time_conv_out."), tensor


def _vae_residual(inner: str, timed: bool) -> str:
    if inner == "mix_factor":
        return "time_mixer.mix_factor"
    if inner.startswith("time_stack."):
        return _residual(inner)
    return ("spatial_res_block." if timed else "") + inner.replace("nin_shortcut", "conv_shortcut")
