"""Details routes: all that made a picture, and where several pictures differ. Whoever may see a picture may read how it was made, but for
who came by a link by which pictures leave without their settings: they read that of their own.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from models.errors import UserError
from pipelines import PictureRecord, Studio
from pipelines.services.safety import HIDDEN
from ui.door.roles import Visitor, visitor_of
from ui.messages import PictureComparison, PictureShown
from ui.routes.jobs import sorry

LONGEST = 400  # characters of a list of ids
NOT_YOURS = "There is no such picture among yours."


class DetailRoutes:
    """The handlers of `/picture/{id}/details`, `/picture/{id}/lineage` and `/compare`."""

    def __init__(self, studio: Studio) -> None:
        self.studio = studio

    async def details(self, request: Request) -> Response:
        try:
            record = await self._find(request, request.path_params["picture_id"])
        except UserError as error:
            return sorry(str(error), 404)
        if record is None:
            return sorry(NOT_YOURS, 404)
        return JSONResponse(await asyncio.to_thread(self._shown, record, visitor_of(request)))

    async def lineage(self, request: Request) -> Response:
        try:
            record = await self._find(request, request.path_params["picture_id"])
            if record is None:
                return sorry(NOT_YOURS, 404)
            return JSONResponse(await asyncio.to_thread(self.studio.lineage.of, record.id, visitor_of(request).person))
        except UserError as error:
            return sorry(str(error), 404)

    async def compare(self, request: Request) -> Response:
        """`?ids=` of two to four pictures, with commas between them."""
        ids = request.query_params.get("ids", "")[:LONGEST].split(",")
        try:
            records = [await self._find(request, picture_id) for picture_id in ids[: self.studio.details.most + 1]]
        except UserError as error:
            return sorry(str(error), 404)
        found = [record for record in records if record]
        if len(found) < len(records):
            return sorry(NOT_YOURS, 404)
        try:
            return JSONResponse(await asyncio.to_thread(self._compared, found, visitor_of(request)))
        except UserError as error:
            return sorry(str(error), 400)

    def _compared(self, records: Sequence[PictureRecord], visitor: Visitor) -> PictureComparison:
        kept = [record.id for record in records if not self.studio.gallery.tells(record.id, visitor.person)]
        return self.studio.details.compared(records, kept)

    def _shown(self, record: PictureRecord, visitor: Visitor) -> PictureShown:
        """With why the picture itself is not shown, if it is not."""
        veil = self.studio.safety.veil(record.id, visitor.user, visitor.checker)
        return {**self._told(record, visitor), "hidden": HIDDEN[veil] if veil else "", "reveals": veil == "blur"}

    def _told(self, record: PictureRecord, visitor: Visitor) -> PictureShown:
        kin = self.studio.gallery.kin(record.id, visitor.person)
        if not self.studio.gallery.tells(record.id, visitor.person):
            return {**self.studio.details.kept(record, visitor.bare), "kin": {**kin, "forked": False, "origin": "", "forks": 0}}
        if visitor.owns:
            self.studio.own_picture(record.id, visitor.user, owner=True)  # takes up the inputs of what is nobody's
        told = self.studio.details.of(record, lambda picture_id: self.studio.uploads.find(picture_id, visitor.user) is not None)
        return {**told, "kin": kin}

    async def _find(self, request: Request, picture_id: str) -> PictureRecord | None:
        """The picture, when this visitor sees it: made it, is shown a board with it, or is the owner of the studio.

        Raises `UserError` for one that was brought in and whose file has gone or changed since.
        """
        record = await asyncio.to_thread(self.studio.picture, picture_id)
        visitor = visitor_of(request)
        if record is None or not await asyncio.to_thread(self.studio.gallery.shows, record.id, visitor.person):
            return None
        await asyncio.to_thread(self.studio.folders.check, record)
        return record
