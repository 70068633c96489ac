"""What a file of the library may be called by: its name, the name that its training program gave it, or the beginning of a hash."""

from __future__ import annotations

import re

from models.files import ModelFile

SHORTEST_HASH = 8  # digits by which a file may be named
HASHES = ("sshs_model_hash", "modelspec.hash_sha256")  # that a training program wrote into the file


def is_called(entry: ModelFile, wanted: str) -> bool:
    return wanted in (entry.name.lower(), f"{entry.name}{entry.path.suffix}".lower())


def was_called(entry: ModelFile, wanted: str) -> bool:
    """The name that its training program gave it."""
    return entry.metadata.get("ss_output_name", "").lower() == wanted


def has_hash(entry: ModelFile, wanted: str) -> bool:
    if not re.fullmatch(f"[0-9a-f]{{{SHORTEST_HASH},64}}", wanted):
        return False
    own = (entry.hash, *(entry.metadata.get(key, "").lower().removeprefix("0x") for key in HASHES))
    return any(digest.startswith(wanted) for digest in own)
