"""What Ray begins on another computer: a home, with the threads that a process has which Ray has not begun."""

from __future__ import annotations

from pipelines.cluster.home import Home, own_threads


class Actor(Home):
    def __init__(self) -> None:
        own_threads()
        super().__init__()
