"""The queue over HTTP: who may do what, what odd bodies are answered, and one watch for everything that runs."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.doors import Answer, RunningDoor
from tests.test_door_routes import cookie

pytest_plugins = ("tests.support.door_fixtures",)

ME, OTHER = cookie("q"), cookie("r")
SMALL = {"prompt": "a red house", "steps": 2, "width": 64, "height": 64}


@pytest.fixture
def door(studio_door: RunningDoor) -> Iterator[RunningDoor]:
    """Nothing of mine waits or is paused, before and after."""
    for _ in range(2):
        for who in (ME, OTHER):
            studio_door.post_json("/queue/cancel", {"running": True}, who)
            studio_door.post_json("/queue/pause", {"paused": False}, who)
        if _ == 0:
            yield studio_door
    studio_door.check()


def artist(door: RunningDoor, who: dict[str, str]) -> dict[str, str]:
    return who | {"Host": f"lan.test:{door.port}"}


def act(door: RunningDoor, name: str, order: Any, who: dict[str, str] = ME) -> Answer:
    return door.post_json(f"/queue/{name}", order, who)


def news(door: RunningDoor, who: dict[str, str] = ME, after: int = -1, wait: int = 0) -> dict[str, Any]:
    answer = door.ask("GET", f"/queue?after={after}&wait={wait}", headers=who, timeout=30)
    assert answer.status == 200, answer.text
    return answer.json()


def mine(door: RunningDoor, who: dict[str, str] = ME) -> list[str]:
    return [job["job"] for job in news(door, who)["jobs"] if job["mine"]]


def submit(door: RunningDoor, who: dict[str, str] = ME, **values: Any) -> str:
    outcome, [job] = door.run(SMALL | values, who)
    assert outcome == "complete"
    return job


def waiting(door: RunningDoor, count: int, who: dict[str, str] = ME) -> list[str]:
    assert act(door, "pause", {"paused": True}, who).json() == {"jobs": []}
    return [submit(door, who, prompt=f"a {word} house") for word in ("red", "green", "blue")[:count]]


def test_one_s_jobs_are_listed_moved_cancelled_and_brought_back(door: RunningDoor) -> None:
    first, second, third = waiting(door, 3)
    told = news(door)
    assert told["paused"] and mine(door) == [first, second, third]
    assert act(door, "move", {"job": third, "before": first}).json() == {"jobs": [third]}
    assert mine(door) == [third, first, second]
    assert act(door, "cancel", {"jobs": [first, third]}).json() == {"jobs": [first, third]}
    assert mine(door) == [second]
    assert act(door, "undo", {"jobs": [first, third]}).status == 200
    assert mine(door) == [third, first, second]
    assert act(door, "move", {"job": second, "lane": "now"}).status == 200 and mine(door)[0] == second
    act(door, "pause", {"paused": False})
    assert all(door.finish(job, ME)["state"] == "done" for job in (first, second, third))
    late = act(door, "move", {"job": first, "lane": "now"})
    assert late.status == 409 and "ended" in late.json()["message"]


def test_a_waiting_job_is_taken_changed_and_put_back(door: RunningDoor) -> None:
    first, second = waiting(door, 2)
    taken = act(door, "take", {"job": first}).json()
    assert taken["request"]["prompt"] == "a red house" and taken["request"]["kind"] == "txt2img"
    assert [job["state"] for job in news(door)["jobs"] if job["job"] == first] == ["held"]
    changed = taken["request"] | {"prompt": "a blue house", "batch_count": 2}
    assert act(door, "put_back", {"job": first, "request": changed}).status == 200
    assert act(door, "put_back", {"job": first, "request": changed}).status == 409
    act(door, "pause", {"paused": False})
    done = door.finish(first, ME)
    assert [picture["prompt"] for picture in done["pictures"]] == ["a blue house"] * 2 and mine(door) in ([], [second])


def test_a_copy_that_is_ordered_twice_by_one_name_is_made_once(door: RunningDoor) -> None:
    [first] = waiting(door, 1)
    copies = [act(door, "duplicate", {"job": first, "once": "abc"}).json()["jobs"] for _ in range(2)]
    assert copies[0] == copies[1] and len(mine(door)) == 2


def test_nobody_acts_on_a_stranger_s_job_and_sees_no_more_than_that_it_waits(door: RunningDoor) -> None:
    [job] = waiting(door, 1)
    stranger = artist(door, OTHER)
    for name, order in (
        ("move", {"job": job, "lane": "now"}), ("cancel", {"jobs": [job]}), ("undo", {"jobs": [job]}), ("duplicate", {"job": job}),
        ("take", {"job": job}), ("give_back", {"job": job}), ("put_back", {"job": job, "request": {"kind": "txt2img"}}),
    ):  # fmt: skip
        assert act(door, name, order, stranger).status == 404, name
    seen = next(entry for entry in news(door, stranger)["jobs"] if not entry["mine"])
    assert (seen["job"], seen["words"], seen["kind"], seen["picture"], seen["pictures_total"]) == ("", "", "", "", 1)
    owned = next(entry for entry in news(door, OTHER)["jobs"] if entry["job"] == job)  # who sits at the machine is its owner
    assert owned["words"] == "a red house" and not owned["mine"]
    assert act(door, "take", {"job": job}, OTHER).status == 404, "what somebody asked for is nobody else's, the owner's neither"
    assert act(door, "cancel", {"jobs": [job]}, OTHER).json() == {"jobs": [job]} and mine(door) == []


def test_the_owner_alone_pauses_the_studio(door: RunningDoor) -> None:
    refused = act(door, "pause", {"paused": True, "whole": True}, artist(door, ME))
    assert refused.status == 403 and "owner" in refused.json()["message"]
    assert act(door, "pause", {"paused": True, "whole": True}).status == 200
    job = submit(door, OTHER)
    assert news(door, OTHER)["all_paused"] and door.ask("GET", f"/live/{job}", headers=OTHER).json()["state"] == "waiting"
    assert act(door, "pause", {"paused": False, "whole": True}).status == 200
    assert door.finish(job, OTHER)["state"] == "done"


def test_a_watch_follows_what_runs_whichever_tab_began_it(door: RunningDoor) -> None:
    began = news(door)["version"]
    job = submit(door, steps=20)
    told, steps = news(door, after=began, wait=1), set[int]()
    while told["running"] is None or told["running"]["step"] < 5:
        assert told["version"] >= began
        told = news(door, after=told["version"], wait=1)
        steps.add((told["running"] or {}).get("step", 0))
    assert told["running"]["job"] == job and told["running"]["previews"] and len(steps) > 2
    door.finish(job, ME)
    assert news(door, after=told["version"], wait=1)["running"] is None


def test_a_watch_waits_and_one_that_does_not_want_to_is_answered_at_once(door: RunningDoor) -> None:
    version = news(door)["version"]
    begin = time.monotonic()
    assert news(door, after=version)["jobs"] is None and time.monotonic() - begin < 5
    threading.Timer(0.5, lambda: act(door, "pause", {"paused": True}, OTHER)).start()
    begin = time.monotonic()
    assert news(door, after=version, wait=1)["version"] > version and time.monotonic() - begin > 0.4


ODD: list[tuple[str, Any]] = [
    ("move", {}), ("move", {"job": 5}), ("move", {"job": "x" * 65}), ("move", {"job": ""}), ("move", {"job": "a", "before": None}),
    ("cancel", {"jobs": "abc"}), ("cancel", {"jobs": []}), ("cancel", {"jobs": ["a"] * 1001}), ("cancel", {"jobs": [["a"]]}),
    ("cancel", {"running": "yes"}), ("undo", {}), ("pause", {}), ("pause", {"paused": 1}), ("pause", {"paused": True, "whole": "all"}),
    ("duplicate", {"job": "a", "once": "x" * 65}), ("put_back", {"job": "a"}), ("put_back", {"job": "a", "request": [1]}),
    ("put_back", {"job": "a", "request": {"kind": "evil"}}), ("put_back", {"job": "a", "request": {"kind": "txt2img", "steps": "3"}}),
]  # fmt: skip


@pytest.mark.parametrize(("name", "order"), ODD, ids=lambda value: str(value)[:40])
def test_an_order_that_says_nothing_is_answered_with_a_sentence(door: RunningDoor, name: str, order: Any) -> None:
    answer = act(door, name, order)
    assert answer.status == 422 and len(answer.json()["message"]) > 10


def test_a_lane_that_there_is_not_is_refused_and_what_is_no_table_too(door: RunningDoor) -> None:
    [job] = waiting(door, 1)
    assert act(door, "move", {"job": job, "lane": "first"}).status == 422
    assert act(door, "move", {"job": job, "lane": ["now"]}).status == 422
    for body in ([], "text", 5, None):
        assert act(door, "move", body).status == 400
    assert door.ask("POST", "/queue/move", headers=ME).status == 400
    assert door.ask("GET", "/queue/move", headers=ME).status in (404, 405)
    for after in ("", "x", "1.5", "9" * 17, "٣" * 400):
        assert door.ask("GET", f"/queue?after={after.encode().hex() if not after.isascii() else after}x", headers=ME).status == 400
