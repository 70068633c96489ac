"""Differences: in which parameters several pictures differ, and no others."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from pipelines.requests.groups import GROUPS, Group
from pipelines.resolving.details import NONE, Groups, Value

LACKING = "–"


@dataclass(frozen=True)
class Difference:
    """One parameter. `texts`: of each picture its own, in order."""

    group: str
    title: str
    texts: tuple[str, ...]


def differences(pictures: Sequence[Groups]) -> list[Difference]:
    """Of two pictures or more. A field that one of them does not have is named where another has set it."""
    found: list[Difference] = []
    for group in GROUPS:
        found += [Difference(group.title, title, texts) for title, texts in _of_group([_by_title(each, group) for each in pictures])]
    return found


def _by_title(picture: Groups, group: Group) -> dict[str, Value]:
    return {value.title: value for value in picture.get(group, ()) if value.compared}


def _of_group(pictures: Sequence[Mapping[str, Value]]) -> Iterator[tuple[str, tuple[str, ...]]]:
    for title in dict.fromkeys(title for picture in pictures for title in picture):
        yield from _of_value(title, [picture.get(title) for picture in pictures])


def _of_value(title: str, values: Sequence[Value | None]) -> Iterator[tuple[str, tuple[str, ...]]]:
    there = [value for value in values if value]
    if len(there) < len(values):
        if any(value.fields and not value.default for value in there):
            yield title, tuple(value.text if value else LACKING for value in values)
    elif any(value.parts for value in there):
        yield from _of_entries([{part.key or part.title: part for part in value.parts} for value in there])
    elif _differ(there):
        yield title, _told(there)


def _of_entries(lists: Sequence[Mapping[str, Value]]) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Entry by entry; part by part where all have it."""
    for title in dict.fromkeys(title for entries in lists for title in entries):
        entries = [entries.get(title) for entries in lists]
        there = [entry for entry in entries if entry]
        if len(there) < len(entries):
            yield title, tuple(entry.text if entry else NONE for entry in entries)
            continue
        if _differ(there):
            yield title, _told(there)
        for part in range(len(there[0].parts)):
            parts = [entry.parts[part] for entry in there]
            if _differ(parts):
                yield f"{title}: {parts[0].title}", _told(parts)


def _differ(values: Sequence[Value]) -> bool:
    """Of a file its content counts, where it is known of all: it may have another name by now."""
    digests = [value.digest for value in values]
    if all(digests):
        shortest = min(map(len, digests))
        return len({digest[:shortest] for digest in digests}) > 1
    return len({(_named(value), value.pictures) for value in values}) > 1


def _named(value: Value) -> str:
    """An entry of a list is known by its name: its parts are compared by themselves."""
    return str(value.raw) if value.parts else value.text


def _told(values: Sequence[Value]) -> tuple[str, ...]:
    """Two files of one name are told apart by their hashes."""
    texts = tuple(map(_named, values))
    if len(set(texts)) == len(texts) or not any(value.digest for value in values):
        return texts
    return tuple(f"{text} [{value.digest}]" for text, value in zip(texts, values, strict=True))
