"""Outlines by TEED, Soria et al., "Tiny and Efficient Model for the Edge Detection Generalization" (2023)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pipelines.preprocessors.annotators import Annotator
from pipelines.preprocessors.hed import in_steps, mean_edge
from pipelines.preprocessors.resolution import Pixels, eight_bits, in_blocks
from pipelines.preprocessors.weights import as_input, filled


def opened(paths: Sequence[Path]) -> Annotator:
    from controlnet_aux.teed.ted import TED

    return Annotator((filled(TED(), paths[0]),))


def soft_edges(pixels: Pixels, steps: float, annotator: Annotator) -> Pixels:
    """(h, w). `steps`: how many steps of brightness are left; 0: all."""
    return eight_bits(in_steps(in_blocks(pixels, lambda wide: mean_edge(annotator(as_input(wide)), wide.shape)), steps))
