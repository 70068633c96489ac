"""Handlers of the Models tab: the library as plain values. Whoever was let in may look; only the owner changes anything."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from typing import TypeVar, cast

from gradio.context import LocalContext

from models.downloads.recommended import GoodModel
from models.errors import UserError
from models.families import EVERY, ZERO123
from models.files import ModelFile, ModelKind
from models.identify.distilled import FEW, NOT_DISTILLED
from models.identify.turning import CONVENTIONS
from models.json_values import is_whole, table
from models.library.checkpoint import STARTER
from models.memory.manager import LedgerLine
from models.names import folded
from pipelines import Studio, TextToImage, limits
from pipelines.services.devices import DeviceNow
from pipelines.services.library import FOLDERS
from ui.door.roles import Role, role, role_of
from ui.messages import (
    Bounds,
    ConversionOrder,
    DeviceRow,
    Done,
    DownloadOrder,
    DownloadRow,
    Failure,
    GoodModelRow,
    HashLine,
    IdOrder,
    LibraryList,
    LibraryQuestion,
    MemoryRow,
    ModelDecision,
    ModelDetails,
    ModelQuestion,
    ModelRow,
    PauseOrder,
    Reference,
    Started,
)
from ui.parts.choices import put_in, reason

SHOWN = 400  # entries of a list; a search narrows it
LONGEST = 4000  # characters of one metadata text
LONGEST_WORDS = 80  # characters of the prompt that a device draws
KEYS = 60  # metadata entries of a file
Answer = TypeVar("Answer")
WAYS = {NOT_DISTILLED: "not distilled"} | {key: way.title for key, way in FEW.items()}
DEFAULTS = ("steps", "guidance_scale")  # fields of a request whose start a person may set for a checkpoint


class LibraryHandlers:
    """The server functions of the Models tab. An error for a person comes back as {"error": sentence}."""

    def __init__(self, studio: Studio) -> None:
        self._studio = studio
        self._library = studio.library

    @property
    def functions(self) -> list[Callable[..., object]]:
        owner = (self.override, self.convert, self.download, self.downloads, self.cancel, self.unload, self.pause, self.hash)
        looks = served("viewer", self.listed, self.details, self.devices)
        return [*looks, *served("artist", self.rescan), *served("owner", *owner)]

    def listed(self, asked: LibraryQuestion) -> LibraryList:
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
            "good": [_good(model) for model in self._library.good_models()],
        }

    def details(self, asked: ModelQuestion) -> ModelDetails:
        """One entry with its metadata, as texts, and what a person decided about it."""
        entry = self._library.model(named(asked))
        metadata = {key: value[:LONGEST] for key, value in sorted(entry.metadata.items())[:KEYS]}
        row = self._row(entry, str(asked.get("checkpoint", "")), self._library.conversions())
        found: ModelDetails = {**row, "metadata": metadata, "sorts": [*FOLDERS]}
        return self._with_decisions(found, entry) if entry.identity.kind == "checkpoint" else found

    def _with_decisions(self, found: ModelDetails, entry: ModelFile) -> ModelDetails:
        """And with what a person decided about a checkpoint, and what there is to decide."""
        own = entry.overrides
        decided = {"prediction_type": own.prediction_type, "zero_terminal_snr": own.zero_terminal_snr, "vae": own.vae, "note": own.note}
        turns = entry.identity.family == ZERO123.key
        ways = CONVENTIONS if turns else WAYS
        decided["variant"] = own.variant if own.variant in ways else ""
        defaults = {name: own.defaults.get(name) for name in DEFAULTS}
        fitting = [vae for vae in self._library.models("vae") if vae.usable and not reason(self._studio, vae.id, entry.id)]
        vaes = [Reference(id=vae.id, name=vae.name) for vae in fitting]
        numbers = {name: Bounds(**asdict(limits(TextToImage)[name])) for name in DEFAULTS}
        offered = [Reference(id=key, name=title) for key, title in ways.items()]
        title = "Last number" if turns else "Few steps"
        return {**found, "decided": decided | defaults, "vaes": vaes, "numbers": numbers, "ways": offered, "ways_title": title}

    def devices(self, asked: Done) -> list[DeviceRow]:
        """What draws, and what is loaded where. Keys and folders stay here."""
        owner = role_of(LocalContext.request.get(None)) == "owner"
        return [_device(device, owner) for device in self._studio.devices.all()]

    def rescan(self, asked: Done) -> Done:
        self._library.rescan()
        return {}

    def override(self, asked: ModelDecision) -> Done:
        """Keeps what was chosen for one file; empty values take a choice back."""
        entry = self._library.model(named(asked))
        prediction = str(asked.get("prediction_type", ""))
        if prediction not in ("", "epsilon", "v_prediction"):
            raise UserError("The prediction type is epsilon or v. Choose one of them, or leave it as it was found.")
        variant = str(asked.get("variant", ""))
        ways = CONVENTIONS if entry.identity.family == ZERO123.key else WAYS
        if variant not in ("", *ways):
            raise UserError("It is distilled in one of the ways of the list, or in none. Choose one of them, or leave it as it was found.")
        zero = asked.get("zero_terminal_snr")
        decided = replace(
            entry.overrides,
            prediction_type=prediction,
            zero_terminal_snr=zero if isinstance(zero, bool) else None,
            variant=variant or (entry.overrides.variant if entry.overrides.variant not in ways else ""),
            vae=str(asked.get("vae", ""))[:100],
            note=str(asked.get("note", entry.overrides.note))[:1000],
            defaults={name: value for name, value in entry.overrides.defaults.items() if name not in DEFAULTS} | _defaults(asked),
        )
        self._library.override(entry.id, decided)
        return {}

    def convert(self, asked: ConversionOrder) -> Started:
        return {"id": self._library.convert(named(asked), _kind(asked.get("kind")) or None)}

    def download(self, asked: DownloadOrder) -> Started:
        repo, filename, save_as = (str(asked.get(name, "")).strip()[:500] for name in ("repo", "filename", "save_as"))
        return {"id": self._library.download(repo, filename, _kind(asked.get("kind")), save_as)}

    def downloads(self, asked: Done) -> list[DownloadRow]:
        return [DownloadRow(**asdict(entry), ended=entry.ended) for entry in self._library.downloads()]

    def cancel(self, asked: IdOrder) -> Done:
        self._library.cancel(named(asked))
        return {}

    def unload(self, asked: IdOrder) -> Done:
        self._studio.unload(named(asked))
        return {}

    def pause(self, asked: PauseOrder) -> Done:
        number = asked.get("number")
        if is_whole(number):
            self._studio.devices.pause(number, bool(asked.get("pauses")))
        return {}

    def hash(self, asked: ModelQuestion) -> HashLine:
        return {"hash": self._library.hash(named(asked))}

    def _size_of(self, entry: ModelFile) -> str:
        """What a file in a size that no public family has was made for."""
        if not entry.identity.variant.startswith("width "):
            return ""
        return "for the starter" if not reason(self._studio, entry.id, STARTER) else "for a model of another size"

    def _row(self, entry: ModelFile, checkpoint: str, made: Mapping[str, ModelFile]) -> ModelRow:
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
            "words": put_in(self._studio.cards.words(entry) or ([entry.called] if identity.kind == "embedding" else ())),
            "picture": self._studio.cards.card(entry).picture,
            "problem": "" if converted else entry.problem or ("" if identity.supported else identity.note),
            "pickle": identity.layout == "pickle" and not converted,
            "converted": {"id": converted.id, "name": converted.name} if converted else None,
            "misfit": "" if entry.problem or not identity.supported else why,
        }


def _device(device: DeviceNow, owner: bool) -> DeviceRow:
    return {
        "number": device.number,
        "title": device.title,
        "state": device.state,
        "message": device.message,
        "paused": device.paused,
        "memory": device.memory,
        "used": device.used,
        "seconds": device.seconds,
        "draws": device.job is not None,
        "words": device.job.request.words[:LONGEST_WORDS] if device.job and owner else "",
        "share": device.share,
        "coming": device.coming,
        "held": [_held(line) for line in reversed(device.lines)],
    }


def _held(line: LedgerLine) -> MemoryRow:
    return {
        "id": line.id,
        "name": line.name,
        "kind": line.kind,
        "tier": line.tier,
        "bytes": line.bytes,
        "last_used": line.last_used,
        "in_use": line.leases > 0,
    }


def served(least: Role, *functions: Callable[..., object]) -> list[Callable[..., object]]:
    """For whoever has the role, with sentences for people as answers."""
    return [role(least)(answered(each)) for each in functions]


def answered(function: Callable[..., Answer]) -> Callable[..., Answer | Failure]:
    """The function with its sentences for people as answers."""

    @functools.wraps(function)
    def answer(asked: object = None) -> Answer | Failure:
        try:
            return function(table(asked))  # of a message nothing is sure but that it is a table
        except UserError as error:
            return {"error": str(error)}
        except KeyError:
            return {"error": "Something was missing in what the page sent. Reload it."}

    return answer


def named(asked: Mapping[str, object]) -> str:
    """The id that was sent. Raises `KeyError` where there is none."""
    return str(asked["id"])


def _kind(asked: object) -> ModelKind:
    """As it was sent: the library knows which there are."""
    return cast(ModelKind, str(asked or "").strip()[:500])


def _good(model: GoodModel) -> GoodModelRow:
    return {**GoodModelRow(**asdict(model)), "family": _family(model.family)}


def _says(entry: ModelFile, search: str) -> bool:
    return folded(search) in folded(f"{entry.called} {entry.name} {' '.join(entry.words)}")


def _family(key: str) -> str:
    return EVERY[key].name if key in EVERY else key


def _defaults(asked: ModelDecision) -> dict[str, object]:
    """Steps and guidance within the limits of a request; nothing for empty fields."""
    given = {name: value for name in DEFAULTS if (value := asked.get(name)) not in (None, "")}
    request = TextToImage.admit(given)
    return {name: getattr(request, name) for name in given}
