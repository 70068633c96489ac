"""Presets as the page asks for them: kept, looked at before they are applied, applied, read from files and exported."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace

from models.errors import UserError
from models.json_values import is_row
from models.library.catalog import Catalog
from pipelines.metadata.hires_text import CHECKPOINT as HIRES
from pipelines.metadata.provenance import one, several
from pipelines.presets.preset import (
    PAINTED,
    WORDS,
    Preset,
    fitting,
    has_painted,
    offered,
    offered_of,
    prompts_with,
    request_of,
    said,
    values_of,
)
from pipelines.presets.styles import OURS, Style, read_styles
from pipelines.requests.request import Drawing, Request, TextToImage
from pipelines.resolving.details import NO_FILES, Value, details
from pipelines.resolving.differences import differences
from pipelines.resolving.model_names import ONE, SEVERAL, ModelNames
from pipelines.resolving.rebind import rebind
from pipelines.services.answers import PresetChange, PresetLine, PresetList, PresetLook, PresetPart, PresetParts, PresetWords
from pipelines.services.preset_files import PresetFiles
from pipelines.services.readings import FOUND_AS, STAYS

SHOWN = 160  # letters of what a preset adds
LONGEST_SHOWN = 300  # letters of a value
MOST_AT_ONCE = 20  # presets that are applied together


@dataclass(frozen=True)
class Applied:
    """What presets make of a form: the values that it is to hold, and a sentence for each thing that is not so here."""

    request: Drawing
    names: tuple[str, ...]  # of the fields that they set
    notes: tuple[str, ...]


class Presets:
    """Safe to call from any thread. Everything raises `UserError` with a sentence."""

    def __init__(self, files: PresetFiles, catalog: Catalog) -> None:
        self.files, self._catalog = files, catalog

    def all(self, user: str) -> PresetList:
        return PresetList(presets=[_line(each) for each in self.files.all(user)])

    def parts(self, request: Request) -> PresetParts:
        """What of a form a preset may keep."""
        if not isinstance(request, Drawing):
            raise UserError("A preset is made of a form with a prompt. Open such a tab.")
        parts, note = self._parts(request, offered_of(request)), PAINTED if has_painted(request) else ""
        words = {name: getattr(request, name) for name in WORDS}
        return PresetParts(name="", about="", instead=[], parts=parts, note=note, **words)

    def one(self, user: str, preset_id: str) -> PresetParts:
        """What a preset keeps."""
        preset = self._usable(user, [preset_id])[0]
        words = {name: str(preset.values.get(name, "")) or getattr(preset, name) for name in WORDS}
        return PresetParts(
            name=preset.name,
            about=preset.about,
            instead=[name for name in WORDS if name in preset.values],
            parts=self._parts(request_of(preset), set(preset.values)),
            note="",
            **words,
        )

    def save(self, user: str, preset: Preset, held: Request | None, names: Sequence[str]) -> str:
        """Keeps a preset with these fields: of a form, or without one of what it kept before. Returns its id."""
        if isinstance(held, Drawing):
            values = values_of(held, names)
            preset = replace(preset, kind=held.kind, values=values | _instead(preset), made_with=self._made_with(held, values))
        elif preset.id:
            before = self._usable(user, [preset.id])[0]
            values = {name: value for name, value in before.values.items() if name in names and name not in WORDS}
            preset = replace(preset, kind=before.kind, values=values | _instead(preset), made_with=before.made_with)
        return self.files.save(user, preset)

    def look(self, user: str, ids: Sequence[str], held: Drawing) -> PresetLook:
        """What these would make of a form, one after another."""
        presets = self._usable(user, ids)
        applied, problem = self._applied(presets, held), ""
        try:
            applied.request.check()
        except UserError as error:
            problem = str(error)
        pieces = prompts_with(presets, {name: getattr(held, name) for name in WORDS})
        told = {name: [PresetWords(text=words, added=added) for words, added in own] for name, own in pieces.items()}
        changed = {name: told[name] if said(pieces[name]) != getattr(held, name) else None for name in WORDS}
        changes = list(self._changes(held, applied.request))
        return PresetLook(changes=changes, notes=list(applied.notes), problem=problem, **changed)

    def applied(self, user: str, ids: Sequence[str], held: Drawing) -> Applied:
        """The form with these. Raises `UserError` where it cannot have them."""
        found = self._applied(self._usable(user, ids), held)
        found.request.check()
        return found

    # ---- files -------------------------------------------------------------------------------------------------------------

    def bring(self, user: str, data: bytes) -> tuple[list[str], tuple[str, ...]]:
        """Adds what a file holds; returns the ids of what is new, and sentences."""
        found = read_styles(data)
        known = {each.name: each for each in self.files.all(user)}
        new = [each for each in found.styles if not _is_here(each.preset, known)]
        ids = self.files.add(user, [each.preset for each in new])
        same = len(found.styles) - len(new)
        told = [f"{same:,} {'was' if same == 1 else 'were'} here already."] if same else []
        return ids, (*told, *found.notes, *self._illustrate(user, dict(zip(ids, new, strict=True))))

    def _illustrate(self, user: str, styles: Mapping[str, Style]) -> Iterator[str]:
        """Pictures that came along; one that cannot be read is no reason to leave its preset out."""
        for preset_id, style in styles.items():
            try:
                if style.picture:
                    self.files.set_picture(user, preset_id, style.picture)
            except UserError as error:
                yield f"The picture of “{style.preset.name[:60]}” was left out: {error}"

    def export(self, user: str, ids: Sequence[str]) -> bytes:
        """These, or all of them, as JSON, with their pictures inside."""
        chosen = self.files.some(user, ids) if ids else self.files.all(user)
        told = [{**each.told(), "picture": self._address(user, each)} for each in chosen if not each.note]
        return json.dumps({"program": "Atelier", OURS: told}, ensure_ascii=False, indent=1).encode()

    def _address(self, user: str, preset: Preset) -> str:
        data = self.files.picture(user, preset.id) if preset.picture else b""
        return f"data:image/webp;base64,{base64.b64encode(data).decode()}" if data else ""

    # ---- within ------------------------------------------------------------------------------------------------------------

    def _usable(self, user: str, ids: Sequence[str]) -> list[Preset]:
        if not 0 < len(ids) <= MOST_AT_ONCE:
            raise UserError(f"Choose presets first, {MOST_AT_ONCE} at most.")
        found = self.files.some(user, ids)
        for each in found:
            if each.note:
                raise UserError(each.note)
        return found

    def _applied(self, presets: Sequence[Preset], held: Drawing) -> Applied:
        values: dict[str, object] = {}
        notes: list[str] = []
        for preset in presets:
            own, told = self._here(preset)
            values |= fitting(type(held), own)
            notes += [*told, *_left(preset, type(held))]
        pieces = prompts_with(presets, {name: getattr(held, name) for name in WORDS})
        words = {name: text for name in WORDS if (text := said(pieces[name])) != getattr(held, name)}
        kept = {name: value for name, value in values.items() if name not in WORDS} | words
        return Applied(replace(held, **kept), tuple(kept), tuple(dict.fromkeys(notes)))

    def _here(self, preset: Preset) -> tuple[dict[str, object], list[str]]:
        """Its values in terms of this library, without the models that are not here, and a sentence for each of these."""
        if not preset.values:
            return {}, []
        found = rebind(request_of(preset), preset.made_with, self._catalog, instead=STAYS)
        gone = {binding.place for binding in found.bindings if binding.how == "missing"}
        names = [name for name in preset.values if FOUND_AS.get(name) not in gone]
        return {name: getattr(found.request, name) for name in names}, [each.replace("this picture", "this preset") for each in found.notes]

    def _changes(self, before: Drawing, after: Drawing) -> Iterator[PresetChange]:
        names, nothing = ModelNames(self._catalog, {}), dict.fromkeys(WORDS, "")
        told = [details(replace(each, **nothing), {}, names, {}) for each in (before, after)]
        for each in differences(told):
            yield PresetChange(title=each.title, before=each.texts[0][:LONGEST_SHOWN], after=each.texts[1][:LONGEST_SHOWN])

    def _parts(self, request: Drawing, kept: set[str]) -> list[PresetPart]:
        told = details(request, {}, ModelNames(self._catalog, {}), {})
        rows = ((group.title, value) for group, values in told.items() for value in values)
        return [_part(group, value) for group, value in rows if set(value.fields) & kept - set(WORDS)]

    def _made_with(self, request: Drawing, values: Mapping[str, object]) -> dict[str, str]:
        """Names and hashes of the models among these values, as a picture's record has them."""
        facts: dict[str, str] = {}
        for name, (_, key) in ONE.items():
            called, digest = self._file(values.get(name))
            if called and key == HIRES:
                facts[key] = f"{called} [{digest[:10]}]".removesuffix(" []")
            elif called:
                facts |= one(key, called, digest)
        for name, (_, key) in SEVERAL.items():
            uses = [self._file(getattr(use, "id", "")) for use in getattr(request, name)] if name in values else []
            facts |= several(key, [(called, digest) for called, digest in uses if called and digest])
        return facts

    def _file(self, model_id: object) -> tuple[str, str]:
        """What a file is called, and its hash where that is known."""
        if not isinstance(model_id, str) or not model_id or model_id in NO_FILES:
            return "", ""
        try:
            entry = self._catalog.model(model_id)
        except UserError:
            return "", ""
        return entry.called, entry.hash


def _instead(preset: Preset) -> dict[str, object]:
    return {name: preset.values[name] for name in WORDS if name in preset.values}


def _is_here(preset: Preset, known: Mapping[str, Preset]) -> bool:
    return preset.name in known and preset.same(known[preset.name])


def _left(preset: Preset, kind: type[Drawing]) -> list[str]:
    """What of a preset a form of another kind has no place for."""
    own = set(offered(kind))
    titles = [item.metadata["title"] for item in fields(request_of(preset)) if item.name in preset.values and item.name not in own]
    return [f"This tab has no place for: {', '.join(titles)}."] if titles else []


def _line(preset: Preset) -> PresetLine:
    prompt = preset.prompt or str(preset.values.get("prompt", ""))
    words = " · ".join(filter(None, (prompt, preset.negative_prompt and f"not: {preset.negative_prompt}")))
    return PresetLine(
        id=preset.id,
        name=preset.name,
        words=words[:SHOWN],
        keeps=_keeps(preset),
        about=preset.about[:SHOWN],
        picture=preset.picture,
        note=preset.note,
    )


def _keeps(preset: Preset) -> str:
    kind = type(request_of(preset)) if not preset.note else TextToImage
    titles = {item.name: item.metadata["title"] for item in fields(kind)}
    return ", ".join(titles[name] for name in preset.values if name in titles and name not in WORDS)


def _part(group: str, value: Value) -> PresetPart:
    shown = value.text if not is_row(value.raw) or value.text else ", ".join(part.text for part in value.parts)
    return PresetPart(names=list(value.fields), title=value.title, shown=shown[:LONGEST_SHOWN], group=group, usual=value.default)
