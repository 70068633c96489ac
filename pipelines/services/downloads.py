"""Downloads from the hub, each in a thread of its own, two at a time."""

from __future__ import annotations

import logging
import secrets
import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from models.downloads.hub import Cancelled, download
from models.downloads.hub_names import check_names, saved_name
from models.errors import UserError

log = logging.getLogger(__name__)

AT_ONCE = 2
KEPT = 50  # that have ended, for the page to show

State = Literal["waiting", "running", "done", "failed", "cancelled"]


@dataclass(frozen=True, slots=True)
class Download:
    """One download: how far it is."""

    id: str
    name: str
    done: int = 0  # bytes that have arrived
    total: int = 0  # bytes; 0 while it is not known
    state: State = "waiting"
    message: str = ""  # why it failed

    @property
    def ended(self) -> bool:
        return self.state not in ("waiting", "running")


@dataclass(frozen=True)
class _Order:
    """An order: what is fetched, and where it goes."""

    repo: str
    filename: str
    folder: Path
    name: str
    listed: bool = False
    stop: threading.Event = field(default_factory=threading.Event)

    @property
    def target(self) -> Path:
        return self.folder / self.name


class Downloads:
    """Safe to call from any thread."""

    def __init__(self, hub: str, arrived: Callable[[], None]) -> None:
        """`arrived` is called after each file that is whole."""
        self._hub = hub
        self._arrived = arrived
        self._lock = threading.Lock()
        self._turn = threading.Semaphore(AT_ONCE)
        self._known: dict[str, Download] = {}
        self._orders: dict[str, _Order] = {}
        self._arrivals = 0

    @property
    def arrivals(self) -> int:
        """How many files have come."""
        return self._arrivals

    def start(self, repo: str, filename: str, folder: Path, save_as: str = "") -> str:
        """Returns an id. Raises `UserError` for names that the hub cannot have, and for what is being fetched already."""
        check_names(repo, filename)
        order = _Order(repo, filename, folder, saved_name(save_as or filename))
        with self._lock:
            if self._under_way(order.target):
                raise UserError(f"“{order.name}” is being downloaded already.")
            return self._begin(order, order.name)

    def start_listed(self, repo: str, filename: str, folder: Path) -> str:
        """The same for a file that a table of ours names, never a person: see `hub_names`. It is shown with the name of its folder.

        Returns the id of the download that fetches it already, if there is one.
        """
        check_names(repo, filename, listed=True)
        order = _Order(repo, filename, folder, saved_name(filename, listed=True), listed=True)
        with self._lock:
            there = self._under_way(order.target)
            if there and self._orders[there].stop.is_set():
                raise UserError(f"“{order.name}” is just being stopped. Try again in a moment.")
            return there or self._begin(order, f"{folder.name}/{order.name}")

    def list(self) -> list[Download]:
        with self._lock:
            return [*self._known.values()][::-1]

    def cancel(self, download_id: str) -> None:
        with self._lock:
            if download_id not in self._known:
                raise UserError("This download is not known any more.")
            self._orders[download_id].stop.set()
            if self._known[download_id].state == "waiting":
                self._known[download_id] = replace(self._known[download_id], state="cancelled")

    def _under_way(self, target: Path) -> str:
        """The id of the download that has this target and has not ended; "" without one."""
        found = (entry.id for entry in self._known.values() if not entry.ended and self._orders[entry.id].target == target)
        return next(found, "")

    def _begin(self, order: _Order, shown: str) -> str:
        self._forget_old()
        made = Download(secrets.token_hex(8), shown)
        self._known[made.id], self._orders[made.id] = made, order
        threading.Thread(target=self._work, args=(made.id, order), name="download", daemon=True).start()
        return made.id

    def _work(self, download_id: str, order: _Order) -> None:
        try:
            with self._turn:
                if not self._takes_turn(download_id):
                    return
                self._fetch(download_id, order)
            self._finish(download_id)
            self._arrived()
        except Cancelled:
            self._change(download_id, state="cancelled")
        except UserError as error:
            self._change(download_id, state="failed", message=str(error))
        except Exception:
            log.exception("a download broke")
            self._change(download_id, state="failed", message="Something broke. The details are in the log.")

    def _takes_turn(self, download_id: str) -> bool:
        """False when it was stopped while it waited; it may even be forgotten then."""
        with self._lock:
            entry = self._known.get(download_id)
            if entry is None or entry.ended:
                return False
            self._known[download_id] = replace(entry, state="running")
            return True

    def _fetch(self, download_id: str, order: _Order) -> None:
        download(
            order.repo, order.filename, order.folder, save_as=order.name, listed=order.listed,
            progress=lambda done, total: self._change(download_id, done=done, total=total), cancelled=order.stop.is_set, base_url=self._hub,
        )  # fmt: skip

    def _finish(self, download_id: str) -> None:
        with self._lock:
            self._known[download_id] = replace(self._known[download_id], state="done")
            self._arrivals += 1

    def _change(self, download_id: str, **changes: object) -> None:
        with self._lock:
            self._known[download_id] = replace(self._known[download_id], **changes)  # type: ignore[arg-type]

    def _forget_old(self) -> None:
        ended = [entry.id for entry in self._known.values() if entry.ended]
        for download_id in ended[: max(0, len(ended) - KEPT)]:
            del self._known[download_id], self._orders[download_id]
