"""Reach: under which addresses a link is opened by others, and its QR code."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass

from starlette.requests import Request

from ui.door.addresses import is_loopback
from ui.door.own_addresses import elsewhere
from ui.door.proxy import PublicUrl, host_name

ALONE = "The studio answers this computer alone: start it with --listen, and others can open this."
QUIET = 4  # squares of white around a QR code, as ISO/IEC 18004 asks for


@dataclass(frozen=True)
class Reach:
    """`listens`: the address that the server listens on. `public`: where a proxy shows the studio."""

    listens: str = ""
    public: PublicUrl | None = None

    def addresses(self, request: Request) -> list[str]:
        """Where others find the studio, the most likely first; last resort: where the asker does."""
        here = f"{request.scope.get('scheme', 'http')}://{request.headers.get('host', '')}{request.scope.get('published', '')}"
        return list(dict.fromkeys((*self._known(request), here)))

    def note(self, request: Request) -> str:
        """A sentence where nobody elsewhere finds it, or ""."""
        name = host_name(request.headers.get("host", "")) or ""
        away = self.public or self._elsewhere(request) or not (name == "localhost" or is_loopback(name))
        return "" if away else ALONE

    def _known(self, request: Request) -> Iterator[str]:
        if self.public:
            yield str(self.public)
            return
        name = host_name(request.headers.get("host", "")) or ""
        if not (name == "localhost" or is_loopback(name)):
            yield f"{request.scope.get('scheme', 'http')}://{request.headers['host']}"  # it has led somebody here
        yield from self._elsewhere(request)

    def _elsewhere(self, request: Request) -> list[str]:
        port = (request.scope.get("server") or ("", 0))[1]
        return elsewhere(self.listens, port) if self.listens and port else []


def qr_picture(text: str) -> str:
    """A QR code, black on white whatever the page looks like, as a data URL."""
    import segno

    drawn = io.BytesIO()
    segno.make(text, error="m", micro=False).save(drawn, kind="svg", border=QUIET, light="#ffffff", xmldecl=False, svgns=True)
    from base64 import b64encode

    return f"data:image/svg+xml;base64,{b64encode(drawn.getvalue()).decode()}"
