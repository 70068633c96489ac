"""Links and the work of the studio: bounds of what is asked for, and what becomes of jobs when a person is held, let do less or out."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from models.errors import UserError
from pipelines import TextToImage
from pipelines.people.records import Quota
from pipelines.people.roles import LINKED, RANK, Role
from pipelines.people.rules import Maker, Wanted
from pipelines.studio import Studio
from tests.support.toys import ToyPainter, toy_studio, wait_until

OWNER = Maker("owner", "owner")
PICTURE = TextToImage(prompt="a", steps=2, width=1000, height=1000)


@pytest.fixture
def studio(tmp_path: Path) -> Iterator[Studio]:
    made = toy_studio(tmp_path, start=False)
    yield made
    made.close()


def guest_of(studio: Studio, role: Role = "artist", **quota: Any) -> tuple[str, str, str]:
    """The link's id, the cookie, the user."""
    link, token = studio.people.care.make(OWNER, Wanted("Friends", role, quota=Quota(**quota)))
    cookie = studio.people.enter(token, "Ada")
    return link.id, cookie, studio.people.user(cookie)


def role_of(studio: Studio, cookie: str) -> str | None:
    stands = studio.people.standing(cookie)
    return stands.role if stands else None


def test_a_job_beyond_the_jobs_or_the_hour_of_a_link_is_refused_with_figures(studio: Studio) -> None:
    _, _, user = guest_of(studio, jobs=2)
    first = studio.submit(PICTURE, user)
    studio.submit(PICTURE, user)
    for more in (lambda: studio.submit(PICTURE, user), lambda: studio.queue.duplicate(first, user)):
        with pytest.raises(UserError, match="2 jobs waiting"):
            more()
    _, _, user = guest_of(studio, megapixels=2.5)
    job = studio.submit(PICTURE, user)
    studio.submit(PICTURE, user)
    with pytest.raises(UserError, match=r"2\.5 megapixels an hour.*2\.0 within.*this is 1\.0"):
        studio.submit(PICTURE, user)
    studio.queue.take(job, user)
    with pytest.raises(UserError, match="megapixels an hour"):
        studio.queue.put_back(job, TextToImage(steps=2, width=2000, height=1000), user)
    studio.queue.give_back(job, user)
    studio.queue.cancel([job], user)
    other = studio.submit(PICTURE, user)  # what was stopped before it was begun costs nothing
    with pytest.raises(UserError, match="megapixels an hour"):
        studio.queue.restore([job], user)
    studio.queue.cancel([other], user)
    studio.queue.restore([job], user)


def test_an_hour_later_there_is_room_again_and_the_owner_has_no_bounds(studio: Studio) -> None:
    _, _, user = guest_of(studio, megapixels=1.0)
    studio.submit(PICTURE, user)
    with pytest.raises(UserError):
        studio.submit(PICTURE, user)
    studio.book._db.execute("update job set created = created - 3601")
    studio.submit(PICTURE, user)
    studio.submit(PICTURE, user, owner=True)


def test_second_passes_count_for_the_hour_as_well(studio: Studio) -> None:
    _, _, user = guest_of(studio, megapixels=4.9)
    with pytest.raises(UserError, match=r"this is 5\.0"):
        studio.submit(TextToImage(steps=2, width=1000, height=1000, hires=True, hires_factor=2.0), user)


def test_a_link_may_give_less_room_on_the_disk_than_every_guest_has(studio: Studio) -> None:
    _, _, user = guest_of(studio, disk=1_000_000)
    with pytest.raises(UserError, match="GB"):
        studio.submit(PICTURE, user)
    _, _, other = guest_of(studio)
    studio.submit(PICTURE, other)


@pytest.mark.parametrize("role", [role for role in LINKED if RANK[role] < RANK["artist"]])
def test_who_may_only_look_has_nothing_drawn(studio: Studio, role: Role) -> None:
    _, _, user = guest_of(studio, role)
    with pytest.raises(UserError, match="lets you look here, not draw"):
        studio.submit(PICTURE, user)


def states(studio: Studio, *jobs: str) -> list[str]:
    return [found.state if (found := studio.book.job(job)) else "" for job in jobs]


def test_a_link_that_is_taken_back_in_mid_job_lets_that_one_end_and_drops_what_waits(tmp_path: Path) -> None:
    gate = threading.Semaphore(0)
    studio = toy_studio(tmp_path, runner=ToyPainter(gate=gate))
    link, cookie, user = guest_of(studio)
    _, _, other = guest_of(studio)
    runs = studio.submit(PICTURE, user)
    wait_until(lambda: states(studio, runs) == ["running"])
    waits, theirs = studio.submit(PICTURE, user), studio.submit(PICTURE, other)
    studio.people.care.take_back(OWNER, link)
    assert studio.people.standing(cookie) is None
    with pytest.raises(UserError, match="Your way into this studio was closed"):
        studio.submit(PICTURE, user)
    gate.release(100)
    wait_until(lambda: states(studio, theirs) == ["done"])
    assert states(studio, runs, waits, theirs) == ["done", "stopped", "done"]
    studio.close()


def test_who_is_made_a_viewer_in_mid_job_has_it_ended_well_and_the_next_refused(tmp_path: Path) -> None:
    gate = threading.Semaphore(0)
    studio = toy_studio(tmp_path, runner=ToyPainter(gate=gate))
    _, cookie, user = guest_of(studio)
    runs = studio.submit(PICTURE, user)
    wait_until(lambda: states(studio, runs) == ["running"])
    waits = studio.submit(PICTURE, user)
    [person] = studio.people.care.news(OWNER)["links"][0]["people"]
    studio.people.care.set_role(OWNER, person["person"], "viewer")
    assert role_of(studio, cookie) == "viewer"
    with pytest.raises(UserError, match="not draw"):
        studio.submit(PICTURE, user)
    gate.release(100)
    wait_until(lambda: states(studio, runs) == ["done"])
    assert states(studio, waits) == ["stopped"]
    studio.people.care.set_role(OWNER, person["person"], "co-owner")
    assert role_of(studio, cookie) == "artist", "nobody becomes more than the link says"
    studio.close()


def test_who_is_held_draws_nothing_and_loses_nothing(studio: Studio) -> None:
    _, cookie, user = guest_of(studio)
    _, _, other = guest_of(studio)
    [mine, theirs, owners] = [studio.submit(PICTURE, user), studio.submit(PICTURE, other), studio.submit(PICTURE, "owner", owner=True)]
    person = next(each["person"] for link in studio.people.care.news(OWNER)["links"] for each in link["people"]
                  if studio.people.register.members[each["person"]].user == user)  # fmt: skip
    studio.people.care.hold(OWNER, person, held=True)
    with pytest.raises(UserError, match="has paused you"):
        studio.submit(PICTURE, user)
    assert role_of(studio, cookie) == "commenter"
    assert studio.queue.news(user, False)["held"] and not studio.queue.news(other, False)["held"]
    assert {job.id for job in iter(studio.book.claim, None)} == {theirs, owners}
    studio.people.care.hold(OWNER, person, held=False)
    assert [job.id for job in iter(studio.book.claim, None)] == [mine]
    more = studio.submit(PICTURE, other)
    studio.people.care.hold_all(held=True)
    mine_too = studio.submit(PICTURE, "owner", owner=True)
    assert [job.id for job in iter(studio.book.claim, None)] == [mine_too]
    studio.people.care.hold_all(held=False)
    assert [job.id for job in iter(studio.book.claim, None)] == [more]
