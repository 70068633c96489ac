"""Files that a request names: found in the catalogue by name or id, and refused with a sentence where they cannot be used."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol, TypeVar

from models.errors import UserError
from models.files import ModelFile, ModelKind
from models.library.catalog import Checkpoint
from models.library.compatibility import fits
from pipelines.requests.control_unit import ControlUse
from pipelines.requests.made_for import LACKING, draws
from pipelines.requests.request import Drawing, HypernetworkUse, LoraUse, Wordless
from pipelines.resolving.model_search import SHOWN

Asked = TypeVar("Asked", bound=Drawing | Wordless)
Use = TypeVar("Use", LoraUse, HypernetworkUse, ControlUse)
MOST_LISTED, MOST_CALLED = 6, 120  # files of one name in a sentence, and characters of each


class CatalogView(Protocol):
    """The catalogue, as far as it is asked here."""

    def checkpoint(self, checkpoint_id: str) -> Checkpoint: ...
    def model(self, model_id: str) -> ModelFile: ...
    def models(self, kind: ModelKind | None = None) -> list[ModelFile]: ...
    def find(self, kind: ModelKind, name: str) -> ModelFile | None: ...
    def named(self, kind: ModelKind, name: str) -> list[ModelFile]: ...
    def alike(self, entries: Sequence[ModelFile]) -> bool: ...


def with_checkpoint(request: Asked, catalog: CatalogView) -> Asked:
    """Where none is named, as no model of the kind was there when the form was shown: the first that draws it."""
    if request.checkpoint or request.kind not in LACKING:
        return request
    usable = [entry.id for entry in catalog.models("checkpoint") if entry.usable]
    found = next((model_id for model_id in usable if draws(catalog.checkpoint(model_id), request.kind)), "")
    if not found:
        raise UserError(LACKING[request.kind])
    return replace(request, checkpoint=found)


def by_name(kind: ModelKind, name: str, checkpoint: Checkpoint, catalog: CatalogView) -> ModelFile:
    """The file that a tag names. Of several, the one that fits the checkpoint; between others a person chooses."""
    entries = catalog.named(kind, name)
    if not entries:
        what = f"There is no {SHOWN[kind]} called “{name[:80]}” in the models folders."
        raise UserError(f"{what} Put the file there, or take its tag out of the prompt.")
    return only(kind, name, entries, checkpoint, catalog)


def only(kind: ModelKind, name: str, entries: Sequence[ModelFile], checkpoint: Checkpoint, catalog: CatalogView) -> ModelFile:
    """Copies count as one. Raises `UserError`, with what to write instead, where several files of different content are meant."""
    fitting = [entry for entry in entries if not fits(entry, checkpoint)] or entries
    if not catalog.alike(fitting):
        several = ", ".join(f"“{entry.called[:MOST_CALLED]}”" for entry in fitting[:MOST_LISTED])
        told = f"{len(fitting)} {SHOWN[kind]} files are called “{name[:80]}”. Write which one you mean: {several}"
        apart = len({entry.called for entry in fitting}) == len(fitting)
        raise UserError(f"{told}." if apart else f"{told}; or give each a name of its own.")
    return fitting[0]


def named(use: Use, kind: ModelKind, checkpoint: Checkpoint, catalog: CatalogView) -> Use:
    return replace(use, name=usable(use.id, kind, checkpoint, catalog).called[:300])


def usable(model_id: str, kind: ModelKind, checkpoint: Checkpoint, catalog: CatalogView) -> ModelFile:
    """The entry, when it can be used with this checkpoint."""
    entry = catalog.model(model_id)
    if entry.identity.kind != kind:
        raise UserError(f"“{entry.name}” is not a {SHOWN[kind]}. Choose another file.")
    reason = entry.problem or entry.identity.note * (not entry.identity.supported) or fits(entry, checkpoint)
    if reason:
        raise UserError(reason if entry.name in reason else f"“{entry.name}” cannot be used: {reason}")
    return entry
