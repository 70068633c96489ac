"""What a cluster says to who gives it something wrong: each a sentence that fits, and nothing ends that may yet come right."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from models.errors import UserError
from pipelines.cluster import entry
from pipelines.cluster.entry import entry_of
from pipelines.cluster.secret import own_token
from pipelines.cluster.told import Entry

pytestmark = pytest.mark.skipif(os.name == "nt", reason="clusters are of computers with Linux")


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
