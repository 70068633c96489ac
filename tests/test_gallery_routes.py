"""The library over HTTP: typed answers, sentences for what cannot be, and nobody sees what is another's."""

from __future__ import annotations

import io
import zipfile
from typing import Any
from urllib.parse import quote

import pytest

from tests.support.doors import RunningDoor
from tests.support.toys import WORDS

pytest_plugins = ("tests.support.door_fixtures",)
ME, OTHER = ({"Cookie": f"atelier_user={letter * 22}"} for letter in "gh")


@pytest.fixture(scope="module")
def pictures(studio_door: RunningDoor) -> list[str]:
    """Two of mine, drawn by a job."""
    assert "house" in WORDS
    outcome, [job] = studio_door.run({"prompt": "a red house", "steps": 1, "width": 64, "height": 64, "seed": 7, "batch_count": 2}, ME)
    assert outcome == "complete"
    return [picture["id"] for picture in studio_door.finish(job, ME)["pictures"]]


def asked(door: RunningDoor, query: str = "", who: dict[str, str] = ME, **more: object) -> Any:
    extra = "".join(f"&{name}={value}" for name, value in more.items())
    return door.ask("GET", f"/library?query={quote(query)}{extra}", headers=who).json()


def lan(door: RunningDoor, who: dict[str, str]) -> dict[str, str]:
    """A visitor who is not the owner."""
    return who | {"Host": f"lan.test:{door.port}"}


def test_a_search_answers_rows_chips_and_sentences(studio_door: RunningDoor, pictures: list[str]) -> None:
    answer = asked(studio_door, "house model:toy -snow colour:red", zone=60)
    assert [each["id"] for each in answer["pictures"]] == pictures[::-1] and answer["total"] == 2
    assert [(chip["text"], chip["negated"]) for chip in answer["chips"]] == [("house", False), ("model:toy", False), ("-snow", True)]
    assert "no filter “colour”" in answer["notes"][0]
    row = answer["pictures"][0]
    assert (row["width"], row["height"], row["prompt"], row["seed"], row["kind"]) == (64, 64, "a red house", "8", "txt2img")
    heads = studio_door.ask("GET", "/library/headings?query=house&group=day&zone=60", headers=ME).json()
    assert heads["counts"] == [2] and len(heads["keys"]) == 1


def test_a_search_of_100000_letters_is_a_sentence(studio_door: RunningDoor, pictures: list[str]) -> None:
    answer = studio_door.post_json("/library", {"query": "a" * 100_000}, ME)
    assert answer.status == 200 and "2,000 letters" in answer.json()["notes"][0]


def test_marks_boards_and_the_bin_over_http(studio_door: RunningDoor, pictures: list[str]) -> None:
    def post(path: str, values: dict[str, object]) -> Any:
        answer = studio_door.post_json(path, values, ME)
        assert answer.status == 200, answer.text
        return answer.json()

    post("/library/pictures/rate", {"ids": pictures, "rating": 4})
    post("/library/pictures/favourite", {"ids": pictures[:1], "favourite": True})
    post("/library/pictures/note", {"ids": pictures[:1], "note": "<b>mine</b>"})
    board = post("/library/boards", {"name": "<script>"})["id"]
    post(f"/library/boards/{board}/add", {"ids": pictures})
    post(f"/library/boards/{board}/rename", {"name": "<i>"})
    assert studio_door.ask("GET", "/library/boards", headers=ME).json() == {
        "boards": [
            {"id": board, "name": "<i>", "count": 2, "own": True, "shared": False, "shares": True, "maker": "Guest g", "desk": False}
        ]
    }
    details = studio_door.ask("GET", f"/library/pictures/{pictures[0]}", headers=ME).json()
    assert (details["rating"], details["favourite"], details["note"], details["boards"]) == (4, True, "<b>mine</b>", [board])
    assert asked(studio_door, "rating:4 is:favourite")["total"] == 1
    post(f"/library/boards/{board}/remove", {"ids": pictures[:1]})
    post(f"/library/boards/{board}/delete", {})
    post(f"/library/boards/{board}/restore", {})
    mine = asked(studio_door)["total"]  # with those that tests of this door have drawn before
    post("/library/pictures/delete", {"ids": pictures[:1]})
    assert studio_door.ask("GET", "/library/bin", headers=ME).json()["count"] == 1 and asked(studio_door)["total"] == mine - 1
    post("/library/pictures/restore", {"ids": pictures[:1]})
    assert asked(studio_door)["total"] == mine and post("/library/bin/empty", {})["leaving"] == 0


def test_a_zip_is_fetched_by_who_asked_for_it(studio_door: RunningDoor, pictures: list[str]) -> None:
    ready = studio_door.post_json("/library/zip", {"ids": pictures, "settings": False}, ME).json()
    answer = studio_door.ask("GET", f"/library/zip/{ready['id']}", headers=ME)
    assert answer.headers["content-disposition"].startswith("attachment") and ready["count"] == 2
    with zipfile.ZipFile(io.BytesIO(answer.body)) as whole:
        assert len(whole.namelist()) == 2 and whole.testzip() is None
    assert studio_door.ask("GET", f"/library/zip/{ready['id']}", headers=OTHER).status == 404


@pytest.mark.parametrize(
    ("path", "values"),
    [("pictures/rate", {}), ("pictures/rate", {"ids": "x", "rating": 1}), ("pictures/rate", {"ids": [1], "rating": 1}),
     ("pictures/rate", {"ids": ["x"], "rating": "1"}), ("pictures/rate", {"ids": ["x"], "rating": True}),
     ("pictures/note", {"ids": ["x"], "note": None}), ("pictures/burn", {"ids": ["x"]}), ("boards", {"name": 3}), ("boards/x/burn", {}),
     ("boards/x/add", {"ids": ["x"]}), ("zip", {"ids": []}), ("zip", {"ids": ["x"] * 6_000}), ("pictures/delete", {"ids": ["x"] * 10_001})],
)  # fmt: skip
def test_odd_orders_are_answered_with_a_sentence(studio_door: RunningDoor, path: str, values: dict[str, object]) -> None:
    answer = studio_door.post_json(f"/library/{path}", values, ME)
    assert answer.status == 422 and answer.json()["message"].endswith((".", "…"))


@pytest.mark.parametrize("values", ["group=size", "order=best", "offset=x", "count=1e9", "zone=99999", "offset=" + "9" * 400])
def test_odd_questions_are_answered_with_a_sentence(studio_door: RunningDoor, values: str) -> None:
    answer = studio_door.ask("GET", f"/library?{values}", headers=ME)
    assert answer.status == 422 and answer.json()["message"].endswith(".")


def test_nobody_sees_marks_boards_counts_or_files_of_another(studio_door: RunningDoor, pictures: list[str]) -> None:
    studio_door.post_json("/library/pictures/note", {"ids": pictures[:1], "note": "confidential"}, ME)
    studio_door.post_json("/library/boards", {"name": "confidential"}, ME)
    for who in (OTHER, lan(studio_door, OTHER)):
        assert asked(studio_door, "confidential", who)["total"] == 0
        assert not {row["id"] for row in asked(studio_door, "", who)["pictures"]} & {*pictures}
        assert asked(studio_door, 'board:"confidential"', who)["total"] == asked(studio_door, f"like:{pictures[0]}", who)["total"] == 0
        assert studio_door.ask("GET", "/library/boards", headers=who).json() == {"boards": []}
        assert studio_door.ask("GET", f"/library/pictures/{pictures[0]}", headers=who).status == 422
        assert studio_door.post_json("/library/pictures/delete", {"ids": pictures}, who).status == 422
        assert studio_door.post_json("/library/zip", {"ids": pictures}, who).status == 422
    assert {*pictures} <= {row["id"] for row in asked(studio_door)["pictures"]}
