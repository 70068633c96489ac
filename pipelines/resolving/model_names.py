"""Names of the models that made a picture: what each was called then, the beginning of its hash, and what it is here."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass

from models.errors import UserError
from models.files import ModelKind
from pipelines.metadata.hires_text import CHECKPOINT, UPSCALER
from pipelines.metadata.lists import unlisted
from pipelines.metadata.provenance import ENLARGER, UPSCALERS
from pipelines.resolving.model_search import BRACKETS, SHOWN, CatalogView, Digests, Search

PATIENCE = 0.3  # seconds for files that nobody has hashed yet: the details are wanted now, and can be asked again
# Fields of a request that name a model: its kind, and the key under which a picture's record has its name and, with " hash", its hash.
ONE: Mapping[str, tuple[ModelKind, str]] = {
    "checkpoint": ("checkpoint", "Model"),
    "refiner": ("checkpoint", "Refiner"),
    "vae": ("vae", "VAE"),
    "hires_checkpoint": ("checkpoint", CHECKPOINT),
    "hires_upscaler": ("upscaler", UPSCALER),
    "enlarged_by": ("upscaler", ENLARGER),
    "upscaler": ("upscaler", UPSCALERS[0]),
    "second_upscaler": ("upscaler", UPSCALERS[1]),
}
# And those that name several: the kind, and the key of the list of hashes.
SEVERAL: Mapping[str, tuple[ModelKind, str]] = {
    "loras": ("lora", "Lora hashes"),
    "hires_loras": ("lora", "Lora hashes"),
    "hypernetworks": ("hypernetwork", "Hypernet hash"),
    "embeddings": ("embedding", "TI hashes"),
    "controls": ("controlnet", "ControlNet hashes"),
}
KEYS = frozenset({*(key for _, key in (*ONE.values(), *SEVERAL.values())), *(f"{key} hash" for _, key in ONE.values()), "Hypernet"})
CALLED = {**SHOWN, "checkpoint": "checkpoint"}


@dataclass(frozen=True)
class NamedModel:
    """`digest`: digits of its SHA-256, "" where nobody wrote them down. `note`: a sentence, where it is not here as it was."""

    name: str
    digest: str = ""
    note: str = ""


class ModelNames:
    """Of one picture. `ids`: its request names files by ids of this library; else by names alone."""

    def __init__(self, catalog: CatalogView, made_with: Mapping[str, str], ids: bool = True) -> None:
        self._catalog, self._made_with, self._ids = catalog, made_with, ids
        self._search = Search(catalog, made_with, until=time.monotonic() + PATIENCE)
        self._digests = {name: Digests(made_with.get(key, "")) for name, (_, key) in SEVERAL.items()}

    def one(self, field: str, model_id: str) -> NamedModel:
        """What a field of `ONE` names."""
        kind, key = ONE[field]
        found = BRACKETS.fullmatch(self._made_with.get(key, ""))
        name, hashed = found.groups("") if found else ("", "")
        return self._named(kind, model_id if self._ids else "", name, self._made_with.get(f"{key} hash", hashed))

    def use(self, field: str, model_id: str, name: str) -> NamedModel:
        """What an entry of a list of `SEVERAL` names."""
        return self._named(SEVERAL[field][0], model_id, name, self._digests[field].of(model_id, name))

    def _named(self, kind: ModelKind, model_id: str, name: str, digest: str) -> NamedModel:
        self._search.notes.clear()
        found = self._search.one(kind, model_id, name, digest)
        called = self._called(kind, found)
        if not called:
            return NamedModel(name or "not named", digest, f"Missing: this {CALLED.get(kind, kind)} is not in the models folders.")
        renamed = f"Here it is called “{called[:80]}”." if name and name != called and kind != "embedding" else ""
        return NamedModel(name or called, digest, " ".join(self._search.notes) or renamed)

    def _called(self, kind: ModelKind, model_id: str) -> str:
        """ "" where it is not there."""
        try:
            entry = self._catalog.checkpoint(model_id).file if kind == "checkpoint" else self._catalog.model(model_id)
        except UserError:
            return ""
        return entry.called if model_id else ""


def hashes(text: str) -> list[tuple[str, str]]:
    """Names and hashes of a list in a record; nothing where it is no list."""
    return unlisted(text) if ": " in text else []
