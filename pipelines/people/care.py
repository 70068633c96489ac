"""Care for ways in: links and the password are made, renewed and taken back, and people are held or let do less."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Protocol

from models.errors import UserError
from pipelines.job_book.file import BookFile
from pipelines.people.answers import PeopleNews
from pipelines.people.passwords import Passwords
from pipelines.people.records import PASSWORD, Link, Member, Session, hash_of, new_token
from pipelines.people.register import Register
from pipelines.people.roles import Role, admits, lesser
from pipelines.people.rules import Maker, Wanted, board_name, bounded, changed, checked, told, wanted_of

GONE = "This link does not open the studio any more. Ask who gave it to you for a new one."
CLOSED = "This link is closed. Make a new one."
THANKS = 86_400.0  # seconds in which who was thanked may take their pictures along
NO_LINK = "There is no such link. Reload the page."
NO_PERSON = "There is no such person. Reload the page."


class Hearers(Protocol):
    """Who hears of what changes for jobs and boards."""

    @property
    def on_dropped(self) -> Callable[[list[str]], None]: ...

    @property
    def on_held(self) -> Callable[[], None]: ...

    @property
    def on_linked(self) -> Callable[[str], None]: ...


class Care:
    """Safe to use from any thread. Everything raises `UserError` for what this maker may not do, and `BookError`."""

    def __init__(
        self,
        file: BookFile,
        register: Register,
        passwords: Passwords,
        clock: Callable[[], float],
        closed: Callable[[Iterable[Session]], None],
        hearers: Hearers,
    ) -> None:
        """`closed` hears of sessions that were ended."""
        self._file, self.register, self._passwords, self._clock = file, register, passwords, clock
        self._closed, self._hearers = closed, hearers

    def password(self, password: str | None) -> None:
        """At a start: the password is a way in, or there is none. Who came by the same password before is still in."""
        link, now = self.register.by_id(PASSWORD), self._clock()
        if password is None:
            if link and link.taken is None:
                self._take([link])
            return
        if link and link.taken is None and self._passwords.fits(password, self.register.secret_of(link.number)):
            return
        if link is None:
            made = Link(0, PASSWORD, "The password", "artist", "", "", 0, now)
            self.register.add_link(made, self._passwords.hashed(password))
            return
        self._take([link])
        self.register.renew(link, self._passwords.hashed(password))
        self.register.open_again(replace(link, taken=None, created=now))

    @property
    def has_password(self) -> bool:
        link = self.register.by_id(PASSWORD)
        return link is not None and link.is_open(self._clock())

    def change(self, maker: Maker, link_id: str, change: Callable[[Wanted], Wanted]) -> None:
        """Another name, role, end or other bounds for a link, and for who came by it; what hangs on it gives no more than it does.

        Its board stays. Who may not draw any more has nothing that waits. Raises `UserError` for what this maker may not give.
        """
        link = self._open(maker, link_id)
        found = changed(maker, link, change(wanted_of(link)), self.register.links.get(link.parent), self._clock())
        self._settle([found, *(bounded(child, found) for child in self.register.below(link)[1:])])

    def thank(self, maker: Maker, link_id: str) -> None:
        """Closes a link kindly: for a day, who came by it may take their own pictures along. Nobody comes in by it, and what waits is
        dropped.
        """
        link, now = self._open(maker, link_id), self._clock()
        if link.is_password:
            raise UserError("Whoever knows the password could come again with it. Take it back instead.")
        self._settle(
            [replace(each, thanked=now, ends=now + THANKS) for each in self.register.below(link) if self.register.is_open(each, now)]
        )

    def make(self, maker: Maker, wanted: Wanted) -> tuple[Link, str]:
        """A link and its token, which is not kept. Raises `UserError` for what this maker may not give."""
        parent = self.register.links.get(maker.link)
        made = checked(self._file, maker, wanted, parent, self.register.links.values(), self._clock())
        token = new_token()
        link = self.register.add_link(replace(made, id=secrets.token_urlsafe(12)), hash_of(token))
        if link.board:
            self._hearers.on_linked(link.board)
        return link, token

    def renew(self, maker: Maker, link_id: str) -> tuple[Link, str]:
        """Another token for a link; the one before opens nothing any more. Who came by it stays."""
        link = self._open(maker, link_id)
        if link.is_password:
            raise UserError(GONE)
        token = new_token()
        self.register.renew(link, hash_of(token))
        return link, token

    def take_back(self, maker: Maker, link_id: str) -> None:
        """Closes a link, those made by who came by it, and all their sessions; jobs that wait are dropped."""
        self._take(self.register.below(self._of(maker, link_id)))

    def set_role(self, maker: Maker, person: int, role: Role) -> None:
        """The most that this person may be, whatever their link says. Who may not draw any more has nothing that waits."""
        member = self._person(maker, person)
        self.register.change_member(replace(member, role=role))
        session = self.register.best(member.user)
        link = self.register.links.get(session.link) if session else None
        if link and not admits("artist", lesser(link.gives, role)):
            self._hearers.on_dropped([member.user])

    def hold(self, maker: Maker, person: int, held: bool) -> None:
        """Their jobs wait, and they ask for no others, until they are let go on."""
        self.register.hold(self._person(maker, person).user, held)
        self._hearers.on_held()

    def hold_all(self, held: bool) -> None:
        """The same for all guests."""
        self.register.hold("", held)
        self._hearers.on_held()

    def news(self, maker: Maker) -> PeopleNews:
        with self._file.reading() as db:
            names = {link.board: board_name(db, link.board) for link in tuple(self.register.links.values()) if link.board}
        return told(self.register, maker, names, self._clock())

    def _settle(self, links: Sequence[Link]) -> None:
        """Links that are others now."""
        self.register.change_links(links)
        numbers = {session.person for session in self.register.sessions_of(links) if session.ended is None}
        users = [member.user for number in numbers if (member := self.register.members.get(number)) and not self._draws(member)]
        if users:
            self._hearers.on_dropped(users)

    def _draws(self, member: Member) -> bool:
        """Whether this person may draw by some link, now or when they are held no longer."""
        session = self.register.best(member.user)
        link = self.register.links.get(session.link) if session else None
        return link is not None and admits("artist", lesser(link.gives, member.role or link.gives))

    def _open(self, maker: Maker, link_id: str) -> Link:
        """One that people can come in by."""
        link = self._of(maker, link_id)
        if link.thanked is not None or not self.register.is_open(link, self._clock()):
            raise UserError(CLOSED)
        return link

    def _of(self, maker: Maker, link_id: str) -> Link:
        link = self.register.by_id(link_id)
        if link is None or not maker.cares_for(link):
            raise UserError(NO_LINK)
        return link

    def _person(self, maker: Maker, number: int) -> Member:
        member = self.register.members.get(number)
        cared = [maker.cares_for(self.register.links[each.link]) for each in self.register.live(number)]
        if member is None or (maker.role != "owner" and not (cared and all(cared))):  # who came by another's link too is not theirs alone
            raise UserError(NO_PERSON)
        return member

    def _take(self, links: Iterable[Link]) -> None:
        self._closed(self.register.take_back(links, self._clock()))
