"""Servers and a browser that the door's tests share: each starts once, when a test first needs it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from packages.browsers import chromium_here
from tests.support.doors import PASSWORD, RunningDoor, running_door
from tests.support.toys import toy_studio
from ui.door.login import LoginRoutes
from ui.door.reach import Reach
from ui.routes.addresses import Address, addresses

CHROMIUM_SWITCHES = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update",
    "--disable-sync", "--host-resolver-rules=" + ", ".join(f"MAP {name}.test 127.0.0.1" for name in ("evil", "lan", "rebind", "studio")),
)  # fmt: skip


@pytest.fixture(scope="session")
def studio_door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningDoor]:
    """The real page on the toy studio, no password, also reached as lan.test."""
    with running_door(tmp_path_factory.mktemp("studio_door"), "ui:page", hosts="lan.test") as door:
        yield door


@pytest.fixture(scope="session")
def example_door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningDoor]:
    """The example page, which also has what the real one avoids, no password, also reached as lan.test."""
    with running_door(tmp_path_factory.mktemp("example_door"), hosts="lan.test") as door:
        yield door


@pytest.fixture(scope="session")
def locked_door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningDoor]:
    """The example page behind a password, also reached as lan.test. As a proxy is named, who sits at the machine logs in too."""
    with running_door(tmp_path_factory.mktemp("locked_door"), password=PASSWORD, hosts="lan.test", proxies=["192.0.2.1"]) as door:
        yield door


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    """One Chromium in which evil.test, lan.test and rebind.test are this machine.

    It is closed at the end of its file: while Playwright is open, no other test can run an event loop in this thread.
    """
    sync_api = pytest.importorskip("playwright.sync_api")
    program = chromium_here()
    if not program:
        pytest.skip("no Chromium on this machine")
    with sync_api.sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=program, args=list(CHROMIUM_SWITCHES))
        yield launched
        launched.close()


@pytest.fixture(scope="session")
def table(tmp_path_factory: pytest.TempPathFactory) -> list[Address]:
    """All routes of ours."""
    studio = toy_studio(tmp_path_factory.mktemp("table"), start=False)
    found = list(addresses(studio, LoginRoutes(studio.people), asyncio.Event(), Reach()))
    studio.close()
    return found
