"""Input routes: pictures, masks and depth maps that people put in: bytes in, an id out, and the picture back by its id.

    POST /input?as=picture                        -> {"id", "width", "height", "notes", "mask"}
    POST /input?as=picture&transparent=1          -> the same; what is transparent stays so, and is no mask
    POST /input?as=mask&width=512&height=512      -> the same; a mask is scaled to the picture it belongs to
    POST /input?as=depth                          -> the same; a depth map of 8 or 16 bits, or an EXR
    POST /input?as=depth&over={id}                -> the same; strokes of grey, with alpha, onto the depth map of that id
    GET  /input/{id}.png                          only to the person who put it in

The body is the file itself, application/octet-stream, of at most 64 MB.
"""

from __future__ import annotations

import asyncio
from dataclasses import asdict

from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response

from models.errors import UserError
from pipelines import Studio, Taken
from pipelines.depth.strokes import painted
from pipelines.images.store import GONE
from pipelines.services.safety import instead
from ui.door.csp import FOREVER
from ui.door.roles import user_of, visitor_of
from ui.messages import Message, TakenPicture

MOST_MASK_PIXELS = 40_000_000
LONGEST_SIDE = 5  # digits of a width or height in an address


class InputRoutes:
    """The handlers of `/input`."""

    def __init__(self, studio: Studio) -> None:
        self.studio = studio

    async def put(self, request: Request) -> Response:
        data = await request.body()
        try:
            taken = await asyncio.to_thread(self._take, request, data)
        except UserError as error:
            return JSONResponse(Message(message=str(error)), 422)
        return JSONResponse(TakenPicture(**asdict(taken)))

    async def show(self, request: Request) -> Response:
        picture_id, visitor = request.path_params["picture_id"], visitor_of(request)
        path = await asyncio.to_thread(self.studio.uploads.find, picture_id, visitor.user)
        if path is None:
            return JSONResponse(Message(message="This picture is not stored here any more."), 404)
        if visitor.checker and (veil := await asyncio.to_thread(self.studio.safety.veil_input, picture_id, visitor.user, visitor.checker)):
            size = await asyncio.to_thread(self.studio.uploads.inputs.size, picture_id)
            data = await asyncio.to_thread(instead, path, veil, size)
            return Response(data, media_type="image/webp", headers={"Cache-Control": "no-store"})
        return FileResponse(path, headers=FOREVER, media_type="image/png")

    def _take(self, request: Request, data: bytes) -> Taken:
        asked = request.query_params
        if asked.get("as") == "picture":
            return self.studio.uploads.picture(data, user_of(request), asked.get("transparent") == "1")
        if asked.get("as") == "depth":
            return self._take_depth(asked.get("over", ""), data, user_of(request))
        sides = [asked.get(name, "") for name in ("width", "height")]
        if asked.get("as") != "mask" or not all(side.isascii() and side.isdecimal() and len(side) <= LONGEST_SIDE for side in sides):
            raise UserError("Say what it is: as=picture, as=depth, or as=mask with the width and height of its picture.")
        width, height = map(int, sides)
        if not 0 < width * height <= MOST_MASK_PIXELS:
            raise UserError("A mask must have between 1 and 40,000,000 pixels.")
        return self.studio.uploads.mask(data, (width, height), user_of(request))

    def _take_depth(self, over: str, data: bytes, user: str) -> Taken:
        uploads = self.studio.uploads
        if not over:
            return uploads.depth(data, user)
        if uploads.find(over, user) is None:
            raise UserError(GONE)
        return uploads.keep(painted(uploads.inputs.open(over, ""), data), user)
