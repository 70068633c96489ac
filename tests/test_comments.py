"""What is said of pictures: who reads, writes, settles and removes it, within which bounds, and that it outlives a damaged book."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from models.errors import UserError
from pipelines.gallery.answers import CommentThread
from pipelines.gallery.comments import A_MINUTE, LONGEST, MOST, MOST_ANSWERS, WINDOW, Comments, NotThere, Writer
from pipelines.gallery.gallery import Gallery
from pipelines.gallery.person import Person
from pipelines.job_book.book import JobBook
from pipelines.job_book.reader import Reader
from pipelines.job_book.rebuild import rebuild
from pipelines.requests.request import TextToImage
from tests.support.gallery_files import ADA, drawn_in, gallery_in, put_in

OWNER = Person("machine", owner=True)
Opened = tuple[JobBook, Gallery]


class Clock:
    now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Opened]:
    with gallery_in(tmp_path) as both:
        yield both


@pytest.fixture
def comments(opened: Opened) -> Comments:
    return opened[1].comments


def on_board(opened: Opened, *pictures: str) -> Person:
    """Bob, who came by a link to a board of Ada's with these pictures."""
    boards = opened[1].boards
    board = boards.create(ADA, "shared")
    boards.add(board, pictures, ADA)
    boards.share(board, ADA, shared=True)
    return Person("bob", board=board)


def picture(opened: Opened, prompt: str = "a", user: str = "ada") -> str:
    return put_in(opened[0], TextToImage(prompt=prompt), user).id


def threads(comments: Comments, picture_id: str, person: Person = ADA) -> list[CommentThread]:
    return comments.of(picture_id, person)["threads"]


def texts(comments: Comments, picture_id: str, person: Person = ADA) -> list[list[str]]:
    return [[said["text"] for said in thread["comments"]] for thread in threads(comments, picture_id, person)]


# ------------------------------------------------------------------------------------------------ who sees what


def test_whoever_sees_a_picture_reads_what_is_said_of_it_and_where(opened: Opened, comments: Comments) -> None:
    shown = picture(opened)
    bob = on_board(opened, shown)
    first = comments.add(shown, Writer(bob, "Bob"), "  <b>look</b>\r\nhere \x07", spot=(0.25, 1.0))
    comments.add(shown, Writer(OWNER), "I see", parent=first)
    [thread] = threads(comments, shown)
    assert (thread["spot"], thread["place"], thread["settled"]) == ([0.25, 1.0], 1, False)
    assert [(said["name"], said["text"]) for said in thread["comments"]] == [("Bob", "<b>look</b>\nhere"), ("", "I see")]
    assert texts(comments, shown, bob) == texts(comments, shown, OWNER) == texts(comments, shown)


def test_of_a_picture_that_one_does_not_see_there_is_nothing_to_be_had_by_its_id(opened: Opened, comments: Comments) -> None:
    shown, private = picture(opened), picture(opened, "private")
    bob = on_board(opened, shown)
    secret = comments.add(private, Writer(ADA, "Ada"), "for me alone")
    for unseen in (private, "none", "\ud800"):
        with pytest.raises(NotThere, match="There is no such picture"):
            comments.of(unseen, bob)
        with pytest.raises(NotThere, match="There is no such picture"):
            comments.add(unseen, Writer(bob, "Bob"), "hello")
        assert comments.version(unseen, bob) == 0
    with pytest.raises(NotThere, match="not there"):
        comments.add(shown, Writer(bob, "Bob"), "across", parent=secret)
    for act in (lambda: comments.settle(secret, Writer(bob), True), lambda: comments.remove(secret, bob)):
        with pytest.raises(NotThere, match="no such comment"):
            act()
    opened[1].boards.remove(bob.board, [shown], ADA)
    with pytest.raises(NotThere):
        comments.of(shown, bob)
    assert texts(comments, private) == [["for me alone"]]


def test_a_change_is_told_by_another_version_to_who_sees_the_picture(opened: Opened, comments: Comments) -> None:
    shown = picture(opened)
    bob = on_board(opened, shown)
    assert comments.version(shown, bob) == 0
    said = comments.add(shown, Writer(ADA, "Ada"), "one")
    versions = [comments.version(shown, bob)]
    for change in (lambda: comments.settle(said, Writer(bob, "Bob"), True), lambda: comments.remove(said, ADA)):
        change()
        versions.append(comments.version(shown, bob))
    assert 0 not in versions and len(set(versions)) == 3 and comments.of(shown, bob)["version"] == versions[-1]


def test_a_thread_keeps_the_number_of_its_spot_when_another_is_removed(opened: Opened, comments: Comments) -> None:
    shown = picture(opened)
    said = [comments.add(shown, Writer(ADA), text) for text in "abc"]
    comments.remove(said[0], ADA)
    comments.add(shown, Writer(ADA), "an answer", parent=said[1])
    comments.add(shown, Writer(ADA), "d")
    assert [thread["place"] for thread in threads(comments, shown)] == [4, 3, 2] and comments.of(shown, ADA)["count"] == 4


# ------------------------------------------------------------------------------------------------ settled, removed


def test_a_thread_is_settled_and_open_again_by_hand_or_by_an_answer(opened: Opened, comments: Comments) -> None:
    shown = picture(opened)
    said = comments.add(shown, Writer(ADA, "Ada"), "too dark")
    comments.settle(said, Writer(OWNER), True)
    comments.settle(said, Writer(ADA, "Ada"), True)  # it was already
    assert [(each["settled"], each["settler"]) for each in threads(comments, shown)] == [(True, "")]
    comments.settle(said, Writer(ADA, "Ada"), False)
    assert not threads(comments, shown)[0]["settled"]
    comments.settle(said, Writer(ADA, "Ada"), True)
    assert threads(comments, shown)[0]["settler"] == "Ada"
    comments.add(shown, Writer(ADA, "Ada"), "still is", parent=said)
    assert not threads(comments, shown)[0]["settled"]


def test_who_wrote_it_whose_picture_it_is_and_the_owner_remove_a_comment_and_nobody_else(opened: Opened, comments: Comments) -> None:
    shown = picture(opened)
    bob = on_board(opened, shown)
    carol = Person("carol", board=bob.board)
    removable = {"bob": True, "ada": True, "carol": False, "machine": True}
    for person in (bob, ADA, carol, OWNER):
        said = comments.add(shown, Writer(bob, "Bob"), "hello")
        assert threads(comments, shown, person)[0]["comments"][0]["removable"] == removable[person.user]
        if removable[person.user]:
            comments.remove(said, person)
            assert texts(comments, shown) == []
        else:
            with pytest.raises(UserError, match="Only who wrote"):
                comments.remove(said, person)
            comments.remove(said, ADA)


def test_what_others_answered_stays_when_the_beginning_is_taken_back(opened: Opened, comments: Comments) -> None:
    shown = picture(opened)
    bob = on_board(opened, shown)
    said = comments.add(shown, Writer(bob, "Bob"), "hello", spot=(0.5, 0.5))
    answer = comments.add(shown, Writer(ADA, "Ada"), "and hello", parent=said)
    comments.remove(said, bob)
    assert texts(comments, shown) == [["", "and hello"]] and threads(comments, shown)[0]["spot"] is None
    assert not threads(comments, shown, bob)[0]["comments"][0]["removable"]
    comments.remove(answer, ADA)
    assert texts(comments, shown) == []


# ------------------------------------------------------------------------------------------------ bounds


@pytest.mark.parametrize("text", ["", " \n\x00", "x" * (LONGEST + 1)])
def test_nothing_and_too_much_are_no_comment(opened: Opened, comments: Comments, text: str) -> None:
    with pytest.raises(UserError, match=r"Say something|at most"):
        comments.add(picture(opened), Writer(ADA), text)


@pytest.mark.parametrize("spot", [(-0.1, 0.5), (0.5, 1.1), (float("nan"), 0.5), (float("inf"), 0.0)])
def test_a_spot_lies_on_the_picture(opened: Opened, comments: Comments, spot: tuple[float, float]) -> None:
    with pytest.raises(UserError, match="spot"):
        comments.add(picture(opened), Writer(ADA), "there", spot=spot)


def test_a_person_writes_so_many_a_minute_on_all_pictures_together(opened: Opened, tmp_path: Path) -> None:
    book, clock = opened[0], Clock()
    reader = Reader(book.file.path)
    comments, pictures = Comments(book, reader, clock), [picture(opened), picture(opened, "b")]
    bob = on_board(opened, *pictures)
    for number in range(A_MINUTE):
        comments.add(pictures[number % 2], Writer(ADA), "x" * LONGEST)
    with pytest.raises(UserError, match="within a minute"):
        comments.add(pictures[0], Writer(ADA), "one more")
    comments.add(pictures[0], Writer(bob, "Bob"), "others may")
    clock.now += 61
    comments.add(pictures[0], Writer(ADA), "again")
    reader.close()


def test_a_picture_and_a_thread_hold_so_many_and_are_told_a_window_at_a_time(opened: Opened, comments: Comments) -> None:
    shown, other = picture(opened), picture(opened, "other")
    begun = comments.add(shown, Writer(ADA), "begin")
    row = "insert into comment (id, picture, parent, place, user, name, text, created) values (?, ?, ?, ?, 'bob', 'Bob', 'x', 1.0)"
    with opened[0].file.transaction() as db:
        db.executemany(row, [(f"a{number}", shown, begun, 0) for number in range(MOST_ANSWERS)])
        db.executemany(row, [(f"c{number}", shown, "", number + 2) for number in range(MOST - MOST_ANSWERS - 1)])
    with pytest.raises(UserError, match="answers"):
        comments.add(shown, Writer(ADA), "more", parent=begun)
    with pytest.raises(UserError, match="10,000 comments"):
        comments.add(shown, Writer(ADA), "more")
    comments.add(other, Writer(ADA), "here there is room")
    told = comments.of(shown, ADA)
    last = told["threads"][-1]
    assert (told["count"], told["more"], len(told["threads"])) == (MOST, True, WINDOW)
    older = comments.of(shown, ADA, last["number"])["threads"]
    assert [each["place"] for each in (*told["threads"], *older)] == list(range(MOST - MOST_ANSWERS, MOST - MOST_ANSWERS - 2 * WINDOW, -1))


# ------------------------------------------------------------------------------------------------ as long as the picture


def test_comments_go_when_their_picture_has_left_the_book_and_not_before(opened: Opened, comments: Comments) -> None:
    book, gallery = opened
    shown, other = picture(opened), picture(opened, "other")
    for each in (shown, other):
        comments.add(each, Writer(ADA), "hello")
    gallery.marks.throw([shown], ADA)
    gallery.marks.restore([shown], ADA)
    assert texts(comments, shown) == [["hello"]]
    with book.file.transaction() as db:
        db.execute("delete from picture where id = ?", (shown,))
        assert [row[0] for row in db.execute("select picture from comment")] == [other]


def test_comments_outlive_a_book_that_is_made_again(tmp_path: Path) -> None:
    with gallery_in(tmp_path) as (book, gallery):
        drawn = [drawn_in(book, name, "ada", seed).id for seed, name in enumerate("ab")]
        said = gallery.comments.add(drawn[0], Writer(ADA, "Ada"), "too dark", spot=(0.5, 0.25))
        gallery.comments.add(drawn[0], Writer(OWNER), "it is night", parent=said)
        gallery.comments.settle(said, Writer(OWNER), True)
        gallery.comments.add(drawn[1], Writer(ADA, "Ada"), "of a picture that is lost")
        with book.file.reading() as db:
            lost = tmp_path / db.execute("select path from picture where id = ?", (drawn[1],)).fetchone()[0]
        before = gallery.comments.of(drawn[0], ADA)["threads"]
    lost.unlink()
    rebuild(tmp_path / "studio.db", tmp_path)
    with gallery_in(tmp_path) as (book, gallery):
        assert gallery.comments.of(drawn[0], ADA)["threads"] == before and before[0]["settled"]
        with book.file.reading() as db:
            assert db.execute("select count(*) from comment").fetchone()[0] == 2
