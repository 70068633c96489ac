"""Writes the trained weights as a Stable Diffusion 1 folder in half precision.

    python -m models.starter.recipe.export --folder train

Runs at any moment of the training, even before it: what is not trained yet is
exported untrained.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
from pathlib import Path
from typing import Any

from torch import nn
from transformers import CLIPTokenizer

from models.library.checkpoint import STARTER_UPSCALER
from models.starter.recipe.captions import known_words
from models.starter.recipe.networks import new_scheduler, new_vae
from models.starter.recipe.progress import load
from models.starter.recipe.tokenizer import build_tokenizer
from models.starter.recipe.unet_stage import Denoiser

STARTER = Path(__file__).parent.parent
GUIDANCE_SCALE = 5.0
HIRES_STRENGTH = 0.2  # of a second pass: it knows one size alone, and draws things twice beyond
UPSCALER = {"architecture": "RealESRGAN Compact", "scale": 4, "bytes_a_pixel": 384}  # as spandrel would tell, which takes seconds
EXAMPLES = (
    "a red house on the left in the snow at night, with mountains",
    "a big yellow boat in the middle on the sea at sunset",
    "a small pink flower on the left and a big green tree on the right, on grass by day",
    "a white tower on the right on the sand at dawn, with mountains",
    "mountains, night, grass, big purple mushroom middle",
    "a big blue car on the left and a small orange cone on the right, in the snow by day",
)


def export(checkpoints: Path, starter: Path, size: int) -> None:
    """Write every part beside its place first, then swap it in."""
    build = starter / ".partial"
    shutil.rmtree(build, ignore_errors=True)
    build_tokenizer(build / "tokenizer")
    denoiser = Denoiser(size, CLIPTokenizer.from_pretrained(build / "tokenizer"))
    trained = load(checkpoints, "unet")
    if trained is not None:
        denoiser.load_state_dict(trained["average"])
    denoiser.half()
    denoiser.unet.save_pretrained(build / "unet")
    denoiser.text_encoder.save_pretrained(build / "text_encoder")
    _export_vae(checkpoints, build / "vae", size, trained["scale"] if trained else None)
    new_scheduler().save_pretrained(build / "scheduler")
    _write_json(build / "model_index.json", _index())
    _write_json(build / "starter.json", _about(size))
    _swap_in(build, starter)


def _export_vae(checkpoints: Path, folder: Path, size: int, scale: float | None) -> None:
    vae = new_vae(size)
    trained = load(checkpoints, "decoder") or load(checkpoints, "vae")
    if trained is not None:
        vae.load_state_dict(trained["average"])
    if scale is not None:
        vae.register_to_config(scaling_factor=scale)
    nn.Module.half(vae)
    vae.save_pretrained(folder)


def _index() -> dict[str, Any]:
    return {
        "_class_name": "StableDiffusionPipeline",
        "_diffusers_version": "0.42.1",
        "feature_extractor": [None, None],
        "image_encoder": [None, None],
        "requires_safety_checker": False,
        "safety_checker": [None, None],
        "scheduler": ["diffusers", "DDIMScheduler"],
        "text_encoder": ["transformers", "CLIPTextModel"],
        "tokenizer": ["transformers", "CLIPTokenizer"],
        "unet": ["diffusers", "UNet2DConditionModel"],
        "vae": ["diffusers", "AutoencoderKL"],
    }


def _about(size: int) -> dict[str, Any]:
    return {
        "native_size": size,
        "known_words": known_words(),
        "example_prompts": list(EXAMPLES),
        "upscaler": UPSCALER,
        "defaults": {
            "steps": 20,
            "guidance_scale": GUIDANCE_SCALE,
            "enlarged_by": STARTER_UPSCALER,
            "hires_strength": HIRES_STRENGTH,
            "hires_upscaler": STARTER_UPSCALER,
        },
    }


def _write_json(path: Path, content: dict[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=2) + "\n", "utf-8")


def _swap_in(build: Path, starter: Path) -> None:
    """Put each written part in place of the old one, which goes last; what else lay in its folder, a second VAE, stays."""
    for part in sorted(build.iterdir()):
        place, old = starter / part.name, starter / f".old-{part.name}"
        if place.is_dir():
            os.replace(place, old)
        os.replace(part, place)
        for other in sorted(old.iterdir()) if old.is_dir() else ():
            if not (place / other.name).exists():
                os.replace(other, place / other.name)
        shutil.rmtree(old, ignore_errors=True)
    build.rmdir()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path("train"), help="checkpoints")
    parser.add_argument("--to", type=Path, default=STARTER)
    parser.add_argument("--size", type=int, choices=(128, 256), default=128)
    wish = parser.parse_args()
    export(wish.folder, wish.to, wish.size)
