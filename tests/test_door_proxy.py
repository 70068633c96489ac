"""The studio behind a reverse proxy, by a name of its own and below a path of another site; and what each role may do there and
directly."""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import pytest

from models.errors import UserError
from pipelines.people.roles import LINKED
from tests.support.doors import PASSWORD, Answer, RunningDoor, answer_of, example_page, route_paths, running_door
from tests.support.proxy import Proxy, running_proxy
from tests.support.toys import toy_studio
from ui import page as real_page
from ui.door.body_guard import FILE_ROUTES
from ui.door.proxy import PublicUrl, read_proxies
from ui.door.roles import RANK, Role, callables, declared
from ui.routes.addresses import Address
from ui.server import Door, create_app

pytest_plugins = ("tests.support.door_fixtures",)
TYPEFACE = re.compile(r"/static/(inter|fraunces)\.[0-9a-f]{16}\.woff2")  # the login is written in them
Visitors = dict[str, tuple[Role, Callable[..., Answer], dict[str, str]]]
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


@dataclass
class Behind:
    """A studio and the proxy in front of it."""

    door: RunningDoor
    proxy: Proxy

    @property
    def site(self) -> str:
        return f"studio.test:{self.proxy.port}"

    @property
    def url(self) -> str:
        return f"http://{self.site}{self.proxy.below}/"

    def ask(self, method: str, path: str, body: str | None = None, headers: dict[str, str] | None = None) -> Answer:
        """Through the proxy, as a browser that was led to the public address."""
        connection = HTTPConnection("127.0.0.1", self.proxy.port, timeout=20)
        connection.request(method, self.proxy.below + path, body.encode() if body else None, {"Host": self.site} | (headers or {}))
        answer = answer_of(connection.getresponse())
        connection.close()
        return answer

    def log_in(self, password: str = PASSWORD, headers: dict[str, str] | None = None) -> Answer:
        return self.ask("POST", "/login", urlencode({"password": password}), FORM | (headers or {}))


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


@pytest.fixture(scope="module", params=["", "/art/atelier"], ids=["a name", "below a path"])
def behind(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Behind]:
    port = free_port()
    options = {"public": f"http://studio.test:{port}{request.param}", "proxies": ["127.0.0.1"], "password": PASSWORD, "hosts": "lan.test"}
    folder = tmp_path_factory.mktemp("behind")
    with (
        running_door(folder, "ui:page", **options) as door,
        running_proxy(Proxy(door.port, port, request.param, strips=False)) as proxy,
    ):
        yield Behind(door, proxy)


def test_the_page_opens_and_draws_through_a_proxy(behind: Behind, chromium: Any) -> None:
    tab = chromium.new_context().new_page()
    wrong: list[str] = []
    tab.on("pageerror", lambda error: wrong.append(str(error)))
    tab.on("response", lambda answer: wrong.append(answer.url) if answer.status >= 400 and "favicon" not in answer.url else None)
    tab.goto(behind.url)
    tab.fill("#password", PASSWORD)
    tab.click("button")
    tab.locator("#txt2img-prompt textarea").first.fill("a red house")
    tab.get_by_role("button", name="Generate").first.click()
    tab.wait_for_selector("img[src*='picture/']", timeout=30_000)
    assert tab.url == behind.url
    assert wrong == []
    cookies = {cookie["name"]: cookie["path"] for cookie in tab.context.cookies()}
    assert set(cookies.values()) == {behind.proxy.below or "/"}
    tab.context.close()


def test_redirects_and_cookies_stay_below_the_path(behind: Behind) -> None:
    sent = behind.ask("GET", "/config", headers={"Accept": "text/html"})
    assert sent.headers["location"] == f"{behind.proxy.below}/login"
    entered = behind.log_in()
    assert entered.headers["location"] == f"{behind.proxy.below}/"
    assert f"Path={behind.proxy.below or '/'};" in entered.headers["set-cookie"]
    if behind.proxy.below:
        assert behind.ask("GET", "").headers["location"] == f"{behind.proxy.below}/"


@pytest.mark.parametrize("strips", [True, False])
@pytest.mark.parametrize("passes_host", [True, False])
def test_a_proxy_may_take_the_path_away_and_keep_the_name_to_itself(behind: Behind, strips: bool, passes_host: bool) -> None:
    with running_proxy(Proxy(behind.door.port, 0, behind.proxy.below, strips, passes_host)) as other:
        headers = {"Host": behind.site, "Origin": f"http://{behind.site}"}
        entered = Behind(behind.door, other).log_in(headers=headers)
        assert (entered.status, entered.headers["location"]) == (303, f"{behind.proxy.below}/")


def test_a_visitor_of_a_trusted_proxy_counts_by_the_own_address(behind: Behind) -> None:
    with running_proxy(Proxy(behind.door.port, 0, behind.proxy.below, tells_address="198.51.100.1")) as other:
        guesser = Behind(behind.door, other)
        site = {"Host": behind.site}
        assert [guesser.log_in("wrong", site).status for _ in range(6)] == [401] * 5 + [429]
        spoofed = site | {"X-Forwarded-For": "203.0.113.99"}
        assert guesser.log_in(headers=spoofed).status == 429
    assert behind.log_in().status == 303
    assert behind.door.ask("POST", "/login", urlencode({"password": PASSWORD}), FORM).status == 303


def test_guesses_through_an_unnamed_proxy_leave_the_owner_and_others_alone(tmp_path: Path) -> None:
    from starlette.testclient import TestClient

    studio = toy_studio(tmp_path, start=False)
    client = TestClient(create_app(studio, example_page, Door(password=PASSWORD)), "http://localhost", client=("127.0.0.1", 1))

    def log_in(password: str, via: str = "") -> int:
        headers = {"X-Forwarded-For": via} if via else {}
        return client.post("/login", data={"password": password}, headers=headers, follow_redirects=False).status_code

    assert [log_in("wrong", "203.0.113.5") for _ in range(6)] == [401] * 5 + [429]
    assert log_in(PASSWORD, "203.0.113.6") == 303
    assert log_in(PASSWORD) == 303
    client.cookies.clear()
    assert [log_in("wrong", f"203.0.113.{number}") for number in range(50)][-1] == 429  # made-up addresses have an end too
    assert log_in(PASSWORD) == 303
    studio.close()


def test_a_proxy_is_named_by_its_address() -> None:
    assert read_proxies(["10.0.0.0/8", "::1"]) == {"10.0.0.0/8", "::1"}
    for wrong in ("*", "proxy.local", "10.0.0.1:80", ""):
        with pytest.raises(UserError, match="--trusted-proxy"):
            read_proxies([wrong])


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """As the one behind the proxy, to look into."""
    studio = toy_studio(tmp_path_factory.mktemp("app"), start=False)
    yield create_app(studio, real_page, Door(password=PASSWORD))
    studio.close()


@pytest.fixture(scope="module")
def visitors(behind: Behind) -> Visitors:
    """Everybody who may come: the role that they should have, the way that they ask, and what they send each time."""
    login = f"atelier_user={behind.log_in().cookies['atelier_user']}"
    direct, through, here, lan = behind.door.ask, behind.ask, "localhost", f"lan.test:{behind.door.port}"
    owner = {"Host": here, "Cookie": login}
    found: Visitors = {
        "at the machine": ("owner", direct, owner),
        "in the network": ("artist", direct, {"Host": lan, "Cookie": login}),
        "through the proxy": ("artist", through, {"Cookie": login}),
        "with a header of a proxy": ("artist", direct, {"Host": here, "Cookie": login, "Forwarded": "for=127.0.0.1"}),
        "by the public name": ("artist", direct, {"Host": behind.site, "Cookie": login}),
        "without the password": ("anyone", direct, {"Host": here}),
        "through the proxy without it": ("anyone", through, {}),
    }
    for role in LINKED:
        made = behind.door.post_json("/people/links", {"name": role, "role": role}, owner).json()
        cookie = come_in(behind, made["address"].rpartition("/")[2])
        found[f"{role} by a link, through the proxy"] = (role, through, {"Cookie": cookie})
        if not behind.proxy.below:  # a path of another site is nothing to those who come past the proxy
            found[f"{role} by a link, in the network"] = (role, direct, {"Host": lan, "Cookie": cookie})
            found[f"{role} by a link, as if at the machine"] = (role, direct, {"Host": here, "Cookie": cookie})
    return found


def come_in(behind: Behind, token: str) -> str:
    """What the browser of who opened a link sends from then on."""
    opened = behind.ask("GET", f"/join/{token}")
    named = behind.ask("POST", "/login", urlencode({"name": "Ada"}), FORM | {"Cookie": f"atelier_link={opened.cookies['atelier_link']}"})
    assert (opened.status, named.status) == (303, 303)
    return f"atelier_user={named.cookies['atelier_user']}"


def test_every_route_serves_its_role_and_no_lower_one(visitors: Visitors, table: list[Address]) -> None:
    assert len(table) > 45
    for visitor, (have, ask, headers) in visitors.items():
        for method, path, least, _ in table:
            if path in ("/logout", "/queue") or path.startswith("/join"):
                continue  # the first would end it, the second waits, the third is open
            named = re.sub(r"{\w+:int}", "7", re.sub(r"{\w+}", "x", path))
            kind = {"Content-Type": "application/octet-stream" if path in FILE_ROUTES else "application/json"}
            status = ask(method, named, "{}" if method == "POST" else None, (kind if method == "POST" else {}) | headers).status
            if path == "/login":
                assert status in (200, 303, 401, 415), (visitor, status)
            elif RANK[least] > RANK[have]:
                assert status == (401 if have == "anyone" else 403), (visitor, method, path, status)
            else:
                assert status not in (401, 403) and status < 500, (visitor, method, path, status)


def test_every_handler_and_function_serves_its_role_and_no_lower_one(behind: Behind, visitors: Visitors, app: Any) -> None:
    asked: dict[str, tuple[Role, str, dict[str, Any]]] = {}
    login, blocks = visitors["at the machine"][2], app.routes[-1].app.blocks
    parts = behind.door.ask("GET", "/config", headers=login).json()["components"]  # another process numbers them otherwise
    numbers = {name: part["id"] for part in parts for name in part["props"].get("server_fns") or []}
    for block in blocks.blocks.values():
        for function in getattr(block, "server_fns", ()):
            body = {"component_id": numbers[function.__name__], "fn_name": function.__name__, "data": {}}
            asked[f"function {function.__name__}"] = (declared(function) or "owner", "/gradio_api/component_server", body)
    for number, event in blocks.fns.items():
        if event.fn:
            body = {"fn_index": number, "data": [None] * len(event.inputs), "event_data": {}}
            asked[f"handler {event.fn.__name__}"] = (declared(event.fn) or "owner", "/gradio_api/run/predict", body)
    assert len(asked) > 20
    assert len({name for name, _ in callables(blocks)}) > len(asked)
    for visitor, (have, ask, headers) in visitors.items():
        for name, (least, path, body) in asked.items():
            sent = json.dumps(body | {"session_hash": "s"})
            status = ask("POST", path, sent, {"Content-Type": "application/json"} | headers).status
            refused = {"anyone": 401}.get(have, 403) if RANK[least] > RANK[have] else None
            assert status == refused or (refused is None and status in (200, 422)), (visitor, name, status)


def test_no_route_answers_a_stranger_directly_or_through_the_proxy(visitors: Visitors, app: Any, table: list[Address]) -> None:
    open_paths = {re.sub(r"{\w+}", "x", path) for _, path, least, _ in table if least == "anyone"}
    assert open_paths == {"/login", "/healthz", "/join/x", "/certificate", "/certificate/studio.crt"}
    paths = route_paths(app)
    assert len(paths) > 60
    for visitor, (have, ask, headers) in visitors.items():
        for path in sorted(paths) if have == "anyone" else []:
            for method in ("GET", "POST"):
                status = ask(method, quote(path), None, headers).status
                opened = path.rstrip("/") in open_paths or TYPEFACE.fullmatch(path)
                assert status in (401, 403) or opened, (visitor, method, path, status)


@pytest.mark.parametrize(
    "address", ["https://studio.example.org", "http://studio.lan:7860/", "https://Example.org/a/b/", "https://[2001:db8::1]:8443/x"]
)
def test_a_public_address_is_read(address: str) -> None:
    assert str(PublicUrl.read(address)) == address.rstrip("/").lower()


@pytest.mark.parametrize(
    "address", ["studio.example.org", "ftp://x.org", "https://", "https://a b", "https://x.org/?q", "https://x.org/#a", "https://u@x.org",
                "https://x.org/a/../b", "https://x.org//a", "https://x.org/<b>", "javascript:alert(1)", "https://[::1",
                "https://x.org:99999999"],
)  # fmt: skip
def test_what_is_no_public_address_is_told(address: str) -> None:
    with pytest.raises(UserError, match="--public-url takes an address"):
        PublicUrl.read(address)
