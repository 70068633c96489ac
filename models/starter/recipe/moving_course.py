"""Training of what moves and turns: a time budget, averaged weights, and a checkpoint to go on from, the same for all its networks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from models.starter.recipe.progress import Average, Budget, Log, load, save

SAVE_EVERY = 60.0  # seconds
WARM_STEPS = 100
DECAY = 0.995
SMOOTH = 100  # steps that the loss in the log is the mean of, about

Loss = Callable[[np.random.Generator], Tensor]


def train_for(name: str, folder: Path, minutes: float, network: nn.Module, loss_of: Loss, rate: float, flat: float = 0.6) -> None:
    """Train a network for so many minutes of wall clock, earlier runs included, and leave the average of its weights in it.

    `rate`: the learning rate at its peak, where it stays for a share `flat` of the time.
    """
    optimizer = torch.optim.AdamW(network.parameters(), lr=rate, weight_decay=0.01, betas=(0.9, 0.98), fused=True)
    average, budget, log, step = Average(network, DECAY), Budget(minutes * 60), Log(folder, name), 0
    if (old := load(folder, name)) is not None:
        network.load_state_dict(old["network"])
        optimizer.load_state_dict(old["optimizer"])
        average.weights, step, budget.used = old["average"], old["step"], old["seconds"]
    torch.manual_seed(step)
    rng, saved, running = np.random.default_rng(step + 1), budget.elapsed(), 0.0
    while budget.share() < 1:
        for group in optimizer.param_groups:
            group["lr"] = budget.rate(rate, step, WARM_STEPS, flat=flat)
        loss = loss_of(rng)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        average.follow(network, step)
        running = loss.item() if running == 0 else running + (loss.item() - running) / SMOOTH
        step += 1
        log.tell(budget, step, running)
        if budget.elapsed() - saved > SAVE_EVERY or budget.share() >= 1:
            saved = budget.elapsed()
            state = {"network": network.state_dict(), "optimizer": optimizer.state_dict(), "average": average.weights}
            save(folder, name, state | {"step": step, "seconds": saved})
    network.load_state_dict(average.weights)


def trained(name: str, folder: Path, network: nn.Module) -> nn.Module:
    """The network with the average of the weights of its last checkpoint. Raises `FileNotFoundError` where there is none."""
    done = load(folder, name)
    if done is None:
        raise FileNotFoundError(f"{folder}/{name}.pt is missing: train it first")
    network.load_state_dict(done["average"])
    return network.eval().requires_grad_(False)


def kept(name: str, folder: Path, make: Callable[[], Mapping[str, Any]]) -> Mapping[str, Any]:
    """What was made once and lies in the folder under that name; made now, where it is not there."""
    stored = load(folder, name)
    if stored is None:
        stored = dict(make())
        save(folder, name, stored)
    return stored
