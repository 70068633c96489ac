"""At home: whether a request comes from this machine itself."""

from __future__ import annotations

from starlette.datastructures import Headers
from starlette.types import Scope

from ui.door.addresses import is_loopback, peer_of
from ui.door.guard import LOOPBACK_NAMES
from ui.door.proxy import host_name


def at_the_machine(scope: Scope) -> bool:
    # A proxy or a tunnel on this machine also connects from loopback; it shows by what it adds, or by the name it passes on.
    name = host_name(Headers(scope=scope).get("host", ""))
    return is_loopback(peer_of(scope)) and name in LOOPBACK_NAMES and not scope.get("forwarded", False)
