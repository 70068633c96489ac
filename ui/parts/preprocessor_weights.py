"""Downloads of weights that preprocessors lack: the owner names a preprocessor, the studio knows its files."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from gradio.context import LocalContext

from pipelines import Studio
from ui.door.roles import role, role_of
from ui.parts.library import answered


class WeightsHandlers:
    """Server functions of whatever lets a person choose a preprocessor. What goes wrong comes back as {"error": sentence}."""

    def __init__(self, studio: Studio) -> None:
        self._files = studio.annotator_files

    @property
    def functions(self) -> list[Callable[..., Any]]:
        return [role("owner")(answered(each)) for each in (self.fetch_weights, self.stop_weights, self.weights_state)]

    def offered(self, entries: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """The entries of a list of preprocessors; those that lack weights with `download`, {"files", "repo"}, where the owner asks."""
        owner = role_of(LocalContext.request.get(None)) == "owner"
        return [{**entry, **(self._download(entry) if owner else {})} for entry in entries]

    def fetch_weights(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        self._files.start(str(asked["name"]))
        return {}

    def stop_weights(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        self._files.stop(str(asked["name"]))
        return {}

    def weights_state(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        return asdict(self._files.state(str(asked["name"])))

    def _download(self, entry: Mapping[str, Any]) -> dict[str, Any]:
        files = self._files.wanted(entry["name"]) if entry.get("missing") else ()
        return {"download": {"files": len(files), "repo": files[0].repo}} if files else {}
