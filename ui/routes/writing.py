"""Routes that help while a prompt is written.

POST /complete     {before, text, checkpoint, against, loras}     -> CompletionList: what may be meant by what stands before the cursor
"""

from __future__ import annotations

import asyncio
from typing import cast

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from models.json_values import listed, table, text
from pipelines import Studio
from pipelines.services.completion import Writing
from ui.door.roles import user_of
from ui.messages import CompletionList, CompletionQuestion

AT_ONCE = 4  # questions that are looked up at the same time; who types asks several times a second


class WritingRoutes:
    """The handlers of what helps while a prompt is written."""

    def __init__(self, studio: Studio) -> None:
        self._studio = studio
        self._turn = asyncio.Semaphore(AT_ONCE)

    async def complete(self, request: Request) -> Response:
        asked, user = cast(CompletionQuestion, table(request.scope.get("json"))), user_of(request)
        async with self._turn:
            if await request.is_disconnected():  # it has typed on meanwhile
                return JSONResponse(CompletionList(items=[]))
            items = await asyncio.to_thread(self._studio.completion.offered, _writing(asked), user)
        return JSONResponse(CompletionList(items=items))


def _writing(asked: CompletionQuestion) -> Writing:
    loras = frozenset(each for each in listed(asked.get("loras"))[:100] if isinstance(each, str))
    return Writing(text(asked, "before"), text(asked, "text"), text(asked, "checkpoint"), asked.get("against") is True, loras)
