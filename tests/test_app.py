"""The command line: who may come in from where, and what is said about it."""

from __future__ import annotations

import re
import socket
from pathlib import Path

import pytest

import app
from models.errors import UserError
from tests.test_certificate import given
from ui.door.local_name import LocalName
from ui.door.reach import Reach
from ui.server import Door


def options(*arguments: str) -> app.argparse.Namespace:
    return app.parser().parse_args(arguments)


def test_by_default_only_this_computer_is_answered_and_no_password_is_asked() -> None:
    door, host = app.reach(options())
    assert (host, door.password, door.own_address) == ("127.0.0.1", None, False)


@pytest.mark.parametrize("arguments", [("--listen",), ("--host", "192.168.1.5"), ("--host", "0.0.0.0")])
def test_beyond_this_computer_there_is_always_a_password(arguments: tuple[str, ...]) -> None:
    door, host = app.reach(options(*arguments))
    assert host != "127.0.0.1"
    assert door.password and len(door.password) >= 10


@pytest.mark.parametrize("called", ["Box", "box.example.org", "Box.local"])
def test_the_studio_answers_to_the_name_that_the_network_knows_by_itself(monkeypatch: pytest.MonkeyPatch, called: str) -> None:
    monkeypatch.setattr("app.socket.gethostname", lambda: called)
    door, _ = app.reach(options("--listen"))
    assert {"box.local", called.lower()} <= door.hosts
    assert LocalName(resolves=lambda name: {name}, own=lambda: ["box.local"]).wait(5) in door.hosts


def test_a_made_up_password_is_new_each_time() -> None:
    assert app.reach(options("--listen"))[0].password != app.reach(options("--listen"))[0].password


def test_a_given_password_is_used_also_on_this_computer_alone() -> None:
    assert app.reach(options("--listen", "--password", "open sesame"))[0].password == "open sesame"
    assert app.reach(options("--password", "open sesame"))[0].password == "open sesame"


def test_the_password_is_printed_with_the_address(capsys: pytest.CaptureFixture[str]) -> None:
    wish = options("--listen", "--password", "open sesame", "--no-browser")
    door, host = app.reach(wish)
    app.announce(wish, door, host, 7860)
    said = capsys.readouterr().out
    assert "open sesame" in said and "http://127.0.0.1:7860" in said


def certified(folder: Path, *arguments: str) -> Door:
    wish = options(*arguments, "--outputs-dir", str(folder))
    door, host = app.reach(wish)
    return app.certified(wish, door, host)


def test_others_are_answered_over_https_and_the_machine_alone_needs_none(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert certified(tmp_path).certificate is None
    assert certified(tmp_path, "--listen", "--plain-http").certificate is None
    assert certified(tmp_path, "--public-url", "https://x.org", "--trusted-proxy", "127.0.0.1").certificate is None
    assert list(tmp_path.iterdir()) == []
    door = certified(tmp_path, "--listen")
    assert door.certificate and door.certificate.authority and (tmp_path / ".certificate").is_dir()
    app.announce(options("--listen", "--no-browser"), door, "0.0.0.0", 7860)
    said = capsys.readouterr().out
    assert "http://127.0.0.1:7860" in said and f"https://{socket.gethostname()}:7860" in said
    assert re.findall(r"Others open: +http:", said) == []


def test_with_a_certificate_of_the_owners_the_studio_goes_by_the_names_in_it(tmp_path: Path) -> None:
    certificate, key = given(tmp_path, "studio.example.org")
    door = certified(tmp_path, "--listen", "--certificate", str(certificate), "--key", str(key))
    assert "studio.example.org" in door.hosts
    assert Reach(door.listens, certificate=door.certificate).others(443)[0] == "https://studio.example.org:443"


@pytest.mark.parametrize("wrong", [("--listen", "--key", "x"), ("--certificate", "x", "--key", "y"),
                                   ("--listen", "--plain-http", "--certificate", "x", "--key", "y")])  # fmt: skip
def test_options_that_would_encrypt_nothing_are_refused(tmp_path: Path, wrong: tuple[str, ...]) -> None:
    with pytest.raises(UserError, match="--certificate"):
        certified(tmp_path, *wrong)


def test_help_explains_every_argument(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        app.parser().parse_args(["--help"])
    said = capsys.readouterr().out
    for name in (
        "--certificate",
        "--key",
        "--plain-http",
        "--host",
        "--port",
        "--listen",
        "--password",
        "--models-dir",
        "--outputs-dir",
        "--device",
        "--no-browser",
    ):
        assert name in said


def test_a_device_that_is_not_there_is_said_in_a_sentence() -> None:
    from models.memory.device import choose

    with pytest.raises(UserError, match="not available"):
        choose("cuda:7")
    with pytest.raises(UserError, match="not available"):
        choose("toaster")
