"""A whole Stable Diffusion 1 model of a few thousand random weights, in the folder layout that the real loader reads."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch

from models.catalog import read_checkpoint
from models.device import Device, mend_torchvision
from models.loading import DiffusionModel, load
from pipelines.prompts import load_tokenizer
from tests.toys import toy_model_folder

CPU = Device(torch.device("cpu"), torch.float32)
SCHEDULER = {
    "_class_name": "EulerDiscreteScheduler",
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "num_train_timesteps": 1000,
    "timestep_spacing": "linspace",
}


def write_toy_model(folder: Path, prediction_type: str = "epsilon", seed: int = 0) -> Path:
    mend_torchvision()
    from diffusers import AutoencoderKL, UNet2DConditionModel
    from transformers import CLIPTextConfig, CLIPTextModel

    toy_model_folder(folder)
    words = len(json.loads((folder / "tokenizer" / "vocab.json").read_text(encoding="utf-8")))
    torch.manual_seed(seed)
    unet = UNet2DConditionModel(
        block_out_channels=(32, 64),
        layers_per_block=1,
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
        cross_attention_dim=32,
        attention_head_dim=4,
        norm_num_groups=8,
        sample_size=16,
    )
    blocks: dict[str, Any] = {
        "block_out_channels": (8, 8, 16, 16),
        "down_block_types": ("DownEncoderBlock2D",) * 4,
        "up_block_types": ("UpDecoderBlock2D",) * 4,
    }
    vae = AutoencoderKL(**blocks, layers_per_block=1, norm_num_groups=4, sample_size=128)
    config = CLIPTextConfig(
        vocab_size=words,
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        bos_token_id=words - 2,
        eos_token_id=words - 1,
    )
    for name, network in (("unet", unet), ("vae", vae), ("text_encoder", CLIPTextModel(config))):
        network.half().save_pretrained(folder / name)
    (folder / "scheduler").mkdir(exist_ok=True)
    (folder / "scheduler" / "scheduler_config.json").write_text(
        json.dumps(SCHEDULER | {"prediction_type": prediction_type}), encoding="utf-8"
    )
    (folder / "model_index.json").write_text(
        json.dumps({"_class_name": "StableDiffusionPipeline", "text_encoder": ["transformers", "CLIPTextModel"]})
    )
    return folder


def load_toy_model(folder: Path, device: Device = CPU) -> DiffusionModel:
    checkpoint = read_checkpoint(folder)
    return load(checkpoint, device, load_tokenizer(checkpoint.tokenizer))
