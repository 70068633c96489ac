"""NAME.local, offered where it leads here, and never waited for."""

from __future__ import annotations

import os
import socket
import threading
from pathlib import Path

import pytest

from ui.door.local_name import STALE, LocalName, resolved
from ui.door.reach import Reach


def test_the_name_is_offered_where_it_leads_to_this_machine_and_behind_the_addresses() -> None:
    mine = LocalName("studio", lambda name: {"192.168.1.5"} if name == "studio.local" else set(), lambda: ["192.168.1.5", "fd00::5"])
    assert mine.wait(5) == "studio.local"
    shown = Reach("0.0.0.0", local_name=mine).others(7860)
    assert shown[-1] == "http://studio.local:7860" and len(shown) > 1
    assert not any("studio.local" in each for each in Reach("192.0.2.9", local_name=mine).others(7860))


@pytest.mark.parametrize("found", [set[str](), {"127.0.1.1"}, {"192.168.1.6"}], ids=["nowhere", "this machine alone", "another machine"])
def test_a_name_that_does_not_lead_here_is_not_offered(found: set[str]) -> None:
    assert LocalName("studio", lambda _: found, lambda: ["192.168.1.5"]).wait(5) == ""


def test_nobody_waits_for_a_network_that_does_not_answer_and_it_is_asked_again_later() -> None:
    time, answer, asked = [0.0], threading.Event(), list[str]()

    def slow(name: str) -> list[str]:
        asked.append(name)
        answer.wait(10)
        return ["192.168.1.5"]

    mine = LocalName("studio", slow, lambda: ["192.168.1.5"], lambda: time[0])
    assert [mine.known() for _ in range(3)] == [""] * 3 and asked == ["studio.local"]
    answer.set()
    assert mine.wait(5) == "studio.local" and len(asked) == 1
    time[0] += STALE
    assert mine.wait(5) == "studio.local" and len(asked) == 2


def test_avahi_is_asked_where_the_system_does_not_know_such_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if os.name == "nt":
        pytest.skip("a shell script")

    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror

    monkeypatch.setattr("ui.door.local_name.socket.getaddrinfo", unknown)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert list(resolved("studio.local")) == []
    program = tmp_path / "avahi-resolve-host-name"
    program.write_text('#!/bin/sh\n[ "$1 $2" = "-4 studio.local" ] && printf "studio.local\\t192.168.1.5\\n"\n')
    program.chmod(0o755)
    assert list(resolved("studio.local")) == ["192.168.1.5"]
    program.write_text('#!/bin/sh\necho "Failed to resolve host name" >&2; exit 1\n')
    assert list(resolved("studio.local")) == []
