"""A real server on a real port for the door's tests: the toy studio behind the whole door, in a process of its own.

It prints the port on a line of its own and serves until it is told to stop.
"""

from __future__ import annotations

import gc
import json
import logging
import os
import re
import resource
import string
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPResponse
from importlib import import_module
from pathlib import Path
from typing import Any

import gradio as gr

from pipelines import Studio, TextToImage
from pipelines.people.people import People
from pipelines.people.records import Session, hash_of
from pipelines.people.records import user_of as user_of_token
from pipelines.people.roles import Role
from pipelines.people.rules import Maker, Wanted
from tests.support.page_files import compress_quickly
from tests.support.toys import FAR_TOO_LONG, toy_studio
from ui.door.certificate import OwnCertificate
from ui.door.connection import Deadlines
from ui.door.log_lines import open_log
from ui.door.proxy import PublicUrl
from ui.door.roles import role, user_of
from ui.door.serving import serve
from ui.parts import theme
from ui.server import Door, create_app

ROOT = Path(__file__).resolve().parents[2]
PASSWORD = "open, says me"
# What is imported is there to stay: looking for garbage among it takes a quarter of the start.
STARTED = "import gc, sys; gc.disable(); from tests.support import doors; doors.main(*sys.argv[1:])"


@dataclass
class Answer:
    status: int
    headers: dict[str, str]  # names in lower case; of several equal ones the last
    body: bytes
    cookies: dict[str, str]

    @property
    def text(self) -> str:
        return self.body.decode("utf-8", "replace")

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class RunningDoor:
    """A server, and a client that keeps no cookies but those it is given."""

    port: int
    folder: Path  # private: pictures, uploads, the working folder
    process: subprocess.Popen[str]
    seen: list[Answer] = field(default_factory=list)  # all answers so far

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        return f"http://{self.host}"

    @property
    def uploads(self) -> Path:
        return self.folder / "outputs" / ".uploads"  # where app.py puts them

    def ask(
        self, method: str, path: str, body: bytes | str | None = None, headers: dict[str, str] | None = None, timeout: float = 20
    ) -> Answer:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        try:
            connection.request(method, path, body.encode() if isinstance(body, str) else body, headers or {})
            self.seen.append(answer_of(connection.getresponse()))
            return self.seen[-1]
        finally:
            connection.close()

    def check(self) -> None:
        """What holds after every case: the server answers at once, and no answer since the last check told of its insides.

        Gradio names an upload to its own page by its path, so the uploads folder may be seen.
        """
        began = time.monotonic()
        assert self.ask("GET", "/healthz").status == 200
        assert time.monotonic() - began < FAR_TOO_LONG
        while self.seen:
            told = self.seen.pop().text.replace(str(self.uploads), "")
            assert not [word for word in ("Traceback", "site-packages", str(ROOT), str(self.folder), '.py"') if word in told]

    def memory(self) -> int:
        """Bytes of physical memory that the server uses now; 0 where the system does not say."""
        status = Path(f"/proc/{self.process.pid}/status")
        lines = status.read_text().splitlines() if status.exists() else []
        return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("VmRSS")), 0)

    def post_json(self, path: str, value: Any, headers: dict[str, str] | None = None) -> Answer:
        return self.ask("POST", path, json.dumps(value), {"Content-Type": "application/json"} | (headers or {}))

    def upload(self, name: str, data: bytes, headers: dict[str, str] | None = None) -> Answer:
        """An upload as a browser makes it."""
        edge = "----atelier"
        head = f'--{edge}\r\nContent-Disposition: form-data; name="files"; filename="{name}"\r\nContent-Type: image/png\r\n\r\n'
        body = head.encode() + data + f"\r\n--{edge}--\r\n".encode()
        kind = {"Content-Type": f"multipart/form-data; boundary={edge}"}
        return self.ask("POST", "/gradio_api/upload", body, kind | (headers or {}))

    def run(self, values: dict[str, Any], headers: dict[str, str] | None = None) -> tuple[str, Any]:
        """Presses Generate on the text-to-image tab with these fields, over Gradio's HTTP API."""
        return self._events("txt2img", self.post_json("/gradio_api/call/v2/txt2img", values, headers), headers, 20)

    def finish(self, job: str, headers: dict[str, str] | None = None) -> dict[str, Any]:
        """Follows a job to its end and returns its last progress."""
        progress: dict[str, Any] = {"version": -1, "state": "waiting"}
        while progress["state"] in ("waiting", "running"):
            progress = self.ask("GET", f"/live/{job}?after={progress['version']}", headers=headers, timeout=30).json()
        return progress

    def call(self, api_name: str, data: list[Any], headers: dict[str, str] | None = None, timeout: float = 20) -> tuple[str, Any]:
        """Runs a named handler over Gradio's HTTP API. Returns its last event, "complete" or "error", and what came with it."""
        return self._events(api_name, self.post_json(f"/gradio_api/call/{api_name}", {"data": data}, headers), headers, timeout)

    def _events(self, api_name: str, joined: Answer, headers: dict[str, str] | None, timeout: float) -> tuple[str, Any]:
        if joined.status != 200:
            return f"status {joined.status}", joined.text
        events = self.ask("GET", f"/gradio_api/call/{api_name}/{joined.json()['event_id']}", headers=headers, timeout=timeout).text
        return last_event(events)


def last_event(stream: str) -> tuple[str, Any]:
    *_, last = [block for block in stream.strip().split("\n\n") if block.startswith("event:")]
    name, data = last.split("\n", 1)
    return name.removeprefix("event: "), json.loads(data.removeprefix("data: "))


def answer_of(response: HTTPResponse) -> Answer:
    pairs = response.getheaders()
    given = [value.split(";")[0] for name, value in pairs if name.lower() == "set-cookie"]
    cookies = dict(pair.split("=", 1) for pair in given)
    return Answer(response.status, {name.lower(): value for name, value in pairs}, response.read(), cookies)


@contextmanager
def running_door(folder: Path, page: str = "tests.support.doors:example_page", **options: Any) -> Iterator[RunningDoor]:
    """Starts a server in an empty folder of its own and stops it. `page` is `module:function`.

    `options`: password, hosts (with commas), public (an address), proxies (a list), files (the limit of open files),
    deadlines (those of `Deadlines`), https (with a certificate in the folder `certificate`).
    """
    for name in ("cwd", "home", "outputs/.uploads", "tmp"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    process = subprocess.Popen(
        [sys.executable, "-c", STARTED, str(folder), page, json.dumps(options)],
        cwd=folder / "cwd",
        env=_environment(folder),
        stdout=subprocess.PIPE,
        stderr=(folder / "log.txt").open("w"),
        text=True,
    )
    watchdog = threading.Timer(180, process.kill)
    watchdog.start()
    try:
        assert process.stdout is not None
        line = process.stdout.readline().strip()
        watchdog.cancel()
        assert line.isdecimal(), (folder / "log.txt").read_text()
        yield RunningDoor(int(line), folder, process)
    finally:
        watchdog.cancel()
        process.terminate()
        process.wait(10)


def _environment(folder: Path) -> dict[str, str]:
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "SYSTEMROOT") if name in os.environ}
    return kept | {
        "PYTHONPATH": str(ROOT),
        "PYTHONDONTWRITEBYTECODE": "1",
        "HOME": str(folder / "home"),
        "TMPDIR": str(folder / "tmp"),
        "GRADIO_TEMP_DIR": str(folder / "outputs" / ".uploads"),
        "GRADIO_ANALYTICS_ENABLED": "False",
        "HF_HUB_OFFLINE": "1",
        "OMP_NUM_THREADS": "1",
    }


def route_paths(app: Any) -> set[str]:
    """The paths of all routes of an application and of what is mounted in it, "x" for what may vary."""
    found = set()
    for route in app.routes:
        inner = getattr(route, "original_router", getattr(route, "app", None))
        found |= route_paths(inner) if hasattr(inner, "routes") else {re.sub(r"{[\w:]+}", "x", getattr(route, "path", ""))}
    return found - {""}


def example_page(studio: Studio) -> gr.Blocks:
    """A page with one handler of every kind, and components that take files."""

    @role("artist")
    def echo(text: str) -> str:
        return text

    @role("artist")
    def submit(prompt: str, request: gr.Request) -> str:
        return studio.submit(TextToImage.admit({"prompt": prompt, "steps": 3, "width": 64, "height": 64}), user_of(request))

    @role("owner")
    def house_keys() -> str:
        return "the owner's keys"

    @role("owner")
    async def owner_numbers() -> Any:
        for number in range(2):
            yield str(number)

    @role("artist")
    def show_file(value: Any) -> str:
        return str(value)

    @role("artist")
    def break_down() -> str:
        raise RuntimeError("/secret/path: token=abc")

    @role("artist")
    async def served(value: str, request: gr.Request) -> str:
        return f"{user_of(request)} {value}"

    @role("owner")
    def served_owner(value: str) -> str:
        return "the owner's " + value

    with gr.Blocks(analytics_enabled=False) as page:
        text = gr.Textbox(label="Text", elem_id="text")
        output = gr.Textbox(label="Output", elem_id="output")
        picture = gr.Image(label="Picture", elem_id="picture", type="filepath")
        gallery = gr.Gallery(label="Gallery", type="filepath", interactive=True)
        gr.HTML("<p>served</p>", js_on_load="window.server = server", server_functions=[served, served_owner])
        gr.HTML("<p>ready</p>", elem_id="raw")
        gr.Button("Echo", elem_id="echo").click(echo, text, output, api_name="echo")
        gr.Button("Submit").click(submit, text, output, api_name="submit")
        gr.Button("Keys", visible=False).click(house_keys, None, output, api_name="house_keys", api_visibility="private")
        gr.Button("Numbers").click(owner_numbers, None, output, api_name="owner_numbers")
        gr.Button("Show", elem_id="show").click(show_file, picture, output, api_name="show_image")
        gr.Button("All").click(show_file, gallery, output, api_name="show_gallery")
        gr.Button("Raw").click(show_file, picture, output, api_name="show_raw", preprocess=False)
        gr.Button("Break").click(break_down, None, output, api_name="break_down")
    return page


def let_in(people: People, role: Role = "artist") -> None:
    """Browsers whose cookies are one letter or digit, 22 times, are of people who came by a link."""
    link, _ = people.care.make(Maker("", "owner"), Wanted("Tests", role))
    for letter in string.ascii_letters + string.digits:
        token, now = letter * 22, time.time()
        member = people.register.add_member(user_of_token(token), f"Guest {letter}", now)
        people.register.add_session(Session(hash_of(token), member.number, link.number, now, now))


def main(place: str, page: str, told: str) -> None:
    """`told`: the options as JSON."""
    gc.freeze()
    gc.enable()
    folder, options = Path(place), json.loads(told)
    if files := options.get("files"):
        resource.setrlimit(resource.RLIMIT_NOFILE, (files, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
    open_log(logging.WARNING)
    compress_quickly()
    module, name = page.split(":")
    look = theme.look() if module == "ui" else {}
    studio = toy_studio(folder, step_seconds=0.02)
    public, proxies = options.get("public"), frozenset(options.get("proxies", ()))
    door = Door(
        hosts=frozenset(filter(None, options.get("hosts", "").split(","))),
        password=options.get("password") or None,
        public=PublicUrl.read(public) if public else None,
        proxies=proxies,
        certificate=OwnCertificate(folder / "certificate", lambda: ["lan.test", "127.0.0.1"]) if options.get("https") else None,
    )
    app = create_app(studio, getattr(import_module(module), name), door, **look)
    if options.get("guests", not door.password):
        let_in(studio.people)
    deadlines = Deadlines(**options.get("deadlines", {}))
    serve(app, "127.0.0.1", 0, lambda port: print(port, flush=True), proxies, deadlines, door.certificate)
    studio.close()
