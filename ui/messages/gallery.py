"""The library of what was made: searches, and what is done to pictures and boards."""

from __future__ import annotations

from typing import TypedDict


class GalleryQuestion(TypedDict, total=False):
    """A search, or the headings of one. Sent to `/library` and `/library/headings`, in the address or as JSON."""

    query: object
    group: object  # "", "day", "job" or "board"
    order: object  # "newest", "oldest" or "rating"
    zone: object  # minutes east of Greenwich
    offset: object
    count: object  # 500 at most


class GalleryOrder(TypedDict, total=False):
    """What is to be done to pictures or a board. Sent to the other routes of `/library`, which say what they take."""

    ids: object
    rating: object
    favourite: object
    hidden: object
    note: object
    name: object
    settings: object
    format: object
    on: object


class NewBoard(TypedDict):
    """A board that was made. Sent by `POST /library/boards`."""

    id: str


class Leaving(TypedDict):
    """How many pictures leave the bin. Sent by `POST /library/bin/empty`."""

    leaving: int
