"""The paint canvas alone on a bare page: a small server that keeps what is posted, and a stand-in for Gradio's HTML component."""

from __future__ import annotations

import hashlib
import io
import json
import socket
import threading
from collections.abc import Generator
from contextlib import closing, contextmanager, nullcontext, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, BrowserContext, Page

from tests.support.one_chromium import OneChromium
from tests.support.page_fixtures import context, heard, shared_page, wait_for
from ui.door.csp import policy
from ui.parts.assets import look_sheet
from ui.parts.scripts import STATIC, modules, static

PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Canvas</title>
<link rel="stylesheet" href="colours.css"><link rel="stylesheet" href="atelier.css"><link rel="stylesheet" href="canvas.css">
<style>#home { height: 640px } * { box-sizing: border-box } button, input { font: inherit }
body { margin: 0; padding: 12px; background: #f4f4f3; font: 15px system-ui } body.dark { background: #161616 }
.card { padding: 16px; border: 1px solid var(--line); border-radius: 12px; background: var(--sheet) }</style>
<body><div class="gradio-container"><input id="elsewhere"><div class="card" id="tab"><div id="home"></div></div></div>
<script type="module" src="boot.js"></script></body></html>"""
BOOT = """
import * as canvas from "./canvas.js";
import * as page from "./page.js";
import * as layer from "./layer.js";
import * as stroke from "./stroke.js";
import "./look.js";

window.inside = { canvas, layer, page, stroke };
const listeners = [];
const store = { offers: JSON.parse(decodeURIComponent(location.hash.slice(1))), value: new URLSearchParams(location.search).get("value") };
window.harness = {
  changes: [], holds: [], entered: [], painted: [], kept: [],
  set(value) { store.value = value; queueMicrotask(() => listeners.forEach((act) => act())); },
  get value() { return store.value; },
  say(name, detail) { window.dispatchEvent(new CustomEvent(name, { detail })); },
};
window.addEventListener("atelier:hold", ({ detail }) => harness.holds.push(detail.value));
window.addEventListener("atelier:painted", ({ detail }) => harness.painted.push(detail));
const props = new Proxy(store, { set(target, name, value) { target[name] = value; return true; } });
const trigger = (name) => { if (name === "change") harness.changes.push(store.value); };
const watch = (names, act) => listeners.push(act);
fetch("canvas.html").then((answer) => answer.text()).then((skeleton) => {
  const home = document.querySelector("#home");
  home.innerHTML = skeleton;
  canvas.build({ element: home, trigger, props, server: {}, watch });
  window.ready = true;
});
window.harness_bytes = (bytes) => {
  const parts = [];
  for (let place = 0; place < bytes.length; place += 32768) parts.push(String.fromCharCode(...bytes.subarray(place, place + 32768)));
  return parts.join("");
};
"""


def png(pixels: np.ndarray) -> bytes:
    held = io.BytesIO()
    Image.fromarray(pixels).save(held, "PNG")
    return held.getvalue()


def noise(width: int, height: int, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


@dataclass
class Inputs:
    """The server: what it has, what was posted, and an error it may answer with."""

    files: dict[str, bytes] = field(default_factory=dict)
    posts: list[tuple[str, bytes]] = field(default_factory=list)
    refuse: str = ""
    mask: str = ""
    notes: list[str] = field(default_factory=list)
    port: int = 0

    def add(self, pixels: np.ndarray) -> str:
        return self.keep(png(pixels))

    def keep(self, body: bytes) -> str:
        name = hashlib.sha256(body).hexdigest()
        self.files[name] = body
        return name

    def posted(self, kind: str) -> list[bytes]:
        return [body for query, body in self.posts if f"as={kind}" in query]

    def answer(self, path: str) -> tuple[str, bytes] | None:
        name = path.strip("/")
        if name.startswith("input/"):
            body = self.files.get(name.removeprefix("input/").removesuffix(".png"))
            return ("image/png", body) if body else None
        if name in ("", "page"):
            return "text/html", PAGE.encode()
        if name == "healthz":
            return "text/plain", b"A page without scripts."
        if name == "boot.js":
            return "text/javascript", BOOT.encode()
        if name == "colours.css":
            return "text/css", look_sheet().encode()
        if name.endswith(".js"):
            module = modules().get(name.removesuffix(".js"))
            return ("text/javascript", module.encode()) if module else None
        kind = {"css": "text/css", "html": "text/plain"}.get(name.rpartition(".")[2])
        return (kind, static(name).encode()) if kind and (STATIC / name).exists() else None

    def take(self, query: str, body: bytes) -> tuple[int, dict[str, Any]]:
        self.posts.append((query, body))
        if self.refuse:
            return 422, {"message": self.refuse}
        asked = parse_qs(query)
        image = Image.open(io.BytesIO(body))
        if asked["as"] == ["mask"]:
            size = (int(asked["width"][0]), int(asked["height"][0]))
            image = image.convert("L").resize(size, Image.Resampling.NEAREST)
        name = self.add(np.asarray(image))
        return 200, {"id": name, "width": image.width, "height": image.height, "notes": self.notes, "mask": self.mask}


@dataclass
class Served:
    """What the server answers with at the moment."""

    inputs: Inputs


@pytest.fixture(scope="module")
def canvas_server(one_chromium: OneChromium) -> Generator[Served]:
    with serving(one_chromium.port) as served:
        yield served


@pytest.fixture
def inputs(canvas_server: Served) -> Inputs:
    """Of one test; the address stays, and with it what the browser has of the scripts."""
    canvas_server.inputs = Inputs(port=canvas_server.inputs.port)
    return canvas_server.inputs


class Ending(ThreadingHTTPServer):
    """Its connections end with it: a browser that has kept one would go on asking what is no longer there."""

    def __init__(self, *given: Any) -> None:
        self._open: set[socket.socket] = set()
        super().__init__(*given)

    def get_request(self) -> tuple[socket.socket, Any]:
        connection, address = super().get_request()
        self._open.add(connection)
        return connection, address

    def hang_up(self) -> None:
        for connection in self._open:
            with suppress(OSError):  # it has ended by itself
                connection.shutdown(socket.SHUT_RDWR)


@contextmanager
def serving(port: int) -> Generator[Served]:
    served = Served(Inputs(port=port))

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def reply(self, status: int, kind: str, body: bytes) -> None:
            self.send_response(status)
            headers = {
                "Content-Type": kind,
                "Content-Length": str(len(body)),
                "Content-Security-Policy": policy(),
                "Cache-Control": "max-age=3600" if kind in ("text/javascript", "text/css") else "no-store",
            }
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def do_GET(self) -> None:
            found = served.inputs.answer(urlsplit(self.path).path)
            self.reply(200 if found else 404, *(found or ("text/plain", b"")))

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            status, told = served.inputs.take(urlsplit(self.path).query, body)
            self.reply(status, "application/json", json.dumps(told).encode())

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = Ending(("127.0.0.1", port), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield served
    server.shutdown()
    server.server_close()
    server.hang_up()


@dataclass
class Easel:
    """One canvas in one window."""

    inputs: Inputs
    context: BrowserContext
    page: Page
    kind: str
    complaints: list[str] = field(default_factory=list)

    def part(self, name: str) -> Any:
        return self.page.locator(f"[data-part={name}]")

    def js(self, code: str, argument: Any = None) -> Any:
        return self.page.evaluate(code, argument)

    def go(self, offers: dict[str, Any], value: str = "") -> None:
        self.page.goto(f"http://127.0.0.1:{self.inputs.port}/page?value={value}#{quote(json.dumps(offers))}")
        self.begin()

    def reload(self) -> None:
        self.page.reload()
        self.begin()

    def begin(self) -> None:
        self.page.wait_for_function("() => window.ready")
        self.rest()

    def rest(self) -> None:
        """Until everything in line is done and drawn."""
        self.js("() => Object.values(inside.page.canvases)[0].idle()")
        self.js("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")

    def show(self, pixels: np.ndarray) -> str:
        name = self.inputs.add(pixels)
        self.js("(id) => harness.set(id)", name)
        self.wait("(id) => harness.value === id && Object.values(inside.page.canvases)[0].view.picture?.id === id", name)
        self.rest()
        return name

    def wait(self, code: str, argument: Any = None) -> None:
        wait_for(self.page, lambda: self.js(code, argument))

    def api(self, call: str, argument: Any = None) -> Any:
        return self.js(f"(argument) => {{ const api = inside.page.canvases['{self.kind}']; return {call}; }}", argument)

    def layer(self) -> np.ndarray:
        """The painted values as they are: rows of bytes, or of RGBA."""
        text, width, height, channels = self.api("[harness_bytes(api.layer.bytes), api.layer.width, api.layer.height, api.layer.channels]")
        flat = np.frombuffer(text.encode("latin-1"), np.uint8)
        return flat.reshape(height, width) if channels == 1 else flat.reshape(height, width, 4)

    def print(self) -> str:
        """A hash of the painted values: to carry all of them over, state by state, is most of the work of a long comparison."""
        return self.api("crypto.subtle.digest('SHA-256', api.layer.bytes).then((hash) => new Uint8Array(hash).join())")

    def at(self, x: float, y: float) -> tuple[float, float]:
        """Where on the page a point of the picture lies."""
        left, top = self.api(
            """(() => { const { view } = api; const box = view.canvas.getBoundingClientRect();
            const [x, y] = [view.x + argument[0] * view.scale, view.y + argument[1] * view.scale];
            return [box.left + x / view.dpr, box.top + y / view.dpr] })()""",
            [x, y],
        )
        return left, top

    def stroke(self, *points: tuple[float, float], steps: int = 1) -> None:
        """A stroke of the mouse through points of the picture."""
        self.page.mouse.move(*self.at(*points[0]))
        self.page.mouse.down()
        for point in points[1:]:
            self.page.mouse.move(*self.at(*point), steps=steps)
        self.page.mouse.up()

    def brush(self, size: int, hardness: int = 100) -> None:
        self.part("size").fill(str(size))
        self.part("size").press("Tab")
        self.part("hardness").evaluate("(slider, value) => { slider.value = value; slider.dispatchEvent(new Event('input')) }", hardness)

    def actual(self) -> None:
        self.part("whole").click()

    def drop(self, body: bytes, kind: str = "image/png") -> None:
        self.js(
            """([text, kind]) => {
              const bytes = Uint8Array.from(text, (letter) => letter.charCodeAt(0));
              const data = new DataTransfer();
              data.items.add(new File([bytes], "picture.png", { type: kind }));
              const room = document.querySelector("[data-part=room]");
              for (const type of ["dragover", "drop"]) {
                room.dispatchEvent(new DragEvent(type, { dataTransfer: data, bubbles: true, cancelable: true }));
              }
            }""",
            [body.decode("latin-1"), kind],
        )


@contextmanager
def easel(inputs: Inputs, browser: Browser, kind: str, mode: str, value: str = "", **options: Any) -> Generator[Easel]:
    """A page with one canvas: the page that a module's tests share, or with options, one in a window of its own."""
    own = context(browser, **options) if options else None
    page = own.new_page() if own else shared_page(browser, f"http://127.0.0.1:{inputs.port}", 900, 900)
    page.set_default_timeout(20_000)
    here = Easel(inputs, page.context, page, kind)
    held = "inpaint-mask" if mode == "mask" else ""
    with closing(own) if own else nullcontext(), heard(page, here.complaints):
        here.go({"kind": kind, "mode": mode, "held": held, "most": 4096}, value)
        yield here
        page.goto("about:blank")  # it sends nothing any more
    unexpected = [told for told in here.complaints if "404" not in told and "422" not in told]
    assert unexpected == [], unexpected
