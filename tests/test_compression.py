"""Answers travel in the smallest form that the browser takes, and say so."""

from __future__ import annotations

import asyncio
import gzip
from typing import Any

import brotli
import pytest
from starlette.requests import Request
from starlette.responses import Response

from ui.door.compression import SMALL, Compressed, coding

PAGE = b"<p>The same words again.</p>" * 200


@pytest.mark.parametrize(
    ("accepted", "chosen"),
    [
        ("gzip, deflate, br, zstd", "br"),
        ("br;q=0, gzip;q=0.5", "gzip"),
        ("GZIP ; q=1.0", "gzip"),
        ("br;q=0.000", "identity"),
        ("deflate", "identity"),
        ("", "identity"),
        ("brotli, x-gzip", "identity"),
    ],
)
def test_the_first_coding_that_the_browser_takes_is_chosen(accepted: str, chosen: str) -> None:
    assert coding(accepted, ("br", "gzip")) == chosen


def ask(path: str, accepted: str, body: bytes, **headers: str) -> tuple[dict[str, str], bytes]:
    """Headers and body of an answer that passes the middleware."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await Response(body, headers=headers)(scope, receive, send)

    told: list[Any] = []

    async def send(message: Any) -> None:
        told.append(message)

    async def receive() -> Any:
        return {"type": "http.request", "body": b"", "more_body": False}

    scope = {"type": "http", "method": "GET", "path": path, "headers": [(b"accept-encoding", accepted.encode())]}
    asyncio.run(Compressed(app)(Request(scope).scope, receive, send))
    return {name.decode(): value.decode() for name, value in told[0]["headers"]}, b"".join(part.get("body", b"") for part in told[1:])


@pytest.mark.parametrize(("name", "opened"), [("br", brotli.decompress), ("gzip", gzip.decompress)])
def test_a_page_is_compressed_and_comes_out_as_it_was(name: str, opened: Any) -> None:
    headers, body = ask("/", name, PAGE)
    assert headers["content-encoding"] == name and headers["vary"] == "Accept-Encoding"
    assert int(headers["content-length"]) == len(body) < len(PAGE) / 10
    assert opened(body) == PAGE


@pytest.mark.parametrize(
    ("path", "accepted", "body", "headers"),
    [
        ("/", "deflate", PAGE, {}),
        ("/", "br", PAGE[: SMALL - 1], {}),
        ("/", "br", PAGE, {"content-encoding": "gzip"}),
        ("/picture/x.png", "br", PAGE, {}),
    ],
)
def test_other_answers_pass_as_they_are(path: str, accepted: str, body: bytes, headers: dict[str, str]) -> None:
    told, passed = ask(path, accepted, body, **headers)
    assert passed == body and int(told["content-length"]) == len(body)
    assert told.get("content-encoding") == headers.get("content-encoding")
