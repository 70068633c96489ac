"""Messages about people for a page. Plain values, as they go into JSON; `ui/messages/` lists them with all others."""

from __future__ import annotations

from typing import TypedDict


class PersonRow(TypedDict):
    """Somebody who came by a link. Within `LinkRow`."""

    person: int
    name: str
    role: str  # what they are now
    came: float  # seconds since 1970
    seen: float
    here: bool  # some browser of theirs is still let in
    held: bool  # their jobs are held
    browsers: int


class LinkRow(TypedDict):
    """A way in, and who came by it. `role`: "viewer", "commenter", "artist" or "co-owner". Within `PeopleNews`."""

    id: str
    name: str
    role: str
    board: str  # the name of the board that it shows, or ""
    created: float  # seconds since 1970
    ends: float | None
    most: int | None  # people
    jobs: int | None  # that may wait, of each
    megapixels: float | None  # an hour, of each
    gigabytes: float | None  # of each
    state: str  # "open", "full", "thanked", "over" or "taken back"
    password: bool  # the way in by password
    bare: bool  # pictures leave by it without their settings
    checker: str  # "", "blur" or "block": what is seen by it of pictures that the safety checker objects to
    people: list[PersonRow]


class PeopleNews(TypedDict):
    """All ways in that the asker cares for, the newest first. Sent by `GET /people`."""

    links: list[LinkRow]
    held: bool  # all guests
    may_hold: bool
    roles: list[str]  # that a new link may give
    no_checker: str  # why a link can have no safety checker, a sentence, or ""


class NewLink(TypedDict):
    """The address of a link, which nobody can read again later. `addresses`: others under which the studio may be reached.

    Sent by `POST /people/links`, `POST /people/links/{id}/address` and `POST /people/move`.
    """

    id: str
    address: str
    qr: str  # a picture, as a data URL
    addresses: list[str]
    note: str  # a sentence where nobody elsewhere can open it, or ""
