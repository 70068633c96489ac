"""YAML files of wildcards, as sd-dynamic-prompts reads them: names lead to lists of lines, names within names make a path.

    animals:
      cats: [lion, 2::tiger]              __animals/cats__, where the tiger comes twice as often
      dogs:
        - poodle
        - {text: pug, weight: 0.5}

Only the events of the text are taken: no object is made of what it says, and anchors, which let a small file become a huge one, are
refused.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import yaml

from models.errors import UserError
from pipelines.wildcards.shelf import line_of

DEEPEST = 20
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the quick one is not built everywhere

Tree = str | list["Tree"] | dict[str, "Tree"]


def read_yaml(text: str, stem: str) -> list[tuple[str, list[tuple[str, float]]]]:
    """(name, its lines with their weights) each. `stem`: the name of a file that is a plain list.

    Raises `UserError` when it cannot be read.
    """
    try:
        tree = _tree(yaml.parse(text, Loader=LOADER))
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        raise UserError(f"it is no sound YAML{f', near line {mark.line + 1}' if mark else ''}") from error
    return list(_named(tree, "" if isinstance(tree, dict) else stem))


@dataclass
class _Open:
    """A list or a table that is being read."""

    holds: list[Tree] | dict[str, Tree]
    key: list[str] = field(default_factory=list[str])

    def add(self, value: Tree) -> None:
        if isinstance(self.holds, list):
            self.holds.append(value)
        elif self.key:
            self.holds[self.key.pop()] = value
        else:
            self.key.append(value if isinstance(value, str) else "")


def _tree(events: Iterator[yaml.Event]) -> Tree:
    stack = [_Open([])]
    for event in events:
        if isinstance(event, yaml.AliasEvent):
            raise UserError("it uses anchors (& and *), which are not read here. Write the lines out")
        if isinstance(event, yaml.ScalarEvent):
            stack[-1].add(event.value)
        elif isinstance(event, yaml.SequenceStartEvent | yaml.MappingStartEvent):
            stack.append(_Open([] if isinstance(event, yaml.SequenceStartEvent) else {}))
            if len(stack) > DEEPEST:
                raise UserError(f"it is nested more than {DEEPEST} deep")
        elif isinstance(event, yaml.SequenceEndEvent | yaml.MappingEndEvent):
            closed = stack.pop()
            stack[-1].add(closed.holds)
    return stack[0].holds[0] if isinstance(stack[0].holds, list) and stack[0].holds else ""


def _named(tree: Tree, path: str) -> Iterator[tuple[str, list[tuple[str, float]]]]:
    if isinstance(tree, dict):
        for key, value in tree.items():
            yield from _named(value, f"{path}/{key}".strip("/"))
    elif path and (lines := list(_lines([tree] if isinstance(tree, str) else tree))):
        yield path, lines


def _lines(entries: Sequence[Tree]) -> Iterator[tuple[str, float]]:
    for entry in entries:
        if isinstance(entry, str) and entry:
            yield line_of(entry)
        elif isinstance(entry, dict):
            text, weight = entry.get("text") or entry.get("content"), entry.get("weight", "1")
            if isinstance(text, str) and text:
                yield text, line_of(f"{weight}::")[1]
