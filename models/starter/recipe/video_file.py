"""The tiny video model as a folder of diffusers, and read again."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from diffusers import AutoencoderKL, EulerDiscreteScheduler
from safetensors.torch import load_file, save_file
from torch import nn
from transformers import CLIPImageProcessor

from models.files import Identity, ModelFile
from models.loading.video import load_image_encoder, load_video
from models.memory.device import Device
from models.starter.recipe.moving_vision import SIZE
from models.starter.recipe.sampling import STARTER
from models.starter.recipe.video_nets import FRAMES, GUIDANCE, STEPS, Mover, VideoDenoiser

FOLDER = "video"
PREVIEW = "preview/preview.safetensors"  # the starter's: the latents are the same


def write(mover: Mover, starter: Path = STARTER) -> Path:
    """In half precision, with the starter's VAE and its decoder of previews."""
    folder = starter / FOLDER
    for name, network in (("unet", mover.denoiser.unet), ("vae", mover.vae), ("image_encoder", mover.vision)):
        nn.Module.half(network)
        network.save_pretrained(folder / name)
        config = folder / name / "config.json"  # without the place on the disk from which a network was read
        config.write_text(
            "".join(line for line in config.read_text("utf-8").splitlines(keepends=True) if '"_name_or_path"' not in line), "utf-8"
        )
        nn.Module.float(network)
    _scheduler().save_pretrained(folder / "scheduler")
    CLIPImageProcessor(size={"shortest_edge": SIZE}, crop_size={"height": SIZE, "width": SIZE}).save_pretrained(
        folder / "feature_extractor"
    )
    (folder / "preview").mkdir(exist_ok=True)
    save_file(load_file(STARTER / PREVIEW), folder / PREVIEW)
    _write_json(folder / "model_index.json", _index())
    _write_json(folder / "starter.json", _about())
    for file in folder.rglob("*.safetensors"):
        file.chmod(0o644)  # safetensors writes for its owner alone
    return folder


def _scheduler() -> EulerDiscreteScheduler:
    """That of Stable Video Diffusion."""
    return EulerDiscreteScheduler(
        beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", prediction_type="v_prediction", interpolation_type="linear",
        use_karras_sigmas=True, sigma_min=0.002, sigma_max=700.0, timestep_spacing="leading", timestep_type="continuous", steps_offset=1,
    )  # fmt: skip


def _index() -> dict[str, object]:
    return {
        "_class_name": "StableVideoDiffusionPipeline",
        "_diffusers_version": "0.42.1",
        "feature_extractor": ["transformers", "CLIPImageProcessor"],
        "image_encoder": ["transformers", "CLIPVisionModelWithProjection"],
        "scheduler": ["diffusers", "EulerDiscreteScheduler"],
        "unet": ["diffusers", "UNetSpatioTemporalConditionModel"],
        "vae": ["diffusers", "AutoencoderKL"],
    }


def _about() -> dict[str, object]:
    """What suits it."""
    sizes = {"width": SIZE, "height": SIZE, "frames": FRAMES, "frames_a_second": 7, "steps": STEPS}
    return {"native_size": SIZE, "defaults": sizes | {"guidance_first": GUIDANCE[0], "guidance_last": GUIDANCE[1]}}


def _write_json(path: Path, content: dict[str, object]) -> None:
    path.write_text(json.dumps(content, indent=2) + "\n", "utf-8")


def read(starter: Path = STARTER) -> Mover:
    """By the code that reads such folders for the studio."""
    path, device = starter / FOLDER, Device(torch.device("cpu"), torch.float32)
    file = ModelFile("starter-video", "Starter video", path, 0, 0.0, Identity("checkpoint", "svd"))
    model = load_video(file, device)
    denoiser = VideoDenoiser(SIZE)
    denoiser.unet = model.unet
    assert isinstance(model.vae, AutoencoderKL)
    return Mover(denoiser.eval(), load_image_encoder(file, device).network, model.vae)
