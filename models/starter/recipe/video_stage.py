"""Training of the tiny video model: the first frame is given, the clip is drawn as the numbers say."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKL
from torch import Tensor

from models.starter.recipe.clips import DRIFT, LIGHT_FRAMES, Moving, Pace, frame_of, moving_scene, pace_of
from models.starter.recipe.moving_course import train_for, trained
from models.starter.recipe.moving_vision import FactReader, embeddings
from models.starter.recipe.networks import encoded, mixed_precision
from models.starter.recipe.progress import load, save, to_network
from models.starter.recipe.scenes import CENTRES, COLOURS, GROUNDS, KINDS, POSITIONS, SIZES, TIMES, Scene, arrange, draw
from models.starter.recipe.video_nets import FRAMES, WayStudent, wanted_of

CHUNK = 20  # scenes
LONG = 22  # frames of each scene that are encoded; a clip takes every one of them, or every second or third
STEPS = (0.05, 0.95)  # between two of them, in frames of the usual pace
USUAL_NOISE, MOST_NOISE = 0.02, 0.3  # on the picture
NOISY_SHARE = 0.3  # of the clips whose picture has more noise on it than is usual
EMPTY_SHARE = 0.1
LEVEL_MEAN, LEVEL_SPREAD = 0.2, 1.9  # of the logarithm of the noise levels
HIDDEN, READING_WEIGHT = 3.0, 0.5  # the noise level from which on the frames are hidden, and how much what is read there counts
VISION, VIDEO = "video-vision", "video"
QUESTIONS = (KINDS, tuple(COLOURS), POSITIONS, SIZES, GROUNDS, TIMES, (False, True))
CHOICES = tuple(len(answers) for answers in QUESTIONS)


@dataclass(frozen=True)
class Strips:
    """Training scenes, encoded from the first moment on, in steps of their own."""

    latents: Tensor  # (N, 22, 4, h, w), float16 and unscaled
    steps: Tensor  # (N,): from one to the next, in frames of the usual pace
    pictures: Tensor  # (N, 2, 4, h, w): of the first frame with noise on it, likewise, once as much as is usual and once more
    noises: Tensor  # (N, 2): how much
    seen: Tensor  # (N, 64)
    moments: Tensor  # (N, 22, 3): where the thing is, how far it has come, how far the light has, as numbers of size one


def answers_of(scene: Scene) -> list[int]:
    """What the encoder of pictures learns to tell of a scene of one thing."""
    thing = scene.things[0]
    told = (thing.kind, thing.colour, thing.position, thing.size, scene.ground, scene.time, scene.mountains)
    return [answers.index(answer) for answers, answer in zip(QUESTIONS, told, strict=True)]


def train_vision(folder: Path, size: int, minutes: float, *, batch: int = 32, rate: float = 1e-3) -> None:
    """The encoder of pictures, on scenes drawn afresh."""
    network = FactReader(CHOICES, 0)

    def loss_of(rng: np.random.Generator) -> Tensor:
        scenes = [moving_scene(rng, is_held_out=False).scene for _ in range(batch)]
        pictures = torch.from_numpy(np.stack([draw(arrange(scene, rng), size) for scene in scenes]))
        return network.loss(pictures, torch.tensor([answers_of(scene) for scene in scenes]), torch.zeros(batch, 0))

    train_for(VISION, folder, minutes, network, loss_of, rate)


def trained_reader(folder: Path) -> FactReader:
    network = trained(VISION, folder, FactReader(CHOICES, 0))
    assert isinstance(network, FactReader)
    return network


def numbered(number: int) -> tuple[Moving, float, np.random.Generator]:
    """The training scene of a number, always the same, its step, and chance for what else there is."""
    rng = np.random.default_rng([77, number])
    return moving_scene(rng, is_held_out=False), float(rng.uniform(*STEPS)), rng


def moments_of(number: int) -> list[list[float]]:
    """What the middle of the network is asked to tell of each frame."""
    moving, step, _ = numbered(number)
    start = CENTRES[moving.scene.things[0].position] - 0.5
    ways = [moving.way * DRIFT * step * place for place in range(LONG)]
    return [[5 * (start + way), 7 * way, 3 * min(1.0, step * place / LIGHT_FRAMES)] for place, way in enumerate(ways)]


def encode_clips(folder: Path, vae: AutoencoderKL, size: int, first: int, count: int) -> None:
    """Draw and encode scenes that move, in chunks; those that are there are left alone."""
    for number in range(first, first + count, CHUNK):
        if load(folder / "clips", f"{number:05d}") is None:
            save(folder / "clips", f"{number:05d}", _encoded(vae, range(number, number + CHUNK), size))


@torch.no_grad()
def _encoded(vae: AutoencoderKL, numbers: range, size: int) -> dict[str, Tensor]:
    found: dict[str, list[Tensor]] = {"latents": [], "steps": [], "pictures": [], "noises": [], "first": []}
    for number in numbers:
        moving, step, rng = numbered(number)
        moments = [place * step for place in range(LONG)]
        frames = [frame_of(moving, DRIFT * moment, min(1.0, moment / LIGHT_FRAMES), size) for moment in moments]
        pixels = to_network(torch.from_numpy(np.stack(frames)), vae.device)
        noises = torch.tensor([USUAL_NOISE, rng.uniform(0, MOST_NOISE)]).float()
        noise = torch.from_numpy(rng.standard_normal((2, *pixels.shape[1:]))).float()
        with mixed_precision(vae.device):
            means = encoded(vae, torch.cat([pixels, pixels[:1] + noises[:, None, None, None] * noise])).mean.half()
        for name, part in zip(found, (means[:LONG], torch.tensor(step), means[LONG:], noises, torch.from_numpy(frames[0])), strict=True):
            found[name].append(part)
    return {name: torch.stack(parts) for name, parts in found.items()}


def numbers_of(pace: Pace, noise: float) -> Tensor:
    """What is told of it, as SVD was trained: one less than the frames of a second."""
    return torch.tensor([pace.rate - 1, pace.motion, noise])


def read_strips(folder: Path) -> Strips:
    """Every chunk encoded so far."""
    files = sorted((folder / "clips").glob("*.pt"))
    chunks = [torch.load(file, weights_only=True) for file in files]
    moments = torch.tensor([moments_of(int(file.stem) + place) for file in files for place in range(CHUNK)])
    parts = {name: torch.cat([chunk[name] for chunk in chunks]) for name in ("latents", "steps", "pictures", "noises", "first")}
    seen = embeddings(trained_reader(folder).vision, parts.pop("first"))
    return Strips(**parts, seen=seen, moments=moments)


def train_video(folder: Path, vae: AutoencoderKL, size: int, minutes: float, *, batch: int = 4, rate: float = 1.3e-3) -> None:
    """The UNet; goes on from the checkpoint in the folder."""
    strips, network = read_strips(folder), WayStudent(size)
    scale = vae.config["scaling_factor"]
    train_for(VIDEO, folder, minutes, network, lambda rng: clip_loss(network, strips, scale, batch, rng), rate)


def clip_loss(network: WayStudent, strips: Strips, scale: float, batch: int, rng: np.random.Generator) -> Tensor:
    """The squared error of v at one noise level for each clip, and of what is read where noise hides the frames."""
    places = torch.from_numpy(rng.integers(len(strips.latents), size=batch))
    strides = torch.from_numpy(rng.integers(1, (LONG - 1) // (FRAMES - 1) + 1, size=batch))
    chosen = places[:, None], strides[:, None] * torch.arange(FRAMES)
    clean = strips.latents[chosen].float() * scale
    which = torch.from_numpy((rng.random(batch) < NOISY_SHARE).astype(int))
    paces = [pace_of(float(step), rng) for step in strips.steps[places] * strides]
    numbers = torch.stack([numbers_of(pace, float(noise)) for pace, noise in zip(paces, strips.noises[places, which], strict=True)])
    levels = spread_levels(batch)
    noisy = clean + levels[:, None, None, None, None] * torch.randn_like(clean)
    shown = torch.from_numpy(rng.random(batch) >= EMPTY_SHARE).float()
    seen, beside = strips.seen[places] * shown[:, None], strips.pictures[places, which].float() * shown[:, None, None, None]
    with mixed_precision(noisy.device):
        said, read = network(noisy, levels, seen, beside, numbers)
    wrong = (read - strips.moments[chosen]).square().sum(2).mean(1) * shown * (levels > HIDDEN)
    return READING_WEIGHT * wrong.mean() + (said.float() - wanted_of(clean, noisy, levels)).square().mean()


def spread_levels(count: int) -> Tensor:
    """(count,) noise levels, log-normal and spread evenly over a batch."""
    even = (torch.arange(count) + torch.rand(count)) / count
    return (LEVEL_MEAN + LEVEL_SPREAD * torch.special.ndtri(even.clamp(1e-4, 1 - 1e-4))).exp()
