"""Latents: the four channels that a picture is while it is drawn, and what the VAE loses on the way to them and back."""

from __future__ import annotations

import math

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from pipelines.denoising.vae_decode import decode
from pipelines.denoising.vae_encode import encode
from pipelines.inside.answers import LatentChannel, LatentsFound
from pipelines.inside.desk import Desk, Found, Looking, Seen, png
from pipelines.inside.schedules import short
from pipelines.jobs.events import retold
from pipelines.jobs.runner import Runner
from pipelines.tasks.img2img import on_grid

SAME = 99.0  # dB that are told where nothing was lost
SPREAD = 3.0  # standard deviations from the mean that are black and white


def look(desk: Desk, runner: Runner) -> Looking:
    """The picture through the VAE's encoder, and back through its decoder: `trip.png`, and `channel-N.png`."""
    with runner.lent(desk.request) as model, torch.inference_mode():
        before = on_grid(desk.picture(), model.family.latent.pixels)
        latents = yield from retold(encode(model, before), lambda _: Seen(0, 2))
        yield Seen(1, 2)
        after = (yield from retold(decode(model, latents), lambda _: Seen(1, 2))).image
        channels = latents[0].float().cpu()
    files = {"before.png": png(before), "trip.png": png(after)}
    files |= {f"channel-{number}.png": as_picture(channel) for number, channel in enumerate(channels)}
    told: list[LatentChannel] = [{"mean": short(channel.mean().item()), "spread": short(channel.std().item())} for channel in channels]
    pixels, numbers = 3 * before.width * before.height, channels.numel()
    found = LatentsFound(psnr=short(psnr(before, after)), pixels=pixels, numbers=numbers, shape=list(channels.shape), channels=told)
    return Found(found, files)


def psnr(one: Image.Image, other: Image.Image) -> float:
    """Peak signal to noise in dB, of pixels of 8 bits: 10 log10(255^2 / mean square difference)."""
    apart = np.asarray(one, np.float64) - np.asarray(other, np.float64)
    square = float((apart**2).mean())
    return SAME if square == 0 else 10 * math.log10(255**2 / square)


def as_picture(channel: Tensor) -> bytes:
    """(h, w) as greys: its mean is the middle one."""
    share = (channel - channel.mean()) / (2 * SPREAD * channel.std().clamp(min=1e-6)) + 0.5
    return png(Image.fromarray((share.clamp(0, 1) * 255).round().to(torch.uint8).numpy()))
