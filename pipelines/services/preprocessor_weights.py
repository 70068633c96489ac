"""Weights of preprocessors, fetched from the hub into the studio's own place: all files that one needs in one go.

What is fetched stands in the table of annotators and nowhere else: who starts it names a preprocessor, never a file.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from models.errors import UserError
from pipelines.preprocessors import PREPROCESSORS
from pipelines.preprocessors.annotators import Annotators, Weights
from pipelines.services.downloads import Download, Downloads

State = Literal["", "running", "done", "failed", "cancelled"]  # "": nobody has asked for it


@dataclass(frozen=True, slots=True)
class Fetching:
    """Files of one preprocessor that are fetched: how far they are, taken together."""

    state: State = ""
    files: int = 0  # that were missing
    arrived: int = 0
    done: int = 0  # bytes
    total: int = 0  # bytes; 0 while it is not known of each file
    message: str = ""  # why it failed


class AnnotatorFiles:
    """Safe to call from any thread. Who may download is the page's business. Preprocessors go by their names."""

    def __init__(self, annotators: Annotators, downloads: Downloads) -> None:
        self._annotators = annotators
        self._downloads = downloads
        self._begun: dict[str, tuple[str, ...]] = {}  # annotator -> ids of its downloads

    def wanted(self, name: str) -> tuple[Weights, ...]:
        """The files that a download would fetch; none when it works already, or needs no weights."""
        key = _annotator(name)
        return self._annotators.wanted(key) if key else ()

    def start(self, name: str) -> None:
        """Fetches what is missing, or joins whoever fetches it. Raises `UserError` when there is nothing to fetch, or no place for it."""
        key, files = _annotator(name), self.wanted(name)
        place = self._annotators.own_place(key) if key else None
        if place is None or not files:
            raise UserError(f"There is nothing to download for “{name[:80]}”. Reload the page.")
        _make(place)
        self._begun[key] = tuple(self._downloads.start_listed(file.repo, file.path, place) for file in files)

    def stop(self, name: str) -> None:
        """What has arrived is kept: the next start goes on from there."""
        for entry in self._entries(_annotator(name)):
            if not entry.ended:
                self._downloads.cancel(entry.id)

    def state(self, name: str) -> Fetching:
        key = _annotator(name)
        entries = tuple(self._entries(key))
        there = bool(key) and not self._annotators.missing(key)
        total = sum(entry.total for entry in entries) if all(entry.total for entry in entries) else 0
        failure = next((entry.message for entry in entries if entry.message), "")
        # A file is there a moment before its download has ended.
        arrived = len(entries) if there else sum(entry.state == "done" for entry in entries)
        return Fetching(_together(entries, there), len(entries), arrived, sum(entry.done for entry in entries), total, failure)

    def _entries(self, key: str) -> Iterator[Download]:
        own = self._begun.get(key, ())
        return (entry for entry in self._downloads.list() if entry.id in own)


def _together(entries: tuple[Download, ...], there: bool) -> State:
    states = {entry.state for entry in entries}
    if there:
        return "done"
    if states & {"waiting", "running"}:
        return "running"
    return "failed" if "failed" in states else "cancelled" if states else ""


def _annotator(name: str) -> str:
    """ "" when there is no such preprocessor, or it needs none."""
    entry = PREPROCESSORS.get(name)
    return entry.weights if entry else ""


def _make(place: Path) -> None:
    try:
        place.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError("The studio's folder of models cannot be written. Check its permissions.") from error
