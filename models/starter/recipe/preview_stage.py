"""Trains the preview decoder: latents to a half-size picture, quickly enough for every step of a job.

    python -m models.starter.recipe.preview_stage --minutes 4

It learns from drawn scenes and their latents, with noise added, because the predictions of early steps are blurred.
Reads the latents that `train latents` encoded, and their scale from the UNet's checkpoint.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor
from torch.nn import functional

from models.loading.preview_decoder import SCALE, PreviewDecoder
from models.starter.recipe.latents_stage import Pool, numbered_layout, read_pool
from models.starter.recipe.progress import Budget, Log, load, to_network
from models.starter.recipe.scenes import draw

STARTER = Path(__file__).parent.parent
MOST_SCENES = 3000
NOISE = 0.3  # standard deviation, in scaled latents, of the strongest noise that is added


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=4)
    parser.add_argument("--folder", type=Path, default=Path("train"))
    wish = parser.parse_args()
    trained = load(wish.folder, "unet")
    if trained is None:
        raise FileNotFoundError(f"{wish.folder}/unet.pt is missing: train the UNet first")
    decoder = train_preview(read_pool(wish.folder), trained["scale"], wish.minutes, Log(wish.folder, "preview"))
    (STARTER / "preview").mkdir(exist_ok=True)
    weights = {name: weight.half().contiguous() for name, weight in decoder.state_dict().items()}
    save_file(weights, STARTER / "preview" / "preview.safetensors")


def train_preview(pool: Pool, scale: float, minutes: float, log: Log) -> PreviewDecoder:
    latents = pool.latents[:MOST_SCENES].float() * scale
    side = latents.shape[-1] * SCALE
    pictures = torch.from_numpy(np.stack([draw(numbered_layout(number), side) for number in range(len(latents))]))
    decoder, budget, step = PreviewDecoder(), Budget(minutes * 60), 0
    optimizer = torch.optim.AdamW(decoder.parameters(), lr=2e-3)
    while budget.share() < 1:
        optimizer.param_groups[0]["lr"] = budget.rate(2e-3, step, 50)
        chosen = torch.randint(len(latents), (32,))
        loss = functional.l1_loss(decoder(_blurred(latents[chosen])), to_network(pictures[chosen], torch.device("cpu")))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        step += 1
        log.tell(budget, step, loss.item())
    return decoder


def _blurred(latents: Tensor) -> Tensor:
    """Each picture's latents with noise of its own strength, none for some."""
    return latents + NOISE * torch.rand(len(latents), 1, 1, 1) * torch.randn_like(latents)


if __name__ == "__main__":
    main()
