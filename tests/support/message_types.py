"""TypeScript of the messages in `ui.messages`, so that the page's scripts are checked against what the server sends and takes.

.venv/bin/python -m tests.support.message_types      writes ui/static/messages.d.ts anew
"""

from __future__ import annotations

import types
import typing
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

from ui import messages

FILE = Path(messages.__file__).parent.parent / "static" / "messages.d.ts"
HEAD = "// Messages between the page and the server, made from ui/messages/: .venv/bin/python -m tests.support.message_types\n"
PLAIN = {str: "string", int: "number", float: "number", bool: "boolean", type(None): "null", object: "unknown"}


def declarations() -> str:
    return HEAD + "".join(f"\n{_declared(message)}" for message in _messages())


def _messages() -> Iterator[type]:
    for value in vars(messages).values():
        if typing.is_typeddict(value):
            yield value


def _declared(message: type) -> str:
    required: frozenset[str] = message.__required_keys__  # pyright: ignore[reportAttributeAccessIssue]  # of every TypedDict
    hints = typing.get_type_hints(message)
    lines = "".join(f"  {name}{'' if name in required else '?'}: {written(hint)};\n" for name, hint in hints.items())
    return f"export type {message.__name__} = {{\n{lines}}};\n"


def written(hint: object) -> str:
    """The annotation as TypeScript has it. Raises `TypeError` for one that no message has had yet."""
    if hint in PLAIN:
        return PLAIN[typing.cast(type, hint)]
    if typing.is_typeddict(hint):
        return typing.cast(type, hint).__name__
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        return " | ".join(written(each) for each in arguments)
    if origin is typing.Literal:
        return " | ".join(f'"{each}"' for each in arguments)
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return f"Record<{written(arguments[0])}, {written(arguments[1])}>"
    if isinstance(origin, type) and issubclass(origin, Collection):
        inside = written(arguments[0])
        return f"({inside})[]" if " " in inside and "<" not in inside else f"{inside}[]"
    if hint in (dict, list, tuple):
        return "unknown"
    raise TypeError(f"{hint} has no counterpart in TypeScript yet")


if __name__ == "__main__":
    FILE.write_text(declarations(), "utf-8")
