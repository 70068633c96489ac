"""The register: all links, people and sessions in memory, as they stand in the book, so that a request asks no file who it comes from.

Every change is written into the book first, so that a restart finds it. When another book has come into the place of the one before,
the register is read anew.
"""

from __future__ import annotations

import sqlite3
import threading
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import TypeVar

from pipelines.job_book.desks import SIT
from pipelines.job_book.file import BookFile
from pipelines.people.records import CHECKERS, Checker, Link, Member, Quota, Session, strictest
from pipelines.people.roles import LINKED, RANK, Role, is_role

ENDED = 5_000  # sessions that have ended and are remembered: their browsers come back as who they were
CHANGE = """update link set name = ?, role = ?, ends = ?, people = ?, jobs = ?, megapixels = ?, disk = ?, bare = ?, thanked = ?, checker = ?
  where number = ?"""
Told = TypeVar("Told")
LINK = "id, secret, name, role, board, maker, parent, created, ends, people, jobs, megapixels, disk, bare, checker"


class Register:
    """Safe to use from any thread. What is read is at most as old as the last change; everything raises `BookError`."""

    def __init__(self, file: BookFile) -> None:
        self._file, self._read_of = file, None
        self._lock = threading.RLock()
        self.links: dict[int, Link] = {}
        self.secrets: dict[str, int] = {}  # hash of a token -> number of its link
        self.members: dict[int, Member] = {}
        self.numbers: dict[str, int] = {}  # user -> number of the person
        self.sessions: dict[str, Session] = {}
        self.of_person: defaultdict[int, set[str]] = defaultdict(set)  # number of a person -> hashes of the sessions
        self.held: set[str] = set()
        self.refresh()

    def refresh(self) -> None:
        """Reads the register where another book is in place than it was read of."""
        if self._read_of is self._file.db:
            return
        with self._lock, self._file.reading() as db:
            self._read(db)
            self._read_of = db

    def _read(self, db: sqlite3.Connection) -> None:
        rows = db.execute("select * from link").fetchall()
        self.links = {row["number"]: _link(row) for row in rows}
        self.secrets = {row["secret"]: row["number"] for row in rows}
        self.members = {row["number"]: _member(row) for row in db.execute("select * from person")}
        self.numbers = {member.user: number for number, member in self.members.items()}
        db_sessions = db.execute("select * from session").fetchall()
        self.sessions, self.of_person = {}, defaultdict(set)
        for row in db_sessions:
            self._keep(Session(row["token"], row["person"], row["link"], row["begun"], row["seen"], row["ended"]))
        self.held = {row["user"] for row in db.execute("select user from held")}

    # ------------------------------------------------------------------------------------------ what is asked

    def link_of(self, secret: str) -> Link | None:
        """By the hash of its token."""
        return self.links.get(self.secrets.get(secret, 0))

    def by_id(self, link_id: str) -> Link | None:
        return next((link for link in self.links.values() if link.id == link_id), None)

    def member_of(self, user: str) -> Member | None:
        return self.members.get(self.numbers.get(user, 0))

    def secret_of(self, number: int) -> str:
        return next((secret for secret, of in self.secrets.items() if of == number), "")

    def is_open(self, link: Link | None, now: float) -> bool:
        """Whether it is open, and so is the one by which its maker came."""
        while link and link.is_open(now):
            if not link.parent:
                return True
            link = self.links.get(link.parent)
        return False

    def is_bare(self, link: Link | None) -> bool:
        """Whether pictures leave by it without their settings, or by the one by which its maker came."""
        while link and not link.bare:
            link = self.links.get(link.parent)
        return link is not None

    def checker(self, link: Link | None) -> Checker:
        """The strictest of it and of the one by which its maker came."""
        found: Checker = ""
        while link:
            found = strictest((found, link.checker))
            link = self.links.get(link.parent)
        return found

    def below(self, link: Link) -> list[Link]:
        """The link and all that hang on it."""
        found = [link]
        for each in found:
            found += [child for child in tuple(self.links.values()) if child.parent == each.number]
        return found

    def sessions_of(self, links: Iterable[Link]) -> list[Session]:
        numbers = {link.number for link in links}
        return [session for session in tuple(self.sessions.values()) if session.link in numbers]

    def live(self, person: int) -> list[Session]:
        """The sessions of a person that have not ended."""
        sessions = (self.sessions.get(token) for token in tuple(self.of_person.get(person, ())))
        return [each for each in sessions if each and each.ended is None and each.link in self.links]

    def best(self, user: str) -> Session | None:
        """Of those the one by which the person may most; among equals the newest."""
        live = self.live(self.numbers.get(user, 0))
        return max(live, key=lambda each: (RANK[self.links[each.link].gives], each.begun), default=None)

    # ------------------------------------------------------------------------------------------ what is changed

    def add_link(self, link: Link, secret: str) -> Link:
        """Returns it with its number."""
        quota = link.quota
        values = (link.id, secret, link.name, link.role, link.board, link.maker, link.parent, link.created, link.ends, link.people)

        def write(db: sqlite3.Connection) -> Link:
            query = f"insert into link ({LINK}) values ({', '.join('?' * 15)})"
            more = (quota.jobs, quota.megapixels, quota.disk, link.bare, link.checker)
            return replace(link, number=int(db.execute(query, (*values, *more)).lastrowid or 0))

        return self._changed(write, lambda made: self._link(made, secret))

    def renew(self, link: Link, secret: str) -> None:
        """Another token opens it from now on."""
        write = ("update link set secret = ? where number = ?", (secret, link.number))
        self._changed(lambda db: db.execute(*write), lambda _: self._link(link, secret))

    def change_links(self, links: Sequence[Link]) -> None:
        """Other names, roles, ends and bounds for links, and whether they were closed kindly."""

        def values(link: Link) -> tuple[object, ...]:
            quota = link.quota
            bounds = (link.people, quota.jobs, quota.megapixels, quota.disk, link.bare)
            return (link.name, link.role, link.ends, *bounds, link.thanked, link.checker, link.number)

        def keep(_: object) -> None:
            self.links.update({link.number: link for link in links})

        self._changed(lambda db: db.executemany(CHANGE, map(values, links)), keep)

    def open_again(self, link: Link) -> None:
        """A way in that was taken back is one again; those who came by it stay out."""
        write = ("update link set taken = null, created = ? where number = ?", (link.created, link.number))
        self._changed(lambda db: db.execute(*write), lambda _: self._link(link, self.secret_of(link.number)))

    def take_back(self, links: Iterable[Link], now: float) -> list[Session]:
        """Closes links and ends what came by them. Returns the sessions that were open."""
        links = [replace(link, taken=link.taken or now) for link in links]
        open_ones = [session for session in self.sessions_of(links) if session.ended is None]

        def write(db: sqlite3.Connection) -> None:
            db.executemany("update link set taken = ? where number = ?", [(link.taken, link.number) for link in links])
            _end(db, open_ones, now)

        def keep(_: object) -> None:
            for link in links:
                self.links[link.number] = link
            self._ended(open_ones, now)

        self._changed(write, keep)
        return open_ones

    def add_member(self, user: str, name: str, now: float) -> Member:
        def write(db: sqlite3.Connection) -> Member:
            query = "insert into person (user, name, created) values (?, ?, ?)"
            return Member(int(db.execute(query, (user, name, now)).lastrowid or 0), user, name, now)

        return self._changed(write, self._member)

    def change_member(self, member: Member) -> None:
        write = ("update person set name = ?, role = ? where number = ?", (member.name, member.role or "", member.number))
        self._changed(lambda db: db.execute(*write), lambda _: self._member(member))

    def add_session(self, session: Session, most: int | None = None, instead: str = "") -> bool:
        """A browser comes in; who comes by a link to a board for the first time draws onto that one. `most`: people by its link; False, and
        nothing is changed, when there are as many already.

        `instead`: the hash of a session of the same browser, which ends.
        """
        with self._lock:
            known = {each.person for each in self.sessions_of([self.links[session.link]])}
            if most is not None and session.person not in known and len(known) >= most:
                return False
            link = self.links[session.link]
            desk = (self.members[session.person].user, link.board) if link.board and session.person not in known else None
            before = [each for each in (self.sessions.get(instead),) if each and each.ended is None]
            values = (session.token, session.person, session.link, session.begun, session.seen)

            def write(db: sqlite3.Connection) -> None:
                db.execute("insert into session (token, person, link, begun, seen) values (?, ?, ?, ?, ?)", values)
                if desk:
                    db.execute(SIT, desk)
                _end(db, before, session.begun)
                db.execute(f"delete from session where token in (select token from session where ended is not null order by ended desc "
                           f"limit -1 offset {ENDED})")  # fmt: skip

            def keep(_: object) -> None:
                self._keep(session)
                self._ended(before, session.begun)
                self._forget()

            self._changed(write, keep)
            return True

    def end(self, sessions: Iterable[Session], now: float) -> None:
        open_ones = [each for each in sessions if each.ended is None]
        self._changed(lambda db: _end(db, open_ones, now), lambda _: self._ended(open_ones, now))

    def saw(self, seen: dict[str, float]) -> None:
        """When browsers were here last, by the hashes of their tokens."""
        rows = [(at, token) for token, at in seen.items()]

        def keep(_: object) -> None:
            for token, at in seen.items():
                if token in self.sessions:
                    self.sessions[token] = replace(self.sessions[token], seen=at)

        self._changed(lambda db: db.executemany("update session set seen = ? where token = ?", rows), keep)

    def hold(self, user: str, held: bool) -> None:
        """A person; "": all guests."""
        query = "insert or ignore into held values (?)" if held else "delete from held where user = ?"
        self._changed(lambda db: db.execute(query, (user,)), lambda _: (self.held.add if held else self.held.discard)(user))

    def _changed(self, write: Callable[[sqlite3.Connection], Told], keep: Callable[[Told], object]) -> Told:
        """Written first; what cannot be written is not so."""
        with self._lock:
            self.refresh()
            with self._file.transaction() as db:
                told = write(db)
            if self._read_of is self._file.db:
                keep(told)
            else:  # another book has come into the place of the one before in this moment
                self.refresh()
            return told

    def _link(self, link: Link, secret: str) -> None:
        self.secrets.pop(self.secret_of(link.number), None)
        self.links[link.number], self.secrets[secret] = link, link.number

    def _member(self, member: Member) -> None:
        self.members[member.number], self.numbers[member.user] = member, member.number

    def _keep(self, session: Session) -> None:
        self.sessions[session.token] = session
        self.of_person[session.person].add(session.token)

    def _forget(self) -> None:
        """Sessions that ended long ago, once there are many."""
        if len(self.sessions) < 2 * ENDED:
            return
        ended = sorted((each for each in self.sessions.values() if each.ended is not None), key=lambda each: each.ended or 0.0)
        for session in ended[:-ENDED]:
            del self.sessions[session.token]
            self.of_person[session.person].discard(session.token)

    def _ended(self, sessions: Iterable[Session], now: float) -> None:
        for session in sessions:
            self.sessions[session.token] = replace(session, ended=now)


def _end(db: sqlite3.Connection, sessions: Iterable[Session], now: float) -> None:
    db.executemany("update session set ended = ? where token = ?", [(now, each.token) for each in sessions])


def _link(row: sqlite3.Row) -> Link:
    quota = Quota(row["jobs"], row["megapixels"], row["disk"])
    named = row["number"], row["id"], row["name"], _role(row["role"]), row["board"], row["maker"], row["parent"]
    shown = row["taken"], bool(row["bare"]), row["thanked"], _checker(row["checker"])
    return Link(*named, row["created"], row["ends"], row["people"], quota, *shown)


def _member(row: sqlite3.Row) -> Member:
    role = _role(row["role"]) if row["role"] else None
    return Member(row["number"], row["user"], row["name"], row["created"], role)


def _checker(value: object) -> Checker:
    """What a damaged row says becomes the strictest."""
    found: list[Checker] = [each for each in CHECKERS if each == value]
    return found[0] if found else CHECKERS[-1]


def _role(value: object) -> Role:
    """What a damaged row says becomes the least that a link may say."""
    return value if is_role(value) and value in LINKED else LINKED[0]
