"""From a folder on disk to networks that draw. Always offline, never a pickle."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from safetensors.torch import load_file

from models.catalog import Checkpoint, file_hash
from models.device import Device, mend_torchvision
from models.errors import UserError
from models.families import STABLE_DIFFUSION_1, Family
from models.preview import PreviewDecoder, load_preview_decoder

if TYPE_CHECKING:
    from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
    from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
    from transformers import CLIPTextModel

WEIGHTS = ("diffusion_pytorch_model.safetensors", "model.safetensors")


@dataclass(frozen=True)
class DiffusionModel:
    """One checkpoint in memory. Lent by the manager; only the worker's thread may call its networks."""

    checkpoint: Checkpoint
    family: Family
    device: Device
    unet: UNet2DConditionModel
    vae: AutoencoderKL
    text_encoder: CLIPTextModel
    tokenizer: Any  # of the prompt language, which lies above this layer and brings it
    preview: PreviewDecoder
    alphas_cumprod: torch.Tensor  # (training steps,), float32: the signal share of each training step
    prediction_type: str  # "epsilon" or "v_prediction"
    hash: str  # SHA-256 of the UNet's file

    @property
    def bytes(self) -> int:
        networks = (self.unet, self.vae, self.text_encoder, self.preview)
        return sum(weight.nbytes for network in networks for weight in network.state_dict().values())

    @property
    def made_with(self) -> dict[str, str]:
        return {"Model": self.checkpoint.name, "Model hash": self.hash[:10]}


def load(checkpoint: Checkpoint, device: Device, tokenizer: Any = None) -> DiffusionModel:
    """Reads a diffusers folder of Stable Diffusion 1. Raises `UserError` when a part is missing or does not fit its configuration."""
    mend_torchvision()
    from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
    from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
    from transformers import CLIPTextConfig, CLIPTextModel

    folder = checkpoint.folder
    scheduler = _config(folder / "scheduler" / "scheduler_config.json")
    return DiffusionModel(
        checkpoint=checkpoint,
        family=STABLE_DIFFUSION_1,
        device=device,
        unet=_network(folder / "unet", lambda config: UNet2DConditionModel(**_own(config)), device),
        vae=_network(folder / "vae", lambda config: AutoencoderKL(**_own(config)), device),
        text_encoder=_network(folder / "text_encoder", lambda config: CLIPTextModel(CLIPTextConfig(**config)), device),
        tokenizer=tokenizer,
        preview=load_preview_decoder(folder / "preview", STABLE_DIFFUSION_1).to(device.torch_device),
        alphas_cumprod=training_signal(scheduler).to(device.torch_device, torch.float32),
        prediction_type=scheduler.get("prediction_type", "epsilon"),
        hash=file_hash(_weights(folder / "unet")),
    )


def training_signal(scheduler: dict[str, Any]) -> torch.Tensor:
    """The cumulative products of 1 - beta, (training steps,) float64, from a scheduler's configuration.

    Ho et al. 2020; "scaled linear" as in latent diffusion (Rombach et al. 2022).
    """
    start, end = scheduler.get("beta_start", 0.00085), scheduler.get("beta_end", 0.012)
    steps = scheduler.get("num_train_timesteps", 1000)
    if scheduler.get("beta_schedule", "scaled_linear") == "scaled_linear":
        betas = torch.linspace(start**0.5, end**0.5, steps, dtype=torch.float64) ** 2
    else:
        betas = torch.linspace(start, end, steps, dtype=torch.float64)
    return torch.cumprod(1 - betas, 0)


def _network(folder: Path, build: Any, device: Device) -> Any:
    """Builds the network without weights, checks that the file has every one in its shape, and puts them in."""
    weights = load_file(_weights(folder))
    with torch.device("meta"):
        network = build(_config(folder / "config.json"))
    state = {_flat(name): tensor.to(device.torch_device, device.dtype, copy=True) for name, tensor in weights.items()}
    _check(folder, network.state_dict(), state)
    network.load_state_dict(state, assign=True)
    _materialise_buffers(network, device)
    # Convolutions run faster with the channels innermost: on a CPU about a quarter for the VAE, a little for the UNet.
    return network.eval().requires_grad_(False).to(memory_format=torch.channels_last)


def _check(folder: Path, expected: dict[str, torch.Tensor], found: dict[str, torch.Tensor]) -> None:
    part = f"{folder.name} of “{folder.parent.name}”"
    missing = sorted(expected.keys() - found.keys())
    if missing:
        raise UserError(f"The {part} lacks {len(missing)} of its weights, {missing[0]} among them. Copy the model again.")
    for name, weight in expected.items():
        if weight.shape != found[name].shape:
            shapes = f"{tuple(found[name].shape)} instead of {tuple(weight.shape)}"
            raise UserError(f"In the {part}, {name} has the shape {shapes}. The files do not belong together.")
        if not torch.isfinite(found[name]).all():
            raise UserError(f"In the {part}, {name} holds numbers that are not finite. The file is damaged; copy it again.")
    for name in found.keys() - expected.keys():
        del found[name]


def _materialise_buffers(network: torch.nn.Module, device: Device) -> None:
    """Buffers that no file holds (the position numbers of CLIP) were built on meta; make them anew."""
    for module in network.modules():
        for name, buffer in module.named_buffers(recurse=False):
            if buffer.is_meta:
                positions = torch.arange(buffer.shape[-1], device=device.torch_device).expand(buffer.shape)
                module.register_buffer(name, positions, persistent=False)


def _flat(name: str) -> str:
    """CLIP text encoders saved before transformers 5.6 have one level more in their names."""
    return name.removeprefix("text_model.")


def _weights(folder: Path) -> Path:
    for name in WEIGHTS:
        if (folder / name).is_file():
            return folder / name
    raise UserError(f"The {folder.name} of “{folder.parent.name}” has no weights ({WEIGHTS[0]}). Copy the model again.")


def _config(file: Path) -> dict[str, Any]:
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"“{file.parent.parent.name}” has no readable {file.parent.name}/{file.name}. Copy the model again.") from error


def _own(config: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in config.items() if not name.startswith("_")}
