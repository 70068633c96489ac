"""Handlers of the Models tab: the library as plain values. Whoever was let in may look; only the owner changes anything."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from typing import Any

from gradio.context import LocalContext

from models.errors import UserError
from models.families import FAMILIES
from models.files import ModelFile
from models.library.checkpoint import STARTER
from models.names import folded
from pipelines import Studio, TextToImage, limits
from pipelines.services.library import FOLDERS
from ui.door.roles import role, role_of
from ui.parts.choices import put_in, reason

SHOWN = 400  # entries of a list; a search narrows it
LONGEST = 4000  # characters of one metadata text
KEYS = 60  # metadata entries of a file
DEFAULTS = ("steps", "guidance_scale")  # fields of a request whose start a person may set for a checkpoint


class LibraryHandlers:
    """The server functions of the Models tab. An error for a person comes back as {"error": sentence}."""

    def __init__(self, studio: Studio) -> None:
        self._studio = studio
        self._library = studio.library

    @property
    def functions(self) -> list[Callable[..., Any]]:
        artist = (self.listed, self.details, self.memory, self.rescan)
        owner = (self.override, self.convert, self.download, self.downloads, self.cancel, self.unload, self.hash)
        return [role("artist")(answered(each)) for each in artist] + [role("owner")(answered(each)) for each in owner]

    def listed(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        """Everything whose name or words hold the search, of the kind that is asked for."""
        kind, search, checkpoint = (str(asked.get(name, ""))[:200] for name in ("kind", "search", "checkpoint"))
        models = self._library.models()
        made = self._library.conversions()
        found = [entry for entry in models if kind in ("", entry.identity.kind) and _says(entry, search)]
        kinds = {sort: sum(entry.identity.kind == sort for entry in models) for sort in {entry.identity.kind for entry in models}}
        return {
            "version": self._library.version,
            "scanning": self._library.scanning,
            "notes": list(self._library.notes),
            "owner": role_of(LocalContext.request.get(None)) == "owner",
            "kinds": kinds,
            "total": len(found),
            "sorts": [*FOLDERS],
            "models": [self._row(entry, checkpoint, made) for entry in found[:SHOWN]],
            "good": [asdict(model) | {"family": _family(model.family)} for model in self._library.good_models()],
        }

    def details(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        """One entry with its metadata, as texts, and what a person decided about it."""
        entry = self._library.model(str(asked["id"]))
        metadata = {key: value[:LONGEST] for key, value in sorted(entry.metadata.items())[:KEYS]}
        row = self._row(entry, str(asked.get("checkpoint", "")), self._library.conversions())
        return row | {"metadata": metadata, "sorts": [*FOLDERS]} | (self._decisions(entry) if entry.identity.kind == "checkpoint" else {})

    def _decisions(self, entry: ModelFile) -> dict[str, Any]:
        """What a person decided about a checkpoint, and what there is to decide."""
        own = entry.overrides
        decided = {"prediction_type": own.prediction_type, "zero_terminal_snr": own.zero_terminal_snr, "vae": own.vae, "note": own.note}
        defaults = {name: own.defaults.get(name) for name in DEFAULTS}
        fitting = [vae for vae in self._library.models("vae") if vae.usable and not reason(self._studio, vae.id, entry.id)]
        vaes = [{"id": vae.id, "name": vae.name} for vae in fitting]
        return {"decided": decided | defaults, "vaes": vaes, "numbers": {name: asdict(limits(TextToImage)[name]) for name in DEFAULTS}}

    def memory(self, asked: Mapping[str, Any]) -> list[dict[str, Any]]:
        """What is loaded where. Keys and folders stay here."""
        lines = self._studio.ledger()
        return [{"id": line.id, "name": line.name, "kind": line.kind, "tier": line.tier, "bytes": line.bytes, "last_used": line.last_used,
                 "in_use": line.leases > 0} for line in reversed(lines)]  # fmt: skip

    def rescan(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        self._library.rescan()
        return {}

    def override(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        """Keeps what was chosen for one file; empty values take a choice back."""
        entry = self._library.model(str(asked["id"]))
        prediction = str(asked.get("prediction_type", ""))
        if prediction not in ("", "epsilon", "v_prediction"):
            raise UserError("The prediction type is epsilon or v. Choose one of them, or leave it as it was found.")
        zero = asked.get("zero_terminal_snr")
        decided = replace(
            entry.overrides,
            prediction_type=prediction,
            zero_terminal_snr=zero if isinstance(zero, bool) else None,
            vae=str(asked.get("vae", ""))[:100],
            note=str(asked.get("note", entry.overrides.note))[:1000],
            defaults={name: value for name, value in entry.overrides.defaults.items() if name not in DEFAULTS} | _defaults(asked),
        )
        self._library.override(entry.id, decided)
        return {}

    def convert(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        return {"id": self._library.convert(str(asked["id"]), asked.get("kind") or None)}

    def download(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        texts = {name: str(asked.get(name, "")).strip()[:500] for name in ("repo", "filename", "kind", "save_as")}
        return {"id": self._library.download(texts["repo"], texts["filename"], texts["kind"], texts["save_as"])}  # type: ignore[arg-type]

    def downloads(self, asked: Mapping[str, Any]) -> list[dict[str, Any]]:
        return [asdict(entry) | {"ended": entry.ended} for entry in self._library.downloads()]

    def cancel(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        self._library.cancel(str(asked["id"]))
        return {}

    def unload(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        self._studio.unload(str(asked["id"]))
        return {}

    def hash(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        return {"hash": self._library.hash(str(asked["id"]))}

    def _size_of(self, entry: ModelFile) -> str:
        """What a file in a size that no public family has was made for."""
        if not entry.identity.variant.startswith("width "):
            return ""
        return "for the starter" if not reason(self._studio, entry.id, STARTER) else "for a model of another size"

    def _row(self, entry: ModelFile, checkpoint: str, made: Mapping[str, ModelFile]) -> dict[str, Any]:
        identity = entry.identity
        converted = made.get(entry.hash) if identity.layout == "pickle" else None
        why = "" if identity.kind in ("checkpoint", "unknown") or not checkpoint else reason(self._studio, entry.id, checkpoint)
        return {
            "id": entry.id,
            "name": entry.name,
            "called": entry.called,
            "kind": identity.kind,
            "family": _family(identity.family) or self._size_of(entry),
            "variant": "" if identity.variant.startswith("width ") else identity.variant,
            "prediction": entry.overrides.prediction_type or identity.prediction_type,
            "size": entry.size,
            "hash": entry.hash,
            "words": put_in(entry.words or ([entry.called] if identity.kind == "embedding" else ())),
            "problem": "" if converted else entry.problem or ("" if identity.supported else identity.note),
            "pickle": identity.layout == "pickle" and not converted,
            "converted": {"id": converted.id, "name": converted.name} if converted else None,
            "misfit": "" if entry.problem or not identity.supported else why,
        }


def answered(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function with its sentences for people as answers."""

    @functools.wraps(function)
    def answer(asked: Any = None) -> Any:
        try:
            return function(asked if isinstance(asked, dict) else {})
        except UserError as error:
            return {"error": str(error)}
        except KeyError:
            return {"error": "Something was missing in what the page sent. Reload it."}

    return answer


def _says(entry: ModelFile, search: str) -> bool:
    return folded(search) in folded(f"{entry.called} {entry.name} {' '.join(entry.words)}")


def _family(key: str) -> str:
    return FAMILIES[key].name if key in FAMILIES else key


def _defaults(asked: Mapping[str, Any]) -> dict[str, Any]:
    """Steps and guidance within the limits of a request; nothing for empty fields."""
    given = {name: asked[name] for name in DEFAULTS if asked.get(name) not in (None, "")}
    request = TextToImage.admit(given)
    return {name: getattr(request, name) for name in given}
