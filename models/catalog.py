"""What is on disk. Headers and small JSON files only: nothing here reads a weight or imports torch."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from models.errors import UserError

STARTER = "starter"


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A model that draws. `id` is opaque and the only thing that a page or a request names; `folder` stays on the server."""

    id: str
    name: str
    family: str
    native_size: int  # pixels, the side of the squares it was trained on
    folder: Path
    defaults: dict[str, Any] = field(default_factory=dict)  # request field -> the value that suits this model
    known_words: frozenset[str] | None = None  # None: it has the vocabulary of its training set, which nobody can list
    examples: tuple[str, ...] = ()

    @property
    def tokenizer(self) -> Path:
        return self.folder / "tokenizer"


class Catalog:
    """The starter model, and the Stable Diffusion 1 folders (diffusers layout) in `checkpoints/` of each models folder."""

    def __init__(self, starter: Path, folders: Sequence[Path] = ()) -> None:
        self._starter = starter
        self._folders = tuple(folders)

    def checkpoints(self) -> list[Checkpoint]:
        """The starter first, the others by name. Looks at the disk each time, so new folders appear without a restart."""
        found = [read_checkpoint(folder) for root in self._folders for folder in _model_folders(root / "checkpoints")]
        return [read_checkpoint(self._starter, STARTER), *sorted(found, key=lambda entry: entry.name.lower())]

    def checkpoint(self, checkpoint_id: str) -> Checkpoint:
        """Raises `UserError` when no such model is there."""
        for entry in self.checkpoints():
            if entry.id == checkpoint_id:
                return entry
        raise UserError("The checkpoint that was asked for is not in the models folder any more. Choose another one.")


def read_checkpoint(folder: Path, checkpoint_id: str = "") -> Checkpoint:
    facts = _json(folder / "starter.json")
    words = facts.get("known_words")
    return Checkpoint(
        id=checkpoint_id or hashlib.sha256(str(folder.resolve()).encode()).hexdigest()[:16],
        name="Starter" if checkpoint_id == STARTER else folder.name,
        family="Stable Diffusion 1",
        native_size=facts.get("native_size") or _native_size(folder),
        folder=folder,
        defaults=facts.get("defaults", {}),
        known_words=frozenset(words) if words else None,
        examples=tuple(facts.get("example_prompts", ())),
    )


def file_hash(file: Path) -> str:
    """SHA-256 of a file, as hexadecimal digits. A checkpoint is named by the hash of its UNet."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _model_folders(root: Path) -> list[Path]:
    return [index.parent for index in sorted(root.glob("*/model_index.json")) if _is_stable_diffusion_1(index.parent)]


def _is_stable_diffusion_1(folder: Path) -> bool:
    unet = _json(folder / "unet" / "config.json")
    one_encoder = "text_encoder" in _json(folder / "model_index.json") and not (folder / "text_encoder_2").exists()
    return one_encoder and unet.get("in_channels") == 4 and (folder / "tokenizer").is_dir()


def _native_size(folder: Path) -> int:
    return 8 * _json(folder / "unet" / "config.json").get("sample_size", 64)


def _json(file: Path) -> dict[str, Any]:
    try:
        value = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}
