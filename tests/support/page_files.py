"""The page's files, compressed once for all applications of a process, and quickly where a process is started for a test."""

from __future__ import annotations

from functools import cache

from ui.parts import assets

assets.compressed = cache(assets.compressed)  # the same for each application, and most of a second to make


def compress_quickly() -> None:
    """Nobody counts bytes there, and the best is most of a second of each start."""
    assets.QUALITY = 5
