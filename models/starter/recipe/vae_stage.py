"""Training the autoencoder: first as a whole, then its decoder alone on fixed latents."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKL
from torch import Tensor
from torch.nn import functional

from models.starter.recipe.networks import decoded, encoded, mixed_precision, new_vae, place
from models.starter.recipe.progress import Average, Budget, Log, load, save, to_network
from models.starter.recipe.scenes import CENTRES, arrange, draw, scene_of_split
from models.starter.recipe.vae_start import TO_LATENT, start_from_thumbnails

KL_WEIGHT = 1e-6
ANCHOR_WEIGHT = 0.15
LATENT_NOISE = 0.04
"""Noise put on latents before decoding, in units of their spread: made latents are not perfect."""


def drawn_batch(rng: np.random.Generator, count: int, size: int, *, is_held_out: bool) -> Tensor:
    """Freshly drawn scenes, uint8 (count, size, size, 3)."""
    scenes = [scene_of_split(rng, is_held_out) for _ in range(count)]
    return torch.from_numpy(np.stack([draw(arrange(scene, rng), size) for scene in scenes]))


def cropped_batch(rng: np.random.Generator, count: int, size: int) -> Tensor:
    """Training scenes cut to half the side around one of their things.

    Things hold nearly all there is to learn, and fill a sixth of a picture: on the
    crops a second of training sees three times as many of them.
    """
    half = size // 2
    crops = []
    for _ in range(count):
        scene = scene_of_split(rng, is_held_out=False)
        thing = scene.things[int(rng.integers(len(scene.things)))]
        picture = draw(arrange(scene, rng), size)
        x = (CENTRES[thing.position] + rng.uniform(-0.1, 0.1)) * size - half / 2
        y = (0.68 + rng.uniform(-0.12, 0.12)) * size - half / 2
        x, y = int(np.clip(x, 0, half)), int(np.clip(y, 0, half))
        crops.append(picture[y : y + half, x : x + half])
    return torch.from_numpy(np.stack(crops))


def _training_batch(rng: np.random.Generator, batch: int, size: int, share: float, step: int) -> Tensor:
    """Five small batches of crops to one of whole pictures; whole ones alone in the last sixth."""
    if share < 0.84 and step % 6:
        return cropped_batch(rng, batch, size)
    return drawn_batch(rng, max(1, batch // 2), size, is_held_out=False)


def picture_loss(made: Tensor, wanted: Tensor) -> Tensor:
    """L1, squared error, the error of neighbour differences, and of hues at a coarser scale.

    Without the last term hues are learnt long after shapes: a thing of the wrong
    colour but the right brightness costs little.
    """
    error = made - wanted
    edges = (error[:, :, 1:] - error[:, :, :-1]).abs().mean()
    edges = edges + (error[:, :, :, 1:] - error[:, :, :, :-1]).abs().mean()
    coarse = functional.avg_pool2d(error, 4)
    red, green, blue = coarse.unbind(1)
    hues = (red - green).abs().mean() + (blue - (red + green) / 2).abs().mean()
    return error.abs().mean() + 2 * error.square().mean() + 0.4 * edges + coarse.abs().mean() + hues


def anchors(pictures: Tensor) -> Tensor:
    """(B, 3, h / 8, w / 8): mean brightness and two mean hues of every 8 x 8 cell, spread about 1.

    The first three latent channels start as these and are held near them: so the
    latents stay smooth and easy to denoise.
    """
    cells = functional.avg_pool2d(pictures, 8)
    return torch.einsum("lc,bchw->blhw", TO_LATENT.to(cells), cells)


def train_vae(folder: Path, size: int, minutes: float, device: torch.device, *, batch: int) -> None:
    """Train encoder and decoder together; resumes from vae.pt in the folder."""
    vae = new_vae(size)
    start_from_thumbnails(vae)
    place(vae, device)
    _fit(vae, folder, "vae", size, minutes, device, batch=batch, rate=1.2e-3)


def train_decoder(folder: Path, size: int, minutes: float, device: torch.device, *, batch: int) -> None:
    """Train the decoder on; the encoder, and so every latent, stays what vae.pt has."""
    vae = new_vae(size)
    place(vae, device)
    done = load(folder, "vae")
    if done is None:
        raise FileNotFoundError(f"{folder}/vae.pt is missing: train the VAE first")
    vae.load_state_dict(done["average"])
    for name, weight in vae.named_parameters():
        weight.requires_grad_(not name.startswith(("encoder.", "quant_conv.")))
    _fit(vae, folder, "decoder", size, minutes, device, batch=batch, rate=8e-4)


def _fit(
    vae: AutoencoderKL,
    folder: Path,
    stage: str,
    size: int,
    minutes: float,
    device: torch.device,
    *,
    batch: int,
    rate: float,
) -> None:
    """The training loop of both stages: weights that ask for no gradient stay as they are."""
    trained = [weight for weight in vae.parameters() if weight.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=rate, weight_decay=1e-4, betas=(0.9, 0.99), fused=True)
    average, budget, log, step = Average(vae, 0.99), Budget(minutes * 60), Log(folder, stage), 0
    if (old := load(folder, stage)) is not None:
        vae.load_state_dict(old["network"])
        optimizer.load_state_dict(old["optimizer"])
        average.weights, step = old["average"], old["step"]
        budget.used = old["seconds"]
    rng = np.random.default_rng(step + 1)
    saved = budget.elapsed()
    while budget.share() < 1:
        for group in optimizer.param_groups:
            group["lr"] = budget.rate(rate, step, 100)
        pictures = to_network(_training_batch(rng, batch, size, budget.share(), step), device)
        loss = _step_loss(vae, pictures.to(memory_format=torch.channels_last))
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(trained, 1.0)
        optimizer.step()
        step += 1
        if step % 4 == 0:
            average.follow(vae, step)
        log.tell(budget, step, loss.item())
        if budget.elapsed() - saved > 180 or budget.share() >= 1:
            saved = budget.elapsed()
            state = {"network": vae.state_dict(), "optimizer": optimizer.state_dict()}
            save(folder, stage, state | {"average": average.weights, "step": step, "seconds": saved})


def _step_loss(vae: AutoencoderKL, pictures: Tensor) -> Tensor:
    with mixed_precision(pictures.device):
        posterior = encoded(vae, pictures)
        latents = posterior.sample()
        spread = latents.detach().float().std()
        made = decoded(vae, latents + LATENT_NOISE * spread * torch.randn_like(latents))
    divergence = 0.5 * (posterior.mean.square() + posterior.var - 1 - posterior.logvar).float()
    anchored = (posterior.mean[:, :3].float() - anchors(pictures)).abs().mean()
    kept = ANCHOR_WEIGHT * anchored + KL_WEIGHT * divergence.sum() / len(pictures)
    return picture_loss(made.float(), pictures) + kept


@torch.no_grad()
def round_trip_psnr(vae: AutoencoderKL, pictures: Tensor) -> float:
    """Mean over pictures of the peak signal to noise ratio, in dB, of decode(encode mean)."""
    wanted = to_network(pictures, vae.device)
    made = decoded(vae, encoded(vae, wanted).mean).clamp(-1, 1)
    error = functional.mse_loss(made, wanted, reduction="none").mean((1, 2, 3))
    return float((10 * torch.log10(4 / error)).mean())
