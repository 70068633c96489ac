"""Uploads only: the one kind of file and address that a request may name is a file that was uploaded through this server.

Gradio keeps an upload as `<folder>/<64 hexadecimal digits>/<name>`, the digits being the hash of what is in it.
"""

from __future__ import annotations

import json
import math
import os
import re
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote

UPLOAD_ID = re.compile(r"[0-9a-f]{64}")
FILE_ROUTE = "/gradio_api/file="
DEEPEST = 64  # levels of lists and objects in one body
MOST_VALUES = 200_000  # values in one body: what 2 MB of honest settings stay far below


class NotJson(ValueError):
    """A body that is not the JSON of RFC 8259, or that is nested or branched beyond reason."""


class NotAnUpload(ValueError):
    """A path or an address in a body that is not an upload of this server."""


@dataclass(frozen=True)
class UploadFolder:
    """The folder that Gradio keeps uploads in, spelt as Gradio spells it in its answers."""

    folder: str

    def holds(self, path: object) -> bool:
        """Whether `path` is an upload, spelt as the server spelt it, and neither is nor passes through a symbolic link."""
        if not isinstance(path, str) or "\0" in path or len(path) > 4096:
            return False
        start = self.folder + os.sep
        parts = path.removeprefix(start).split(os.sep)
        if not path.startswith(start) or len(parts) != 2 or not UPLOAD_ID.fullmatch(parts[0]):
            return False
        return os.path.realpath(path) == os.path.join(os.path.realpath(self.folder), *parts)

    def serves(self, url: object, origins: tuple[str, ...]) -> bool:
        """Whether `url` is the address of an upload on this server: relative, or with one of the `origins` in front."""
        if not isinstance(url, str):
            return False
        origin = next((origin for origin in origins if url.startswith(origin)), "")
        route = url.removeprefix(origin)
        path = route.removeprefix(FILE_ROUTE)
        return route.startswith(FILE_ROUTE) and self.holds(path) and self.holds(unquote(path))

    def sweep(self, age: float = 120) -> None:
        """Removes what interrupted uploads left: plain files, directly in the folder, untouched for `age` seconds."""
        if not os.path.isdir(self.folder):
            return
        for entry in os.scandir(self.folder):
            if entry.is_file(follow_symlinks=False) and entry.stat(follow_symlinks=False).st_mtime < time.time() - age:
                Path(entry.path).unlink(missing_ok=True)


def check_body(body: bytes, uploads: UploadFolder, origins: tuple[str, ...]) -> None:
    """Raises `NotJson` or `NotAnUpload`. Takes about 50 ms a megabyte: call it outside the event loop for long bodies."""
    _check_values(_parse(body), uploads, origins)


def _parse(body: bytes) -> Any:
    try:
        return json.loads(body.decode("utf-8"), object_pairs_hook=_each_once)
    except (ValueError, RecursionError) as error:
        raise NotJson(str(error)) from error


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    # Parsers differ in which of two equal names they keep; what is checked here must be what is used later.
    if len({name for name, _ in pairs}) != len(pairs):
        raise NotJson("a name occurs twice in one object")
    return dict(pairs)


def _check_values(root: Any, uploads: UploadFolder, origins: tuple[str, ...]) -> None:
    level, seen = [root], 0
    for _ in range(DEEPEST):
        if not level:
            return
        seen += len(level)
        if seen > MOST_VALUES:
            raise NotJson("too many values")
        level = [child for value in level for child in _children(value, uploads, origins)]
    raise NotJson("nested too deeply")


def _children(value: Any, uploads: UploadFolder, origins: tuple[str, ...]) -> list[Any]:
    if isinstance(value, float) and not math.isfinite(value):
        raise NotJson("a number that JSON does not have")  # Python reads NaN, Infinity and 1e999
    if isinstance(value, dict):
        _check_names(value, uploads, origins)
        return list(value.values())
    return value if isinstance(value, list) else []


def _check_names(value: dict[str, Any], uploads: UploadFolder, origins: tuple[str, ...]) -> None:
    for name, named in value.items():
        match name.strip().casefold():
            case "path" if named is not None and not uploads.holds(named):
                raise NotAnUpload("path")
            case "url" if named is not None and not uploads.serves(named, origins):
                raise NotAnUpload("url")
