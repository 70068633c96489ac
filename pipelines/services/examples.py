"""Examples: pictures that came with a checkpoint, in the folder `examples` beside its networks, each with its settings inside.

They show what the model can do, and are one click away from being drawn again. No torch.
"""

from __future__ import annotations

from pathlib import Path

from models.errors import UserError
from models.library.catalog import Catalog
from pipelines.metadata.picture_settings import read
from pipelines.services.answers import Example

MOST = 24  # of one checkpoint


class Examples:
    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog

    def all(self) -> list[Example]:
        """Those of the first checkpoint that has some; in the order of their names."""
        for entry in self._catalog.checkpoints():
            if found := self._of(entry.id):
                return found
        return []

    def find(self, checkpoint_id: str, number: int) -> Path:
        """The file of an example. Raises `UserError` when there is no such one."""
        files = self._files(checkpoint_id)
        if not 0 <= number < len(files):
            raise UserError("This example is not there any more. Reload the page.")
        return files[number]

    def _of(self, checkpoint_id: str) -> list[Example]:
        found: list[Example] = []
        for number, path in enumerate(self._files(checkpoint_id)):
            try:
                found.append({"checkpoint": checkpoint_id, "number": number, "prompt": read(path).words})
            except (UserError, OSError):
                continue
        return found

    def _files(self, checkpoint_id: str) -> list[Path]:
        folder = self._catalog.checkpoint(checkpoint_id).folder / "examples"
        return sorted(folder.glob("*.png"))[:MOST] if folder.is_dir() else []
