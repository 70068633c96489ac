"""Firefox and WebKit as tests drive them, by the standards that each offers: one by WebDriver BiDi, one by WebDriver over HTTP.

Both are asked through the same few calls (`Driven`); what a test does with the studio's page in them stands in `browser_round.py`.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Generator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.sync.client import ClientConnection, connect

from tests.support.page_fixtures import free_port

PATIENCE = 60  # seconds for a browser to start, to answer, and for what a test waits for
WIDTH, HEIGHT = 1280, 900  # CSS pixels of the window
MINI_BROWSERS = "*/webkit2gtk-4.*/MiniBrowser", "webkit2gtk-4.*/MiniBrowser"  # below /usr/lib and /usr/libexec, as distributions choose


class Driven(ABC):
    """A browser with one window. `act` takes input sources as WebDriver's actions have them: both standards do."""

    @abstractmethod
    def go(self, address: str) -> None:
        """Opens an address; returns when it is loaded."""

    @abstractmethod
    def value(self, expression: str) -> str:
        """The text that a promise in the page comes to. Raises `AssertionError` where it fails."""

    @abstractmethod
    def act(self, *sources: dict[str, Any]) -> None:
        """Moves, presses and types as a person does."""

    @abstractmethod
    def complaints(self) -> list[str]:
        """The errors of the page's scripts and console since the browser was started."""

    def js(self, function: str, *given: object) -> Any:  # Any: JSON out of the page
        """What a function of JavaScript answers."""
        return json.loads(self.value(f"(async () => JSON.stringify((await ({function})(...{json.dumps(given)})) ?? null))()"))

    def click(self, x: float, y: float) -> None:
        self.drag((x, y))

    def drag(self, *places: tuple[float, float]) -> None:
        """Presses at the first place, moves over the others, lets go. In CSS pixels from the window's upper left corner."""
        moves = [{"type": "pointerMove", "x": round(x), "y": round(y), "duration": 30} for x, y in places]
        press, release = ({"type": f"pointer{way}", "button": 0} for way in ("Down", "Up"))
        mouse = {"type": "pointer", "id": "mouse", "parameters": {"pointerType": "mouse"}}
        self.act(mouse | {"actions": [moves[0], press, *moves[1:], release]})

    def type(self, text: str) -> None:
        strokes = [{"type": f"key{way}", "value": letter} for letter in text for way in ("Down", "Up")]
        self.act({"type": "key", "id": "keyboard", "actions": strokes})


def until(condition: Callable[[], Any], seconds: float = PATIENCE) -> Any:
    """What a condition comes to once it holds."""
    end = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < end, "did not come true in time"
        time.sleep(0.05)
    return found


@contextmanager
def running(command: list[str], log: Path, **environment: str) -> Generator[subprocess.Popen[bytes]]:
    """A program that ends with the block; what it says goes to a file."""
    with log.open("wb") as out:
        program = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT, env={**os.environ, **environment})
    try:
        yield program
    finally:
        program.terminate()
        try:
            program.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            program.kill()
            program.wait()


def said(log: Path, pattern: str) -> str:
    """What a pattern finds in what a program says, once it does."""
    return until(lambda: re.search(pattern, log.read_text("utf-8", "replace")))[1]


# ---- Firefox ---------------------------------------------------------------------------------------------------------------


class Firefox(Driven):
    """https://www.w3.org/TR/webdriver-bidi/, over the socket that Firefox opens itself."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket
        self.number = 0
        self.heard: list[dict[str, Any]] = []
        self.ask("session.new", capabilities={})
        self.ask("session.subscribe", events=["log.entryAdded"])
        self.window = self.ask("browsingContext.getTree")["contexts"][0]["context"]
        self.ask("browsingContext.setViewport", context=self.window, viewport={"width": WIDTH, "height": HEIGHT})

    def ask(self, method: str, **parameters: object) -> Any:  # Any: JSON
        """The answer to a command; what the browser tells in between is kept."""
        self.number += 1
        self.socket.send(json.dumps({"id": self.number, "method": method, "params": parameters}))
        while (answer := json.loads(self.socket.recv(PATIENCE))).get("id") != self.number:
            self.heard.append(answer)
        assert answer["type"] == "success", answer
        return answer["result"]

    def go(self, address: str) -> None:
        self.ask("browsingContext.navigate", context=self.window, url=address, wait="complete")

    def value(self, expression: str) -> str:
        answer = self.ask("script.evaluate", expression=expression, target={"context": self.window}, awaitPromise=True)
        assert answer["type"] == "success", answer
        return answer["result"]["value"]

    def act(self, *sources: dict[str, Any]) -> None:
        self.ask("input.performActions", context=self.window, actions=sources)

    def complaints(self) -> list[str]:
        self.ask("session.status")  # what was told before it has come
        entries = [event["params"] for event in self.heard if event.get("method") == "log.entryAdded"]
        return [str(entry["text"]) for entry in entries if entry["level"] == "error"]


@contextmanager
def firefox(folder: Path) -> Generator[Firefox]:
    program = shutil.which("firefox-esr") or shutil.which("firefox")
    if not program:
        pytest.skip("no Firefox here: THE PAGE IS NOT TRIED IN FIREFOX. On Debian, this installs it: sudo apt install firefox-esr")
    profile, log = folder / "profile", folder / "firefox.log"
    profile.mkdir()
    (profile / "user.js").write_text('user_pref("devtools.jsonview.enabled", false);\n')  # an answer in JSON is a page like any other
    command = [program, "--headless", "--profile", str(profile), "--remote-debugging-port", "0", "about:blank"]
    with running(command, log, HOME=str(folder)):
        address = said(log, r"WebDriver BiDi listening on (ws://\S+)")
        with connect(f"{address}/session", max_size=None, proxy=None) as socket:
            yield Firefox(socket)


# ---- WebKit ----------------------------------------------------------------------------------------------------------------


# WebKit's driver says nothing of the console, so the page has to keep it: a script for its head.
KEEPS = """<script>
window.complaints = [];
addEventListener("error", ({ message }) => complaints.push(message));
addEventListener("unhandledrejection", ({ reason }) => complaints.push(String(reason)));
addEventListener("securitypolicyviolation", ({ violatedDirective }) => complaints.push(violatedDirective));
console.error = (...words) => complaints.push(words.join(" "));
</script>"""
KEPT = "() => window.complaints?.splice(0)"


class WebKit(Driven):
    """https://www.w3.org/TR/webdriver2/, through the driver that comes with WebKitGTK. What its pages complain of, `KEEPS` keeps for it."""

    def __init__(self, driver: httpx.Client, program: Path) -> None:
        self.driver = driver
        self.heard: list[str] = []
        asked = {"webkitgtk:browserOptions": {"binary": str(program), "args": ["--automation"]}}
        session = self._answer(driver.post("session", json={"capabilities": {"alwaysMatch": asked}}))
        self.session = f"session/{session['sessionId']}"
        self.ask("window/rect", x=0, y=0, width=WIDTH, height=HEIGHT)

    def close(self) -> None:
        self._answer(self.driver.delete(self.session))

    def ask(self, command: str, **parameters: object) -> Any:  # Any: JSON
        return self._answer(self.driver.post(f"{self.session}/{command}", json=parameters))

    def _answer(self, answer: httpx.Response) -> Any:  # Any: JSON
        assert answer.status_code == 200, answer.text
        return answer.json()["value"]

    def go(self, address: str) -> None:
        self.complaints()
        self.ask("url", url=address)

    def value(self, expression: str) -> str:
        script = f"const done = arguments[0]; {expression}.then((text) => done([text]), (error) => done(String(error)));"
        answer = self.ask("execute/async", script=script, args=[])
        assert isinstance(answer, list), answer
        return answer[0]

    def act(self, *sources: dict[str, Any]) -> None:
        self.ask("actions", actions=sources)

    def complaints(self) -> list[str]:
        self.heard += self.js(KEPT) or []
        return self.heard


@contextmanager
def webkit(folder: Path) -> Generator[WebKit]:
    mini = next((found for home in ("/usr/lib", "/usr/libexec") for kind in MINI_BROWSERS for found in Path(home).glob(kind)), None)
    driver, screen = shutil.which("WebKitWebDriver"), shutil.which("Xvfb")
    if not (mini and driver and screen):
        needs = "sudo apt install webkit2gtk-driver xvfb"
        pytest.skip(f"no WebKit here: THE PAGE IS NOT TRIED IN WEBKIT. On Debian, this installs it: {needs}")
    port = free_port()
    with (
        on_a_screen(screen, folder) as display,
        running([driver, f"--port={port}"], folder / "driver.log", DISPLAY=display, HOME=str(folder)),
        httpx.Client(base_url=f"http://127.0.0.1:{port}/", timeout=PATIENCE, trust_env=False) as client,
    ):
        until(lambda: answers(client))
        with closing(WebKit(client, mini)) as browser:
            yield browser


@contextmanager
def on_a_screen(program: str, folder: Path) -> Generator[str]:
    """A screen that nobody sees; its name. The server chooses a free number and writes it to a file."""
    told = folder / "display"
    shell = 'exec "$0" -displayfd 3 -screen 0 1600x1200x24 -nolisten tcp 3>"$1"'
    with running(["/bin/sh", "-c", shell, program, str(told)], folder / "screen.log"):
        yield ":" + until(lambda: told.exists() and told.read_text().strip())


def answers(client: httpx.Client) -> bool:
    try:
        return client.get("status").json()["value"]["ready"]
    except httpx.TransportError:
        return False
