"""Gradio's searches for a component and for what listens to it: what is sent instead finds what Gradio's own find, looking at little.

That an open page is at rest, as its clock has ended, is asked by tests/test_page_scripts.py.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.node import node, run
from ui.parts.assets import instead
from ui.parts.quick_scripts import AGAIN, FOLLOWED, LISTENS, ONCE, SCRIPTS, SORTED, WALK, quick_scripts

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


# What listens, with several targets each, some of them in one component or without a name; then there is more of it, then other things.
LISTENING = """
const own = new (new Function(`return class { ${LISTENS} }`)())(), quick = new (new Function(`return class { ${SORTED} }`)())();
let reads = 0, next = 1;
const random = (below) => (next = (next * 48271) % 2147483647) % below;
const target = () => [random(60), ["change", "click", "", null, "input"][random(5)]];
const listens = () => ({ get targets() { reads++; return this.all; }, all: Array.from({ length: random(7) }, target) });
const heard = (one, id, all) => one.find_attached_events({ id, props: { shared_props: {} } }, all).props.shared_props.attached_events;
const different = [], first = Array.from({ length: 50 }, listens);
const compare = (all) => {
  for (let id = -1; id < 62; id++) if (JSON.stringify(heard(own, id, all)) !== JSON.stringify(heard(quick, id, all))) different.push(id);
};
compare(first);
first.push(listens(), listens());
compare(first);
compare(Array.from({ length: 50 }, listens));
heard(quick, 3, first).push("mine");
if (heard(quick, 3, first).includes("mine")) different.push("shared");
reads = 0;
for (let id = 0; id < 60; id++) heard(quick, id, first);
console.log(JSON.stringify({ different, reads }));
"""


@pytest.mark.skipif(node() is None, reason="no JavaScript here")
def test_what_listens_to_a_component_is_found_as_gradio_does_but_looked_for_once(tmp_path: Path) -> None:
    (tmp_path / "listening.mjs").write_text(f"const LISTENS = {json.dumps(LISTENS)}, SORTED = {json.dumps(SORTED)};{LISTENING}", "utf-8")
    assert json.loads(run(node() or "", tmp_path / "listening.mjs")) == {"different": [], "reads": 0}


# A tree that counts how often it is made again.
BEGUN = """
const counts = (reload) => new Function(`return class { #e; #t; #n; made = 0;
  constructor(e, t, n) { this.#e = e; this.#t = t; this.#n = n; } ${reload} this.#e = e; this.#n = n; this.made += 1; } }`)();
const Own = counts(AGAIN), Quick = counts(ONCE), [one, two, three, other] = [[1], [2], [3], [4]], found = [];
const same = [one, two, three], ways = [[same], [same, same], [[one, two, other]], [[other, two, three], same]];
for (const Tree of [Own, Quick]) for (const calls of ways) {
  const tree = new Tree(one, two, three);
  for (const call of calls) tree.reload(...call, {});
  found.push(tree.made);
}
console.log(JSON.stringify(found));
"""


@pytest.mark.skipif(node() is None, reason="no JavaScript here")
def test_a_tree_is_made_again_unless_that_is_the_first_time_and_of_the_very_same(tmp_path: Path) -> None:
    (tmp_path / "begun.mjs").write_text(f"const AGAIN = {json.dumps(AGAIN)}, ONCE = {json.dumps(ONCE)};{BEGUN}", "utf-8")
    assert json.loads(run(node() or "", tmp_path / "begun.mjs")) == [1, 2, 1, 2, 0, 1, 1, 2]


def test_the_installed_gradio_is_the_one_whose_functions_are_known() -> None:
    """It fails with another Gradio, whose script is then sent as it is, until somebody has looked how that one searches and waits."""
    scripts = list(quick_scripts())
    assert [file.path for file in instead()] == [f"/assets/{name}" for name, _ in scripts]
    for (_, text), script in zip(scripts, SCRIPTS, strict=True):
        for written, sent in script.functions.items():
            assert text.count(sent) == 1
            assert written not in text


def test_another_script_is_sent_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "core-12345678.js").write_text("function Z(e,t){return e.find(t)}", "utf-8")
    (tmp_path / "core-87654321.js").write_text(f"{WALK}{WALK}", "utf-8")
    (tmp_path / "statustracker-12345678.js").write_text("function ze(){me(ze)}", "utf-8")
    assert list(quick_scripts(tmp_path)) == []
