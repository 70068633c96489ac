"""Steering networks of a few random weights, as files in every layout, with the names written down here independently of the loader.

A toy is none of the public models, so each file carries its own sizes in its metadata; only its width is that of its family.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from models.memory.device import mend_torchvision
from models.tensors.embedded_sizes import OWN_SIZES
from tests.support.original_names import Tensors, ldm_unet

LAYERS = 2  # of a block, as in the public models
BLOCKS: Mapping[str, Any] = {
    "block_out_channels": (16, 32, 32), "layers_per_block": LAYERS, "attention_head_dim": 4, "norm_num_groups": 4,
}  # fmt: skip
PICTURE: Mapping[str, Any] = {"conditioning_embedding_out_channels": (4, 8, 8, 12)}
CROSS, PLAIN = "CrossAttnDownBlock2D", "DownBlock2D"
ADDED: Mapping[str, Any] = {
    "use_linear_projection": True, "addition_embed_type": "text_time", "addition_time_embed_dim": 8,
    "projection_class_embeddings_input_dim": 88,
}  # fmt: skip
SDXL: Mapping[str, Any] = {**ADDED, "cross_attention_dim": 2048, "down_block_types": (PLAIN, CROSS, CROSS)}
NETS: Mapping[str, dict[str, Any]] = {  # what it is -> sizes beyond those above
    "sd1": {"cross_attention_dim": 768, "down_block_types": (CROSS, CROSS, PLAIN)},
    "sd2": {"cross_attention_dim": 1024, "down_block_types": (CROSS, CROSS, PLAIN), "use_linear_projection": True},
    "sdxl large": {**SDXL, "transformer_layers_per_block": (1, 2, 3)},
    "sdxl mid": {**SDXL, "transformer_layers_per_block": (0, 0, 1)},
    "sdxl small": {**SDXL, "transformer_layers_per_block": (0, 0, 0), "down_block_types": (PLAIN,) * 3},
    "without words": {"cross_attention_dim": 160, "down_block_types": (PLAIN,) * 3, "mid_block_type": "UNetMidBlock2D"},
}
UNION: Mapping[str, Any] = {
    **SDXL, "transformer_layers_per_block": (1, 1, 2), "num_trans_channel": 16, "num_proj_channel": 16, "num_trans_head": 4,
}  # fmt: skip
ADAPTERS: Mapping[str, dict[str, Any]] = {
    "full": {"channels": [8, 16, 24, 24], "adapter_type": "full_adapter"},
    "full, grey": {"channels": [8, 16, 24, 24], "adapter_type": "full_adapter", "in_channels": 1},
    "light": {"channels": [8, 16, 24], "adapter_type": "light_adapter", "num_res_blocks": 4},
    "xl": {"channels": [8, 16, 24, 24], "adapter_type": "full_adapter_xl", "downscale_factor": 16},
}


def control_net(what: str, **more: Any) -> Any:
    """One of `NETS`, with no weight of zero."""
    mend_torchvision()
    from diffusers import ControlNetModel

    return shaken(ControlNetModel(**{**BLOCKS, **PICTURE, **NETS[what], **more}))


def union_net(kinds: int = 6, **more: Any) -> Any:
    mend_torchvision()
    from diffusers import ControlNetUnionModel

    return shaken(ControlNetUnionModel(**{**BLOCKS, **PICTURE, **UNION, **more}, num_control_type=kinds))


def adapter(what: str) -> Any:
    mend_torchvision()
    from diffusers import T2IAdapter

    return shaken(T2IAdapter(**ADAPTERS[what]))


def unet_for(what: str, seed: int = 5, channels_in: int = 4) -> Any:
    """A UNet whose first half has the shape of that ControlNet."""
    mend_torchvision()
    from diffusers import UNet2DConditionModel

    sizes = dict(NETS[what])
    downs = sizes.pop("down_block_types")
    ups = tuple("CrossAttnUpBlock2D" if down == CROSS else "UpBlock2D" for down in reversed(downs))
    return shaken(UNet2DConditionModel(**BLOCKS, **sizes, down_block_types=downs, up_block_types=ups, in_channels=channels_in), seed)


def shaken(network: Any, seed: int = 0) -> Any:
    """The zero convolutions too get weights, so that what they read shows in what comes out."""
    random = torch.Generator().manual_seed(seed)
    for weight in network.parameters():
        weight.data = torch.randn(weight.shape, generator=random) * (weight[0].numel() ** -0.5 if weight.ndim > 1 else 0.1)
    return network.eval().requires_grad_(False)


def steer(network: nn.Module, what: str = "sd1", **more: Any) -> list[Tensor]:
    """What a ControlNet gives for the same noise, words and picture."""
    random = torch.Generator().manual_seed(3)
    words = torch.randn(1, 5, getattr(network, "config")["cross_attention_dim"], generator=random)  # noqa: B009
    added = {"text_embeds": torch.randn(1, 40, generator=random), "time_ids": torch.arange(6.0)[None]}
    if "addition_embed_type" in NETS[what]:
        more["added_cond_kwargs"] = added
    latents, picture = torch.randn(1, 4, 8, 8, generator=random), torch.rand(1, 3, 64, 64, generator=random)
    more.setdefault("controlnet_cond", picture)
    down, middle = network(latents, torch.tensor([500]), words, return_dict=False, **more)
    return [*down, middle]


# ------------------------------------------------------------------------------------------------------------------- original names

OUTSIDE = {"controlnet_mid_block": "middle_block_out.0", "controlnet_cond_embedding.conv_in": "input_hint_block.0"}


def original(network: Any) -> Tensors:
    """A ControlNet's tensors under the names of lllyasviel's code, or Stability's where SDXL's label is."""
    tensors = network.state_dict()
    own = {name: tensor for name, tensor in tensors.items() if name.startswith("controlnet_")}
    beginnings = ("task_", "transformer_layes", "spatial_", "control_add_")  # a union's own
    union = {name: tensor for name, tensor in tensors.items() if name.startswith(beginnings)}
    rest = {name: tensor for name, tensor in tensors.items() if name not in own and name not in union}
    last = len(network.controlnet_cond_embedding.blocks) * 2 + 2
    return ldm_unet(rest, LAYERS) | {_own_name(name, last): tensor for name, tensor in own.items()} | union


def _own_name(name: str, last: int) -> str:
    module, _, kind = name.rpartition(".")
    if module in OUTSIDE:
        return f"{OUTSIDE[module]}.{kind}"
    if module.startswith("controlnet_down_blocks."):
        return f"zero_convs.{module.split('.')[1]}.0.{kind}"
    place = last if module.endswith("conv_out") else 2 * int(module.split(".")[2]) + 2
    return f"input_hint_block.{place}.{kind}"


def as_comfy_saves(tensors: Mapping[str, Tensor]) -> Tensors:
    """Its union nets keep attention's inputs as a layer."""
    return {name.replace(".attn.in_proj_", ".attn.in_proj."): tensor for name, tensor in tensors.items()}


def original_adapter(network: Any) -> Tensors:
    """TencentARC's names: the blocks of the full adapter in one row, those of the light one nested."""
    is_light = network.config.adapter_type == "light_adapter"
    return {_adapter_name(name.removeprefix("adapter."), is_light): tensor for name, tensor in network.state_dict().items()}


def _adapter_name(name: str, is_light: bool) -> str:
    if is_light or not name.startswith("body."):
        return name.replace(".resnets.", ".body.")
    _, block, *rest = name.split(".")
    if rest[0] == "resnets":
        return ".".join(["body", str(2 * int(block) + int(rest[1])), *rest[2:]])
    return ".".join(["body", str(2 * int(block)), *rest])


# -------------------------------------------------------------------------------------------------------------------- Control-LoRAs


def control_lora(unet: Any, rank: int = 2, seed: int = 7) -> tuple[Tensors, Any]:
    """A file's tensors, and the ControlNet that it makes of this UNet: W + up @ down, written out."""
    from diffusers import ControlNetModel

    config = ControlNetModel.from_unet(unet, **PICTURE).config
    whole = shaken(ControlNetModel.from_config({**config, "in_channels": 4}), seed)
    own, given = whole.state_dict(), unet.state_dict()
    random = torch.Generator().manual_seed(seed)
    differences: Tensors = {}
    for name in [name for name in own if not name.startswith("controlnet_") and name.endswith(".weight") and own[name].ndim > 1]:
        base = given[name][:, :4] if name == "conv_in.weight" else given[name]
        up, down = torch.randn(base.shape[0], rank, generator=random), torch.randn(rank, *base.shape[1:], generator=random)
        own[name] = base + 0.1 * (up @ down.flatten(1)).view(base.shape)
        stem = name.removesuffix("weight")
        differences |= {f"{stem}up": 0.1 * (up[:, :, None, None] if base.ndim == 4 else up), f"{stem}down": down}
    whole.load_state_dict(own)
    kept = {name: tensor for name, tensor in own.items() if f"{name.removesuffix('weight')}up" not in differences}
    names = dict(zip(own, original_names_of(whole), strict=True))
    found = {names[name]: tensor for name, tensor in kept.items()}
    for name, tensor in differences.items():
        stem, _, last = name.rpartition(".")
        found[names[f"{stem}.weight"].removesuffix("weight") + last] = tensor
    return found | {"lora_controlnet": torch.zeros(0)}, whole


def original_names_of(network: Any) -> list[str]:
    """In the order of the network's own tensors."""
    numbered = {name: torch.tensor(float(place)) for place, name in enumerate(network.state_dict())}
    stand_in = _Named(numbered, network)
    return [name for name, _ in sorted(original(stand_in).items(), key=lambda item: float(item[1]))]


class _Named:
    """A network of which only the names are asked."""

    def __init__(self, tensors: Tensors, network: Any) -> None:
        self.state_dict = lambda: tensors
        self.controlnet_cond_embedding = network.controlnet_cond_embedding


# ---------------------------------------------------------------------------------------------------------------------------- files


def sizes_of(network: Any, **more: Any) -> dict[str, str]:
    """The metadata of a toy's file."""
    own = {name: value for name, value in network.config.items() if name != "global_pool_conditions"}
    return {OWN_SIZES: json.dumps({"controlnet": {**own, **more}}, default=str)}


def write(file: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    save_file({name: tensor.contiguous().clone() for name, tensor in tensors.items()}, file, dict(metadata))
    return file


Layout = Callable[[Any], Tensors]


def beside_a_model(network: Any) -> Tensors:
    """A training's whole state: the model, its VAE and encoder, and the ControlNet with a prefix."""
    unet = "model.diffusion_model.input_blocks.1.1.transformer_blocks.0.attn2.to_k.weight", "model.diffusion_model.input_blocks.0.0.weight"
    encoder = "cond_stage_model.transformer.text_model.embeddings.position_ids"
    model = {**dict.fromkeys(unet, torch.zeros(3, 77)), encoder: torch.arange(77)}
    vae = {"first_stage_model.decoder.conv_in.weight": torch.zeros(8, 4, 3, 3), "logvar": torch.zeros(1000)}
    return model | vae | {f"control_model.{name}": tensor for name, tensor in original(network).items()}


LAYOUTS: Mapping[str, Layout] = {
    "original": original,
    "original with a prefix": lambda network: {f"control_model.{name}": tensor for name, tensor in original(network).items()},
    "beside a whole model": beside_a_model,
    "diffusers": lambda network: network.state_dict(),
    "float16": lambda network: {name: tensor.half() for name, tensor in original(network).items()},
}
