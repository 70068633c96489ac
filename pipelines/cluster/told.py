"""What the studio and its process in a cluster say to each other beside the bytes of devices: lines of JSON, and what stands in them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path

from models.json_values import is_row, is_table
from pipelines.jobs.program import program

HERE = Path(__file__).parents[2]
CODE, STUDIO = "atelier-code", "atelier-studio"  # labels of nodes: which code lies there, and that a studio is there


@dataclass(frozen=True, slots=True)
class Entry:
    """How a cluster is come into. `address`: of its head; where it is `begun` here, this computer's own. `token`: the file, "" for none."""

    address: str
    begun: bool
    token: str
    folder: str  # of the studio's own, where Ray writes its log
    cards: str = ""  # those that the studio leaves to the cluster, by their numbers, as "1,2"
    draws: bool = False  # it leaves its processor to the cluster


@dataclass(frozen=True, slots=True)
class Node:
    """A computer of the cluster. `cards`: graphics cards; `draws`: without any, its processor."""

    id: str
    name: str
    cards: int
    draws: bool
    code: str = ""
    studio: bool = False


def line(told: Mapping[str, object]) -> bytes:
    return json.dumps(told).encode() + b"\n"


def nodes_line(nodes: list[Node]) -> bytes:
    return line({"nodes": [asdict(node) for node in nodes]})


def nodes_of(told: Mapping[str, object]) -> list[Node]:
    """Of a line that says them."""
    rows = told.get("nodes")
    return [Node(**row) for row in rows if is_table(row)] if is_row(rows) else []  # pyright: ignore[reportArgumentType]  # of the same code


@dataclass(frozen=True, slots=True)
class Place:
    """A device of the cluster, by what stays the same when its computer goes and comes back."""

    name: str  # of the computer; a second one of the same name has its number behind it
    card: int  # its number there, -1 for the processor


class Roll:
    """Who is in the cluster."""

    def __init__(self) -> None:
        self._nodes: dict[str, Node] = {}  # by the computer's name here

    def update(self, nodes: list[Node]) -> tuple[Place, ...]:
        """All devices that there are now. Who comes back has the name from before, as far as computers tell their names."""
        there = {node.id: node for node in nodes}
        held = {name: there[node.id] for name, node in self._nodes.items() if node.id in there}
        for node in sorted(there.values(), key=lambda node: node.id):
            if node not in held.values():
                held[_free(node.name, held)] = node
        self._nodes = held
        return tuple(place for name, node in sorted(held.items()) for place in _places(name, node))

    def node(self, place: Place) -> Node | None:
        """Where it is now; None while its computer is not there."""
        return self._nodes.get(place.name)

    def devices(self, place: Place) -> int:
        """How many share that computer."""
        return max(1, (node.cards if (node := self.node(place)) else 1))


def _free(name: str, held: Mapping[str, Node]) -> str:
    number = 1
    while (found := name if number == 1 else f"{name} ({number})") in held:
        number += 1
    return found


def _places(name: str, node: Node) -> list[Place]:
    return [Place(name, card) for card in range(node.cards)] or ([Place(name, -1)] if node.draws else [])


@cache
def code() -> str:
    """By which two copies of Atelier are known to draw alike."""
    return program()
