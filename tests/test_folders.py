"""A folder of the owner's is brought in beside everything else: nothing in it is touched, and what becomes of it later is said."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from models.errors import UserError
from pipelines.job_book.book import NOBODY, JobBook
from pipelines.job_book.rows import PictureRecord
from pipelines.jobs.outputs import Outputs
from pipelines.requests.request import TextToImage
from pipelines.services import folders as service
from pipelines.services.folder_files import files_in
from pipelines.services.folders import Folders
from tests.support import foreign_files as files
from tests.support.asked import drawing
from tests.support.doors import RunningDoor
from tests.support.foreign_files import A1111, comfy_graph, png, told
from tests.support.toys import wait_until

pytest_plugins = ("tests.support.door_fixtures",)
ME = {"Cookie": "atelier_user=" + "m" * 22}
SETTINGS = {"parameters": f"{A1111}v1.10.1"}


class Place:
    """A folder of pictures, and a studio's book and outputs beside it."""

    def __init__(self, path: Path) -> None:
        self.path, self.pictures, self.outputs = path, path / "pictures", path / "outputs"
        self.pictures.mkdir(parents=True)
        self.outputs.mkdir()
        self.open()

    def open(self) -> None:
        self.book = JobBook(self.outputs / "studio.db", self.outputs)
        self.folders = Folders(self.book, Outputs(self.outputs), lambda name: f"id of {name}")

    def close(self) -> None:
        self.folders.close()
        self.book.close()

    def put(self, name: str, texts: dict[str, str] | None = None, size: tuple[int, int] = (16, 24)) -> Path:
        path = self.pictures / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(png(SETTINGS if texts is None else texts, size))
        return path

    def bring(self, copies: bool = False) -> Any:
        self.folders.bring(str(self.pictures), copies)
        return self.finished()

    def finished(self) -> Any:
        wait_until(lambda: self.folders.news()[0]["state"] != "reading", 30)
        return self.folders.news()[0]

    def records(self) -> list[PictureRecord]:
        rows = self.book._all("select id from picture where program is not null order by number", ())
        return [record for row in rows if (record := self.book.picture(row["id"]))]


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    made = Place(tmp_path)
    yield made
    made.close()


def counts(news: Any) -> dict[str, int]:
    return {name: news[name] for name in ("settings", "none", "no_picture", "unreadable", "same") if news[name]}


def test_pictures_become_rows_with_what_they_say_and_stay_where_they_are(place: Place) -> None:
    first = place.put("2024/a.png")
    place.put("b.png", {"prompt": told(comfy_graph())})
    place.put("c.png", {}, (30, 20))
    place.put("d.png", {"Description": "a walk by the sea"}, (31, 20))
    before = {path: path.stat().st_mtime_ns for path in place.pictures.rglob("*")}
    news = place.bring()
    assert counts(news) == {"settings": 2, "none": 2} and (news["total"], news["done"], news["state"]) == (4, 4, "done")
    found = {record.path.name: record for record in place.records()}
    assert {name: record.program for name, record in found.items()} == {
        "a.png": "AUTOMATIC1111",
        "b.png": "ComfyUI",
        "c.png": "",
        "d.png": "",
    }
    assert all(record.user == NOBODY and record.outside for record in found.values())
    assert found["a.png"].path == first.resolve() and (found["c.png"].width, found["c.png"].height) == (30, 20)
    request = drawing(found["b.png"].request)
    assert (request.prompt, request.seed, request.checkpoint) == (files.WORDS, files.SEED, "id of meadow")
    assert drawing(found["d.png"].request).prompt == "a walk by the sea" and found["c.png"].note
    assert found["a.png"].created == pytest.approx(first.stat().st_mtime)
    assert {path: path.stat().st_mtime_ns for path in place.pictures.rglob("*")} == before
    assert list(place.outputs.rglob("*.png")) == []


def test_what_was_brought_in_does_not_push_out_what_was_drawn(place: Place) -> None:
    place.put("a.png")
    place.bring()
    assert place.book.recent("", 60, owner=True) == [] and len(place.records()) == 1


def test_every_kind_of_file_is_counted_for_what_it_is(place: Place) -> None:
    place.put("good.png")
    place.put("again.png")
    (place.pictures / "lies.png").write_bytes(b"<html>not a picture</html>")
    (place.pictures / "cut.jpg").write_bytes(b"\xff\xd8\xff\xe0")
    (place.pictures / "notes.txt").write_text("left alone")
    (place.pictures / ".hidden.png").write_bytes(png(SETTINGS, (40, 40)))
    place.put(".secret/e.png", SETTINGS, (41, 40))
    os.mkfifo(place.pictures / "pipe.png")
    (place.pictures / "folder.png").mkdir()
    assert counts(place.bring()) == {"settings": 1, "same": 1, "no_picture": 2}


def test_links_in_a_circle_and_to_the_same_folder_are_followed_once(place: Place) -> None:
    place.put("a/b/c.png")
    (place.pictures / "a" / "b" / "up").symlink_to(place.pictures)
    (place.pictures / "twin").symlink_to(place.pictures / "a")
    (place.pictures / "self").symlink_to("self")
    (place.pictures / "out").symlink_to(place.outputs)
    (place.pictures / "dead.png").symlink_to("nowhere.png")
    (place.outputs / "ours.png").write_bytes(png({}))
    assert [found[0].name for found in files_in(place.pictures, place.outputs) if found] == ["c.png"]
    deep = place.pictures
    for _ in range(100):
        deep = deep / "d"
    deep.mkdir(parents=True)
    assert counts(place.bring()) == {"settings": 1}


def test_a_folder_within_that_cannot_be_opened_is_counted(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    place.put("a.png")
    place.put("shut/b.png", SETTINGS, (50, 50))
    real = os.scandir
    monkeypatch.setattr(os, "scandir", lambda path: _refuse() if str(path).endswith("shut") else real(path))
    news = place.bring()
    assert counts(news) == {"settings": 1} and news["unopened"] == 1 and news["state"] == "done"


def _refuse() -> Any:
    raise PermissionError(13, "no")


@pytest.mark.parametrize("path", ["", "relative", "/no/such/folder", "/dev/null", "~nobody/x", "/tmp\0x", "x" * 9000])
def test_what_is_no_folder_is_refused_in_a_sentence_without_a_path(place: Place, path: str) -> None:
    with pytest.raises(UserError, match=r"^There is no such folder"):
        place.folders.bring(path)


def test_our_own_pictures_are_not_brought_in(place: Place) -> None:
    (place.outputs / "2024-01-01").mkdir()
    for own in (place.outputs, place.outputs / "2024-01-01"):
        with pytest.raises(UserError, match="its own pictures"):
            place.folders.bring(str(own))
    place.put("a.png")
    place.folders.bring(str(place.path))
    assert counts(place.finished()) == {"settings": 1}


def many(place: Place, count: int) -> None:
    """Files that differ in a few bytes."""
    whole = png(SETTINGS)
    for number in range(count):
        (place.pictures / f"{number:05}.png").write_bytes(whole + b"%d" % number)


def test_a_stop_and_a_restart_cost_nothing_that_was_done(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    many(place, 120)
    monkeypatch.setattr(service, "BATCH", 10)
    looked: list[str] = []
    real = service.FileLooker.look

    def slowly(self: Any, path: Path, *rest: Any) -> Any:
        looked.append(path.name)
        time.sleep(0.002)
        return real(self, path, *rest)

    monkeypatch.setattr(service.FileLooker, "look", slowly)
    folder_id = place.folders.bring(str(place.pictures))
    wait_until(lambda: place.folders.news()[0]["done"] >= 20)
    place.folders.stop(folder_id)
    assert place.finished()["state"] == "stopped" and place.folders.news()[0]["done"] < 120
    place.folders.go_on(folder_id)
    wait_until(lambda: place.folders.news()[0]["done"] >= 60)
    place.close()  # in the middle
    place.open()
    assert place.folders.news()[0]["state"] == "reading"
    place.folders.start()
    assert place.finished()["done"] == 120 and place.finished()["state"] == "done"
    assert len(place.records()) == 120
    assert len(looked) - len({*looked}) <= 2  # none twice but those that were just then in work


def test_a_folder_that_is_brought_in_again_is_read_where_it_has_changed(place: Place) -> None:
    kept, changed, moved = place.put("kept.png"), place.put("changed.png", SETTINGS, (60, 60)), place.put("moved.png", SETTINGS, (61, 61))
    place.bring()
    before = {record.path.name: record.id for record in place.records()}
    os.utime(kept, (1, 1))
    changed.write_bytes(png({"prompt": told(comfy_graph())}))
    moved.rename(place.pictures / "renamed.png")
    place.put("new.png", SETTINGS, (62, 62))
    place.bring()
    after = {record.id: record for record in place.records()}
    assert len(after) == 5  # the changed one is two: as it was, and as it is
    assert after[before["moved.png"]].path.name == "renamed.png"
    place.folders.check(after[before["kept.png"]])
    place.folders.check(after[before["moved.png"]])
    with pytest.raises(UserError, match="changed after it was brought in"):
        place.folders.check(after[before["changed.png"]])


def test_a_file_that_is_gone_or_another_one_is_said(place: Place) -> None:
    path = place.put("a.png")
    place.bring()
    [record] = place.records()
    place.folders.check(record)
    data = path.read_bytes()
    path.write_bytes(data + b"more")
    with pytest.raises(UserError, match="changed"):
        place.folders.check(record)
    path.unlink()
    with pytest.raises(UserError, match="not in its folder any more"):
        place.folders.check(record)


def test_a_folder_that_goes_away_is_said_and_may_come_back(place: Place) -> None:
    place.put("a.png")
    folder_id = place.folders.bring(str(place.pictures))
    place.finished()
    place.pictures.rename(place.path / "elsewhere")
    place.folders.go_on(folder_id)
    news = place.finished()
    assert news["state"] == "failed" and "cannot be read any more" in news["message"] and str(place.path) not in news["message"]
    (place.path / "elsewhere").rename(place.pictures)
    place.folders.go_on(folder_id)
    assert place.finished()["state"] == "done"


def test_copies_are_made_only_where_they_were_asked_for_and_once(place: Place) -> None:
    place.put("a.png")
    place.put("twin.png")
    place.put("words.png", {}, (70, 70))
    assert counts(place.bring(copies=True)) == {"settings": 1, "same": 1, "none": 1}
    copied = sorted(place.outputs.glob("????-??-??/*.png"))
    assert [path.read_bytes() for path in copied] == [(place.pictures / name).read_bytes() for name in ("a.png", "words.png")]
    assert [record.path for record in place.records()] == copied and not any(record.outside for record in place.records())


def test_a_full_disk_stops_the_copies_with_a_sentence(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    place.put("a.png")
    monkeypatch.setattr("shutil.disk_usage", lambda _: type("Usage", (), {"free": 1000})())
    news = place.bring(copies=True)
    assert news["state"] == "stopped" and "Make room" in news["message"] and place.records() == []


def test_a_book_that_is_made_again_keeps_what_was_brought_in(place: Place) -> None:
    place.put("a.png")
    place.bring()
    [record] = place.records()
    place.close()
    place.book = JobBook(place.outputs / "studio.db", place.outputs, again=True)
    place.folders = Folders(place.book, Outputs(place.outputs), str)
    assert place.records() == [record]
    place.folders.check(record)
    assert counts(place.bring()) == {"settings": 1} and len(place.records()) == 1


def test_while_a_picture_is_drawn_it_rests_most_of_the_time(place: Place) -> None:
    many(place, 40)
    place.book.submit(TextToImage(), "somebody")
    assert place.book.claim()
    began = time.monotonic()
    place.folders.bring(str(place.pictures))
    time.sleep(0.3)
    done = place.folders._progress[place.folders.news()[0]["id"]].fresh
    assert done < 40, f"{done} files in {time.monotonic() - began:.1f} s"
    job = place.book.current("somebody")
    assert job
    place.book.end(job, "done")
    assert place.finished()["done"] == 40


def test_a_thousand_files_are_entered_in_time(place: Place) -> None:
    many(place, 1000)
    began = time.monotonic()
    assert place.bring()["settings"] == 1000
    assert time.monotonic() - began < 30


# ------------------------------------------------------------------------------------------------ over HTTP


def guest(door: RunningDoor) -> dict[str, str]:
    return ME | {"Host": f"lan.test:{door.port}"}


def test_only_the_owner_brings_in_folders(studio_door: RunningDoor, tmp_path: Path) -> None:
    for path in ("/folders", "/folders/stop", "/folders/go-on"):
        answer = studio_door.post_json(path, {"folder": str(tmp_path), "id": "x"}, guest(studio_door))
        assert answer.status == 403 and "Only the owner" in answer.json()["message"]
    assert studio_door.ask("GET", "/folders", headers=guest(studio_door)).status == 403
    for path, body in (("/folders", {"folder": 5}), ("/folders", {}), ("/folders/stop", {"id": "x"}), ("/folders/go-on", {"id": ["x"]})):
        assert studio_door.post_json(path, body, ME).status == 422
    studio_door.check()


def test_a_picture_of_a_folder_is_served_to_the_owner_alone_and_no_path_is_told(studio_door: RunningDoor, tmp_path: Path) -> None:
    (tmp_path / "album").mkdir()
    path = tmp_path / "album" / "one.jpg"
    Image.new("RGB", (640, 320), (200, 30, 30)).save(path, "JPEG")
    assert studio_door.post_json("/folders", {"folder": str(tmp_path / "album")}, ME).status == 200
    wait_until(lambda: studio_door.ask("GET", "/folders", headers=ME).json()["folders"][0]["state"] == "done")
    told = studio_door.ask("GET", "/folders", headers=ME)
    assert str(tmp_path) not in told.text and told.json()["folders"][0]["name"] == "album"
    book = JobBook(studio_door.folder / "outputs" / "studio.db", studio_door.folder / "outputs")
    picture = book._all("select id from picture where place = ?", (str(path.resolve()),))[0]["id"]
    book.close()
    answer = studio_door.ask("GET", f"/picture/{picture}.png", headers=ME)
    assert (answer.status, answer.headers["content-type"], answer.body) == (200, "image/jpeg", path.read_bytes())
    assert studio_door.ask("GET", f"/thumb/{picture}", headers=ME).headers["content-type"] == "image/webp"
    for address in (f"/picture/{picture}.png", f"/thumb/{picture}"):
        assert studio_door.ask("GET", address, headers=guest(studio_door)).status == 404
    path.write_bytes(b"another one")
    answer = studio_door.ask("GET", f"/picture/{picture}.png", headers=ME)
    assert answer.status == 404 and "changed" in answer.json()["message"] and str(tmp_path) not in answer.text
    for address in (f"/picture/{picture}/details", f"/compare?ids={picture},{picture}"):
        answer = studio_door.ask("GET", address, headers=ME)
        assert answer.status == 404 and "changed" in answer.json()["message"]
    path.unlink()
    for address in (f"/picture/{picture}.png", f"/picture/{picture}/details"):
        assert "not in its folder" in studio_door.ask("GET", address, headers=ME).json()["message"]
    assert studio_door.ask("GET", f"/picture/{picture}.png", headers=guest(studio_door)).json()["message"].startswith("There is no such")
    studio_door.check()
