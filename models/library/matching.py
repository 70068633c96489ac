"""Matching names to files of the library: a name, with or without the folders that it lies in, or the name that a training program
gave it. A folder that is written down decides; a name that several files have means all of them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from models.files import ModelFile, ModelKind
from models.names import GENERIC, SPELLINGS, Spelling, composed, folded, loosest, taken_apart, without_ending, writable
from models.safe_text import shown

NameInFolders = tuple[tuple[str, ...], str]  # folders, the outermost first, and the name in the last of them
LONGEST = 300  # characters of a name that a request keeps


class Names:
    """The files of one table by name, in its order. Reads nothing."""

    def __init__(self, entries: Iterable[ModelFile]) -> None:
        self._entries: dict[ModelKind, list[ModelFile]] = {}
        self._by_name: dict[tuple[ModelKind, str], list[ModelFile]] = {}
        for entry in entries:
            self._entries.setdefault(entry.identity.kind, []).append(entry)
            for name in _bare(entry):
                self._by_name.setdefault((entry.identity.kind, name), []).append(entry)

    def meant(self, kind: ModelKind, text: str) -> list[ModelFile]:
        """All that the text means, what can be used; if nothing of it can, all the same.

        The strictest way of comparing that finds something to use decides: the same characters, the same in NFC, letters large and
        small alike, “_” for what cannot be written. At last the name that a training program gave.
        """
        found: list[ModelFile] = []
        for matching in self._ways(kind, text):
            if usable := [entry for entry in matching if entry.usable]:
                return usable
            found = found or matching
        return found

    def tags(self) -> dict[str, str]:
        """Id -> what to write to mean this file and no other: its name, with folders or its ending where others are called so too.

        Nothing for a file that no name tells from another.
        """
        tags: dict[str, str] = {}
        for entries in self._entries.values():
            usable = [entry for entry in entries if entry.usable]
            tags |= _tags(entries) if len(usable) == len(entries) else _tags(entries) | _tags(usable)
        return tags

    def _ways(self, kind: ModelKind, text: str) -> Iterator[list[ModelFile]]:
        readings = [taken_apart(text), ((), text)]  # a name may have a backslash in it
        names = {loosest(name) for _, name in readings if name.strip()}
        candidates = {entry.id: entry for name in names for entry in self._by_name.get((kind, name), ())}
        for spelling in SPELLINGS:
            agreeing = [(entry, max(_agreement(entry, reading, spelling) for reading in readings)) for entry in candidates.values()]
            best = max((agreement for _, agreement in agreeing), default=0)
            yield [entry for entry, agreement in agreeing if agreement == best > 0]
        yield self._as_trained(kind, text)

    def _as_trained(self, kind: ModelKind, text: str) -> list[ModelFile]:
        wanted = folded(text)
        return [entry for entry in self._entries.get(kind, ()) if wanted and folded(entry.metadata.get("ss_output_name", "")) == wanted]


def told_apart(files: Sequence[ModelFile]) -> Iterator[ModelFile]:
    """Each with what to write for it; where that has a folder or an ending, so has what is shown."""
    tags = Names(files).tags()
    for file in files:
        tag = tags.get(file.id, "")
        yield replace(file, tag=tag, name=file.name if tag in ("", file.called) else shown(tag))


def spellings(entry: ModelFile) -> tuple[str, ...]:
    """All that a file is called, the shortest first: its name, with one folder before it, with two ..., then the same with its ending."""
    places = sorted(set(_places(entry)), key=lambda place: (place[1] != entry.true_name, len(place[0]), place))
    return tuple(dict.fromkeys(spelling for place in places for spelling in _growing(*place)))


def words(entry: ModelFile) -> tuple[str, ...]:
    """What wakes an embedding when it stands in a prompt, the shortest first: its name in NFC, and with one folder or more before it.

    Each also as it is written where the name holds what no list of names can (`writable`). Never its ending.
    """
    named = [spelling for place in _places(entry) if place[1] == entry.true_name for spelling in _growing(*place)]
    every = sorted(dict.fromkeys(map(composed, named)), key=lambda spelling: spelling.count("/"))
    return tuple(dict.fromkeys([*every, *map(writable, every)]))


def _growing(folders: tuple[str, ...], name: str) -> Iterator[str]:
    return ("/".join((*folders[len(folders) - count :], name)) for count in range(len(folders) + 1))


def _bare(entry: ModelFile) -> set[str]:
    """Its names without folders, in the loosest form."""
    names = {entry.true_name} if entry.title else {entry.true_name, entry.path.name, without_ending(entry.path.name)}
    return {loosest(name) for name in names}


def _places(entry: ModelFile) -> Iterator[NameInFolders]:
    """Every folder and name by which it may be called."""
    is_generic = entry.path.name in GENERIC and not entry.title
    for folder in entry.folders or ("",):
        folders, _ = taken_apart(f"{folder}/")
        yield folders[:-1] if is_generic else folders, entry.true_name
        if not entry.title:
            yield folders, entry.path.name
            yield folders, without_ending(entry.path.name)


def _agreement(entry: ModelFile, wanted: NameInFolders, spelling: Spelling) -> int:
    """2 when that is the file's whole name from a folder of models on, 1 when its name ends so, else 0."""
    folders, name = tuple(map(spelling, wanted[0])), spelling(wanted[1])
    agreement = 0
    for own_folders, own_name in _places(entry):
        if name and spelling(own_name) == name:
            own = tuple(map(spelling, own_folders))
            ends = own[len(own) - len(folders) :] == folders
            agreement = max(agreement, 2 if folders and own == folders else int(ends))
    return agreement


def _tags(entries: Sequence[ModelFile]) -> dict[str, str]:
    named = Counter(name for entry in entries for name in _bare(entry))
    alone = {entry.id: writable(composed(entry.true_name)) for entry in entries if named[loosest(entry.true_name)] == 1}
    others = [entry for entry in entries if entry.id not in alone]
    counts = Counter(spelling for entry in others for spelling in {loosest(spelling) for spelling in spellings(entry)})
    exact = Counter(spelling for entry in others for spelling in set(spellings(entry)))
    tags = {entry.id: _tag(spellings(entry), counts, exact) for entry in others}
    return {entry_id: tag for entry_id, tag in {**alone, **tags}.items() if tag}


def _tag(own: Sequence[str], counts: Mapping[str, int], exact: Mapping[str, int]) -> str:
    """The first spelling that nobody else has; else the first that differs in letters alone, exactly as it is."""
    sure = (writable(composed(spelling)) for spelling in own if counts[loosest(spelling)] == 1)
    twins = (spelling for spelling in own if exact[spelling] == 1 and writable(spelling) == spelling == spelling.strip())
    return next((tag for tag in (*sure, *twins) if len(tag) <= LONGEST), "")
