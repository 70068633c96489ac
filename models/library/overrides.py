"""Overrides: what people decided about files, in a small JSON file of its own: an index can be made anew, a decision cannot."""

from __future__ import annotations

import json
import logging
import os
import threading
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path

from models.errors import UserError
from models.files import Overrides
from models.json_values import is_table

log = logging.getLogger(__name__)


class OverrideBook:
    """Keys name contents, not places: the SHA-256 of a file, or its mark while that is not known. Safe to call from any thread."""

    def __init__(self, file: Path | None) -> None:
        """`file` None: in memory only."""
        self._file = file
        self._lock = threading.Lock()
        self._entries = _read(file) if file else {}

    def get(self, keys: Iterable[str]) -> Overrides:
        """Those of the first key that has any."""
        return next((self._entries[key] for key in keys if key in self._entries), Overrides())

    def put(self, keys: Iterable[str], overrides: Overrides) -> None:
        """Raises `UserError` when they cannot be kept."""
        with self._lock:
            entries = {**self._entries, **dict.fromkeys(keys, overrides)}
            self._keep({key: entry for key, entry in entries.items() if entry != Overrides()})

    def follow(self, fingerprint: str, digest: str) -> None:
        """The hash of a file has become known: what was kept under its mark is kept under the hash from now on."""
        with self._lock:
            if fingerprint in self._entries:
                entries = dict(self._entries)
                entries[digest] = entries.pop(fingerprint)
                self._keep(entries)

    def _keep(self, entries: dict[str, Overrides]) -> None:
        if self._file:
            _write(self._file, entries)
        self._entries = entries


def _read(file: Path) -> dict[str, Overrides]:
    try:
        return {key: Overrides(**entry) for key, entry in json.loads(file.read_text(encoding="utf-8")).items() if _is_sound(entry)}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, TypeError, AttributeError):
        log.warning("%s cannot be read; what was decided about model files is lost", file, exc_info=True)
        return {}


def _is_sound(entry: object) -> bool:
    """Nothing that the fields do not hold, whoever edited the file."""
    kinds = {"prediction_type": str, "zero_terminal_snr": (bool, type(None)), "variant": str, "vae": str, "defaults": dict, "note": str}
    return is_table(entry) and all(name in kinds and isinstance(value, kinds[name]) for name, value in entry.items())


def _write(file: Path, entries: dict[str, Overrides]) -> None:
    part = file.with_name(f".{file.name}.{os.getpid()}.part")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        part.write_text(json.dumps({key: asdict(entry) for key, entry in entries.items()}, indent=1), encoding="utf-8")
        part.replace(file)
    except (OSError, TypeError) as error:
        raise UserError("This cannot be kept: the folder of pictures cannot be written, or a value is of a kind that cannot be.") from error
