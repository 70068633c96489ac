"""Reach: under which addresses a link is opened by others, and its QR code."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from starlette.requests import Request

from ui.door.local_name import LocalName
from ui.door.own_addresses import ALL, elsewhere, is_own
from ui.door.proxy import PublicUrl, host_name
from ui.door.tunnel import Tunnels

if TYPE_CHECKING:
    from ui.door.certificate import Certificate

WARNED = (
    "Their browser warns once, as it does not know this studio. They may go on: what you send each other is encrypted. "
    "What to compare stands below, under “Where it is reached”."
)
ALONE = "The studio answers this computer alone: start it with --listen, and others can open this."
LOST = "The tunnel has closed: nobody comes in by it any more. “People” says why."
QUIET = 4  # squares of white around a QR code, as ISO/IEC 18004 asks for


@dataclass(frozen=True)
class Reach:
    """`listens`: the address that the server listens on. `public`: where a proxy shows the studio. `certificate`: of its HTTPS.
    `tunnels`: programs that show it elsewhere, of which one may run. `local_name`: what the network calls this machine by itself.
    """

    listens: str = ""
    public: PublicUrl | None = None
    certificate: Certificate | None = None
    tunnels: Tunnels = field(default_factory=Tunnels)
    local_name: LocalName = field(default_factory=LocalName)

    @property
    def scheme(self) -> str:
        """What is spoken with other machines, as an address begins with it."""
        return "https" if self.certificate else "http"

    def others(self, port: int) -> list[str]:
        """Where other machines find it, the most likely address first; empty for a studio that answers this one alone."""
        if self.public:
            return [str(self.public)]
        if not self.listens:
            return []
        found = elsewhere(self.listens, port, self.scheme, self.certificate.names if self.certificate else ())
        named = self.local_name.known() if found and self.listens in ALL else ""
        return [*found, f"{self.scheme}://{named}:{port}"] if named else found

    @property
    def trouble(self) -> str:
        """A sentence for the owner, wherever they are on the page; or ""."""
        return LOST if self.tunnels.stands.state == "lost" else ""

    def addresses(self, request: Request) -> list[str]:
        """Where others find the studio, the most likely first; last resort: where the asker does."""
        here = f"{request.scope.get('scheme', 'http')}://{request.headers.get('host', '')}{request.scope.get('published', '')}"
        return list(dict.fromkeys((*self._known(request), here)))

    def note(self, request: Request) -> str:
        """A sentence where few elsewhere find it, or where their browsers will warn; or ""."""
        if self.tunnels.public:
            return f"By a tunnel: {self.tunnels.reaches} can open it while the tunnel is there."
        name = host_name(request.headers.get("host", "")) or ""
        away = self.elsewhere(request) or not is_own(name)
        if not away:
            return ALONE
        return WARNED if self.certificate and self.certificate.authority and not self.public else ""

    def _known(self, request: Request) -> Iterator[str]:
        if self.tunnels.public:
            yield str(self.tunnels.public)
        if self.public:
            yield str(self.public)
            return
        name = host_name(request.headers.get("host", "")) or ""
        if not is_own(name):
            yield f"{request.scope.get('scheme', 'http')}://{request.headers['host']}"  # it has led somebody here
        yield from self.elsewhere(request)

    def elsewhere(self, request: Request) -> list[str]:
        """As `others`, at the port that a request came to."""
        port = (request.scope.get("server") or ("", 0))[1]
        return self.others(port) if port else []


def qr_picture(text: str) -> str:
    """A QR code, black on white whatever the page looks like, as a data URL."""
    import segno

    drawn = io.BytesIO()
    segno.make(text, error="m", micro=False).save(drawn, kind="svg", border=QUIET, light="#ffffff", xmldecl=False, svgns=True)
    from base64 import b64encode

    return f"data:image/svg+xml;base64,{b64encode(drawn.getvalue()).decode()}"
