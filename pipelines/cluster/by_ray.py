"""Ray, as far as it is used here: who is in the cluster, and an actor for each device. It carries bytes and looks into none of them."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from typing import Any, Protocol

from models.json_values import is_number, table, text
from pipelines.cluster.told import CODE, STUDIO, Node


class Far(Protocol):
    """A device's home, as the studio's side has it."""

    def put(self, chunk: bytes) -> None: ...

    def said(self) -> Iterator[bytes]:
        """Until it has ended. Raises whatever the way over says when it was lost."""
        ...

    def end(self) -> None: ...


class Cluster(Protocol):
    def nodes(self) -> list[Node]:
        """Those that are there."""
        ...

    def begin(self, node: str, card: bool) -> Far:
        """A home on this node. `card`: for one of its graphics cards."""
        ...


class ByRay:
    def __init__(self, address: str, own: str) -> None:
        """This process is known to the cluster by a node at `own`."""
        self._ray: Any = import_module("ray")  # Any: an optional package, which the checker does not see
        self._ray.init(address=address, _node_ip_address=own, log_to_driver=False, logging_level="ERROR", configure_logging=False)

    def nodes(self) -> list[Node]:
        return [_node(told) for told in self._ray.nodes() if told["Alive"]]

    def begin(self, node: str, card: bool) -> Far:
        from pipelines.cluster.actor import Actor

        affinity: Any = import_module("ray.util.scheduling_strategies")  # Any: as above
        where = affinity.NodeAffinitySchedulingStrategy(node, soft=False)
        groups = {"asked": 1, "said": 1}
        remote = self._ray.remote(num_cpus=0 if card else 1, num_gpus=int(card), max_restarts=0, concurrency_groups=groups)(Actor)
        return _Actor(self._ray, remote.options(scheduling_strategy=where).remote())


def _node(told: dict[str, Any]) -> Node:  # Any: as Ray tells it
    has, labels = table(told["Resources"]), table(told.get("Labels"))
    cards, cores = (int(amount) if is_number(amount := has.get(kind)) else 0 for kind in ("GPU", "CPU"))
    return Node(told["NodeID"], told["NodeManagerHostname"], cards, cores > 0, text(labels, CODE), STUDIO in labels)


class _Actor:
    def __init__(self, ray: Any, actor: Any) -> None:  # Any: see `ByRay`
        self._ray, self._actor = ray, actor
        self._put = actor.put.options(concurrency_group="asked")

    def put(self, chunk: bytes) -> None:
        self._put.remote(chunk)

    def said(self) -> Iterator[bytes]:
        for found in self._actor.said.options(concurrency_group="said", num_returns="streaming").remote():
            yield self._ray.get(found)

    def end(self) -> None:
        self._ray.kill(self._actor)
