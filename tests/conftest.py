"""What holds for all tests."""

from __future__ import annotations

import gc
from collections import Counter

import pytest

# Files of few tests that take long. Several workers take files in this order, then those of many tests, so none works on alone at the end.
LONG = (
    "test_types", "test_page_finishing", "test_remake", "test_control_acceptance", "test_models_acceptance", "test_full_size",
    "test_faults_files", "test_door_links", "test_pictures_acceptance", "test_page_afternoon", "test_acceptance", "test_pictures_starter",
    "test_starter", "test_starter_extras", "test_kills", "test_page_library", "test_page_windows", "test_page_enlarge",
    "test_page_firefox", "test_page_webkit", "test_page_sizes", "test_page_access", "test_page_models", "test_page_tools",
    "test_run_killed", "test_annotators_large", "test_recipe_controls",
)  # fmt: skip

for told in ("page_fixtures", "unit_pages", "other_browsers", "browser_round"):
    pytest.register_assert_rewrite(f"tests.support.{told}")  # their asserts tell values


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--smoke", action="store_true", help="only the tests marked smoke: a minute that finds what is broken altogether")


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("--smoke"):
        config.option.markexpr = "smoke"


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """The order in which xdist hands out files (`--no-loadscope-reorder`); within a file the order stays."""
    if not hasattr(config, "workerinput"):
        return
    tests = Counter(item.path.stem for item in items)
    place = {name: number for number, name in enumerate(LONG)}
    items.sort(key=lambda item: (place.get(item.path.stem, len(LONG)), -tests[item.path.stem]))


def pytest_collection_finish(session: pytest.Session) -> None:
    """The libraries are left out of every later collection of garbage, which then takes milliseconds and not a third of a second."""
    gc.collect()
    gc.freeze()
