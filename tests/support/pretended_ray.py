"""A cluster of pretence: its computers are threads of this process, which come and go as the test says."""

from __future__ import annotations

import socket
import subprocess
import threading
from collections.abc import Iterator

from pipelines.cluster import bridge
from pipelines.cluster.home import Home
from pipelines.cluster.told import Entry, Node, code


class PretendedFar:
    def __init__(self) -> None:
        self._home, self.is_over = Home(alone=lambda: None), False
        self.chunks = 0

    def put(self, chunk: bytes) -> None:
        if self.is_over:
            raise OSError
        self._home.put(chunk)

    def said(self) -> Iterator[bytes]:
        for chunk in self._home.said():
            if self.is_over:
                raise OSError("the actor died")
            self.chunks += 1
            yield chunk

    def end(self) -> None:
        self.is_over = True
        self._home.put(b"")


class PretendedRay:
    """Stands for the process in the cluster as well: `begin` goes to `Room`."""

    def __init__(self) -> None:
        self.there: dict[str, Node] = {}
        self.homes: list[tuple[str, bool, PretendedFar]] = []
        self.begun = 0
        self.ended = threading.Event()  # set: the process ends

    def begin_process(self, entry: Entry, control: socket.socket) -> PretendedRay:
        self.begun += 1
        self.ended.clear()
        own = control.dup()
        self._thread = threading.Thread(target=self._serve, args=(own,), daemon=True)
        self._thread.start()
        return self

    def _serve(self, control: socket.socket) -> None:
        with control:
            bridge.serve(control, self, self.ended.is_set, 0.01)
        for name in tuple(self.there):
            self.lose(name, leaves=False)

    def wait(self, timeout: float | None = None) -> None:
        self._thread.join(timeout)
        if self._thread.is_alive():
            raise subprocess.TimeoutExpired("pretended", timeout or 0)

    def kill(self) -> None:
        self.ended.set()

    def come(self, name: str, cards: int = 0, known: str = "") -> None:
        self.there[name] = Node(f"{name} {len(self.there)} {self.begun}", name, cards, True, known or code())

    def lose(self, name: str, leaves: bool = True) -> None:
        """Its computer is gone at once, and what it drew with it."""
        node = self.there.pop(name) if leaves else self.there[name]
        for on, _, far in self.homes:
            if on == node.id:
                far.end()

    def nodes(self) -> list[Node]:
        return list(self.there.values())

    def begin(self, node: str, card: bool) -> PretendedFar:
        if node not in {each.id for each in self.there.values()}:
            raise RuntimeError("the node is gone")
        self.homes.append((node, card, PretendedFar()))
        return self.homes[-1][2]
