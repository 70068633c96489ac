"""Tiny upscalers with random weights, in several of spandrel's architectures, as networks and as files."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from safetensors.torch import save_file
from torch import Tensor, nn

from models.memory.device import mend_torchvision

mend_torchvision()

from spandrel import MAIN_REGISTRY, ImageModelDescriptor, ModelLoader  # noqa: E402
from spandrel.architectures.Compact import Compact  # noqa: E402
from spandrel.architectures.DAT import DAT  # noqa: E402
from spandrel.architectures.ESRGAN import ESRGAN  # noqa: E402
from spandrel.architectures.SPAN import SPAN  # noqa: E402
from spandrel.architectures.SwinIR import SwinIR  # noqa: E402

__all__ = ["MAIN_REGISTRY", "TOYS", "ImageModelDescriptor", "ModelLoader", "picture", "weights", "write"]

SWIN: dict[str, Any] = {"img_size": 16, "embed_dim": 16, "depths": [2], "num_heads": [2], "upsampler": "pixelshuffledirect"}
TOYS: Mapping[str, Callable[[int], nn.Module]] = {  # by architecture, of a scale
    "RealESRGAN Compact": lambda scale: Compact(num_feat=12, num_conv=3, upscale=scale),
    "ESRGAN": lambda scale: ESRGAN(num_filters=12, num_blocks=1, scale=scale),
    "SPAN": lambda scale: SPAN(num_in_ch=3, num_out_ch=3, feature_channels=12, upscale=scale),
    "SwinIR": lambda scale: SwinIR(**SWIN, window_size=8, mlp_ratio=2, upscale=scale),
    "DAT": lambda scale: DAT(
        img_size=16,
        embed_dim=32,
        split_size=[8, 8],
        depth=[2],
        num_heads=[2],
        expansion_factor=2,
        upscale=scale,
        upsampler="pixelshuffledirect",
    ),
}


def weights(name: str, scale: int = 4, seed: int = 0) -> dict[str, Tensor]:
    """Random, and such that a picture comes out whose level is near that of what goes in."""
    torch.manual_seed(seed)
    tensors = {key: tensor.clone() for key, tensor in TOYS[name](scale).state_dict().items()}
    if name == "ESRGAN":
        tensors[[key for key in tensors if key.endswith("bias")][-1]] += 0.5
    return tensors


def write(
    file: Path, name: str = "RealESRGAN Compact", scale: int = 4, seed: int = 0, change: Callable[[dict[str, Tensor]], object] = id
) -> Path:
    """`change` is given the weights before they are written."""
    tensors = weights(name, scale, seed)
    change(tensors)
    file.parent.mkdir(parents=True, exist_ok=True)
    save_file({key: tensor.contiguous() for key, tensor in tensors.items()}, file)
    return file


def picture(width: int, height: int, mode: str = "RGB", seed: int = 0) -> Image.Image:
    """Soft shapes with some grain: neither flat nor noise."""
    random = np.random.default_rng(seed)
    coarse = random.uniform(0, 255, (max(2, height // 6), max(2, width // 6), len(mode)))
    channels = [
        Image.fromarray(coarse[..., band].astype(np.uint8)).resize((width, height), Image.Resampling.BICUBIC) for band in range(len(mode))
    ]
    grain = random.integers(-12, 13, (height, width, len(mode)))
    pixels = np.clip(np.stack([np.asarray(channel, np.int16) for channel in channels], -1) + grain, 0, 255).astype(np.uint8)
    return Image.fromarray(pixels if len(mode) > 1 else pixels[..., 0])
