"""Downloads from the hub, each in a thread of its own, two at a time."""

from __future__ import annotations

import logging
import secrets
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from models.errors import UserError
from models.hub import Cancelled, check_names, download, saved_name

log = logging.getLogger(__name__)

AT_ONCE = 2
KEPT = 50  # that have ended, for the page to show

State = Literal["waiting", "running", "done", "failed", "cancelled"]


@dataclass(frozen=True, slots=True)
class Download:
    """How far one download is."""

    id: str
    name: str
    done: int = 0  # bytes that have arrived
    total: int = 0  # bytes; 0 while it is not known
    state: State = "waiting"
    message: str = ""  # why it failed

    @property
    def ended(self) -> bool:
        return self.state not in ("waiting", "running")


class Downloads:
    """Safe to call from any thread."""

    def __init__(self, hub: str, arrived: Callable[[], None]) -> None:
        """`arrived` is called after each file that is whole."""
        self._hub = hub
        self._arrived = arrived
        self._lock = threading.Lock()
        self._turn = threading.Semaphore(AT_ONCE)
        self._known: dict[str, Download] = {}
        self._stops: dict[str, threading.Event] = {}

    def start(self, repo: str, filename: str, folder: Path, save_as: str = "") -> str:
        """Returns an id. Raises `UserError` for names that the hub cannot have, and for what is being fetched already."""
        check_names(repo, filename)
        name = saved_name(save_as or filename)
        made = Download(secrets.token_hex(8), name)
        with self._lock:
            if any(entry.name == name and not entry.ended for entry in self._known.values()):
                raise UserError(f"“{name}” is being downloaded already.")
            self._forget_old()
            self._known[made.id], self._stops[made.id] = made, threading.Event()
        work = (made.id, repo, filename, folder, name)
        threading.Thread(target=self._work, args=work, name="download", daemon=True).start()
        return made.id

    def list(self) -> list[Download]:
        with self._lock:
            return [*self._known.values()][::-1]

    def cancel(self, download_id: str) -> None:
        with self._lock:
            if download_id not in self._known:
                raise UserError("This download is not known any more.")
            self._stops[download_id].set()

    def _work(self, download_id: str, repo: str, filename: str, folder: Path, name: str) -> None:
        stop = self._stops[download_id]
        try:
            with self._turn:
                self._change(download_id, state="running")
                progress = self._progress(download_id)
                download(repo, filename, folder, save_as=name, progress=progress, cancelled=stop.is_set, base_url=self._hub)
            self._change(download_id, state="done")
            self._arrived()
        except Cancelled:
            self._change(download_id, state="cancelled")
        except UserError as error:
            self._change(download_id, state="failed", message=str(error))
        except Exception:
            log.exception("a download broke")
            self._change(download_id, state="failed", message="Something broke. The details are in the log.")

    def _progress(self, download_id: str) -> Callable[[int, int], None]:
        return lambda done, total: self._change(download_id, done=done, total=total)

    def _change(self, download_id: str, **changes: object) -> None:
        with self._lock:
            self._known[download_id] = replace(self._known[download_id], **changes)  # type: ignore[arg-type]

    def _forget_old(self) -> None:
        ended = [entry.id for entry in self._known.values() if entry.ended]
        for download_id in ended[: max(0, len(ended) - KEPT)]:
            del self._known[download_id], self._stops[download_id]
