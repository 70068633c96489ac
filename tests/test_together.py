"""Shared boards: what drawing onto one does, who is told what, and who is not."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from models.errors import UserError
from pipelines import Studio, TextToImage, asked_for
from pipelines.gallery.person import Person
from pipelines.jobs.progress import Frame
from pipelines.people.rules import Maker, Wanted
from pipelines.services.seats import ASKS_AGAIN, COMES_BACK, Guest, Seats
from pipelines.services.together import FRAMES_A_SECOND, NotShared
from tests.support.toys import ToyPainter, toy_studio, wait_until

PICTURE = TextToImage(prompt="a", steps=3, width=64, height=64)
OWNER = Person("owner", owner=True)
HOST = Guest(OWNER, "", "owner")


@pytest.fixture
def gate() -> threading.Semaphore:
    return threading.Semaphore(0)


@pytest.fixture
def studio(tmp_path: Path, gate: threading.Semaphore) -> Iterator[Studio]:
    made = toy_studio(tmp_path, runner=ToyPainter(gate=gate))
    yield made
    gate.release(1000)
    made.close()


def board_of(studio: Studio, person: Person = OWNER, name: str = "Sea", shared: bool = True) -> str:
    board = studio.gallery.boards.create(person, name)
    studio.gallery.boards.share(board, person, shared)
    return board


def guest_of(studio: Studio, name: str, board: str = "", role: Any = "artist") -> Guest:
    """Somebody who came by a link, which the owner has made."""
    _, token = studio.people.care.make(Maker("owner", "owner"), Wanted("", role, board))
    stands = studio.people.standing(studio.people.enter(token, name))
    assert stands
    return Guest(Person(stands.user, board=stands.board), stands.name, stands.role)


def seen_by(studio: Studio, person: Person, query: str = "") -> set[str]:
    return {row["prompt"] for row in studio.gallery.window(person, asked_for(query), 0, 50)["pictures"]}


def drawn(studio: Studio, gate: threading.Semaphore, person: Person, prompt: str) -> str:
    """The id of the picture that this person has drawn."""
    job = studio.submit(TextToImage(prompt=prompt, steps=2, width=64, height=64), person.user, person.owner)
    gate.release(2)
    wait_until(lambda: studio.book.pictures_of(job))
    return studio.book.pictures_of(job)[0].id


def at(studio: Studio, board: str, guest: Guest, after: int = -1, timeout: float = 0.0) -> dict[str, Any]:
    return json.loads(asyncio.run(studio.together.watch(board, guest, "page", after, timeout)))


# ------------------------------------------------------------------------------------------------ shared and private


def test_a_board_is_private_until_its_maker_the_owner_or_a_link_shares_it(studio: Studio, gate: threading.Semaphore) -> None:
    ada, bo = guest_of(studio, "Ada").person, guest_of(studio, "Bo").person
    board, boards = board_of(studio, ada, shared=False), studio.gallery.boards
    boards.add(board, [drawn(studio, gate, ada, "waves")], ada)
    assert boards.all(bo) == [] and seen_by(studio, bo) == set() == seen_by(studio, OWNER, "waves")
    with pytest.raises(UserError, match="not there any more"):
        boards.share(board, bo, shared=True)
    boards.share(board, OWNER, shared=True)
    [told] = boards.all(bo)
    assert (told["name"], told["maker"], told["own"], told["shared"], told["shares"]) == ("Sea", "Ada", False, True, False)
    assert seen_by(studio, bo) == {"waves"} == seen_by(studio, bo, "board:Sea waves")
    boards.share(board, ada, shared=False)
    assert seen_by(studio, bo) == set() and boards.all(OWNER) == []
    mine = board_of(studio, OWNER, "Land", shared=False)
    guest_of(studio, "Cy", mine)
    assert [each["shared"] for each in boards.all(OWNER)] == [True]


def test_what_others_have_shared_is_found_by_its_words_and_by_nothing_that_they_think_of_it(
    studio: Studio, gate: threading.Semaphore
) -> None:
    ada, bo = guest_of(studio, "Ada").person, guest_of(studio, "Bo").person
    board = board_of(studio, ada)
    for prompt, note in (("waves one", "xylophone"), ("waves two", "")):
        picture = drawn(studio, gate, ada, prompt)
        studio.gallery.boards.add(board, [picture], ada)
        studio.gallery.marks.note([picture], ada, note) if note else studio.gallery.marks.rate([picture], ada, 5)
    mine = drawn(studio, gate, bo, "waves mine")
    studio.gallery.marks.note([mine], bo, "xylophone")
    assert seen_by(studio, bo, "waves") == {"waves one", "waves two", "waves mine"}
    assert seen_by(studio, bo, "xylophone") == {"waves mine"}
    assert seen_by(studio, bo, "waves -xylophone") == {"waves one", "waves two"} == seen_by(studio, bo, "-xylophone")
    for private in ("note:xylophone", "with:note", "rating:5", "is:favourite", "-rating:5"):
        assert seen_by(studio, bo, private) <= {"waves mine"}, private
    best = studio.gallery.window(bo, asked_for("", order="rating"), 0, 9)["pictures"]
    assert [row["prompt"] for row in best] == ["waves mine", "waves two", "waves one"] and {row["rating"] for row in best} == {0}
    for act in (studio.gallery.marks.throw, lambda ids, who: studio.gallery.marks.rate(ids, who, 1)):
        with pytest.raises(UserError):
            act([studio.book.recent(ada.user, 1)[0].id], OWNER)


def test_what_is_drawn_onto_a_board_comes_there_by_itself_as_long_as_that_is_open_to_its_person(
    studio: Studio, gate: threading.Semaphore
) -> None:
    board = board_of(studio)
    ada, bo = guest_of(studio, "Ada", board).person, guest_of(studio, "Bo").person
    drawn(studio, gate, ada, "by a link to it")
    drawn(studio, gate, bo, "not asked for")
    studio.gallery.boards.draw_onto(board, bo, draws=True)
    drawn(studio, gate, bo, "asked for")
    studio.gallery.boards.draw_onto(board, ada, draws=False)
    drawn(studio, gate, ada, "not any more")
    assert seen_by(studio, OWNER, "board:Sea") == {"by a link to it", "asked for"}
    studio.gallery.boards.share(board, OWNER, shared=False)
    drawn(studio, gate, bo, "private by now")
    studio.gallery.boards.share(board, OWNER, shared=True)
    assert seen_by(studio, OWNER, "board:Sea") == {"by a link to it", "asked for"}


def test_who_comes_again_by_the_same_link_draws_where_they_did(studio: Studio) -> None:
    board = board_of(studio)
    _, token = studio.people.care.make(Maker("owner", "owner"), Wanted("", "artist", board))
    cookie = studio.people.enter(token, "Ada")
    ada = Person(studio.people.user(cookie), board=board)
    assert [each["desk"] for each in studio.gallery.boards.all(ada)] == [True]
    studio.gallery.boards.draw_onto(board, ada, draws=False)
    studio.people.enter(token, "Ada", cookie)
    assert [each["desk"] for each in studio.gallery.boards.all(ada)] == [False]


def test_the_maker_of_a_board_takes_pictures_of_others_off_it_and_nobody_else_does(studio: Studio, gate: threading.Semaphore) -> None:
    board = board_of(studio)
    ada, bo = guest_of(studio, "Ada", board).person, guest_of(studio, "Bo", board).person
    picture = drawn(studio, gate, ada, "waves")
    with pytest.raises(UserError):
        studio.gallery.boards.remove(board, [picture], bo)
    assert studio.gallery.boards.remove(board, [picture], OWNER)["changed"] == 1
    assert seen_by(studio, bo) == set() and seen_by(studio, ada) == {"waves"}


def test_a_book_that_is_made_again_knows_what_is_shared_and_what_came_onto_it(tmp_path: Path) -> None:
    first = toy_studio(tmp_path)
    board = board_of(first)
    first.gallery.boards.draw_onto(board, OWNER, draws=True)
    job = first.submit(PICTURE, "owner", owner=True)
    wait_until(lambda: (found := first.book.job(job)) and found.state == "done")
    first.close()
    (tmp_path / "outputs" / "studio.db").unlink()
    again = toy_studio(tmp_path, start=False)
    assert [(each["name"], each["shared"], each["count"]) for each in again.gallery.boards.all(OWNER)] == [("Sea", True, 1)]
    again.close()


# ------------------------------------------------------------------------------------------------ who is there


def test_whoever_has_the_board_open_is_told_to_all_by_name_and_role_and_by_nothing_else(studio: Studio) -> None:
    board = board_of(studio)
    ada, bo = guest_of(studio, "Ada", board, "viewer"), guest_of(studio, "Bo")
    first = at(studio, board, HOST)
    at(studio, board, ada)
    told = at(studio, board, bo)
    assert [(each["name"], each["role"]) for each in told["here"]] == [("", "owner"), ("Ada", "viewer"), ("Bo", "artist")]
    assert told["you"] == told["here"][2]["seat"] and first["you"] == told["here"][0]["seat"]
    assert not [user for user in (ada.person.user, bo.person.user, "token") if user in json.dumps(told)]


def test_a_seat_is_kept_over_a_reload_and_while_another_page_of_the_same_person_is_open() -> None:
    now = [0.0]
    seats, ada = Seats(lambda: now[0]), Guest(Person("ada"), "Ada", "artist")

    def here() -> bool:
        seats.settle()
        return bool(seats.told())

    number, changed = seats.sit(ada, "one")
    assert changed and seats.sit(ada, "two") == (number, False)
    seats.leave(ada, "one", closed=True)
    now[0] += 100
    assert here(), "the other page is open"
    seats.leave(ada, "two", closed=False)
    now[0] += ASKS_AGAIN - 1
    assert here() and seats.sit(ada, "two") == (number, False)
    seats.leave(ada, "two", closed=True)
    now[0] += COMES_BACK + 0.1
    assert not here()


# ------------------------------------------------------------------------------------------------ what is told


def watched(studio: Studio, board: str, guest: Guest, act: Any, until: Any, seconds: float = 10.0) -> tuple[dict[str, Any], float]:
    """The news of which `until` is so, and how long after `act`, which comes while somebody waits, they were told."""
    acted = list[float]()

    def act_soon() -> None:
        time.sleep(0.1)
        act()
        acted.append(time.monotonic())

    async def follow() -> tuple[dict[str, Any], float]:
        told = json.loads(await studio.together.watch(board, guest, "page", -1, 0))
        acting, begin = asyncio.ensure_future(asyncio.to_thread(act_soon)), time.monotonic()
        try:
            while not until(told):
                assert time.monotonic() - begin < seconds, told
                told = json.loads(await studio.together.watch(board, guest, "page", told["version"], seconds))
        finally:
            seen = time.monotonic()
            await acting
        return told, seen - acted[0]

    return asyncio.run(follow())


def test_a_picture_that_arrives_is_told_at_once(studio: Studio, gate: threading.Semaphore) -> None:
    board = board_of(studio)
    ada, bo = guest_of(studio, "Ada", board), guest_of(studio, "Bo", board, "viewer")
    before = at(studio, board, bo)["pictures"]
    gate.release(100)
    _, seconds = watched(
        studio, board, bo, lambda: drawn(studio, gate, ada.person, "waves"), lambda told: told["pictures"] != before and not told["drawing"]
    )
    assert seconds < 3  # hundredths on a quiet machine; a watch that nobody wakes answers after ten
    assert seen_by(studio, bo.person) == {"waves"}


def test_a_board_that_is_made_private_is_told_nothing_more_of_at_once(studio: Studio) -> None:
    board = board_of(studio)
    ada = guest_of(studio, "Ada", board)
    begin = time.monotonic()
    with pytest.raises(NotShared):
        watched(studio, board, ada, lambda: studio.gallery.boards.share(board, OWNER, shared=False), lambda told: False)
    assert time.monotonic() - begin < 5
    with pytest.raises(NotShared):
        at(studio, board, HOST)


def test_a_link_to_one_board_hears_nothing_of_another(studio: Studio) -> None:
    sea, land, hidden = board_of(studio), board_of(studio, name="Land"), board_of(studio, name="Hidden", shared=False)
    ada = guest_of(studio, "Ada", sea)
    for other in (land, hidden, "none", ""):
        with pytest.raises(NotShared):
            at(studio, other, ada)
    assert {each["name"] for each in studio.gallery.boards.all(ada.person)} == {"Sea"}


# ------------------------------------------------------------------------------------------------ what is drawn now


def test_what_is_drawn_for_the_board_is_told_with_its_newest_preview_and_elsewhere_only_that_something_runs(
    studio: Studio, gate: threading.Semaphore
) -> None:
    sea, land = board_of(studio), board_of(studio, name="Land")
    ada, bo = guest_of(studio, "Ada", sea), guest_of(studio, "Bo", land)
    job = studio.submit(TextToImage(prompt="secret words", steps=3, width=128, height=64, batch_count=2), ada.person.user)
    studio.submit(PICTURE, ada.person.user)
    studio.submit(PICTURE, bo.person.user)
    gate.release(2)
    told, _ = watched(studio, sea, ada, lambda: None, lambda told: told["drawing"] and told["drawing"][0]["step"] == 2)
    running, waits = told["drawing"]
    assert (running["name"], running["seat"], running["private"], running["steps"]) == ("Ada", told["you"], False, 3)
    assert (running["width"], running["height"], running["pictures_total"]) == (128, 64, 2)
    assert running["preview"].startswith("data:image/")
    assert (waits["state"], waits["name"], waits["preview"]) == ("waiting", "Ada", "")
    elsewhere, mine = at(studio, land, bo)["drawing"]
    assert (elsewhere["private"], elsewhere["name"], elsewhere["seat"], elsewhere["preview"]) == (True, "", 0, "")
    assert (elsewhere["step"], elsewhere["width"]) == (0, 1) and mine["name"] == "Bo"
    assert not [word for word in ("secret", job) if word in json.dumps([told, elsewhere])]


def test_many_who_watch_have_no_more_previews_made_than_one(studio: Studio, gate: threading.Semaphore, monkeypatch: Any) -> None:
    board, made = board_of(studio), list[int]()
    ada = guest_of(studio, "Ada", board)
    guests = [Guest(Person(f"guest {number}"), f"Guest {number}", "viewer") for number in range(50)]
    make = Frame._make
    monkeypatch.setattr(Frame, "_make", lambda frame: (made.append(frame.version), make(frame))[1])
    got = [0] * len(guests)

    async def follow(number: int, until: float) -> None:
        after = -1
        while time.monotonic() < until:
            news = json.loads(await studio.together.watch(board, guests[number], "page", after, 0.2))
            got[number] += news["version"] != after and bool(news["drawing"])
            after = news["version"]

    async def all_of_them() -> None:
        await asyncio.gather(*(follow(number, time.monotonic() + 2) for number in range(len(guests))))

    studio.submit(TextToImage(prompt="a", steps=40, width=64, height=64), ada.person.user)
    threading.Thread(target=lambda: [(gate.release(), time.sleep(0.04)) for _ in range(40)], daemon=True).start()
    asyncio.run(all_of_them())
    assert min(got) >= 2, "each of them sees it form"
    assert 2 <= len(made) <= 2 / (50 / FRAMES_A_SECOND) + 2, "so many previews a second go out that the drawing is not slowed"


# ------------------------------------------------------------------------------------------------ settings of others


def test_what_is_begun_with_somebodys_settings_remembers_whose_also_when_it_goes_on_and_comes_again(
    studio: Studio, gate: threading.Semaphore
) -> None:
    board = board_of(studio)
    ada, bo = guest_of(studio, "Ada", board).person, guest_of(studio, "Bo", board).person
    first = drawn(studio, gate, ada, "waves")
    assert (studio.origin(first, bo), studio.origin(first, ada), studio.origin("none", bo)) == (first, first, "")
    job = studio.submit(TextToImage(prompt="more waves", steps=2, width=64, height=64), bo.user, origin=studio.origin(first, bo))
    gate.release(2)
    wait_until(lambda: studio.book.pictures_of(job))
    again = studio.queue.duplicate(job, bo.user)
    gate.release(2)
    wait_until(lambda: studio.book.pictures_of(again))
    for fork in (studio.book.pictures_of(job)[0].id, studio.book.pictures_of(again)[0].id):
        kin = studio.gallery.kin(fork, bo)
        assert (kin["forked"], kin["origin"], kin["origin_maker"], kin["own"]) == (True, first, "Ada", True)
    assert studio.gallery.kin(first, ada)["forks"] == 2
    studio.gallery.boards.share(board, OWNER, shared=False)
    kin = studio.gallery.kin(studio.book.pictures_of(job)[0].id, bo)
    assert (kin["forked"], kin["origin"], kin["origin_maker"]) == (True, "", ""), "it is not seen any more"
    assert studio.origin(first, bo) == ""


def test_settings_that_their_maker_hides_are_found_by_no_search_and_forked_by_nobody(studio: Studio, gate: threading.Semaphore) -> None:
    board = board_of(studio)
    ada, bo = guest_of(studio, "Ada", board).person, guest_of(studio, "Bo", board).person
    picture = drawn(studio, gate, ada, "zebra")
    assert seen_by(studio, bo, "zebra") == {"zebra"} and studio.fork(picture, bo)
    with pytest.raises(UserError):
        studio.gallery.marks.hide([picture], bo, hidden=True)
    studio.gallery.marks.hide([picture], ada, hidden=True)
    for who in (bo, OWNER):
        [row] = studio.gallery.window(who, asked_for("board:Sea"), 0, 9)["pictures"]
        assert (row["id"], row["prompt"], row["seed"], row["kind"], row["told"]) == (picture, "", "", "", False)
        for query in ("zebra", "-lion", "prompt:zebra", "kind:txt2img", "seed:0..", "-sampler:x", f"like:{picture}"):
            assert studio.gallery.window(who, asked_for(query), 0, 9)["total"] == 0, query
        assert studio.gallery.offers(who)["samplers"] == []
        assert studio.fork(picture, who) is None and not studio.gallery.tells(picture, who)
    assert seen_by(studio, ada, "zebra") == {"zebra"} and studio.gallery.kin(picture, ada)["hidden"]
    studio.gallery.marks.hide([picture], ada, hidden=False)
    assert seen_by(studio, bo, "zebra") == {"zebra"}


def test_a_book_that_is_made_again_knows_what_is_hidden_and_where_it_was_forked(tmp_path: Path) -> None:
    first = toy_studio(tmp_path)
    job = first.submit(PICTURE, "owner", owner=True, origin="a picture of somebody")
    wait_until(lambda: (found := first.book.job(job)) and found.state == "done")
    first.gallery.marks.hide([first.book.pictures_of(job)[0].id], OWNER, hidden=True)
    first.close()
    (tmp_path / "outputs" / "studio.db").unlink()
    again = toy_studio(tmp_path, start=False)
    kin = again.gallery.kin(again.book.recent("owner", 1, owner=True)[0].id, OWNER)
    assert (kin["hidden"], kin["forked"]) == (True, True)
    again.close()


# ------------------------------------------------------------------------------------------------ following


def test_the_picture_that_one_has_open_is_told_to_who_is_there_if_it_is_on_the_board_and_one_lets_them(
    studio: Studio, gate: threading.Semaphore
) -> None:
    board, other = board_of(studio), board_of(studio, name="Land")
    ada, bo = guest_of(studio, "Ada", board), guest_of(studio, "Bo", board, "viewer")
    shown = drawn(studio, gate, ada.person, "shown")
    studio.gallery.boards.draw_onto(board, ada.person, draws=False)
    private = drawn(studio, gate, ada.person, "private")
    seat, mine = at(studio, board, ada)["you"], at(studio, board, bo)["you"]

    def told(act: Any = lambda: None) -> tuple[str, int, bool]:
        """What Bo is told after it: Ada's picture, whom Bo follows, and whether Ada may be followed."""
        act()
        studio.together._look(studio.together._rooms[board])
        first, second = at(studio, board, bo)["here"]
        return first["picture"], second["follows"], first["lets"]

    assert told(lambda: studio.together.look(board, ada, shown, 0, True)) == (shown, 0, True)
    assert told(lambda: studio.together.look(board, bo, "", seat, True)) == (shown, seat, True)
    assert told(lambda: studio.together.look(board, ada, private, 0, True)) == ("", seat, True)
    assert told(lambda: studio.together.look(board, ada, shown, 0, False)) == ("", 0, False)
    assert told(lambda: studio.together.look(board, ada, shown, 0, True)) == (shown, seat, True)
    for nobody in (mine, 99, -1):
        assert told(lambda nobody=nobody: studio.together.look(board, bo, "", nobody, True))[1] == 0
    with pytest.raises(NotShared):
        studio.together.look(other, bo, shown, 0, True)
