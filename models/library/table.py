"""The table of the library: all that was found in the order in which it is shown, with the starter's own first."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from models.files import Identity, ModelFile
from models.library.checkpoint import STARTER, Facts, read_folder, read_starter_depth
from models.library.index import Found
from models.library.listing import Candidate, mark_now, mark_of
from models.library.matching import Names, told_apart
from models.library.scan import UPSCALER, starter_upscaler
from models.names import folded


@dataclass(frozen=True, slots=True)
class CatalogTable:
    """The table: everything that was found, in the order in which it is shown."""

    files: dict[str, ModelFile] = field(default_factory=dict[str, ModelFile])
    facts: dict[str, Facts] = field(default_factory=dict[str, Facts])
    fingerprints: dict[str, str] = field(default_factory=dict[str, str])
    names: Names = field(default_factory=lambda: Names(()))


def table_of(starter: Path, found: Iterable[Found], dressed: Callable[[Found], ModelFile]) -> CatalogTable:
    """`dressed`: a file with what is known of its content and what people decided of it."""
    entries = sorted(found, key=lambda entry: _place_on_shelf(entry.file, starter))
    everything = _one_each([_starter(starter), *_starter_depth(starter), *_starter_upscaler(starter), *entries])
    files = {file.id: file for file in told_apart([dressed(entry) for entry in everything])}
    facts, fingerprints = ({entry.file.id: getattr(entry, name) for entry in everything} for name in ("facts", "fingerprint"))
    return CatalogTable(files, facts, fingerprints, Names(files.values()))


def _place_on_shelf(file: ModelFile, starter: Path) -> tuple[bool, str, tuple[str, ...], bytes]:
    return not file.path.is_relative_to(starter), folded(file.true_name), file.folders, os.fsencode(file.path)


def _one_each(entries: Sequence[Found]) -> list[Found]:
    """A file and links to it of the same name are one entry, which may be called by the folders of all."""
    each: dict[str, Found] = {}
    for entry in entries:
        first = each.setdefault(entry.file.id, entry)
        folders = tuple(dict.fromkeys((*first.file.folders, *entry.file.folders)))
        each[entry.file.id] = replace(first, file=replace(first.file, folders=folders))
    return [*each.values()]


def _starter(starter: Path) -> Found:
    """It is a model of the Stable Diffusion 1 kind in a size of its own, whatever is missing from its folder."""
    file, facts = read_folder(starter, STARTER)
    told = file.identity if file.identity.supported else Identity("checkpoint", layout="diffusers")
    return Found(replace(file, identity=replace(told, family="sd1", variant="")), facts, mark_now(starter))


def _starter_depth(starter: Path) -> list[Found]:
    found = read_starter_depth(starter)
    return [Found(*found, mark_now(starter / "depth"))] if found else []


def _starter_upscaler(starter: Path) -> list[Found]:
    """Where the starter says what it is; else the first pass finds that."""
    path = starter / UPSCALER
    if not path.is_file():
        return []
    status = path.stat()
    found = starter_upscaler(Candidate(path, "upscaler", mark_of(status), status.st_size, status.st_mtime))
    return [found] if found.file.identity.kind == "upscaler" and found.file.title else []
