"""The page's keys that weigh, run by the JavaScript engine that comes with the browser tests: no page, no server, thousands a second."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tests.support.node import write_modules
from ui.parts.scripts import modules

ANSWER = """
import { createInterface } from "node:readline";
import { readPrompt } from "./prompt_grammar.js";
import { switched } from "./switching.js";
import { reweigh } from "./weights.js";

const named = { readPrompt, reweigh, switched };
createInterface({ input: process.stdin }).on("line", (line) => {
  const [name, ...given] = JSON.parse(line);
  console.log(JSON.stringify(named[name](...given)));
});
"""


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

    def switch(self, text: str, start: int, end: int) -> tuple[str, int, int]:
        found = self._ask("switched", text, _units(text, start), _units(text, end))
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
    with TemporaryDirectory() as folder:
        write_modules(Path(folder), modules())
        (Path(folder) / "answer.mjs").write_text(ANSWER, "utf-8")
        command = [engine, str(Path(folder) / "answer.mjs")]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8") as process:
            yield Keys(process)
            process.terminate()


def _units(text: str, place: int) -> int:
    """Of UTF-16, in which JavaScript counts."""
    return len(text[:place].encode("utf-16-le", "surrogatepass")) // 2


def _characters(text: str, units: int) -> int:
    return len(text.encode("utf-16-le", "surrogatepass")[: units * 2].decode("utf-16-le", "surrogatepass"))
