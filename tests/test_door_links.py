"""Links at the door: opened, said a name, taken back; and what a hostile guest makes of them."""

from __future__ import annotations

import io
import json
import re
import threading
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from starlette.testclient import TestClient

from pipelines.people.roles import Role
from pipelines.people.rules import Maker, Wanted
from tests.support.doors import Answer, RunningDoor, example_page, running_door
from tests.support.toys import toy_studio
from ui.server import Door, create_app

OWNER = {"Cookie": "atelier_user=" + "o" * 22}
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningDoor]:
    with running_door(tmp_path_factory.mktemp("links"), "ui:page", hosts="lan.test", guests=False) as running:
        yield running


def lan(door: RunningDoor, **more: str) -> dict[str, str]:
    return {"Host": f"lan.test:{door.port}"} | more


def make(door: RunningDoor, **order: Any) -> tuple[str, str]:
    """The id and the token of a new link."""
    answer = door.post_json("/people/links", {"role": "artist", **order}, OWNER)
    assert answer.status == 200, answer.text
    return answer.json()["id"], answer.json()["address"].rpartition("/")[2]


def opened(door: RunningDoor, token: str, cookie: str = "") -> Answer:
    return door.ask("GET", f"/join/{token}", headers=lan(door, Cookie=cookie))


def come(door: RunningDoor, token: str, name: str = "Ada", cookie: str = "") -> Answer:
    return door.ask("POST", "/login", urlencode({"name": name}), lan(door, Cookie=f"atelier_link={token}; {cookie}") | FORM)


def guest(door: RunningDoor, token: str, name: str = "Ada") -> dict[str, str]:
    """What the browser of who came by a link sends."""
    answer = come(door, token, name)
    assert answer.status == 303, answer.text
    return lan(door, Cookie=f"atelier_user={answer.cookies['atelier_user']}")


def take_back(door: RunningDoor, link: str) -> None:
    assert door.post_json(f"/people/links/{link}/take-back", {}, OWNER).status == 200


def draw(door: RunningDoor, prompt: str, who: dict[str, str]) -> str:
    """The id of the picture."""
    outcome, said = door.run({"prompt": prompt, "steps": 1, "width": 64, "height": 64}, who)
    assert outcome == "complete", said
    return door.finish(said[0], who)["pictures"][0]["id"]


def log_of(door: RunningDoor) -> str:
    return (door.folder / "log.txt").read_text()


# ------------------------------------------------------------------------------------------------ coming in


def test_a_link_is_exchanged_for_a_cookie_at_once_and_stays_in_no_address_log_or_referrer(door: RunningDoor) -> None:
    _, token = make(door, name="Friends")
    answer = opened(door, token)
    assert (answer.status, answer.headers["location"], answer.headers["referrer-policy"]) == (303, "/login", "no-referrer")
    assert {"HttpOnly", "SameSite=Strict", "Max-Age=900"} <= set(answer.headers["set-cookie"].split("; "))
    shown = door.ask("GET", "/login", headers=lan(door, Cookie=f"atelier_link={token}"))
    assert "You are invited to draw here." in shown.text and token not in shown.text
    entered = come(door, token)
    assert (entered.status, entered.headers["location"]) == (303, "/")
    assert re.fullmatch(r"[\w-]{43}", entered.cookies["atelier_user"]) and entered.cookies["atelier_link"] == '""'
    page = door.ask("GET", "/", headers=lan(door, Cookie=f"atelier_user={entered.cookies['atelier_user']}", Accept="text/html"))
    assert page.status == 200 and token not in page.text and entered.cookies["atelier_user"] not in page.text
    assert token not in log_of(door)


def test_what_breaks_while_a_link_is_opened_is_logged_without_its_token(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    studio = toy_studio(tmp_path, start=False)
    client = TestClient(create_app(studio, example_page, Door()), "http://localhost", raise_server_exceptions=False)
    _, token = studio.people.care.make(Maker("owner", "owner"), Wanted("x", "artist"))

    def broken(_: str) -> None:
        raise RuntimeError("broken")

    studio.people.invited = broken  # type: ignore[method-assign]
    assert client.get(f"/join/{token}").status_code == 500
    assert "/join/... broke" in caplog.text and token not in caplog.text
    studio.close()


def test_a_stranger_finds_a_door_without_names_numbers_or_configuration(door: RunningDoor) -> None:
    make(door, name="Secret friends")
    page = door.ask("GET", "/login", headers=lan(door))
    assert "Ask its owner for one" in page.text and "Secret" not in page.text and not re.search(r"\d+\.\d+\.\d+", page.text)
    for path in ("/config", "/people", "/current", "/queue?wait=0", "/library", "/gradio_api/info"):
        assert door.ask("GET", path, headers=lan(door)).status == 401


def test_a_browser_keeps_its_person_and_takes_up_no_cookie_from_outside(door: RunningDoor) -> None:
    _, token = make(door)
    fixed = "f" * 43
    first = come(door, token, cookie=f"atelier_user={fixed}").cookies["atelier_user"]
    assert first != fixed
    assert door.ask("GET", "/current", headers=lan(door, Cookie=f"atelier_user={fixed}")).status == 401
    picture = draw(door, "mine", lan(door, Cookie=f"atelier_user={first}"))
    second = come(door, token, "Ada B.", f"atelier_user={first}").cookies["atelier_user"]
    assert door.ask("GET", f"/picture/{picture}.png", headers=lan(door, Cookie=f"atelier_user={second}")).status == 200
    assert door.ask("GET", f"/picture/{picture}.png", headers=lan(door, Cookie=f"atelier_user={first}")).status == 401


def test_the_own_pictures_follow_to_another_device_and_its_address_is_good_once(door: RunningDoor) -> None:
    _, token = make(door)
    me = guest(door, token, "Bo")
    picture = draw(door, "mine", me)
    moved = door.post_json("/people/move", {}, me).json()
    assert moved["qr"].startswith("data:image/svg+xml;base64,") and moved["address"].startswith(f"http://lan.test:{door.port}/join/")
    token = moved["address"].rpartition("/")[2]
    assert "Go on here as Bo" in door.ask("GET", "/login", headers=lan(door, Cookie=f"atelier_link={token}")).text
    phone = guest(door, token)
    assert door.ask("GET", f"/picture/{picture}.png", headers=phone).status == 200
    assert door.ask("GET", "/current", headers=phone).json()["you"]["name"] == "Bo"
    assert come(door, token, cookie=me["Cookie"]).status == 401
    assert door.ask("GET", "/current", headers=me).status == 200
    assert door.ask("POST", "/logout", headers=phone).status == 303
    assert (door.ask("GET", "/current", headers=phone).status, door.ask("GET", "/current", headers=me).status) == (401, 200)


def test_guessing_links_is_slowed_down_and_the_right_one_waits_too(tmp_path: Path) -> None:
    studio = toy_studio(tmp_path, start=False)
    client = TestClient(create_app(studio, example_page, Door()), "http://localhost", client=("10.0.0.9", 1), follow_redirects=False)
    _, token = studio.people.care.make(Maker("owner", "owner"), Wanted("x", "artist"))
    assert client.get(f"/join/{token}").status_code == 303
    guesses = [client.get(f"/join/{'a' * 31}{number}").status_code for number in range(7)]
    assert guesses == [404] * 5 + [429] * 2
    assert client.get(f"/join/{token}").status_code == 429
    named = client.post("/login", data={"name": "Ada"}, headers={"Cookie": f"atelier_link={token}"})
    assert named.status_code == 429 and int(named.headers["retry-after"]) <= 60
    studio.close()


# ------------------------------------------------------------------------------------------------ taken back


def test_after_a_link_is_taken_back_no_cookie_token_or_address_of_it_opens_anything(door: RunningDoor) -> None:
    link, token = make(door)
    me = guest(door, token)
    picture = draw(door, "mine", me)
    zipped = door.post_json("/library/zip", {"ids": [picture]}, me).json()["id"]
    moved = door.post_json("/people/move", {}, me).json()["address"].rpartition("/")[2]
    take_back(door, link)
    for path in ("/current", f"/picture/{picture}.png", f"/thumb/{picture}", f"/library/zip/{zipped}", "/config", "/queue?wait=0"):
        assert door.ask("GET", path, headers=me).status == 401, path
    assert door.run({"prompt": "x"}, me)[0] == "status 401"
    assert door.post_json("/people/move", {}, me).status == 401
    assert [opened(door, each, me["Cookie"]).status for each in (token, moved)] == [404, 404]
    assert [come(door, each, cookie=me["Cookie"]).status for each in (token, moved)] == [401, 401]
    named = {"link": link, "cookie": me["Cookie"]}
    assert not [secret for secret in named.values() if secret in log_of(door)]


def test_what_is_read_while_a_link_is_taken_back_ends_at_once(door: RunningDoor) -> None:
    link, token = make(door)
    me, other = guest(door, token), guest(door, make(door)[1], "Bo")
    version = door.ask("GET", "/queue?wait=0", headers=me).json()["version"]
    ended: dict[str, tuple[int, float]] = {}

    def read(name: str, path: str, who: dict[str, str]) -> None:
        began = time.monotonic()
        try:
            status = door.ask("GET", path, headers=who, timeout=15).status
        except OSError:
            status = 0  # broken off
        ended[name] = status, time.monotonic() - began

    watched = [("mine", f"/queue?after={version + 10**6}", me), ("stream", "/gradio_api/heartbeat/s", me)]
    watched.append(("other", f"/queue?after={version + 10**6}", other))
    threads = [threading.Thread(target=read, args=each, daemon=True) for each in watched]
    for thread in threads:
        thread.start()
    time.sleep(1)
    take_back(door, link)
    threads[0].join(5)
    threads[1].join(5)
    assert ended["mine"][0] == 401 and ended["mine"][1] < 6
    assert ended["stream"][1] < 6
    assert "other" not in ended, "who came by another link reads on"
    assert "Traceback" not in log_of(door)


def test_who_is_made_a_viewer_is_refused_with_a_sentence_and_nothing_is_half_done(door: RunningDoor) -> None:
    link, token = make(door)
    me = guest(door, token, "Cy")
    draw(door, "one", me)
    news = door.ask("GET", "/people", headers=OWNER).json()
    [person] = next(row["people"] for row in news["links"] if row["id"] == link)
    assert (person["name"], person["role"], person["here"]) == ("Cy", "artist", True) and time.time() - person["seen"] < 60
    assert door.post_json(f"/people/persons/{person['person']}/role", {"role": "viewer"}, OWNER).status == 200
    outcome, said = door.run({"prompt": "two", "steps": 1, "width": 64, "height": 64}, me)
    assert outcome == "status 403" and "not draw" in said
    told = door.ask("GET", "/current", headers=me).json()["you"]
    assert (told["role"], "draw" in told["may"]) == ("viewer", False)
    for path in ("/input?as=picture", "/reading"):
        assert door.ask("POST", path, b"x", me | {"Content-Type": "application/octet-stream"}).status == 403
    assert door.post_json(f"/people/persons/{person['person']}/hold", {"held": True}, OWNER).status == 200
    assert door.post_json(f"/people/persons/{person['person']}/role", {"role": "artist"}, OWNER).status == 200
    assert "has paused you" in door.run({"prompt": "two"}, me)[1]
    assert door.post_json(f"/people/persons/{person['person']}/hold", {"held": False}, OWNER).status == 200
    draw(door, "three", me)


def test_who_is_thanked_takes_the_own_pictures_along_and_is_refused_all_else_with_thanks(door: RunningDoor) -> None:
    link, token = make(door, role="co-owner", hours=1)
    me = guest(door, token, "Ty")
    picture, others = draw(door, "mine", me), draw(door, "not mine", OWNER)
    assert door.post_json(f"/people/links/{link}/thank", {}, OWNER).status == 200
    you = door.ask("GET", "/current", headers=me).json()["you"]
    assert you["may"] == ["enter", "look"] and "24 more hours" in you["note"]
    assert [door.ask("GET", f"/picture/{each}.png", headers=me).status for each in (picture, others)] == [200, 404]
    zipped = door.post_json("/library/zip", {"ids": [picture]}, me).json()["id"]
    assert door.ask("GET", f"/library/zip/{zipped}", headers=me).status == 200
    for path, body in (
        ("/people/links", {"role": "viewer"}),
        ("/library/pictures/delete", {"ids": [picture]}),
        ("/queue/cancel", {"jobs": ["x"]}),
    ):
        assert door.post_json(path, body, me).status in (403, 404), path
    outcome, said = door.run({"prompt": "two"}, me)
    assert outcome == "status 403" and "Thank you for having been here!" in said
    assert opened(door, token).status == 404
    assert door.post_json(f"/people/links/{link}/take-back", {}, OWNER).status == 200
    assert door.ask("GET", f"/picture/{picture}.png", headers=me).status == 401


def test_a_link_is_changed_in_part_and_odd_changes_are_sentences(door: RunningDoor) -> None:
    link, token = make(door, name="Before", jobs=3, hours=1)
    me = guest(door, token, "Uma")

    def row() -> dict[str, Any]:
        return next(each for each in door.ask("GET", "/people", headers=OWNER).json()["links"] if each["id"] == link)

    before = row()
    assert door.post_json(f"/people/links/{link}/change", {"name": "After", "role": "viewer", "gigabytes": 0.5}, OWNER).status == 200
    kept = {name: value for name, value in row().items() if name not in ("name", "role", "gigabytes", "people")}
    assert (row()["name"], row()["role"], row()["gigabytes"]) == ("After", "viewer", 0.5)
    assert kept == {name: before[name] for name in kept}
    assert door.ask("GET", "/current", headers=me).json()["you"]["role"] == "viewer"
    assert door.post_json(f"/people/links/{link}/change", {"hours": None, "jobs": None}, OWNER).status == 200
    assert (row()["ends"], row()["jobs"]) == (None, None)
    for value in (True, -1, 10**30, "x" * 10_000, [], {}, "é\0", None):
        for name in ("name", "role", "hours", "people", "jobs", "megapixels", "gigabytes"):
            assert door.post_json(f"/people/links/{link}/change", {name: value}, OWNER).status in (200, 422)


def test_the_quota_of_a_link_is_told_with_figures(door: RunningDoor) -> None:
    _, token = make(door, megapixels=0.01)
    me = guest(door, token)
    draw(door, "one", me)
    draw(door, "two", me)
    outcome, said = door.run({"prompt": "three", "steps": 1, "width": 64, "height": 64}, me)
    assert outcome == "error" and "0.01 megapixels an hour" in said["error"]


# ------------------------------------------------------------------------------------------------ hostile guests


@pytest.mark.parametrize(
    "sign", [{"Origin": "http://evil.test"}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"}]
)
def test_a_page_of_another_site_makes_takes_and_opens_no_link(door: RunningDoor, sign: dict[str, str]) -> None:
    link, token = make(door)
    for path in ("/people/links", f"/people/links/{link}/take-back", "/people/hold", "/people/move", "/login"):
        assert door.post_json(path, {"role": "artist", "held": True}, OWNER | sign).status == 403
    assert door.ask("GET", f"/join/{token}", headers=lan(door) | sign).status == 403
    assert door.ask("GET", "/people", headers=OWNER).json()["held"] is False


def test_a_link_in_a_chat_may_be_followed_and_comes_in_after_one_more_step(door: RunningDoor) -> None:
    _, token = make(door)
    led = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document", "Accept": "text/html"}
    answer = door.ask("GET", f"/join/{token}", headers=lan(door) | led)
    assert (answer.status, answer.cookies["atelier_link"]) == (303, token)
    # Strict cookies are held back on what another site leads to, so the page comes again as its own visit.
    assert 'http-equiv="refresh"' in door.ask("GET", "/login", headers=lan(door) | led).text


@pytest.mark.parametrize("role", ["viewer", "commenter", "artist"])
def test_a_guest_learns_of_no_link_and_no_person(door: RunningDoor, role: Role) -> None:
    link, token = make(door, role=role, name="A very secret name")
    me = guest(door, token, "Hostile Harry")
    for path in ("/people/links", f"/people/links/{link}/take-back", f"/people/links/{link}/address", "/people/persons/1/hold"):
        assert door.post_json(path, {"role": "co-owner", "held": True}, me).status == 403
    assert door.ask("GET", "/people", headers=me).status == 403
    for path in ("/config", "/", "/gradio_api/info", "/queue?wait=0"):
        said = door.ask("GET", path, headers=me | {"Accept": "text/html"}).text
        assert "very secret" not in said and "Hostile Harry" not in said


def test_a_co_owner_gives_less_and_reaches_nothing_else(door: RunningDoor) -> None:
    others, _ = make(door)
    _, token = make(door, role="co-owner")
    bo = guest(door, token, "Bo")
    for wrong in ("co-owner", "owner", "nonsense"):
        assert door.post_json("/people/links", {"role": wrong}, bo).status == 422
    made = door.post_json("/people/links", {"role": "artist", "name": "Of Bo"}, bo).json()
    assert made["address"].startswith(f"http://lan.test:{door.port}/join/")
    assert [row["name"] for row in door.ask("GET", "/people", headers=bo).json()["links"]] == ["Of Bo"]
    assert door.post_json(f"/people/links/{others}/take-back", {}, bo).status == 422
    assert door.post_json("/people/hold", {"held": True}, bo).status == 403
    assert door.ask("GET", "/folders", headers=bo).status == 403


def test_odd_orders_are_sentences(door: RunningDoor) -> None:
    odd: list[Any] = [None, True, -1, 10**30, 1.5, "", "x" * 10_000, [], {}, "é\0"]
    for name in ("name", "role", "board", "hours", "people", "jobs", "megapixels", "gigabytes", "bare", "held"):
        for value in odd:
            for path in ("/people/links", "/people/persons/1/role", "/people/persons/1/hold", "/people/links/x/address"):
                answer = door.post_json(path, {"role": "viewer", name: value}, OWNER)
                assert answer.status in (200, 422), (path, name, value, answer.text)
    for name in ("", " ", "x" * 16_000, "<script>alert(1)</script>", "\u202e"):
        assert come(door, make(door)[1], name).status in (303, 401, 413)
    assert "Traceback" not in log_of(door)


def test_a_picture_holds_nothing_of_who_drew_it_and_by_what(door: RunningDoor) -> None:
    link, token = make(door, name="Zanzibar")
    me = guest(door, token, "Quentin")
    data = door.ask("GET", f"/picture/{draw(door, 'x', me)}.png", headers=me).body
    cookie = me["Cookie"].partition("=")[2]
    for secret in (token, link, "Zanzibar", "Quentin", cookie, "lan.test"):
        assert secret.encode() not in data


# ------------------------------------------------------------------------------------------------ one board


def test_a_link_to_a_board_shows_that_one_and_the_own_pictures_and_nothing_else(door: RunningDoor) -> None:
    shown, hidden, other = (draw(door, words, OWNER) for words in ("sea shown", "land hidden", "sea elsewhere"))
    boards = [door.post_json("/library/boards", {"name": name}, OWNER).json()["id"] for name in ("Sea", "Land")]
    for board, ids in zip(boards, ([shown], [hidden, other]), strict=True):
        assert door.post_json(f"/library/boards/{board}/add", {"ids": ids}, OWNER).status == 200
    for path, values in (("note", {"note": "xylophone"}), ("rate", {"rating": 5}), ("favourite", {"favourite": True})):
        assert door.post_json(f"/library/pictures/{path}", {"ids": [shown], **values}, OWNER).status == 200
    me = guest(door, make(door, board=boards[0])[1])
    assert door.post_json(f"/library/boards/{boards[0]}/desk", {"on": False}, me).status == 200
    mine = draw(door, "mine", me)

    def found(query: str, **more: object) -> set[str]:
        extra = "".join(f"&{name}={value}" for name, value in more.items())
        return {each["id"] for each in door.ask("GET", f"/library?query={quote(query)}{extra}", headers=me).json()["pictures"]}

    assert found("") == {shown, mine}
    assert found("sea") == {shown} and found("board:Sea") == {shown} and found("board:Land") == set() == found("Land")
    for order in ("rating", "oldest"):
        assert found("", order=order, group="board") == {shown, mine}
    assert found(f"like:{hidden}") == set()
    for private in ("xylophone", "note:xylophone", "with:note", "is:favourite", "rating:5", "in:bin"):
        assert found(private) == set(), private
    for picture in (hidden, other):
        for path in (f"/picture/{picture}.png", f"/thumb/{picture}", f"/picture/{picture}/details", f"/compare?ids={shown},{picture}"):
            assert door.ask("GET", path, headers=me).status == 404, path
        assert door.ask("GET", f"/library/pictures/{picture}", headers=me).status == 422
        assert door.post_json("/library/zip", {"ids": [picture]}, me).status == 422
    for path in (f"/picture/{shown}.png", f"/thumb/{shown}", f"/picture/{shown}/details", f"/compare?ids={shown},{mine}"):
        assert door.ask("GET", path, headers=me).status == 200, path
    about = door.ask("GET", f"/library/pictures/{shown}", headers=me).json()
    assert (about["note"], about["rating"], about["favourite"], about["boards"]) == ("", 0, False, [boards[0]])
    told = door.post_json("/library/zip", {"ids": [shown, hidden, mine]}, me).json()
    names = zipfile.ZipFile(io.BytesIO(door.ask("GET", f"/library/zip/{told['id']}", headers=me).body)).namelist()
    assert told["count"] == 2 and len(names) == 2
    heads = door.ask("GET", "/library/headings?group=board", headers=me).json()
    assert heads["titles"] == ["Sea", ""] and heads["counts"] == [1, 1]
    [row] = door.ask("GET", "/library?query=sea", headers=me).json()["pictures"]
    assert (row["rating"], row["favourite"], row["noted"], row["own"]) == (0, False, False, False)
    listed = door.ask("GET", "/library/boards", headers=me).json()["boards"]
    assert [(each["name"], each["count"], each["own"]) for each in listed] == [("Sea", 1, False)]
    changes_nothing(door, me, boards, shown)
    for other in (boards[1], "none"):
        assert door.ask("GET", f"/together/{other}?wait=0", headers=me).status == 204
        assert door.post_json(f"/library/boards/{other}/desk", {"on": True}, me).status == 422
    put = door.post_json(f"/library/boards/{boards[0]}/add", {"ids": [mine, hidden]}, me).json()
    assert (put["changed"], put["missing"]) == (1, 1)
    assert door.post_json(f"/library/boards/{boards[1]}/add", {"ids": [mine]}, me).status == 422
    assert door.post_json("/library/pictures/delete", {"ids": [shown]}, OWNER).status == 200
    assert found("") == {mine} and door.ask("GET", f"/thumb/{shown}", headers=me).status == 404


def test_a_link_without_settings_tells_them_of_no_picture_by_any_way_out(door: RunningDoor) -> None:
    shown = draw(door, "zebra", OWNER)
    board = door.post_json("/library/boards", {"name": "Bare"}, OWNER).json()["id"]
    door.post_json(f"/library/boards/{board}/add", {"ids": [shown]}, OWNER)
    me, full = (guest(door, make(door, board=board, bare=bare)[1]) for bare in (True, False))
    mine = draw(door, "walrus", me)
    ways = [f"/picture/{shown}.png{more}" for more in ("", "?download=1", "?as=png", "?as=jpeg", "?as=webp&settings=1")]
    ways += [f"/picture/{shown}/details", f"/compare?ids={shown},{mine}", f"/thumb/{shown}", f"/library/pictures/{shown}"]
    ways += ["/library?query=", "/library/offers", "/library/headings?group=job", f"/picture/{shown}/comments", "/queue?wait=0", "/current"]
    for path in ways:
        answer = door.ask("GET", path, headers=me)
        assert answer.status == 200 and not told_in(answer, "zebra"), path
    assert [told_in(door.ask("GET", path, headers=full), "zebra") for path in ways[:2]] == [True, True]
    for path in ways[:5]:
        assert b"trainedAlgorithmicMedia" in door.ask("GET", path, headers=me).body, path
    for query in ("zebra", "prompt:zebra", "-walrus", "kind:txt2img", "model:toy", "-sampler:x", "seed:0..", f"like:{shown}"):
        answer = door.ask("GET", f"/library?query={quote(query)}", headers=me).json()
        assert shown not in [each["id"] for each in answer["pictures"]], query
    ready = door.post_json("/library/zip", {"ids": [shown, mine], "settings": True}, me).json()["id"]
    with zipfile.ZipFile(io.BytesIO(door.ask("GET", f"/library/zip/{ready}", headers=me).body)) as whole:
        said = b"".join((*map(whole.read, whole.namelist()), *map(str.encode, whole.namelist())))
    assert len(whole.namelist()) == 2 and b"zebra" not in said and b"walrus" not in said
    # The same for who came by a link that tells settings, once the maker of a picture keeps its own.
    assert door.post_json("/library/pictures/hide", {"ids": [shown], "hidden": True}, OWNER).status == 200
    for path in ways:
        answer = door.ask("GET", path.replace(mine, shown), headers=full)
        assert not told_in(answer, "zebra") and answer.status in (200, 400), path
    ready = door.post_json("/library/zip", {"ids": [shown], "settings": True}, full).json()["id"]
    assert not told_in(door.ask("GET", f"/library/zip/{ready}", headers=full), "zebra")
    event = {"fn_index": 0, "session_hash": "s", "event_data": {"id": shown, "to": ""}, "data": []}
    for function in send_functions(door):
        answer = door.post_json("/gradio_api/run/predict", event | {"fn_index": function}, full)
        assert answer.status == 422 and not told_in(answer, "zebra"), answer.text
    assert told_in(door.ask("GET", f"/picture/{shown}.png", headers=OWNER), "zebra")
    own = door.ask("GET", f"/picture/{mine}/details", headers=me)
    assert told_in(own, "walrus") and not told_in(door.ask("GET", f"/picture/{mine}.png", headers=me), "walrus")
    assert door.ask("GET", "/current", headers=me).json()["you"]["bare"] is True


def send_functions(door: RunningDoor) -> list[int]:
    """The numbers of the handlers that fill a form with the settings of a picture."""
    found = door.ask("GET", "/config", headers=OWNER).json()["dependencies"]
    numbers = [each["id"] for each in found if ["send"] in [target[1:] for target in each["targets"]]]
    assert len(numbers) == 2, "the stage and the inspector"
    return numbers


def told_in(answer: Answer, word: str) -> bool:
    """Whether an answer holds a word, in its body or in its headers."""
    return any(word.encode(code) in answer.body for code in ("utf-8", "utf-16-be")) or word in str(answer.headers)


def changes_nothing(door: RunningDoor, me: dict[str, str], boards: list[str], shown: str) -> None:
    """What is shown is another person's all the same."""
    for act, values in (("rate", {"rating": 1}), ("note", {"note": "x"}), ("delete", {}), ("favourite", {"favourite": False})):
        assert door.post_json(f"/library/pictures/{act}", {"ids": [shown], **values}, me).status == 422
    for act in ("rename", "delete", "restore", "share"):
        assert door.post_json(f"/library/boards/{boards[0]}/{act}", {"name": "x", "on": False}, me).status == 422


def test_what_others_draw_is_seen_by_no_guest_while_it_forms(door: RunningDoor) -> None:
    me, you = (guest(door, make(door)[1], name) for name in ("Me", "You"))
    long = {"steps": 150, "width": 64, "height": 64, "batch_count": 100}  # it runs until it is stopped
    _, [job] = door.run({"prompt": "my secret words"} | long, me)
    assert door.ask("GET", f"/live/{job}", headers=you).status == 404
    queue = door.ask("GET", "/queue?wait=0", headers=you).text
    assert "secret" not in queue and job not in queue and json.loads(queue)["running"] is None
    for act in ("stop", "skip"):
        assert door.post_json(f"/jobs/{job}/{act}", {}, you).status == 404
    assert door.post_json("/queue/cancel", {"jobs": [job]}, you).status == 404
    assert door.ask("GET", f"/gradio_api/queue/data?session_hash={job}", headers=you).status == 404
    board = door.post_json("/library/boards", {"name": "While it forms"}, OWNER).json()["id"]
    there = guest(door, make(door, board=board)[1], "There")
    [tile] = door.ask("GET", f"/together/{board}?wait=0", headers=there).json()["drawing"]
    assert (tile["private"], tile["name"], tile["preview"], tile["steps"]) == (True, "", "", 0)
    upgrade = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "x" * 22 + "=="}
    assert door.ask("GET", f"/live/{job}", headers=you | upgrade).status in (400, 403, 404, 426)
    assert door.post_json(f"/jobs/{job}/stop", {}, me).status == 200


def test_hosts_and_addresses_of_links_are_those_that_lead_here(door: RunningDoor) -> None:
    made = door.post_json("/people/links", {"role": "viewer"}, OWNER).json()
    assert made["address"].startswith(f"http://127.0.0.1:{door.port}/join/") and "start it with --listen" in made["note"]
