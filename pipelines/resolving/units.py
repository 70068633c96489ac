"""Control units of a request: which of them say something, and which files they name."""

from __future__ import annotations

from dataclasses import fields

from models.errors import UserError
from models.library.catalog import Checkpoint
from models.library.compatibility import fits
from pipelines.requests.control_unit import ControlUse
from pipelines.resolving.control_match import readers
from pipelines.resolving.files import CatalogView, named
from pipelines.resolving.model_search import STEERS


def is_used(use: ControlUse) -> bool:
    """One that nobody touched, or that is switched off before it had a model, says nothing."""
    return use != ControlUse() and bool(use.id or use.weight)


def _lacking(use: ControlUse, place: int, checkpoint: Checkpoint, catalog: CatalogView) -> str:
    """What a unit without a model needs, by the name that its card has."""
    is_plain = use.preprocessor == ControlUse().preprocessor
    card = f"Unit {place}" if is_plain else f"Unit {place} – {use.preprocessor}"
    fitting = [entry for kind in STEERS for entry in catalog.models(kind) if not fits(entry, checkpoint)]
    best = next((entry for entry in fitting if entry.id == readers(fitting).get(use.preprocessor)), None)
    choice = f"such as “{best.name}”, under “{_titled('id')}”" if best else f"under “{_titled('id')}”"
    return f"Control unit {place} has no model yet, so nothing reads its map. Open “{card}” and choose one {choice}, or remove the unit."


def control_of(use: ControlUse, place: int, checkpoint: Checkpoint, catalog: CatalogView) -> ControlUse:
    if not use.id:
        raise UserError(_lacking(use, place, checkpoint, catalog))
    if use.start >= use.end:
        raise UserError(f"Control unit {place} ends before it begins. Put “{_titled('end')}” after “{_titled('start')}”.")
    entry = catalog.model(use.id)
    if entry.identity.kind not in STEERS:
        raise UserError(f"“{entry.name}” is not a file that steers a drawing. Choose a ControlNet or an adapter.")
    return named(use, entry.identity.kind, checkpoint, catalog)


def _titled(name: str) -> str:
    return next(item.metadata["title"] for item in fields(ControlUse) if item.name == name)
