"""Links of README, CONTRIBUTING and docs: each leads to a file or a heading that is there, and every page of docs is three clicks away."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from docs.pictures.make import PICTURES

ROOT = Path(__file__).parent.parent
PAGES = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").rglob("*.md")])
LINK = re.compile(r"\]\(([^()\s]+)\)|(?:src|srcset|href)=\"([^\"]+)\"")
CODE = re.compile(r"`[^`\n]*`|^(?: {4}|\t)[^\n]*$", re.MULTILINE)
HEADING = re.compile(r"^#+ +(.+?) *$", re.MULTILINE)
STRIPS = ROOT / "docs" / "pictures" / "samplers"  # `test_samplers_told.py` asks for these
MOST_PICTURES = 1_600_000  # bytes of all pictures in docs


def links(page: Path) -> list[str]:
    """Every link of the page that leads into the repository."""
    text = CODE.sub("", page.read_text("utf-8"))
    found = (match[1] or match[2] for match in LINK.finditer(text))
    return [link for link in found if "://" not in link]


def anchors(page: Path, level: str = "") -> set[str]:
    """The names that GitHub gives the headings of a page: lower case, without punctuation, spaces as hyphens. `level`: how they begin."""
    titles = [match for match in HEADING.finditer(page.read_text("utf-8")) if match[0].startswith(level)]
    return {re.sub(r"[^\w\- ]", "", match[1].lower()).replace(" ", "-") for match in titles}


def broken(page: Path) -> Iterator[str]:
    for link in links(page):
        name, _, anchor = link.partition("#")
        target = (page.parent / name).resolve() if name else page
        if not target.exists():
            yield f"{page.name}: {link} leads to no file"
        elif anchor and anchor not in anchors(target):
            yield f"{page.name}: {link} leads to no heading"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_link_leads_somewhere(page: Path) -> None:
    assert list(broken(page)) == []


def test_a_link_that_leads_nowhere_would_be_found(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# One, two\n[a](page.md#one-two) [b](gone.md) [c](#three) `[code](x.md)`\n\n    [code](y.md)\n")
    assert list(broken(page)) == ["page.md: gone.md leads to no file", "page.md: #three leads to no heading"]


def test_every_heading_of_the_docs_is_three_clicks_from_the_readme() -> None:
    """One to the page, one to the heading in the list at its head."""
    near = {(ROOT / link.partition("#")[0]).resolve() for link in links(ROOT / "README.md")}
    denoisers = [page for page in PAGES if page.parent == ROOT / "docs"]
    assert [page.name for page in denoisers if page not in near] == []
    listing = [page for page in denoisers if page.name not in ("decisions.md", "packages.md")]
    assert {page.name: missing for page in listing if (missing := anchors(page, "## ") - anchors_listed(page))} == {}


def anchors_listed(page: Path) -> set[str]:
    return {link[1:] for link in links(page) if link.startswith("#")}


def test_every_picture_has_its_scene_is_shown_and_all_are_small_together() -> None:
    pictures = {path for path in (ROOT / "docs").rglob("*") if path.suffix in (".webp", ".png", ".jpeg", ".jpg")}
    assert {path.name for path in pictures if path.parent != STRIPS} == {f"{name}.webp" for name in PICTURES}
    shown = {(page.parent / link).resolve() for page in PAGES for link in links(page)}
    assert pictures <= shown
    assert sum(path.stat().st_size for path in pictures) < MOST_PICTURES
