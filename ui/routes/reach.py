"""Reach routes: from where the studio is reached, for its owner, who opens and closes a tunnel.

    GET  /reach                -> ReachNews: the addresses for others, the certificate that a browser asks about, and the tunnel
    POST /reach/tunnel         {way}: begins to open one, unless somebody could come in by it without a link
    POST /reach/tunnel/close   ends it

A refusal is a sentence, with status 422.
"""

from __future__ import annotations

import asyncio

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from models.errors import UserError
from models.json_values import table, text
from pipelines.people.care import Care
from ui.door.reach import Reach
from ui.messages import Message, ReachNews

BY_PASSWORD = "The password opens the studio without a link, also to whoever guesses it from afar. Take it back first, among the links."
SHOWN = "A proxy shows the studio already, and a tunnel past it would be another way in. Start the studio without the proxy first."


class ReachRoutes:
    """The handlers of `/reach`."""

    def __init__(self, reach: Reach, care: Care) -> None:
        self.reach, self.tunnels, self.care = reach, reach.tunnels, care

    async def news(self, request: Request) -> Response:
        authority = self.reach.certificate.authority if self.reach.certificate else None
        stands = self.tunnels.stands
        told: ReachNews = {
            "addresses": self.reach.elsewhere(request),
            "certificate": authority.name if authority else "",
            "fingerprint": authority.fingerprint if authority else "",
            "ways": [{"name": way.name, "says": way.says, "reaches": way.reaches} for way in self.tunnels.ways()],
            "tunnel": {"state": stands.state, "way": stands.way, "address": str(stands.public or ""), "said": stands.said},
        }
        return JSONResponse(told)

    async def open(self, request: Request) -> Response:
        try:
            if self.reach.public or self.tunnels.proxied:
                raise UserError(SHOWN)
            if self.care.has_password:
                raise UserError(BY_PASSWORD)
            port = (request.scope.get("server") or ("", 0))[1]
            await asyncio.to_thread(self.tunnels.open, text(table(request.scope.get("json")), "way"), port)
        except UserError as error:
            return JSONResponse(Message(message=str(error)), 422)
        return JSONResponse({})

    async def close(self, request: Request) -> Response:
        await asyncio.to_thread(self.tunnels.close)
        return JSONResponse({})
