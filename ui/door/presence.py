"""Presence: whether somebody still waits for an answer."""

from __future__ import annotations

from collections.abc import Callable, Coroutine

import anyio.from_thread


def gone(request: object) -> Callable[[], bool]:
    """Asks whether the sender of a request has gone away: to be called in the thread that the server runs a handler in.

    `request`: a `gr.Request` or a starlette one. In any other thread the sender counts as there.
    """
    ask: Callable[[], Coroutine[object, object, bool]] | None = getattr(getattr(request, "request", request), "is_disconnected", None)

    def look() -> bool:
        try:
            return ask is not None and anyio.from_thread.run(ask)
        except (RuntimeError, AttributeError):
            return False

    return look
