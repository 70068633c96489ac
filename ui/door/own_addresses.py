"""Own addresses: under which the studio is reached, for people to read and for a telephone's camera."""

from __future__ import annotations

import io
import socket
from typing import TextIO

from ui.door.addresses import parsed

ALL = ("0.0.0.0", "::")  # what a server listens on that listens on every address


def here(host: str, port: int) -> str:
    """The address for this machine itself."""
    name = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)
    return f"http://{name}:{port}"


def elsewhere(host: str, port: int) -> list[str]:
    """The addresses for other machines: this one's own, the most likely first, then its name."""
    if host not in ALL:
        own = parsed(host)
        return [] if host == "localhost" or (own and own.is_loopback) else [here(host, port)]
    shown = [f"http://{address}:{port}" for address in _addresses(socket.AF_INET)]
    if host == "::":
        shown += [f"http://[{address}]:{port}" for address in _addresses(socket.AF_INET6)]
    return [*shown, f"http://{socket.gethostname()}:{port}"]


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
