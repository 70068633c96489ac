"""Links and people: who comes in by what, as what, until when, and what goes with a link that is taken back."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from models.errors import UserError
from pipelines import TextToImage
from pipelines.job_book.book import JobBook
from pipelines.people.care import THANKS
from pipelines.people.passwords import Passwords
from pipelines.people.people import MOVE, People, clean
from pipelines.people.records import Quota, Session, hash_of
from pipelines.people.roles import RANK, ROLES, Role, admits, may
from pipelines.people.rules import Maker, Wanted
from tests.support.book_files import opened
from tests.support.toys import QUICK

OWNER = Maker("owner", "owner")


class Clock:
    now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def book(tmp_path: Path) -> Iterator[JobBook]:
    made = opened(tmp_path)
    yield made
    made.close()


@pytest.fixture
def people(book: JobBook, clock: Clock) -> People:
    return People(book.file, clock, QUICK)


def linked(house: People, role: Role = "artist", maker: Maker = OWNER, **more: Any) -> tuple[str, str]:
    """The id and the token of a new link."""
    link, token = house.care.make(maker, Wanted("Friends", role, **more))
    return link.id, token


def come(people: People, token: str, name: str = "Ada", browser: str = "") -> str:
    return people.enter(token, name, browser)


def role_of(people: People, cookie: str) -> str | None:
    stands = people.standing(cookie)
    return stands.role if stands else None


def maker_of(people: People, cookie: str) -> Maker:
    stands = people.standing(cookie)
    assert stands
    return Maker(stands.user, stands.role, stands.board, stands.link.number)


# ------------------------------------------------------------------------------------------------ roles


def test_each_role_may_what_the_lesser_ones_may_and_one_thing_more() -> None:
    assert [len(may(role)) for role in ROLES] == [1, 2, 3, 4, 5, 6]
    assert "comment" in may("artist") and "draw" not in may("commenter")
    for least in ROLES:
        assert [admits(least, who) for who in ROLES] == [RANK[who] >= RANK[least] for who in ROLES]


def test_the_guide_shows_the_table_of_roles_as_it_is() -> None:
    guide = (Path(__file__).parent.parent / "docs" / "sharing.md").read_text("utf-8").partition("## What a role may")[2]
    head, _, *rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in guide.splitlines() if line.startswith("|")]
    told = {row[0]: [act for act, said in zip(head[1:], row[1:], strict=True) if said == "yes"] for row in rows}
    assert told == {role: may(role)[1:] for role in ROLES if role != "anyone"}


# ------------------------------------------------------------------------------------------------ coming in


def test_who_opens_a_link_says_a_name_and_is_known_by_it(people: People) -> None:
    _, token = linked(people, "viewer")
    assert people.invited(token) and people.invited(token), "looking at a link uses nothing up"
    cookie = come(people, token, "  Ada \u202e Lovelace\n")
    stands = people.standing(cookie)
    assert stands and (stands.name, stands.role, stands.board) == ("Ada Lovelace", "viewer", "")
    with pytest.raises(UserError, match="Say a name"):
        come(people, token, " \u200b ")


@pytest.mark.parametrize("token", ["", "x", "a" * 32, "\ud800", "password"])
def test_what_is_no_token_opens_nothing(people: People, token: str) -> None:
    people.care.password("open")
    assert people.invited(token) is None
    assert people.standing(token) is None
    with pytest.raises(UserError, match="does not open"):
        come(people, token)


def test_tokens_are_long_random_and_stand_nowhere_in_the_book(people: People, book: JobBook) -> None:
    tokens = [linked(people)[1] for _ in range(20)]
    cookies = [come(people, token) for token in tokens]
    assert len({*tokens, *cookies}) == 40 and all(len(token) >= 32 for token in (*tokens, *cookies))
    people.care.password("a word of mine")
    dump = "\n".join(book._db.iterdump())
    assert not any(token in dump for token in (*tokens, *cookies, "a word of mine"))


def test_a_token_that_a_browser_brings_along_never_becomes_its_session(people: People) -> None:
    _, token = linked(people)
    brought = "a" * 43
    cookie = come(people, token, browser=brought)
    assert cookie != brought and people.standing(brought) is None
    again = come(people, token, browser=cookie)
    assert again != cookie and people.standing(cookie) is None, "the session of before ends"


def test_a_browser_that_was_here_before_comes_back_as_who_it_was(people: People) -> None:
    old = "b" * 22  # of a browser that drew before there were links
    link, token = linked(people)
    cookie = come(people, token, browser=old)
    first = people.standing(cookie)
    assert first and first.user == people.user(old)
    people.care.take_back(OWNER, link)
    again = people.standing(come(people, linked(people)[1], "Ada B.", browser=cookie))
    assert again and (again.user, again.name) == (first.user, "Ada B.")


def test_who_brings_along_a_cookie_that_was_planted_is_nobody_who_came_by_it(people: People) -> None:
    planted = "p" * 43  # by who wants to be the same person as the other
    cookies = [come(people, linked(people)[1], name, browser=planted) for name in ("Ada", "Eve")]
    known = [people.standing(cookie) for cookie in cookies]
    assert [each and each.name for each in known] == ["Ada", "Eve"] and len({each and each.user for each in known}) == 2


def test_a_link_is_for_as_many_people_as_it_says_also_when_all_come_at_once(people: People) -> None:
    _, token = linked(people, people=3)
    cookies: list[str] = []

    def try_it(number: int) -> None:
        try:
            cookies.append(come(people, token, f"Guest {number}"))
        except UserError as error:
            assert "As many people" in str(error)

    threads = [threading.Thread(target=try_it, args=(number,)) for number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(cookies) == 3
    assert come(people, token, "Once more", browser=cookies[0]), "who came by it may come again"
    link, late = people.register.link_of(hash_of(token)), people.register.add_member("late", "Late", 0.0)
    assert link and not people.register.add_session(Session("x", late.number, link.number, 0.0, 0.0), most=3), "counted where it is written"


def test_a_second_device_comes_in_by_an_address_that_is_good_once_and_for_five_minutes(people: People, clock: Clock) -> None:
    link, token = linked(people, people=1)
    first = people.standing(come(people, token))
    assert first
    late, once = people.move(first.session), people.move(first.session)
    assert people.invited(late) is None, "a newer address takes the place of the one before"
    phone = people.standing(come(people, once, "whatever"))
    assert phone and (phone.user, phone.name) == (first.user, "Ada")
    with pytest.raises(UserError, match="does not open"):
        come(people, once)
    stale = people.move(first.session)
    clock.now += MOVE
    assert people.invited(stale) is None
    fresh = people.move(first.session)
    people.care.take_back(OWNER, link)
    assert people.invited(fresh) is None


def test_a_restart_keeps_links_people_and_sessions_and_a_rebuilt_book_too(tmp_path: Path, clock: Clock) -> None:
    book = opened(tmp_path)
    people = People(book.file, clock, QUICK)
    link, token = linked(people, quota=Quota(3, 20.0, 5 * 10**9))
    cookie, stands = come(people, token), None
    taken, gone = linked(people)
    out = come(people, gone)
    people.care.take_back(OWNER, taken)
    for again in (False, True):
        book.close()
        book = opened(tmp_path, again)
        people = People(book.file, clock, QUICK)
        stands, before = people.standing(cookie), stands
        assert stands and stands.name == "Ada" and stands.link.quota == Quota(3, 20.0, 5 * 10**9) and stands.link.id == link
        assert (before or stands).user == stands.user
        assert people.standing(out) is None and people.invited(gone) is None
        assert people.invited(token)
    book.close()


def test_when_another_outputs_folder_comes_into_place_its_people_are_asked(tmp_path: Path, clock: Clock) -> None:
    book = opened(tmp_path / "here")
    people = People(book.file, clock, QUICK)
    cookie = come(people, linked(people)[1])
    assert people.standing(cookie)
    (tmp_path / "here").rename(tmp_path / "there")
    (tmp_path / "here").mkdir()
    book.submit(TextToImage(), "owner", True)
    assert people.standing(cookie) is None
    book.close()


# ------------------------------------------------------------------------------------------------ passwords


def test_the_password_is_a_way_in_and_the_same_one_keeps_people_over_a_restart(book: JobBook, clock: Clock) -> None:
    people = People(book.file, clock, QUICK)
    assert not people.care.has_password and people.enter_by_password("rosé") is None
    people.care.password("rosé")
    cookie = people.enter_by_password("rosé")
    assert cookie and role_of(people, cookie) == "artist"
    assert not any(people.enter_by_password(wrong) for wrong in ("rose", "rosé ", "\ud800"))
    people = People(book.file, clock, QUICK)
    people.care.password("rosé")
    assert people.standing(cookie)
    people.care.password("another")
    assert people.standing(cookie) is None and people.enter_by_password("rosé") is None
    cookie = people.enter_by_password("another") or ""
    assert people.standing(cookie)
    people.care.password(None)
    assert people.standing(cookie) is None and people.enter_by_password("another") is None


def test_a_password_is_kept_as_rfc_9106_advises(people: People, book: JobBook) -> None:
    people.care.password("open")
    assert book._db.execute("select secret from link").fetchone()[0].startswith("$argon2id$v=19$")
    assert Passwords().hashed("open").startswith("$argon2id$v=19$m=65536,t=3,p=4$")  # its second recommended option


# ------------------------------------------------------------------------------------------------ taking back


def test_taking_a_link_back_ends_all_that_hangs_on_it_and_nothing_else(people: People) -> None:
    closed: list[frozenset[str]] = []
    people.on_closed.append(closed.append)
    mine, token = linked(people, "co-owner")
    co_owner = come(people, token, "Bo")
    _, below = linked(people, "artist", maker_of(people, co_owner))
    guest, other = come(people, below, "Cy"), come(people, linked(people)[1], "Di")
    sessions = frozenset(stands.session for cookie in (co_owner, guest) if (stands := people.standing(cookie)))
    people.care.take_back(OWNER, mine)
    assert [role_of(people, cookie) for cookie in (co_owner, guest, other)] == [None, None, "artist"]
    assert people.invited(below) is None and people.invited(token) is None
    assert closed == [sessions]


def test_a_link_closes_at_its_time_with_who_came_by_it(people: People, clock: Clock) -> None:
    closed: list[frozenset[str]] = []
    people.on_closed.append(closed.append)
    _, token = linked(people, ends=clock.now + 60)
    cookie = come(people, token)
    clock.now += 59
    people.expire()
    assert people.standing(cookie) and not closed
    clock.now += 1
    assert people.standing(cookie) is None and people.invited(token) is None
    people.expire()
    assert len(closed) == 1
    people.expire()
    assert len(closed) == 1


def test_a_new_address_leaves_the_old_one_shut_and_the_people_in(people: People) -> None:
    link, token = linked(people)
    cookie = come(people, token)
    _, fresh = people.care.renew(OWNER, link)
    assert people.invited(token) is None and people.invited(fresh) and people.standing(cookie)


# ------------------------------------------------------------------------------------------------ changed, and closed with thanks


def test_a_link_is_changed_after_it_was_made_and_all_but_what_is_named_stays(people: People, clock: Clock) -> None:
    dropped: list[list[str]] = []
    people.on_dropped = dropped.append
    link, token = linked(people, "viewer", people=5, quota=Quota(2, 10.0, 10**9))
    cookie = come(people, token)
    people.care.change(OWNER, link, lambda before: replace(before, role="artist", quota=Quota(7, None, 10**9)))
    stands = people.standing(cookie)
    assert stands and stands.role == "artist" and people.allowance(stands.user) == Quota(7, None, 10**9) and dropped == []
    assert (stands.link.name, stands.link.people, stands.link.ends) == ("Friends", 5, None)
    people.care.change(
        OWNER, link, lambda before: replace(before, name="  Old  friends ", role="commenter", bare=True, ends=clock.now + 60)
    )
    stands = people.standing(cookie)
    assert stands and (stands.role, stands.link.name, stands.bare) == ("commenter", "Old friends", True) and dropped == [[stands.user]]
    again = People(people._file, clock, QUICK)
    assert (kept := again.register.by_id(link)) and kept == people.register.by_id(link) and kept.quota.jobs == 7
    clock.now += 60
    assert people.standing(cookie) is None
    with pytest.raises(UserError, match="is closed"):
        people.care.change(OWNER, link, lambda before: replace(before, ends=None))


@pytest.mark.parametrize("wrong", [{"role": "owner"}, {"ends": 5.0}, {"people": 0}, {"quota": Quota(0)}, {"quota": Quota(megapixels=-1)}])
def test_a_change_is_bounded_as_a_new_link_is(people: People, wrong: dict[str, Any]) -> None:
    link, _ = linked(people)
    before = people.register.by_id(link)
    with pytest.raises(UserError):
        people.care.change(OWNER, link, lambda wanted: replace(wanted, **wrong))
    assert people.register.by_id(link) == before


def test_who_made_a_link_changes_it_within_their_own_and_loses_what_they_give_with_it(people: People) -> None:
    mine, token = linked(people, "co-owner", quota=Quota(5))
    bo = maker_of(people, come(people, token, "Bo"))
    child, below = linked(people, "artist", bo)
    guest = come(people, below, "Cy")
    people.care.change(bo, child, lambda before: replace(before, quota=Quota(100)))
    assert (made := people.register.by_id(child)) and made.quota == Quota(5)
    with pytest.raises(UserError, match="less than you may"):
        people.care.change(bo, child, lambda before: replace(before, role="co-owner"))
    with pytest.raises(UserError, match="no such link"):
        people.care.change(bo, mine, lambda before: before)
    people.care.change(OWNER, mine, lambda before: replace(before, role="viewer", quota=Quota(2)))
    assert role_of(people, guest) == "viewer" and (made := people.register.by_id(child)) and made.quota == Quota(2)


def test_the_role_and_the_bounds_of_the_password_can_be_changed_and_not_its_name(people: People) -> None:
    people.care.password("open")
    cookie = people.enter_by_password("open") or ""
    people.care.change(OWNER, "password", lambda before: replace(before, name="x", role="viewer"))
    stands = people.standing(cookie)
    assert stands and (stands.role, stands.link.name) == ("viewer", "The password")
    with pytest.raises(UserError, match="Take it back instead"):
        people.care.thank(OWNER, "password")


def test_who_is_thanked_looks_at_what_is_their_own_for_a_day_and_is_out_then(people: People, clock: Clock) -> None:
    dropped: list[list[str]] = []
    people.on_dropped = dropped.append
    mine, token = linked(people, "co-owner", ends=clock.now + 60)
    co_owner = come(people, token, "Bo")
    _, below = linked(people, "artist", maker_of(people, co_owner))
    guest, other = come(people, below, "Cy"), come(people, linked(people)[1], "Di")
    people.care.thank(OWNER, mine)
    assert [role_of(people, cookie) for cookie in (co_owner, guest, other)] == ["viewer", "viewer", "artist"]
    assert sorted(user for users in dropped for user in users) == sorted(people.user(cookie) for cookie in (co_owner, guest))
    assert people.invited(token) is None and people.invited(below) is None
    with pytest.raises(UserError, match="24 more hours"):
        people.allowance(people.user(guest))
    for act in (people.care.renew, people.care.thank):
        with pytest.raises(UserError, match="is closed"):
            act(OWNER, mine)
    assert [row["state"] for row in people.care.news(OWNER)["links"]].count("thanked") == 2
    clock.now += THANKS - 1
    assert role_of(people, guest) == "viewer" == role_of(People(people._file, clock, QUICK), guest)
    clock.now += 1
    assert people.standing(guest) is None and people.standing(co_owner) is None
    people.expire()
    assert people.register.best(people.user(guest)) is None


def test_who_draws_by_another_link_as_well_draws_on_when_the_newer_one_is_closed_with_thanks(people: People, clock: Clock) -> None:
    dropped: list[list[str]] = []
    people.on_dropped = dropped.append
    first = come(people, linked(people)[1])
    stands = people.standing(first)
    assert stands
    phone = come(people, people.move(stands.session))
    clock.now += 60
    link, token = linked(people)
    phone = come(people, token, "Ada", browser=phone)
    people.care.thank(OWNER, link)
    assert dropped == [] and (role_of(people, first), role_of(people, phone)) == ("artist", "viewer")
    assert people.allowance(stands.user) == Quota()


def test_a_board_is_not_shown_to_who_was_thanked(people: People, book: JobBook) -> None:
    book._db.execute("insert into board (id, user, name, created) values ('b1', 'owner', 'Sea', 0)")
    link, token = linked(people, board="b1")
    cookie = come(people, token)
    people.care.thank(OWNER, link)
    stands = people.standing(cookie)
    assert stands and stands.board == ""


# ------------------------------------------------------------------------------------------------ who may care


def test_nobody_gives_more_than_they_have_and_cares_for_others_links(people: People, clock: Clock) -> None:
    _, token = linked(people, "co-owner", quota=Quota(2, 10.0, 10**9))
    bo = maker_of(people, come(people, token, "Bo"))
    for role in ("co-owner", "owner", "anyone"):
        with pytest.raises(UserError, match="less than you may"):
            linked(people, role, bo)
    child, below = linked(people, "artist", bo, quota=Quota(50, None, None))
    made = people.register.by_id(child)
    assert made and made.quota == Quota(2, 10.0, 10**9)
    others, _ = linked(people)
    for act in (people.care.take_back, people.care.renew):
        with pytest.raises(UserError, match="no such link"):
            act(bo, others)
    assert {row["id"] for row in people.care.news(bo)["links"]} == {child}
    artist = maker_of(people, come(people, below, "Cy"))
    with pytest.raises(UserError, match="who owns it with them"):
        linked(people, "viewer", artist)
    assert people.care.news(artist)["links"] == []


def test_a_link_without_settings_gives_none_with_them_and_a_restart_keeps_it_so(people: People, book: JobBook, clock: Clock) -> None:
    _, token = linked(people, "co-owner", bare=True)
    bo = come(people, token, "Bo")
    _, below = linked(people, "artist", maker_of(people, bo))
    cy, other = come(people, below, "Cy"), come(people, linked(people)[1], "Di")
    for house in (people, People(book.file, clock, QUICK)):
        stands = [house.standing(cookie) for cookie in (bo, cy, other)]
        assert [each and each.bare for each in stands] == [True, True, False]
        assert sorted(row["bare"] for row in house.news(OWNER)["links"]) == [False, True, True]


def test_a_co_owner_holds_whom_they_let_in_and_nobody_who_came_by_anothers_link_as_well(people: People) -> None:
    bo = maker_of(people, come(people, linked(people, "co-owner")[1], "Bo"))
    cookie = come(people, linked(people, "artist", bo)[1], "Cy")
    [person] = [each["person"] for link in people.news(bo)["links"] for each in link["people"]]
    people.care.hold(bo, person, held=True)
    assert role_of(people, cookie) == "commenter"
    people.care.hold(bo, person, held=False)
    moved = people.move((people.standing(cookie) or pytest.fail()).session)
    come(people, moved)
    phone = come(people, linked(people, "viewer")[1], "Cy", browser=cookie)
    for act in (lambda: people.care.hold(bo, person, held=True), lambda: people.care.set_role(bo, person, "viewer")):
        with pytest.raises(UserError, match="no such person"):
            act()
    assert role_of(people, phone) == "viewer"
    assert people.allowance(people.user(phone)) == Quota(), "of two browsers the one that may more counts for what is asked"


def test_a_link_is_for_a_board_of_ones_own(people: People, book: JobBook) -> None:
    book._db.execute("insert into board (id, user, name, created) values ('b1', 'owner', 'Sea', 0), ('b2', 'eve', 'Land', 0)")
    _, token = linked(people, "co-owner", board="b1")
    with pytest.raises(UserError, match="no such board"):
        linked(people, board="b2")
    bo = maker_of(people, come(people, token, "Bo"))
    for board in ("", "b2"):
        with pytest.raises(UserError, match="one board"):
            linked(people, "viewer", bo, board=board)
    linked(people, "viewer", bo, board="b1")
    assert [row["board"] for row in people.care.news(OWNER)["links"]] == ["Sea", "Sea"]


@pytest.mark.parametrize(
    "wrong",
    [{"ends": 1.0}, {"ends": 1e12}, {"people": 0}, {"people": 10**9}, {"quota": Quota(jobs=0)}, {"quota": Quota(jobs=201)},
     {"quota": Quota(megapixels=0)}, {"quota": Quota(megapixels=float("nan"))}, {"quota": Quota(disk=0)}],
)  # fmt: skip
def test_bounds_that_are_none_are_refused(people: People, wrong: dict[str, Any]) -> None:
    with pytest.raises(UserError):
        linked(people, **wrong)


def test_names_are_shown_as_they_can_be_read() -> None:
    assert clean("A\u0301da\0 \n<b>") == "Áda <b>"
    assert len(clean("x" * 500)) == 40


def test_many_links_cost_a_request_nothing(people: People, book: JobBook) -> None:
    """Counted by what of the book is asked: nothing."""
    cookie = come(people, linked(people)[1])
    asked: list[str] = []
    book._db.set_trace_callback(asked.append)
    assert people.standing(cookie)
    book._db.set_trace_callback(None)
    assert asked == []


def test_a_row_of_the_book_that_was_changed_by_hand_gives_nobody_more(book: JobBook, clock: Clock) -> None:
    people = People(book.file, clock, QUICK)
    cookie = come(people, linked(people)[1])
    book._db.execute("update link set role = 'owner'")
    assert role_of(People(book.file, clock, QUICK), cookie) == "viewer"
    book._db.execute("delete from link")
    assert role_of(People(book.file, clock, QUICK), cookie) is None
    assert isinstance(book._db, sqlite3.Connection)
