"""Hostile peers over plain HTTP (cases H01 to H04, H20, H21): nothing of the machine comes out, nothing foreign gets in."""

from __future__ import annotations

import base64
import io
import json
import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.support.doors import RunningDoor
from tests.support.toys import FAR_TOO_LONG

pytest_plugins = ("tests.support.door_fixtures",)
ME = {"Cookie": "atelier_user=" + "h" * 22}
SECRET = "CANARY-4711"
COLOUR = (201, 17, 93)


@pytest.fixture
def door(example_door: RunningDoor) -> Iterator[RunningDoor]:
    example_door.seen.clear()
    yield example_door
    kept_secret(example_door)
    example_door.check()


@pytest.fixture(scope="module")
def canary(example_door: RunningDoor) -> Path:
    """A picture that nobody uploaded, with a secret inside, and the same secret as text in every folder around the server."""
    picture = example_door.folder / "canary.png"
    Image.new("RGB", (8, 8), COLOUR).save(picture)
    picture.write_bytes(picture.read_bytes() + SECRET.encode())
    for folder in ("cwd", "home", "tmp", "outputs", "outputs/.uploads"):
        (example_door.folder / folder / "canary.txt").write_text(SECRET)
    return picture


def kept_secret(door: RunningDoor) -> None:
    marks = (SECRET.encode(), base64.b64encode(SECRET.encode())[:12], b"root:x:0:0")
    assert not [answer for answer in door.seen if any(mark in answer.body for mark in marks)]


def png() -> bytes:
    stream = io.BytesIO()
    Image.new("RGB", (9, 9), (1, 2, 3)).save(stream, "png")
    return stream.getvalue()


def raw(door: RunningDoor, request: bytes) -> tuple[int, bytes]:
    """Sends bytes as they are; http.client would tidy them."""
    with socket.create_connection(("127.0.0.1", door.port), 10) as connection:
        connection.sendall(request)
        answer = b"".join(iter(lambda: connection.recv(65_536), b""))
    return int(answer.split(b" ", 2)[1]), answer


TRAVERSALS = (
    "/etc/passwd", "//etc/passwd", "../../../../etc/passwd", "..%2f..%2f..%2f..%2fetc/passwd", "%2e%2e/%2e%2e/%2e%2e/%2e%2e/etc/passwd",
    "..%252f..%252fetc%252fpasswd", "....//....//etc/passwd", "..\\..\\etc\\passwd", "%2fetc%2fpasswd", "file:///etc/passwd",
    "/proc/self/environ", "/proc/self/cwd/canary.txt", "/dev/fd/0", "{folder}/canary.png", "{folder}/cwd/canary.txt", "canary.txt",
    "./canary.txt", "{folder}/outputs/.uploads/../canary.png", "{folder}/outputs/.uploads/canary.txt",
    "{folder}/outputs/.uploads/%2e%2e/canary.png",
    "{folder}/outputs/studio.db", "http://127.0.0.1:{port}/healthz", "http://[::1]/", "/etc/passwd%00.png", "~/canary.txt",
    "C:/Windows/win.ini", "\\\\host\\share\\x",
)  # fmt: skip
PREFIXES = (
    "/gradio_api/file=", "/gradio_api/file/", "/file=", "/file/", "/static/", "/assets/", "/svelte/", "/gradio_api/proxy=",
    "/gradio_api/stream/", "/gradio_api/custom_component/x/client/", "/gradio_api/deep_link?path=", "/picture/", "/thumb/", "/",
)  # fmt: skip


@pytest.mark.parametrize("prefix", PREFIXES)
def test_h01_no_route_serves_a_file_of_the_machine(door: RunningDoor, canary: Path, prefix: str) -> None:
    for form in TRAVERSALS:
        path = prefix + form.format(folder=door.folder, port=door.port)
        status, answer = raw(door, f"GET {path} HTTP/1.1\r\nHost: {door.host}\r\nConnection: close\r\n\r\n".encode())
        assert status in (400, 401, 403, 404, 405, 421), (path, status)
        assert SECRET.encode() not in answer
        assert b"root:x:0:0" not in answer


FILE_HANDLERS = ("show_image", "show_gallery", "show_raw", "echo")


def shapes(value: dict[str, Any]) -> list[Any]:
    return [
        value,
        [value],
        [{"image": value, "caption": None}],
        [{"video": value}],
        {"image": value},
        [[value, None]],
        {"background": value, "layers": [value]},
    ]


@pytest.mark.parametrize("handler", FILE_HANDLERS)
@pytest.mark.parametrize("extra", [{}, {"meta": {"_type": "gradio.FileData"}}, {"meta": None}, {"orig_name": "x.png", "is_stream": True}])
def test_h02_h03_h04_no_handler_opens_a_path_of_the_machine(door: RunningDoor, canary: Path, handler: str, extra: dict[str, Any]) -> None:
    for path in (str(canary), "/etc/passwd", "canary.txt"):
        for shape in shapes({"path": path} | extra):
            assert door.call(handler, [shape], ME)[0] == "status 403"


def uploaded(door: RunningDoor) -> str:
    return door.upload("mine.png", png(), ME).json()[0]


def test_h02_an_upload_may_be_named_with_its_path_and_its_address(door: RunningDoor) -> None:
    path = uploaded(door)
    url = f"{door.url}/gradio_api/file={path}"
    for value in ({"path": path}, {"path": path, "url": url, "meta": {"_type": "gradio.FileData"}}, {"path": path, "url": None}):
        outcome, said = door.call("show_image", [value], ME)
        assert outcome == "complete", said
    assert door.ask("GET", f"/gradio_api/file={path}", headers=ME).body == png()


@pytest.mark.parametrize("handler", FILE_HANDLERS)
def test_h03_an_upload_is_no_step_to_other_files(door: RunningDoor, canary: Path, handler: str) -> None:
    path = Path(uploaded(door))
    link = path.parent / "link.png"
    if not link.is_symlink():
        os.symlink(canary, link)
    for other in (
        str(link), f"{path}/../../../../canary.png", f"{path.parent}/../../../canary.png", f"{path}\0", f"{path}\0.png", f"file://{path}",
        str(path).upper(), str(path).replace("outputs", "OUTPUTS"), f"{path.parent.parent}/canary.txt", str(path.parent), f" {path}",
        f"{path.parent}//mine.png", f"{path}/", str(path).replace("/", "\\"), f"//{path}", f"{path}/..", [str(path)],
        {"path": str(path)}, 1, True,
    ):  # fmt: skip
        for value in ({"path": other}, {"path": other, "meta": {"_type": "gradio.FileData"}}, {"Path": other}):
            assert door.call(handler, [value], ME)[0] == "status 403", other
    status, answer = raw(door, f"GET /gradio_api/file={link} HTTP/1.1\r\nHost: {door.host}\r\nConnection: close\r\n\r\n".encode())
    assert (status, SECRET.encode() in answer) == (403, False)


class Listener:
    """A server on this machine that counts who connects."""

    def __init__(self) -> None:
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.socket.setblocking(False)
        self.port = self.socket.getsockname()[1]

    def hits(self) -> int:
        time.sleep(0.2)
        found = 0
        while True:
            try:
                self.socket.accept()[0].close()
                found += 1
            except BlockingIOError:
                return found


@pytest.fixture
def listener() -> Iterator[Listener]:
    made = Listener()
    yield made
    made.socket.close()


@pytest.mark.parametrize("handler", FILE_HANDLERS)
def test_h02_no_address_is_ever_fetched(door: RunningDoor, listener: Listener, handler: str) -> None:
    hosts = ("127.0.0.1", "localhost", "0.0.0.0", "[::ffff:127.0.0.1]", "2130706433", "0x7f.1", "127.1", "%6cocalhost", "lan.test")
    for url in [f"http://{host}:{listener.port}/x.png" for host in hosts] + [
        "https://example.com/x.png",
        "ftp://127.0.0.1/x",
        "gopher://x",
        "//127.0.0.1/x",
    ]:
        for value in (
            {"path": url},
            {"url": url},
            {"path": uploaded(door), "url": url},
            {"path": url, "url": url, "meta": {"_type": "gradio.FileData"}},
        ):
            assert door.call(handler, [value], ME)[0] == "status 403"
        raw(door, f"GET /gradio_api/file={url} HTTP/1.1\r\nHost: {door.host}\r\nConnection: close\r\n\r\n".encode())
    assert listener.hits() == 0


def test_h04_server_functions_take_no_paths_either(door: RunningDoor, canary: Path) -> None:
    body = {"component_id": 5, "session_hash": "s", "fn_name": "served", "data": {"path": str(canary)}}
    assert door.post_json("/gradio_api/component_server", body, ME).status == 403
    form = b'--x\r\nContent-Disposition: form-data; name="component_id"\r\n\r\n5\r\n--x--\r\n'
    answer = door.ask("POST", "/gradio_api/component_server", form, ME | {"Content-Type": "multipart/form-data; boundary=x"})
    assert answer.status == 415


@pytest.mark.parametrize(
    "name", ["../../../../tmp/pwn.png", "/etc/cron.d/x.png", "..\\..\\pwn.png", ".png", "a\0b.png", "x" * 300 + ".png", "CON.png"]
)
def test_h03_an_upload_lands_in_its_own_folder_whatever_its_name(door: RunningDoor, name: str) -> None:
    answer = door.upload(name, png(), ME)
    if answer.status == 200:
        path = Path(answer.json()[0])
        assert path.parent.parent == door.uploads
        assert path.resolve() == path
    assert not list(door.folder.rglob("pwn.png"))[1:]
    assert not (door.folder.parent / "pwn.png").exists()


@pytest.mark.parametrize("name", ["x.html", "x.svg", "x.js", "x.xhtml", "x.pdf", "x.png"])
def test_an_upload_that_is_a_page_runs_nothing(door: RunningDoor, name: str) -> None:
    path = door.upload(name, b"<html><script>alert(1)</script></html>", ME).json()[0]
    answer = door.ask("GET", f"/gradio_api/file={path}", headers=ME)
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["content-security-policy"].startswith("sandbox; default-src 'none'")
    assert "html" not in answer.headers["content-type"]


def upload_head(door: RunningDoor, length: str) -> bytes:
    kind = "Content-Type: multipart/form-data; boundary=x"
    return f"POST /gradio_api/upload HTTP/1.1\r\nHost: {door.host}\r\n{kind}\r\n{length}\r\n\r\n".encode()


def test_a_large_upload_is_refused_at_once_and_leaves_nothing(door: RunningDoor) -> None:
    before, began = door.memory(), time.monotonic()
    status, _ = raw(door, upload_head(door, "Content-Length: 70000000"))
    assert status == 413
    assert time.monotonic() - began < FAR_TOO_LONG
    assert door.memory() - before < 20e6


def test_a_large_upload_that_hides_its_size_is_cut_off(door: RunningDoor) -> None:
    before = door.memory()
    part = b"--x\r\n" + b'Content-Disposition: form-data; name="files"; filename="big.png"\r\n\r\n'
    block = b"10000\r\n" + b"y" * 65_536 + b"\r\n"
    with socket.create_connection(("127.0.0.1", door.port), 20) as connection:
        connection.sendall(upload_head(door, "Transfer-Encoding: chunked") + f"{len(part):x}\r\n".encode() + part + b"\r\n")
        began = time.monotonic()
        with pytest.raises(OSError):
            while time.monotonic() - began < FAR_TOO_LONG:
                connection.sendall(block)
    assert time.monotonic() - began < FAR_TOO_LONG
    assert door.memory() - before < 40e6
    assert not list(door.uploads.rglob("big.png"))


@pytest.mark.parametrize(
    "headers",
    [{"Origin": "null"}, {"Origin": "http://127.0.0.1.evil.test:{port}"}, {"Origin": "HTTP://EVIL.test"}, {"Origin": "http://127.0.0.1:1"},
     {"Origin": "http://localhost:{port}"}, {"Origin": "http://127.0.0.1"}, {"Origin": "https://evil.test"}, {"Origin": "file://"},
     {"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"}, {"Sec-Fetch-Site": "cross-site",
     "Origin": "http://127.0.0.1:{port}"}],
)  # fmt: skip
def test_h20_what_another_page_sends_is_refused(door: RunningDoor, headers: dict[str, str]) -> None:
    sent = ME | {name: value.format(port=door.port) for name, value in headers.items()}
    before = sorted(path.name for path in door.uploads.rglob("*"))
    body = {"data": ["x"], "session_hash": "x", "fn_index": 0, "event_id": "x"}
    for path in (
        "/gradio_api/call/submit",
        "/gradio_api/queue/join",
        "/gradio_api/run/echo",
        "/gradio_api/cancel",
        "/gradio_api/component_server",
        "/logout",
        "/jobs/x/stop",
    ):
        assert door.post_json(path, body, sent).status == 403
    assert door.upload("planted.png", png(), sent).status == 403
    for path in ("/config", "/current", "/gradio_api/info", "/healthz"):
        assert door.ask("GET", path, headers=sent).status == 403
    assert sorted(path.name for path in door.uploads.rglob("*")) == before


@pytest.mark.parametrize(
    "head",
    [
        "GET / HTTP/1.1\r\nHost: rebind.test:{port}\r\n\r\n",
        "GET /config HTTP/1.1\r\nHost: localhost.:{port}\r\n\r\n",
        "GET /config HTTP/1.1\r\nHost: 127.0.0.2:{port}\r\n\r\n",
        "GET /config HTTP/1.1\r\nHost: 127.0.0.1.nip.io:{port}\r\n\r\n",
        "GET http://rebind.test/config HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n",
        "GET http://127.0.0.1:{port}/config HTTP/1.1\r\nHost: rebind.test\r\n\r\n",
        "GET /config HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nHost: rebind.test\r\n\r\n",
        "GET /config HTTP/1.1\r\nHost: rebind.test\r\nX-Forwarded-Host: 127.0.0.1:{port}\r\n\r\n",
        "GET /config HTTP/1.1\r\nHost: rebind.test\r\nForwarded: host=127.0.0.1\r\n\r\n",
        "GET /config HTTP/1.0\r\n\r\n",
        "GET /config HTTP/1.1\r\nHost:\r\n\r\n",
    ],
)
def test_h21_a_request_for_another_name_is_misdirected(door: RunningDoor, head: str) -> None:
    status, answer = raw(door, head.format(port=door.port).encode())
    assert status in (421, 400)
    assert b'"components"' not in answer


def test_h21_what_a_proxy_claims_changes_no_address_in_the_page(door: RunningDoor) -> None:
    claims = {"X-Forwarded-Host": "evil.test", "X-Forwarded-Proto": "https", "X-Gradio-Server": "http://evil.test"}
    assert "evil.test" not in door.ask("GET", "/config", headers=ME | claims).text
    assert "evil.test" not in door.ask("GET", "/", headers=ME | claims).text


def test_h20_no_preflight_is_ever_granted(door: RunningDoor) -> None:
    asked = {"Origin": "http://evil.test", "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "content-type"}
    answer = door.ask("OPTIONS", "/gradio_api/call/submit", headers=asked)
    assert answer.status in (403, 405)
    for path in ("/", "/config", "/healthz", "/gradio_api/info"):
        answer = door.ask("GET", path, headers=ME | {"Origin": door.url})
        assert answer.status == 200
        assert not [name for name in answer.headers if name.startswith("access-control")]


def test_a_body_of_many_levels_or_values_is_refused_quickly(door: RunningDoor) -> None:
    for body in ("[" * 100_000, '{"data":' * 100_000, json.dumps({"data": ["x"] * 300_000})):
        began = time.monotonic()
        assert door.ask("POST", "/gradio_api/call/echo", body, ME | {"Content-Type": "application/json"}).status == 400
        assert time.monotonic() - began < FAR_TOO_LONG
