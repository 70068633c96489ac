"""The certificate's routes, open to anyone: what a browser's warning is about, and what ends it.

GET /certificate             a page that explains, with the fingerprint to compare
GET /certificate/studio.crt  the public part of the authority's certificate, as devices install it (DER)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from ui.door.trust_page import no_trust_page, trust_page

if TYPE_CHECKING:
    from ui.door.certificate import Certificate

MEDIA_TYPE = "application/x-x509-ca-cert"  # what iOS, Android and desktops open to install
ATTACHED = {"Content-Disposition": 'attachment; filename="Atelier studio.crt"'}


class TrustRoutes:
    """The handlers of `/certificate`. `certificate`: the one that the server shows, where it speaks HTTPS."""

    def __init__(self, certificate: Certificate | None = None, faces: str = "") -> None:
        self._authority, self.faces = certificate.authority if certificate else None, faces

    async def show(self, request: Request) -> Response:
        if self._authority is None:
            return HTMLResponse(no_trust_page(self.faces), 404)
        return HTMLResponse(trust_page(self._authority, self.faces))

    async def give(self, request: Request) -> Response:
        if self._authority is None:
            return HTMLResponse(no_trust_page(self.faces), 404)
        return Response(self._authority.der, media_type=MEDIA_TYPE, headers=ATTACHED)
