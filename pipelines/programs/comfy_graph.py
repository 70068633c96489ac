"""ComfyUI's graph as it was run (its "prompt"): nodes with their inputs, and the links between them.

{"3": {"class_type": "KSampler", "inputs": {"seed": 5, "model": ["4", 0], "positive": ["6", 0], ...}}, "4": {...}, ...}

Ids are texts or numbers, links name a node and one of its outputs. Whatever a graph holds, circles and links to nowhere among it, each
way through it visits a node once.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice

from models.json_values import is_number, is_row, is_table, table, text
from pipelines.programs.said import number

MOST_NODES = 5_000
MOST_INPUTS = 200  # of a node
MOST_STEPS = 2_000  # along one way
MOST_JOINED = 50  # texts that are joined to one
# Names of inputs in which nodes keep a text or a number of their own, the usual ones first.
TEXT_KEYS = (
    "text", "value", "string", "populated_text", "wildcard_text", "prompt", "positive", "text_0", "Text", "text_positive", "String",
    "result", "t5xxl", "clip_l",
)  # fmt: skip
JOINED_KEYS = (
    "string_a", "string_b", "text_a", "text_b", "text_c", "text_d", "text1", "text2", "text3", "text4", "string1", "string2", "prefix",
    "suffix", "text_1", "text_2", "text_3",
)  # fmt: skip
NUMBER_KEYS = ("value", "seed", "noise_seed", "int", "float", "Number", "number", "int_value", "float_value", "steps", "cfg")


@dataclass(frozen=True)
class Node:
    """`title`: what a person called it; else its class."""

    id: str
    kind: str
    inputs: Mapping[str, object]
    title: str = ""

    def link(self, name: str) -> Link | None:
        return link_of(self.inputs.get(name))

    def has(self, *names: str) -> bool:
        return all(name in self.inputs for name in names)


@dataclass(frozen=True)
class Link:
    node: str
    output: int = 0


@dataclass
class Graph:
    """`used`: ids of the nodes that something was read from."""

    nodes: dict[str, Node]
    used: set[str] = field(default_factory=set[str])

    def at(self, link: Link | None) -> Node | None:
        return self.nodes.get(link.node) if link else None

    def read(self, node: Node) -> Node:
        self.used.add(node.id)
        return node

    def back(self, link: Link | None, *names: str) -> Iterator[Node]:
        """The node that the link comes from, then along the first of these inputs that is linked, and so on."""
        seen: set[str] = set()
        while (node := self.at(link)) and node.id not in seen and len(seen) < MOST_STEPS:
            seen.add(node.id)
            yield node
            link = next(filter(None, (node.link(name) for name in names)), None)

    def number(self, node: Node, *names: str) -> object:
        """The number under the first of these inputs that has one, also one that another node holds. None where none has."""
        for name in names:
            found = self._number(node.inputs.get(name))
            if found is not None:
                return found
        return None

    def _number(self, value: object) -> object:
        for _ in range(20):
            node = self.at(link_of(value))
            if node is None:
                break
            self.read(node)
            value = next((node.inputs[name] for name in NUMBER_KEYS if name in node.inputs), None)
        found = number(value)
        return found if is_number(found) else None

    def word(self, node: Node, *names: str) -> str:
        """A name that is chosen in a list: of a sampler, a file."""
        for name in names:
            value = node.inputs.get(name)
            if isinstance(value, str):
                return value
            if is_table(value):  # some nodes of Comfy's own front end keep {"content": name, "image": ...}
                return text(value, "content")
            if (other := self.at(link_of(value))) and (found := self.text(Link(other.id))):
                return found
        return ""

    def text(self, link: Link | None) -> str:
        """The text that comes along a link: a node's own, or what it joins of others'."""
        return self._text(link, set())

    def _text(self, link: Link | None, seen: set[str]) -> str:
        node = self.at(link)
        if node is None or node.id in seen or len(seen) >= MOST_JOINED:
            return ""
        seen.add(self.read(node).id)
        if any(name in node.inputs for name in JOINED_KEYS):
            between = node.inputs.get("delimiter", node.inputs.get("separator", " "))
            parts = [self._own(node, name, seen) for name in JOINED_KEYS if name in node.inputs]
            return (between if isinstance(between, str) else "").join(filter(None, parts))
        own = next(filter(None, (self._own(node, name, seen) for name in TEXT_KEYS if name in node.inputs)), "")
        return own or self._passed(node, seen)

    def _own(self, node: Node, name: str, seen: set[str]) -> str:
        value = node.inputs.get(name)
        return value if isinstance(value, str) else self._text(link_of(value), seen)

    def _passed(self, node: Node, seen: set[str]) -> str:
        """Of a node that only hands on: what its first link brings."""
        links = [found for value in node.inputs.values() if (found := link_of(value))]
        return self._text(links[0], seen) if len(links) == 1 else ""


def graph_of(found: Mapping[str, object]) -> Graph | None:
    """None where nothing in it is a node."""
    nodes: dict[str, Node] = {}
    for name, value in found.items():
        kind = text(table(value), "class_type")
        if kind and len(nodes) < MOST_NODES:
            title = text(table(table(value).get("_meta")), "title")
            inputs = dict(islice(table(table(value).get("inputs")).items(), MOST_INPUTS))
            nodes[str(name)] = Node(str(name), kind, inputs, title)
    return Graph(nodes) if nodes else None


def link_of(value: object) -> Link | None:
    if not is_row(value) or len(value) != 2 or isinstance(value[0], bool) or not isinstance(value[0], str | int):
        return None
    output = value[1]
    return Link(str(value[0]), output) if isinstance(output, int) else None
