"""Embedding words: which words of a request's prompts stand for embeddings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol

from models.errors import UserError
from models.files import ModelFile, ModelKind
from models.library.catalog import Checkpoint
from models.library.compatibility import fits
from models.library.matching import words
from pipelines.prompts import Names, plain_runs
from pipelines.prompts.asked import texts_of
from pipelines.requests.request import Drawing, EmbeddingUse

Called = Mapping[str, Sequence[ModelFile]]  # word -> the embeddings that are called so


class CatalogView(Protocol):
    """The catalogue, as far as it is asked here."""

    def model(self, model_id: str) -> ModelFile: ...
    def models(self, kind: ModelKind | None = None) -> list[ModelFile]: ...


def embeddings_for(checkpoint: Checkpoint, catalog: CatalogView) -> dict[str, list[ModelFile]]:
    """Word -> the embeddings that are called so and fit. One that does not fit is an ordinary word, as it would be elsewhere."""
    called: dict[str, list[ModelFile]] = {}
    for entry in catalog.models("embedding"):
        if entry.usable and not fits(entry, checkpoint):
            for word in words(entry):
                called.setdefault(word, []).append(entry)
    return called


def with_given(called: Called, given: Sequence[EmbeddingUse], checkpoint: Checkpoint, catalog: CatalogView) -> dict[str, list[ModelFile]]:
    """And those that a request brings along under other words: a renamed one goes on to act under the word that was written."""
    return {word: list(entries) for word, entries in called.items()} | {
        use.word: [entry] for use in given if use.word not in called and (entry := fitting(use, checkpoint, catalog))
    }


def awake(request: Drawing, called: Called) -> Iterator[tuple[str, list[ModelFile]]]:
    """The words that act in the prompts, found by the very reading that the text encoders are given, and the files that each may mean."""
    names = Names.of(called)
    runs = [run for text in texts_of(request) for run in plain_runs(text, names) if run.name]
    for word in dict.fromkeys(run.name for run in runs):
        is_exact = all(run.text == word for run in runs if run.name == word)
        meant = {entry.id: entry for own in ((word,) if is_exact else names.spelt_as(word)) for entry in called[own]}
        yield word, list(meant.values())


def fitting(use: EmbeddingUse, checkpoint: Checkpoint, catalog: CatalogView) -> ModelFile | None:
    """The file, when it is there and goes with the checkpoint."""
    try:
        entry = catalog.model(use.id)
    except UserError:
        return None
    return entry if entry.identity.kind == "embedding" and not fits(entry, checkpoint) else None
