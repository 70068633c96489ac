"""Own addresses: under which the studio is reached, for people to read and for a telephone's camera."""

from __future__ import annotations

import io
import socket
from collections.abc import Iterable
from typing import TextIO

from ui.door.addresses import is_loopback, parsed

ALL = ("0.0.0.0", "::")  # what a server listens on that listens on every address


def here(host: str, port: int, scheme: str = "http") -> str:
    """The address for this machine itself. `scheme`: what is spoken with others; in itself a machine needs no encryption."""
    name = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    return _address("http" if is_own(name) else scheme, name, port)


def elsewhere(host: str, port: int, scheme: str = "http", known: Iterable[str] = ()) -> list[str]:
    """The addresses for other machines: the names that are `known`, this one's own, the most likely first, then its name."""
    return [_address(scheme, name, port) for name in dict.fromkeys((*known, *names(host)))]


def names(host: str) -> list[str]:
    """Addresses and names under which other machines find a server that listens on `host`."""
    if host not in ALL:
        return [] if is_own(host) else [host]
    own = _addresses(socket.AF_INET) + (_addresses(socket.AF_INET6) if host == "::" else [])
    return [*own, socket.gethostname()]


def own_addresses() -> list[str]:
    """All addresses of this machine that another one can use."""
    return _addresses(socket.AF_INET) + _addresses(socket.AF_INET6)


def is_own(name: str) -> bool:
    """Whether it leads to this machine from nowhere else."""
    return name == "localhost" or is_loopback(name)


def _address(scheme: str, name: str, port: int) -> str:
    return f"{scheme}://{f'[{name}]' if ':' in name else name}:{port}"


def _addresses(family: socket.AddressFamily) -> list[str]:
    """This machine's addresses that another one can use: the one that leads out first."""
    import psutil

    own = [entry.address for cards in psutil.net_if_addrs().values() for entry in cards if entry.family == family]
    usable = [address for address in own if (found := parsed(address)) and not found.is_loopback and not found.is_link_local]
    return sorted(usable, key=lambda address: address != _leads_out(family))


def _leads_out(family: socket.AddressFamily) -> str:
    """The address that a packet to the world would come from. None is sent: a datagram's socket is only told where to."""
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1" if family == socket.AF_INET else "2001:db8::1", 9))
            return str(probe.getsockname()[0])
        except OSError:
            return ""


def qr_code(address: str, terminal: TextIO) -> str:
    """The address as a QR code in characters; nothing where the terminal cannot show it. It never holds a password."""
    if not terminal.isatty():
        return ""
    try:
        import segno

        drawn = io.StringIO()
        segno.make(address, error="l", micro=False).terminal(drawn, compact=True)
        drawn.getvalue().encode(terminal.encoding or "ascii")
    except (ImportError, UnicodeEncodeError, LookupError, ValueError):
        return ""
    return f"\n{drawn.getvalue()}\n"
