"""One short training as every extra has it: so many steps, each with chance of its own, resumable at any of them.

The chance of a step comes from its number alone. So a training that was stopped and went on ends where it would have ended unbroken.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from models.starter.recipe.progress import Budget, Log, load, save

SAVE_EVERY = 50  # steps
WARM_STEPS = 20
Loss = Callable[[np.random.Generator], Tensor]


@dataclass(frozen=True)
class Course:
    """What is trained, for how long and how fast."""

    name: str  # of the checkpoint and of the log lines
    steps: int
    rate: float  # the learning rate at its peak
    seed: int = 0

    def rate_at(self, step: int) -> float:
        """A rise over the first steps, then a cosine down to nothing."""
        rise = min(1.0, (step + 1) / WARM_STEPS)
        return self.rate * rise * 0.5 * (1 + math.cos(math.pi * step / self.steps))


def follow(course: Course, folder: Path, weights: nn.Module, loss_of: Loss) -> None:
    """Train those of the weights that ask for a gradient; goes on from the checkpoint in the folder, if there is one.

    `loss_of` is given the step's chance; what it draws from torch is seeded by the step as well.
    """
    trained = [weight for weight in weights.parameters() if weight.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=course.rate, weight_decay=0.0, betas=(0.9, 0.99))
    step = _resumed(course, folder, weights, optimizer)
    budget, log = Budget(math.inf), Log(folder, course.name)
    with torch.random.fork_rng(devices=[]):
        while step < course.steps:
            loss = _step(course, step, trained, optimizer, loss_of)
            step += 1
            log.tell(budget, step, loss)
            if step % SAVE_EVERY == 0 or step == course.steps:
                save(folder, course.name, {"weights": weights.state_dict(), "optimizer": optimizer.state_dict(), "step": step})


def _resumed(course: Course, folder: Path, weights: nn.Module, optimizer: torch.optim.Optimizer) -> int:
    old = load(folder, course.name)
    if old is None:
        return 0
    weights.load_state_dict(old["weights"])
    if "optimizer" in old:  # it is not where `recipe/resume.py` wrote the checkpoint
        optimizer.load_state_dict(old["optimizer"])
    return old["step"]


def _step(course: Course, step: int, trained: list[nn.Parameter], optimizer: torch.optim.Optimizer, loss_of: Loss) -> float:
    torch.manual_seed(course.seed * 1_000_003 + step)
    for group in optimizer.param_groups:
        group["lr"] = course.rate_at(step)
    loss = loss_of(np.random.default_rng([course.seed, step]))
    optimizer.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(trained, 1.0)
    optimizer.step()
    return loss.item()
