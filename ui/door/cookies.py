"""Cookies of the door: HttpOnly, SameSite=Strict, of random tokens that only the server makes.

atelier_user    a browser. Its hash is that of a session in the book; or, of a browser that knows no link, as the owner's, what jobs
                and pictures are kept under
atelier_link    the token of a link that was opened, until a name is said, so that it stands in no address
"""

from __future__ import annotations

from http.cookies import SimpleCookie

from starlette.datastructures import MutableHeaders
from starlette.types import Message, Scope, Send

from ui.door.at_home import at_the_machine
from ui.door.proxy import below

USER_COOKIE = "atelier_user"
LINK_COOKIE = "atelier_link"
YEAR, SOON = 365 * 86_400, 900  # seconds


def set_cookie(headers: MutableHeaders, name: str, value: str, seconds: int, scope: Scope) -> None:
    cookie = SimpleCookie({name: value})
    cookie[name].update({"path": below(scope, "") or "/", "max-age": str(seconds), "httponly": "true", "samesite": "Strict"})
    # At the machine both http and https lead here, and a cookie that is secure would shut out the other's of the same name.
    if scope.get("scheme") == "https" and not at_the_machine(scope):
        cookie[name]["secure"] = "true"
    headers.append("Set-Cookie", cookie[name].OutputString())


def with_cookie(send: Send, name: str, value: str, seconds: int, scope: Scope) -> Send:
    async def add(message: Message) -> None:
        if message["type"] == "http.response.start":
            set_cookie(MutableHeaders(scope=message), name, value, seconds, scope)
        await send(message)

    return add
