"""Uploads only: the one kind of file and address that a request may name is a file that was uploaded through this server.

Gradio keeps an upload as `<folder>/<64 hexadecimal digits>/<name>`, the digits being the hash of what is in it.
"""

from __future__ import annotations

import json
import math
import os
import re
import time
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote

from models.json_values import is_table, listed

UPLOAD_ID = re.compile(r"[0-9a-f]{64}")
FILE_ROUTE = "/gradio_api/file="
DEEPEST = 64  # levels of lists and objects in one body
LARGEST = 10**60  # the largest whole number that a field looks at
KEPT = 20_000  # uploads whose owners are known; one that is forgotten is nobody's
SURROGATE = re.compile("[\ud800-\udfff]")
MOST_VALUES = 200_000  # values in one body: what 2 MB of honest settings stay far below


class NotJson(ValueError):
    """A body that is not the JSON of RFC 8259, or that is nested or branched beyond reason."""


class HalfText(NotJson):
    """A text with half of a character that takes two (a lone surrogate), which nothing can store."""


class NotAnUpload(ValueError):
    """A path or an address in a body that is not an upload of this server."""


@dataclass(frozen=True)
class UploadFolder:
    """The folder that Gradio keeps uploads in, spelt as Gradio spells it in its answers."""

    folder: str
    _owners: OrderedDict[tuple[str, str], None] = field(default_factory=OrderedDict[tuple[str, str], None], repr=False, compare=False)

    def note(self, paths: Iterable[str], user: str) -> None:
        """These were uploaded by this person; what somebody else uploaded with the same content is both persons'."""
        for path in paths:
            self._owners[path, user] = None
            self._owners.move_to_end((path, user))
        while len(self._owners) > KEPT:
            self._owners.popitem(last=False)

    def is_of(self, path: object, user: str) -> bool:
        """Whether `path` is an upload of this person. Known until the studio is closed."""
        return isinstance(path, str) and (path, user) in self._owners and self.holds(path)

    def bytes_of(self, user: str) -> int:
        """What this person's uploads take on the disk."""
        return sum(_size(path) for path, owner in tuple(self._owners) if owner == user)

    def holds(self, path: object) -> bool:
        """Whether `path` is an upload, spelt as the server spelt it, and neither is nor passes through a symbolic link."""
        if not isinstance(path, str) or "\0" in path or len(path) > 4096:
            return False
        start = self.folder + os.sep
        parts = path.removeprefix(start).split(os.sep)
        if not path.startswith(start) or len(parts) != 2 or not UPLOAD_ID.fullmatch(parts[0]):
            return False
        return os.path.realpath(path) == os.path.join(os.path.realpath(self.folder), *parts)

    def serves(self, url: object, origins: tuple[str, ...], user: str) -> bool:
        """Whether `url` is the address of an upload of this person: relative, or with one of the `origins` in front."""
        if not isinstance(url, str):
            return False
        origin = next((origin for origin in origins if url.startswith(origin)), "")
        route = url.removeprefix(origin)
        path = route.removeprefix(FILE_ROUTE)
        return route.startswith(FILE_ROUTE) and any(self.is_of(name, user) for name in (path, unquote(path))) and self.holds(path)

    def sweep(self, age: float = 120) -> None:
        """Removes what interrupted uploads left: plain files, directly in the folder, untouched for `age` seconds."""
        if not os.path.isdir(self.folder):
            return
        for entry in os.scandir(self.folder):
            if entry.is_file(follow_symlinks=False) and entry.stat(follow_symlinks=False).st_mtime < time.time() - age:
                Path(entry.path).unlink(missing_ok=True)


def _size(path: str) -> int:
    try:
        return os.path.getsize(path)
    except OSError:
        return 0


def check_body(body: bytes, uploads: UploadFolder, origins: tuple[str, ...], user: str = "", cleaned: bool = False) -> object:
    """What the body holds. Raises `NotJson` or `NotAnUpload`. `cleaned`: half characters in values are taken out later.

    Takes about 50 ms a megabyte: call it outside the event loop for long bodies.
    """
    parsed = _parse(body)
    _check_values(parsed, _Names(uploads, origins, user, cleaned))
    return parsed


def _parse(body: bytes) -> object:
    try:
        return json.loads(body.decode("utf-8"), object_pairs_hook=_each_once)
    except (ValueError, RecursionError) as error:
        raise NotJson(str(error)) from error


def _each_once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    # Parsers differ in which of two equal names they keep; what is checked here must be what is used later.
    if len({name for name, _ in pairs}) != len(pairs):
        raise NotJson("a name occurs twice in one object")
    return dict(pairs)


@dataclass(frozen=True)
class _Names:
    """Names and values that one body may hold."""

    uploads: UploadFolder
    origins: tuple[str, ...]
    user: str
    cleaned: bool

    def check(self, value: Mapping[str, object]) -> None:
        for name, named in value.items():
            if SURROGATE.search(name):
                raise HalfText(name)
            match name.strip().casefold():
                case "path" if named is not None and not self.uploads.is_of(named, self.user):
                    raise NotAnUpload("path")
                case "url" if named is not None and not self.uploads.serves(named, self.origins, self.user):
                    raise NotAnUpload("url")
                case _:
                    pass


def _check_values(root: object, names: _Names) -> None:
    level, seen = [root], 0
    for _ in range(DEEPEST):
        if not level:
            return
        seen += len(level)
        if seen > MOST_VALUES:
            raise NotJson("too many values")
        level = [child for value in level for child in _children(value, names)]
    raise NotJson("nested too deeply")


def _children(value: object, names: _Names) -> list[object]:
    if is_table(value):
        names.check(value)
        return list(value.values())
    match value:
        case str() if not names.cleaned and SURROGATE.search(value):
            raise HalfText(value)
        case int() if abs(value) > LARGEST:
            raise NotJson("a number that no field takes")
        case float() if not math.isfinite(value):
            raise NotJson("a number that JSON does not have")  # Python reads NaN, Infinity and 1e999
        case _:
            return listed(value)
    return []
