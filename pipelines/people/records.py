"""Records: a link, a person, a session, as they stand in the book; and how somebody stands who asks for something."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal, get_args

from pipelines.people.roles import Role

Checker = Literal["", "blur", "block"]  # "": all; "blur": a blur that one may lift; "block": a sentence
CHECKERS: tuple[Checker, ...] = get_args(Checker)  # from the mildest to the strictest
TOKEN_BYTES = 24  # 192 random bits: nobody guesses one
SESSION_BYTES = 32
PASSWORD = "password"  # the id of the way in by password


@dataclass(frozen=True, slots=True)
class Quota:
    """What one person who came by a link may use. None: what every guest may."""

    jobs: int | None = None  # that may wait
    megapixels: float | None = None  # that may be asked for within an hour
    disk: int | None = None  # bytes


@dataclass(frozen=True, slots=True)
class Link:
    """A way in. Times are seconds since 1970."""

    number: int
    id: str
    name: str
    role: Role
    board: str  # the id of the one board that it shows; "": the studio
    maker: str  # the user who made it; "": the studio itself
    parent: int  # number of the link that its maker came by; 0 for the owner's
    created: float
    ends: float | None = None  # when it closes, with all who came by it
    people: int | None = None  # how many may come in by it
    quota: Quota = field(default_factory=Quota)
    taken: float | None = None  # when it was taken back
    bare: bool = False  # who came by it has pictures without what they say of how they were made
    thanked: float | None = None  # when it was closed kindly: until it ends, who came by it looks at what is their own
    checker: Checker = ""  # what who came by it sees of pictures that the safety checker objects to

    @property
    def is_password(self) -> bool:
        return self.id == PASSWORD

    @property
    def gives(self) -> Role:
        """What it makes of who came by it, at most."""
        return self.role if self.thanked is None else "viewer"

    def is_open(self, now: float) -> bool:
        return self.taken is None and (self.ends is None or now < self.ends)


@dataclass(frozen=True, slots=True)
class Member:
    """A person who came in. `role`: the most that the owner lets them, or "" for what their link says."""

    number: int
    user: str
    name: str
    created: float
    role: Role | None = None


@dataclass(frozen=True, slots=True)
class Session:
    """A browser that came in. `token`: the hash of what its cookie holds."""

    token: str
    person: int
    link: int
    begun: float
    seen: float
    ended: float | None = None


@dataclass(frozen=True, slots=True)
class Standing:
    """How somebody stands who came in by a link: who, as what, by which link, in which browser."""

    user: str
    name: str
    role: Role  # the one that counts now
    board: str
    link: Link
    session: str  # the hash of its token
    held: bool = False  # the owner holds this person's jobs, or those of all guests
    bare: bool = False  # pictures leave without their settings: by this link, or by the one that its maker came by
    checker: Checker = ""  # the same: the strictest of them

    @property
    def thanked_until(self) -> float | None:
        """Until when this person takes their pictures along; None for who was not thanked."""
        return None if self.link.thanked is None else self.link.ends


def strictest(checkers: Iterable[Checker]) -> Checker:
    return CHECKERS[max((CHECKERS.index(each) for each in checkers), default=0)]


def new_token(size: int = TOKEN_BYTES) -> str:
    return secrets.token_urlsafe(size)


def hash_of(token: str) -> str:
    """Of a random token. What people think up goes through `pipelines.people.passwords`."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def user_of(token: str) -> str:
    """The user whom a browser without a session stands for: the one whose jobs and pictures its token names."""
    return hash_of(token)[:32]
