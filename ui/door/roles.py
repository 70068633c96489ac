"""Roles: who a visitor is, and what each handler asks of one.

    owner     sits at the machine: the connection comes from its own loopback address, under a loopback name, with no proxy
              in between; where a password is set, logged in as well
    artist    anybody else who was let in
    anyone    nobody in particular: a visitor who has not logged in

Every handler of the page declares the least role it serves. Hiding a button protects nothing: Gradio lists every handler in
its configuration and runs it for whoever asks, so the check is made inside, at each call.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from typing import Literal, ParamSpec, TypeVar, cast

from ui.gradio_import import gradio_stubs_untouched
from ui.gradio_types import handler_of
from ui.toasts import Refusal

with gradio_stubs_untouched():
    import gradio as gr
    from gradio.context import LocalContext

Given = ParamSpec("Given")
Answer = TypeVar("Answer")
Item = TypeVar("Item")
Role = Literal["anyone", "artist", "owner"]
RANK: dict[Role, int] = {"anyone": 0, "artist": 1, "owner": 2}
MARK = "_least_role"


@dataclass(frozen=True, slots=True)
class Visitor:
    """The sender of one request: an opaque user id, the same for every request of one browser, and a role."""

    user: str
    role: Role


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


def admits(least: Role, who: Role) -> bool:
    """Whether what asks for the role `least` is open to `who`."""
    return RANK[who] >= RANK[least]


def only(least: Role) -> str:
    return f"Only the {least} of this studio can do that."


def _check(least: Role) -> None:
    if not admits(least, role_of(LocalContext.request.get(None))):
        raise Refusal(only(least), "Not allowed")


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
