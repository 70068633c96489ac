"""Attempts: too many guesses of passwords and links, and whose they are."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable

from starlette.types import Scope

from ui.door.addresses import network, peer_of
from ui.door.at_home import at_the_machine

THROUGH_PROXY = 30  # wrong guesses a minute through one proxy whose word is not taken


class Attempts:
    """Counts wrong passwords: after `most` within `seconds` an address, or who else is counted, waits, also with the right one."""

    def __init__(self, most: int = 5, seconds: float = 60, clock: Callable[[], float] = time.monotonic, addresses: int = 10_000) -> None:
        self._most, self._seconds, self._clock, self._addresses = most, seconds, clock, addresses
        self._failures: OrderedDict[str, deque[float]] = OrderedDict()
        self._lock = threading.Lock()

    def wait(self, address: str) -> float:
        """Seconds until this address may try again; 0 when it may."""
        with self._lock:
            failures = self._failures.get(network(address), deque())
            recent = [moment for moment in failures if moment > self._clock() - self._seconds]
            return recent[0] + self._seconds - self._clock() if len(recent) >= self._most else 0.0

    def failed(self, address: str) -> None:
        with self._lock:
            self._failures.setdefault(network(address), deque(maxlen=self._most)).append(self._clock())
            self._failures.move_to_end(network(address))
            while len(self._failures) > self._addresses:
                self._failures.popitem(last=False)

    def forgiven(self, address: str) -> None:
        """The last one was none."""
        with self._lock:
            if self._failures.get(network(address)):
                self._failures[network(address)].pop()


class Watch:
    """Too many guesses, and whose. The owner at the machine, a browser that was let in before, and each visitor of a proxy count apart."""

    def __init__(self, each: Attempts | None = None) -> None:
        self._each = each or Attempts()
        self._through = Attempts(most=THROUGH_PROXY)  # all visitors of a proxy whose word is not taken
        self._known: OrderedDict[str, None] = OrderedDict()  # browsers that were let in

    def wait(self, scope: Scope) -> float:
        """Seconds until this visitor may try again; 0 when it may."""
        who, proxy = self._who(scope)
        return max(self._each.wait(who), self._through.wait(proxy) if proxy else 0.0)

    def failed(self, scope: Scope) -> None:
        who, proxy = self._who(scope)
        self._each.failed(who)
        if proxy:
            self._through.failed(proxy)

    def forgiven(self, scope: Scope) -> None:
        """The last one of this visitor was none."""
        who, proxy = self._who(scope)
        self._each.forgiven(who)
        if proxy:
            self._through.forgiven(proxy)

    def entered(self, user: str) -> None:
        """A person was let in."""
        self._known[user] = None
        while len(self._known) > 10_000:
            self._known.popitem(last=False)

    def _who(self, scope: Scope) -> tuple[str, str]:
        """Who is counted, and the proxy in between if what it says may be made up: then all who come through it are counted too."""
        peer = network(peer_of(scope))
        if scope["visitor"].user in self._known:
            return f"browser {scope['visitor'].user}", ""
        if at_the_machine(scope):
            return "this machine", ""
        if scope.get("forwarded") and scope.get("claimed") and not scope.get("trusted"):
            return f"{peer} for {network(scope['claimed'])}", peer
        return peer, ""
