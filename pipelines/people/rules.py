"""Rules of links: who may make which, who cares for which, and how they are told to a page."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace

from models.errors import UserError
from pipelines.job_book.file import BookFile
from pipelines.people.answers import LinkRow, PeopleNews, PersonRow
from pipelines.people.records import Checker, Link, Member, Quota, Session
from pipelines.people.register import Register
from pipelines.people.roles import LINKED, RANK, Role, admits, lesser, only

MOST_LINKS = 2_000  # that are open
MOST_PEOPLE = 10_000
MOST_JOBS = 200
LONGEST = 60  # letters of a link's name
YEAR = 366 * 86_400.0
KEPT = 30 * 86_400.0  # seconds that a link is still listed which is over or was taken back
NO_BOARD = "There is no such board of yours. Reload the page."
ONE_BOARD = "You share one board, so a link of yours is for that one."
TOO_MUCH = "A link of yours may let people do less than you may yourself."


@dataclass(frozen=True, slots=True)
class Maker:
    """Who cares for links: the owner, or who owns with them by a link of the number `link`, of the studio or of one board."""

    user: str
    role: Role
    board: str = ""
    link: int = 0

    def cares_for(self, link: Link) -> bool:
        """The owner for all; others for those that were made by who came by the same link as they."""
        return self.role == "owner" or (self.role == "co-owner" and link.parent == self.link != 0)

    @property
    def gives(self) -> list[Role]:
        """Less than what one is oneself."""
        return [role for role in LINKED if RANK[role] < RANK[self.role]]


@dataclass(frozen=True, slots=True)
class Wanted:
    """A link as somebody wants it. `ends`: seconds since 1970."""

    name: str
    role: Role
    board: str = ""
    ends: float | None = None
    people: int | None = None
    quota: Quota = field(default_factory=Quota)
    bare: bool = False
    checker: Checker = ""


def checked(file: BookFile, maker: Maker, wanted: Wanted, parent: Link | None, links: Collection[Link], now: float) -> Link:
    """The link that is made of it, without a number and an id. Raises `UserError` for what this maker may not give."""
    if not admits("co-owner", maker.role):
        raise UserError(only("co-owner"))
    if wanted.role not in maker.gives:
        raise UserError(TOO_MUCH)
    if sum(link.is_open(now) for link in tuple(links)) >= MOST_LINKS:
        raise UserError(f"There are {MOST_LINKS:,} open links, which is the most. Take some back first.")
    _check_board(file, maker, wanted.board)
    _check_bounds(wanted, now)
    name = _clean(wanted.name) or f"Link {sum(not link.is_password for link in tuple(links)) + 1}"
    quota = _within(wanted.quota, parent.quota) if parent else wanted.quota
    above = parent.number if parent else 0
    made = Link(0, "", name, wanted.role, wanted.board, maker.user, above, now, wanted.ends, wanted.people, quota)
    return replace(made, bare=wanted.bare, checker=wanted.checker)


def wanted_of(link: Link) -> Wanted:
    """A link as somebody would want it that is as this one is."""
    return Wanted(link.name, link.role, link.board, link.ends, link.people, link.quota, link.bare, link.checker)


def changed(maker: Maker, link: Link, wanted: Wanted, parent: Link | None, now: float) -> Link:
    """The link as it becomes; its board stays. Raises `UserError` for what this maker may not give."""
    if wanted.role not in maker.gives:
        raise UserError(TOO_MUCH)
    _check_bounds(wanted, now)
    quota = _within(wanted.quota, parent.quota) if parent else wanted.quota
    name = link.name if link.is_password else _clean(wanted.name) or link.name
    kept = replace(link, bare=wanted.bare, checker=wanted.checker)
    return replace(kept, name=name, role=wanted.role, ends=wanted.ends, people=wanted.people, quota=quota)


def bounded(child: Link, parent: Link) -> Link:
    """A link that was made by who came by another gives no more than that one does."""
    return replace(child, role=lesser(child.role, parent.role), quota=_within(child.quota, parent.quota))


def _clean(name: str) -> str:
    return " ".join("".join(letter for letter in name if letter.isprintable()).split())[:LONGEST]


def _check_board(file: BookFile, maker: Maker, board: str) -> None:
    if maker.board and board != maker.board:
        raise UserError(ONE_BOARD)
    query = "select 1 from board where id = ? and user = ? and deleted is null"
    if board and board != maker.board and not file.rows(query, (board, maker.user)):
        raise UserError(NO_BOARD)


def _check_bounds(wanted: Wanted, now: float) -> None:
    if wanted.ends is not None and not now < wanted.ends < now + YEAR:
        raise UserError("A link ends within a year from now, or not by itself.")
    if wanted.people is not None and not 0 < wanted.people <= MOST_PEOPLE:
        raise UserError(f"A link is for 1 to {MOST_PEOPLE:,} people, or for as many as come.")
    quota = wanted.quota
    if quota.jobs is not None and not 0 < quota.jobs <= MOST_JOBS:
        raise UserError(f"Of one person 1 to {MOST_JOBS} jobs may wait.")
    if quota.megapixels is not None and not 0 < quota.megapixels <= 1e6:
        raise UserError("Megapixels an hour are a number above 0, up to a million.")
    if quota.disk is not None and not 0 < quota.disk <= 10**15:
        raise UserError("Room on the disk is a number of gigabytes above 0.")


def _within(quota: Quota, bounds: Quota) -> Quota:
    """Nobody gives more than they have."""

    def least(one: float | None, other: float | None) -> float | None:
        return min((each for each in (one, other) if each is not None), default=None)

    jobs, disk = least(quota.jobs, bounds.jobs), least(quota.disk, bounds.disk)
    return Quota(None if jobs is None else int(jobs), least(quota.megapixels, bounds.megapixels), None if disk is None else int(disk))


def board_name(db: sqlite3.Connection, board: str) -> str:
    row = db.execute("select name from board where id = ? and deleted is null", (board,)).fetchone()
    return str(row[0]) if row else "a board that is gone"


def told(register: Register, maker: Maker, boards: Mapping[str, str], now: float) -> PeopleNews:
    """All ways in that this maker cares for, as the page shows them."""
    of_link: dict[int, list[Session]] = {}
    for session in tuple(register.sessions.values()):
        of_link.setdefault(session.link, []).append(session)
    shown = [link for link in tuple(register.links.values()) if maker.cares_for(link) and now - (link.taken or link.ends or now) < KEPT]

    def person(link: Link, member: Member, sessions: list[Session]) -> PersonRow:
        here = [each for each in sessions if each.ended is None and register.is_open(link, now)]
        return {
            "person": member.number,
            "name": member.name,
            "role": lesser(link.gives, member.role or link.gives),
            "came": min(each.begun for each in sessions),
            "seen": max(each.seen for each in sessions),
            "here": bool(here),
            "held": member.user in register.held,
            "browsers": len(here),
        }

    def row(link: Link) -> LinkRow:
        by_person: dict[int, list[Session]] = {}
        for session in of_link.get(link.number, ()):
            by_person.setdefault(session.person, []).append(session)
        people = [person(link, register.members[number], each) for number, each in by_person.items() if number in register.members]
        quota = link.quota
        return {
            "id": link.id,
            "name": link.name,
            "role": link.role,
            "board": boards.get(link.board, ""),
            "created": link.created,
            "ends": link.ends,
            "most": link.people,
            "jobs": quota.jobs,
            "megapixels": quota.megapixels,
            "gigabytes": None if quota.disk is None else quota.disk / 1e9,
            "state": _state(register, link, len(people), now),
            "password": link.is_password,
            "bare": register.is_bare(link),
            "checker": register.checker(link),
            "people": sorted(people, key=lambda each: -each["seen"]),
        }

    rows = [row(link) for link in sorted(shown, key=lambda link: (link.taken is not None, -link.created))]
    return {"links": rows, "held": "" in register.held, "may_hold": maker.role == "owner", "roles": [*maker.gives], "no_checker": ""}


def _state(register: Register, link: Link, people: int, now: float) -> str:
    if link.taken is not None:
        return "taken back"
    if not register.is_open(link, now):
        return "over"
    if link.thanked is not None:
        return "thanked"
    return "full" if link.people is not None and people >= link.people else "open"
