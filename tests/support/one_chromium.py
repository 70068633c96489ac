"""One Chromium for all tests of a process, and one address for the pages they look at: so scripts are fetched and compiled once."""

from __future__ import annotations

import asyncio
import random
import socket
from asyncio import events
from weakref import WeakKeyDictionary

from playwright.sync_api import Browser, BrowserContext, Page, Playwright, sync_playwright

SWITCHES = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--host-resolver-rules=MAP lan.test 127.0.0.1",
]  # fmt: skip
SHARED: WeakKeyDictionary[Browser, Page] = WeakKeyDictionary()  # the page that tests share, see `shared_page`
OTHERS: WeakKeyDictionary[Browser, Page] = WeakKeyDictionary()  # that of somebody else, see `another_page`
BELOW = range(20_000, 32_000)  # ports that no system gives to connections that go out, so one stays free between two servers


class OneChromium:
    """It is lent to one module after another (`taken`, `left`). While nobody has it no event loop runs in this thread, so others may."""

    def __init__(self) -> None:
        self._playwright: Playwright | None = None
        self._browser: Browser | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._port = 0

    @property
    def port(self) -> int:
        """The same each time, unless somebody listens there: what is kept of scripts is kept by address."""
        if not self._port or not _is_free(self._port):
            self._port = next(port for port in random.sample(BELOW, len(BELOW)) if _is_free(port))
        return self._port

    def taken(self, program: str) -> Browser:
        """The browser, started where it is not yet, or no longer."""
        events._set_running_loop(self._loop)  # as Playwright leaves it between two calls
        if self._playwright is None:
            self._playwright = sync_playwright().start()
        if self._browser is None or not self._browser.is_connected():
            self._browser = self._playwright.chromium.launch(executable_path=program, args=SWITCHES)
        return self._browser

    def left(self) -> None:
        """Nothing of a module stays but the files and scripts that the shared window keeps."""
        if self._browser and self._browser.is_connected():
            kept = [(book, page.context) for book in (SHARED, OTHERS) if (page := book.pop(self._browser, None))]
            for window in self._browser.contexts:
                if window not in [one for _, one in kept]:
                    window.close()
            for book, window in kept:
                book[self._browser] = _emptied(window)
        self._loop = events._get_running_loop()
        events._set_running_loop(None)

    def close(self) -> None:
        if self._playwright:
            events._set_running_loop(self._loop)
            if self._browser:
                self._browser.close()
            self._playwright.stop()


def _emptied(window: BrowserContext) -> Page:
    """A new page, the only one, in a window where nothing is allowed and nothing known."""
    other = window.new_page()
    for page in window.pages:
        if page is not other:
            page.close()
    window.clear_permissions()
    window.clear_cookies()
    return other


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as servers do: what has just ended is no hindrance
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
