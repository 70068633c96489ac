"""Training the text encoder alone, on captions without pictures, until every filling token holds which colour and kind belong where.

A text encoder that cannot tell the two things of a caption apart leaves nothing for the denoiser to learn: however long that is trained,
it draws the colours of one thing on the other. Captions cost nothing, and a step without the UNet is some thirty times as cheap.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from transformers import CLIPTokenizer

from models.starter.recipe.caption_reader import CaptionReader, captions_of, reading_loss
from models.starter.recipe.networks import TEXT_WIDTH
from models.starter.recipe.progress import Budget, Log, load, save
from models.starter.recipe.unet_stage import Denoiser

LEARNING_RATE = 1.5e-3
FLAT = 0.6  # share of the time at the peak


def train_text(folder: Path, tokenizer_folder: Path, size: int, minutes: float, *, batch: int = 64, rate: float = LEARNING_RATE) -> None:
    """Train text encoder and caption reader for a time budget and put both into unet.pt of the folder, which is made if it is not there."""
    tokenizer = CLIPTokenizer.from_pretrained(tokenizer_folder)
    state, network, reader = opened(folder, size, tokenizer)
    optimizer = torch.optim.AdamW([*network.text_encoder.parameters(), *reader.parameters()], lr=rate, weight_decay=0.01, betas=(0.9, 0.98))
    budget, log, step, rng = Budget(minutes * 60), Log(folder, "text"), 0, np.random.default_rng(int(state["step"]) + 1)
    while budget.share() < 1:
        for group in optimizer.param_groups:
            group["lr"] = budget.rate(rate, step, 100, flat=FLAT)
        loss = reading_loss(network.text_encoder, reader, *captions_of(rng, tokenizer, batch, torch.device("cpu")))
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(network.text_encoder.parameters(), 1.0)
        optimizer.step()
        step += 1
        log.tell(budget, step, loss.item())
    text = {name: value for name, value in network.state_dict().items() if name.startswith("text_encoder.")}
    state.pop("optimizer", None)  # its moments are of the weights before
    weights = {name: state[name] | text for name in ("network", "average")}
    save(folder, "unet", state | weights | {"reader": reader.state_dict()})


def opened(folder: Path, size: int, tokenizer: CLIPTokenizer) -> tuple[dict[str, Any], Denoiser, CaptionReader]:
    """What unet.pt of the folder holds, and its networks; new ones where there is none."""
    network, reader = Denoiser(size, tokenizer), CaptionReader(TEXT_WIDTH)
    state = load(folder, "unet") or {"network": network.state_dict(), "average": network.state_dict(), "step": 0, "seconds": 0.0}
    network.load_state_dict(state["network"])
    reader.load_state_dict(state.get("reader", reader.state_dict()))
    return state, network, reader
