"""Reach routes: from where the studio is reached, for its owner.

GET /reach   -> ReachNews: the addresses for others, and the certificate that a browser asks about
"""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from ui.door.reach import Reach
from ui.messages import ReachNews


class ReachRoutes:
    """The handlers of `/reach`."""

    def __init__(self, reach: Reach) -> None:
        self.reach = reach

    async def news(self, request: Request) -> Response:
        authority = self.reach.certificate.authority if self.reach.certificate else None
        told: ReachNews = {
            "addresses": self.reach.elsewhere(request),
            "certificate": authority.name if authority else "",
            "fingerprint": authority.fingerprint if authority else "",
        }
        return JSONResponse(told)
