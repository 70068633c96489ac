"""A studio in a process of its own, which may be killed at any moment, and people who use it over HTTP."""

from __future__ import annotations

import io
import json
import multiprocessing
import os
import random
import secrets
import signal
import socket
import sqlite3
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from PIL import Image

ENDED = ("done", "stopped", "failed", "interrupted")
SMALL: dict[str, Any] = {"prompt": "a red house", "steps": 2, "width": 64, "height": 64}
PATIENCE = 120.0  # seconds until it must answer
Serve = Callable[[list[str], str], None]  # arguments as of app.py, and the file that everything said goes to


def studio(arguments: list[str], log: str) -> None:
    """The real one, in the process that calls."""
    say_into(log)
    import app

    sys.exit(app.main(arguments))


def say_into(log: str) -> None:
    handle = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(handle, 1)
    os.dup2(handle, 2)


class Served:
    """Each start is a fork of a process that has imported everything and run nothing: a start takes a second and not ten."""

    def __init__(self, outputs: Path, serve: Serve = studio, preload: Sequence[str] = (), more: Sequence[str] = ()) -> None:
        """Waits until it answers. `preload`: modules that are imported once for all starts. `more`: arguments."""
        self.outputs, self.log = outputs, outputs.parent / "studio.log"
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(list(preload))
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        arguments = ["--no-browser", "--port", str(port), "--outputs-dir", str(outputs), *more]
        self.process = context.Process(target=serve, args=(arguments, str(self.log)), daemon=True)
        self.process.start()
        self._wait()

    def _wait(self) -> None:
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end and self.process.is_alive():
            try:
                if httpx.get(f"{self.url}/healthz", timeout=2, trust_env=False).status_code == 200:
                    return
            except httpx.HTTPError:
                time.sleep(0.02)
        self.kill()
        raise RuntimeError(f"the studio did not open:\n{self.log.read_text()[-3000:]}")

    def kill(self) -> None:
        """As the system does it: without a last word."""
        self.process.kill()
        self.process.join(10)

    def end(self, presses: int = 1, seconds: float = 20) -> float:
        """By SIGTERM, which may come more than once. Returns the seconds that it took; it is killed when it takes too long."""
        begin = time.monotonic()
        for _ in range(presses):
            os.kill(self.process.pid or 0, signal.SIGTERM)
            time.sleep(0.1)
        self.process.join(seconds)
        took = time.monotonic() - begin
        self.kill()
        return took

    def counted(self) -> dict[str, int]:
        """Resident memory in MB, open files and threads."""
        home = Path(f"/proc/{self.process.pid}")
        lines = dict(line.split(":", 1) for line in (home / "status").read_text().splitlines())
        return {"MB": int(lines["VmRSS"].split()[0]) // 1024, "files": len(list((home / "fd").iterdir())), "threads": int(lines["Threads"])}


class Person:
    """Somebody with a cookie of their own."""

    def __init__(self, url: str, name: str = "", password: str = "") -> None:
        self.name = name or secrets.token_urlsafe(16)
        limits = httpx.Limits(max_keepalive_connections=0)  # one that lies idle may be closed at the very moment in which it is used
        self._http = httpx.Client(base_url=url, timeout=60, trust_env=False, cookies={"atelier_user": self.name}, limits=limits)
        if password:
            self._http.post("/login", data={"password": password})

    def close(self) -> None:
        self._http.close()

    def submit(self, **values: Any) -> str:
        """The id of the job. Raises `RuntimeError` with the sentence when it is refused."""
        begun = self._http.post("/gradio_api/call/v2/txt2img", json=SMALL | values)
        if begun.status_code != 200:
            raise RuntimeError(begun.text[:300])
        answer = self._http.get(f"/gradio_api/call/txt2img/{begun.json()['event_id']}").text.strip().split("\n\n")[-1]
        kind, _, data = answer.partition("\n")
        found = json.loads(data.removeprefix("data: "))
        if kind != "event: complete":
            raise RuntimeError(str(found))
        return found[0]

    def live(self, job: str, after: int = -1) -> dict[str, Any] | None:
        """What is known of a job as soon as it is newer than `after`; None when there is no such job."""
        answer = self.get(f"/live/{job}?after={after}")
        return None if answer.status_code == 404 else answer.raise_for_status().json()

    def finish(self, job: str, seconds: float = 60) -> dict[str, Any]:
        """What is known of a job when it has ended, or when the time is over."""
        seen, end = self.live(job) or {}, time.monotonic() + seconds
        while seen and seen["state"] not in ENDED and time.monotonic() < end:
            seen = self.live(job, seen["version"]) or {}
        return seen

    def press(self, job: str, verb: str) -> int:
        return self._http.post(f"/jobs/{job}/{verb}", json={}).status_code

    def get(self, path: str) -> httpx.Response:
        """Asks again for a while, as the page does, when there is no answer or the studio has no place."""
        for pause in (0.2, 0.5, 1.0, 2.0, 3.0, 5.0, 5.0, 5.0):
            with suppress(httpx.TransportError):
                answer = self._http.get(path)
                if answer.status_code not in (429, 503):
                    return answer
            time.sleep(pause)
        return self._http.get(path)


@dataclass
class Tally:
    """What the studio has promised to one person, and what of it is not so."""

    outputs: Path
    jobs: list[str] = field(default_factory=list)  # acknowledged
    pictures: set[str] = field(default_factory=set)  # announced
    sound: set[str] = field(default_factory=set)  # of them, those that were found whole
    lost: list[str] = field(default_factory=list)

    def hear(self, seen: dict[str, Any]) -> None:
        self.pictures |= {picture["id"] for picture in seen["pictures"]}

    def check(self, person: Person) -> None:
        """After a start: every job is known, every picture there and whole, the book sound."""
        self.lost += [f"job {job}" for job in self.jobs if person.live(job) is None]
        for picture in self.pictures - self.sound:
            answer = person.get(f"/picture/{picture}.png")
            if answer.status_code == 200 and whole(io.BytesIO(answer.content)):
                self.sound.add(picture)
            else:
                self.lost.append(f"picture {picture}: {answer.status_code}")
        self.lost += [f"half a file: {file.name}" for file in sorted(self.outputs.glob("20*/*.png"))[-20:] if not whole(file)]
        with sqlite3.connect(f"file:{self.outputs / 'studio.db'}?mode=ro", uri=True) as book:
            said = book.execute("pragma integrity_check").fetchone()[0]
        self.lost += [] if said == "ok" else [f"the book: {said}"]

    def finish(self, person: Person, seconds: float) -> dict[str, int]:
        """Waits for every job that waits, and counts the states. Whatever is done must have all its pictures."""
        states: dict[str, int] = {}
        for job in self.jobs:
            seen = person.finish(job, seconds)
            state = seen.get("state", "gone")
            states[state] = states.get(state, 0) + 1
            if state not in ENDED or (state == "done" and len(seen["pictures"]) != seen["pictures_total"]):
                self.lost.append(f"job {job}: {state}, {len(seen.get('pictures', ()))} pictures")
        return states


def busy(person: Person, tally: Tally, chance: random.Random, **values: Any) -> None:
    """Some jobs of several pictures, watched until as many were announced as chance wants; then a moment more."""
    tally.jobs += [person.submit(**values, batch_count=8) for _ in range(3)]
    awaited, end = len(tally.pictures) + chance.randint(1, 20), time.monotonic() + 30
    for job in tally.jobs[-3:]:
        seen: dict[str, Any] = {"version": -1, "state": "waiting"}
        while seen["state"] not in ENDED and len(tally.pictures) < awaited and time.monotonic() < end:
            seen = person.live(job, seen["version"]) or {"state": "failed", "pictures": []}
            tally.hear(seen)
    time.sleep(chance.uniform(0, 0.05))


def whole(file: Path | io.BytesIO) -> bool:
    try:
        with Image.open(file) as image:
            image.load()
    except (OSError, SyntaxError, ValueError):
        return False
    return True
