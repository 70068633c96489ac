"""Preset routes: a person's presets, what they would make of a form, and files of them.

    GET  /presets                                             -> PresetList
    POST /presets          {id, name, prompt, negative_prompt, about, instead, names} and for what a form holds {kind, values}
                                                              -> {"id"}; with an id in the place of that one
    POST /presets/delete   {ids}                              -> {"ok": true}
    POST /presets/parts    {kind, values}                     -> PresetParts: what of a form may be kept
    POST /presets/one      {id}                               -> PresetParts: what one keeps
    POST /presets/look     {ids, kind, values}                -> PresetLook: what they would make of a form, one after another
    POST /presets/file     the bytes of a file                -> PresetsBrought: styles of other studios, or presets that were exported
    GET  /presets/file?id=...&id=...                          -> the export of these, or of all
    POST /presets/picture?id=...   the bytes of a picture     -> {"ok": true}; none: it has no picture any more
    GET  /presets/{id}/picture

Refused is what cannot be done, with status 422 and a sentence.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import cast

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from models.errors import UserError
from models.json_values import is_list, is_table, table, text
from pipelines import KINDS, Drawing, Studio
from pipelines.presets.preset import WORDS, Preset
from pipelines.requests.request import Request as Asked
from ui.door.csp import FOREVER
from ui.door.roles import user_of
from ui.messages import Message, PresetOrder, PresetsBrought, Started
from ui.parts.form import drawing_of, read

UNSAID = "Something was missing in what the page sent. Reload it."
FILE = "atelier-presets.json"


class PresetRoutes:
    """The handlers of `/presets`."""

    def __init__(self, studio: Studio) -> None:
        self.presets = studio.presets

    async def show(self, request: Request) -> Response:
        return await _answered(request, lambda user, order: self.presets.all(user))

    async def save(self, request: Request) -> Response:
        def save(user: str, order: PresetOrder) -> Started:
            held = _held(order) if is_table(order.get("values")) else None
            return Started(id=self.presets.save(user, _preset(order), held, _texts(order.get("names"))))

        return await _answered(request, save)

    async def delete(self, request: Request) -> Response:
        def delete(user: str, order: PresetOrder) -> dict[str, bool]:
            self.presets.files.delete(user, _texts(order.get("ids")))
            return {"ok": True}

        return await _answered(request, delete)

    async def parts(self, request: Request) -> Response:
        return await _answered(request, lambda user, order: self.presets.parts(_held(order)))

    async def one(self, request: Request) -> Response:
        return await _answered(request, lambda user, order: self.presets.one(user, text(order, "id")))

    async def look(self, request: Request) -> Response:
        return await _answered(request, lambda user, order: self.presets.look(user, _texts(order.get("ids")), _drawing(order)))

    async def bring(self, request: Request) -> Response:
        data = await request.body()

        def bring(user: str, order: PresetOrder) -> PresetsBrought:
            ids, notes = self.presets.bring(user, data)
            return PresetsBrought(ids=ids, notes=list(notes))

        return await _answered(request, bring)

    async def export(self, request: Request) -> Response:
        try:
            data = await asyncio.to_thread(self.presets.export, user_of(request), request.query_params.getlist("id"))
        except UserError as error:
            return JSONResponse(Message(message=str(error)), 422)
        headers = {"Content-Disposition": f'attachment; filename="{FILE}"', "Cache-Control": "private, no-store"}
        return Response(data, media_type="application/json", headers=headers)

    async def set_picture(self, request: Request) -> Response:
        data, preset_id = await request.body(), request.query_params.get("id", "")

        def keep(user: str, order: PresetOrder) -> dict[str, bool]:
            self.presets.files.set_picture(user, preset_id, data)
            return {"ok": True}

        return await _answered(request, keep)

    async def picture(self, request: Request) -> Response:
        try:
            data = await asyncio.to_thread(self.presets.files.picture, user_of(request), request.path_params["preset_id"])
        except UserError:
            data = b""
        if not data:
            return JSONResponse(Message(message="This preset has no picture."), 404)
        return Response(data, headers=FOREVER, media_type="image/webp")  # the page asks for another one by another address


def _preset(order: PresetOrder) -> Preset:
    words = {name: text(order, name) for name in WORDS}
    instead = {name: words[name] for name in _texts(order.get("instead")) if name in WORDS}
    prompt, negative = ("" if name in instead else words[name] for name in WORDS)
    return Preset(text(order, "name"), prompt, negative, values=instead, about=text(order, "about"), id=text(order, "id"))


def _held(order: PresetOrder) -> Asked:
    """What a form holds. Raises `UserError` where that is nothing that could be drawn."""
    kind, values = text(order, "kind"), order.get("values")
    if kind not in KINDS or not is_table(values):
        raise UserError(UNSAID)
    return read(KINDS[kind], values)


def _drawing(order: PresetOrder) -> Drawing:
    return drawing_of(order.get("kind"), order.get("values"))


def _texts(value: object) -> list[str]:
    return list(dict.fromkeys(each for each in value if isinstance(each, str))) if is_list(value) else []


async def _answered(request: Request, work: Callable[[str, PresetOrder], object]) -> Response:
    """What the work answers, in a thread."""
    user, order = user_of(request), cast(PresetOrder, table(request.scope.get("json")))
    try:
        return JSONResponse(await asyncio.to_thread(work, user, order))
    except UserError as error:
        return JSONResponse(Message(message=str(error)), 422)
