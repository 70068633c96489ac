"""Lines of anime drawings (ControlNet 1.1, line art anime)."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from torch import nn

from pipelines.preprocessors.annotators import Annotator
from pipelines.preprocessors.resolution import Pixels, eight_bits, in_blocks
from pipelines.preprocessors.weights import as_input, filled

HALVINGS = 8  # so both sides are a multiple of 256


def opened(paths: Sequence[Path]) -> Annotator:
    from controlnet_aux.lineart_anime import UnetGenerator

    plain_norm = functools.partial(nn.InstanceNorm2d, affine=False, track_running_stats=False)
    return Annotator((filled(UnetGenerator(3, 1, HALVINGS, 64, norm_layer=plain_norm, use_dropout=False), paths[0]),))


def lines(pixels: Pixels, annotator: Annotator) -> Pixels:
    """(h, w), bright lines on black. The network draws with ink on paper, from -1 to 1."""
    return 255 - in_blocks(pixels, lambda wide: eight_bits(_paper(wide, annotator)), side=2**HALVINGS)


def _paper(pixels: Pixels, annotator: Annotator) -> NDArray[np.floating]:
    return annotator(as_input(pixels) / 127.5 - 1)[0, 0].float().cpu().numpy() * 0.5 + 0.5
