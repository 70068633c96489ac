"""Line drawings of photographs, Chan et al., "Learning to generate line drawings that convey geometry and semantics" (2022)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pipelines.preprocessors.annotators import Annotator
from pipelines.preprocessors.resolution import Pixels, eight_bits, in_blocks
from pipelines.preprocessors.weights import as_input, filled


def opened(paths: Sequence[Path]) -> Annotator:
    from controlnet_aux.lineart import Generator

    return Annotator((filled(Generator(3, 1, 3), paths[0]),))


def fine(pixels: Pixels, annotator: Annotator) -> Pixels:
    """(h, w), bright lines on black. The network draws with ink on paper."""
    return 255 - in_blocks(pixels, lambda wide: eight_bits(annotator(as_input(wide) / 255)[0, 0].float().cpu().numpy()))


def coarse(pixels: Pixels, annotator: Annotator) -> Pixels:
    """The same network with other weights."""
    return fine(pixels, annotator)
