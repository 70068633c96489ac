"""What people do to their pictures in the gallery: rating, notes, boards; each their own, many at once, and kept when the book is lost."""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from models.errors import UserError
from pipelines.gallery.gallery import Gallery, asked_for
from pipelines.gallery.person import MOST, Person
from pipelines.job_book.book import JobBook
from pipelines.job_book.journal import PLACE
from pipelines.job_book.schema import MIGRATIONS
from pipelines.job_book.shelf import create
from pipelines.requests.request import ImageToImage, LoraUse, TextToImage, describe
from tests.support.gallery_files import ADA, BOB, book_of, drawn_in, found, gallery_in, prompts_found, put_in, rows
from tests.support.toys import wait_until

OWNER = Person("ada", owner=True)
Opened = tuple[JobBook, Gallery]


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Opened]:
    with gallery_in(tmp_path) as both:
        yield both


def ids(book: JobBook, *prompts: str, user: str = "ada") -> list[str]:
    return [put_in(book, TextToImage(prompt=prompt), user).id for prompt in prompts]


def marks_of(gallery: Gallery, picture: str, person: Person = ADA) -> tuple:
    details = gallery.details(picture, person)
    return details["rating"], details["favourite"], details["note"], details["boards"], details["deleted"] is not None


# ------------------------------------------------------------------------------------------------ marks


def test_many_pictures_are_rated_at_once_and_only_ones_own(opened: Opened) -> None:
    book, gallery = opened
    mine, others = ids(book, "a", "b", "c"), ids(book, "d", user="bob")
    answer = gallery.marks.rate([*mine[:2], *others, "none"], ADA, 4)
    assert (answer["changed"], answer["missing"]) == (2, 2)
    assert [row["rating"] for row in rows(gallery, asked_for("", order="oldest"))] == [4, 4, 0]
    assert [row["rating"] for row in rows(gallery, asked_for(""), BOB)] == [0]


def test_what_is_none_of_ones_own_is_refused_as_if_it_were_not_there(opened: Opened) -> None:
    book, gallery = opened
    [foreign] = ids(book, "d", user="bob")
    board = gallery.boards.create(BOB, "secret")
    orders = [
        lambda: gallery.marks.rate([foreign], ADA, 4),
        lambda: gallery.marks.favourite([foreign], ADA, True),
        lambda: gallery.marks.note([foreign], ADA, "mine now"),
        lambda: gallery.marks.throw([foreign], ADA),
        lambda: gallery.marks.restore([foreign], ADA),
        lambda: gallery.details(foreign, ADA),
        lambda: gallery.downloads.prepare([foreign], ADA, True),
        lambda: gallery.boards.add(board, ids(book, "a"), ADA),
        lambda: gallery.boards.rename(board, ADA, "mine"),
        lambda: gallery.boards.delete(board, ADA),
        lambda: gallery.boards.add(board, [foreign], ADA),
        lambda: gallery.marks.rate(["\ud800"], ADA, 4),
    ]  # fmt: skip
    for order in orders:
        with pytest.raises(UserError, match="any more"):
            order()
    assert marks_of(gallery, foreign, BOB) == (0, False, "", [], False) and [each["name"] for each in gallery.boards.all(BOB)] == ["secret"]
    assert gallery.boards.all(ADA) == [] and found(gallery, 'board:"secret"') == []


def test_the_owner_has_what_is_nobodys(opened: Opened) -> None:
    book, gallery = opened
    [lost] = ids(book, "found again", user="")
    with pytest.raises(UserError):
        gallery.marks.rate([lost], ADA, 5)
    assert gallery.marks.rate([lost], OWNER, 5)["changed"] == 1 and marks_of(gallery, lost, OWNER)[0] == 5


@pytest.mark.parametrize("rating", [-1, 6, 10**30])
def test_a_rating_is_one_of_six(opened: Opened, rating: int) -> None:
    book, gallery = opened
    with pytest.raises(UserError, match="from 0 to 5"):
        gallery.marks.rate(ids(book, "a"), ADA, rating)


def test_too_many_at_once_and_too_long_notes_are_told(opened: Opened) -> None:
    book, gallery = opened
    with pytest.raises(UserError, match="too many at once"):
        gallery.marks.rate([str(number) for number in range(MOST + 1)], ADA, 1)
    with pytest.raises(UserError, match="at most 10,000 letters"):
        gallery.marks.note(ids(book, "a"), ADA, "x" * 10_001)


def test_notes_are_found_by_their_words_and_by_nobody_else(opened: Opened) -> None:
    book, gallery = opened
    mine, [foreign] = ids(book, "a", "b"), ids(book, "c", user="bob")
    gallery.marks.note(mine[:1], ADA, "for grandmother")
    gallery.marks.note([foreign], BOB, "for grandmother too")
    assert found(gallery, "grandmother") == mine[:1] and found(gallery, "note:grandmother with:note") == mine[:1]
    gallery.marks.note(mine[:1], ADA, "")
    assert found(gallery, "grandmother") == found(gallery, "with:note") == []


def test_an_order_that_fails_changes_nothing(opened: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    book, gallery = opened
    mine = ids(book, "a", "b")

    def broken(db: object, numbers: list[int]) -> None:
        raise sqlite3.OperationalError("disk I/O error")

    monkeypatch.setattr("pipelines.gallery.marks.index", broken)
    with pytest.raises(UserError):
        gallery.marks.note(mine, ADA, "lost")
    assert [marks_of(gallery, each)[2] for each in mine] == ["", ""]


def test_two_windows_that_rate_and_delete_at_once_leave_each_picture_in_one_piece(opened: Opened) -> None:
    book, gallery = opened
    mine = ids(book, *(f"p{number}" for number in range(40)))
    board = gallery.boards.create(ADA, "both")
    errors: list[Exception] = []

    def window(number: int) -> None:
        try:
            for _ in range(6):
                gallery.marks.rate(mine, ADA, number + 1)
                gallery.marks.throw(mine[:20], ADA)
                gallery.boards.add(board, mine[10:30], ADA)
                gallery.marks.restore(mine[:20], ADA)
        except (UserError, sqlite3.Error) as error:
            errors.append(error)

    windows = [threading.Thread(target=window, args=(number,)) for number in range(3)]
    for each in windows:
        each.start()
    for each in windows:
        each.join()
    assert errors == []
    ratings = {marks_of(gallery, each)[0] for each in mine}
    assert len(ratings) == 1 and ratings <= {1, 2, 3}, "each order rates all or none"
    assert found(gallery, "in:bin") == [] and set(found(gallery, 'board:"both"')) == set(mine[10:30])


# ------------------------------------------------------------------------------------------------ boards


def test_a_picture_may_be_on_several_boards_and_is_found_by_their_names(opened: Opened) -> None:
    book, gallery = opened
    mine = ids(book, "a", "b")
    first, second = gallery.boards.create(ADA, "Night pieces"), gallery.boards.create(ADA, "for <script>alert(1)</script>")
    gallery.boards.add(first, mine, ADA)
    gallery.boards.add(second, mine[:1], ADA)
    gallery.boards.add(second, mine[:1], ADA)
    assert [(each["name"], each["count"]) for each in gallery.boards.all(ADA)] == [
        ("for <script>alert(1)</script>", 1),
        ("Night pieces", 2),
    ]
    assert set(marks_of(gallery, mine[0])[3]) == {first, second}
    assert set(found(gallery, "night")) == set(mine) and found(gallery, "script alert") == mine[:1]
    gallery.boards.remove(first, mine[:1], ADA)
    assert found(gallery, "night") == mine[1:]


def test_a_board_with_another_name_is_found_by_that_one(opened: Opened) -> None:
    book, gallery = opened
    mine, board = ids(book, "a"), gallery.boards.create(ADA, "old name")
    gallery.boards.add(board, mine, ADA)
    gallery.boards.rename(board, ADA, "Fresh Name")
    assert found(gallery, "fresh") == found(gallery, 'board:"fresh name"') == mine and found(gallery, "old") == []
    gallery.boards.rename(board, ADA, "fresh name")  # its own name in other letters


def test_a_deleted_board_comes_back_with_what_is_on_it(opened: Opened) -> None:
    book, gallery = opened
    mine, board = ids(book, "a"), gallery.boards.create(ADA, "night")
    gallery.boards.add(board, mine, ADA)
    gallery.boards.delete(board, ADA)
    assert gallery.boards.all(ADA) == [] and found(gallery, "night") == [] and marks_of(gallery, mine[0])[3] == []
    with pytest.raises(UserError, match="not there any more"):
        gallery.boards.add(board, mine, ADA)
    gallery.boards.create(ADA, "Night")
    gallery.boards.restore(board, ADA)
    assert [(each["name"], each["count"]) for each in gallery.boards.all(ADA)] == [("Night", 0), ("night 2", 1)]


@pytest.mark.parametrize("name", ["", "   ", "x" * 101, "\u202e\n\0", "\ud800"])
def test_what_can_be_no_name_of_a_board_is_told(opened: Opened, name: str) -> None:
    with pytest.raises(UserError, match="needs a name"):
        opened[1].boards.create(ADA, name)


def test_a_name_is_one_board_of_a_person_but_others_may_use_it(opened: Opened) -> None:
    _, gallery = opened
    gallery.boards.create(ADA, "Köln")
    with pytest.raises(UserError, match="already"):
        gallery.boards.create(ADA, " KÖLN ")
    assert gallery.boards.create(BOB, "Köln")


# ------------------------------------------------------------------------------------------------ books of before, and lost ones


def test_a_book_of_before_comes_onto_the_shelf_whole(tmp_path: Path) -> None:
    db = sqlite3.connect(tmp_path / "studio.db", isolation_level=None)
    db.row_factory = sqlite3.Row
    before = MIGRATIONS.index(create)
    for step in MIGRATIONS[:before]:
        step(db)
    lora = LoraUse(id="1", name="Ink")
    requests = [
        TextToImage(prompt="a red house", loras=(lora,), checkpoint="c"),
        ImageToImage(prompt="blue", image="1" * 64, checkpoint="c"),
    ]
    texts = [*(json.dumps(describe(request)) for request in requests), "null", "{broken", '{"kind": "txt2img", "prompt": "\\ud800 half"}']
    for number, text in enumerate(texts):
        columns = "id, job, user, path, width, height, seed, created, request"
        row = (f"p{number}", "j", "ada", f"{number}.png", 8, 8, number, 5.0 + number, text)
        db.execute(f"insert into picture ({columns}) values (?, ?, ?, ?, ?, ?, ?, ?, ?)", row)
    db.execute(f"pragma user_version = {before}")
    db.close()
    with gallery_in(tmp_path) as (book, gallery):
        assert found(gallery, "") == ["p4", "p3", "p2", "p1", "p0"]
        assert (
            found(gallery, "red house lora:ink") == ["p0"] and found(gallery, "kind:img2img") == ["p1"] and found(gallery, "half") == ["p4"]
        )
        assert book.file.rows("select input from lineage")[0]["input"] == "1" * 64
        assert gallery.marks.rate(["p2", "p3"], ADA, 3)["changed"] == 2


def test_a_model_that_a_book_of_before_did_not_name_is_named_by_its_pictures(tmp_path: Path) -> None:
    with gallery_in(tmp_path) as (book, gallery):
        drawn_in(book, "a house")
        with book.file.transaction() as db:
            db.execute("update model set name = ''")
        book.shelf_changed()
        assert found(gallery, "model:dream") == []
        gallery.start()
        wait_until(lambda: found(gallery, "model:dream"), 20)
        assert len(found(gallery, "shaper")) == 1


def lost(folder: Path, what: str) -> None:
    """Every way in which a book comes to be made again."""
    if what == "missing":
        for file in folder.glob("studio.db*"):
            file.unlink()
    elif what == "damaged":
        (folder / "studio.db").write_bytes(b"\xff" * 8192)


@pytest.mark.parametrize("what", ["missing", "damaged", "asked"])
def test_a_book_that_is_lost_costs_no_rating_note_or_board(tmp_path: Path, what: str) -> None:
    with gallery_in(tmp_path) as (book, gallery):
        mine = [drawn_in(book, prompt).id for prompt in ("first", "second", "third")]
        drawn_in(book, "of bob", "bob")
        board, gone = gallery.boards.create(ADA, "kept"), gallery.boards.create(ADA, "gone")
        gallery.marks.rate(mine[:2], ADA, 5)
        gallery.marks.rate(mine[1:2], ADA, 2)
        gallery.marks.favourite(mine[:1], ADA, True)
        gallery.marks.note(mine[:1], ADA, "“the” one\nof all")
        gallery.boards.add(board, mine[:2], ADA)
        gallery.boards.delete(gone, ADA)
        gallery.boards.rename(board, ADA, "Kept well")
        gallery.marks.throw(mine[2:], ADA)
        size = gallery.bin.content(ADA)["bytes"]
    with (tmp_path / PLACE).open("ab") as file:
        file.write(b'{"picture": "cut in the mid')
    lost(tmp_path, what)
    again = JobBook(tmp_path / "studio.db", tmp_path, what == "asked")
    gallery = Gallery(again)
    assert prompts_found(gallery, "rating:5 is:favourite board:kept note:one") == ["first"]
    assert prompts_found(gallery, "rating:2 kept -is:favourite") == ["second"]
    assert prompts_found(gallery, "in:bin") == ["third"] and gallery.bin.content(ADA)["bytes"] == size > 0
    assert [each["name"] for each in gallery.boards.all(ADA)] == ["Kept well"]
    assert prompts_found(gallery, "bob") == [], "nobody sees another's"
    gallery.close()
    again.close()


def test_a_journal_that_could_not_be_written_is_whole_again_the_next_time(opened: Opened, tmp_path: Path) -> None:
    book, gallery = opened
    mine = ids(book, "a", "b")
    (tmp_path / PLACE.parent).write_text("in the way")
    gallery.marks.rate(mine, ADA, 5)
    (tmp_path / PLACE.parent).unlink()
    gallery.marks.favourite(mine[:1], ADA, True)
    lines = [json.loads(line) for line in (tmp_path / PLACE).read_text("utf-8").splitlines()]
    assert sorted((line["rating"], line["favourite"]) for line in lines) == [(5, 0), (5, 1)]


def test_a_journal_is_made_short_again_at_a_start(tmp_path: Path) -> None:
    with gallery_in(tmp_path) as (book, gallery):
        mine = ids(book, "a")
        gallery.marks.rate(mine, ADA, 4)
        with (tmp_path / PLACE).open("a") as file:
            file.write((tmp_path / PLACE).read_text() * 1_100)
        gallery.start()
        wait_until(lambda: len((tmp_path / PLACE).read_text().splitlines()) == 1, 20)


def test_a_picture_that_is_entered_again_leaves_nothing_behind(tmp_path: Path) -> None:
    with gallery_in(tmp_path) as (book, gallery):
        put_in(book, TextToImage(prompt="first"), name="same.png")
        put_in(book, TextToImage(prompt="second"), name="same.png")
        assert prompts_found(gallery) == ["second"] and prompts_found(gallery, "first") == []
        counts = [book.file.rows(f"select count(*) as n from {table}")[0]["n"] for table in ("shelf", "words", "picture")]
        assert counts == [1, 1, 1]


def test_the_gallery_follows_another_book_that_comes_into_the_place(tmp_path: Path) -> None:
    folder, other = tmp_path / "here", tmp_path / "other"
    first = book_of(other)
    put_in(first, TextToImage(prompt="of the other"))
    first.close()
    with gallery_in(folder) as (book, gallery):
        put_in(book, TextToImage(prompt="of the first"))
        assert prompts_found(gallery) == ["of the first"]
        folder.rename(tmp_path / "away")
        other.rename(folder)
        put_in(book, TextToImage(prompt="newest"))
        assert prompts_found(gallery) == ["newest", "of the other"]
