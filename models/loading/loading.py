"""Loading of checkpoints and VAEs: files to networks. Always offline, never a pickle, one pass over the bytes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, cast

import torch
from torch import nn

from models.diffusion_model import DiffusionModel, LoadedVae, TextEncoder, Tokenizer
from models.errors import UserError
from models.families import FAMILIES, Family, LatentSpace
from models.files import ModelFile
from models.json_values import text
from models.kits import kit
from models.library.catalog import Checkpoint
from models.loading.preview_decoder import load_preview_decoder
from models.memory.device import Device
from models.networks.build import BUILDING, Blank, check, fill, form_of
from models.networks.components import Part, file_parts, folder_parts, latent_channels, vae_parts
from models.tensors.sources import Source, config

if TYPE_CHECKING:
    from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL

NOTHING: Mapping[str, Path] = {}


class Loadable(Protocol):
    """One network of a model: where its weights are, and how it is built without them."""

    @property
    def component(self) -> str: ...

    @property
    def source(self) -> Source: ...

    def blank(self) -> Blank[nn.Module]: ...


def load(
    checkpoint: Checkpoint,
    device: Device,
    tokenizers: Tokenizer | Mapping[str, Tokenizer] = None,
    others: Mapping[str, Path] = NOTHING,
    go_on: Callable[[], None] = lambda: None,
) -> DiffusionModel:
    """Reads a checkpoint: a single file in any layout of `models.tensors.layouts`, or a folder in that of diffusers.

    `tokenizers`: one for all text encoders, or one for each by its key. `others`: component ("vae", "clip_l" ...) -> file or
    folder that it is taken from, where a single file lacks it. `go_on`: asked before each tensor; what it raises ends the loading.
    Raises `UserError` when a part is missing, damaged, or does not fit its sizes; that is known before a weight is read.
    """
    family, path, prediction = FAMILIES[checkpoint.family_key], checkpoint.file.path, checkpoint.prediction_type
    kit_folder = _kit_of(checkpoint)
    rest = checkpoint.rest or path
    parts = folder_parts(path, family, rest) if path.is_dir() else file_parts(path, family, kit_folder, others)
    networks = read_networks(parts, device, go_on)
    noise = _noise_of(checkpoint, "scheduler")
    return DiffusionModel(
        checkpoint=checkpoint,
        family=replace(family, latent=latent_space(family, networks["vae"])),
        device=device,
        unet=networks["unet"],
        vae=networks["vae"],
        text_encoders=tuple(TextEncoder(key, networks[key], _tokenizer(tokenizers, key)) for key in family.text.encoders),
        preview=load_preview_decoder(rest / "preview", family).to(device.torch_device),
        alphas_cumprod=_signal(checkpoint, noise).float(),
        prediction_type=prediction or text(noise, "prediction_type", "epsilon"),
        picture_signal=training_signal(_noise_of(checkpoint, "low_res_scheduler")).float() if family.noise_levels else None,
    )


# Any: the VAE, of the class that its component says
def latent_space(family: Family, vae: Any) -> LatentSpace:
    """With the factor of the model's own VAE, which stays whichever is put in later."""
    return replace(family.latent, scaling_factor=vae.config["scaling_factor"])


def signal_of(checkpoint: Checkpoint) -> torch.Tensor:
    """The signal share of each training step, (training steps,) float32: what the checkpoint's small files say, and no weights."""
    return _signal(checkpoint, _noise_of(checkpoint, "scheduler")).float()


def _noise_of(checkpoint: Checkpoint, name: str) -> dict[str, object]:
    path = checkpoint.file.path
    return config((checkpoint.rest or path) / name / "scheduler_config.json" if path.is_dir() else _kit_of(checkpoint) / f"{name}.json")


def _kit_of(checkpoint: Checkpoint) -> Path:
    return kit(checkpoint.family_key, "v" if checkpoint.prediction_type == "v_prediction" else checkpoint.variant)


def load_vae(file: ModelFile, family: Family, device: Device) -> LoadedVae:
    """A VAE from a file or folder of its own, or out of a checkpoint. Raises `UserError` when it is for another family's latents."""
    parts = vae_parts(file.path, family, kit(family.key))
    if (channels := latent_channels(parts[0])) not in (0, family.latent.channels):
        what = f"“{file.name}” is for latents of {channels} channels, and {family.name} has {family.latent.channels}"
        raise UserError(f"{what}. Choose another VAE.")
    blank, source = _fitting(parts)
    network = cast("AutoencoderKL", fill(blank, source.read(form_of(device)), device))
    return LoadedVae(network, sum(weight.nbytes for weight in network.state_dict().values()), file.name)


# Any: each network is of the class that its component says.
def read_networks(parts: Sequence[Loadable], device: Device, go_on: Callable[[], None]) -> dict[str, Any]:
    """Component -> network, on the device. One thread reads while this one builds; what does not fit ends both."""
    with ThreadPoolExecutor(1) as reader:
        try:
            pending = {part.component: _begun(part, reader, device, go_on) for part in parts}
            return {component: fill(blank, tensors.result(), device) for component, (blank, tensors) in pending.items()}
        except BaseException:
            reader.shutdown(wait=False, cancel_futures=True)
            raise


def _begun(
    part: Loadable, reader: Executor, device: Device, go_on: Callable[[], None]
) -> tuple[Blank[nn.Module], Future[dict[str, torch.Tensor]]]:
    with BUILDING:  # libraries that are imported when they are first needed are not ready for two threads
        blank = part.blank()
    return blank, reader.submit(check(part.source, blank).read, replace(form_of(device, part.component), go_on=go_on))


def _fitting(parts: Sequence[Part]) -> tuple[Blank[nn.Module], Source]:
    """The first that fits; when none does, what is wrong with the first."""
    with BUILDING:
        blanks = [part.blank() for part in parts]
    errors: list[UserError] = []
    for part, blank in zip(parts, blanks, strict=True):
        try:
            return blank, check(part.source, blank)
        except UserError as error:
            errors.append(error)
    raise errors[0]


def _tokenizer(tokenizers: Tokenizer | Mapping[str, Tokenizer], key: str) -> Tokenizer:
    return cast(Mapping[str, Tokenizer], tokenizers)[key] if isinstance(tokenizers, Mapping) else tokenizers


def _signal(checkpoint: Checkpoint, noise: Mapping[str, object]) -> torch.Tensor:
    signal = training_signal(noise)
    asked = checkpoint.zero_terminal_snr or noise.get("rescale_betas_zero_snr", False)
    return zero_terminal_snr(signal) if asked else signal


def zero_terminal_snr(signal: torch.Tensor) -> torch.Tensor:
    """Shifts and scales the noise schedule so that the last training step is noise alone: algorithm 1 of Lin et al. 2023, arXiv:2305.08891.

    The samplers divide by the signal, so the last one keeps 2^-24 of it.
    """
    root = signal.sqrt()
    rescaled = ((root - root[-1]) * root[0] / (root[0] - root[-1])) ** 2
    rescaled[-1] = 2**-24
    return rescaled


def training_signal(scheduler: Mapping[str, Any]) -> torch.Tensor:  # Any: torch refuses what is no number
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
