"""How strongly a person has used each LoRA last, which is how strong it begins the next time."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path

from models.errors import UserError
from models.json_values import is_number, text
from pipelines.requests.added import STRONGEST
from pipelines.requests.request import Drawing, Request
from pipelines.services.person_files import Entry, ListWords, PersonFiles

log = logging.getLogger(__name__)

FOLDER = ".strengths"
MOST = 500  # LoRAs that are remembered of one person, those that were used last
LARGEST_FILE = 1_000_000  # bytes
LONGEST = 300  # letters of a name


class Strengths:
    """Safe to call from any thread."""

    def __init__(self, folder: Path) -> None:
        self._files = PersonFiles(folder / FOLDER, ListWords("strengths", "strengths", "strength"), LARGEST_FILE)

    def of(self, user: str) -> dict[str, float]:
        """By what a LoRA is called; 1 for what is not among them. Nothing where they cannot be read."""
        try:
            found = self._files.read(user)
        except UserError:
            return {}
        return {text(each, "name"): float(strength) for each in found if is_number(strength := each.get("strength"))}

    def remember(self, user: str, request: Request) -> None:
        """Those of a drawing that was asked for. What cannot be written is not worth a word to anybody."""
        used = {use.name[:LONGEST]: use.unet for use in request.loras if use.name and use.unet} if isinstance(request, Drawing) else {}
        if not used or used.items() <= self.of(user).items():
            return
        try:
            self._files.change(user, lambda entries: _with(entries, used))
        except UserError as error:
            log.info("the strengths of LoRAs are not remembered: %s", error)


def _with(entries: list[Entry], used: Mapping[str, float]) -> list[Entry]:
    kept = [each for each in entries if text(each, "name") not in used]
    new: list[Entry] = [{"name": name, "strength": min(max(value, -STRONGEST), STRONGEST)} for name, value in used.items()]
    return [*kept, *new][-MOST:]
