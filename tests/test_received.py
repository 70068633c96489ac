"""Files by content: found in folders under any name; those that come in ranges go on where they were broken off, and are checked."""

from __future__ import annotations

import hashlib
import os
from collections import namedtuple
from pathlib import Path

import pytest

from models.errors import Interrupted, UserError
from models.library.hashes import file_hash
from models.library.received import ASTRAY, DISK_FULL, NOT_WRITTEN, OTHERWISE, Received

Usage = namedtuple("Usage", "total used free")
ONE, TWO, THREE = (bytes([number]) * 1000 for number in range(3))


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def sizes(*contents: bytes) -> dict[str, int]:
    return {digest(each): len(each) for each in contents}


def store(folder: Path, budget: int = 10**6, own: Path | None = None) -> Received:
    return Received(folder / "received", budget, [own] if own else [], file_hash)


def bring(received: Received, content: bytes, step: int = 300) -> None:
    for at in range(0, len(content), step):
        received.take(digest(content), at, content[at : at + step])


def test_a_file_of_the_same_content_is_found_under_any_name_and_no_other_is_read(tmp_path: Path) -> None:
    own, read = tmp_path / "models", list[str]()
    (own / "any" / "where").mkdir(parents=True)
    (own / "any" / "where" / "ink.bin").write_bytes(ONE)
    (own / "ink.safetensors").write_bytes(ONE[:-1])
    (own / "any" / "above").symlink_to(own)
    looked: list[None] = []
    received = Received(
        tmp_path / "received", 10**6, [own], lambda path: read.append(path.name) or file_hash(path), lambda: looked.append(None)
    )
    assert received.lacks(sizes(ONE, TWO)) == {digest(TWO): 0}
    found = received.find(digest(ONE), len(ONE))
    assert found and found.read_bytes() == ONE and set(read) == {"ink.bin"}
    assert len(looked) == 4, "the folders and the link, once"


def test_what_was_broken_off_goes_on_from_where_it_was_also_in_another_process(tmp_path: Path) -> None:
    received, content = store(tmp_path), os.urandom(1000)
    assert received.lacks(sizes(content)) == {digest(content): 0}
    assert received.take(digest(content), 0, content[:400]) == 400
    again = store(tmp_path)
    assert again.lacks(sizes(content)) == {digest(content): 400}
    assert again.take(digest(content), 400, content[400:]) == 1000
    found = again.find(digest(content), 1000)
    assert again.lacks(sizes(content)) == {} and found and found.read_bytes() == content


def test_a_range_that_lies_is_refused_and_a_file_that_is_another_is_thrown_away(tmp_path: Path) -> None:
    received = store(tmp_path)
    with pytest.raises(UserError, match=ASTRAY[:20]):
        received.take(digest(ONE), 0, ONE)  # nobody asked for it
    received.lacks(sizes(ONE))
    for at, data in ((1, ONE[1:]), (0, ONE + b"x")):
        with pytest.raises(UserError, match=ASTRAY[:20]):
            received.take(digest(ONE), at, data)
    with pytest.raises(UserError, match=ASTRAY[:20]):
        received.take("../../etc", 0, b"x")
    with pytest.raises(UserError, match=ASTRAY[:20]):
        received.lacks({"../../etc": 1})
    received.lacks(sizes(ONE))
    received.take(digest(ONE), 0, ONE[:500])
    with pytest.raises(UserError, match=OTHERWISE[:30]):
        received.take(digest(ONE), 500, TWO[500:])
    assert not list(received.folder.rglob("part"))
    assert received.lacks(sizes(ONE)) == {digest(ONE): 0}, "nothing of it is kept"
    bring(received, ONE)
    assert received.lacks(sizes(ONE)) == {}


def test_the_budget_holds_what_was_needed_last_and_never_gives_up_what_the_job_in_hand_needs(tmp_path: Path) -> None:
    received = store(tmp_path, budget=2500)
    for age, content in ((20, ONE), (30, TWO)):
        received.lacks(sizes(content))
        bring(received, content)
        os.utime(received.folder / digest(content), (age, age))
    received.lacks(sizes(ONE))  # it is needed again, so the other one goes
    received.lacks(sizes(THREE))
    bring(received, THREE)
    assert {each.name for each in received.folder.iterdir()} == {digest(ONE), digest(THREE)}
    os.utime(received.folder / digest(ONE), (10, 10))
    received.lacks(sizes(ONE, TWO))
    bring(received, TWO)
    assert {each.name for each in received.folder.iterdir()} == {digest(ONE), digest(TWO)}, "the older one is needed"
    with pytest.raises(UserError, match=r"files of 0\.0 MB.*at most 0\.0 MB"):
        received.lacks(sizes(ONE, TWO, THREE))
    assert received.lacks(sizes(ONE, TWO)) == {}, "nothing was given up for what there is no room for"
    own = tmp_path / "models"
    own.mkdir()
    (own / "large").write_bytes(b"x" * 5000)
    assert store(tmp_path, 2500, own).lacks(sizes(b"x" * 5000)) == {}, "people's own files count for nothing"


def test_an_empty_file_comes_as_well_and_reading_what_is_half_here_can_be_stopped(tmp_path: Path) -> None:
    received = store(tmp_path)
    received.lacks(sizes(b"", ONE))
    received.take(digest(b""), 0, b"")
    received.take(digest(ONE), 0, ONE[:500])
    assert received.lacks(sizes(b"")) == {}

    def stopped() -> None:
        raise Interrupted

    again = Received(received.folder, 10**6, go_on=stopped)
    again.lacks(sizes(ONE))
    with pytest.raises(Interrupted):
        again.take(digest(ONE), 500, ONE[500:])


def test_a_disk_that_takes_nothing_is_told_by_what_is_wrong_with_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match=NOT_WRITTEN[:30]):
        store(tmp_path / "file").lacks(sizes(ONE))
    received = store(tmp_path)
    received.lacks(sizes(ONE))
    if Path("/dev/full").exists():
        (received.folder / digest(ONE)).mkdir()
        (part := received.folder / digest(ONE) / "part").symlink_to("/dev/full")
        with pytest.raises(UserError, match=DISK_FULL[:30]):
            received.take(digest(ONE), 0, ONE)
        part.unlink()
    bring(received, ONE)
    monkeypatch.setattr("shutil.disk_usage", lambda _folder: Usage(10**9, 10**9, 500))
    with pytest.raises(UserError, match=DISK_FULL[:30]):
        received.lacks(sizes(b"x" * 3000))
    assert received.lacks(sizes(ONE)) == {}, "nothing was given up for what there is no room for"
