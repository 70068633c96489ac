"""The door's routes: a link is opened, a name is said or the password given, and a browser goes out again.

GET  /join/TOKEN    keeps the token of a link in a cookie for a quarter of an hour, and leads on: it stays in no address
GET  /login         asks what is needed: a name, the password, or nothing, where there is no way in
POST /login         name, or password and perhaps a name; a session, bound to this browser by a cookie
POST /logout        ends it
"""

from __future__ import annotations

import asyncio

from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from models.errors import UserError
from pipelines.people.care import GONE
from pipelines.people.people import MOVED, Invited, People
from pipelines.people.roles import Role
from ui.door.attempts import Attempts, Watch
from ui.door.cookies import LINK_COOKIE, SOON, USER_COOKIE, YEAR, set_cookie
from ui.door.door_page import closed_page, go_on_page, name_page, password_page, with_warning
from ui.door.proxy import below

FIELDS = 20  # of a form
LONGEST = 1_000  # letters of a name or a token that are looked at
COMERS = 100  # people that come in from one address within a minute: a class with its teacher
INVITED_TO: dict[Role, str] = {
    "viewer": "look at pictures", "commenter": "look at pictures and talk about them", "artist": "draw",
    "co-owner": "own this studio with its owner",
}  # fmt: skip
NO_WAY_BACK = {"Referrer-Policy": "no-referrer"}


class LoginRoutes:
    """The handlers of `/login`, `/join` and `/logout`."""

    def __init__(self, people: People, faces: str = "", certified: bool = False) -> None:
        """`faces`: rules of a style sheet for the typefaces of the house. `certified`: by the studio itself, so browsers may warn."""
        self.people, self.faces, self.certified = people, faces, certified
        self.watch = Watch()
        self.comers = Watch(Attempts(most=COMERS))

    async def join(self, request: Request) -> Response:
        """Looks at the token alone: a chat that looks ahead at a link uses up nothing."""
        if wait := self._wait(request):
            return wait
        token = request.path_params["token"][:LONGEST]
        if self.people.invited(token) is None:
            self.watch.failed(request.scope)
            return self._answer(request, GONE, 404)
        response = RedirectResponse(below(request.scope, "/login"), 303, headers=NO_WAY_BACK)
        set_cookie(response.headers, LINK_COOKIE, token, SOON, request.scope)
        return response

    async def show(self, request: Request) -> Response:
        visitor, invited = request.scope["visitor"], self._invited(request)
        if visitor.owns or (visitor.role != "anyone" and invited is None):
            return RedirectResponse(below(request.scope, "/"), 303)
        return self._answer(request)

    async def enter(self, request: Request) -> Response:
        form = await request.form(max_fields=FIELDS)
        # Nothing is waited for between the look and the count: guesses that come at the same time are counted one after another.
        if wait := self._wait(request):
            return wait
        password = _text(form, "password")
        if password is not None:
            return await self._by_password(request, password, _text(form, "name") or "")
        if self._invited(request) is None:
            self.watch.failed(request.scope)
            return self._answer(request, GONE, 401)
        if self.comers.wait(request.scope) > 0:
            return self._answer(request, "Many people come in from where you are. Try again in a minute.", 429)
        self.comers.failed(request.scope)
        return await self._by_link(request, _text(form, "name") or "")

    async def leave(self, request: Request) -> Response:
        await asyncio.to_thread(self.people.leave, request.cookies.get(USER_COOKIE, ""))
        return RedirectResponse(below(request.scope, "/login"), 303)

    async def _by_password(self, request: Request, password: str, name: str) -> Response:
        self.watch.failed(request.scope)  # until it is known better
        browser = request.cookies.get(USER_COOKIE, "")
        try:
            token = await asyncio.to_thread(self.people.enter_by_password, password[:LONGEST], name[:LONGEST], browser)
        except UserError as error:
            return self._answer(request, str(error), 401)
        if token is None:
            return self._answer(request, "That is not the password.", 401)
        self.watch.forgiven(request.scope)
        return self._let_in(request, token)

    async def _by_link(self, request: Request, name: str) -> Response:
        link, browser = request.cookies.get(LINK_COOKIE, ""), request.cookies.get(USER_COOKIE, "")
        try:
            return self._let_in(request, await asyncio.to_thread(self.people.enter, link, name[:LONGEST], browser))
        except UserError as error:
            return self._answer(request, str(error), 401)

    def _let_in(self, request: Request, token: str) -> Response:
        response = RedirectResponse(below(request.scope, "/"), 303)
        set_cookie(response.headers, LINK_COOKIE, "", 0, request.scope)
        set_cookie(response.headers, USER_COOKIE, token, YEAR, request.scope)
        self.watch.entered(self.people.user(token))
        return response

    def _invited(self, request: Request) -> Invited | None:
        token = request.cookies.get(LINK_COOKIE, "")
        return self.people.invited(token) if token else None

    def _wait(self, request: Request) -> Response | None:
        """The answer to who has guessed too often."""
        wait = self.watch.wait(request.scope)
        if wait <= 0:
            return None
        sentence = f"Too many wrong passwords and links. Try again in {int(wait) + 1} seconds."
        answer = self._answer(request, sentence, 429)
        answer.headers["Retry-After"] = str(int(wait) + 1)
        return answer

    def _answer(self, request: Request, problem: str = "", status: int = 200) -> Response:
        """The page that suits who asks."""
        page = self._page(self._invited(request), problem)
        if self.certified and request.scope.get("arrived") == "https":
            page = with_warning(page, below(request.scope, "/certificate"))
        return HTMLResponse(page, status, NO_WAY_BACK if problem in (GONE, MOVED) else None)

    def _page(self, invited: Invited | None, problem: str) -> str:
        if invited and invited.member:
            return go_on_page(invited.member.name, problem, self.faces)
        if invited:
            return name_page(INVITED_TO[invited.link.role], problem, self.faces)
        if self.people.care.has_password:
            return password_page(problem, self.faces)
        return closed_page(problem, self.faces)


def _text(form: FormData, name: str) -> str | None:
    value = form.get(name)
    return value if isinstance(value, str) else None
