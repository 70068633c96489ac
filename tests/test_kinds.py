"""Every kind of request has what a kind needs, and what one declares is used: a test names what is missing."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import fields
from functools import cache
from pathlib import Path
from typing import Any

import gradio as gr
import pytest

import ui
from bench import remake_stock
from pipelines.metadata.two_passes import ASKED, TILED
from pipelines.requests.request import KINDS, Drawing, Enlarge, Request, TextToImage, Wordless, describe, restore
from pipelines.tasks.recipes import DRAWN, MADE, WORDLESS
from tests.support.toys import toy_studio
from ui.parts.components import static
from ui.parts.form import CARRIED, TabForm

ROOT = Path(__file__).parents[1]
# What tells of a request, shows it or keeps it, and would do so for a field that nobody uses.
TELLS = (
    "metadata/",
    "requests/request.py",
    "requests/drawing.py",
    "requests/base.py",
    "requests/as_made.py",
    "resolving/rebind.py",
    "resolving/model_search.py",
    "services/preflight.py",
)
USES = "metadata/two_passes.py"  # but for this one, which makes a request of another; some fields it reads by a table


def every_kind() -> Any:
    return pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)


# ---- declared and used ---------------------------------------------------------------------------------------------------------


@cache
def read_by_name(folder: Path) -> frozenset[tuple[str, str]]:
    """(file, attribute) of every `something.attribute` that is read in the folder."""
    return frozenset(
        (path.relative_to(folder).as_posix(), node.attr)
        for path in folder.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load)
    )


def read_in_request() -> Iterator[str]:
    """What the properties and methods of requests read of themselves, beside checking it."""
    for name in ("request", "drawing", "enlarge", "second_pass"):
        for node in ast.walk(ast.parse((ROOT / "pipelines" / "requests" / f"{name}.py").read_text("utf-8"))):
            if isinstance(node, ast.FunctionDef) and node.name != "check":
                yield from (part.attr for part in ast.walk(node) if isinstance(part, ast.Attribute) and ast.unparse(part.value) == "self")


def unused(kind: type[Request]) -> list[str]:
    draws = [attribute for file, attribute in read_by_name(ROOT / "pipelines") if file == USES or not file.startswith(TELLS)]
    used = {*draws, *read_in_request(), *ASKED.values(), *TILED.values()}
    return [item.name for item in fields(kind) if item.name not in used | {"as_made"}]


@every_kind()
def test_every_field_that_is_declared_is_used(kind: type[Request]) -> None:
    assert unused(kind) == []


# ---- what a kind needs ---------------------------------------------------------------------------------------------------------


@every_kind()
def test_every_kind_has_its_recipe(kind: type[Request]) -> None:
    assert kind.kind in (DRAWN if issubclass(kind, Drawing) else WORDLESS if issubclass(kind, Wordless) else MADE)


def test_every_recipe_has_its_kind() -> None:
    assert {*DRAWN, *MADE, *WORDLESS} == {*KINDS}


@every_kind()
def test_every_kind_comes_back_from_its_description(kind: type[Request]) -> None:
    assert restore(describe(kind())) == kind()


def test_every_kind_is_among_the_random_requests_that_are_made_again() -> None:
    assert len(remake_stock.KINDS) == len(KINDS)


@pytest.fixture(scope="module")
def tab_forms(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, TabForm]]:
    """The forms and stages of all tabs, by kind."""
    studio = toy_studio(tmp_path_factory.mktemp("kinds"), start=False)
    with gr.Blocks(analytics_enabled=False):
        built = [tab.build(studio) for tab in ui.TABS]
    yield {desk.form.kind.kind: desk for desk in built if desk}
    studio.book.close()


@every_kind()
def test_every_kind_has_a_tab_of_its_name_whose_form_hides_no_field(tab_forms: dict[str, TabForm], kind: type[Request]) -> None:
    shown = tab_forms[kind.kind].form.inputs
    assert {item.name for item in fields(kind) if not item.metadata["derived"]} == set(shown) - {CARRIED}
    assert all(part.visible for part in shown.values())  # pyright: ignore[reportAttributeAccessIssue]
    assert kind.kind in {tab.__name__.rpartition(".")[2] for tab in ui.TABS}


@every_kind()
def test_every_kind_has_its_place_in_send_to(kind: type[Request]) -> None:
    assert f'data-part="to-{kind.kind}"' in static("stage.html")


def test_what_is_no_drawing_has_nothing_of_one() -> None:
    own = {item.name for item in fields(Enlarge)}
    shared = {"width", "height", "threads"}  # its size, where it is not a factor, and what an upscaler is computed by
    assert own & {item.name for item in fields(TextToImage)} == shared
    assert Enlarge().picture_count == 1
    assert not isinstance(Enlarge(), Drawing)
