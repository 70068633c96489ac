"""The page's modules, joined: they mean what they mean as files of their own, and what the joiner does not understand it refuses."""

from __future__ import annotations

import json
from graphlib import CycleError
from pathlib import Path

import pytest

from tests.support.node import node, run, write_modules
from ui.parts.scripts import call, joined

TOYS = {
    "colour": """// The colour.
const mix = (one, other) => `${one} and ${other}`; // not to be seen outside
export const NAMES = ["red", "blue"];
/**
 * Of paint; import("./brush.js") would be odd elsewhere.
 * @typedef {string} Paint
 */
export class Pot {
  // Of paint.
  /** Its size. */
  static size = 3;
  name = NAMES[0];
  with(other) {
    return mix(this.name, other);
  }
}
export function count() {
  return NAMES.length;
}
""",
    "brush": """// The brush, which has names that others have too.
import { NAMES, Pot as Bucket, count } from "./colour.js";
import * as other from "./colour.js";

const mix = () => new Bucket().with(NAMES[1]);
export const painted = () => [mix(), Object.keys(other).sort(), count()];
export async function later() {
  return painted();
}
export const brush = "its own name";
""",
    "aside": """// Only what it does on the way counts.
import { painted } from "./brush.js";

globalThis.seen = painted();
""",
}
ASKED = """import { later, painted, brush } from "./brush.js";
import { Pot, count } from "./colour.js";
import "./aside.js";
console.log(JSON.stringify([painted(), await later(), brush, new Pot().with("green"), Pot.size, count(), globalThis.seen]));
"""
OF_JOINED = """import { brush as brushes, colour } from "./joined.js";
const { later, painted, brush } = brushes;
const { Pot, count } = colour;
"""


@pytest.fixture(scope="module")
def worker() -> str:
    found = node()
    if not found:
        pytest.skip("no node here")
    return found


def test_joined_modules_do_what_they_do_alone(worker: str, tmp_path: Path) -> None:
    write_modules(tmp_path, TOYS | {"joined": joined(TOYS), "alone": ASKED, "together": OF_JOINED + ASKED.splitlines()[-1]})
    alone, together = (json.loads(run(worker, tmp_path / f"{name}.js")) for name in ("alone", "together"))
    painted = ["red and blue", ["NAMES", "Pot", "count"], 2]
    assert alone == together == [painted, painted, "its own name", "red and green", 3, 2, painted]


def test_comments_stay_at_home() -> None:
    assert "not to be seen outside" in joined(TOYS) and not [word for word in ("Of paint", "typedef", "Its size") if word in joined(TOYS)]


@pytest.mark.parametrize(
    "odd",
    [
        "export default 1;",
        "export { NAMES };",
        "export let size = 1;",
        "export const { one, two } = both;",
        'export * from "./colour.js";',
        'import "./colour.js";',
        'import colour from "./colour.js";',
        'import { NAMES } from "colour";',
        'const late = () => import("./colour.js");',
        "const runs_on = `one line`, two = `a\n  b`;",
    ],
)
def test_what_the_joiner_does_not_understand_is_refused(odd: str) -> None:
    with pytest.raises(ValueError, match=r"odd\.js is not as plain"):
        joined(TOYS | {"odd": f"{odd}\n"})


def test_a_circle_and_a_module_that_is_not_there_are_refused() -> None:
    with pytest.raises(CycleError):
        joined(TOYS | {"colour": 'import { painted } from "./brush.js";\n' + TOYS["colour"]})
    with pytest.raises(ValueError, match=r"no module palette\.js"):
        joined(TOYS | {"odd": 'import { NAMES } from "./palette.js";\n'})


def test_a_handler_is_given_what_it_knows_before_what_it_is_told() -> None:
    assert call("memory", "keep", "</script>", ["a"], takes="...values").endswith('.memory.keep("\\u003c/script>", ["a"], values)')
    assert call("desk", "before", "depth").startswith("async () => ")
