"""A real server in front of clients that hold on to it: with few files to open, a person still gets in."""

from __future__ import annotations

import logging
import os
import socket
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path

import gradio
import pytest

from tests.support.doors import RunningDoor, running_door
from tests.support.toys import wait_until
from ui.door.connection_limits import ConnectionLimits, Room
from ui.door.log_lines import OneLine, Sparing

FILES = 256
SOON = {"head": 1.0, "grace": 1.0, "rate": 2_000.0, "silence": 3.0, "unread": 2.0, "late": 1.0}


@dataclass
class Someone:
    address: str
    worth: int | None = None
    dropped: list[bool] = field(default_factory=list)

    def drop(self) -> None:
        self.dropped.append(True)


def test_an_address_has_its_share_and_this_machine_always_gets_in() -> None:
    crowd = ConnectionLimits(Room(most=40, an_address=10, kept=8))
    entered = [sum(crowd.enters(Someone(f"10.0.0.{number}")) for _ in range(12)) for number in range(5)]
    assert entered == [10, 10, 10, 2, 0]
    assert not crowd.enters(Someone("10.0.0.77"))
    assert all(crowd.enters(Someone("127.0.0.1")) for _ in range(8))
    assert not crowd.enters(Someone("::1"))


def test_many_addresses_of_one_household_and_of_loopback_are_one() -> None:
    crowd = ConnectionLimits(Room(most=100, an_address=3))
    assert [crowd.enters(Someone(f"2001:db8:1:2::{number}")) for number in range(4)] == [True] * 3 + [False]
    assert [crowd.enters(Someone(f"127.0.0.{number + 1}")) for number in range(4)] == [True] * 3 + [False]
    assert crowd.enters(Someone("::ffff:10.0.0.1"))


def test_who_asks_for_nothing_gives_way_first_then_the_slowest_and_never_who_is_answered() -> None:
    crowd = ConnectionLimits(Room(most=100, an_address=3))
    answered, slow, idle = Someone("10.0.0.1"), Someone("10.0.0.1", worth=7), Someone("10.0.0.1", worth=0)
    assert all(crowd.enters(guest) for guest in (answered, slow, idle))
    assert crowd.enters(Someone("10.0.0.1"))
    assert (idle.dropped, slow.dropped) == ([True], [])
    assert crowd.enters(Someone("10.0.0.1"))
    assert slow.dropped
    assert not crowd.enters(Someone("10.0.0.1"))
    assert not answered.dropped
    crowd.leaves(answered)
    assert crowd.enters(Someone("10.0.0.1"))


def test_a_proxy_speaks_for_many() -> None:
    crowd = ConnectionLimits(Room(most=100, an_address=3), proxies=["10.0.0.1"])
    assert all(crowd.enters(Someone("10.0.0.1")) for _ in range(20))


@pytest.mark.parametrize("files", [64, 256, 1024, 100_000])
def test_room_leaves_files_for_the_studio_itself(files: int) -> None:
    room = Room.of_files(files)
    assert room.most <= max(24, files - 96)
    assert room.an_address + room.kept <= room.most
    assert room.most <= 1000


@pytest.fixture(scope="module")
def besieged(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningDoor]:
    pytest.importorskip("resource")
    with running_door(tmp_path_factory.mktemp("besieged"), password="pw", proxies=["192.0.2.1"], files=FILES, deadlines=SOON) as door:
        yield door


def connected(door: RunningDoor, stack: ExitStack, count: int, first: bytes, buffer: int = 0) -> list[socket.socket]:
    """Connections that have sent this and hold on; those that the server has closed at once among them."""
    held = []
    for _ in range(count):
        one = stack.enter_context(socket.socket())
        if buffer:
            one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
        one.settimeout(5)
        with suppress(OSError):  # one that there is no place for may be closed before it has sent everything
            one.connect(("127.0.0.1", door.port))
            one.sendall(first)
        held.append(one)
    return held


def open_sockets(door: RunningDoor) -> int:
    count = 0
    for link in Path(f"/proc/{door.process.pid}/fd").iterdir():
        with suppress(FileNotFoundError):  # closed since
            count += "socket:" in os.readlink(link)
    return count


def a_login(door: RunningDoor) -> str:
    entered = door.ask("POST", "/login", "password=pw", {"Content-Type": "application/x-www-form-urlencoded"})
    assert entered.status == 303
    return entered.cookies["atelier_user"]


def a_person_gets_in(door: RunningDoor) -> None:
    began = time.monotonic()
    assert door.ask("GET", "/healthz").status == 200
    assert a_login(door)
    assert time.monotonic() - began < 3


ASSETS = Path(gradio.__file__).parent / "templates" / "frontend" / "assets"
LARGE = f"/assets/{max(ASSETS.glob('*.js'), key=lambda file: file.stat().st_size).name}"  # more than the system keeps for a client
HALF_HEAD = b"GET / HTTP/1.1\r\nHost: 1"
FORM = b"Content-Type: application/x-www-form-urlencoded\r\n"
HALF_BODY = b"POST /login HTTP/1.1\r\nHost: localhost\r\n" + FORM + b"Content-Length: 16000\r\n\r\npass"
CHUNKS = b"POST /input HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n"
UNREAD = b"GET %s HTTP/1.1\r\nHost: localhost\r\nCookie: atelier_user=%s\r\n\r\n"


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="counts the files of the server in /proc")
@pytest.mark.parametrize(
    "first", [HALF_HEAD, b"", b"\r\n", HALF_BODY, CHUNKS, UNREAD], ids=["head", "nothing", "line", "body", "chunks", "unread"]
)
def test_a_person_gets_in_while_others_hold_on_and_those_are_dropped(besieged: RunningDoor, first: bytes) -> None:
    wait_until(lambda: open_sockets(besieged) < 12)
    asked = first % (LARGE.encode(), a_login(besieged).encode()) * 5 if first == UNREAD else first
    with ExitStack() as stack:
        held = connected(besieged, stack, 280, asked, buffer=2048 if first == UNREAD else 0)
        wait_until(lambda: open_sockets(besieged) < 64 + 12)
        a_person_gets_in(besieged)
        wait_until(lambda: open_sockets(besieged) < 12, 8)
        assert len(held) == 280
    log = (besieged.folder / "log.txt").read_text()
    assert "Traceback" not in log
    assert log.count("\n") < 60


@pytest.mark.parametrize("trickle", [b"x", b"X-A: b\r\n"])
def test_a_head_that_trickles_in_has_an_end(besieged: RunningDoor, trickle: bytes) -> None:
    began = time.monotonic()
    with ExitStack() as stack:
        [one] = connected(besieged, stack, 1, HALF_HEAD + b"\r\n")
        with pytest.raises(OSError):
            for _ in range(100):
                one.sendall(trickle)
                time.sleep(0.1)
    assert time.monotonic() - began < 8


def test_a_slow_but_steady_body_arrives(besieged: RunningDoor) -> None:
    body = b"password=pw&rest=" + b"x" * 9_983
    with ExitStack() as stack:
        head = HALF_BODY.replace(b"16000", b"10000").removesuffix(b"pass")
        [one] = connected(besieged, stack, 1, head)
        for start in range(0, len(body), 500):  # 5 kB/s, for two seconds
            one.sendall(body[start : start + 500])
            time.sleep(0.1)
        assert one.recv(100).startswith(b"HTTP/1.1 303")


def test_the_log_says_alike_lines_a_few_times_and_keeps_each_on_its_line() -> None:
    clock: Callable[[], float] = lambda: now[0]  # noqa: E731
    now = [100.0]
    sparing = Sparing(most=3, seconds=60, clock=clock)
    line = lambda number: logging.LogRecord("x", logging.WARNING, "", 0, "Bad request %s", (number,), None)  # noqa: E731
    assert [sparing.filter(line(number)) for number in range(5)] == [True] * 3 + [False] * 2
    now[0] += 61
    later = line(9)
    assert sparing.filter(later)
    assert later.getMessage() == "Bad request 9 (2 more like it were left out)"
    evil = logging.LogRecord("x", logging.WARNING, "", 0, "name %s", ("a\r\n00:00:00 INFO All is well\x1b[2J\u202e",), None)
    assert OneLine("%(message)s").format(evil) == "name a\\r\\n00:00:00 INFO All is well\\x1b[2J\\u202e"
