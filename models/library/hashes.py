"""Hashes of a file: SHA-256 of all its bytes, and of its tensors alone, which kohya's programs and A1111 use for LoRAs.

The second stays the same when metadata are edited: Civitai's AutoV3, `sshs_model_hash`, `modelspec.hash_sha256`.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

from models.files import ModelFile

SHORTEST = 8  # digits by which a file may be named
DIGEST = re.compile(rf"[0-9a-f]{{{SHORTEST},64}}")
CLAIMS = ("sshs_model_hash", "sshs_legacy_hash", "modelspec.hash_sha256")  # that a training program wrote into the file
BLOCK = 2**20  # bytes


class Digests(NamedTuple):
    """Hexadecimal digits; "" for what is not known."""

    whole: str = ""
    tensors: str = ""  # without the header; the same as `whole` for what has none

    def agree(self, digest: str) -> bool:
        """`digest`: 8 to 64 digits, small letters."""
        return any(own.startswith(digest) for own in self if own)


def digest_of(text: str) -> str:
    """The digits in small letters when the text is the beginning of a hash, else ""."""
    plain = text.strip().lower().removeprefix("0x")
    return plain if DIGEST.fullmatch(plain) else ""


def claims(entry: ModelFile, digest: str) -> bool:
    """Whether the file says so of itself. It may have been changed since."""
    return any(entry.metadata.get(key, "").lower().removeprefix("0x").startswith(digest) for key in CLAIMS)


def file_hash(file: Path) -> str:
    """SHA-256 of a file, as hexadecimal digits."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def file_digests(file: Path) -> Digests:
    """Both, in one pass over the file."""
    with file.open("rb") as stream:
        head = stream.read(8)
        length = int.from_bytes(head, "little")
        if len(head) < 8 or length > file.stat().st_size - 8:
            return Digests(*[file_hash(file)] * 2)
        whole, tensors = hashlib.sha256(head), hashlib.sha256()
        for block in _blocks(stream, length):
            whole.update(block)
        for block in _blocks(stream, file.stat().st_size):
            whole.update(block)
            tensors.update(block)
    return Digests(whole.hexdigest(), tensors.hexdigest())


def _blocks(stream: BinaryIO, most: int) -> Iterator[bytes]:
    """At most that many bytes."""
    while most > 0 and (block := stream.read(min(BLOCK, most))):
        yield block
        most -= len(block)
