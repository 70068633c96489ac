"""What people do with jobs that wait: reorder, lanes, cancel and undo, pause, edit. Over restarts, from two windows, against strangers."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from models.errors import UserError
from pipelines import NotYours, Studio, TextToImage, TooLate
from pipelines.job_book.book import ENDED, JobBook
from pipelines.job_book.room import JOBS_A_USER
from pipelines.jobs.progress import Bell
from pipelines.services.queue import Queue
from tests.support.toys import ToyPainter, toy_studio, wait_until

SMALL: dict[str, Any] = {"steps": 1, "width": 64, "height": 64, "seed": 3}


def asked(prompt: str = "", **more: Any) -> TextToImage:
    return TextToImage(prompt=prompt, **SMALL | more)


@pytest.fixture
def studio(tmp_path: Path) -> Iterator[Studio]:
    """One whose worker does not run: everything waits."""
    studio = toy_studio(tmp_path, start=False)
    yield studio
    studio.close()


@pytest.fixture
def runner() -> ToyPainter:
    return ToyPainter(gate=threading.Semaphore(0))


@pytest.fixture
def drawing(tmp_path: Path, runner: ToyPainter) -> Iterator[Studio]:
    """One whose painter makes a step when the test lets it."""
    studio = toy_studio(tmp_path, runner=runner)
    yield studio
    allow(runner, 10_000)
    studio.close()


def allow(runner: ToyPainter, steps: int) -> None:
    assert runner.gate
    runner.gate.release(steps)


def words(studio: Studio, user: str = "ada", owner: bool = False) -> list[str]:
    jobs = studio.queue.news(user, owner)["jobs"]
    assert jobs is not None
    return [job["words"] for job in jobs if job["mine"] or owner]


def entry(studio: Studio, job_id: str, user: str = "ada") -> Any:
    return next(job for job in studio.queue.news(user, False)["jobs"] or () if job["job"] == job_id)


def served(studio: Studio) -> list[str]:
    """What is drawn from now on, by its words."""
    names = []
    while job := studio.book.claim():
        names.append(job.request.words)
        studio.book.end(job.id, "done")
    return names


# ------------------------------------------------------------------------------------------------ order


def test_a_job_is_moved_before_another_and_to_a_lane_and_stays_there_over_a_restart(studio: Studio, tmp_path: Path) -> None:
    ids = {name: studio.submit(asked(name), "ada") for name in "abcde"}
    studio.queue.move(ids["d"], "ada", before=ids["b"])
    assert words(studio) == list("adbce")
    studio.queue.move(ids["e"], "ada", lane="now")
    studio.queue.move(ids["a"], "ada", lane="idle")
    studio.queue.move(ids["d"], "ada")
    assert words(studio) == list("ebcda")
    assert [entry(studio, ids[name])["lane"] for name in "eba"] == ["now", "next", "idle"]
    studio.submit(asked("f"), "ada")
    again = toy_studio(tmp_path, start=False)
    assert words(again) == list("ebcdfa") and served(again) == list("ebcdfa")
    again.close()


def test_a_move_before_a_job_of_another_lane_goes_into_that_lane(studio: Studio) -> None:
    ids = {name: studio.submit(asked(name), "ada", lane="idle" if name in "xy" else "next") for name in "axby"}
    studio.queue.move(ids["a"], "ada", before=ids["y"])
    assert words(studio) == list("bxay") and entry(studio, ids["a"])["lane"] == "idle"


def test_moving_one_s_own_changes_nobody_else_s_turn(studio: Studio) -> None:
    ids = [studio.submit(asked(name), "ada") for name in ("a1", "a2", "a3")]
    for name in ("b1", "b2"):
        studio.submit(asked(name), "bob")
    studio.queue.move(ids[2], "ada", before=ids[0])
    studio.queue.move(ids[1], "ada", lane="now")
    assert served(studio) == ["a2", "b1", "a3", "b2", "a1"]


# ------------------------------------------------------------------------------------------------ cancel and undo


def test_what_was_cancelled_comes_back_to_its_place(studio: Studio, tmp_path: Path) -> None:
    ids = {name: studio.submit(asked(name), "ada") for name in "abc"}
    studio.queue.move(ids["c"], "ada", before=ids["a"])
    assert studio.queue.cancel([ids["a"]], "ada") == [ids["a"]] and words(studio) == list("cb")
    assert sorted(studio.queue.cancel_all("ada")) == sorted([ids["b"], ids["c"]]) and words(studio) == []
    again = toy_studio(tmp_path, start=False)
    again.queue.restore(list(ids.values()), "ada")
    assert words(again) == list("cab")
    with pytest.raises(TooLate, match="come back"):
        again.queue.restore([ids["a"]], "ada")
    again.close()


def test_a_running_job_that_was_cancelled_goes_on_behind_what_it_has_drawn(drawing: Studio, runner: ToyPainter) -> None:
    job = drawing.submit(asked(batch_count=4, steps=2), "ada")
    allow(runner, 5)  # two pictures and a half
    wait_until(lambda: runner.steps_made == 5)
    assert drawing.queue.cancel([job], "ada") == [job]
    threading.Timer(0.1, lambda: allow(runner, 1)).start()  # the step in work
    drawing.queue.restore([job], "ada")
    allow(runner, 100)
    wait_until(lambda: drawing.job(job, "ada").state == "done")
    assert [record.seed for record in drawing.book.pictures_of(job)] == [3, 4, 5, 6]


def test_cancel_all_leaves_the_running_one_unless_it_is_meant_too(drawing: Studio, runner: ToyPainter) -> None:
    running, *waiting = [drawing.submit(asked(batch_count=3), "ada") for _ in range(3)]
    wait_until(lambda: drawing.job(running, "ada").state == "running")
    assert sorted(drawing.queue.cancel_all("ada")) == sorted(waiting)
    assert drawing.queue.cancel_all("ada", running=True) == [running]
    allow(runner, 1)
    wait_until(lambda: drawing.job(running, "ada").state == "stopped")


def test_what_has_ended_is_cancelled_by_nobody_and_its_undo_is_refused(studio: Studio) -> None:
    job = studio.submit(asked("a"), "ada")
    served(studio)
    queue = studio.queue
    for act in (lambda: queue.cancel([job], "ada"), lambda: queue.restore([job], "ada"), lambda: queue.move(job, "ada")):
        with pytest.raises(TooLate):
            act()


def test_an_undo_makes_the_queue_no_longer_than_it_may_be(studio: Studio) -> None:
    gone = studio.submit(asked(), "ada")
    studio.queue.cancel([gone], "ada")
    for _ in range(JOBS_A_USER):
        studio.book.submit(asked(), "ada")
    with pytest.raises(UserError, match="the most"):
        studio.queue.restore([gone], "ada")


# ------------------------------------------------------------------------------------------------ pause


def test_who_pauses_comes_to_the_end_of_the_batch_and_others_go_on(drawing: Studio, runner: ToyPainter) -> None:
    mine, other = drawing.submit(asked(batch_count=3, steps=2), "ada"), drawing.submit(asked(batch_count=2), "bob")
    allow(runner, 1)
    wait_until(lambda: runner.steps_made == 1)
    drawing.queue.pause("ada", True)
    allow(runner, 100)
    wait_until(lambda: drawing.job(other, "bob").state == "done")
    assert drawing.job(mine, "ada").state == "waiting" and len(drawing.book.pictures_of(mine)) == 1
    news = drawing.queue.news("ada", False)
    assert news["paused"] and not news["all_paused"] and entry(drawing, mine)["place"] is None
    assert "paused" in drawing._news._progress(mine, "ada", -1)["message"]
    drawing.queue.pause("ada", False)
    wait_until(lambda: drawing.job(mine, "ada").state == "done")
    assert len(drawing.book.pictures_of(mine)) == 3


def test_a_paused_studio_draws_nothing_also_after_a_restart(tmp_path: Path) -> None:
    first = toy_studio(tmp_path)
    first.queue.pause_all(True)
    job = first.submit(asked(), "ada")
    first.close()
    again = toy_studio(tmp_path)
    wait_until(lambda: again.engine_state()[0] == "ready")
    time.sleep(0.1)
    assert again.job(job, "ada").state == "waiting" and again.queue.news("bob", False)["all_paused"]
    again.queue.pause_all(False)
    wait_until(lambda: again.job(job, "ada").state == "done")
    again.close()


# ------------------------------------------------------------------------------------------------ edit


def test_a_job_that_is_edited_is_not_drawn_and_comes_back_to_its_place_with_another_request(studio: Studio) -> None:
    ids = [studio.submit(asked(name), "ada") for name in ("first", "second", "third")]
    taken = studio.queue.take(ids[0], "ada")
    assert words(studio) == ["first", "second", "third"], "it stands where it stood"
    assert taken.words == "first" and entry(studio, ids[0])["state"] == "held"
    job = studio.book.claim()
    assert job and job.id == ids[1]
    studio.book.end(job.id, "done")
    studio.queue.put_back(ids[0], replace(asked("changed"), batch_count=3), "ada")
    assert words(studio) == ["changed", "third"] and entry(studio, ids[0])["pictures_total"] == 3


def test_a_job_that_is_never_given_back_waits_again_after_half_an_hour(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    job = studio.submit(asked("first"), "ada")
    studio.queue.take(job, "ada")
    assert studio.book.claim() is None
    now = time.time()
    monkeypatch.setattr("pipelines.job_book.order.time.time", lambda: now + 1801)
    assert (claimed := studio.book.claim()) and claimed.id == job
    with pytest.raises(TooLate, match="drawn at this moment"):
        studio.queue.put_back(job, asked("late"), "ada")


def test_the_worker_finds_a_job_that_came_back_by_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipelines.jobs.hand.LOOKS", 0.05)
    monkeypatch.setattr("pipelines.job_book.order.HELD", 0.3)
    studio = toy_studio(tmp_path)
    studio.queue.pause_all(True)
    job = studio.submit(asked(), "ada")
    studio.queue.take(job, "ada")
    studio.queue.pause_all(False)
    time.sleep(0.1)
    assert studio.job(job, "ada").state == "waiting"
    wait_until(lambda: studio.job(job, "ada").state == "done")
    studio.close()


def test_of_two_windows_that_edit_one_job_the_second_is_told(studio: Studio) -> None:
    job = studio.submit(asked("first"), "ada")
    for _ in range(2):
        studio.queue.take(job, "ada")
    studio.queue.put_back(job, asked("from the first window"), "ada")
    with pytest.raises(TooLate, match="put back meanwhile"):
        studio.queue.put_back(job, asked("from the second"), "ada")
    assert words(studio) == ["from the first window"]
    studio.queue.take(job, "ada")
    studio.queue.give_back(job, "ada")
    studio.queue.give_back(job, "ada")
    assert served(studio) == ["from the first window"]


def test_what_is_drawn_or_begun_is_not_edited_and_says_so(studio: Studio) -> None:
    job_id = studio.submit(asked("a", batch_count=3), "ada")
    studio.submit(asked("b"), "bob")
    job = studio.book.claim()
    assert job
    for act in (lambda: studio.queue.take(job_id, "ada"), lambda: studio.queue.move(job_id, "ada", lane="now")):
        with pytest.raises(TooLate, match="at this moment"):
            act()
    job.progress.batch, job.progress.pictures = 1, 1
    studio.book.queue.used(job_id, job.progress, 1.0)
    assert not studio.book.queue.goes_on(job_id)
    with pytest.raises(TooLate, match="drawn already"):
        studio.queue.take(job_id, "ada")
    assert entry(studio, job_id)["begun"]


def test_a_request_that_cannot_be_drawn_is_not_put_back(studio: Studio) -> None:
    job = studio.submit(asked("first"), "ada")
    studio.queue.take(job, "ada")
    with pytest.raises(UserError, match="checkpoint"):
        studio.queue.put_back(job, asked("x", checkpoint="nowhere"), "ada")
    assert entry(studio, job)["state"] == "held"


# ------------------------------------------------------------------------------------------------ once, copies, strangers


def test_an_order_that_comes_twice_is_taken_once(studio: Studio) -> None:
    first = studio.submit(asked("a"), "ada", once="7")
    assert studio.submit(asked("a"), "ada", once="7") == first != studio.submit(asked("a"), "bob", once="7")
    copies = {studio.queue.duplicate(first, "ada", once="8") for _ in range(2)}
    assert len(copies) == 1 and words(studio) == ["a", "a"]


def test_a_copy_stands_in_the_lane_of_the_job(studio: Studio) -> None:
    job = studio.submit(asked("a"), "ada", lane="idle")
    copy = studio.queue.duplicate(job, "ada")
    assert entry(studio, copy)["lane"] == "idle" and studio.job(copy, "ada").request == studio.job(job, "ada").request


ACTS: dict[str, Callable[[Queue, str, str], object]] = {
    "move": lambda queue, job, user: queue.move(job, user, lane="now"),
    "cancel": lambda queue, job, user: queue.cancel([job], user),
    "undo": lambda queue, job, user: queue.restore([job], user),
    "duplicate": lambda queue, job, user: queue.duplicate(job, user),
    "take": lambda queue, job, user: queue.take(job, user),
    "give back": lambda queue, job, user: queue.give_back(job, user),
    "put back": lambda queue, job, user: queue.put_back(job, asked("evil"), user),
}


@pytest.mark.parametrize("act", ACTS.values(), ids=ACTS.keys())
def test_nobody_acts_on_another_person_s_job_or_on_none(studio: Studio, act: Callable[[Queue, str, str], object]) -> None:
    job = studio.submit(asked("mine"), "ada")
    before = studio.book._db.execute("select * from job").fetchall()
    for job_id in (job, "nothing", "\ud800"):
        with pytest.raises(NotYours, match="not among yours"):
            act(studio.queue, job_id, "bob")
    assert studio.book._db.execute("select * from job").fetchall() == before


def test_others_see_that_somebody_waits_and_the_owner_sees_what(studio: Studio) -> None:
    mine = studio.submit(asked("a secret", batch_count=3), "ada")
    studio.submit(asked("own"), "bob")
    seen = studio.queue.news("bob", False)["jobs"]
    assert seen and [job["mine"] for job in seen] == [False, True] and seen[0]["pictures_total"] == 3
    assert "secret" not in str(seen) and mine not in str(seen)
    whole = studio.queue.news("boss", True)["jobs"]
    assert whole and [(job["words"], job["person"]) for job in whole] == [("a secret", 1), ("own", 2)]
    assert studio.queue.cancel([mine], "boss", owner=True) == [mine]
    studio.queue.restore([mine], "boss", owner=True)
    assert words(studio) == ["a secret"]


def test_a_long_queue_is_told_in_part_and_how_much_is_left_out(studio: Studio) -> None:
    few = Queue(studio.book, studio._worker, studio._news, studio.admission.admitted, most=2)
    for number in range(5):
        studio.submit(asked(), f"guest {number}")
    mine = studio.submit(asked("mine"), "ada")
    news = few.news("ada", False)
    assert news["jobs"] and [job["job"] for job in news["jobs"]] == ["", "", mine] and news["more"] == 3


# ------------------------------------------------------------------------------------------------ what is told


def test_expected_seconds_follow_what_batches_took(studio: Studio) -> None:
    first, other = studio.submit(asked("a", batch_count=4), "ada"), studio.submit(asked("b", steps=2), "bob")
    job = studio.book.claim()
    assert job and entry(studio, first)["left"] is None
    job.progress.batch, job.progress.pictures = 1, 1
    studio.book.queue.used(first, job.progress, 10.0)
    later = studio.submit(asked("c"), "ada")
    assert not studio.book.queue.goes_on(first)
    studio._worker.changed()
    assert (entry(studio, other, "bob")["start"], entry(studio, other, "bob")["left"]) == (0.0, pytest.approx(20.0))
    assert (entry(studio, first)["start"], entry(studio, first)["left"]) == (pytest.approx(20.0), pytest.approx(30.0))
    assert entry(studio, later)["start"] == pytest.approx(50.0)


def watch(studio: Studio, user: str, after: int, timeout: float = 5) -> dict[str, Any]:
    return dict(asyncio.run(studio.queue.watch(user, False, after, timeout)))


def test_one_watch_tells_of_the_queue_and_of_every_step_of_the_own_job(drawing: Studio, runner: ToyPainter) -> None:
    job = drawing.submit(asked(steps=5), "ada")
    wait_until(lambda: drawing.job(job, "ada").state == "running")
    news, previews = watch(drawing, "ada", -1), set[str]()
    assert news["running"]["job"] == job and news["jobs"][0]["state"] == "running"
    for step in range(1, 5):
        allow(runner, 1)
        news = watch(drawing, "ada", news["version"])
        assert (news["running"]["step"], news["jobs"]) == (step, None)
        previews.update(news["running"]["previews"])
    assert len(previews) == 4
    drawing.submit(asked("more"), "ada")
    news = watch(drawing, "ada", news["version"])
    assert [job["words"] for job in news["jobs"]] == ["", "more"]


def test_steps_of_others_wake_nobody_and_ask_nothing_of_the_book(
    drawing: Studio, runner: ToyPainter, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = drawing.submit(asked(steps=50), "ada")
    wait_until(lambda: drawing.job(job, "ada").state == "running")
    after, asks = watch(drawing, "bob", -1)["version"], list[str]()
    monkeypatch.setattr(JobBook, "job", lambda *given: asks.append("job"))
    monkeypatch.setattr("pipelines.job_book.file.BookFile.reading", lambda *given: asks.append("reading"))
    threading.Timer(0.05, lambda: allow(runner, 20)).start()
    monkeypatch.setattr("pipelines.services.queue.Queue.news", lambda queue, *given: {"asked": list(asks)})
    begin = time.monotonic()
    assert watch(drawing, "bob", after, 0.5) == {"asked": []} and time.monotonic() - begin >= 0.5
    monkeypatch.undo()
    assert runner.steps_made >= 20


def test_the_list_is_made_once_however_many_look(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    made, listing = [], studio.book.queue.listing
    monkeypatch.setattr(studio.book.queue, "listing", lambda devices: made.append(1) or listing(devices))
    for number in range(5):
        studio.submit(asked(), f"guest {number}")
    for number in range(20):
        studio.queue.news(f"guest {number}", False)
    assert len(made) == 1


def test_acts_from_many_threads_leave_a_sound_queue(tmp_path: Path) -> None:
    studio = toy_studio(tmp_path)
    jobs = [studio.submit(asked(batch_count=3), "ada") for _ in range(12)]

    def act(number: int) -> None:
        for turn in range(12):
            job = jobs[(number * 5 + turn) % len(jobs)]
            for deed in list(ACTS.values())[:3]:
                try:
                    deed(studio.queue, job, "ada")
                except UserError:
                    continue
            studio.queue.pause("ada", turn % 2 == 0)

    threads = [threading.Thread(target=act, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    studio.queue.pause("ada", False)
    wait_until(lambda: all(studio.job(job, "ada").state in ENDED for job in jobs), 30)
    for job in jobs:
        seeds = [record.seed for record in studio.book.pictures_of(job)]
        assert seeds == [3, 4, 5][: len(seeds)] and (studio.job(job, "ada").state == "done") == (len(seeds) == 3)
    studio.close()


def test_a_step_wakes_its_own_person_and_who_hears_all_and_nobody_else() -> None:
    async def woken() -> tuple[list[str], list[str]]:
        bell = Bell()
        tickets = {name: bell.ticket(name) for name in ("ada", "bo", "")}
        bell.ring("ada")
        await asyncio.sleep(0)
        first = [name for name, ticket in tickets.items() if ticket.is_set()]
        bell.ring()
        await asyncio.sleep(0)
        return first, [name for name, ticket in tickets.items() if ticket.is_set()]

    assert asyncio.run(woken()) == (["ada", ""], ["ada", "bo", ""])
