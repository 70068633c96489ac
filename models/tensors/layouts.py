"""Layouts: how model files name their tensors, and which of them belong to which network.

`parts` sorts a file's names by component: the Stable Diffusion layouts (LDM, SGM), single components with or without their
prefix, EMA weights, diffusers' own names. `arranged` then gives a component's tensors the names that the network has. Both work
on names alone or on tensors without data, so whatever is missing is known before gigabytes are read.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import cast

from torch import Tensor

from models.tensors.open_clip import is_open_clip, to_transformers
from models.tensors.signature import BARE_ENCODER, EMA_PREFIX, ENCODER_PREFIXES, UNET_PREFIXES, VAE_PREFIXES

LCM_GUIDANCE = "time_embed.cond_proj.weight", "time_embedding.cond_proj.weight"  # original name, diffusers' name
# How each component begins in a file that holds nothing else.
BARE_UNET = re.compile(
    r"(input_blocks|middle_block|output_blocks|time_embed|label_emb|out)\.\d|(down_blocks|up_blocks|conv_in|time_embedding)\."
)
BARE_VAE = re.compile(r"(encoder|decoder)\.(conv_in|conv_out|down|up|mid|norm_out|conv_norm_out)|(post_)?quant_conv\.")
ANY = re.compile("")
# The layers of a VAE in the original layout. diffusers' conversion counts its blocks by whatever is called so.
ORIGINAL_VAE = re.compile(
    r"(encoder|decoder)\.(conv_in|conv_out|norm_out|mid|(down|up)\.\d+\.(block|attn|downsample|upsample))\.|(post_)?quant_conv\."
)

# Numbers beside the weights that networks of today make themselves or never use. Their absence is no loss, nor is their presence.
NOT_WEIGHTS = re.compile(r"(^|\.)(position_ids|logit_scale|attn_mask|scaled_fp8|scale_input|input_scale|comfy_quant)$")

Names = Mapping[str, str]  # canonical name within the component -> name in the file


def unet_names(names: Sequence[str]) -> Names:
    """The UNet's own weights where there are any, else the averaged ones (EMA). Nothing when the file has no UNet."""
    found = _prefixed(names, UNET_PREFIXES, BARE_UNET) or _bare(names, BARE_UNET)
    if found:
        return found
    averaged = _prefixed(names, [EMA_PREFIX], ANY)
    return {spelt_out(short): name for short, name in averaged.items()}


def vae_names(names: Sequence[str]) -> Names:
    return _prefixed(names, VAE_PREFIXES, BARE_VAE) or _bare(names, BARE_VAE)


def encoder_names(names: Sequence[str], family: str, key: str) -> Names:
    found = _prefixed(names, ENCODER_PREFIXES[family, key], BARE_ENCODER) or _bare(names, BARE_ENCODER)
    return {name.removeprefix("text_model."): file_name for name, file_name in found.items()}


def _prefixed(names: Sequence[str], prefixes: Sequence[str], beginning: re.Pattern[str]) -> dict[str, str]:
    """Of the first prefix with names of such a component behind it; a counter alone is none."""
    for prefix in prefixes:
        found = {name[len(prefix) :]: name for name in names if name.startswith(prefix)}
        if any(beginning.match(short) for short in found):
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
    r"(input_blocks|output_blocks)(\d+)(\d)(?=\D)|(middle_block)(\d)(?=\D)|(time_embed|out)(\d)(?=\D)|(label_emb)(\d)(\d)(?=\D)|(label_emb)(?=weight)"
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


def unet_tensors(tensors: Mapping[str, Tensor], config: Mapping[str, object]) -> dict[str, Tensor]:
    """Raises KeyError, with the name in the original layout, where diffusers' conversion needs a weight that is not there."""
    if not any(name.startswith(("input_blocks.", "output_blocks.", "middle_block.")) for name in tensors):
        return dict(tensors)
    from diffusers.loaders.single_file_utils import convert_ldm_unet_checkpoint as convert  # pyright: ignore[reportUnknownVariableType]

    prefixed = {UNET_PREFIXES[0] + name: tensor for name, tensor in tensors.items()}
    guidance = {new: tensors[old] for old, new in [LCM_GUIDANCE] if old in tensors}  # unknown to the conversion
    return cast(dict[str, Tensor], convert(prefixed, config)) | guidance


def vae_tensors(tensors: Mapping[str, Tensor], config: Mapping[str, object]) -> dict[str, Tensor]:
    original = {name: tensor for name, tensor in tensors.items() if ORIGINAL_VAE.match(name)}
    if "decoder.mid.block_1.conv1.weight" not in original:
        return dict(_linear(name, tensor) for name, tensor in tensors.items())
    from diffusers.loaders.single_file_utils import convert_ldm_vae_checkpoint as convert  # pyright: ignore[reportUnknownVariableType]

    return cast(dict[str, Tensor], convert(original, config))


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
