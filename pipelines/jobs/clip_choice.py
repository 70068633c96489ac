"""How clips are kept, as the owner wants it.

outputs/.clips.json     {"lossless": true, "beside": "png"}
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from models.errors import UserError
from models.json_values import table
from pipelines.images.clip_file import LOSSLESS, LOSSY

FILE = ".clips.json"
PNG, LATENTS, NOTHING = "png", "latents", "nothing"
BESIDE = (PNG, LATENTS, NOTHING)
UNWRITTEN = "This cannot be kept in the outputs folder ({why}). Make room there, or allow writing, then try again."


@dataclass(frozen=True, slots=True)
class ClipChoice:
    lossless: bool = True  # the animation has every level of every colour; else it is a tenth as large
    beside: str = PNG  # of `BESIDE`: each frame as PNG in a ZIP, or the latents that the model makes the same frames of

    @property
    def options(self) -> dict[str, bool | int]:
        """Of the animation, as `clip_file.written` takes them."""
        return LOSSLESS if self.lossless else LOSSY


class ClipChoices:
    """Safe to call from any thread."""

    def __init__(self, folder: Path) -> None:
        """`folder`: that of the pictures."""
        self._file = folder / FILE

    @property
    def choice(self) -> ClipChoice:
        """What cannot be read is as at the beginning."""
        try:
            found = table(json.loads(self._file.read_text("utf-8")))
        except (OSError, ValueError, RecursionError):
            return ClipChoice()
        usual, beside = ClipChoice(), str(found.get("beside"))
        return ClipChoice(found.get("lossless", usual.lossless) is True, beside if beside in BESIDE else usual.beside)

    def keep(self, choice: ClipChoice) -> None:
        """Raises `UserError` when it cannot be written."""
        part = self._file.with_suffix(".part")
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            part.write_text(json.dumps(asdict(choice)), "utf-8")
            part.replace(self._file)
        except OSError as error:
            raise UserError(UNWRITTEN.format(why=error.strerror)) from error
