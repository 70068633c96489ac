"""Gradio's search for a component: what is sent instead finds what Gradio's own finds, in a tree that changes, looking at little of it.

That an open page is at rest, as its clock has ended, is asked by tests/test_page_scripts.py.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.node import node, run
from ui.parts.assets import instead
from ui.parts.quick_scripts import CLOCK, ENDED, FOLLOWED, WALK, quick_scripts

# A tree of three children each; after every change all numbers are looked for both ways. `reads` counts the looks of the quick one.
PROGRAM = """
const walked = new Function(`${WALK}; return Z`)(), followed = new Function(`${FOLLOWED}; return Z`)();
let number = 0, reads = 0;
class Leaf {
  constructor(deep) { this.name = number++; this.children = deep ? Array.from({ length: 3 }, () => new Leaf(deep - 1)) : []; }
  get id() { reads++; return this.name; }
}
const root = new Leaf(5), other = new Leaf(2), different = [];
// What is nowhere comes last, as the ways are noted anew by then.
const compare = () => {
  for (const id of [...Array(number).keys(), number, -1]) if (walked(root, id) !== followed(root, id)) different.push(id);
};
compare();
for (const [at, change] of Object.entries([
  (top) => top.children[0].children.shift(), (top) => top.children[1].children.push(new Leaf(2)),
  (top) => top.children.reverse(), (top) => { top.children[2].children = []; },
])) { change(root); compare(); if (followed(other, other.children[1].name) !== other.children[1]) different.push(`other ${at}`); }
const there = [];
(function all(leaf) { there.push(leaf.name); leaf.children.forEach(all); })(root);
reads = 0;
for (const id of there) followed(root, id);
console.log(JSON.stringify({ different, each: reads / there.length }));
"""


@pytest.mark.skipif(node() is None, reason="no JavaScript here")
def test_a_tree_that_changes_is_searched_as_gradio_does_but_quickly(tmp_path: Path) -> None:
    (tmp_path / "search.mjs").write_text(f"const WALK = {json.dumps(WALK)}, FOLLOWED = {json.dumps(FOLLOWED)};{PROGRAM}", "utf-8")
    found = json.loads(run(node() or "", tmp_path / "search.mjs"))
    assert found["different"] == []
    assert found["each"] < 5  # looks at a component's number for each search; walks take hundreds


def test_the_installed_gradio_is_the_one_whose_functions_are_known() -> None:
    """It fails with another Gradio, whose script is then sent as it is, until somebody has looked how that one searches and waits."""
    scripts = list(quick_scripts())
    assert [file.path for file in instead()] == [f"/assets/{name}" for name, _ in scripts]
    for (_, text), written, sent in zip(scripts, (WALK, CLOCK), (FOLLOWED, ENDED), strict=True):
        assert text.count(sent) == 1
        assert written not in text


def test_another_script_is_sent_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "core-12345678.js").write_text("function Z(e,t){return e.find(t)}", "utf-8")
    (tmp_path / "core-87654321.js").write_text(f"{WALK}{WALK}", "utf-8")
    (tmp_path / "statustracker-12345678.js").write_text("function ze(){me(ze)}", "utf-8")
    assert list(quick_scripts(tmp_path)) == []
