"""Types: production code is checked strictly, `Any` is rare and says why, and neither the type checker nor the linter finds anything.

Production code is all that the studio runs; the recipe of the starter model is left out, as torch annotates training in part only.
"""

from __future__ import annotations

import ast
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("models", "pipelines", "ui")
RECIPE = ROOT / "models" / "starter" / "recipe"
MOST = 3  # of `Any` in 1,000 lines
REASON = "# Any: "


def production() -> set[Path]:
    files = {path for package in PACKAGES for path in (ROOT / package).rglob("*.py") if not path.is_relative_to(RECIPE)}
    return files | {
        ROOT / "app.py",
        ROOT / "run.py",
        *(ROOT / "packages" / f"{name}.py" for name in ("browsers", "children", "small_files")),
    }


def checked_strictly() -> set[Path]:
    """What the patterns in pyproject.toml name: files, and folders with all below them."""
    patterns = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["pyright"]["strict"]
    found = {path for pattern in patterns for path in ROOT.glob(pattern)}
    return {file for path in found for file in (path.rglob("*.py") if path.is_dir() else [path])}


def lines_with_any(code: str) -> list[int]:
    """The line of each use of `Any`, imports left out."""
    nodes = ast.walk(ast.parse(code))
    return sorted(
        node.lineno
        for node in nodes
        if (isinstance(node, ast.Name) and node.id == "Any") or (isinstance(node, ast.Attribute) and node.attr == "Any")
    )


def without_reason(code: str) -> list[int]:
    """Lines with an `Any` that neither they nor the line above give a reason for."""
    lines = ["", *code.splitlines()]
    return [line for line in dict.fromkeys(lines_with_any(code)) if REASON not in lines[line] and REASON not in lines[line - 1]]


def test_every_production_file_is_checked_strictly() -> None:
    assert sorted(path.relative_to(ROOT).as_posix() for path in production() - checked_strictly()) == []


def test_any_is_rare() -> None:
    texts = [path.read_text("utf-8") for path in production()]
    uses, lines = sum(len(lines_with_any(text)) for text in texts), sum(text.count("\n") for text in texts)
    assert 1000 * uses / lines <= MOST


def test_every_any_says_why() -> None:
    texts = {path.relative_to(ROOT).as_posix(): path.read_text("utf-8") for path in production()}
    assert {name: found for name, text in sorted(texts.items()) if (found := without_reason(text))} == {}


@pytest.mark.parametrize(
    ("code", "found"),
    [
        ("from typing import Any\n", []),
        ("held: Any = None\n", [1]),
        ("held: Any = None  # Any: each its own\n", []),
        ("# Any: each its own\ndef held() -> dict[str, Any]: ...\n", []),
        ("# anything\ndef held() -> dict[str, typing.Any]: ...\n", [2]),
    ],
)
def test_an_any_without_a_reason_is_found(code: str, found: list[int]) -> None:
    assert without_reason(code) == found


def test_every_message_is_sent_or_read() -> None:
    parsed = [ast.parse(path.read_text("utf-8")) for path in (ROOT / "ui" / "messages").glob("*.py")]
    declared = {node.name for tree in parsed for node in tree.body if isinstance(node, ast.ClassDef)}
    trees = [ast.parse(path.read_text("utf-8")) for path in (ROOT / "ui").rglob("*.py")]
    named = {node.id for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Name)}
    assert sorted(declared - named) == []


@pytest.mark.timeout(900)
def test_the_type_checker_finds_nothing() -> None:
    """Pyright is written in JavaScript: its package fetches it when it first runs, so without a network it may not be there."""
    pyright = [sys.executable, "-m", "pyright"]
    checked = [*PACKAGES, "app.py", "run.py", "bench", "packages", "docs"]  # tests are run: there, what does not fit is found so
    if subprocess.run([*pyright, "--version"], capture_output=True, check=False).returncode:
        pytest.skip("pyright is not here yet, and cannot be fetched")
    # What it makes lives long: with room for new things a third of its time, which went into moving them about, is saved.
    environment = {**os.environ, "NODE_OPTIONS": "--max-semi-space-size=128"}
    done = subprocess.run([*pyright, *checked], cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_the_linter_finds_nothing() -> None:
    done = subprocess.run([sys.executable, "-m", "ruff", "check", "."], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
