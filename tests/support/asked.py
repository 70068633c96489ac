"""Requests as tests know them."""

from __future__ import annotations

from pipelines.requests.request import Drawing, Request


def drawing(request: Request) -> Drawing:
    """The request of something that was drawn, for what only those have."""
    assert isinstance(request, Drawing)
    return request
