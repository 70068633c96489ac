"""Presence: whether somebody still waits for an answer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import anyio.from_thread


def gone(request: Any) -> Callable[[], bool]:
    """Asks whether the sender of a request has gone away: to be called in the thread that the server runs a handler in.

    `request`: a `gr.Request` or a starlette one. In any other thread the sender counts as there.
    """
    inner = getattr(request, "request", request)

    def look() -> bool:
        try:
            return anyio.from_thread.run(inner.is_disconnected)
        except (RuntimeError, AttributeError):
            return False

    return look
