"""Training of the tiny Zero123: one solid thing, seen from one side, drawn as it is seen from another."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKL
from torch import Tensor, nn

from models.starter.recipe.moving_course import kept, train_for, trained
from models.starter.recipe.moving_vision import FactReader, embeddings
from models.starter.recipe.networks import alphas_cumulative, encoded, mixed_precision, place
from models.starter.recipe.progress import to_network
from models.starter.recipe.solids import DISTANCES, KINDS, SCHEMES, SOLIDS, Pose, Solid, random_pose, render, turned
from models.starter.recipe.turn_nets import POSE, PoseStudent

VIEWS = 360  # of each solid
EMPTY_SHARE = 0.1
HEAVIEST = 20.0  # how many times as much an error of the noise counts where it hides the picture, at most
NOISIER = 1.8  # how many times as often the noisiest timesteps are shown as they would be evenly
CHOICES = len(KINDS) + len(SCHEMES)  # numbers of the reader that are scores of answers
CERTAIN = 5.0  # about the size of those
POSE_GAIN = (2.0, 1.0, 1.0, 2.0)  # so that all four numbers have about the size of one
HIDDEN, READING_WEIGHT = 400, 0.5  # the timestep from which on the pose is read off the middle, and how much that counts
VISION, TURN = "turn-vision", "turn"


@dataclass(frozen=True)
class Views:
    """Views of all solids: of the solid s the view v at the place s * VIEWS + v."""

    poses: list[Pose]
    latents: Tensor  # (N, 4, h, w), float16 and unscaled
    seen: Tensor  # (N, 64): what the encoder of pictures says
    numbers: Tensor  # (N, 4): the poses, as `facts` has them


def facts(solid: Solid, pose: Pose) -> tuple[list[int], list[float]]:
    """What the encoder of pictures learns to tell: kind and colours; azimuth, elevation and distance as numbers of size one."""
    angle = math.radians(pose.azimuth)
    middle, half = (DISTANCES[0] + DISTANCES[1]) / 2, (DISTANCES[1] - DISTANCES[0]) / 2
    numbers = [math.sin(angle), math.cos(angle), (pose.elevation - 25) / 20, 0.5 * (pose.distance - middle) / half]
    return [KINDS.index(solid.kind), list(SCHEMES).index(solid.scheme)], numbers


def train_vision(folder: Path, size: int, minutes: float, *, batch: int = 32, rate: float = 1e-3) -> None:
    """The encoder of pictures, on views drawn afresh."""
    network = FactReader((len(KINDS), len(SCHEMES)), 4)

    def loss_of(rng: np.random.Generator) -> Tensor:
        drawn = [(SOLIDS[int(rng.integers(len(SOLIDS)))], random_pose(rng)) for _ in range(batch)]
        pictures = torch.from_numpy(np.stack([render(solid, pose, size) for solid, pose in drawn]))
        told = [facts(solid, pose) for solid, pose in drawn]
        return network.loss(pictures, torch.tensor([first for first, _ in told]), torch.tensor([second for _, second in told]))

    train_for(VISION, folder, minutes, network, loss_of, rate)


def trained_reader(folder: Path) -> FactReader:
    network = trained(VISION, folder, FactReader((len(KINDS), len(SCHEMES)), 4))
    assert isinstance(network, FactReader)
    return network


def views_of(folder: Path, vae: AutoencoderKL, size: int) -> Views:
    """The latents are encoded once and kept in the folder."""
    rng = np.random.default_rng(2024)
    poses = [random_pose(rng) for _ in range(VIEWS * len(SOLIDS))]
    pictures = torch.from_numpy(np.stack([render(SOLIDS[at // VIEWS], pose, size) for at, pose in enumerate(poses)]))
    latents = kept("turn-views", folder, lambda: {"latents": _latents(vae, pictures)})["latents"]
    numbers = torch.tensor([facts(SOLIDS[0], pose)[1] for pose in poses])
    return Views(poses, latents, embeddings(trained_reader(folder).vision, pictures), numbers)


@torch.no_grad()
def _latents(vae: AutoencoderKL, pictures: Tensor) -> Tensor:
    with mixed_precision(vae.device):
        parts = [encoded(vae, to_network(pictures[at : at + 20], vae.device)).mean.half() for at in range(0, len(pictures), 20)]
    return torch.cat(parts)


def train_turn(folder: Path, vae: AutoencoderKL, size: int, minutes: float, *, batch: int = 24, rate: float = 1.2e-3) -> None:
    """The UNet and the projection; goes on from the checkpoint in the folder."""
    views, network = views_of(folder, vae, size), PoseStudent(size)
    set_side_by_side(network.denoiser.cc_projection, trained_reader(folder).reader)
    place(network, torch.device("cpu"))
    scale = vae.config["scaling_factor"]
    train_for(TURN, folder, minutes, network, lambda rng: turning_loss(network, views, scale, batch, rng), rate)


@torch.no_grad()
def set_side_by_side(projection: nn.Linear, reader: nn.Linear) -> None:
    """The projection begins with the facts that are read off the embedding, and the pose beside them, each in a place of its own; what the
    angle is after the turn is a product of both, which the UNet has to learn.
    """
    facts, seen = len(reader.weight), reader.weight.shape[1]
    projection.weight[: facts + POSE] = 0
    projection.weight[:facts, :seen], projection.bias[:facts] = reader.weight, reader.bias
    projection.weight[:CHOICES] /= CERTAIN
    projection.bias[:CHOICES] /= CERTAIN
    projection.weight[facts : facts + POSE, seen:] = torch.diag(torch.tensor(POSE_GAIN))
    projection.bias[facts : facts + POSE] = 0


def spread_timesteps(count: int) -> Tensor:
    """(count,), more of them where noise hides the picture: there the token is all there is to go by."""
    even = (torch.arange(count) + torch.rand(count)) / count
    return (1000 * even ** (1 / NOISIER)).long().clamp(max=999)


def turning_loss(network: PoseStudent, views: Views, scale: float, batch: int, rng: np.random.Generator) -> Tensor:
    """The weighted squared error of the noise, of pairs of views of one solid, and of the pose that is read where noise hides it."""
    solids = rng.integers(len(SOLIDS), size=batch)
    before, after = (solids * VIEWS + rng.integers(VIEWS, size=batch) for _ in range(2))
    poses = torch.tensor([turned(views.poses[first], views.poses[second]) for first, second in zip(before, after, strict=True)])
    timesteps = spread_timesteps(batch)
    share = alphas_cumulative()[timesteps]
    wanted = views.latents[torch.from_numpy(after)].float() * scale
    noise = torch.randn_like(wanted)
    noisy = share.sqrt()[:, None, None, None] * wanted + (1 - share).sqrt()[:, None, None, None] * noise
    shown = torch.from_numpy(rng.random(batch) >= EMPTY_SHARE).float()
    beside, seen = (values[torch.from_numpy(before)].float() for values in (views.latents, views.seen))
    with mixed_precision(noisy.device):
        made, read = network(noisy, timesteps, seen, poses, beside, shown)
    wrong = (read - views.numbers[torch.from_numpy(after)]).square().sum(1) * shown * (timesteps > HIDDEN)
    return READING_WEIGHT * wrong.mean() + ((1 / share).clamp(max=HEAVIEST) * (made.float() - noise).square().mean((1, 2, 3))).mean()
