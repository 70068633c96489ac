"""What it costs to keep a step of Stable Diffusion 1 at full size: 64 x 64 latents, a network of its sizes with random weights, on this
processor. One call of the network a step, which is the cheapest step there is; the step is kept by the same thread, and nothing else.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from bench.engine import HERE
from bench.paired import Row, Timed, compare, row, take_turns
from models.memory.device import mend_torchvision
from models.tensors.sources import config
from pipelines.samplers.moment import Moment
from pipelines.steps.store import KeptSteps
from pipelines.tasks.sampling import RunPosition

MOST_ROUNDS = 5  # a step takes seconds
PLAIN, KEPT = "a step of SD 1 at full size", "a step of SD 1 at full size, kept"


def measure(rounds: int) -> list[Row]:
    network, latents = full_size(), torch.randn(1, 4, 64, 64)
    with tempfile.TemporaryDirectory() as folder, torch.inference_mode():
        kept, spent = KeptSteps(Path(folder), 10**9), list[float]()
        variants: dict[str, Timed] = {
            PLAIN: lambda: _timed(network, latents, lambda made: None),
            KEPT: lambda: _timed(network, latents, lambda made: spent.append(_keep(kept, latents, made))),
        }
        times = take_turns(variants, min(rounds, MOST_ROUNDS))
    rows = compare(times, PLAIN, {KEPT: 1.03})
    return [*rows, row("processor at work to keep / a step", spent[-len(times[KEPT]) :], times[KEPT], 0.03)]


def full_size() -> Any:  # Any: diffusers' networks have no types of their own
    """The UNet of Stable Diffusion 1; every weight is random, and small enough that no number overflows."""
    mend_torchvision()
    from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel

    with torch.device("meta"):
        network: Any = UNet2DConditionModel.from_config(dict(config(HERE / "models" / "kits" / "sd1" / "unet.json")))
    network.to_empty(device="cpu")
    for weight in network.parameters():
        weight.requires_grad_(False).uniform_(-0.02, 0.02)
    return network.eval()


def _timed(network: Any, latents: Tensor, then: Callable[[Tensor], None]) -> float:  # Any: as above
    begin = time.process_time()
    then(network(latents, torch.tensor([500]), torch.ones(1, 77, 768), return_dict=False)[0])
    return time.process_time() - begin


def _keep(kept: KeptSteps, x: Tensor, x0: Tensor) -> float:
    """With one thing that the sampler remembers, as most have. Seconds of the processor."""
    begin, position = time.thread_time(), RunPosition()
    kept.add("job", "order", position.state(Moment(0, 1.0, x0, x, (x0 - x,), 1), 20))
    return time.thread_time() - begin
