"""Whole models of a few random weights, one of each family, in the folder layout of diffusers.

The SD2 toy is as wide as the real one where the UNet meets the words (1024), since that width tells the family.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from models.diffusion_model import DiffusionModel
from models.families import SD1, SDXL_REFINER, Family
from models.kits import suffixes, tokenizer_folders
from models.library.catalog import read_checkpoint
from models.loading.loading import load
from models.memory.device import Device, mend_torchvision
from pipelines.prompts import load_tokenizer
from pipelines.prompts.tokenizer import END
from tests.support.toys import toy_model_folder

CPU = Device(torch.device("cpu"), torch.float32)
SCHEDULER = {
    "_class_name": "EulerDiscreteScheduler",
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "num_train_timesteps": 1000,
    "timestep_spacing": "linspace",
}
NOISE_OF_PICTURE = {"_class_name": "DDPMScheduler", "beta_start": 0.0001, "beta_end": 0.02, "beta_schedule": "scaled_linear"}
ZERO_SNR = {"rescale_betas_zero_snr": True, "timestep_spacing": "trailing"}

CROSS, PLAIN = ("CrossAttnDownBlock2D", "CrossAttnUpBlock2D"), ("DownBlock2D", "UpBlock2D")


@dataclass(frozen=True)
class ToyShape:
    """The sizes of one family's toy: which blocks attend to the words, how wide, and its text encoders by key."""

    pipeline: str
    encoders: Mapping[str, Mapping[str, Any]]  # family's encoder key -> sizes of the CLIP encoder
    width: int  # of the conditioning
    blocks: tuple[tuple[str, str], ...] = (CROSS, PLAIN)
    channels: tuple[int, ...] = (32, 64)
    unet: Mapping[str, Any] = field(default_factory=dict)
    index: Mapping[str, Any] = field(default_factory=dict)  # further lines of model_index.json


def _clip(width: int, layers: int, act: str = "gelu") -> dict[str, Any]:
    return {"hidden_size": width, "intermediate_size": 64, "num_hidden_layers": layers, "num_attention_heads": 2, "hidden_act": act}


def _sizes_and_pooled(numbers: int, pooled: int) -> dict[str, Any]:
    added = {"addition_embed_type": "text_time", "addition_time_embed_dim": 8}
    return {"use_linear_projection": True, **added, "projection_class_embeddings_input_dim": 8 * numbers + pooled}


CLIP_G = _clip(48, 4) | {"projection_dim": 40}
SHAPES = {
    "sd1": ToyShape("StableDiffusionPipeline", {"clip_l": _clip(32, 2, "quick_gelu")}, 32),
    "sd2": ToyShape("StableDiffusionPipeline", {"clip_h": _clip(1024, 2)}, 1024, unet={"use_linear_projection": True}),
    "sdxl": ToyShape(
        "StableDiffusionXLPipeline",
        {"clip_l": _clip(32, 3, "quick_gelu"), "clip_g": CLIP_G},
        80,
        blocks=(PLAIN, CROSS),
        unet=_sizes_and_pooled(6, 40) | {"transformer_layers_per_block": (1, 2)},
        index={"force_zeros_for_empty_prompt": True},
    ),
    "sdxl-refiner": ToyShape(
        "StableDiffusionXLImg2ImgPipeline",
        {"clip_g": CLIP_G},
        48,
        blocks=(PLAIN, CROSS, PLAIN),
        channels=(32, 64, 64),
        unet=_sizes_and_pooled(5, 40),
        index={"requires_aesthetics_score": True, "text_encoder": [None, None], "tokenizer": [None, None]},
    ),
    "x4-upscaler": ToyShape(
        "StableDiffusionUpscalePipeline",
        {"clip_h": _clip(1024, 2)},
        1024,
        blocks=(PLAIN, CROSS, CROSS),
        channels=(32, 64, 64),
        unet={"use_linear_projection": True, "only_cross_attention": (True, True, False), "num_class_embeds": 1000, "in_channels": 7},
        index={"low_res_scheduler": ["diffusers", "DDPMScheduler"], "max_noise_level": 350},
    ),
}


@dataclass(frozen=True)
class ToyNetworks:
    """The networks of one toy, in float32, ready to run."""

    unet: Any
    vae: Any
    encoders: Mapping[str, Any]  # by the family's key


def toy_networks(family: Family, words: int, seed: int = 0, channels_in: int = 4) -> ToyNetworks:
    """Random networks of one family; `words`: how many the tokenizer has, the last two being start and end."""
    mend_torchvision()
    shape = SHAPES[family.key]
    torch.manual_seed(seed)
    unet, vae = _unet(shape, channels_in), _vae(family)
    encoders = {key: _encoder(sizes, words) for key, sizes in shape.encoders.items()}
    return ToyNetworks(unet.eval(), vae.eval(), {key: network.eval() for key, network in encoders.items()})


def toy_vae(family: Family, seed: int = 0) -> Any:
    """The autoencoder alone."""
    mend_torchvision()
    torch.manual_seed(seed)
    return _vae(family).eval()


def write_toy_model(
    folder: Path, prediction_type: str = "epsilon", seed: int = 0, family: Family = SD1, zero_snr: bool = False, channels_in: int = 4
) -> Path:
    """Saves a toy in float16, as `from_pretrained` of diffusers reads it too. `channels_in`: of the UNet; 9 for an inpainting one."""
    toy_model_folder(folder)
    networks = toy_networks(family, _words(folder), seed, channels_in)
    for name, network in (("unet", networks.unet), ("vae", networks.vae), *_named_encoders(family, networks.encoders)):
        network.half().save_pretrained(folder / name)
    _write_tokenizers(folder, family)
    _write_json(
        folder / "scheduler" / "scheduler_config.json", SCHEDULER | {"prediction_type": prediction_type} | (ZERO_SNR if zero_snr else {})
    )
    if family.noise_levels:
        _write_json(folder / "low_res_scheduler" / "scheduler_config.json", NOISE_OF_PICTURE)
    _write_json(folder / "model_index.json", _index(family))
    return folder


def load_toy_model(folder: Path, device: Device = CPU, family: Family = SD1) -> DiffusionModel:
    """By the real loader."""
    tokenizers = {key: load_tokenizer(own) for key, own in tokenizer_folders(family.key, folder).items()}
    return load(read_checkpoint(folder), device, tokenizers)


def _unet(shape: ToyShape, channels_in: int) -> Any:
    from diffusers import UNet2DConditionModel

    sizes: dict[str, Any] = {"in_channels": channels_in, **shape.unet}
    return UNet2DConditionModel(
        block_out_channels=shape.channels,
        layers_per_block=1,
        down_block_types=tuple(down for down, _ in shape.blocks),
        up_block_types=tuple(up for _, up in reversed(shape.blocks)),
        cross_attention_dim=shape.width,
        attention_head_dim=4,
        norm_num_groups=8,
        sample_size=16,
        **sizes,
    )


def _vae(family: Family) -> Any:
    from diffusers import AutoencoderKL

    channels = (8, 8, 16, 16) if family.latent.pixels == 8 else (8, 16, 16)
    blocks: dict[str, Any] = {
        "block_out_channels": channels,
        "down_block_types": ("DownEncoderBlock2D",) * len(channels),
        "up_block_types": ("UpDecoderBlock2D",) * len(channels),
    }
    return AutoencoderKL(**blocks, layers_per_block=1, norm_num_groups=4, sample_size=128, scaling_factor=family.latent.scaling_factor)


def _encoder(sizes: Mapping[str, Any], words: int) -> Any:
    from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

    config = CLIPTextConfig(vocab_size=words, **sizes, bos_token_id=words - 2, eos_token_id=words - 1)
    return CLIPTextModelWithProjection(config) if "projection_dim" in sizes else CLIPTextModel(config)


def _named_encoders(family: Family, encoders: Mapping[str, Any]) -> list[tuple[str, Any]]:
    return [(f"text_encoder{suffix}", encoders[key]) for key, suffix in suffixes(family.key).items()]


def _write_tokenizers(folder: Path, family: Family) -> None:
    """OpenCLIP's encoders fill a chunk up with id 0, which is an exclamation mark."""
    for key, suffix in suffixes(family.key).items():
        own = folder / f"tokenizer{suffix}"
        if suffix:
            shutil.copytree(folder / "tokenizer", own, dirs_exist_ok=True)
        pad = END if key == "clip_l" else "!"
        _write_json(own / "tokenizer_config.json", {"tokenizer_class": "CLIPTokenizer", "model_max_length": 77, "pad_token": pad})
    if family.key == SDXL_REFINER.key:
        shutil.rmtree(folder / "tokenizer")


def _index(family: Family) -> dict[str, Any]:
    shape = SHAPES[family.key]
    parts: dict[str, Any] = {"unet": ["diffusers", "UNet2DConditionModel"], "vae": ["diffusers", "AutoencoderKL"]}
    parts["scheduler"] = ["diffusers", "EulerDiscreteScheduler"]
    for key, suffix in suffixes(family.key).items():
        kind = "CLIPTextModelWithProjection" if "projection_dim" in shape.encoders[key] else "CLIPTextModel"
        parts |= {f"text_encoder{suffix}": ["transformers", kind], f"tokenizer{suffix}": ["transformers", "CLIPTokenizer"]}
    return {"_class_name": shape.pipeline, **parts, **shape.index}


def _words(folder: Path) -> int:
    return len(json.loads((folder / "tokenizer" / "vocab.json").read_text(encoding="utf-8")))


def _write_json(file: Path, values: Mapping[str, Any]) -> None:
    file.parent.mkdir(exist_ok=True)
    file.write_text(json.dumps(values), encoding="utf-8")
