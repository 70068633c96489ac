"""Latents of a clip as a file beside it: what its model makes the very same frames of, at an eighth of their bytes. No torch."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.errors import UserError

NAME = "latents"
GONE = "The latents of this clip cannot be read."


def packed(latents: NDArray[np.float32], said: Mapping[str, str]) -> bytes:
    """`latents`: (frames, channels, h, w). `said`: the record and the label, by name."""
    from safetensors.numpy import save  # what writes and reads pictures needs no library of networks until it meets latents

    return save({NAME: np.ascontiguousarray(latents, np.float32)}, dict(said))


def unpacked(file: Path, frames: int, size: tuple[int, int], pixels: int) -> NDArray[np.float32]:
    """Those of a clip of so many frames. `size`: (width, height); `pixels`: of a side, that one latent stands for.

    Raises `UserError` for what cannot be read, or belongs to another clip.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    try:
        found = load_file(file)[NAME]
    except (OSError, ValueError, KeyError, SafetensorError) as error:
        raise UserError(GONE) from error
    width, height = size
    shape = frames, found.shape[1] if found.ndim == 4 else 0, height // pixels, width // pixels
    if found.dtype != np.float32 or found.shape != shape or not np.isfinite(found).all():
        raise UserError(GONE)
    return found
