"""HTTPS and HTTP at one port: what is encrypted, what is led there, and a page that works as at home."""

from __future__ import annotations

import itertools
import re
import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from starlette.testclient import TestClient

from pipelines.people.rules import Maker, Wanted
from tests.support.doors import PASSWORD, RunningDoor, example_page, route_paths, running_door
from tests.support.toys import toy_studio
from ui.door.certificate import OwnCertificate
from ui.server import Door, create_app

pytest_plugins = ("tests.support.door_fixtures",)
TYPEFACE = re.compile(r"/static/(inter|fraunces)\.[0-9a-f]{16}\.woff2")
WITHOUT_STYLE = re.compile(r"<style>.*?</style>", re.DOTALL)
HEADERS = {
    "content-type", "content-length", "content-security-policy", "x-content-type-options", "x-frame-options", "referrer-policy", "allow",
    "cross-origin-resource-policy", "permissions-policy", "cache-control", "location", "connection", "content-disposition", "vary",
    "content-encoding",
}  # fmt: skip
HEALTH = b"GET /healthz HTTP/1.1\r\nHost: lan.test\r\nConnection: close\r\n\r\n"


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningDoor]:
    folder = tmp_path_factory.mktemp("https")
    with running_door(folder, "ui:page", hosts="lan.test", https=True, guests=False, password=PASSWORD, deadlines={"head": 2}) as running:
        yield running


def client(door: RunningDoor) -> ssl.SSLContext:
    """One that trusts the studio's authority."""
    return ssl.create_default_context(cafile=str(door.folder / "certificate" / "authority.pem"))


def raw(door: RunningDoor) -> socket.socket:
    return socket.create_connection(("127.0.0.1", door.port), 10)


def rest(connection: socket.socket) -> bytes:
    found = b""
    while part := connection.recv(65_536):
        found += part
    return found


def asked(door: RunningDoor, path: str, name: str = "lan.test", *lines: str) -> str:
    """The whole answer over TLS, to who asks for the studio by that name."""
    with client(door).wrap_socket(raw(door), server_hostname=name) as secured:
        secured.sendall("\r\n".join((f"GET {path} HTTP/1.1", f"Host: {name}:{door.port}", "Connection: close", *lines, "", "")).encode())
        return rest(secured).decode("utf-8", "replace")


def test_one_port_speaks_https_with_others_and_http_with_the_machine(door: RunningDoor) -> None:
    assert door.ask("GET", "/healthz").status == 200
    assert asked(door, "/healthz").startswith("HTTP/1.1 200")
    assert "404" not in asked(door, "/certificate").partition("\r\n")[0]


def test_a_handshake_in_pieces_and_a_request_in_its_last_one_are_understood(door: RunningDoor) -> None:
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    end = client(door).wrap_bio(incoming, outgoing, server_hostname="lan.test")
    with raw(door) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with pytest.raises(ssl.SSLWantReadError):
            end.do_handshake()
        hello = outgoing.read()
        for at in (0, 1, 3):
            connection.sendall(hello[at : {0: 1, 1: 3}.get(at)])
            time.sleep(0.05)
        while end.version() is None or outgoing.pending == 0:
            incoming.write(connection.recv(65_536))
            try:
                end.do_handshake()
                break
            except ssl.SSLWantReadError:
                continue
        end.write(HEALTH)
        connection.sendall(outgoing.read())  # the end of the handshake and the request, in one
        said = b""
        while b"ok" not in said:
            incoming.write(connection.recv(65_536))
            with suppress(ssl.SSLWantReadError):
                said += end.read(10_000)
    assert said.startswith(b"HTTP/1.1 200")


def test_a_handshake_that_does_not_come_or_is_nonsense_ends_and_leaves_nothing(door: RunningDoor) -> None:
    began = time.monotonic()
    with raw(door) as slow, raw(door) as nonsense:
        slow.sendall(b"\x16\x03\x01")
        nonsense.sendall(b"\x16" + b"x" * 2_000)
        rest(nonsense)
        assert time.monotonic() - began < 2
        assert rest(slow) == b""
    assert 1 < time.monotonic() - began < 8
    assert door.ask("GET", "/healthz").status == 200 and "Traceback" not in (door.folder / "log.txt").read_text()


def test_cookies_of_others_are_secure_and_those_at_the_machine_serve_http_too(door: RunningDoor) -> None:
    made = door.post_json("/people/links", {"role": "artist"}, {"Cookie": "atelier_user=" + "o" * 22}).json()
    opened = asked(door, f"/join/{made['address'].rpartition('/')[2]}")
    assert "atelier_link=" in opened and "Secure" in opened
    at_home = asked(door, "/current", "127.0.0.1")
    assert "atelier_user=" in at_home and "Secure" not in at_home


def test_the_page_about_the_warning_is_open_to_anyone_and_holds_what_the_owner_compares(door: RunningDoor) -> None:
    page, login = asked(door, "/certificate"), asked(door, "/login")
    assert 'href="/certificate"' in login
    assert "Did your browser warn you?" not in door.ask("GET", "/login", headers={"Host": f"lan.test:{door.port}"}).text
    reach = door.ask("GET", "/reach", headers={"Cookie": "atelier_user=" + "o" * 22}).json()
    assert reach["fingerprint"].replace(":", " ")[:23] in page and reach["certificate"] in page
    given = door.ask("GET", "/certificate/studio.crt", headers={"Host": f"lan.test:{door.port}"})
    assert given.headers["content-type"] == "application/x-x509-ca-cert"
    assert ssl.DER_cert_to_PEM_cert(given.body).split() == (door.folder / "certificate" / "authority.pem").read_text().split()
    for path in door.folder.glob("certificate/*-key.pem"):
        assert path.read_text().split("\n")[1] not in page


@pytest.fixture
def app(tmp_path: Path) -> Iterator[Any]:
    studio = toy_studio(tmp_path, start=False)
    certificate = OwnCertificate(tmp_path / "certificate", lambda: ["lan.test"])
    made = create_app(studio, example_page, Door(frozenset({"lan.test"}), certificate=certificate, password=PASSWORD))
    made.state.studio_of_test = studio
    yield made
    studio.close()


def test_in_the_clear_others_are_told_nothing_but_where_to_come_encrypted(app: Any) -> None:
    others = TestClient(app, "http://lan.test:7860", client=("192.168.1.9", 1), follow_redirects=False)
    led = others.get("/join/abc?x=1")
    assert (led.status_code, led.headers["location"], led.text) == (307, "https://lan.test:7860/join/abc?x=1", "")
    assert "set-cookie" not in led.headers
    assert others.post("/login", data={"password": PASSWORD}).status_code == 403
    assert others.get("/healthz", headers={"X-Forwarded-Proto": "https"}).status_code == 403
    assert others.get("/", headers={"Host": "evil.test"}).status_code == 421
    assert TestClient(app, "https://lan.test", client=("192.168.1.9", 1)).get("/healthz").status_code == 200
    assert TestClient(app, "http://localhost", client=("127.0.0.1", 1)).get("/healthz").status_code == 200


def test_over_https_a_page_of_the_same_name_in_the_clear_is_another_site_s(app: Any) -> None:
    others = TestClient(app, "https://lan.test", client=("192.168.1.9", 1))
    answers = [others.get("/healthz", headers={"Origin": f"{scheme}://lan.test"}).status_code for scheme in ("https", "http")]
    assert answers == [200, 403]
    here = TestClient(app, "http://localhost", client=("127.0.0.1", 1))  # a proxy may encrypt in front of it
    assert [here.get("/healthz", headers={"Origin": f"{scheme}://localhost"}).status_code for scheme in ("https", "http")] == [200, 200]


def test_an_idle_studio_shows_strangers_a_door_and_nothing_else(app: Any, tmp_path: Path) -> None:
    """Each route, asked in each way by who came by nothing: what is answered is the door or a refusal, in words that tell of nobody."""
    studio = app.state.studio_of_test
    link, token = studio.people.care.make(Maker("o", "owner"), Wanted("Secret friends", "artist"))
    studio.people.enter(token, "Zelda")
    stranger = TestClient(app, "https://lan.test", client=("192.168.1.9", 1), follow_redirects=False)
    told = re.compile(
        rf"\d+\.\d+|gradio|python|uvicorn|secret|zelda|starter|sd1|{re.escape(socket.gethostname())}|{tmp_path}|{link.id}", re.I
    )
    paths, pages = route_paths(app), {"/login", "/certificate", "/certificate/studio.crt", "/healthz"}
    assert len(paths) > 60
    ways = (("GET", "text/html"), ("GET", "application/json"), ("HEAD", "text/html"), ("POST", "application/json"), ("OPTIONS", "*/*"))
    for path, (method, kind) in itertools.product(sorted(paths), ways):
        answer = stranger.request(method, quote(path), headers={"Accept": kind})
        what = (method, path, kind, answer.status_code, answer.text)
        if path in pages and method in ("GET", "HEAD"):
            assert answer.status_code == 200, what
        elif answer.status_code != 303 or answer.headers["location"] != "/login":
            assert answer.status_code in (401, 403, 404, 405, 415, 429) or TYPEFACE.fullmatch(path), what
        assert answer.headers.keys() <= HEADERS, what
        heads = " ".join(value for name, value in answer.headers.items() if name != "content-security-policy")
        assert path.startswith(("/certificate", "/static/")) or not told.search(f"{WITHOUT_STYLE.sub('', answer.text)} {heads}"), what
    assert not told.search(re.sub(r"<style>.*?</style>|<code>.*?</code>", "", stranger.get("/certificate").text, flags=re.DOTALL))


def test_a_phone_joins_over_https_draws_sees_it_form_and_copies(door: RunningDoor, chromium: Any) -> None:
    made = door.post_json("/people/links", {"role": "artist"}, {"Cookie": "atelier_user=" + "o" * 22}).json()
    phone = chromium.new_context(ignore_https_errors=True, viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    phone.grant_permissions(["clipboard-read", "clipboard-write"])
    tab = phone.new_page()
    seen: list[str] = []
    tab.on("response", lambda answer: seen.append(answer.url))
    tab.goto(f"https://lan.test:{door.port}/join/{made['address'].rpartition('/')[2]}")
    tab.get_by_label("What is your name?").fill("Ada")
    tab.get_by_role("button", name="Come in").tap()
    tab.locator("#txt2img-prompt textarea").first.fill("a red house")
    tab.locator("#txt2img-generate").tap()
    tab.wait_for_selector("[data-part=frame][data-showing=picture]", timeout=30_000)
    assert tab.evaluate("isSecureContext")
    assert tab.evaluate("navigator.clipboard.writeText('kept').then(() => navigator.clipboard.readText())") == "kept"
    assert [url for url in seen if "/live/" in url] and not [url for url in seen if url.startswith("http:")]
    assert {cookie["name"]: cookie["secure"] for cookie in phone.cookies()} == {"atelier_user": True}
    phone.close()
