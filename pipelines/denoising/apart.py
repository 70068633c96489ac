"""Answers of the network in regions with LoRAs of their own: all is asked once more with these, and counts where the region lies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from pipelines.denoising.areas import Areas
from pipelines.denoising.guidance import Answers
from pipelines.denoising.samples import Samples


def answered_apart(whole: Answers, apart: Sequence[tuple[int, Answers]], areas: Areas, samples: Samples) -> Answers:
    """One answer of several. `apart`: which of the regions that act, from 0, and what was answered there; of the same branches."""
    if not apart:
        return whole
    height, width = whole.positive.shape[2:]
    shares = [share.view(len(share), 1, height, width) for share in areas.shares(height * width, 0.0, samples)[1:]]
    own = [(shares[place], answers) for place, answers in apart]

    def mixed(plain: Tensor, others: Sequence[Tensor]) -> Tensor:
        left = torch.ones_like(own[0][0])
        for share, _ in own:
            left = left - share
        found = plain * left
        for other, (share, _) in zip(others, own, strict=True):
            found = found + other * share
        return found

    pushes = [
        (weight, mixed(answer, [answers.pushes[place][1] for _, answers in own])) for place, (weight, answer) in enumerate(whole.pushes)
    ]
    negatives = [answers.negative for _, answers in own if answers.negative is not None]
    empties = [answers.empty for _, answers in own if answers.empty is not None]
    return replace(
        whole,
        pushes=pushes,
        negative=None if whole.negative is None else mixed(whole.negative, negatives),
        empty=None if whole.empty is None else mixed(whole.empty, empties),
    )
