"""Training the denoiser and the text encoder together, from nothing, on stored latents.

The denoiser predicts v (Salimans & Ho, arXiv 2202.00512). As in min-SNR (Hang et
al., arXiv 2303.09556) the nearly clean timesteps count less; unlike there the
noisiest count in full, since what a picture holds, and so whether it follows its
caption, is decided in them.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from transformers import CLIPTokenizer

from models.starter.recipe.caption_reader import CaptionReader, captions_of, reading_loss
from models.starter.recipe.captions import caption, with_junk
from models.starter.recipe.latents_stage import Pool, chances, read_pool
from models.starter.recipe.networks import (
    TEXT_WIDTH,
    alphas_cumulative,
    mixed_precision,
    new_text_encoder,
    new_unet,
    place,
)
from models.starter.recipe.progress import Average, Budget, Log, load, save
from models.starter.recipe.tokenizer import BEGIN, END, tokens_of

EMPTY_SHARE = 0.1
JUNK_SHARE = 0.08
SNR_CEILING = 5.0
LEARNING_RATE = 1e-3
BLIND_SHARE = 0.5
READING_WEIGHT = 0.3
# What the shipped weights draw wrong, by `recipe/weak.py`: how many times as often such scenes are shown, and "no mountains" is said.
WEAK_TWO = 2.0
WEAK_KINDS = {"ball": 1.8, "house": 1.2, "boat": 1.2}
WEAK_MOUNTAINS = 0.6


class Denoiser(nn.Module):
    """UNet and text encoder as one network: noisy latents, timesteps and token ids to v."""

    def __init__(self, size: int, tokenizer: CLIPTokenizer) -> None:
        super().__init__()
        vocabulary = tokenizer.get_vocab()
        self.unet = new_unet(size)
        self.text_encoder = new_text_encoder(len(vocabulary), vocabulary[BEGIN], vocabulary[END])

    def forward(self, latents: Tensor, timesteps: Tensor, tokens: Tensor) -> Tensor:
        """v."""
        text = self.text_encoder(tokens).last_hidden_state
        return self.unet(latents, timesteps, encoder_hidden_states=text).sample


@dataclass(frozen=True)
class Batch:
    """Latents (B, 4, h, w) of unit spread, and token ids (B, 77) of their captions."""

    latents: Tensor
    tokens: Tensor

    def to(self, device: torch.device) -> Batch:
        return Batch(self.latents.to(device), self.tokens.to(device))


def make_batch(
    pool: Pool, scale: float, tokenizer: CLIPTokenizer, rng: np.random.Generator, count: int, often: NDArray[np.float64] | None = None
) -> Batch:
    """Random latents of the pool, each with a caption made up afresh. `often`: the chance of each, where they are not alike."""
    places = rng.choice(len(pool.scenes), size=count, p=often)
    words = [_training_caption(pool, int(place), rng, often is not None) for place in places]
    return Batch(pool.latents[torch.from_numpy(places)].float() * scale, tokens_of(tokenizer, words))


def _training_caption(pool: Pool, place: int, rng: np.random.Generator, weak: bool) -> str:
    if rng.random() < EMPTY_SHARE:
        return ""
    words, _ = caption(pool.scenes[place], rng, WEAK_MOUNTAINS) if weak else caption(pool.scenes[place], rng)
    return with_junk(words, rng) if rng.random() < JUNK_SHARE else words


def spread_timesteps(count: int) -> tuple[Tensor, Tensor]:
    """(count,) timesteps and (count,) whether the picture shows through the noise, 1 or 0.

    The schedule ends with a trace of the picture left, and mountains and places are
    so large that a trace is enough to see them; but sampling starts from noise alone
    (Lin et al., arXiv 2305.08891). So a part of every batch is nothing but noise at
    the noisiest timesteps: there the words are all there is to go by.
    """
    blind = round(BLIND_SHARE * count)
    even = (torch.arange(count - blind) + torch.rand(count - blind)) / (count - blind) * 1000
    noisiest = 820 + 180 * (torch.arange(blind) + torch.rand(blind)) / blind
    shown = torch.cat([torch.ones(count - blind), torch.zeros(blind)])
    return torch.cat([even, noisiest]).long().clamp(max=999), shown


def denoising_loss(network: Denoiser, batch: Batch, alphas: Tensor) -> Tensor:
    """The weighted squared error of v at one timestep for each picture."""
    timesteps, shown = (part.to(alphas.device) for part in spread_timesteps(len(batch.latents)))
    signal = alphas[timesteps].sqrt()[:, None, None, None]
    spread = (1 - alphas[timesteps]).sqrt()[:, None, None, None]
    noise = torch.randn_like(batch.latents)
    noisy = shown[:, None, None, None] * signal * batch.latents + spread * noise
    wanted = signal * noise - spread * batch.latents
    with mixed_precision(noisy.device):
        made = network(noisy, timesteps, batch.tokens)
    snr = alphas[timesteps] / (1 - alphas[timesteps])
    weight = ((SNR_CEILING + 1) / (snr + 1)).clamp(max=1)
    return (weight * (made.float() - wanted).square().mean((1, 2, 3))).mean()


def train_unet(
    folder: Path,
    tokenizer_folder: Path,
    size: int,
    minutes: float,
    device: torch.device,
    *,
    batch: int,
    rate: float = LEARNING_RATE,
    flat: float = 0.7,
    weak: bool = False,
) -> None:
    """Train UNet and text encoder for a time budget; resumes from unet.pt in the folder.

    `rate`: the learning rate at its peak, `flat`: the share of the time that it stays there. `weak`: what the shipped weights draw wrong
    most often is shown more often.
    """
    tokenizer = CLIPTokenizer.from_pretrained(tokenizer_folder)
    network = Denoiser(size, tokenizer)
    place(network, device)
    optimizer = torch.optim.AdamW(network.parameters(), lr=rate, weight_decay=0.01, betas=(0.9, 0.98), fused=True)
    reader = CaptionReader(TEXT_WIDTH).to(device)
    reading = torch.optim.AdamW(reader.parameters(), lr=3e-3)
    average, budget, log, step = Average(network, 0.995), Budget(minutes * 60), Log(folder, "unet"), 0
    pool = read_pool(folder)
    often = chances(pool, WEAK_TWO, WEAK_KINDS) if weak else None
    scale = 1 / float(pool.latents.float().std())
    if (old := load(folder, "unet")) is not None:
        network.load_state_dict(old["network"])
        if "optimizer" in old:
            optimizer.load_state_dict(old["optimizer"])
        reader.load_state_dict(old.get("reader", reader.state_dict()))
        average.weights, step, scale = old["average"], old["step"], old.get("scale", scale)
        budget.used = old["seconds"]
    alphas = alphas_cumulative().to(device)
    rng, saved = np.random.default_rng(step + 1), budget.elapsed()
    torch.manual_seed(step)
    begun, running = step, 0.0
    while budget.share() < 1:
        for group in optimizer.param_groups:
            group["lr"] = budget.rate(rate, step - begun, 200, flat=flat)
        loss = denoising_loss(network, make_batch(pool, scale, tokenizer, rng, batch, often).to(device), alphas)
        loss = loss + READING_WEIGHT * reading_loss(network.text_encoder, reader, *captions_of(rng, tokenizer, batch, device))
        reading.zero_grad()
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        reading.step()
        average.follow(network, step)
        running = loss.item() if step == begun else running + (loss.item() - running) / 100
        step += 1
        log.tell(budget, step, running)
        if budget.elapsed() - saved > 120 or budget.share() >= 1:
            saved = budget.elapsed()
            state = {"network": network.state_dict(), "optimizer": optimizer.state_dict(), "reader": reader.state_dict()}
            save(folder, "unet", state | {"average": average.weights, "step": step, "seconds": saved, "scale": scale})
            pool = read_pool(folder) if len(pool.scenes) < 40_000 else pool
            often = chances(pool, WEAK_TWO, WEAK_KINDS) if weak else None
