"""The page's keys that weigh, run by the JavaScript engine that comes with the browser tests: no page, no server, thousands a second."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ui.parts.components import static
from ui.parts.theme import tables_as_script

ANSWER = """
require("readline").createInterface({ input: process.stdin }).on("line", (line) => {
  const [name, ...given] = JSON.parse(line);
  console.log(JSON.stringify(atelier[name](...given)));
});
"""


def node() -> str | None:
    """Where the engine is, if anywhere."""
    import playwright

    own = Path(playwright.__file__).parent / "driver" / "node"
    return str(own) if own.exists() else shutil.which("node")


class Keys:
    """Offsets are those of Python strings."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def read(self, text: str) -> dict[str, Any]:
        found = self._ask("readPrompt", text)
        for part in (*found["tags"], *found["groups"]):
            part["start"], part["end"] = _characters(text, part["start"]), _characters(text, part["end"])
        return found

    def press(self, text: str, start: int, end: int, direction: int, exactly: bool = False) -> tuple[str, int, int]:
        found = self._ask("reweigh", text, _units(text, start), _units(text, end), direction, exactly)
        return found["text"], _characters(found["text"], found["start"]), _characters(found["text"], found["end"])

    def presses(self, text: str, start: int, end: int, directions: list[int], more: bool = False) -> list[tuple[str, int, int]]:
        """What each press in a row leaves, as on the page. `more`: the selection is what an earlier one left."""
        found = [(text, start, end)]
        for number, direction in enumerate(directions):
            found.append(self.press(*found[-1], direction, exactly=more or number > 0))
        return found[1:]

    def _ask(self, *given: Any) -> Any:
        assert self._process.stdin and self._process.stdout
        self._process.stdin.write(json.dumps(given) + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())


@contextmanager
def keys_of(engine: str) -> Iterator[Keys]:
    tables = f"globalThis.atelier = {{ grammar: {tables_as_script()} }};"
    script = "\n".join((tables, static("prompt_grammar.js"), static("weights.js"), ANSWER))
    with subprocess.Popen([engine, "-e", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8") as process:
        yield Keys(process)
        process.terminate()


def _units(text: str, place: int) -> int:
    """Of UTF-16, in which JavaScript counts."""
    return len(text[:place].encode("utf-16-le", "surrogatepass")) // 2


def _characters(text: str, units: int) -> int:
    return len(text.encode("utf-16-le", "surrogatepass")[: units * 2].decode("utf-16-le", "surrogatepass"))
