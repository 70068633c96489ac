"""How model files name their tensors, and which of them belong to which network.

`parts` sorts a file's names by component: the Stable Diffusion layouts (LDM, SGM), single components with or without their
prefix, EMA weights, diffusers' own names. `arranged` then gives a component's tensors the names that the network has. Both work
on names alone or on tensors without data, so whatever is missing is known before gigabytes are read.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor

from models.open_clip import is_open_clip, to_transformers

UNET_PREFIXES = ("model.diffusion_model.", "diffusion_model.", "unet.")
EMA_PREFIX = "model_ema."
VAE_PREFIXES = ("first_stage_model.", "vae.")
ENCODER_PREFIXES: Mapping[tuple[str, str], Sequence[str]] = {  # family, encoder's key -> where it lies in a whole checkpoint
    ("sd1", "clip_l"): ("cond_stage_model.transformer.", "text_encoders.clip_l.transformer."),
    ("sd2", "clip_h"): ("cond_stage_model.model.", "conditioner.embedders.0.model.", "cond_stage_model.transformer."),
    ("sdxl", "clip_l"): ("conditioner.embedders.0.transformer.", "text_encoders.clip_l.transformer."),
    ("sdxl", "clip_g"): ("conditioner.embedders.1.model.", "text_encoders.clip_g.transformer."),
    ("sdxl-refiner", "clip_g"): ("conditioner.embedders.0.model.", "text_encoders.clip_g.transformer."),
}
LCM_GUIDANCE = "time_embed.cond_proj.weight", "time_embedding.cond_proj.weight"  # original name, diffusers' name
# How each component begins in a file that holds nothing else.
BARE_UNET = re.compile(
    r"(input_blocks|middle_block|output_blocks|time_embed|label_emb|out)\.\d|(down_blocks|up_blocks|conv_in|time_embedding)\."
)
BARE_VAE = re.compile(r"(encoder|decoder)\.(conv_in|conv_out|down|up|mid|norm_out|conv_norm_out)|(post_)?quant_conv\.")
BARE_ENCODER = re.compile(
    r"(text_model\.)?(embeddings|encoder\.layers|final_layer_norm)\.|positional_embedding|token_embedding\.|transformer\.resblocks\."
)

# Numbers beside the weights that networks of today make themselves or never use. Their absence is no loss, nor is their presence.
NOT_WEIGHTS = re.compile(r"(^|\.)(position_ids|logit_scale|attn_mask|scaled_fp8|scale_input|input_scale|comfy_quant)$")

Names = Mapping[str, str]  # canonical name within the component -> name in the file


def unet_names(names: Sequence[str]) -> Names:
    """The UNet's own weights where there are any, else the averaged ones (EMA). Nothing when the file has no UNet."""
    found = _prefixed(names, UNET_PREFIXES) or _bare(names, BARE_UNET)
    if found:
        return found
    averaged = _prefixed(names, [EMA_PREFIX + "diffusion_model"])
    return {spelt_out(short): name for short, name in averaged.items()}


def vae_names(names: Sequence[str]) -> Names:
    return _prefixed(names, VAE_PREFIXES) or _bare(names, BARE_VAE)


def encoder_names(names: Sequence[str], family: str, key: str) -> Names:
    found = _prefixed(names, ENCODER_PREFIXES[family, key]) or _bare(names, BARE_ENCODER)
    return {name.removeprefix("text_model."): file_name for name, file_name in found.items()}


def _prefixed(names: Sequence[str], prefixes: Sequence[str]) -> dict[str, str]:
    for prefix in prefixes:
        if found := {name[len(prefix) :]: name for name in names if name.startswith(prefix)}:
            return _weights(found)
    return {}


def _bare(names: Sequence[str], beginning: re.Pattern[str]) -> dict[str, str]:
    """The whole file, when it looks like this one component."""
    return _weights({name: name for name in names}) if any(beginning.match(name) for name in names) else {}


def _weights(names: Names) -> dict[str, str]:
    return {name: file_name for name, file_name in names.items() if not NOT_WEIGHTS.search(name)}


# LitEma of latent diffusion writes a weight's name without its dots. The words below, the numbers between them and the rule that the
# second number within `input_blocks` and `output_blocks` has one digit give them back.
_EMA_HEADS = re.compile(
    r"(input_blocks|output_blocks)(\d+)(\d)(?=\D)|(middle_block)(\d)(?=\D)|(time_embed|out)(\d)(?=\D)|(label_emb)(\d)(\d)(?=\D)"
)
_EMA_WORDS = re.compile(
    r"in_layers|out_layers|emb_layers|skip_connection|transformer_blocks|proj_in|proj_out|to_q|to_k|to_v|to_out|attn[12]|norm[123]"
    r"|ff|net|proj|norm|op|conv|weight|bias|\d+"
)


def spelt_out(short: str) -> str:
    """`input_blocks10in_layers0weight` -> `input_blocks.1.0.in_layers.0.weight`."""
    head = _EMA_HEADS.match(short)
    if head is None:
        return short
    return ".".join([*filter(None, head.groups()), *_EMA_WORDS.findall(short[head.end() :])])


# ------------------------------------------------------------------------------------------------------------ the network's names


def unet_tensors(tensors: Mapping[str, Tensor], config: Mapping[str, Any]) -> dict[str, Tensor]:
    """Raises KeyError, with the name in the original layout, where diffusers' conversion needs a weight that is not there."""
    if not any(name.startswith(("input_blocks.", "output_blocks.", "middle_block.")) for name in tensors):
        return dict(tensors)
    from diffusers.loaders.single_file_utils import convert_ldm_unet_checkpoint

    prefixed = {UNET_PREFIXES[0] + name: tensor for name, tensor in tensors.items()}
    guidance = {new: tensors[old] for old, new in [LCM_GUIDANCE] if old in tensors}  # unknown to the conversion
    return convert_ldm_unet_checkpoint(prefixed, config) | guidance


def vae_tensors(tensors: Mapping[str, Tensor], config: Mapping[str, Any]) -> dict[str, Tensor]:
    if any(name.startswith(("encoder.down_blocks.", "decoder.up_blocks.")) for name in tensors):
        return dict(_linear(name, tensor) for name, tensor in tensors.items())
    from diffusers.loaders.single_file_utils import convert_ldm_vae_checkpoint

    return convert_ldm_vae_checkpoint(dict(tensors), config)


# The attention of VAEs that diffusers saved before its version 0.15, when it was a module of its own.
_OLD_ATTENTION = {"query": "to_q", "key": "to_k", "value": "to_v", "proj_attn": "to_out.0"}


def _linear(name: str, tensor: Tensor) -> tuple[str, Tensor]:
    path, _, last = name.rpartition(".")
    above, _, module = path.rpartition(".")
    if ".attentions." not in name:
        return name, tensor
    if last == "weight" and tensor.ndim == 4:
        tensor = tensor[:, :, 0, 0]
    return f"{above}.{_OLD_ATTENTION.get(module, module)}.{last}", tensor


def encoder_tensors(tensors: Mapping[str, Tensor], expected: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """`expected`: the network's tensors. With a projection its layers lie one level further down."""
    flat = to_transformers(tensors) if is_open_clip(tensors) else dict(tensors)
    level = "text_model." if any(name.startswith("text_model.") for name in expected) else ""
    return {name if name.startswith("text_projection") else level + name: tensor for name, tensor in flat.items()}
