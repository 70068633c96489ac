"""OpenEXR depth maps, as 3D programs export them: distances in floating point."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.errors import UserError
from pipelines.images.decode import MOST_PIXELS

MAGIC = b"\x76\x2f\x31\x01"
DEPTHS = ("Z", "V", "Y", "R")  # the last part of a channel's name, the likeliest first
MOST_CHANNELS = 64
DAMAGED = "This EXR file is incomplete, damaged, or of a kind that is not read here (deep or tiled in levels). Export it again."


def is_exr(data: bytes) -> bool:
    return data[:4] == MAGIC


def read_exr(data: bytes) -> tuple[NDArray[np.floating], tuple[str, ...]]:
    """The depth channel, (h, w), as it stands in the file, and a note where it had to be guessed. Raises `UserError`."""
    import OpenEXR

    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "depth.exr"
        file.write_bytes(data)
        try:
            header = OpenEXR.File(str(file), header_only=True).header()
            _check_size(header)
            channels = OpenEXR.File(str(file), separate_channels=True).channels()
            values = {name: np.asarray(channel.pixels) for name, channel in channels.items()}
        except (RuntimeError, ValueError, TypeError, KeyError, OSError) as error:
            raise UserError(DAMAGED) from error
    name = _depth_channel(list(values))
    if values[name].ndim != 2 or not values[name].size:
        raise UserError(DAMAGED)
    note = () if len(values) == 1 or name.rpartition(".")[2] == "Z" else (f"It has {len(values)} channels; “{name[:40]}” was taken.",)
    return values[name].astype(np.float32), note


def _check_size(header: Mapping[str, Any]) -> None:  # Any: of each attribute its own type
    """Before anything is decoded."""
    low, high = header["dataWindow"]
    width, height = (int(high[axis]) - int(low[axis]) + 1 for axis in (0, 1))
    if width < 1 or height < 1 or len(header["channels"]) > MOST_CHANNELS:
        raise UserError(DAMAGED)
    if width * height * len(header["channels"]) > 4 * MOST_PIXELS or width * height > MOST_PIXELS:
        raise UserError(f"This EXR has {width:,} × {height:,} pixels; it is too large. Export it smaller, with the depth channel alone.")


def _depth_channel(names: list[str]) -> str:
    for wanted in DEPTHS:
        for name in names:
            if name.rpartition(".")[2].upper() == wanted:
                return name
    if not names:
        raise UserError(DAMAGED)
    return names[0]
