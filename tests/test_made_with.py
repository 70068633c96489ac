"""Names and hashes for a picture's metadata: computed beside the drawing, and only true ones."""

from __future__ import annotations

import threading
from pathlib import Path

from models.library.hashes import file_hash
from models.memory.manager import Key
from pipelines.metadata.lists import unlisted
from pipelines.metadata.provenance import Hashes, MadeWith, one, several

A = Key("lora", "a")


def test_drawing_does_not_wait_for_a_hash_until_it_is_asked_for() -> None:
    gate = threading.Event()
    hashes = Hashes(lambda key: str(gate.wait(10)) + key.id, lambda key: 0)
    digest = hashes.begin(A)
    gate.set()
    assert digest() == "Truea"


def test_each_file_is_read_once_until_it_changes() -> None:
    read, marks = [], {"a": 1}
    hashes = Hashes(lambda key: read.append(key.id) or f"{len(read):064}", lambda key: marks[key.id])
    assert hashes.begin(A)() == hashes.begin(A)()
    marks["a"] = 2
    assert hashes.begin(A)() == f"{2:064}"
    assert read == ["a", "a"]


def test_the_hash_of_a_file_that_changed_meanwhile_is_not_told(tmp_path: Path) -> None:
    """The picture was drawn with the old weights; the new file's hash would be a lie."""
    file = tmp_path / "model"
    file.write_bytes(b"old")

    def replaced(key: Key) -> str:
        file.write_bytes(b"newer")
        return file_hash(file)

    hashes = Hashes(replaced, lambda key: file.stat().st_size)
    assert hashes.begin(A)() == ""


def test_a_hash_that_cannot_be_computed_costs_no_picture() -> None:
    def gone(key: Key) -> str:
        raise OSError("gone")

    assert Hashes(gone, lambda key: 0).begin(A)() == ""
    assert one("Model", "toy", "") == {"Model": "toy"}


def test_facts_are_worked_out_once_and_only_when_somebody_looks() -> None:
    made = []
    facts = MadeWith(lambda: made.append(1) or {"Model": "toy"})
    assert made == []
    assert {**facts, "Note": "x"} == {"Model": "toy", "Note": "x"} and dict(facts.items()) == {"Model": "toy"} and len(facts) == 1
    assert made == [1]


def test_lists_of_names_can_be_taken_apart_again() -> None:
    text = several("Lora hashes", [("ink", "ab" * 32), ("a, b: c", "cd" * 32), ("ink", "ef" * 32), ("no hash", "")])["Lora hashes"]
    assert unlisted(text) == [("ink", "ab" * 6), ("a, b: c", "cd" * 6), ("ink", "ef" * 6), ("no hash", "")]
    assert several("Lora hashes", {}) == {}
