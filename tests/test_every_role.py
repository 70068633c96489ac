"""A hostile guest of every role: each case of H01 to H43 that a role can matter for, as a stranger and as everybody whom a link lets in.

The others have no role: the start and what it refuses (H11, H29), files of models and their converter (H10, H12, H40), what a name of ours
may be (H35, H37), archives, which nobody brings in (H41), and floods, which count by address (`test_crowd.py`).
What needs a browser stands in `test_door_browser.py`, the table of routes and handlers in `test_door_proxy.py` (H23, H30, H43).
"""

from __future__ import annotations

import io
import os
import pickle
import struct
import time
import zlib
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from PIL import Image, PngImagePlugin

from pipelines.people.roles import LINKED, Role
from tests.support.doors import Answer
from tests.support.every_role import (
    BOARD,
    COMMON,
    FORM,
    FUNCTION,
    OWNER,
    RUN,
    SECRET,
    SMALL,
    STRANGER,
    STUDIO,
    WAYS,
    Guest,
    House,
    addresses_of,
    asked,
    holds,
    order_with,
    running_house,
)  # fmt: skip
from tests.test_door_hostile import PREFIXES, TRAVERSALS, Listener, raw, shapes
from ui.routes.addresses import LEAST_IN_QUEUE, Address

pytest_plugins = ("tests.support.door_fixtures",)
DRAWING = [way for way in WAYS if way.startswith(("artist", "co-owner"))]
OF_A_BOARD = [way for way in WAYS if way.endswith(BOARD)]
ONE_A_ROLE = [STRANGER, *(f"{role} {STUDIO}" for role in LINKED)]
EVIL = "<img src=x onerror=alert(1)>"  # short enough for a name


class Touch:
    """What a pickle would do that is opened."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (f"touch {self.marker}",)


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    folder = tmp_path_factory.mktemp("every_role")
    (folder / "toy").mkdir()
    (folder / "toy" / "evil.ckpt").write_bytes(pickle.dumps(Touch(folder / "MARKER")))
    with running_house(folder) as running:
        yield running


@pytest.fixture(scope="module")
def bomb() -> bytes:
    """A picture that says to have 900 megapixels."""
    stream = io.BytesIO()
    Image.new("1", (300, 300)).save(stream, "png")
    head = b"IHDR" + struct.pack(">II", 30_000, 30_000) + stream.getvalue()[24:29]
    return stream.getvalue()[:12] + head + struct.pack(">I", zlib.crc32(head)) + stream.getvalue()[33:]


@pytest.fixture(params=WAYS)
def guest(house: House, request: pytest.FixtureRequest) -> Iterator[Guest]:
    yield from checked(house, request.param)


@pytest.fixture(params=DRAWING)
def artist(house: House, request: pytest.FixtureRequest) -> Iterator[Guest]:
    yield from checked(house, request.param)


@pytest.fixture(params=ONE_A_ROLE)
def anybody(house: House, request: pytest.FixtureRequest) -> Iterator[Guest]:
    yield from checked(house, request.param)


def checked(house: House, name: str) -> Iterator[Guest]:
    """After every case: no answer held a word of others, of the machine or of the code, and the studio answers."""
    guest = house.guests[name]
    house.door.seen.clear()
    yield guest
    insides = (*guest.unseen, "root:x:0:0", str(house.door.folder), "Traceback", "site-packages")
    told = [answer.text[:300] for answer in house.door.seen if holds(answer, *insides)]
    assert not [text for text in told if str(house.door.uploads) not in text]
    house.door.check()


# ------------------------------------------------------------------------------------------------ files and addresses of the machine


def test_h01_h15_no_address_serves_a_file_of_the_machine(house: House, anybody: Guest) -> None:
    forms = [*TRAVERSALS, "{folder}/outputs/canary.html", "canary.html", "../canary.html", "outputs/canary.html"]
    head = "".join(f"{name}: {value}\r\n" for name, value in anybody.headers.items())
    for prefix, form in product(PREFIXES, forms):
        path = prefix + form.format(folder=house.door.folder, port=house.door.port)
        status, answer = raw(house.door, f"GET {path} HTTP/1.1\r\n{head}Connection: close\r\n\r\n".encode())
        assert status in (400, 401, 403, 404, 405, 421), path
        assert SECRET.encode() not in answer and b"root:x:0:0" not in answer, path


def test_h02_h03_h04_h05_no_call_opens_a_path_or_the_upload_of_another(house: House, anybody: Guest) -> None:
    ways = (RUN, FUNCTION, "/gradio_api/queue/join", "/gradio_api/call/v2/txt2img", "/library/zip", "/queue/put_back", "/presets")
    for path in (str(house.canary), "/etc/passwd", "canary.txt", house.kept["upload"][0]):
        for shape, to in product(shapes({"path": path}), ways):
            body = {"fn_index": 0, "data": [shape], "session_hash": "s", "request": shape, "ids": [shape], "values": shape}
            assert house.door.post_json(to, body, anybody.headers).status == anybody.shut, to
        assert house.door.ask("GET", f"/gradio_api/file={path}", headers=anybody.headers).status == anybody.shut


def test_h16_h17_no_call_fetches_an_address(house: House, anybody: Guest) -> None:
    listener = Listener()
    places = [f"http://{host}:{listener.port}/x.png" for host in ("127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "2130706433", "lan.test")]
    names = ("image", "url", "id", "repo", "picture", "filename", "model", "checkpoint", "prompt", "name")
    data = dict(zip(names, places * 2, strict=True))
    for path, call in house.calls:
        answer = house.door.post_json(path, call | ({"data": data} if path == FUNCTION else {"event_data": data}), anybody.headers)
        assert answer.status < 500, call
    for to in ("/reading", "/check", "/input?as=picture", "/presets/file"):
        house.upload(to, places[0].encode(), anybody.headers)
    assert listener.hits() == 0
    listener.socket.close()


def test_h14_what_is_uploaded_runs_nothing_and_who_may_not_draw_uploads_nothing(house: House, anybody: Guest) -> None:
    for name in ("x.html", "x.svg", "x.js", "x.png"):
        answer = house.door.upload(name, f"<html>{EVIL}</html>".encode() + b"\x89PNG", anybody.headers)
        assert answer.status == anybody.answered("artist", 200), answer.text
        if answer.status == 200:
            given = house.door.ask("GET", f"/gradio_api/file={answer.json()[0]}", headers=anybody.headers)
            assert given.headers["content-security-policy"].startswith("sandbox; default-src 'none'")
            assert given.headers["x-content-type-options"] == "nosniff" and "html" not in given.headers["content-type"]


# ------------------------------------------------------------------------------------------------ what is others'


def test_h05_h06_h24_h26_nothing_of_others_is_told_or_changed_by_its_id(house: House, guest: Guest, table: list[Address]) -> None:
    ids, before = house.secrets_of(guest), house.seen_by_others()
    order = order_with(ids)
    for method, path, least in addresses_of(table, ids):
        answer = asked(house, method, path, order, guest.headers)
        assert answer.status < 500 and not holds(answer, *guest.unseen), (method, path, answer.text[:200])
        assert (answer.status in (401, 403)) == (guest.answered(least, 0) > 0) or path in THEIRS, (method, path, answer.status)
    assert house.seen_by_others() == before
    house.door.seen.clear()  # what others see


THEIRS = ("/queue/pause",)  # what is asked there besides is the owner's: that everybody pauses


@pytest.mark.parametrize("guest", [STRANGER, *OF_A_BOARD], indirect=True)  # who sees the least
def test_h07_h23_h25_no_call_of_the_page_tells_or_changes_anything_of_others(house: House, guest: Guest) -> None:
    ids, before = house.secrets_of(guest), house.seen_by_others()
    order = order_with(ids)
    for number, (path, call) in enumerate(house.calls):
        meant = order | {"id": ids["picture_id"][number % len(ids["picture_id"])]}
        answer = house.door.post_json(path, call | ({"data": meant} if path == FUNCTION else {"event_data": meant}), guest.headers)
        assert answer.status < 500 and not holds(answer, *guest.unseen), (call, answer.text[:300])
    assert house.seen_by_others() == before
    house.door.seen.clear()  # what others see


def test_a_link_finds_nothing_of_others_by_any_question(house: House, guest: Guest) -> None:
    ids = house.secrets_of(guest)
    pictures, boards, [zipped] = ids["picture_id"], ids["board_id"], ids["zip_id"]
    queries = [
        COMMON,
        f"prompt:{COMMON}",
        f"board:{COMMON}",
        "in:bin",
        "with:note",
        "is:hidden",
        "",
        "-x",
        *(f"like:{each}" for each in pictures),
    ]
    ways = [f"/library?query={quote(each)}&group=board" for each in queries]
    ways += [f"/library/headings?group={each}" for each in ("board", "job", "day")]
    ways += [f"/compare?ids={house.shown},{each}" for each in pictures] + [f"/current?picture={each}" for each in pictures]
    ways += [f"/together/{each}?page=x" for each in (*boards, house.own)] + [f"/library/zip/{zipped}"]
    ways += [f"/gradio_api/queue/data?session_hash={each}" for each in (ids["job_id"][0], "s")]
    ways += ["/queue", "/prompts", "/people", "/config", "/", "/library/offers", "/library/boards", "/library/bin", "/finishes", "/presets"]
    for path in ways:
        answer = house.door.ask("GET", path + ("&" if "?" in path else "?") + "wait=0", headers=guest.headers)
        assert answer.status < 500 and not holds(answer, *guest.unseen), (path, answer.text[:200])
        assert not [each for each in pictures if each in answer.text and each not in path], (path, answer.text[:200])
    for each in pictures:
        assert house.door.post_json("/library/zip", {"ids": [each]}, guest.headers).status == guest.answered("viewer", 422)
    for each in boards:
        assert house.door.ask("GET", f"/together/{each}?wait=0", headers=guest.headers).status == guest.answered("viewer", 204)


@pytest.mark.parametrize("way", OF_A_BOARD)
def test_a_link_to_a_board_shows_that_board(house: House, way: str) -> None:
    """So that the tests around this one do not hold because nothing is shown at all."""
    for path in (f"/picture/{house.shown}.png", f"/together/{house.own}?wait=0", f"/picture/{house.shown}/comments"):
        assert house.door.ask("GET", path, headers=house.guests[way].headers).status == 200, path
    [found] = house.get("/library?query=board:Sea", house.guests[way].headers)["pictures"]
    assert found["id"] == house.shown


# ------------------------------------------------------------------------------------------------ other sites, other names


@pytest.mark.parametrize("sign", [{"Origin": "http://evil.test"}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"}], ids=str)
def test_h19_h20_another_site_does_and_reads_nothing_with_the_cookie_of_a_guest(
    house: House, anybody: Guest, sign: dict[str, str], table: list[Address]
) -> None:
    own = house.kept | {"picture_id": [house.shown], "board_id": [house.own]}
    for method, path, _ in addresses_of(table, own):
        assert asked(house, method, path, {"role": "viewer", "ids": [house.shown]}, anybody.headers | sign).status == 403, path
    for path in (RUN, FUNCTION, "/gradio_api/queue/join", "/gradio_api/cancel", "/logout", "/login"):
        assert house.door.post_json(path, {}, anybody.headers | sign).status == 403, path
    assert house.door.upload("planted.png", b"x", anybody.headers | sign).status == 403
    answer = house.door.ask("GET", "/current", headers=anybody.headers | sign)
    assert answer.status == 403 and not [name for name in answer.headers if name.startswith("access-control")]


def test_h21_h22_another_name_gets_nothing_and_no_page_of_ours_is_framed(house: House, anybody: Guest) -> None:
    cookie = {name: value for name, value in anybody.headers.items() if name == "Cookie"}
    for host, path in product(("rebind.test", "localhost.", "127.0.0.2", "127.0.0.1.nip.io"), ("/config", "/current", "/library")):
        assert house.door.ask("GET", path, headers=cookie | {"Host": host, "X-Forwarded-Host": "lan.test"}).status == 421
    page = house.door.ask("GET", "/login" if anybody.role == "anyone" else "/", headers=anybody.headers | {"Accept": "text/html"})
    assert page.status == 200 and "frame-ancestors 'none'" in page.headers["content-security-policy"]


# ------------------------------------------------------------------------------------------------ who one is


def test_h25_nobody_is_more_by_saying_so(house: House, anybody: Guest) -> None:
    said = {"role": "owner", "user": "o" * 22, "owner": True, "_internal": 1, "out_dir": "/tmp"}
    assert house.door.run({"prompt": "x"} | SMALL | said, anybody.headers)[0] in (f"status {anybody.shut}", "status 422")
    claims = {"X-Forwarded-For": "127.0.0.1", "X-Role": "owner", "Cookie": anybody.headers.get("Cookie", "") + "; role=owner"}
    for (name, value), path in product(claims.items(), ("/folders", "/reach", "/signing")):
        assert house.door.ask("GET", path, headers=anybody.headers | {name: value}).status == anybody.shut
    for role in ("co-owner", "owner"):
        assert house.door.post_json("/people/links", {"role": role}, anybody.headers).status == anybody.answered("co-owner", 422)


@pytest.mark.parametrize("way", OF_A_BOARD)
def test_what_somebody_says_is_theirs_whatever_they_say_of_themselves(house: House, way: str) -> None:
    me = house.guests[way]
    order = {"text": EVIL, "name": "Owner", "user": "o" * 22, "by": "", "own": True}
    answer = house.door.post_json(f"/picture/{house.shown}/comments", order, me.headers)
    assert answer.status == me.answered("commenter", 200)
    told = [each for thread in house.get(f"/picture/{house.shown}/comments")["threads"] for each in thread["comments"]]
    assert [each["name"] for each in told if each["id"] == answer.json().get("id")] == [me.name] * (answer.status == 200)


def test_h13_what_a_guest_writes_goes_out_as_data_and_never_as_a_page(house: House, anybody: Guest) -> None:
    me = anybody.headers
    for path, order in (("/people/links", {"role": "viewer"}), ("/library/boards", {}), ("/presets", {"prompt": EVIL})):
        house.door.post_json(path, order | {"name": EVIL}, me)
    made = house.post("/people/links", {"role": anybody.role if anybody.role in LINKED else "viewer", "name": EVIL})
    token = made["address"].rpartition("/")[2]
    named = house.door.ask("POST", "/login", urlencode({"name": EVIL}), house.lan(Cookie=f"atelier_link={token}") | FORM)
    evil = house.lan(Cookie=f"atelier_user={named.cookies['atelier_user']}")
    move = house.post("/people/move", {}, evil)["address"].rpartition("/")[2]
    pages = [house.door.ask("GET", "/login", headers=house.lan(Cookie=f"atelier_link={each}")) for each in (token, move)]
    assert not [page for page in pages if EVIL in page.text] and "Go on here as" in pages[1].text
    ways = ("/people", "/current", "/library/boards", "/presets", f"/library?query={quote(EVIL)}", f"/picture/{house.shown}/comments")
    told = [house.door.ask("GET", path, headers=who) for who, path in product((OWNER, evil, me), ways)]
    assert len([answer for answer in told if EVIL in str(answer.json())]) >= 2
    assert {answer.headers["content-type"] for answer in told} == {"application/json"}
    assert {answer.headers["x-content-type-options"] for answer in told} == {"nosniff"}
    house.door.seen.clear()  # the owner reads names of links


@pytest.mark.parametrize("role", LINKED)
def test_h27_h28_a_guest_guesses_slowly_keeps_no_cookie_from_outside_and_is_out_when_out(house: House, role: Role) -> None:
    link, fixed = house.post("/people/links", {"role": role})["address"].rpartition("/")[2], role[0] * 43
    brought = house.lan(Cookie=f"atelier_link={link}; atelier_user={fixed}") | FORM
    came = [house.door.ask("POST", "/login", urlencode({"name": name}), brought) for name in ("Ada", "Eve")]
    tokens = [each.cookies["atelier_user"] for each in came]
    assert fixed not in tokens and {"HttpOnly", "SameSite=Strict"} <= set(came[0].headers["set-cookie"].split("; "))
    people = [house.get("/current", house.lan(Cookie=f"atelier_user={each}"))["you"] for each in tokens]
    assert [(each["name"], each["role"]) for each in people] == [("Ada", role), ("Eve", role)], "one cookie makes nobody another person"
    me = house.lan(Cookie=f"atelier_user={tokens[1]}")
    guesses = [house.door.ask("GET", f"/join/{'a' * 31}{number}", headers=me).status for number in range(7)]
    assert guesses == [404] * 5 + [429] * 2
    assert house.door.ask("GET", f"/join/{link}", headers=me).status == 429
    assert house.door.ask("GET", f"/join/{link}", headers=house.lan()).status == 303, "others come in meanwhile"
    assert house.door.ask("POST", "/logout", headers=me).status == 303
    for cookie in (tokens[1], fixed):
        assert house.door.ask("GET", "/current", headers=house.lan(Cookie=f"atelier_user={cookie}")).status == 401


@pytest.mark.parametrize("role", LINKED)
def test_what_is_replayed_after_a_link_was_taken_back_opens_nothing(house: House, role: Role, table: list[Address]) -> None:
    me = house.come(role, f"{role} who leaves", house.own)
    moved = house.post("/people/move", {}, me.headers)["address"].rpartition("/")[2]
    zipped = house.post("/library/zip", {"ids": [house.shown]}, me.headers)["id"]
    assert house.door.ask("GET", f"/picture/{house.shown}.png", headers=me.headers).status == 200
    house.post(f"/people/links/{me.link}/take-back", {})
    own = house.kept | {"picture_id": [house.shown], "board_id": [house.own], "zip_id": [zipped]}
    for method, path, least in addresses_of(table, own):
        assert least == "anyone" or asked(house, method, path, {}, me.headers).status == 401, path
    for path, call in house.calls[:3]:
        assert house.door.post_json(path, call, me.headers).status == 401
    for token in (me.token, moved):
        assert house.door.ask("GET", f"/join/{token}", headers=me.headers).status == 404
        with_both = house.lan(Cookie=f"atelier_link={token}; {me.headers['Cookie']}") | FORM
        assert house.door.ask("POST", "/login", urlencode({"name": "A"}), with_both).status == 401
    house.door.check()


def test_h43_the_cookie_of_the_owner_opens_nothing_from_elsewhere(house: House) -> None:
    for path in ("/current", "/library", "/people", "/config", f"/picture/{house.kept['picture_id'][0]}.png"):
        assert house.door.ask("GET", path, headers=house.lan(**OWNER)).status == 401
    for role in LINKED:  # nor is anybody more for what proxies and tunnels add
        me = house.guests[f"{role} {STUDIO}"].headers | {"CF-Connecting-IP": "127.0.0.1", "X-Forwarded-For": "127.0.0.1"}
        assert house.get("/current", me)["you"]["role"] == role


# ------------------------------------------------------------------------------------------------ too much, and odd


def test_h31_h33_too_much_is_refused_before_it_is_read(house: House, anybody: Guest, bomb: bytes) -> None:
    me, stranger = anybody.headers | {"Content-Type": "application/json"}, anybody.role == "anyone"
    for body, status in (("[" * 100_000, 400), ('{"a": NaN}', 400), ('{"a": 1, "a": 2}', 400), ('{"a": "' + "x" * 3_000_000 + '"}', 413)):
        for path in ("/library", RUN):
            assert house.door.ask("POST", path, body, me).status == (401 if stranger else status), (path, body[:20])
    files: tuple[tuple[str, Role], ...] = (("/input?as=picture", "artist"), ("/check", "viewer"), ("/reading", "artist"))
    for path, least in files:
        began = time.monotonic()
        assert house.upload(path, bomb, anybody.headers).status == anybody.answered(least, 422), path
        assert time.monotonic() - began < 5, path


def test_h32_a_job_of_a_day_is_refused_whoever_asks_for_it(house: House, anybody: Guest) -> None:
    outcome, said = house.door.run({"prompt": "x", "steps": 150, "width": 2048, "height": 2048, "batch_count": 100}, anybody.headers)
    assert outcome == ("error" if anybody.draws else f"status {anybody.shut}")
    assert not anybody.draws or "what a guest may draw in one job" in said["error"]


def test_h39_what_is_odd_is_answered_with_a_sentence(house: House, anybody: Guest, table: list[Address]) -> None:
    ids = house.kept | {"picture_id": ["x" * 5_000, "..%2f"], "board_id": ["\0"], "job_id": ["' or 1=1 --"], "person": ["9" * 30]}
    odd: tuple[object, ...] = (
        None,
        [],
        {"ids": {}, "job": 5, "text": None, "name": True},
        {"ids": ["\0" * 100] * 50, "query": "(" * 5_000},
    )
    for number, (method, path, _) in enumerate(addresses_of(table, ids)):
        answer = asked(house, method, path, odd[number % len(odd)], anybody.headers)
        assert answer.status < 500, (method, path, answer.text[:200])


def test_h08_h09_h34_a_model_that_is_code_an_upload_and_words_of_a_path_are_nothing(house: House, artist: Guest) -> None:
    [path] = house.door.upload("sneaked.safetensors", pickle.dumps(Touch(house.door.folder / "MARKER")), artist.headers).json()
    for checkpoint in ("evil", "evil.ckpt", "sneaked", path, "../toy/evil.ckpt"):
        outcome, _ = house.door.run({"prompt": "x", "checkpoint": checkpoint} | SMALL, artist.headers)
        assert outcome == "error" or outcome.startswith("status 4"), checkpoint
    for words in ("<lora:evil:1> x", "<lora:../../evil:1> x", "__../cwd/canary__", "__canary.txt__", "${IFS}"):
        assert house.door.run({"prompt": words} | SMALL, artist.headers)[0] == "error", words
    assert not (house.door.folder / "MARKER").exists()


def test_h36_settings_of_a_file_switch_nothing_and_tell_nothing(house: House, anybody: Guest) -> None:
    told, stream = PngImagePlugin.PngInfo(), io.BytesIO()
    told.add_text("parameters", "x\nSteps: 5, Sampler: ../../x, Model: /etc/passwd, VAE: ../canary, Size: 64x64, Out dir: /tmp")
    Image.new("RGB", (64, 64)).save(stream, "png", pnginfo=told)
    before = house.get("/current")
    readers: tuple[tuple[str, Role], ...] = (("/reading", "artist"), ("/check", "viewer"))
    for path, least in readers:
        assert house.upload(path, stream.getvalue(), anybody.headers).status == anybody.answered(least, 200), path
    assert house.get("/current") == before


# ------------------------------------------------------------------------------------------------ what leaves


def secrets(*guests: Guest) -> list[str]:
    """What opens something."""
    found = [(each.token, each.link, each.headers.get("Cookie", "").partition("=")[2]) for each in guests]
    return [word for each in found for word in each if word]


def test_h38_a_picture_holds_nothing_of_who_drew_it_and_by_what(house: House, artist: Guest) -> None:
    picture = house.draw("a red house", artist.headers)
    words = [*secrets(artist), artist.name, STUDIO, "lan.test", "127.0.0.1", str(house.door.folder), "o" * 22]
    for path in (f"/picture/{picture}.png", f"/picture/{picture}.png?download=1&as=jpeg", f"/thumb/{picture}"):
        answer = house.door.ask("GET", path, headers=artist.headers)
        assert answer.status == 200 and not holds(answer, *words), path


@pytest.mark.parametrize("way", OF_A_BOARD)
def test_h38_the_picture_of_a_board_holds_nothing_of_the_board_its_owner_or_its_link(house: House, way: str) -> None:
    me = house.guests[way]
    words = ["o" * 22, house.own, "Sea", str(house.door.folder), "lan.test", *secrets(me)]
    for path in (f"/picture/{house.shown}.png", f"/picture/{house.shown}.png?download=1&as=webp", f"/thumb/{house.shown}"):
        answer = house.door.ask("GET", path, headers=me.headers)
        assert answer.status == 200 and not holds(answer, *words), path


def test_no_token_stands_in_the_log_in_an_address_or_goes_to_another_site(house: House, anybody: Guest) -> None:
    opened = house.door.ask("GET", f"/join/{anybody.token}", headers=house.lan()) if anybody.token else None
    page = anybody.headers | {"Accept": "text/html"}
    pages: list[Answer] = [house.door.ask("GET", path, headers=page) for path in ("/", "/login", "/current")]
    assert opened is None or (opened.headers["referrer-policy"], opened.headers["location"]) == ("no-referrer", "/login")
    assert {page.headers["referrer-policy"] for page in pages} <= {"no-referrer", "same-origin"}
    log = (house.door.folder / "log.txt").read_text()
    for word in secrets(*house.guests.values(), house.other):
        assert word not in log and not [page for page in pages if word in page.text or word in page.headers.get("location", "")]


# ------------------------------------------------------------------------------------------------ what forms


@pytest.fixture(scope="module")
def forming(house: House) -> Iterator[str]:
    """The id of a job of another guest that is drawn until the tests of it are over."""
    me = house.other.headers
    house.post("/queue/pause", {"paused": False}, me)
    _, [job] = house.door.run({"prompt": f"{SECRET} forms", "steps": 150, "width": 64, "height": 64, "batch_count": 100}, me)
    end = time.monotonic() + 20
    while house.get(f"/live/{job}", me)["state"] == "waiting" and time.monotonic() < end:
        time.sleep(0.05)
    yield job
    house.post(f"/jobs/{job}/stop", {}, me)


def test_h26_h42_what_forms_is_seen_and_ended_by_nobody_else(house: House, forming: str, guest: Guest) -> None:
    upgrade = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "x" * 22 + "=="}
    assert house.door.ask("GET", f"/live/{forming}", headers=guest.headers).status == guest.answered("viewer", 404)
    assert house.door.ask("GET", f"/live/{forming}", headers=guest.headers | upgrade).status in (400, 401, 403, 404, 426)
    for path in ("/queue?wait=0", "/current", f"/together/{house.own}?wait=0"):
        answer = house.door.ask("GET", path, headers=guest.headers)
        assert not holds(answer, *guest.unseen, forming, "data:image/"), path
    for act in ("stop", "skip"):
        assert house.door.post_json(f"/jobs/{forming}/{act}", {}, guest.headers).status == guest.answered("viewer", 404)
    order = {"job": forming, "jobs": [forming], "lane": "idle"}
    for act in ("cancel", "move", "duplicate", "take", "give_back"):
        least = LEAST_IN_QUEUE.get(act, "artist")
        assert house.door.post_json(f"/queue/{act}", order, guest.headers).status == guest.answered(least, 404), act
    for path, body in (("cancel", {"session_hash": "z", "fn_index": 0, "event_id": "x"}), ("reset", {"event_id": "x"})):
        assert house.door.post_json(f"/gradio_api/{path}", body, guest.headers).status == guest.answered("viewer", 404)
    assert house.get(f"/live/{forming}?after=-1", house.other.headers)["state"] == "running"
    house.door.seen.clear()  # what its own person sees
