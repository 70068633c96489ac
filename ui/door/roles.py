"""Roles at the door: who a visitor is, and what each handler asks of one. The table of roles is `pipelines/people/roles.py`.

    owner     sits at the machine: the connection comes from its own loopback address, under a loopback name, with no proxy
              in between; where a proxy is named, logged in as well
    anyone    nobody in particular: a visitor who came by no link and gave no password
    others    are what their link makes them

Every handler of the page and every route declares the least role it serves. Hiding a button protects nothing: Gradio lists every
handler in its configuration and runs it for whoever asks, so the check is made inside, at each call.
"""

from __future__ import annotations

import functools
import inspect
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from typing import ParamSpec, TypeVar, cast

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from pipelines.gallery.person import Person
from pipelines.people.people import HELD, thanks
from pipelines.people.records import Checker
from pipelines.people.roles import RANK, Role, admits, only
from pipelines.people.rules import Maker
from ui.gradio_import import gradio_stubs_untouched
from ui.gradio_types import handler_of
from ui.toasts import Refusal

with gradio_stubs_untouched():
    import gradio as gr
    from gradio.context import LocalContext

Given = ParamSpec("Given")
Answer = TypeVar("Answer")
Item = TypeVar("Item")
MARK = "_least_role"
Handler = Callable[[Request], Awaitable[Response]]

__all__ = ["RANK", "Role", "Visitor", "admits", "only", "role", "role_of", "user_of", "visitor_of"]


@dataclass(frozen=True, slots=True)
class Visitor:
    """The sender of one request: an opaque user id, the same for every request of one person, and a role.

    `board`: the id of the one board that the visitor's link shows, or "". `link`: its number, 0 for who came by none. `session`: the hash
    of the token in the browser's cookie. `held`: the owner holds this person's jobs. `bare`: pictures leave without their settings.
    `thanked`: until when, in seconds since 1970, this person takes their pictures along, as the link was closed kindly.
    `checker`: what is seen of those that the safety checker objects to.
    """

    user: str
    role: Role
    board: str = ""
    name: str = ""
    link: int = 0
    session: str = ""
    held: bool = False
    bare: bool = False
    thanked: float | None = None
    checker: Checker = ""

    @property
    def owns(self) -> bool:
        return self.role == "owner"

    @property
    def person(self) -> Person:
        """As the gallery knows who asks."""
        return Person(self.user, self.owns, self.board, self.bare)

    @property
    def maker(self) -> Maker:
        """As who cares for links."""
        return Maker(self.user, self.role, self.board, self.link)

    def refusal(self, least: Role) -> str:
        """Why this visitor may not do what asks for that role; "" when they may."""
        if admits(least, self.role):
            return ""
        if self.thanked is not None and least in ("commenter", "artist"):
            return self.note
        return HELD if self.held and least == "artist" else only(least)

    @property
    def note(self) -> str:
        """What this visitor is told wherever they are on the page, or ""."""
        return thanks(self.thanked - time.time()) if self.thanked is not None else ""


def visitor_of(request: object) -> Visitor:
    """The visitor that the door found for this request, a `gr.Request` or a starlette one.

    Raises `gr.Error` for a request that did not come through the door.
    """
    scope = getattr(getattr(request, "request", request), "scope", None)
    visitor: object = scope.get("visitor") if scope is not None else None
    if not isinstance(visitor, Visitor):
        raise Refusal("Reload the page: the studio does not know who is asking.", "Not known")
    return visitor


def user_of(request: object) -> str:
    return visitor_of(request).user


def role_of(request: object) -> Role:
    return visitor_of(request).role


def role(least: Role) -> Callable[[Callable[Given, Answer]], Callable[Given, Answer]]:
    """Declares the least role that a handler or a component's server function serves, and checks it at each call.

    The handler keeps its signature and its kind (function, generator, coroutine, asynchronous generator): Gradio reads both.
    """

    def declare(handler: Callable[Given, Answer]) -> Callable[Given, Answer]:
        guarded = _guarded(handler, least)
        setattr(guarded, MARK, least)
        return guarded

    return declare


def declared(handler: object) -> Role | None:
    return getattr(handler, MARK, None)


def undeclared(blocks: gr.Blocks) -> list[str]:
    """The handlers, validators and server functions of a page that declare no role, by name. A sound page has none."""
    return [name for name, handler in callables(blocks) if declared(handler) is None]


def callables(blocks: gr.Blocks) -> Iterator[tuple[str, Callable[..., object]]]:
    """All Python functions that a browser can call on a page, by name."""
    for number, event in blocks.fns.items():
        for handler in (handler_of(event), getattr(event, "validator", None)):
            if callable(handler):
                yield f"{number} {getattr(handler, '__name__', handler)}", handler
    for number, block in blocks.blocks.items():
        for handler in getattr(block, "server_fns", ()):
            yield f"{type(block).__name__} {number} {getattr(handler, '__name__', handler)}", handler


def routed(handler: Handler, least: Role) -> Handler:
    """A route that serves this role at least; others are answered with a sentence."""

    @functools.wraps(handler)
    async def answer(request: Request) -> Response:
        visitor = visitor_of(request)
        if refusal := visitor.refusal(least):
            return JSONResponse({"message": refusal}, 401 if visitor.role == "anyone" else 403)
        return await handler(request)

    setattr(answer, MARK, least)
    return answer


def _check(least: Role) -> None:
    if refusal := visitor_of(LocalContext.request.get(None)).refusal(least):
        raise Refusal(refusal, "Not allowed")


def _guarded(handler: Callable[Given, Answer], least: Role) -> Callable[Given, Answer]:
    """Of the same kind: what a generator or a coroutine answers is not its answer but what it makes."""
    if inspect.isasyncgenfunction(handler):
        return cast(Callable[Given, Answer], _guarded_stream(handler, least))
    if inspect.iscoroutinefunction(handler):
        return cast(Callable[Given, Answer], _guarded_coroutine(handler, least))
    if inspect.isgeneratorfunction(handler):
        return cast(Callable[Given, Answer], _guarded_generator(handler, least))

    @functools.wraps(handler)
    def call(*args: Given.args, **kwargs: Given.kwargs) -> Answer:
        _check(least)
        return handler(*args, **kwargs)

    return call


def _guarded_generator(handler: Callable[Given, Iterator[Item]], least: Role) -> Callable[Given, Iterator[Item]]:
    @functools.wraps(handler)
    def generate(*args: Given.args, **kwargs: Given.kwargs) -> Iterator[Item]:
        _check(least)
        yield from handler(*args, **kwargs)

    return generate


def _guarded_coroutine(handler: Callable[Given, Awaitable[Item]], least: Role) -> Callable[Given, Awaitable[Item]]:
    @functools.wraps(handler)
    async def call(*args: Given.args, **kwargs: Given.kwargs) -> Item:
        _check(least)
        return await handler(*args, **kwargs)

    return call


def _guarded_stream(handler: Callable[Given, AsyncIterator[Item]], least: Role) -> Callable[Given, AsyncIterator[Item]]:
    @functools.wraps(handler)
    async def stream(*args: Given.args, **kwargs: Given.kwargs) -> AsyncIterator[Item]:
        _check(least)
        async for item in handler(*args, **kwargs):
            yield item

    return stream
