"""What a cluster says to who gives it something wrong: each a sentence that fits, and nothing ends that may yet come right."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from models.errors import UserError
from models.library.catalog import Catalog
from pipelines.cluster import entry, worker
from pipelines.cluster.entry import entry_of
from pipelines.cluster.home import OWN_THREADS
from pipelines.cluster.node import split, surroundings
from pipelines.cluster.probe import NotThere, looked_at
from pipelines.cluster.room import Room
from pipelines.cluster.secret import own_token
from pipelines.cluster.told import STUDIO, Entry

pytestmark = pytest.mark.skipif(os.name == "nt", reason="clusters are of computers with Linux")
Said = Callable[..., str]


@pytest.fixture
def token(tmp_path: Path) -> Path:
    return own_token(tmp_path / "studio")


@pytest.fixture
def with_ray(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if it were installed, on Linux."""
    monkeypatch.setattr(entry, "find_spec", lambda _name: object())
    monkeypatch.setattr(entry.platform, "system", lambda: "Linux")


def asked(address: str, outputs: Path, token_file: Path | None = None, without_token: bool = False) -> Entry:
    return entry_of(address, outputs, token_file, without_token, ["192.168.1.20"])


def test_the_studio_comes_in_by_the_address_and_the_token_that_are_meant(with_ray: None, tmp_path: Path, token: Path) -> None:
    own = tmp_path / ".ray"
    assert asked("local", tmp_path) == Entry("192.168.1.20:6379", True, str(own / "token"), str(own))
    assert asked("local:6390", tmp_path, token) == Entry("192.168.1.20:6390", True, str(token), str(own))
    assert asked("localhost:1", tmp_path, without_token=True) == Entry("localhost:1", False, "", str(own))
    for wrong in ("local:x", "local:70000", "attic:x"):
        with pytest.raises(UserError, match=f"“{wrong}” is no address"):
            asked(wrong, tmp_path)


def test_the_studio_s_own_token_is_made_anew_when_it_is_empty_and_refused_when_others_can_read_it(with_ray: None, tmp_path: Path) -> None:
    (own := own_token(tmp_path)).write_text("")
    assert len(Path(asked("local", tmp_path).token).read_text()) == 64
    own.chmod(0o644)
    with pytest.raises(UserError, match="Others on this computer can read"):
        asked("local", tmp_path)


def test_where_there_is_no_ray_it_is_said_how_it_comes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(entry, "find_spec", lambda _name: None)
    with pytest.raises(UserError, match=r"not installed here. Start by “python run\.py”"):
        asked("local", tmp_path)
    monkeypatch.setattr(entry.platform, "system", lambda: "Windows")
    with pytest.raises(UserError, match="joins computers with Linux"):
        asked("local", tmp_path)
    assert not (tmp_path / ".ray").exists(), "and nothing was made"


def test_what_answers_and_is_no_cluster_is_told_from_what_does_not_answer() -> None:
    with socket.socket() as page:
        page.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{page.getsockname()[1]}"
        with pytest.raises(NotThere, match="Nothing answers at"):
            looked_at(address, "")
        page.listen()
        with pytest.raises(NotThere, match=f"What answers at {address} is no cluster"):
            looked_at(address, "")


def test_others_are_told_what_to_do_and_ray_hears_of_nothing_but_the_token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for secret, behind in (
        ("/home/ada/token", " --token-file token\nwith a copy of /home/ada/token beside it."),
        ("", " --ray-without-token"),
    ):
        room = Room(
            Entry("attic:1", True, secret, ""), Catalog(tmp_path), lambda *_: (_ for _ in ()).throw(KeyError), lambda *_: lambda: None
        )
        assert room.invitation == f"Other computers draw along by\n    python run.py worker --ray attic:1{behind}\n"
    monkeypatch.setenv("RAY_ADDRESS", "elsewhere:1")
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    with_token, without = surroundings("/t"), surroundings("")
    assert (with_token["RAY_AUTH_MODE"], with_token["RAY_AUTH_TOKEN_PATH"], without["RAY_AUTH_MODE"]) == ("token", "/t", "disabled")
    assert not {"RAY_ADDRESS", "RAY_AUTH_TOKEN_PATH"} & without.keys() and without["RAY_USAGE_STATS_ENABLED"] == "0"
    assert without[OWN_THREADS] == "3", "Ray changes the other one for its actors"


# ------------------------------------------------------------------------------------------------ run.py worker


@pytest.fixture
def said(with_ray: None, capsys: pytest.CaptureFixture[str], token: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Said:
    """What a worker that is begun so says, and ends with 1."""

    def looked_for(address: str) -> bool:
        split(address)
        raise AssertionError("it has begun")

    monkeypatch.setattr(worker, "is_reached", looked_for)

    def begun(*arguments: str) -> str:
        usual = ["--ray", "attic:1", "--token-file", str(token), "--folder", str(tmp_path / "kept")]
        assert worker.main([*usual, *arguments]) == 1
        return capsys.readouterr().err.strip()

    return begun


def test_a_worker_that_cannot_begin_says_why(said: Said, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert said("--ray", "http://attic").startswith("“http://attic” is no address of a cluster.")
    assert said("--models-dir", str(tmp_path / "none")).startswith(f"There is no folder {tmp_path / 'none'}.")
    (tmp_path / "file").touch()
    assert said("--folder", str(tmp_path / "file")).startswith(
        f"What the studio sends cannot be kept in {tmp_path / 'file'} (File exists)."
    )
    assert said("--token-file", str(tmp_path)).startswith(f"The token's file {tmp_path} cannot be read.")
    monkeypatch.setattr(worker, "HERE", tmp_path)
    monkeypatch.setattr(worker, "given_token", lambda path: path)
    with pytest.raises(UserError, match="The studio's token is needed"):
        worker.token_of(worker.parser().parse_args(["--ray", "attic"]))
    assert worker.token_of(worker.parser().parse_args(["--ray", "attic", "--ray-without-token"])) == ""
    monkeypatch.setattr(worker, "draw", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    assert said() == worker.NO_ROOM.format("No space left on device")


def test_a_worker_waits_for_a_cluster_that_is_only_beginning_or_has_just_gone(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    answers: list[object] = [NotThere("Nothing answers."), NotThere("No cluster yet."), NotThere("No cluster yet."), [{STUDIO: "yes"}]]

    def look(*_: object) -> object:
        if isinstance(found := answers.pop(0), NotThere):
            raise found
        return found

    monkeypatch.setattr(worker, "is_reached", lambda _address: True)
    monkeypatch.setattr(worker, "looked_at", look)
    monkeypatch.setattr(worker, "TRIES", 0.0)
    assert worker.labels_at("attic:1", "token") == [{STUDIO: "yes"}] and not answers
    assert capsys.readouterr().out == "Nothing answers.\nNo cluster yet.\n", "each once"
