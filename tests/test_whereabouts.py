"""The addresses that the studio names at its start, and the QR code of them."""

from __future__ import annotations

import io
import socket
import sys

import pytest

from models.errors import UserError
from ui.door import own_addresses
from ui.door.own_addresses import elsewhere, here, qr_code
from ui.door.serving import open_socket


class Terminal(io.StringIO):
    def __init__(self, encoding: str = "utf-8", there: bool = True) -> None:
        super().__init__()
        self._encoding, self._there = encoding, there

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return self._encoding

    def isatty(self) -> bool:
        return self._there


def test_a_server_for_everybody_names_addresses_that_work_before_its_name() -> None:
    shown = elsewhere("0.0.0.0", 7860)
    assert shown[-1] == f"http://{socket.gethostname()}:7860"
    for address in shown[:-1]:
        host = address.removeprefix("http://").removesuffix(":7860")
        with socket.socket() as probe:
            probe.bind((host, 0))  # only this machine's own can be bound
        assert not host.startswith("127.")


def test_an_address_of_ipv6_is_named_where_the_server_listens_on_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(own_addresses, "_addresses", lambda family: ["fd00::2"] if family == socket.AF_INET6 else ["192.168.1.5"])
    assert elsewhere("::", 80)[:2] == ["http://192.168.1.5:80", "http://[fd00::2]:80"]
    assert elsewhere("0.0.0.0", 80)[0] == "http://192.168.1.5:80"
    assert "[fd00::2]" not in str(elsewhere("0.0.0.0", 80))
    assert elsewhere("192.168.1.5", 80) == ["http://192.168.1.5:80"]
    assert (here("::", 80), here("0.0.0.0", 80)) == ("http://[::1]:80", "http://127.0.0.1:80")


def test_the_code_holds_the_address_alone() -> None:
    segno = pytest.importorskip("segno")
    address = "http://192.168.1.5:7860"
    drawn = qr_code(address, Terminal())
    again = io.StringIO()
    segno.make(address, error="l", micro=False).terminal(again, compact=True)
    assert drawn.strip() == again.getvalue().strip()
    assert len(drawn.splitlines()[1]) == 33  # 25 modules of version 2, and 4 of rest on each side


def test_where_it_cannot_be_shown_there_is_no_code() -> None:
    assert qr_code("http://x", Terminal(there=False)) == ""
    assert qr_code("http://x", Terminal("ascii")) == ""
    assert qr_code("http://x", Terminal("latin-1")) == ""


@pytest.mark.parametrize("host", ["studio.invalid", "192.0.2.55", "999.1.1.1", "a b", "é.invalid"])
def test_a_host_that_is_not_here_is_told_what_the_option_takes(host: str) -> None:
    with pytest.raises(UserError, match=r"--host takes one of its own addresses.*--public-url"):
        open_socket(host, 0)


@pytest.mark.parametrize("port", [-1, 70_000])
def test_a_port_that_there_is_not_is_a_sentence(port: int) -> None:
    with pytest.raises(UserError, match="--port takes a number"):
        open_socket("127.0.0.1", port)


@pytest.mark.skipif(not socket.has_ipv6 or sys.platform == "win32", reason="needs IPv6")
def test_a_server_on_all_addresses_of_both_kinds_is_reached_by_both() -> None:
    with open_socket("::", 0) as listener:
        port = listener.getsockname()[1]
        for host in ("127.0.0.1", "::1"):
            socket.create_connection((host, port), timeout=5).close()
