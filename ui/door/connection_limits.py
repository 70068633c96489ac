"""Connection limits: how many one address, and all together, may hold.

A connection that has asked for nothing yet gives way to a newer one, and then one whose request trickles in or whose answer is not
fetched: so whoever asks at once gets in while an address opens all that it can. Some places are kept for this machine, whatever
comes from elsewhere. What is left of the file limit is the studio's own.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Protocol

from ui.door.addresses import network, parsed

MOST = 1_000  # connections, whatever the file limit
OWN_FILES = 96  # files that the studio needs for itself: the book, models, pictures, pipes
NO_LIMIT = 4_096  # files, where the system names no limit


class Guest(Protocol):
    """One connection."""

    address: str

    @property
    def worth(self) -> int | None:
        """What is lost when it is dropped: 0 while it asks for nothing, more the more of a body has come, None while it is answered."""
        ...

    def drop(self) -> None: ...


@dataclass(frozen=True)
class Room:
    """Room for connections: how many there may be."""

    most: int  # from everywhere
    an_address: int = 64
    kept: int = 16  # of `most`, for this machine alone

    @classmethod
    def of_files(cls, files: int) -> Room:
        """What a limit of so many open files leaves."""
        most = min(max(files - max(OWN_FILES, files // 4), 24), MOST)
        return cls(most, min(64, most // 2), max(4, most // 10))


def file_limit() -> int:
    """Files that this process may have open."""
    try:
        import resource
    except ImportError:  # Windows
        return 512
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return NO_LIMIT if soft == resource.RLIM_INFINITY else soft


@dataclass
class ConnectionLimits:
    """Not safe for threads: it lives in the event loop. `proxies`: addresses that speak for many people and have no bound of their own."""

    room: Room
    proxies: Collection[str] = ()
    _here: dict[str, dict[int, Guest]] = field(default_factory=dict[str, dict[int, "Guest"]])  # by network, in the order in which they came

    @property
    def count(self) -> int:
        return sum(map(len, self._here.values()))

    def everybody(self) -> list[Guest]:
        return [guest for guests in self._here.values() for guest in guests.values()]

    def enters(self, guest: Guest) -> bool:
        """Whether there is room, after somebody who asks for nothing has made some."""
        place = network(guest.address)
        if self._is_full(place) and not self._makes_room(place):
            return False
        self._here.setdefault(place, {})[id(guest)] = guest
        return True

    def leaves(self, guest: Guest) -> None:
        place = network(guest.address)
        guests = self._here.get(place, {})
        guests.pop(id(guest), None)
        if not guests:
            self._here.pop(place, None)

    def _is_full(self, place: str) -> bool:
        return self._has_its_share(place) or self.count >= self._most(place)

    def _has_its_share(self, place: str) -> bool:
        return not self._is_proxy(place) and len(self._here.get(place, ())) >= self.room.an_address

    def _most(self, place: str) -> int:
        return self.room.most if place == "loopback" else self.room.most - self.room.kept

    def _is_proxy(self, place: str) -> bool:
        return any(network(proxy) == place for proxy in self.proxies if parsed(proxy))

    def _makes_room(self, place: str) -> bool:
        crowded = place if self._has_its_share(place) else max(self._here, key=lambda each: len(self._here[each]), default=place)
        idle = min(self._here.get(crowded, {}).values(), key=_worth, default=None)
        if idle is None or idle.worth is None:
            return False
        self.leaves(idle)
        idle.drop()
        return True


def _worth(guest: Guest) -> float:
    return float("inf") if guest.worth is None else guest.worth
