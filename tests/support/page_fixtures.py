"""A real browser in front of a real server, both for the length of a test module: the page on the toy studio."""

from __future__ import annotations

import asyncio
import os
import random
import re
import socket
import threading
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from fastapi import FastAPI
from playwright.sync_api import APIRequestContext, Browser, BrowserContext, ConsoleMessage, Error, Locator, Page, Request, expect
from starlette.types import ASGIApp, Receive, Scope, Send

from models.library.catalog import Catalog
from packages.browsers import chromium_here
from pipelines import Studio
from pipelines.job_book.book import JobBook
from pipelines.jobs.outputs import Outputs
from pipelines.jobs.runner import Runner
from tests.support import page_files as page_files  # it compresses the files of the page once
from tests.support.one_chromium import OTHERS, SHARED, OneChromium
from tests.support.toys import ToyPainter, toy_model_folder, wait_until
from ui import TABS, name_of, page
from ui.door.certificate import OwnCertificate
from ui.door.connection import Deadlines
from ui.door.connection_limits import ConnectionLimits, Room, file_limit
from ui.door.csp import Numbered
from ui.door.encryption import Encrypted
from ui.parts.theme import look
from ui.server import Door, create_app

LAN = "lan.test"  # what the machine is called by others
expect.set_options(timeout=30_000)  # milliseconds; a machine that tests other things as well takes its time
# Seconds that an answer may be late. A test that waits for what it means holds with 0.5 as well as with 0 (see CONTRIBUTING.md).
LAG = float(os.environ.get("PAGE_LAG") or 0)


class Late:
    """Answers as over a slow and uneven line: each request waits for a while, so later ones overtake earlier ones."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await asyncio.sleep(random.uniform(0, LAG))
        await self.app(scope, receive, send)


@dataclass
class House:
    """The server, which can close and open again at the same address with the same folder."""

    folder: Path
    port: int
    runner: ToyPainter = field(default_factory=ToyPainter)
    warm: threading.Event = field(default_factory=threading.Event)  # set: the runner opens at once
    studio: Studio | None = None
    more: dict[str, Any] = field(default_factory=dict)  # what else the studio is given
    head: str = ""  # what else stands in the head of the page, before all scripts run
    tabs: Sequence[str] = field(default_factory=lambda: [name_of(tab) for tab in TABS])  # of the page
    encrypted: bool = False  # others come to it as `LAN` over HTTPS, as with --listen
    _app: FastAPI | None = None
    _server: uvicorn.Server | None = None
    _thread: threading.Thread | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/"

    @property
    def models(self) -> Path:
        """A folder of models; whatever is put there appears on the page."""
        folder = self.folder / "models"
        folder.mkdir(exist_ok=True)
        return folder

    def open(self) -> None:
        pictures = self.folder / "outputs"
        book = JobBook(pictures / "studio.db", pictures)
        self.studio = Studio(self.catalog(), Outputs(pictures), book, self._open_runner, **self.more)
        self.runner.inputs = self.studio.uploads.inputs
        self.studio.start()
        tabs = [tab for tab in TABS if name_of(tab) in self.tabs]
        certificate = OwnCertificate(self.folder / "certificate", lambda: [LAN]) if self.encrypted else None
        door = Door(frozenset({LAN}), listens="0.0.0.0", certificate=certificate) if certificate else Door()
        self._app = create_app(self.studio, partial(page, tabs=tabs), door, **look())
        head = next(layer for layer in self._app.user_middleware if layer.cls is Numbered).kwargs
        head["head"] = f"{head['head']}{self.head}"
        if LAG:
            self._app.add_middleware(Late)
        spoken: Any = partial(Encrypted, certificate, ConnectionLimits(Room.of_files(file_limit())), Deadlines()) if certificate else "h11"
        config = uvicorn.Config(self._app, port=self.port, http=spoken, ws="none", log_level="error", timeout_graceful_shutdown=1)
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, daemon=True)
        self._thread.start()
        wait_until(lambda: self._server and self._server.started, 30)

    def catalog(self) -> Catalog:
        return Catalog(toy_model_folder(self.folder / "toy"), [self.models])

    def _open_runner(self) -> Runner:
        self.warm.wait()
        return self.runner

    def close(self) -> None:
        if self._app and self._server and self._thread and self.studio:
            self._server.servers[0].get_loop().call_soon_threadsafe(self._app.state.closing.set)
            self._server.should_exit = True
            self._thread.join(15)
            self.studio.close()
        self._server = self._thread = self.studio = None


@dataclass
class Visit:
    """One person's browser window, and what it complained of."""

    house: House
    context: BrowserContext
    page: Page
    complaints: list[str]
    posts: list[str]
    hosts: set[str]

    def note(self, request: Request) -> None:
        self.hosts.add(request.url.split("/")[2] if "://" in request.url else "inline")
        if request.method == "POST":
            self.posts.append(request.url)

    def go(self) -> None:
        self.page.goto(self.house.url)
        self.settle()

    def reload(self) -> None:
        self.page.reload()
        self.settle()

    def settle(self) -> None:
        """Until the form is restored and the prompt is counted: the page is at rest."""
        counted = "/\\d+ \\/ \\d+/.test(document.querySelector('[data-part=figure]')?.textContent)"
        self.page.wait_for_function(f"() => window.inside?.page.forms.txt2img && {counted}", polling=50)
        at_rest(self.page)

    def control(self, name: str) -> Locator:
        return self.page.locator(f"#txt2img-{name} :is(textarea, input[type=number], input:not([type]), input[type=text])").first

    def part(self, name: str) -> Locator:
        return self.page.locator(f"#stage [data-part={name}]")

    def set(self, name: str, value: str) -> None:
        self.control(name).fill(value)
        self.control(name).press("Tab")

    def generate(self, prompt: str | None = None) -> None:
        if prompt is not None:
            self.control("prompt").fill(prompt)
        self.page.locator("#txt2img-generate").click()

    def open_sheet(self) -> None:
        """All of the form on a phone, where it is a sheet. Elsewhere it always is there."""
        more = self.page.locator("button.sheet-more:visible")
        if more.count() and more.get_attribute("aria-expanded") != "true":
            more.click()
            expect(more).to_have_attribute("aria-expanded", "true")

    def unfold(self, name: str = "Sampling") -> None:
        """Opens a row of the form that is seen; it may have been left open. On a phone its sheet comes first."""
        self.open_sheet()
        fold = self.page.locator(".form-side:visible").get_by_role("button", name=re.compile(f"^{name}"))
        if fold.get_attribute("aria-expanded") != "true":
            fold.click()
        at_rest(self.page)

    def send_to(self, tab: str) -> None:
        """The picture of the surface into another tab, by the menu."""
        self.part("send").click()
        self.part(f"to-{tab}").click()

    def open_tab(self, name: str) -> None:
        self.page.get_by_role("tab", name=name, exact=True).click()
        at_rest(self.page)

    def finished(self) -> str:
        """The address of the finished picture in the frame, once it is there."""
        self.page.wait_for_selector('[data-part=frame][data-showing="picture"]')
        return self.part("picture").get_attribute("src") or ""

    @contextmanager
    def another_picture(self) -> Generator[None]:
        """Until the frame shows another picture than before. A press of Generate that comes earlier may meet the last one unanswered."""
        before = self.part("picture").get_attribute("src")
        yield
        wait_for(self.page, lambda: self.part("picture").get_attribute("src") != before)
        self.finished()

    def told(self, verb: str) -> AbstractContextManager[Any]:
        """Until the server has been told to stop or skip the job."""
        return self.page.expect_response(re.compile(rf"/jobs/[^/]+/{verb}$"))

    def step(self) -> int:
        shown = re.match(r"Step (\d+)", self.part("status").text_content() or "")
        return int(shown[1]) if shown else 0

    def wait_for_step(self, least: int) -> None:
        wait_for(self.page, lambda: self.step() >= least)


def at_rest(page: Page) -> None:
    """Until what was just shown can be filled: Gradio gives new components their values once more within about 50 ms."""
    page.evaluate("() => new Promise((done) => setTimeout(() => requestIdleCallback(done, { timeout: 2000 }), 150))")


def wait_for(page: Page, condition: Any, seconds: float = 30) -> None:
    """Polls without stopping the browser's events; less often after a while, as each look is work for three processes."""
    end, pause = time.monotonic() + seconds, 20.0
    while not condition():
        assert time.monotonic() < end, "did not come true in time"
        page.wait_for_timeout(pause)
        pause = min(120, 1.25 * pause)


@pytest.fixture(scope="module")
def browser(one_chromium: OneChromium) -> Generator[Browser]:
    chromium = chromium_here()
    if not chromium:
        pytest.skip("no Chromium here")
    yield one_chromium.taken(chromium)
    one_chromium.left()


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


@contextmanager
def opened(house: House) -> Generator[House]:
    """The server, open, with a runner that opens at once."""
    house.warm.set()
    house.open()
    yield house
    house.close()


@pytest.fixture(scope="module")
def open_house(tmp_path_factory: pytest.TempPathFactory, one_chromium: OneChromium) -> Generator[House]:
    with opened(House(tmp_path_factory.mktemp("house"), one_chromium.port)) as house:
        yield house


def house_with(*tabs: str) -> Callable[..., object]:
    """The fixture `open_house` of a module that looks at no tabs but these and text to image: it loads with a quarter less work."""

    @pytest.fixture(scope="module", name="open_house")
    def of_few_tabs(tmp_path_factory: pytest.TempPathFactory, one_chromium: OneChromium) -> Generator[House]:
        with opened(House(tmp_path_factory.mktemp("house"), one_chromium.port, tabs=("txt2img", *tabs))) as house:
            yield house

    return of_few_tabs


@pytest.fixture
def house(open_house: House) -> Generator[House]:
    """The server with a runner that is quick and has no gate."""
    yield open_house
    gate, open_house.runner.gate = open_house.runner.gate, None
    open_house.runner.step_seconds = 0.0
    open_house.warm.set()
    if gate:
        gate.release(1000)


# What a test asks of the page's modules, by name: `inside.page.forms` is what page.js exports.
INSIDE = """addEventListener("DOMContentLoaded", async () => {
  const script = document.getElementById("atelier-script");
  if (script) window.inside = await import(script.src);
});"""


def context(browser: Browser, **options: Any) -> BrowserContext:
    """A window of its own, in which tests can ask the page's modules."""
    made = browser.new_context(**options)
    made.add_init_script(INSIDE)
    return made


def shared_page(browser: Browser, url: str, width: int = 1280, height: int = 720) -> Page:
    """The page that tests share, so that scripts are fetched and compiled once. Nothing that a site keeps is left in it."""
    if browser not in SHARED:
        SHARED[browser] = context(browser).new_page()
    return emptied(SHARED[browser], url, width, height)


def emptied(page: Page, url: str, width: int = 1280, height: int = 720) -> Page:
    page.goto("about:blank")
    page.set_viewport_size({"width": width, "height": height})
    page.unroute_all()
    page.context.unroute_all()
    page.context.clear_cookies()
    storage = {"origin": url.rstrip("/"), "storageTypes": "local_storage,indexeddb,service_workers,cache_storage"}
    wire = page.context.new_cdp_session(page)
    wire.send("Storage.clearDataForOrigin", storage)
    wire.send("Page.resetNavigationHistory")  # what a tab keeps goes with it
    wire.detach()
    # What the last page wrote in its last moment may arrive after that; a page of the same origin comes behind it.
    page.goto(f"{url.rstrip('/')}/healthz")
    page.evaluate("() => (localStorage.clear(), sessionStorage.clear())")
    return page


@contextmanager
def another_page(browser: Browser, url: str, **options: Any) -> Generator[Page]:
    """The page of somebody else: of a window that is kept for the next one where it is as others but for its size, else of a new one."""
    size = options.get("viewport") or {"width": 1280, "height": 720}
    if options.keys() - {"viewport"}:
        with closing(context(browser, **options)) as window:
            yield window.new_page()
        return
    page = OTHERS.pop(browser, None) or context(browser).new_page()
    yield emptied(page, url, size["width"], size["height"])
    page.goto("about:blank")
    OTHERS[browser] = page


@contextmanager
def without_a_page(browser: Browser) -> Generator[APIRequestContext]:
    """Somebody else, with cookies of their own, who asks as a program does: no page is loaded for what none is needed for."""
    with closing(browser.new_context()) as window:
        yield window.request


@contextmanager
def visiting(house: House, browser: Browser, page: Page | None = None, there: bool = False, **options: Any) -> Generator[Visit]:
    """A visit to the page at rest, in another window than the shared one unless a page is given, which may be `there` already."""
    with nullcontext(page) if page else another_page(browser, house.url, **options) as page:
        page.set_default_timeout(30_000)
        visit = Visit(house, page.context, page, [], [], set())
        with heard(page, visit.complaints):
            page.on("request", visit.note)
            if not there:
                visit.go()
            yield visit
            page.remove_listener("request", visit.note)


@contextmanager
def heard(page: Page, complaints: list[str]) -> Generator[None]:
    """What the page complains of, for as long as this lasts."""

    def error(told: Error) -> None:
        complaints.append(str(told))

    def message(told: ConsoleMessage) -> None:
        if told.type == "error":
            complaints.append(f"{told.text} {told.location.get('url', '')}".strip())

    page.on("pageerror", error)
    page.on("console", message)
    yield
    page.remove_listener("pageerror", error)
    page.remove_listener("console", message)


@pytest.fixture
def visit(house: House, browser: Browser) -> Generator[Visit]:
    """A visitor whose page must never complain and never ask another machine for anything."""
    with visiting(house, browser, shared_page(browser, house.url)) as visit:
        yield visit
        assert visit.complaints == []
        assert visit.hosts <= {f"127.0.0.1:{house.port}", "inline"}


@pytest.fixture
def as_left(house: House, browser: Browser) -> Generator[Visit]:
    """The page as the last test left it that asked for this too, or a new one where another test has loaded it since: see `still_well`."""
    page = SHARED.get(browser)
    there = bool(page and page.evaluate("() => window.asLeft"))
    with visiting(house, browser, page if there else shared_page(browser, house.url), there) as visit, still_well(visit):
        visit.page.evaluate("() => { window.asLeft = true; }")
        yield visit


@pytest.fixture(scope="module")
def one_page(open_house: House, browser: Browser) -> Generator[Visit]:
    """For modules whose tests can begin anew without a new page, which takes longer than many a test: see `still_well`."""
    with visiting(open_house, browser, shared_page(browser, open_house.url)) as visit:
        yield visit


@contextmanager
def still_well(visit: Visit) -> Generator[Visit]:
    """One test of those that share a page: afterwards it has not complained, and has its size again."""
    yield visit
    visit.page.unroute_all()
    visit.page.set_viewport_size({"width": 1280, "height": 720})
    complaints, visit.complaints[:] = [*visit.complaints], []
    assert complaints == []
    assert visit.hosts <= {f"127.0.0.1:{visit.house.port}", "inline"}
