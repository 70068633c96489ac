"""Pictures that stand in the outputs folder and in no book: all are found again, by whom they belong to, and nothing else is."""

from __future__ import annotations

import json
import os
import random
import shutil
import time
from pathlib import Path

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from pipelines.job_book.rows import NOBODY
from pipelines.requests.remaining import Progress
from pipelines.requests.request import TextToImage, describe
from tests.support.asked import drawing
from tests.support.book_files import drawn, opened, prompts, saved


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


def test_a_picture_that_was_saved_and_not_booked_comes_back_to_who_asked_for_it(folder: Path) -> None:
    book = opened(folder)
    drawn(book, "ada", "booked")
    book.submit(TextToImage(prompt="killed", seed=40, batch_count=3), "ada")
    job = book.claim()
    assert job
    saved(folder, TextToImage(prompt="killed", seed=42))
    book = opened(folder)  # the first one is never closed, as after a kill
    assert prompts(book, "ada", owner=False) == ["killed", "booked"] and "1 picture was found" in book.news
    assert [drawing(record.request).seed for record in book.pictures_of(job.id)] == [42]
    assert opened(folder).news == ""


ASKED_BY = {"ada": (1, 2), "bob": (2, 1), "cleo": (2, 1)}  # their first seeds, and how many pictures


@pytest.mark.parametrize("again", [False, True])
@pytest.mark.parametrize("left", [(2, 1), (1, 2), (2,), (2, 1, 2), (2, 2, 1), (2, 1, 2, 2)])
def test_of_several_jobs_that_ran_each_gets_the_picture_that_it_was_to_draw_next(folder: Path, left: tuple[int, ...], again: bool) -> None:
    """With several devices two people may ask for the same: a picture of the one is no second one of the other."""
    book = opened(folder)
    jobs = {user: book.submit(TextToImage(prompt="house", seed=seed, batch_count=count), user) for user, (seed, count) in ASKED_BY.items()}
    assert all(book.claim() for _ in jobs)
    for seed in left:
        saved(folder, TextToImage(prompt="house", seed=seed))
    book = opened(folder, again)
    seeds = {user: [drawing(record.request).seed for record in book.pictures_of(job)] for user, job in jobs.items()}
    in_order = {user: list(range(first, first + count)) for user, (first, count) in ASKED_BY.items()}
    assert all(seeds[user] == asked[: len(seeds[user])] for user, asked in in_order.items()), seeds
    assert sorted(seed for each in seeds.values() for seed in each) == sorted(left)


@pytest.mark.parametrize("again", [False, True])
def test_of_several_jobs_of_one_prompt_a_picture_is_of_the_one_with_its_settings(folder: Path, again: bool) -> None:
    book = opened(folder)
    jobs = [book.submit(TextToImage(prompt="house", seed=5, steps=steps), f"user {steps}") for steps in (20, 30, 40)]
    assert all(book.claim() for _ in jobs)
    saved(folder, TextToImage(prompt="house", seed=5, steps=30))
    book = opened(folder, again)
    assert [len(book.pictures_of(job)) for job in jobs] == [0, 1, 0]


def test_what_a_job_has_drawn_already_is_of_another_that_may_have_left_some_out(folder: Path) -> None:
    book = opened(folder)
    asked = TextToImage(prompt="house", seed=1, batch_count=3)
    jobs = [book.submit(asked, user) for user in ("ada", "bob")]
    ahead, _ = book.claim(), book.claim()
    assert ahead and ahead.id == jobs[0]
    for number in (1, 2):
        single = TextToImage(prompt="house", seed=number)
        book.add_picture(ahead, saved(folder, single), single, (24, 16), progress=Progress(batch=number, pictures=number))
    saved(folder, TextToImage(prompt="house", seed=2))
    book = opened(folder)
    assert [[record.seed for record in book.pictures_of(job)] for job in jobs] == [[1, 2], [2]]


def test_what_is_no_whole_picture_of_ours_is_left_out(folder: Path) -> None:
    whole = saved(folder, TextToImage(prompt="whole", seed=1))
    cut_short = whole.with_name(whole.name.replace("whole", "cut"))
    cut_short.write_bytes(whole.read_bytes()[:-20])
    whole.with_name("20260101-000000-0000_text_s1.png").write_text("no picture")
    whole.with_name("20260101-000000-0001_folder_s1.png").mkdir()
    whole.with_name(f".{whole.stem}.part").write_bytes(whole.read_bytes())
    Image.new("RGB", (8, 8)).save(whole.with_name("holiday.png"))
    Image.new("RGB", (8, 8)).save(whole.with_name("20260101-000000-0002_bare_s7.png"))
    records = opened(folder).recent("", 9, True)
    assert [(drawing(record.request).prompt, bool(record.note)) for record in records] == [("whole", False), ("", True)]
    assert "carries no settings" in records[1].note


def test_on_request_the_book_is_made_again_and_keeps_whose_pictures_are(folder: Path) -> None:
    book = opened(folder)
    paths = drawn(book, "ada", "a1", "a2", "a3")
    ids = {drawing(record.request).prompt: record.id for record in book.recent("ada", 9)}
    paths[1].unlink()
    kept = folder / "best of all" / "lost.png"
    kept.parent.mkdir()
    paths[2].replace(kept)
    waits = book.submit(TextToImage(prompt="waits"), "bob")
    book.close()
    book = opened(folder, again=True)
    assert prompts(book, "ada", owner=False) == ["a1"] and prompts(book, NOBODY) == ["a3"]
    assert book.recent("ada", 1)[0].id == ids["a1"] and book.job(waits)
    assert (folder / "studio.db.bad").exists() and "studio.db.bad" in book.news


def test_settings_of_a_newer_version_are_kept_as_they_were_written(folder: Path) -> None:
    book = opened(folder)
    drawn(book, "ada", "house")
    text = json.dumps({**describe(TextToImage(prompt="house")), "hires_scale": 2.0})
    book.close()
    (folder / "studio.db").unlink()
    day = next(folder.glob("*-*-*"))
    next(day.glob("*.png")).unlink()
    newer = Image.new("RGB", (8, 8))
    texts = PngInfo()
    texts.add_itxt("atelier", json.dumps({"version": 1, "request": json.loads(text)}))
    newer.save(day / "20260101-000000-0000_house_s1.png", pnginfo=texts)
    book = opened(folder)
    [record] = book.recent("", 9, True)
    assert (drawing(record.request).prompt, "newer" in record.note) == ("house", True)
    assert json.loads(book._db.execute("select request from picture").fetchone()[0])["hires_scale"] == 2.0


def test_pictures_of_nobody_are_the_owners_and_no_guests(folder: Path) -> None:
    saved(folder, TextToImage(prompt="found", seed=1))
    book = opened(folder)
    assert prompts(book, "guest", owner=False) == [] and prompts(book, "me") == ["found"]


def test_ten_thousand_pictures_are_found_in_a_moment(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A tenth of them, so that the suite stays quick. No pixels are decoded: 10,000 take three seconds."""
    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", lambda image: pytest.fail("pixels were decoded"))
    one = saved(folder, TextToImage(prompt="house", seed=1))
    data = one.read_bytes()
    for number in range(1000):
        (one.parent / f"20260101-000000-{number:04d}_house_s{number}.png").write_bytes(data)
    begin = time.perf_counter()
    book = opened(folder)
    seconds = time.perf_counter() - begin
    assert "1,001 pictures were found" in book.news and seconds < 5


@pytest.mark.parametrize("at", [1, 2, 3])
def test_killed_while_the_book_is_made_again_nothing_of_it_is_lost(folder: Path, monkeypatch: pytest.MonkeyPatch, at: int) -> None:
    book = opened(folder)
    drawn(book, "ada", "house")
    waits = book.submit(TextToImage(prompt="waits"), "bob")
    book.close()
    left, replace = iter(range(at - 1)), os.replace

    def killed(source: Path, target: Path) -> None:
        if next(left, None) is None:
            raise KeyboardInterrupt
        replace(source, target)

    monkeypatch.setattr("pipelines.job_book.rebuild.os.replace", killed)
    with pytest.raises(KeyboardInterrupt):
        opened(folder, again=True)
    monkeypatch.undo()
    book = opened(folder)
    assert prompts(book, "ada", owner=False) == ["house"] and book.job(waits)
    assert not (folder / "studio.db.new").exists()


def test_however_the_book_is_damaged_every_picture_is_there_again(folder: Path) -> None:
    whole = folder / "whole"
    book = opened(whole)
    drawn(book, "ada", *(f"picture {number}" * 20 for number in range(12)))
    book._db.execute("pragma wal_checkpoint(truncate)")
    drawn(book, "bob", *(f"newer {number}" for number in range(8)))  # in the journal
    dice = random.Random(11)
    for number in range(25):
        copy = folder / str(number)
        shutil.copytree(whole, copy)  # as after a kill: the book is open
        for name in dice.choice((["studio.db"], ["studio.db-wal"], ["studio.db", "studio.db-wal", "studio.db-shm"])):
            spoil(copy / name, dice)
        again = opened(copy)
        records = [record for user in ("ada", "bob", NOBODY) for record in again.recent(user, 100)]
        assert len(records) == len({record.path for record in records}) == 20
        again.close()
        assert opened(copy).news == ""


def spoil(file: Path, dice: random.Random) -> None:
    size = file.stat().st_size
    match dice.choice(("cut", "overwritten", "longer", "another")):
        case "cut":
            os.truncate(file, dice.randrange(size + 1))
        case "overwritten":
            with file.open("r+b") as stream:
                for _ in range(dice.choice((1, 5, 50))):
                    stream.seek(dice.randrange(size))
                    stream.write(dice.randbytes(dice.choice((1, 20, 3000))))
        case "longer":
            with file.open("ab") as stream:
                stream.write(dice.randbytes(5000))
        case _:
            file.write_bytes(dice.randbytes(dice.randrange(20_000)))
