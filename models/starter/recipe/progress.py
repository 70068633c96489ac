"""What every training stage needs: a time budget, averaged weights, checkpoints, a log line."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn


@dataclass
class Budget:
    """A wall-clock allowance in seconds that survives a restart through `used`."""

    seconds: float
    used: float = 0.0
    started: float = field(default_factory=time.monotonic)

    def elapsed(self) -> float:
        """Seconds trained so far, earlier runs included."""
        return self.used + time.monotonic() - self.started

    def share(self) -> float:
        """How much of the allowance is gone, 0 to 1."""
        return min(1.0, self.elapsed() / self.seconds)

    def rate(self, peak: float, step: int, warm_steps: int, flat: float = 0.0) -> float:
        """Learning rate: a rise over `warm_steps`, the peak up to a share `flat` of the time, then a cosine."""
        rise = min(1.0, (step + 1) / warm_steps)
        fall = max(0.0, self.share() - flat) / (1 - flat)
        return peak * rise * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * fall)))


class Average:
    """An exponential moving average of a network's weights, warmed up over the first steps."""

    def __init__(self, network: nn.Module, decay: float) -> None:
        self.decay = decay
        self.weights = {name: value.detach().clone() for name, value in network.state_dict().items()}

    @torch.no_grad()
    def follow(self, network: nn.Module, step: int) -> None:
        decay = min(self.decay, (1 + step) / (10 + step))
        for name, value in network.state_dict().items():
            if value.is_floating_point():
                self.weights[name].lerp_(value, 1 - decay)


def save(folder: Path, name: str, state: Mapping[str, Any]) -> None:
    """Write a checkpoint so that a reader sees the old one or the new one, never half."""
    folder.mkdir(parents=True, exist_ok=True)
    partial = folder / f"{name}.partial"
    torch.save(dict(state), partial)
    os.replace(partial, folder / f"{name}.pt")


def load(folder: Path, name: str) -> dict[str, Any] | None:
    """A checkpoint written by `save`, or None where there is none."""
    path = folder / f"{name}.pt"
    return torch.load(path, map_location="cpu", weights_only=True) if path.exists() else None


class Log:
    """One line a minute, on the screen and in log.txt of the folder."""

    def __init__(self, folder: Path, stage: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._path, self._stage, self._last = folder / "log.txt", stage, -math.inf

    def tell(self, budget: Budget, step: int, loss: float, *, every: float = 60.0) -> None:
        if budget.elapsed() - self._last < every:
            return
        self._last = budget.elapsed()
        minutes = budget.elapsed() / 60
        line = f"{time.strftime('%H:%M:%S')} {self._stage} {minutes:5.1f} min step {step} loss {loss:.5f}"
        print(line, flush=True)
        with self._path.open("a") as log:
            log.write(line + "\n")


def to_network(pictures: Tensor, device: torch.device) -> Tensor:
    """uint8 (B, H, W, 3) to (B, 3, H, W) in -1..1."""
    return pictures.to(device).permute(0, 3, 1, 2).float() / 127.5 - 1
