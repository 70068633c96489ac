"""The model manager: lends weights for the length of a `with` block, and forgets the idle. No torch, no locks: one thread calls it.

There is no current model: each request names its own. Weights live in two tiers. Whatever is loaded is in the host's memory
first; a copy on the device makes it quick. Moving is cheaper than loading, loading is cheaper than failing, so

  - the device's copy of the least recently used goes first when the device is full; the host's copy is still there, so this is free;
  - when the host is full, the host's copies of what the device has too go first, then the least recently used is forgotten;
  - what is lent never goes, and what does not fit the device at all is lent from the host: the caller then works part by part.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Generator, Iterable, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Generic, Literal, NamedTuple, Protocol, TypeVar

from models.errors import UserError

Tier = Literal["device", "host"]


class Key(NamedTuple):
    """The key of weights: the kind of thing and its id in the library."""

    kind: str  # "checkpoint", "vae", "lora", ...
    id: str
    family: str = ""  # of a VAE: the family that it is loaded for, since its file does not say; of a checkpoint: how it is understood


class Movable(Protocol):
    """Weights that can be in either tier, or both. They are loaded into the host's memory."""

    @property
    def bytes(self) -> int: ...

    def to(self, tier: Tier) -> None:
        """Makes a copy there. Raises without having changed anything when there is no memory for it."""
        ...

    def leave(self, tier: Tier) -> None:
        """Gives the copy there back. The manager never asks for the only one."""
        ...


@dataclass(frozen=True, slots=True)
class LedgerLine:
    """One thing in memory, for people to read. `id` names it to `unload`."""

    id: str
    key: Key
    kind: str
    tier: Tier  # the faster of the tiers it is in
    bytes: int  # of one copy
    host_copy: bool  # it takes its bytes in the host's memory, beside those on the device if it is there
    last_used: float  # seconds since 1970
    leases: int
    name: str = ""  # filled in by who knows the library


Item = TypeVar("Item", bound=Movable)


@dataclass(frozen=True, slots=True)
class Lent(Generic[Item]):
    """What was asked for. `tier` "host" where the device was wanted: all of it does not fit there at once; work part by part."""

    items: Mapping[Key, Item]
    tier: Tier


@dataclass(slots=True)
class _Entry(Generic[Item]):
    key: Key
    item: Item
    fingerprint: object  # what its file looked like when it was read
    tiers: set[Tier] = field(default_factory=lambda: {"host"})
    leases: int = 0
    last_used: float = 0.0

    def line(self) -> LedgerLine:
        tier: Tier = "device" if "device" in self.tiers else "host"
        name = ":".join(filter(None, self.key))
        return LedgerLine(name, self.key, self.key.kind, tier, self.item.bytes, "host" in self.tiers, self.last_used, self.leases)


class Manager(Generic[Item]):
    def __init__(
        self,
        load: Callable[[Key], Item],
        budgets: Mapping[Tier, int],
        size: Callable[[Key], int] = lambda key: 0,
        fingerprint: Callable[[Key], object] = lambda key: None,
        now: Callable[[], float] = time.time,
    ) -> None:
        """`load` makes weights in the host's memory; whatever it raises passes through and leaves nothing behind.

        `budgets`: bytes of weights in each tier; without "device" the host's memory is all there is. `size`: what a load will
        probably take, so that room is made first. `fingerprint`: what changes when the file changes; weights whose mark is another
        one than when they were read are read anew. It may raise, when the file is gone.
        """
        self._load = load
        self._budgets = dict(budgets)
        self._size = size
        self._mark = fingerprint
        self._now = now
        self._held: dict[Key, _Entry[Item]] = {}  # least recently used first
        self._working_set: set[Key] = set()  # what was lent together most recently; it stays, even beyond the budget, until others come
        self.ledger: tuple[LedgerLine, ...] = ()  # swapped as a whole, so any thread may read it

    @property
    def budgets(self) -> Mapping[Tier, int]:
        return dict(self._budgets)

    @contextmanager
    def lease(self, keys: Sequence[Key], tier: Tier = "host", reserve: int = 0) -> Generator[Lent[Item]]:
        """All of it for the length of the block, on the device if that is wanted and everything fits there beside `reserve` bytes.

        What is wanted in the host's memory is not on the device meanwhile.
        """
        with ExitStack() as stack:
            entries = [self._borrowed(key, stack) for key in dict.fromkeys(keys)]
            placed = self._place(entries, tier, reserve)
            self._publish()
            yield Lent({entry.key: entry.item for entry in entries}, placed)

    def unload(self, line_id: str) -> bool:
        """Forgets what the ledger's line names. False when it is lent, or not there any more."""
        return self._forget(*[entry for entry in self._held.values() if entry.line().id == line_id and not entry.leases])

    def forget(self, key: Key) -> bool:
        """The same by its key: what will not be asked for again soon."""
        return self._forget(*[entry for entry in self._held.values() if entry.key == key and not entry.leases])

    def unload_idle(self, keep: Collection[Key] = ()) -> bool:
        """Forgets everything that is not lent, all but `keep`: what is left to do when memory has run out."""
        return self._forget(*[entry for entry in self._held.values() if not entry.leases and entry.key not in keep])

    def quick(self) -> frozenset[Key]:
        """What a lease would have at once, without moving or loading it; from any thread."""
        best = "device" if "device" in self._budgets else "host"
        return frozenset(line.key for line in self.ledger if line.tier == best)

    def used(self, tier: Tier) -> int:
        return sum(entry.item.bytes for entry in self._held.values() if tier in entry.tiers)

    # ---------------------------------------------------------------------------------------------- lending

    def _borrowed(self, key: Key, stack: ExitStack) -> _Entry[Item]:
        if not any(other.leases for other in self._held.values()):
            self._working_set.clear()
        entry = self._fresh(key)
        self._working_set.add(key)
        entry.leases += 1
        entry.last_used = self._now()
        stack.callback(self._give_back, entry)
        return entry

    def _give_back(self, entry: _Entry[Item]) -> None:
        entry.leases -= 1
        entry.last_used = self._now()
        for tier in self._budgets:
            self._make_room(tier, keep=self._working_set)
        self._publish()

    def _fresh(self, key: Key) -> _Entry[Item]:
        """The entry, now the most recently used one; read from disk if it is not held, or has changed there."""
        fingerprint = self._mark(key)
        entry = self._held.get(key)
        if entry is None or (entry.fingerprint != fingerprint and not entry.leases):
            self._forget(*([entry] if entry else []))
            entry = self._held[key] = self._read(key, fingerprint)
            self._make_room("host", keep={key})
        self._held[key] = self._held.pop(key)
        return entry

    def _read(self, key: Key, fingerprint: object) -> _Entry[Item]:
        self._make_room("host", self._size(key))
        item = self._load(key)
        if self._mark(key) != fingerprint:
            raise UserError("A model file was changed on the disk while it was read. Generate again when it has been copied whole.")
        return _Entry(key, item, fingerprint)

    def _place(self, entries: Sequence[_Entry[Item]], tier: Tier, reserve: int) -> Tier:
        if tier == "device" and self._fit_device(entries, reserve):
            for entry in entries:
                self._move(entry, "device")
            return "device"
        for entry in entries:
            self._leave_device(entry)
        return "host"

    def _fit_device(self, entries: Sequence[_Entry[Item]], reserve: int) -> bool:
        if "device" not in self._budgets:
            return False
        missing = sum(entry.item.bytes for entry in entries if "device" not in entry.tiers)
        return self._make_room("device", missing + reserve)

    # ---------------------------------------------------------------------------------------------- making room

    def _make_room(self, tier: Tier, need: int = 0, keep: Collection[Key] = ()) -> bool:
        """Lets the idle go, all but `keep`, until `need` bytes more are within the budget. False when that is not enough."""
        for entry, give in self._idle(tier, keep):
            if self.used(tier) + need <= self._budgets[tier]:
                break
            if self._held.get(entry.key) is entry:
                give(entry)
        return self.used(tier) + need <= self._budgets[tier]

    def _idle(self, tier: Tier, keep: Collection[Key]) -> Iterable[tuple[_Entry[Item], Callable[[_Entry[Item]], object]]]:
        """What can be given up in a tier and how, the least loss first."""
        held = [entry for entry in self._held.values() if tier in entry.tiers]
        idle = [entry for entry in held if not entry.leases and entry.key not in keep]
        if tier == "device":
            return [(entry, self._leave_device) for entry in idle]
        twice = [(entry, self._drop_host_copy) for entry in held if "device" in entry.tiers]
        return [*twice, *((entry, self._forget) for entry in idle if "device" not in entry.tiers)]

    def _leave_device(self, entry: _Entry[Item]) -> None:
        """Back to the host alone; forgotten if it is idle and the host has no room for it."""
        if "device" not in entry.tiers:
            return
        alone = "host" not in entry.tiers
        if alone and not entry.leases and not self._make_room("host", entry.item.bytes):
            self._forget(entry)
            return
        self._move(entry, "host")
        entry.item.leave("device")
        entry.tiers.discard("device")

    def _drop_host_copy(self, entry: _Entry[Item]) -> None:
        entry.item.leave("host")
        entry.tiers.discard("host")

    def _move(self, entry: _Entry[Item], tier: Tier) -> None:
        if tier not in entry.tiers:
            entry.item.to(tier)
            entry.tiers.add(tier)

    def _forget(self, *entries: _Entry[Item]) -> bool:
        for entry in entries:
            del self._held[entry.key]
        self._publish()
        return bool(entries)

    def _publish(self) -> None:
        self.ledger = tuple(entry.line() for entry in self._held.values())
