"""Routes that help while a prompt is written.

POST /complete     {before, text, checkpoint, against, loras}     -> CompletionList: what may be meant by what stands before the cursor
    POST /tokens       {kind, values, field}                             -> TokenView: what became of the words of a prompt
    GET  /cards/{model_id}/picture                                       -> the picture of a model, small
    POST /cards/picture?id=...   the bytes of a picture                  -> {"ok": true}; none: that beside the file counts again

Refused is what cannot be done, with status 422 and a sentence.
"""

from __future__ import annotations

import asyncio
from typing import cast

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from models.errors import UserError
from models.json_values import listed, table, text
from pipelines import Studio
from pipelines.services.completion import Writing
from ui.door.csp import FOREVER
from ui.door.roles import user_of
from ui.messages import CompletionList, CompletionQuestion, Message, PromptList, TokenQuestion, WrittenPrompt
from ui.parts.form import drawing_of

SHOWN = 200  # prompts of an answer; a search narrows it
LONGEST_SEARCH = 500  # letters
AT_ONCE = 4  # questions that are looked up at the same time; who types asks several times a second


class WritingRoutes:
    """The handlers of what helps while a prompt is written."""

    def __init__(self, studio: Studio) -> None:
        self._studio = studio
        self._turn = asyncio.Semaphore(AT_ONCE)

    async def prompts(self, request: Request) -> Response:
        search, user = request.query_params.get("search", "")[:LONGEST_SEARCH], user_of(request)
        found = await asyncio.to_thread(self._studio.history.prompts, user, search)
        shown = [WrittenPrompt(prompt=each.prompt, negative_prompt=each.negative, when=each.when, picture=each.picture) for each in found]
        return JSONResponse(PromptList(prompts=shown[:SHOWN], more=len(shown) > SHOWN))

    async def complete(self, request: Request) -> Response:
        asked, user = cast(CompletionQuestion, table(request.scope.get("json"))), user_of(request)
        async with self._turn:
            if await request.is_disconnected():  # it has typed on meanwhile
                return JSONResponse(CompletionList(items=[]))
            items = await asyncio.to_thread(self._studio.completion.offered, _writing(asked), user)
        return JSONResponse(CompletionList(items=items))

    async def picture(self, request: Request) -> Response:
        try:
            data = await asyncio.to_thread(self._studio.cards.picture, request.path_params["model_id"])
        except UserError as error:
            return JSONResponse(Message(message=str(error)), 404)
        return Response(data, headers=FOREVER, media_type="image/webp")  # the page asks for another one by another address

    async def set_picture(self, request: Request) -> Response:
        data = await request.body()
        try:
            await asyncio.to_thread(self._studio.cards.set_picture, request.query_params.get("id", ""), data)
        except UserError as error:
            return JSONResponse(Message(message=str(error)), 422)
        return JSONResponse({"ok": True})

    async def tokens(self, request: Request) -> Response:
        asked = cast(TokenQuestion, table(request.scope.get("json")))
        try:
            held = drawing_of(asked.get("kind"), asked.get("values"))
            return JSONResponse(await asyncio.to_thread(self._studio.tokens.of, held, text(asked, "field")))
        except UserError as error:
            return JSONResponse(Message(message=str(error)), 422)


def _writing(asked: CompletionQuestion) -> Writing:
    loras = frozenset(each for each in listed(asked.get("loras"))[:100] if isinstance(each, str))
    return Writing(text(asked, "before"), text(asked, "text"), text(asked, "checkpoint"), asked.get("against") is True, loras)
