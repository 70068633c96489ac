"""People: who comes in by which link, as what, until when; and what goes with a link that is taken back.

A link is known by the hash of its token alone: whoever reads the book comes in by none. Who opens one says a name and becomes a session,
which is bound to one browser; a second browser of the same person comes in by a token of five minutes that is good once.
"""

from __future__ import annotations

import math
import re
import threading
import time
import unicodedata
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from models.errors import UserError
from pipelines.job_book.file import BookFile
from pipelines.people.answers import PeopleNews
from pipelines.people.care import GONE, Care
from pipelines.people.passwords import Passwords
from pipelines.people.records import (
    PASSWORD,
    SESSION_BYTES,
    Checker,
    Link,
    Member,
    Quota,
    Session,
    Standing,
    hash_of,
    new_token,
    strictest,
    user_of,
)
from pipelines.people.register import Register
from pipelines.people.roles import admits, lesser, only
from pipelines.people.rules import MOST_PEOPLE, Maker

MOVE = 300.0  # seconds that the address for another device is good
FLUSH = 30.0  # seconds between writes of who was seen when
COOKIE = re.compile(r"[A-Za-z0-9_-]{22}|[A-Za-z0-9_-]{43}")  # the first kind is of browsers that know no link, and of earlier versions
LONGEST_NAME = 40  # letters
FULL = "As many people came by this link as it is for. Ask who gave it to you for another one."
MOVED = "This address was used already, or is older than five minutes. Make a new one on the device where you are at home here."
NO_NAME = "Say a name, so that the others know who you are."
HELD = "The owner of this studio has paused you. You can look; what waits keeps its place."
OUT = "Your way into this studio was closed. Ask who gave it to you for a new one."


@dataclass(frozen=True, slots=True)
class Invited:
    """What a token opens. `member`: for a second browser of somebody, who that is."""

    link: Link
    member: Member | None = None


class People:
    """Safe to use from any thread. Everything raises `UserError` for what cannot be done, and `BookError`."""

    def __init__(self, file: BookFile, clock: Callable[[], float] = time.time, passwords: Passwords | None = None) -> None:
        self._file, self._clock = file, clock
        self.register = Register(file)
        self._passwords = passwords or Passwords()
        self._seen: dict[str, float] = {}
        self._moves: dict[str, tuple[Session, float]] = {}  # hash of the token -> of whom, until when
        self._moving = threading.Lock()
        self.on_closed: list[Callable[[frozenset[str]], None]] = []  # hear of the hashes of sessions that are no more
        self.on_dropped: Callable[[list[str]], None] = lambda users: None  # whose jobs that wait are to go
        self.on_held: Callable[[], None] = lambda: None  # whose jobs are held has changed
        self.on_linked: Callable[[str], None] = lambda board: None  # there is a link to this board
        self.care = Care(file, self.register, self._passwords, clock, self._closed, self)
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._look_after, name="people", daemon=True)

    def start(self) -> None:
        """From now on links close at their time by themselves."""
        self._thread.start()

    def close(self) -> None:
        self._closing.set()
        if self._thread.is_alive():
            self._thread.join(5)
        self._flush()

    # ------------------------------------------------------------------------------------------ who asks

    def standing(self, token: str) -> Standing | None:
        """Of the browser with this cookie; None for one that is not let in. Asks no file."""
        self.register.refresh()
        session = self.register.sessions.get(hash_of(token))
        if session is None or session.ended is not None:
            return None
        link, member = self.register.links.get(session.link), self.register.members.get(session.person)
        now = self._clock()
        if link is None or member is None or not self.register.is_open(link, now):
            return None
        self._seen[session.token] = now
        return self._stands(session, link, member)

    def user(self, token: str) -> str:
        """Who this browser is, whether it is let in or not."""
        session = self.register.sessions.get(hash_of(token))
        member = self.register.members.get(session.person) if session else None
        return member.user if member else user_of(token)

    def allowance(self, user: str) -> Quota:
        """What a person may use who wants to draw now. Raises `UserError` for one who may not. Who never came by a link has no bounds."""
        member = self.register.member_of(user)
        if member is None:
            return Quota()
        session = self.register.best(user)
        link = self.register.links.get(session.link) if session else None
        if session is None or link is None or not self.register.is_open(link, self._clock()):
            raise UserError(OUT)
        stands = self._stands(session, link, member)
        if not admits("artist", stands.role):
            raise UserError(
                HELD if stands.held else thanks(stands.thanked_until - self._clock()) if stands.thanked_until else only("artist")
            )
        return link.quota

    def checker_of(self, user: str) -> Checker:
        """The strictest of the links by which this person is in now."""
        member = self.register.member_of(user)
        links = [self.register.links.get(each.link) for each in self.register.live(member.number)] if member else []
        return strictest(self.register.checker(link) for link in links)

    def any_checker(self) -> bool:
        """Whether a link that is open asks for one."""
        now = self._clock()
        return any(link.checker and self.register.is_open(link, now) for link in tuple(self.register.links.values()))

    def quota(self, user: str) -> Quota:
        """The bounds of a person, who need not want to draw now."""
        session = self.register.best(user)
        link = self.register.links.get(session.link) if session else None
        return link.quota if link else Quota()

    def _stands(self, session: Session, link: Link, member: Member) -> Standing:
        role = lesser(link.gives, member.role or link.gives)
        held = not self.register.held.isdisjoint({member.user, ""})
        role = lesser(role, "commenter") if held else role
        board = link.board if link.thanked is None else ""
        leaves = self.register.is_bare(link), self.register.checker(link)
        return Standing(member.user, member.name, role, board, link, session.token, held, *leaves)

    # ------------------------------------------------------------------------------------------ coming in

    def invited(self, token: str) -> Invited | None:
        """What a token opens; None for one that opens nothing. Nothing is used up by asking."""
        self.register.refresh()
        now, secret = self._clock(), hash_of(token)
        move = self._moves.get(secret)
        if move and now < move[1]:
            session, _ = move
            link, member = self.register.links.get(session.link), self.register.members.get(session.person)
            known = self.register.sessions.get(session.token)
            stands = known is not None and known.ended is None and self.register.is_open(link, now)
            return Invited(link, member) if link and member and stands else None
        link = self.register.link_of(secret)
        welcomes = link and not link.is_password and link.thanked is None and self.register.is_open(link, now)
        return Invited(link) if link and welcomes else None

    def enter(self, token: str, name: str, browser: str = "") -> str:
        """Comes in by a token; returns what the browser's cookie is to hold. `browser`: what it holds now. Raises `UserError`."""
        found = self.invited(token)
        if found is None:
            raise UserError(GONE)
        if found.member is None:
            return self._come_in(found.link, self._member(found.link, clean(name), browser), browser)
        with self._moving:  # good once
            if self._moves.pop(hash_of(token), None) is None:
                raise UserError(MOVED)
        return self._come_in(found.link, lambda fresh: found.member or self._nobody(), browser)

    def enter_by_password(self, password: str, name: str = "", browser: str = "") -> str | None:
        """None for a wrong one. Takes some 60 ms of a core, and so wants a thread."""
        link = self.register.by_id(PASSWORD)
        secret = self.register.secret_of(link.number) if link else ""
        if not self._passwords.fits(password, secret) or link is None or not link.is_open(self._clock()):
            return None
        return self._come_in(link, self._member(link, clean(name) if name.strip() else "", browser), browser)

    def move(self, session: str) -> str:
        """A token by which another browser of the same person comes in: good once, for five minutes. `session`: the hash of its token."""
        known = self.register.sessions.get(session)
        if known is None or known.ended is not None:
            raise UserError("Who comes by no link needs none: open the address of the studio on the other device, and log in.")
        token = new_token()
        with self._moving:
            now = self._clock()
            self._moves = {secret: move for secret, move in self._moves.items() if move[1] > now and move[0].token != session}
            self._moves[hash_of(token)] = (known, now + MOVE)
        return token

    def leave(self, token: str) -> None:
        """This browser is let in no longer; its person's others are."""
        session = self.register.sessions.get(hash_of(token))
        if session and session.ended is None:
            self.register.end([session], self._clock())
            self._closed([session], drops=False)

    def _member(self, link: Link, name: str, browser: str) -> Callable[[str], Member]:
        def member(fresh: str) -> Member:
            known = self.register.member_of(user := self._was(browser) or user_of(fresh))
            if known is None:
                if len({each.person for each in self.register.sessions_of([link])}) >= (link.people or MOST_PEOPLE):
                    raise UserError(FULL)
                return self.register.add_member(user, name or f"Guest {len(self.register.members) + 1}", self._clock())
            if name and known.name != name:
                self.register.change_member(replace(known, name=name))
            return self.register.members[known.number]

        return member

    def _was(self, browser: str) -> str:
        """Who this browser was before, or "". A cookie that no session ever had is from before there were links, and its pictures go to the
        first who brings it along: whoever brings it after them was given it by somebody.
        """
        user = self.user(browser) if COOKIE.fullmatch(browser) else ""
        return user if hash_of(browser) in self.register.sessions or self.register.member_of(user) is None else ""

    def _nobody(self) -> Member:
        raise UserError(MOVED)

    def _come_in(self, link: Link, member: Callable[[str], Member], browser: str) -> str:
        """A token that nobody has seen before: one that was brought along is never taken up."""
        token, now = new_token(SESSION_BYTES), self._clock()
        session = Session(hash_of(token), member(token).number, link.number, now, now)
        if not self.register.add_session(session, link.people or MOST_PEOPLE, hash_of(browser)):
            raise UserError(FULL)
        return token

    # ------------------------------------------------------------------------------------------ as time goes by

    def _closed(self, sessions: Iterable[Session], drops: bool = True) -> None:
        """Everything that hangs on sessions ends: what their browsers read now, and what waits of who has no other."""
        ended = list(sessions)
        for hears in tuple(self.on_closed):
            hears(frozenset(each.token for each in ended))
        users = {self.register.members[each.person].user for each in ended if each.person in self.register.members}
        out = [user for user in users if self.register.best(user) is None]
        if drops and out:
            self.on_dropped(out)

    def news(self, maker: Maker) -> PeopleNews:
        """All ways in that this maker cares for, and who came by them, seen up to now."""
        self._flush()
        return self.care.news(maker)

    def expire(self) -> None:
        """Ends what came by links whose time is over."""
        self.register.refresh()
        now = self._clock()
        over = [link for link in tuple(self.register.links.values()) if not self.register.is_open(link, now)]
        ended = [session for session in self.register.sessions_of(over) if session.ended is None]
        if ended:
            self.register.end(ended, now)
            self._closed(ended)

    def _look_after(self) -> None:
        written = self._clock()
        while not self._closing.wait(1.0):
            self._expire()
            if self._clock() - written > FLUSH:
                self._flush()
                written = self._clock()

    def _expire(self) -> None:
        try:
            self.expire()
        except UserError:  # the book cannot be written now; `standing` lets nobody in all the same
            return

    def _flush(self) -> None:
        seen, self._seen = self._seen, {}
        if not seen:
            return
        try:
            self.register.saw(seen)
        except UserError:  # it is only when somebody was here last
            return


def thanks(seconds: float) -> str:
    """What somebody reads whose link was closed kindly, with so much time left."""
    hours = math.ceil(seconds / 3600)
    left = f"{hours} more hours" if hours > 1 else "one more hour"
    return f"Thank you for having been here! Drawing is over; for {left} your pictures can be downloaded from the library."


def clean(name: str) -> str:
    """A name as it is shown. Raises `UserError` for none."""
    composed = unicodedata.normalize("NFC", name.encode("utf-8", "ignore").decode())
    shown = " ".join("".join(letter for letter in composed if letter.isprintable()).split())[:LONGEST_NAME].strip()
    if not shown:
        raise UserError(NO_NAME)
    return shown
