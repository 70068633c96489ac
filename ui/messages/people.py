"""People: links and the ways to the studio, comments, and what one looks at together."""

from __future__ import annotations

from typing import TypedDict


class TunnelWay(TypedDict):
    """A program that makes a tunnel. Within `ReachNews`."""

    name: str
    says: str
    reaches: str  # who can open a link by it


class TunnelNews(TypedDict):
    """How the tunnel stands. Within `ReachNews`."""

    state: str  # "closed", "opening", "open" or "lost"
    way: str  # the name of one
    address: str  # where it shows the studio, once it is open
    said: str  # the last that its program has said, where it is not open


class ReachNews(TypedDict):
    """From where the studio is reached. Sent by `GET /reach`."""

    addresses: list[str]  # for other machines, the most likely first
    certificate: str  # what the studio's own authority is called, or "" where it has none
    fingerprint: str  # of that, SHA-256, pairs of hexadecimal digits with colons between them; or ""
    ways: list[TunnelWay]  # that are installed
    tunnel: TunnelNews


class LinkOrder(TypedDict, total=False):
    """A link that is wanted, or what is to become of a person. Sent by the page of people to `POST /people/...`; read by
    `ui.routes.people`, which says which act takes what. Empty or missing bounds are none.
    """

    name: object
    role: object  # "viewer", "commenter", "artist" or "co-owner"
    board: object  # an id, or "" for the studio
    hours: object  # until it closes
    people: object  # how many may come in by it
    jobs: object  # that may wait, of each
    megapixels: object  # an hour, of each
    gigabytes: object  # on the disk, of each
    bare: object  # whether pictures leave without their settings
    checker: object  # "", "blur" or "block"
    held: object


class CommentOrder(TypedDict, total=False):
    """A comment, or whether a thread is settled. Sent by `comments.js`; read by `CommentRoutes`."""

    text: object  # str
    parent: object  # str: the comment that began the thread, "" for a new one
    spot: object  # list of two shares of the picture, or None
    settled: object  # bool


class NewComment(TypedDict):
    id: str


class TogetherOrder(TypedDict, total=False):
    """What one looks at on a shared board. Sent by `together.js`; read by `TogetherRoutes`."""

    picture: object  # an id, or ""
    follows: object  # the seat of another person, or 0
    lets: object  # whether others may follow one
