"""The computers of a cluster as devices of the studio: who comes draws, who goes is lost, and who comes back draws again."""

from __future__ import annotations

import json
import logging
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, replace
from pathlib import Path
from typing import Protocol

from models.errors import UserError
from models.json_values import table, text
from models.library.catalog import Catalog
from pipelines.cluster.node import surroundings
from pipelines.cluster.told import HERE, Entry, Node, Place, Roll, code, line, nodes_of
from pipelines.jobs.backoff import Backoff
from pipelines.jobs.far import FarRunner
from pipelines.jobs.sending import Sending
from pipelines.jobs.spoken import Setup

log = logging.getLogger(__name__)

AWAY = "{} is not in the cluster at the moment. It draws again as soon as it is back."
OTHER = "{} has another version of Atelier than the studio. Bring both to the same one, then start it anew."
NOT_IN = "The studio could not come into the cluster ({}). It tries again."
NO_WORD = "what Ray says of it is in .ray/cluster.log, in the folder of pictures"
AGAIN = 1.0, 15.0  # seconds between tries to come into the cluster
ENDS = 12.0  # seconds that what was begun here has to end
Welcome = Callable[[Callable[[], FarRunner], str], Callable[[], None]]  # what opens a device, its computer; answers what tries it again


class Begun(Protocol):
    """A process."""

    def wait(self, timeout: float | None = None) -> object:
        """Raises `subprocess.TimeoutExpired`."""
        ...

    def kill(self) -> None: ...


class Room:
    """Safe to call from any thread."""

    def __init__(
        self,
        entry: Entry,
        catalog: Catalog,
        told: Callable[[Node, Place, int], tuple[Setup, Sending | None]],
        welcome: Welcome,
        begin: Callable[[Entry, socket.socket], Begun] | None = None,
    ) -> None:
        """`told`: what a device is told and sent, on this node, at this place, and how many share its computer. `begin`: a process in the
        cluster.
        """
        self._begin = begin or begun
        self._entry, self._catalog, self._told, self._welcome = entry, catalog, told, welcome
        self._roll, self._lock = Roll(), threading.Lock()
        self._again: dict[Place, Callable[[], None]] = {}
        self._there: frozenset[Place] = frozenset()
        self._control: socket.socket | None = None
        self._closing, self._trouble = threading.Event(), ""
        self._thread = threading.Thread(target=self._keep, name="cluster", daemon=True)

    @property
    def invitation(self) -> str:
        """What is done on another computer that is to draw along."""
        entry = self._entry
        secret = f" --token-file token\nwith a copy of {entry.token} beside it." if entry.token else " --ray-without-token"
        return f"Other computers draw along by\n    python run.py worker --ray {entry.address}{secret}\n"

    def start(self, cards: Sequence[str], draws: bool) -> None:
        """`cards`: those that the studio leaves to the cluster, by their numbers; `draws`: it leaves its processor, if it begins it."""
        self._entry = replace(self._entry, cards=",".join(cards), draws=draws and self._entry.begun)
        self._thread.start()

    def close(self) -> None:
        """What was begun here ends."""
        self._closing.set()
        with self._lock:
            if self._control:
                with suppress(OSError):
                    self._control.shutdown(socket.SHUT_RDWR)
        if self._thread.is_alive():
            self._thread.join(ENDS * 2)

    def opened(self, place: Place) -> FarRunner:
        """Raises `UserError` where it is not there."""
        with self._lock:
            node, control = self._roll.node(place), self._control
            if place not in self._there or not node or not control:
                raise UserError(AWAY.format(place.name))
            if node.code not in ("", code()):
                raise UserError(OTHER.format(place.name))
            here, there = socket.socketpair()
            try:
                with there:
                    socket.send_fds(control, [line({"node": node.id, "card": place.card >= 0})], [there.fileno()])
            except OSError as error:
                raise UserError(AWAY.format(place.name)) from error
            devices = self._roll.devices(place)

        def end() -> None:
            with suppress(OSError):
                here.shutdown(socket.SHUT_RDWR)

        try:
            setup, sending = self._told(node, place, devices)
            return FarRunner(self._catalog, here.makefile("wb"), here.makefile("rb"), setup, end, sending=sending, machine=place.name)
        except Exception:
            end()
            raise

    # ------------------------------------------------------------------------------------------ the thread

    def _keep(self) -> None:
        backoff = Backoff(*AGAIN)
        while not self._closing.is_set():
            try:
                if self._once():
                    backoff.none()
            except OSError as error:  # a full disk, most often
                self._warn(NOT_IN.format(error.strerror))
            self._closing.wait(backoff.next())

    def _once(self) -> bool:
        """One process in the cluster, from its beginning to its end. Whether it was in."""
        here, there = socket.socketpair()
        with there, here:
            process = self._begin(self._entry, there)
            there.close()
            with self._lock:
                self._control = here
            if self._closing.is_set():
                here.shutdown(socket.SHUT_RDWR)
            try:
                return self._heard(here)
            finally:
                with self._lock:
                    self._control = None
                self._are_there([])
                _end(process)

    def _heard(self, control: socket.socket) -> bool:
        """Until it ends, in the middle of a line where it was killed."""
        was_in, has_spoken = False, False
        with suppress(OSError, ValueError), control.makefile("rb") as lines:
            for said in lines:
                has_spoken = True
                was_in = self._stands(said) or was_in
        if not has_spoken and not self._closing.is_set():
            self._warn(NOT_IN.format(NO_WORD))
        return was_in

    def _stands(self, said: bytes) -> bool:
        """Whether it tells who is there."""
        told = table(json.loads(said))
        if trouble := text(told, "trouble"):
            self._warn(trouble)
            return False
        self._trouble = ""
        self._are_there(nodes_of(told))
        return True

    def _warn(self, trouble: str) -> None:
        """Once, as long as it stays the same."""
        if trouble != self._trouble:
            log.warning("%s", trouble)
        self._trouble = trouble

    def _are_there(self, nodes: list[Node]) -> None:
        with self._lock:
            there = frozenset(self._roll.update(nodes))
            come, gone, self._there = there - self._there, self._there - there, there
        for place in sorted(gone, key=lambda place: (place.name, place.card)):
            log.info("%s has left the cluster", place.name)
        for place in sorted(come, key=lambda place: (place.name, place.card)):
            self._come(place)

    def _come(self, place: Place) -> None:
        log.info("%s has come into the cluster", place.name)
        if again := self._again.get(place):
            again()
        else:
            self._again[place] = self._welcome(lambda: self.opened(place), place.name)


def begun(entry: Entry, control: socket.socket) -> subprocess.Popen[bytes]:
    """See `bridge.py`. What Ray has to say of itself is in a file of its own."""
    command = [sys.executable, "-m", "pipelines.cluster.bridge", json.dumps(asdict(entry))]
    with (Path(entry.folder) / "cluster.log").open("wb") as said:
        return subprocess.Popen(command, stdin=control.fileno(), stdout=said, stderr=said, cwd=HERE, env=surroundings(entry.token))


def _end(process: Begun) -> None:
    """It ends by itself when it is asked no more."""
    try:
        process.wait(ENDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
