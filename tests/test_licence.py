"""Licences: what a visitor may do with Atelier stands where people and package tools look for it, and others keep theirs."""

from __future__ import annotations

import hashlib
import os
import tomllib
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent
APACHE = "cfc7749b96f63bd31c3c42b5c471bf756814053e847c10f3eb003417bc523d30"  # SHA-256 of the text that the Apache foundation publishes
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]


# What is not of this repository may lie there.
FOREIGN = (".git", ".venv", "outputs", "train", "models/weights", "tests/page_tools/node_modules")


def licences() -> set[str]:
    """Every LICENSE and NOTICE of the repository, by its path."""
    found = (Path(folder, name) for folder, _, names in walk() for name in names if name in ("LICENSE", "NOTICE"))
    return {path.relative_to(ROOT).as_posix() for path in found}


def walk() -> Iterator[tuple[str, list[str], list[str]]]:
    for folder, below, names in os.walk(ROOT):
        below[:] = [name for name in below if Path(folder, name).relative_to(ROOT).as_posix() not in FOREIGN]
        yield folder, below, names


def test_the_licence_is_apache_2_word_for_word_and_the_project_says_so() -> None:
    text = (ROOT / "LICENSE").read_bytes().replace(b"\r\n", b"\n")
    assert hashlib.sha256(text).hexdigest() == APACHE
    assert PROJECT["license"] == "Apache-2.0"
    assert "Apache-2.0" in (ROOT / "models/starter/README.md").read_text("utf-8")


def test_every_licence_in_the_tree_goes_with_the_package() -> None:
    taken = {path.relative_to(ROOT).as_posix() for pattern in PROJECT["license-files"] for path in ROOT.glob(pattern)}
    assert taken == licences()


def test_whatever_lies_beside_a_licence_of_its_own_is_named_in_the_notice() -> None:
    notice = (ROOT / "NOTICE").read_text("utf-8")
    folders = {Path(name).parent.as_posix() for name in licences() if name.endswith("/LICENSE")}
    assert folders
    assert {folder for folder in folders if f"{folder}/" not in notice} == set()
    assert "Copyright (c) 2021 OpenAI" in notice
