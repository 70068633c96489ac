"""Downloads, against a server of the hub's shape on this computer: redirects with the linked size and hash, ranges, and what goes wrong."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from models.downloads.hub import Cancelled, download
from models.downloads.hub_names import check_names, saved_name
from models.downloads.recommended import GOOD_MODELS
from models.errors import UserError
from tests.support.hub_server import CONTENT, FILE, PATH, REPO, Hub, hub

__all__ = ["hub"]


def fetch(hub: Hub, folder: Path, **more) -> Path:  # noqa: ANN003
    return download(REPO, FILE, folder, base_url=hub.address, **more)


def parts(folder: Path) -> list[Path]:
    return [path for path in folder.iterdir() if path.name.endswith(".part")]


def test_a_file_arrives_whole_with_its_progress_and_leaves_nothing_beside(hub: Hub, tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    file = fetch(hub, tmp_path, progress=lambda done, total: seen.append((done, total)))
    assert file == tmp_path / "oils.safetensors" and file.read_bytes() == CONTENT
    assert [*tmp_path.iterdir()] == [file]
    assert seen == sorted(seen) and seen[-1] == (len(CONTENT), len(CONTENT))


def test_a_broken_connection_is_taken_up_where_it_broke(hub: Hub, tmp_path: Path) -> None:
    hub.breaks_after = [1_000_000, 500_000]
    assert fetch(hub, tmp_path).read_bytes() == CONTENT
    ranges = [asked for method, path, asked in hub.asked if method == "GET" and path.startswith("/store/")]
    assert ranges == ["", "bytes=1000000-", "bytes=1500000-"]


def test_a_server_that_sends_everything_again_is_understood(hub: Hub, tmp_path: Path) -> None:
    hub.breaks_after, hub.honours_ranges = [1_000_000], False
    assert fetch(hub, tmp_path).read_bytes() == CONTENT


def test_a_download_that_was_stopped_goes_on_from_there(hub: Hub, tmp_path: Path) -> None:
    done: list[int] = []
    with pytest.raises(Cancelled):
        fetch(hub, tmp_path, progress=lambda here, total: done.append(here), cancelled=lambda: len(done) > 1)
    [part] = parts(tmp_path)
    there = part.stat().st_size
    assert 0 < there < len(CONTENT) and part.name.startswith(".")
    assert fetch(hub, tmp_path).read_bytes() == CONTENT
    assert hub.asked[-1][2] == f"bytes={there}-" and parts(tmp_path) == []


def test_a_newer_version_is_not_mixed_with_the_part_of_an_older_one(hub: Hub, tmp_path: Path) -> None:
    hub.breaks_after = [1_000_000] + [0] * 9
    with pytest.raises(UserError, match="broke off"):
        fetch(hub, tmp_path)
    hub.content, hub.breaks_after = CONTENT[::-1], []
    hub.linked = hashlib.sha256(hub.content).hexdigest()
    assert fetch(hub, tmp_path).read_bytes() == CONTENT[::-1]


def test_bytes_of_another_hash_are_refused_and_not_kept(hub: Hub, tmp_path: Path) -> None:
    hub.linked = hashlib.sha256(b"another file").hexdigest()
    with pytest.raises(UserError, match="hash"):
        fetch(hub, tmp_path)
    assert [*tmp_path.iterdir()] == []


def test_a_web_page_is_refused_whether_it_says_so_or_not(hub: Hub, tmp_path: Path) -> None:
    hub.stored_type = "text/html; charset=utf-8"
    with pytest.raises(UserError, match="web page"):
        fetch(hub, tmp_path)
    hub.stored_type, hub.content = "application/octet-stream", b"\n<!DOCTYPE html><html>log in first</html>"
    hub.linked = hashlib.sha256(hub.content).hexdigest()
    with pytest.raises(UserError, match="web page"):
        fetch(hub, tmp_path)
    assert [*tmp_path.iterdir()] == []


ELSEWHERE = ["http://169.254.169.254/latest/meta-data", "https://huggingface.co.evil.example/x", "http://cdn.hf.co/x", "file:///etc/passwd",
             "https://evilhf.co/", "//evil.example/x"]  # fmt: skip


@pytest.mark.parametrize("location", ELSEWHERE)
def test_a_redirect_to_elsewhere_is_not_followed(hub: Hub, tmp_path: Path, location: str) -> None:
    hub.location = location
    with pytest.raises(UserError, match="does not belong"):
        fetch(hub, tmp_path)
    assert [*tmp_path.iterdir()] == []


def test_redirects_without_end_are_given_up(hub: Hub, tmp_path: Path) -> None:
    hub.location = PATH
    with pytest.raises(UserError, match="circles"):
        fetch(hub, tmp_path)


@pytest.mark.parametrize(("status", "words"), [(401, "log in"), (403, "log in"), (404, "no such"), (429, "minutes"), (503, "503")])
def test_refusals_are_said_in_words(hub: Hub, tmp_path: Path, status: int, words: str) -> None:
    hub.status = status
    with pytest.raises(UserError, match=words):
        fetch(hub, tmp_path)


def test_a_hub_that_is_not_there_is_said_in_words(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="connected"):
        download(REPO, FILE, tmp_path, base_url="http://127.0.0.1:9")


def test_a_file_that_is_there_is_not_written_over(hub: Hub, tmp_path: Path) -> None:
    (tmp_path / "oils.safetensors").write_text("mine")
    with pytest.raises(UserError, match="already"):
        fetch(hub, tmp_path)
    assert (tmp_path / "oils.safetensors").read_text() == "mine" and hub.asked == []


def test_a_full_disk_is_said_before_a_byte_is_fetched(hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda folder: type("Usage", (), {"free": 1000})())
    with pytest.raises(UserError, match="too full"):
        fetch(hub, tmp_path)
    assert not any(method == "GET" for method, _, _ in hub.asked)


BAD = [
    *((repo, FILE) for repo in ("", "runner", "../..", "a/b/c", "painter/oils?x=1", "painter/..", "painter/o il")),
    *((REPO, name) for name in ("", "../x.safetensors", "x.ckpt", "/etc/passwd.txt", "a//b.txt", "a\\b.txt", "a\n.txt", "x.py")),
]


@pytest.mark.parametrize(("repo", "filename"), BAD)
def test_names_that_cannot_be_are_refused_before_anything_is_asked(hub: Hub, tmp_path: Path, repo: str, filename: str) -> None:
    with pytest.raises(UserError):
        download(repo, filename, tmp_path, base_url=hub.address)
    assert hub.asked == []


STEMS = ["plain", "a/b/c", ".", "..", "CON", "aux.tar", "x" * 300, "\N{ARTIST PALETTE}" * 90, 'a<b>:"|?*', "-rf", "dot. ", "line\nbreak"]
NAMES = [*(f"{stem}.safetensors" for stem in STEMS), "", "program.py", "C:\\Windows\\x.safetensors"]


@pytest.mark.parametrize("name", NAMES)
def test_a_saved_name_is_one_file_on_every_system(name: str, tmp_path: Path) -> None:
    saved = saved_name(name)
    assert saved.endswith(".safetensors") and len(saved.encode()) <= 200 and saved.isprintable()
    assert not set(saved) & set('<>:"/\\|?*') and saved[0] not in "-. " and saved.partition(".")[0].lower() not in {"con", "aux", ""}
    (tmp_path / saved).touch()
    assert [path.name for path in tmp_path.iterdir()] == [saved]


def test_the_good_models_can_be_asked_for() -> None:
    for model in GOOD_MODELS:
        check_names(model.repo, model.filename)
        assert model.licence and model.why.endswith(".") and 10**7 < model.size < 10**10
        assert (model.save_as or model.filename).endswith(".safetensors")
    assert len({model.save_as or model.filename for model in GOOD_MODELS}) == len(GOOD_MODELS)
