"""A tiny video model of random weights, SVD or SV3D, as Stability's single files name it and as a folder of diffusers.

The names are written down here independently of the loader, which goes the other way.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from models.files import Identity, ModelFile
from models.memory.device import mend_torchvision
from models.tensors.embedded_sizes import OWN_SIZES
from tests.support.original_names import RESNET, Tensors, ldm_vae
from tests.support.toy_controls import shaken
from tests.support.toy_files import prefixed, save

SAMPLE = 8  # latents of a side, of an SV3D
WIDTH = 24  # of what the picture's encoder says
VISION: dict[str, Any] = {
    "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2, "patch_size": 56, "image_size": 224,
    "projection_dim": WIDTH, "hidden_act": "gelu",
}  # fmt: skip
UNET: dict[str, Any] = {
    "block_out_channels": (32, 64), "layers_per_block": 1, "cross_attention_dim": WIDTH, "num_attention_heads": 2,
    "down_block_types": ("CrossAttnDownBlockSpatioTemporal", "DownBlockSpatioTemporal"),
    "up_block_types": ("UpBlockSpatioTemporal", "CrossAttnUpBlockSpatioTemporal"),
}  # fmt: skip
VAE: dict[str, Any] = {
    "block_out_channels": (32, 32, 32, 32), "layers_per_block": 1, "down_block_types": ("DownEncoderBlock2D",) * 4,
    "scaling_factor": 0.18215,
}  # fmt: skip


@dataclass(frozen=True)
class ToyVideo:
    unet: Any
    vae: Any
    vision: Any

    @property
    def metadata(self) -> dict[str, str]:
        own = {} if self.unet.config.projection_class_embeddings_input_dim == 768 else {"sample_size": SAMPLE}
        sizes = {"unet": {**self.unet.config, **own}, "vae": dict(self.vae.config), "vision": VISION}
        return {OWN_SIZES: json.dumps(sizes, default=str)}


def toy_video(plain_decoder: bool = False, seed: int = 0, added: int = 768) -> ToyVideo:
    """`plain_decoder`: of the files that are called image decoder. `added`: width of what is added to the time embedding; SV3D has 256 or
    1280.
    """
    mend_torchvision()
    from diffusers import AutoencoderKL, AutoencoderKLTemporalDecoder, UNetSpatioTemporalConditionModel
    from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection

    torch.manual_seed(seed)
    up: dict[str, Any] = {"up_block_types": ("UpDecoderBlock2D",) * 4, "use_post_quant_conv": False}
    vae = AutoencoderKL(**VAE, **up) if plain_decoder else AutoencoderKLTemporalDecoder(**VAE)
    vision = CLIPVisionModelWithProjection(CLIPVisionConfig(**VISION))
    unet = UNetSpatioTemporalConditionModel(**UNET, projection_class_embeddings_input_dim=added)
    return ToyVideo(*(shaken(network, seed).eval() for network in (unet, vae, vision)))


def original(toy: ToyVideo) -> Tensors:
    """All tensors of a single file, with what it holds twice and what is left over in it."""
    vae = toy.vae.state_dict()
    plain = _plain_vae(vae)
    encoder = {name: tensor for name, tensor in plain.items() if not name.startswith("decoder.")}
    found = prefixed("model.diffusion_model.", _unet(toy.unet.state_dict()))
    found |= prefixed("first_stage_model.", {name: tensor for name, tensor in plain.items() if name.startswith("decoder.")} | _timed(vae))
    found |= {f"first_stage_model.{name}": torch.randn_like(tensor) for name, tensor in encoder.items() if name.startswith("encoder.")}
    place = 3 if toy.unet.config.projection_class_embeddings_input_dim == 768 else 1
    found |= prefixed(f"conditioner.embedders.{place}.encoder.", encoder)
    beside = prefixed("visual.", vision_tensors(toy.vision.state_dict()))
    beside |= {"token_embedding.weight": torch.randn(10, 32), "positional_embedding": torch.randn(7, 32), "logit_scale": torch.tensor(4.6)}
    return found | prefixed("conditioner.embedders.0.open_clip.model.", beside)


def _unet(tensors: Mapping[str, Tensor]) -> Tensors:
    return {_unet_name(name): tensor for name, tensor in tensors.items()}


OUTER = {
    "conv_in": "input_blocks.0.0", "conv_norm_out": "out.0", "conv_out": "out.2",
    "time_embedding.linear_1": "time_embed.0", "time_embedding.linear_2": "time_embed.2",
    "add_embedding.linear_1": "label_emb.0.0", "add_embedding.linear_2": "label_emb.0.2",
}  # fmt: skip


def _unet_name(name: str) -> str:
    """Of the shape above: one layer a block, and one more on the way up."""
    module, _, last = name.rpartition(".")
    if module in OUTER:
        return f"{OUTER[module]}.{last}"
    parts = name.split(".")
    if parts[0] == "mid_block":
        kind, number, inner = parts[1], int(parts[2]), ".".join(parts[3:])
        return f"middle_block.{1 if kind == 'attentions' else 2 * number}.{_inner(kind, inner)}"
    block, kind, number, inner = int(parts[1]), parts[2], int(parts[3]), ".".join(parts[4:])
    if kind == "downsamplers":
        return f"input_blocks.{2 + 2 * block}.0.op.{last}"
    if kind == "upsamplers":  # behind the attention, where there is any: not in the innermost block
        return f"output_blocks.{1 + 2 * block}.{1 if block == 0 else 2}.conv.{last}"
    place = f"input_blocks.{1 + 2 * block + number}" if parts[0] == "down_blocks" else f"output_blocks.{2 * block + number}"
    return f"{place}.{1 if kind == 'attentions' else 0}.{_inner(kind, inner)}"


def _inner(kind: str, inner: str) -> str:
    if kind == "attentions":
        inner = inner.replace("temporal_transformer_blocks", "time_stack")
        return inner.replace("time_pos_embed.linear_1", "time_pos_embed.0").replace("time_pos_embed.linear_2", "time_pos_embed.2")
    if inner.startswith("time_mixer"):
        return inner
    block, module, last = inner.split(".")
    return f"{'time_stack.' if block == 'temporal_res_block' else ''}{RESNET[module]}.{last}"


def _plain_vae(tensors: Mapping[str, Tensor]) -> Tensors:
    """What latent diffusion has as well."""
    return ldm_vae({name.replace("spatial_res_block.", ""): tensor for name, tensor in tensors.items() if not TIMED.search(name)})


TIMED = re.compile("temporal_res_block|time_mixer|time_conv_out")


def _timed(tensors: Mapping[str, Tensor]) -> Tensors:
    return {_timed_name(name): tensor for name, tensor in tensors.items() if TIMED.search(name)}


def _timed_name(name: str) -> str:
    if "time_conv_out" in name:
        return name.replace("time_conv_out", "conv_out.time_mix_conv")
    parts = name.split(".")
    head, rest = (f"decoder.mid.block_{int(parts[3]) + 1}", parts[4:]) if parts[1] == "mid_block" else (_up(parts), parts[5:])
    if rest == ["time_mixer", "mix_factor"]:
        return f"{head}.mix_factor"
    return f"{head}.time_stack.{RESNET[rest[1]]}.{rest[2]}"


def _up(parts: list[str]) -> str:
    return f"decoder.up.{3 - int(parts[2])}.block.{parts[4]}"


def vision_tensors(tensors: Mapping[str, Tensor]) -> Tensors:
    flat = {name.removeprefix("vision_model."): tensor for name, tensor in tensors.items()}
    plain = {
        "embeddings.class_embedding": "class_embedding", "embeddings.patch_embedding.weight": "conv1.weight",
        "embeddings.position_embedding.weight": "positional_embedding",
    }  # fmt: skip
    plain |= {f"{new}.{last}": f"{old}.{last}" for new, old in (("pre_layrnorm", "ln_pre"), ("post_layernorm", "ln_post")) for last in ENDS}
    found = {old: flat[new] for new, old in plain.items()}
    found["proj"] = flat["visual_projection.weight"].T
    for number in range(VISION["num_hidden_layers"]):
        own, to = f"encoder.layers.{number}.", f"transformer.resblocks.{number}."
        for last in ENDS:
            found[f"{to}attn.in_proj_{last}"] = torch.cat([flat[f"{own}self_attn.{letter}_proj.{last}"] for letter in "qkv"])
            for new, old in LAYER.items():
                found[f"{to}{old}.{last}"] = flat[f"{own}{new}.{last}"]
    return found


ENDS = ("weight", "bias")
LAYER = {
    "layer_norm1": "ln_1", "layer_norm2": "ln_2", "mlp.fc1": "mlp.c_fc", "mlp.fc2": "mlp.c_proj", "self_attn.out_proj": "attn.out_proj",
}  # fmt: skip


def write_file(file: Path, toy: ToyVideo) -> Path:
    return save(file, original(toy), toy.metadata)


def write_folder(folder: Path, toy: ToyVideo, frames: int = 14) -> Path:
    """As diffusers saves its pipeline."""
    from diffusers import EulerDiscreteScheduler
    from transformers import CLIPImageProcessor

    for name, network in (("unet", toy.unet), ("vae", toy.vae), ("image_encoder", toy.vision)):
        network.save_pretrained(folder / name)
    config = json.loads((folder / "unet" / "config.json").read_text())
    (folder / "unet" / "config.json").write_text(json.dumps(config | {"num_frames": frames}))
    scheduler().save_pretrained(folder / "scheduler")
    CLIPImageProcessor(size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32}).save_pretrained(folder / "feature_extractor")
    parts = {
        "unet": ["diffusers", "UNetSpatioTemporalConditionModel"], "vae": ["diffusers", type(toy.vae).__name__],
        "image_encoder": ["transformers", "CLIPVisionModelWithProjection"], "feature_extractor": ["transformers", "CLIPImageProcessor"],
        "scheduler": ["diffusers", EulerDiscreteScheduler.__name__],
    }  # fmt: skip
    (folder / "model_index.json").write_text(json.dumps({"_class_name": "StableVideoDiffusionPipeline", **parts}))
    return folder


def scheduler() -> Any:
    """That of the published folders."""
    from diffusers import EulerDiscreteScheduler

    return EulerDiscreteScheduler(
        beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", num_train_timesteps=1000, prediction_type="v_prediction",
        interpolation_type="linear", use_karras_sigmas=True, sigma_min=0.002, sigma_max=700.0, timestep_spacing="leading",
        timestep_type="continuous", steps_offset=1,
    )  # fmt: skip


def as_video(path: Path) -> ModelFile:
    """As the catalogue would list it."""
    return ModelFile("toy", path.stem, path, 0, 0.0, Identity("checkpoint", "svd"))
