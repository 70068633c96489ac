"""What one step of a job looked at, as plain values. Importing it imports no torch."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass

from pipelines.inside.answers import HeatWord, LiveHeat


@dataclass(frozen=True)
class SeenNow:
    """`maps`: of each picture of the batch those of all words, each little-endian float32, row by row. `columns`: in which the pictures lie
    in the preview. `message`: why nothing can be seen.
    """

    step: int
    steps: int
    words: tuple[HeatWord, ...] = ()
    maps: tuple[tuple[bytes, ...], ...] = ()
    columns: int = 1
    width: int = 0  # of a map
    height: int = 0
    message: str = ""

    def told(self, job: str, text: str, number: int) -> LiveHeat:
        """With the maps of one word: the one of that number among those spelt so, else the first that is likely to name a thing."""
        word = self._place(text, number)
        data = b"".join(each[word] for each in self.maps)
        return {
            "job": job,
            "step": self.step,
            "steps": self.steps,
            "words": list(self.words),
            "word": word,
            "pictures": len(self.maps),
            "columns": self.columns,
            "width": self.width,
            "height": self.height,
            "heat": base64.b64encode(data).decode(),
            "message": self.message,
        }

    def _place(self, text: str, number: int) -> int:
        alike = [place for place, word in enumerate(self.words) if word["text"] == text]
        return alike[min(number, len(alike) - 1)] if alike else telling(self.words)


def telling(words: Sequence[HeatWord]) -> int:
    """The place of the first word that is likely to name a thing: one of more than three letters, else any that somebody wrote."""
    plain = [place for place, word in enumerate(words) if word["plain"]]
    return next((place for place in plain if len(words[place]["text"]) > 3), plain[0] if plain else 0)
