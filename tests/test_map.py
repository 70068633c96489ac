"""The maker's map in CONTRIBUTING.md: a line for each package, its own docstring; and no file is named that is not there."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

pytestmark = pytest.mark.smoke

ROOT = Path(__file__).parent.parent
LAYERS = ("models", "pipelines", "ui")


def packages() -> list[Path]:
    return [path.parent for layer in LAYERS for path in sorted((ROOT / layer).glob("*/__init__.py")) if path.parent.name != "starter"]


def first_line(package: Path) -> str:
    said = ast.get_docstring(ast.parse((package / "__init__.py").read_text("utf-8"))) or ""
    return said.split("\n")[0]


def line_of(package: Path) -> str:
    return f"| `{package.relative_to(ROOT).as_posix()}/` | {first_line(package)} |"


def test_the_map_has_a_line_for_each_package_with_its_own_words() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text("utf-8").splitlines()
    assert [line_of(package) for package in packages() if line_of(package) not in text] == []


def test_the_map_names_no_package_that_is_gone() -> None:
    named = re.findall(r"^\| `((?:models|pipelines|ui)/\w+)/` \|", (ROOT / "CONTRIBUTING.md").read_text("utf-8"), re.M)
    assert sorted(named) == sorted(package.relative_to(ROOT).as_posix() for package in packages())


@pytest.mark.parametrize("document", ["README.md", "CONTRIBUTING.md", "docs/decisions.md"])
def test_every_file_that_is_named_is_there(document: str) -> None:
    folders = ("models", "pipelines", "ui", "tests", "bench", "docs")
    ours = [*ROOT.glob("*.py"), *(path for folder in folders for path in (ROOT / folder).rglob("*.*"))]
    named = set(re.findall(r"`([\w/]+\.(?:py|js|css|html))`", (ROOT / document).read_text("utf-8")))
    assert sorted(name for name in named if not any(path.as_posix().endswith(f"/{name}") for path in ours)) == []
