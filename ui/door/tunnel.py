"""Tunnels: a program that is installed here shows the studio elsewhere, while its owner wants it.

    tailscale funnel, tailscale serve    https://tailscale.com/kb/1223/funnel, .../1312/serve: in the foreground, ended with the program
    cloudflared tunnel --url             https://developers.cloudflare.com/cloudflare-one/connections/connect-networks/do-more-with-tunnels/trycloudflare

Each connects from this machine itself, passes the public name on and adds who asked (X-Forwarded-For): so nobody who comes by one is taken
for the owner. It runs under a keeper, a Python that ends it when the studio has ended, however that came about.
"""

from __future__ import annotations

import logging
import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from models.errors import UserError
from ui.door.log_lines import one_line
from ui.door.proxy import PublicUrl

log = logging.getLogger(__name__)
LONGEST = 300  # letters of what a program says
PATIENCE = 5.0  # seconds that a program has to end
HERE = "127.0.0.1"
NONE = "There is no such program here any more. Reload the page."
ANOTHER = "A tunnel is open already. Close it first."
State = Literal["closed", "opening", "open", "lost"]


@dataclass(frozen=True)
class Way:
    """A program that makes a tunnel. `address`: what it says once it has."""

    name: str
    program: str
    says: str
    reaches: str  # who can open a link by it
    arguments: tuple[str, ...]  # "{here}" stands for the studio's address
    address: re.Pattern[str]


WAYS = (
    Way(
        "cloudflare", "cloudflared", "Cloudflare", "anybody, anywhere",
        ("tunnel", "--config", os.devnull, "--no-autoupdate", "--url", "{here}"),
        re.compile(r"https://(?!api\.)[a-z0-9-]+\.trycloudflare\.com"),
    ),
    Way(
        "funnel", "tailscale", "Tailscale Funnel", "anybody, anywhere", ("funnel", "--yes", "{here}"),
        re.compile(r"https://[a-z0-9-]+\.[a-z0-9.-]+\.ts\.net(?::\d+)?"),
    ),
    Way(
        "serve", "tailscale", "Tailscale Serve", "devices of your tailnet", ("serve", "--yes", "{here}"),
        re.compile(r"https://[a-z0-9-]+\.[a-z0-9.-]+\.ts\.net(?::\d+)?"),
    ),
)  # fmt: skip

# Ends the command when its standard input is at its end: the studio holds the other end, and lets go of it even if it is killed.
KEEPER = """
import os, subprocess, sys, threading
child = subprocess.Popen(sys.argv[1:], stdin=subprocess.DEVNULL)
def ends():
    while os.read(0, 1):
        pass
    child.terminate()
    try:
        child.wait(5)
    except subprocess.TimeoutExpired:
        child.kill()
threading.Thread(target=ends, daemon=True).start()
os._exit(max(0, child.wait()))
"""


@dataclass(frozen=True)
class Standing:
    """How the tunnel stands. `said`: the last that its program has said, where it is not open."""

    state: State = "closed"
    way: str = ""
    public: PublicUrl | None = None
    said: str = ""


class Tunnels:
    """One tunnel at most. Safe to use from any thread."""

    def __init__(self, proxies: Sequence[str] = (), which: Callable[[str], str | None] = shutil.which) -> None:
        """`proxies`: addresses that speak for many people, to which this machine belongs while a tunnel is there."""
        self.proxies, self.proxied, self._which = [*proxies], bool(proxies), which
        self._lock = threading.Lock()
        self._process: subprocess.Popen[str] | None = None
        self._stands = Standing()

    def ways(self) -> list[Way]:
        """Those whose program is installed."""
        return [way for way in WAYS if self._which(way.program)]

    @property
    def stands(self) -> Standing:
        return self._stands

    @property
    def reaches(self) -> str:
        """Who can open a link by the tunnel that is there."""
        return next((way.reaches for way in WAYS if way.name == self._stands.way), "nobody")

    @property
    def public(self) -> PublicUrl | None:
        """Where the studio is shown now."""
        return self._stands.public

    def open(self, name: str, port: int) -> None:
        """Begins; `stands` says how it goes on. Raises `UserError`."""
        way = next((way for way in self.ways() if way.name == name), None)
        program = self._which(way.program) if way else None
        if way is None or program is None:
            raise UserError(NONE)
        with self._lock:
            if self._process is not None:
                raise UserError(ANOTHER)
            self._process = _started([program, *(each.format(here=f"http://{HERE}:{port}") for each in way.arguments)])
            self._stands = Standing("opening", way.name)
            self.proxies.append(HERE)
        threading.Thread(target=self._follow, args=(self._process, way), name="tunnel", daemon=True).start()

    def close(self) -> None:
        """Ends it and waits until it has."""
        with self._lock:
            process, self._process, self._stands = self._process, None, Standing()
            if process is None:
                return
            self.proxies.remove(HERE)
        _end(process)

    def _follow(self, process: subprocess.Popen[str], way: Way) -> None:
        assert process.stdout is not None
        for line in process.stdout:
            self._hears(process, way, one_line(line.strip())[:LONGEST])
        process.wait()
        with self._lock:
            if self._process is not process:  # closed by the owner
                return
            self._process, said = None, self._stands.said
            self._stands = Standing("lost", way.name, None, said)
            self.proxies.remove(HERE)
        _end(process)
        log.warning("The tunnel by %s has closed: %s", way.says, said or f"it ended with {process.returncode}")

    def _hears(self, process: subprocess.Popen[str], way: Way, line: str) -> None:
        found = way.address.search(line)
        with self._lock:
            if self._process is not process or not any(letter.isalnum() for letter in line):
                return
            if found and self._stands.state == "opening":
                self._stands = Standing("open", way.name, PublicUrl.read(found[0]))
            else:
                self._stands = Standing(self._stands.state, way.name, self._stands.public, line)


def _started(command: list[str]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-I", "-S", "-c", KEEPER, *command],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, encoding="utf-8", errors="replace",
    )  # fmt: skip


def _end(process: subprocess.Popen[str]) -> None:
    if process.stdin is not None:
        process.stdin.close()
    try:
        process.wait(2 * PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
