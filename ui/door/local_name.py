"""The name by which a local network finds this machine without anybody's book of names (mDNS, RFC 6762): NAME.local.

macOS, Windows and, on Linux, avahi or systemd answer for it by themselves. Nothing is announced here; it is asked whether the name leads
to this machine, and only then it is offered.
"""

from __future__ import annotations

import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Collection

from ui.door.addresses import parsed
from ui.door.own_addresses import own_addresses

ASKER = "avahi-resolve-host-name"  # where the system's own look-up does not know such names, and avahi answers for them
PATIENCE = 3.0  # seconds
STALE = 60.0  # seconds after which it is asked again


def resolved(name: str) -> Collection[str]:
    """The addresses that a name leads to; none for one that leads nowhere. Takes up to some seconds."""
    try:
        found = {str(entry[4][0]) for entry in socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)}
    except (OSError, UnicodeError):
        found = set[str]()
    return found or _by_avahi(name)


def _by_avahi(name: str) -> Collection[str]:
    program = shutil.which(ASKER)
    if program is None:
        return ()
    try:
        done = subprocess.run([program, "-4", name], capture_output=True, text=True, timeout=PATIENCE, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ()
    return [word for word in done.stdout.split() if parsed(word)]


class LocalName:
    """Safe to use from any thread; never waits for a network."""

    def __init__(
        self,
        name: str = "",
        resolves: Callable[[str], Collection[str]] = resolved,
        own: Callable[[], Collection[str]] = own_addresses,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`name`: without a dot. `own`: the addresses of this machine that others can use."""
        self._name, self._resolves, self._own, self._clock = name or socket.gethostname().partition(".")[0].lower(), resolves, own, clock
        self._known, self._asked = "", -STALE
        self._lock, self._thread = threading.Lock(), threading.Thread()

    def known(self) -> str:
        """The name as far as is known now: "" where it does not lead here. Asks again, beside, what is old."""
        with self._lock:
            if self._clock() - self._asked >= STALE and not self._thread.is_alive():
                self._asked = self._clock()
                self._thread = threading.Thread(target=self._ask, name="local name", daemon=True)
                self._thread.start()
        return self._known

    def wait(self, seconds: float) -> str:
        """The same, once it has been asked, or after so long."""
        self.known()
        self._thread.join(seconds)
        return self._known

    def _ask(self) -> None:
        name = f"{self._name}.local"
        self._known = name if set(self._resolves(name)) & set(self._own()) else ""
