"""The devices that draw: which they are, by what was asked for, and what opens each of them: here, in a process apart, or in a cluster.

Importing it imports no torch: only when the first device is opened anybody knows the cards.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.jobs.sending import Sending
from pipelines.jobs.spoken import VERSION, Setup
from pipelines.jobs.wanted import Here

if TYPE_CHECKING:
    from pipelines.cluster.room import Room, Welcome
    from pipelines.cluster.told import Entry, Node, Place
    from pipelines.jobs.runner import Runner

COMPILED = Path(sys.prefix) / "compiled"  # is code, so it lies where code does, and not among pictures that people copy


@dataclass(frozen=True, slots=True)
class DevicesAsked:
    """What is asked for of the devices, in the words of the command line, with sizes in bytes."""

    device: str  # "auto", or the name that torch has for it
    devices: str  # the names of several with commas between, or ""
    clustered: bool  # those of other computers draw as well, by a cluster
    host_memory: int  # for models; 0: what is free decides
    device_memory: int  # likewise
    steps_budget: int
    compiles: bool
    apart: bool  # all but the first draw in processes of their own
    apart_folder: Path | None  # where each of these has a folder of its own, and models may lie already
    apart_budget: int  # for what each of these keeps there


class DrawingDevices:
    """`open_first` and `further` are called in threads of the worker (`Worker`)."""

    def __init__(self, here: Here, models: Sequence[Path], outputs: Path, asked: DevicesAsked) -> None:
        """`models`: the folders of models. `outputs`: where pictures go."""
        self._here, self._models, self._outputs, self._asked = here, models, outputs, asked
        self._first: Runner | None = None
        self._room: Room | None = None

    def open_first(self) -> Runner:
        """Imports the libraries and loads the starter. Raises `UserError` when the device is not there."""
        from models.memory.heap import set_apart

        names = self._names()
        try:
            self._first = self._opened_here(names[0], names)
        finally:
            set_apart()  # the libraries, and of models the starter alone
        return self._first

    def further(self) -> list[Callable[[], Runner]]:
        """What opens each of the others. The cluster, if there is one, is begun now, with what is left to it of this computer."""
        names = self._names()
        if self._room:
            self._room.start(*self._left_to_others(names))
        apart = self._asked.apart or self._asked.apart_folder
        return [
            partial(self._opened_apart, number, name, names) if apart else partial(self._opened_here, name, names)
            for number, name in enumerate(names[1:], 1)
        ]

    def clustered(self, entry: Entry, welcome: Welcome) -> Room:
        """The computers that draw for this one, not begun yet. `welcome`: see `Worker.welcome`."""
        from pipelines.cluster.room import Room

        self._room = Room(entry, self._here.catalog, self._told_there, welcome)
        return self._room

    # ------------------------------------------------------------------------------------------ which they are

    def _names(self) -> tuple[str, ...]:
        """Asked when torch may be imported: before, nobody knows the cards."""
        from models.memory.device import cards

        asked = self._asked
        named = tuple(name for each in asked.devices.split(",") if (name := each.strip()))
        found = named or (cards() or (asked.device,) if asked.device == "auto" else (asked.device,))
        return found if named or not asked.clustered else found[:1]  # the others draw in the cluster

    def _left_to_others(self, names: Sequence[str]) -> tuple[Sequence[str], bool]:
        """The cards of this computer on which the studio does not draw itself, by their numbers, and whether it leaves its processor."""
        from models.memory.device import cards

        found = cards()
        return [card.partition(":")[2] for card in found if card not in names], not found and not self._asked.devices

    # ------------------------------------------------------------------------------------------ what opens them

    def _opened_here(self, name: str, names: Sequence[str]) -> Runner:
        from models.memory.device import choose, read_machine
        from pipelines.runtime.runner import open_runner

        here, asked = self._here, self._asked
        found = read_machine(choose(name))
        machine = found.of_several(asked.host_memory, asked.device_memory, len(names), names.count(name))
        _keep_compiled()
        return open_runner(here.catalog, name, here.inputs, machine, here.annotators, here.steps, asked.compiles)

    def _opened_apart(self, number: int, name: str, names: Sequence[str]) -> Runner:
        from pipelines.jobs.far import open_apart

        _keep_compiled()
        setup = self._told(name, names, number)
        return open_apart(self._here.catalog, setup, sys.executable, self._sent(setup))

    def _told(self, name: str, names: Sequence[str], number: int = 1) -> Setup:
        """What the process of a further device is told: the studio's folders, or a folder of its own."""
        from pipelines.jobs.program import program

        asked = self._asked
        own = asked.apart_folder.expanduser().resolve() if asked.apart_folder else None
        models = [own / "models"] if own else self._models
        return Setup(
            version=VERSION,
            device=name,
            starter=str(self._here.starter),
            models=[str(each.expanduser().resolve()) for each in models],
            outputs="" if own else str(self._outputs),
            steps_budget=asked.steps_budget,
            host=asked.host_memory,
            device_memory=asked.device_memory,
            parts=len(names),
            compiles=asked.compiles,
            root=str(own / f"device {number}") if own else "",
            room=asked.apart_budget,
            program=program() if own else "",
            sharers=names.count(name),
        )

    def _told_there(self, node: Node, place: Place, devices: int) -> tuple[Setup, Sending | None]:
        """What a device of a cluster is told and sent. `devices`: so many share its computer."""
        from pipelines.cluster.told import code

        name = "cuda" if place.card >= 0 else "cpu"
        setup = replace(self._told(name, [name]), host=0, device_memory=0, parts=devices)
        if not node.studio:  # another computer has folders of its own
            setup = replace(setup, outputs="", root=f"device {place.card + 1}", program=code())
        return setup, self._sent(setup)

    def _sent(self, setup: Setup) -> Sending | None:
        """What a device with folders of its own is sent."""
        return Sending(self._here, lambda request: self._opened_first.files(request), setup.room) if setup.root else None

    @property
    def _opened_first(self) -> Runner:
        assert self._first, "a further device is opened behind the first one"
        return self._first


def _keep_compiled() -> None:
    os.environ.setdefault("TORCHINDUCTOR_CACHE_DIR", str(COMPILED))
