"""The guard by itself, in front of an application that records what reaches it."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from typing import Any

import pytest
from starlette.types import Message, Receive, Scope, Send

from ui.door.bodies import Limits
from ui.door.body_guard import BodyGuard
from ui.door.guard import Guard
from ui.door.uploads import UploadFolder

HOST = "127.0.0.1:7860"
JSON = {"content-type": "application/json"}


@dataclass
class Inner:
    """Answers 200 to whatever gets through, and keeps it."""

    scopes: list[Scope] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    headers: tuple[tuple[bytes, bytes], ...] = ((b"access-control-allow-origin", b"*"), (b"content-type", b"text/html"))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.scopes.append(scope)
        body, more = b"", True
        while more:
            message = await receive()
            body, more = body + message.get("body", b""), message.get("more_body", False)
        self.bodies.append(body)
        await send({"type": "http.response.start", "status": 200, "headers": list(self.headers)})
        await send({"type": "http.response.body", "body": b"in"})


@dataclass
class Got:
    status: int
    headers: list[tuple[str, str]]
    body: bytes

    def header(self, name: str) -> str | None:
        return next((value for key, value in self.headers if key == name), None)


def knock(guard: Guard, method: str, path: str, headers: Any = (), chunks: tuple[bytes, ...] = (b"",), server: str = "127.0.0.1") -> Got:
    pairs = list(headers.items()) if isinstance(headers, dict) else list(headers)
    if not any(name == "host" for name, _ in pairs):
        pairs.append(("host", HOST))
    scope: Scope = {
        "type": "http", "method": method, "path": path, "query_string": b"", "scheme": "http", "server": (server, 7860),
        "client": ("127.0.0.1", 5), "headers": [(name.encode(), value.encode()) for name, value in pairs],
    }  # fmt: skip
    waiting = [{"type": "http.request", "body": chunk, "more_body": index + 1 < len(chunks)} for index, chunk in enumerate(chunks)]
    sent: list[Message] = []

    async def receive() -> Message:
        return waiting.pop(0) if waiting else {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        sent.append(message)

    asyncio.run(guard(scope, receive, send))
    given = [(name.decode().lower(), value.decode()) for name, value in sent[0]["headers"]]
    return Got(sent[0]["status"], given, b"".join(message.get("body", b"") for message in sent[1:]))


@pytest.fixture
def inner() -> Inner:
    return Inner()


@pytest.fixture
def guard(inner: Inner, tmp_path: Any) -> Guard:
    return Guard(BodyGuard(inner, UploadFolder(str(tmp_path)), Limits(json=1000, upload=2000)), hosts=["studio.lan"])


@pytest.mark.parametrize("host", ["localhost", "localhost:7860", "127.0.0.1", "[::1]:7860", "STUDIO.lan:80", "LocalHost:1"])
def test_a_request_for_one_of_our_names_gets_in(guard: Guard, host: str) -> None:
    assert knock(guard, "GET", "/", {"host": host}).status == 200


@pytest.mark.parametrize(
    "host",
    ["evil.test", "rebind.test:7860", "localhost.", "localhost.:7860", "127.0.0.2", "127.0.0.1.evil.test", "2130706433", "0x7f.1",
     "127.1", "0.0.0.0", "[::]", "::1", "[::ffff:127.0.0.1]", "studio.lan.", "evil@localhost", "localhost/", "localhost:x",
     "localhost:7860:1", "",
     " localhost", "localhost,evil.test", "192.168.1.5", "xn--localhost"],
)  # fmt: skip
def test_a_request_for_another_name_is_misdirected(guard: Guard, inner: Inner, host: str) -> None:
    assert knock(guard, "GET", "/", {"host": host}).status == 421
    assert not inner.scopes


def test_two_host_headers_and_absolute_addresses_are_misdirected(guard: Guard, inner: Inner) -> None:
    assert knock(guard, "GET", "/", [("host", HOST), ("host", HOST)]).status == 421
    assert knock(guard, "GET", "http://evil.test/", {}).status == 421
    assert not inner.scopes


def test_the_address_of_the_connection_counts_as_ours_only_where_the_server_listens_on_all(inner: Inner, tmp_path: Any) -> None:
    listening = Guard(inner, own_address=True)
    quiet = Guard(inner)
    assert knock(listening, "GET", "/", {"host": "192.168.1.5:7860"}, server="192.168.1.5").status == 200
    assert knock(listening, "GET", "/", {"host": "192.168.1.6:7860"}, server="192.168.1.5").status == 421
    assert knock(listening, "GET", "/", {"host": "127.0.0.2"}, server="127.0.0.2").status == 421
    assert knock(quiet, "GET", "/", {"host": "192.168.1.5:7860"}, server="192.168.1.5").status == 421


@pytest.mark.parametrize("origin", [f"http://{HOST}", f"https://{HOST}"])
def test_our_own_page_may_post(guard: Guard, origin: str) -> None:
    assert knock(guard, "POST", "/x", JSON | {"origin": origin, "sec-fetch-site": "same-origin"}, (b"{}",)).status == 200


@pytest.mark.parametrize(
    "origin",
    ["null", "http://evil.test", "http://127.0.0.1", "http://127.0.0.1:7861", "http://localhost:7860", "http://127.0.0.1.evil.test:7860",
     f"HTTP://{HOST}", "http://EVIL.test", f"http://{HOST}/", "", f"ftp://{HOST}", f"http://{HOST}, http://evil.test"],
)  # fmt: skip
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_another_origin_is_refused_whatever_it_asks(guard: Guard, inner: Inner, origin: str, method: str) -> None:
    assert knock(guard, method, "/current", JSON | {"origin": origin}, (b"{}",)).status == 403
    assert not inner.scopes


def test_two_origins_are_refused_when_one_is_not_ours(guard: Guard) -> None:
    headers = [("host", HOST), ("origin", f"http://{HOST}"), ("origin", "http://evil.test"), *JSON.items()]
    assert knock(guard, "POST", "/x", headers, (b"{}",)).status == 403


@pytest.mark.parametrize("site", ["cross-site", "same-site", "something-new"])
@pytest.mark.parametrize(
    "path", ["/gradio_api/upload", "/gradio_api/queue/join", "/gradio_api/file=x", "/current", "/live/x", "/config", "/logout"]
)
def test_what_a_page_of_another_site_starts_is_refused_without_an_origin_too(guard: Guard, path: str, site: str) -> None:
    headers = {"sec-fetch-site": site, "sec-fetch-mode": "no-cors", "sec-fetch-dest": "image"}
    assert knock(guard, "GET", path, headers).status == 403
    assert knock(guard, "POST", path, JSON | headers, (b"{}",)).status == 403
    navigation = {"sec-fetch-site": site, "sec-fetch-mode": "navigate", "sec-fetch-dest": "document"}
    assert knock(guard, "GET", path, navigation).status == 403


@pytest.mark.parametrize("path", ["/", "/login", "/picture/abc.png"])
def test_a_link_on_another_site_may_open_a_page_but_not_frame_it(guard: Guard, path: str) -> None:
    link = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "document"}
    assert knock(guard, "GET", path, link).status == 200
    assert knock(guard, "GET", path, link | {"sec-fetch-dest": "iframe"}).status == 403
    assert knock(guard, "POST", path, JSON | link, (b"{}",)).status == 403


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT", "PROPFIND"])
def test_methods_that_nobody_needs_are_refused(guard: Guard, inner: Inner, method: str) -> None:
    assert knock(guard, method, "/").status == 405
    assert not inner.scopes


def test_what_proxies_claim_is_removed_and_remembered(guard: Guard, inner: Inner) -> None:
    claims = [
        "x-forwarded-for",
        "X-Forwarded-Host",
        "forwarded",
        "x-real-ip",
        "x-gradio-server",
        "x-original-url",
        "x-http-method-override",
    ]
    knock(guard, "GET", "/", {name.lower(): "evil.test" for name in claims} | {"accept": "text/html"})
    knock(guard, "GET", "/", {"accept": "text/html"})
    knock(guard, "GET", "/", {"accept": "text/html", "x-gradio-user": "app"})  # what the script of our own page adds
    for scope in (inner.scopes[0], inner.scopes[2]):
        assert [name for name, _ in scope["headers"]] == [b"accept", b"host"]
    assert [scope["forwarded"] for scope in inner.scopes] == [True, False, False]


def test_every_answer_carries_the_policy_and_none_invites_other_origins(guard: Guard) -> None:
    for got in (knock(guard, "GET", "/"), knock(guard, "GET", "/", {"host": "evil.test"})):
        policy = got.header("content-security-policy") or ""
        assert "script-src-attr 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "connect-src 'self'" in policy
        assert "unsafe-inline" not in policy.split("script-src-attr")[0]
        assert "http" not in policy  # no outside host
        assert got.header("x-content-type-options") == "nosniff"
        assert got.header("x-frame-options") == "DENY"
        assert got.header("referrer-policy") == "same-origin"
        assert got.header("permissions-policy")
        assert not [name for name, _ in got.headers if name.startswith("access-control")]


def test_a_file_that_is_opened_by_itself_may_run_nothing(guard: Guard, tmp_path: Any) -> None:
    upload = tmp_path / ("a" * 64) / "x.html"
    upload.parent.mkdir()
    upload.write_text("<script>")
    for path in ("/picture/abc.png", "/thumb/abc", f"/gradio_api/file={upload}"):
        assert (knock(guard, "GET", path).header("content-security-policy") or "").startswith("sandbox; default-src 'none'")


def test_only_uploads_are_served_as_files(guard: Guard, inner: Inner) -> None:
    for path in ("/etc/passwd", "http://127.0.0.1/", "../x", "", "C:\\x", "/proc/self/environ"):
        assert knock(guard, "GET", f"/gradio_api/file={path}").status == 403
    assert not inner.scopes


@pytest.mark.parametrize("announced", [True, False])
def test_json_past_the_limit_is_refused_however_it_is_announced(guard: Guard, inner: Inner, announced: bool) -> None:
    chunks = (b'"' + b"x" * 600, b"x" * 600 + b'"')
    headers = JSON | ({"content-length": "1202"} if announced else {})
    assert knock(guard, "POST", "/x", headers, chunks).status == 413
    assert not inner.scopes


@pytest.mark.parametrize("length", ["-1", "1e3", "9" * 40, "abc", "²"])
def test_a_length_that_is_no_number_is_refused(guard: Guard, length: str) -> None:
    assert knock(guard, "POST", "/x", JSON | {"content-length": length}, (b"{}",)).status == 413


def test_an_upload_is_counted_as_it_streams(guard: Guard, inner: Inner) -> None:
    kind = {"content-type": "multipart/form-data; boundary=x"}
    assert knock(guard, "POST", "/gradio_api/upload", kind, (b"x" * 900, b"x" * 900)).status == 200
    assert knock(guard, "POST", "/gradio_api/upload", kind, (b"x" * 900,) * 3).status == 413
    assert knock(guard, "POST", "/gradio_api/upload", kind | {"content-length": "2001"}, (b"x",)).status == 413
    assert len(inner.bodies) == 2
    assert len(inner.bodies[1]) == 1800  # the rest never reached the application


@pytest.mark.parametrize(
    ("path", "kind"),
    [("/x", "text/plain"), ("/x", "application/x-www-form-urlencoded"), ("/x", "multipart/form-data; boundary=x"), ("/x", ""),
     ("/x", "application/jsonp"), ("/gradio_api/upload", "application/json"), ("/gradio_api/upload/", "multipart/form-data; boundary=x"),
     ("/gradio_api/component_server", "multipart/form-data; boundary=x")],
)  # fmt: skip
def test_a_body_of_another_kind_is_refused(guard: Guard, inner: Inner, path: str, kind: str) -> None:
    headers = {"content-type": kind} if kind else {}
    assert knock(guard, "POST", path, headers, (b"{}",)).status in (413, 415)
    assert not inner.scopes


def test_two_content_types_are_refused(guard: Guard) -> None:
    headers = [("host", HOST), ("content-type", "application/json"), ("content-type", "text/plain")]
    assert knock(guard, "POST", "/x", headers, (b"{}",)).status == 400


@pytest.mark.parametrize(
    "body",
    [
        b"NaN",
        b'{"a": Infinity}',
        b"[-Infinity]",
        b"[1e999]",
        b'{"a":1,"a":2}',
        b"{",
        b"",
        b"\xff",
        b"\xef\xbb\xbf{}",
        "[]".encode("utf-16"),
    ],
)
def test_what_is_not_plain_json_is_refused(guard: Guard, inner: Inner, body: bytes) -> None:
    assert knock(guard, "POST", "/x", JSON, (body,)).status == 400
    assert not inner.scopes


def test_json_that_is_nested_without_end_is_refused(inner: Inner, tmp_path: Any) -> None:
    guard = Guard(BodyGuard(inner, UploadFolder(str(tmp_path))))
    for body in (
        b"[" * 80 + b"]" * 80,
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b"[" * 900_000 + b"]" * 900_000,
        b"[" + b"1," * 900_000 + b"1]",
    ):
        assert knock(guard, "POST", "/x", JSON, (body,)).status == 400
    assert knock(guard, "POST", "/x", JSON, (b"[" * 50 + b"]" * 50,)).status == 200


def test_a_body_reaches_the_application_byte_for_byte(guard: Guard, inner: Inner) -> None:
    body = json.dumps({"data": ["a \0 é", 1.5, None, {"prompt": "path/url"}]}).encode()
    assert knock(guard, "POST", "/x", JSON, (body[:7], body[7:])).status == 200
    assert inner.bodies == [body]


@pytest.mark.parametrize("body", ['{"data": ["a \\ud800"]}', '{"\\udfff": 1}', '["\\udc00\\ud800"]', f'{{"n": {"9" * 900}}}'])
def test_half_a_character_and_endless_numbers_are_refused(guard: Guard, inner: Inner, body: str) -> None:
    assert knock(guard, "POST", "/x", JSON, (body.encode(),)).status == 400
    assert not inner.scopes


@pytest.mark.parametrize("name", ["path", "url", "Path", "URL", " path "])
@pytest.mark.parametrize("value", ["/etc/passwd", "http://example.com/x.png", "data:image/png;base64,AA", "", 5, {"path": None}, ["x"]])
def test_a_body_may_name_uploads_only(guard: Guard, inner: Inner, name: str, value: Any) -> None:
    for body in ({name: value}, {"data": [[{"image": {name: value, "meta": {"_type": "gradio.FileData"}}}]]}):
        assert knock(guard, "POST", "/x", JSON, (json.dumps(body).encode(),)).status == 403
    assert not inner.scopes


def test_websockets_are_refused(guard: Guard) -> None:
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    async def receive() -> Message:
        return {"type": "websocket.connect"}

    asyncio.run(guard({"type": "websocket", "path": "/", "headers": []}, receive, send))
    assert sent == [{"type": "websocket.close", "code": 1008}]


def test_a_body_that_never_comes_is_given_up(guard: Guard, inner: Inner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ui.door.bodies.PATIENCE", 0.05)
    sent: list[Message] = []

    async def receive() -> Message:
        await asyncio.sleep(5)
        raise AssertionError

    async def send(message: Message) -> None:
        sent.append(message)

    headers = [(b"host", HOST.encode()), (b"content-type", b"application/json")]
    scope: Scope = {"type": "http", "method": "POST", "path": "/x", "headers": headers, "scheme": "http"}
    asyncio.run(guard(scope, receive, send))
    assert sent[0]["status"] == 408


def test_what_comes_as_proxies_speak_is_marked_as_forwarded(guard: Guard, inner: Inner) -> None:
    knock(guard, "GET", "/", {"x-forwarded-for": "10.0.0.1, 203.0.113.9"})
    knock(guard, "GET", "/")
    assert [(scope["forwarded"], scope["claimed"]) for scope in inner.scopes] == [(True, "203.0.113.9"), (False, "")]
    assert not any(name.startswith(b"x-") for scope in inner.scopes for name, _ in scope["headers"])


def test_a_name_that_is_not_ours_is_told_the_way_that_there_is(guard: Guard) -> None:
    assert "--public-url" in json.loads(knock(guard, "GET", "/", {"host": "studio.example.org"}).body)["message"]
