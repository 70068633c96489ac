"""What holds for all tests."""

from __future__ import annotations

import gc

import pytest

for told in ("page_fixtures", "unit_pages", "other_browsers", "browser_round"):
    pytest.register_assert_rewrite(f"tests.support.{told}")  # their asserts tell values


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--smoke", action="store_true", help="only the tests marked smoke: a minute that finds what is broken altogether")


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("--smoke"):
        config.option.markexpr = "smoke"


def pytest_collection_finish(session: pytest.Session) -> None:
    """The libraries are left out of every later collection of garbage, which then takes milliseconds and not a third of a second."""
    gc.collect()
    gc.freeze()
