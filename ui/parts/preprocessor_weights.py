"""Downloads of weights that preprocessors lack: the owner names a preprocessor, the studio knows its files."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict

from gradio.context import LocalContext

from pipelines import Studio
from ui.door.roles import role_of
from ui.messages import (
    Done,
    EstimatorInfo,
    OfferedEstimator,
    OfferedPreprocessor,
    PreprocessorInfo,
    Weights,
    WeightsOrder,
    WeightsState,
)
from ui.parts.library import served


class WeightsHandlers:
    """Server functions of whatever lets a person choose a preprocessor. What goes wrong comes back as {"error": sentence}."""

    def __init__(self, studio: Studio) -> None:
        self._files = studio.annotator_files

    @property
    def functions(self) -> list[Callable[..., object]]:
        return served("owner", self.fetch_weights, self.stop_weights, self.weights_state)

    def preprocessors(self, entries: Sequence[PreprocessorInfo]) -> list[OfferedPreprocessor]:
        """Those that lack weights with `download`, where the owner asks."""
        return [{**entry, "download": weights} if (weights := self._download(entry)) else {**entry} for entry in entries]

    def estimators(self, entries: Sequence[EstimatorInfo]) -> list[OfferedEstimator]:
        """The same."""
        return [{**entry, "download": weights} if (weights := self._download(entry)) else {**entry} for entry in entries]

    def fetch_weights(self, asked: WeightsOrder) -> Done:
        self._files.start(_named(asked))
        return {}

    def stop_weights(self, asked: WeightsOrder) -> Done:
        self._files.stop(_named(asked))
        return {}

    def weights_state(self, asked: WeightsOrder) -> WeightsState:
        return WeightsState(**asdict(self._files.state(_named(asked))))

    def _download(self, entry: PreprocessorInfo | EstimatorInfo) -> Weights | None:
        owner = role_of(LocalContext.request.get(None)) == "owner"
        files = self._files.wanted(entry["name"]) if owner and entry["missing"] else ()
        return {"files": len(files), "repo": files[0].repo} if files else None


def _named(asked: Mapping[str, object]) -> str:
    """Raises `KeyError` where nothing was sent."""
    return str(asked["name"])
