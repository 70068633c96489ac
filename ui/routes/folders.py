"""Folder routes, for the owner of the machine alone: bring in a folder of pictures, see how far that is, stop it, go on.

    POST /folders            {"folder": its whole path, "copy": false}    -> {"id"}
    GET  /folders                                            -> `FoldersNews`
    POST /folders/stop       {"id": ...}                     -> {"ok": true}
    POST /folders/go-on      {"id": ...}                     -> {"ok": true}

No answer holds a path.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from models.errors import UserError
from models.json_values import table, text
from pipelines import Studio
from pipelines.services.answers import FoldersNews
from ui.messages import Message, Started


class FolderRoutes:
    """The handlers of `/folders`."""

    def __init__(self, studio: Studio) -> None:
        self.studio = studio

    async def bring(self, request: Request) -> Response:
        asked = table(request.scope.get("json"))
        return await _answered(lambda: Started(id=self.studio.folders.bring(text(asked, "folder"), asked.get("copy") is True)))

    async def show(self, request: Request) -> Response:
        return await _answered(lambda: FoldersNews(folders=self.studio.folders.news()))

    async def stop(self, request: Request) -> Response:
        return await self._act(request, self.studio.folders.stop)

    async def go_on(self, request: Request) -> Response:
        return await self._act(request, self.studio.folders.go_on)

    async def _act(self, request: Request, action: Callable[[str], None]) -> Response:
        asked = table(request.scope.get("json"))

        def act() -> dict[str, bool]:
            action(text(asked, "id"))
            return {"ok": True}

        return await _answered(act)


async def _answered(work: Callable[[], object]) -> Response:
    """What the work answers, in a thread; a sentence for what goes wrong."""
    try:
        return JSONResponse(await asyncio.to_thread(work))
    except UserError as error:
        return JSONResponse(Message(message=str(error)), 422)
