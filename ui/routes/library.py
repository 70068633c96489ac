"""Library routes: all pictures of a person, searched, rated, put on boards, thrown away and fetched. In the code it is the gallery.

    GET  /library?query=&group=&order=&zone=&offset=&count=         -> a window of the pictures found; POST the same as JSON, for long ones
    GET  /library/headings?query=&group=day|job|board&order=&zone=  -> how many pictures under which heading; POST likewise
    GET  /library/offers                                            -> models, samplers and LoRAs that occur, and how often
    GET  /library/pictures/{id}                                     -> note, boards and the like of one
    POST /library/pictures/rate|favourite|hide|note|delete|restore  {"ids", "rating": 4 | "favourite": true | "hidden": true | "note": ""}
    GET  /library/boards                                            -> boards; POST {"name"}: a new one -> {"id"}
    POST /library/boards/{id}/rename|delete|restore|add|remove      {"name"} or {"ids": [...]}
    POST /library/boards/{id}/share|desk                            {"on"}: whether it is shared, or one's drawings go onto it
    GET  /library/bin                                               -> what is in it; POST /library/bin/empty
    POST /library/zip  {"ids": [...], "settings": true, "format": ""} -> {"id", "count", "bytes"}; GET /library/zip/{id}: the file

`zone`: minutes east of Greenwich, where the person is. All of it is about the visitor's own pictures, for the owner of the studio
those of nobody too, and what is on shared boards; for who came by a link to a board, on that one. Refused is what cannot be done, with
status 422 and a sentence.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import cast

from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse

from models.errors import UserError
from models.json_values import is_list, is_whole, table, text
from pipelines import Asked, BookError, Person, Studio, asked_for
from ui.door.roles import visitor_of
from ui.messages import Done, GalleryBoards, GalleryChanged, GalleryOrder, GalleryQuestion, Leaving, Message, NewBoard

PAGE = 100  # pictures of a window, where nothing is said
DIGITS = 9


class LibraryRoutes:
    """The handlers of `/library`."""

    def __init__(self, studio: Studio) -> None:
        self.gallery, self.finishes, self.safety = studio.gallery, studio.finishes, studio.safety

    async def window(self, request: Request) -> Response:
        def answer(person: Person, values: GalleryQuestion) -> object:
            return self.gallery.window(person, _asked(values), _number(values, "offset"), _number(values, "count", PAGE))

        return await _told(request, answer)

    async def headings(self, request: Request) -> Response:
        return await _told(request, lambda person, values: self.gallery.headings(person, _asked(values)))

    async def offers(self, request: Request) -> Response:
        return await _told(request, lambda person, values: self.gallery.offers(person))

    async def details(self, request: Request) -> Response:
        return await _told(request, lambda person, values: self.gallery.details(request.path_params["picture_id"], person))

    async def boards(self, request: Request) -> Response:
        return await _told(request, lambda person, values: GalleryBoards(boards=self.gallery.boards.all(person)))

    async def create(self, request: Request) -> Response:
        return await _done(request, lambda person, values: NewBoard(id=self.gallery.boards.create(person, _name(values))))

    async def bin(self, request: Request) -> Response:
        return await _told(request, lambda person, values: self.gallery.bin.content(person))

    async def empty(self, request: Request) -> Response:
        return await _done(request, lambda person, values: Leaving(leaving=self.gallery.empty_bin(person)))

    async def mark(self, request: Request) -> Response:
        """What is done to pictures; the address says what."""
        return await _done(request, lambda person, values: self._with_finishes(request.path_params["action"], person, values))

    async def board(self, request: Request) -> Response:
        """What is done to a board; the address says what."""
        board, action = request.path_params["board_id"], request.path_params["action"]
        return await _done(request, lambda person, values: self._boarded(board, action, person, values))

    async def prepare(self, request: Request) -> Response:
        def answer(person: Person, values: GalleryOrder) -> object:
            wanted, visitor = values.get("format", ""), visitor_of(request)
            ids = self.safety.shown(_ids(values), visitor.user, visitor.checker)
            if not ids:
                raise UserError("The safety checker of your link hides all of these pictures. What you have revealed can be downloaded.")
            return self.gallery.downloads.prepare(ids, person, values.get("settings") is not False, str(wanted)[:20])

        return await _done(request, answer)

    async def zip(self, request: Request) -> Response:
        """The file, while it is made."""
        try:
            pieces = self.gallery.downloads.open(request.path_params["zip_id"], _person(request))
        except UserError as error:
            return JSONResponse(Message(message=str(error)), 404)
        headers = {"Content-Disposition": 'attachment; filename="atelier.zip"', "Cache-Control": "no-store"}
        return StreamingResponse(pieces, media_type="application/zip", headers=headers)

    def _with_finishes(self, action: str, person: Person, values: GalleryOrder) -> GalleryChanged:
        """With what begins by itself for pictures that are so marked."""
        changed, value = self._marked(action, person, values), values.get({"rate": "rating"}.get(action, action))
        said = self.finishes.marked(_ids(values), person, action, value) if isinstance(value, int) else ""
        return {**changed, "said": said} if said else changed

    def _marked(self, action: str, person: Person, values: GalleryOrder) -> GalleryChanged:
        marks, ids = self.gallery.marks, _ids(values)
        match action:
            case "rate" if is_whole(rating := values.get("rating")):
                return marks.rate(ids, person, rating)
            case "favourite" if isinstance(favourite := values.get("favourite"), bool):
                return marks.favourite(ids, person, favourite)
            case "hide" if isinstance(hidden := values.get("hidden"), bool):
                return marks.hide(ids, person, hidden)
            case "note" if isinstance(note := values.get("note"), str):
                return marks.note(ids, person, note)
            case "delete":
                return marks.throw(ids, person)
            case "restore":
                return marks.restore(ids, person)
            case _:
                raise UserError(
                    "Say what to do with these pictures: rate, favourite, hide, note, delete or restore, with the value for it."
                )

    def _boarded(self, board: str, action: str, person: Person, values: GalleryOrder) -> object:
        boards = self.gallery.boards
        match action:
            case "add":
                return boards.add(board, _ids(values), person)
            case "remove":
                return boards.remove(board, _ids(values), person)
            case "rename":
                boards.rename(board, person, _name(values))
            case "delete":
                boards.delete(board, person)
            case "restore":
                boards.restore(board, person)
            case "share":
                boards.share(board, person, _flag(values))
            case "desk":
                boards.draw_onto(board, person, _flag(values))
            case _:
                raise UserError("Say what to do with this board: rename, delete, restore, share, desk, add or remove.")
        return Done()


async def _told(request: Request, answer: Callable[[Person, GalleryQuestion], object]) -> Response:
    """What `answer` makes of a question, in a thread."""
    asked = _body(request) if request.method == "POST" else dict[str, object](request.query_params)
    return await _answered(lambda: answer(_person(request), cast(GalleryQuestion, asked)))


async def _done(request: Request, answer: Callable[[Person, GalleryOrder], object]) -> Response:
    """What `answer` makes of an order, in a thread."""
    return await _answered(lambda: answer(_person(request), cast(GalleryOrder, _body(request))))


async def _answered(answer: Callable[[], object]) -> Response:
    try:
        return JSONResponse(await asyncio.to_thread(answer))
    except BookError:
        raise  # the server says that it is not to be had now
    except UserError as error:
        return JSONResponse(Message(message=str(error)), 422)


def _body(request: Request) -> dict[str, object]:
    return table(request.scope.get("json"))


def _person(request: Request) -> Person:
    return visitor_of(request).person


def _asked(values: GalleryQuestion) -> Asked:
    return asked_for(text(values, "query"), text(values, "group"), text(values, "order", "newest"), _number(values, "zone"))


def _number(values: GalleryQuestion, name: str, default: int = 0) -> int:
    """A whole number, said in JSON or in an address. Raises `UserError` for what is none."""
    said = values.get(name, default)
    if is_whole(said) and len(str(said)) <= DIGITS:
        return said
    if isinstance(said, str) and len(said) <= DIGITS and said.removeprefix("-").isdecimal() and said.isascii():
        return int(said)
    raise UserError(f"“{name}” must be a whole number.")


def _ids(values: GalleryOrder) -> list[str]:
    """Raises `UserError` for what is no list of texts."""
    found = values.get("ids")
    if not is_list(found) or not found:
        raise UserError("Choose pictures first.")
    ids = [each for each in found if isinstance(each, str)]
    if len(ids) < len(found):
        raise UserError("“ids” must be a list of pictures' ids.")
    return ids


def _flag(values: GalleryOrder) -> bool:
    flag = values.get("on")
    if not isinstance(flag, bool):
        raise UserError("Say whether, with “on” true or false.")
    return flag


def _name(values: GalleryOrder) -> str:
    name = values.get("name")
    if not isinstance(name, str):
        raise UserError("“name” must be a text.")
    return name
