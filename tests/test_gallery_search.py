"""Searching the gallery, compared with plain Python over the same random pictures; and what is nobody else's business."""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import pytest

from models.errors import UserError
from pipelines.gallery.gallery import Gallery, asked_for
from pipelines.gallery.person import Person
from pipelines.job_book.book import JobBook
from pipelines.requests.control_unit import ControlUse
from pipelines.requests.request import Controlled, Enlarge, ImageToImage, LoraUse, Request, TextToImage
from tests.support.gallery_files import ADA, BOB, found, gallery_in, put_in, rows

WORDS = ["red", "house", "Snow", "snowman", "Köln", "café", "night", "家", "小家", "dragon-fly", "x_ray", "1girl", "(old:1.2)", "don't"]
MODELS = {"a" * 8: "DreamShaper 8", "b" * 8: "Dream, old", "c" * 8: "Realistic_Vision"}
LORAS = ["Ink", "snow style", "Köln map"]
SAMPLERS = ["Euler", "Euler a", "DPM++ 2M"]
BOARDS = ["night pieces", "Houses", "<script>alert(1)</script>"]
BEGAN = 1_760_000_000.0
PLAIN = str.maketrans("öé", "oe")


@dataclass
class Known:
    """A picture as the oracle knows it."""

    id: str
    request: Request
    model: str
    user: str
    created: float
    size: tuple[int, int]
    rating: int = 0
    favourite: bool = False
    note: str = ""
    boards: set[str] = field(default_factory=set)
    binned: bool = False

    def get(self, name: str) -> str:
        return str(getattr(self.request, name, ""))

    @property
    def loras(self) -> list[str]:
        return [use.name for use in getattr(self.request, "loras", ())]

    @property
    def control(self) -> bool:
        return any(use.id and use.weight for use in getattr(self.request, "controls", ()))


def tokens(text: str) -> list[str]:
    """Letters and digits, small, without accents; each letter of Chinese by itself."""
    return re.findall(r"[a-z0-9]+|[家小]", text.lower().translate(PLAIN))


def has(text: str, wanted: str, prefix: bool = False) -> bool:
    inside, sought = tokens(text), tokens(wanted)
    for place in range(len(inside) - len(sought) + 1):
        part = inside[place : place + len(sought)]
        if part[:-1] == sought[:-1] and (part[-1] == sought[-1] or (prefix and part[-1].startswith(sought[-1]))):
            return True
    return False


def said_somewhere(picture: Known, words: str, prefix: bool = False) -> bool:
    texts = [picture.get("prompt"), picture.model, picture.get("sampler"), picture.note, *picture.loras, *picture.boards]
    return any(has(text, words, prefix) for text in texts)


Holds = Callable[[Known], bool]


def term(rng: random.Random) -> tuple[str, Holds]:
    """A term, and what it says of a picture."""
    word, model, lora, board = (
        rng.choice(WORDS),
        rng.choice(["dream", "VISION", "shaper 8"]),
        rng.choice(["ink", "SNOW"]),
        rng.choice(BOARDS),
    )
    low, side = rng.randint(0, 5), rng.choice([256, 512])
    kind, day = rng.choice(["txt2img", "img2img", "controlnet", "enlarge"]), rng.randint(0, 3)
    begin = 1_759_968_000 + 86_400 * day  # midnight, in Greenwich
    sampler = rng.choice(SAMPLERS)
    choices: list[tuple[str, Holds]] = [
        (f'"{word}"', lambda p: said_somewhere(p, word)),
        (f'"{word[:3]}"*', lambda p: said_somewhere(p, word[:3], True)),
        (f'"{word} {WORDS[0]}"', lambda p: said_somewhere(p, f"{word} {WORDS[0]}")),
        (f'prompt:"{word}"', lambda p: has(p.get("prompt"), word)),
        (f'negative:"{word}"', lambda p: has(p.get("negative_prompt"), word)),
        (f'note:"{word}"', lambda p: has(p.note, word)),
        (f'model:"{model}"', lambda p: model.lower() in p.model.lower()),
        ('model:="Dream, old"', lambda p: p.model == "Dream, old"),
        (f"lora:{lora}", lambda p: any(lora.lower() in name.lower() for name in p.loras)),
        ('lora:="snow style"', lambda p: "snow style" in p.loras),
        (f'sampler:"{sampler}"', lambda p: sampler in p.get("sampler")),
        (f'sampler:="{sampler}"', lambda p: sampler == p.get("sampler")),
        (f'board:"{board[1:5]}"', lambda p: any(board[1:5].lower() in name.lower() for name in p.boards)),
        (f"rating:>={low}", lambda p: p.rating >= low),
        (f"rating:<{low}", lambda p: p.rating < low),
        (f"width:{side}", lambda p: p.size[0] == side),
        (f"size:{side}x512", lambda p: p.size == (side, 512)),
        (f"height:..{side}", lambda p: p.size[1] <= side),
        (f"seed:{low}", lambda p: p.get("seed") == str(low)),
        (f"kind:{kind}", lambda p: p.request.kind == kind),
        ("is:favourite", lambda p: p.favourite),
        ("with:control", lambda p: p.control),
        ("with:note", lambda p: bool(p.note)),
        ("with:lora", lambda p: bool(p.loras)),
        (f"date:2025-10-{9 + day:02}", lambda p: begin <= p.created < begin + 86_400),
    ]  # fmt: skip
    return rng.choice(choices)


def query(rng: random.Random) -> tuple[str, Holds]:
    parts = [(*term(rng), rng.random() < 0.25) for _ in range(rng.randint(1, 4))]
    text = " ".join(f"-{said}" if negated else said for said, _, negated in parts)
    return text, lambda picture: all(holds(picture) != negated for _, holds, negated in parts)


def request_of(rng: random.Random) -> Request:
    prompt = " ".join(rng.choices(WORDS, k=rng.randint(0, 5)))
    loras = tuple(LoraUse(id=name[:2], name=name) for name in rng.sample(LORAS, rng.randint(0, 2)))
    values = {"prompt": prompt, "negative_prompt": rng.choice(WORDS), "sampler": rng.choice(SAMPLERS), "seed": rng.randint(0, 5)}
    kind = rng.randint(0, 9)
    if kind == 0:
        return Enlarge(image="1" * 64)
    if kind == 1:
        return Controlled(**values, controls=(ControlUse(id="unit", weight=rng.choice([0.0, 1.0])),), checkpoint="a" * 8)
    made = ImageToImage if kind == 2 else TextToImage
    return made(**values, loras=loras, checkpoint=rng.choice([*MODELS]))


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[JobBook, Gallery, list[Known]]]:
    rng = random.Random(11)
    with gallery_in(tmp_path_factory.mktemp("gallery")) as (book, gallery):
        known = [put(book, rng, number) for number in range(400)]
        mark(gallery, known, rng)
        yield book, gallery, known


def put(book: JobBook, rng: random.Random, number: int) -> Known:
    request, user = request_of(rng), rng.choice(["ada", "ada", "ada", "bob", ""])
    model = MODELS.get(str(getattr(request, "checkpoint", "")), "")
    record = put_in(book, request, user, f"j{number // 5}{user}", model=model)
    size, created = (rng.choice([256, 512]), rng.choice([256, 512])), BEGAN + rng.randint(0, 300_000)
    with book.file.transaction() as db:
        db.execute("update shelf set width = ?, height = ?, created = ? where number = (select max(number) from picture)", (*size, created))
    return Known(record.id, request, model, user, created, size)


def mark(gallery: Gallery, known: list[Known], rng: random.Random) -> None:
    """As people do, each their own."""
    boards = {(user, name): gallery.boards.create(Person(user), name) for user in ("ada", "bob") for name in BOARDS}
    for picture in known:
        person = Person(picture.user)
        picture.rating, picture.favourite, picture.binned = rng.randint(0, 5), rng.random() < 0.3, rng.random() < 0.1
        gallery.marks.rate([picture.id], person, picture.rating)
        gallery.marks.favourite([picture.id], person, picture.favourite)
        if rng.random() < 0.3:
            picture.note = f"{rng.choice(WORDS)} maybe"
            gallery.marks.note([picture.id], person, picture.note)
        for name in rng.sample(BOARDS, rng.randint(0, 2)) if picture.user else ():
            picture.boards.add(name)
            gallery.boards.add(boards[picture.user, name], [picture.id], person)
        if picture.binned:
            gallery.marks.throw([picture.id], person)


@pytest.mark.parametrize("user", ["ada", "bob"])
def test_a_search_finds_what_plain_python_finds_and_nothing_of_anybody_else(
    library: tuple[JobBook, Gallery, list[Known]], user: str
) -> None:
    _, gallery, known = library
    rng, hits = random.Random(user), 0
    own = [picture for picture in known if picture.user == user]
    for _ in range(400):
        text, holds = query(rng)
        binned = rng.random() < 0.2
        wanted = {picture.id for picture in own if picture.binned == binned and holds(picture)}
        answer = found(gallery, f"{text} in:bin" if binned else text, Person(user))
        assert set(answer) == wanted and len(answer) == len(wanted), text
        hits += bool(wanted)
    assert hits > 100, "the queries find something"


@pytest.mark.parametrize("person", [Person("ada"), Person("ada", owner=True), Person("nobody")])
def test_the_names_on_offer_are_those_that_occur_and_find_as_many_as_they_say(
    library: tuple[JobBook, Gallery, list[Known]], person: Person
) -> None:
    _, gallery, known = library
    own = [picture for picture in known if picture.user in person.users and not picture.binned]
    counts = {
        "model": Counter(picture.model for picture in own if picture.model),
        "sampler": Counter(name for picture in own if (name := picture.get("sampler"))),
        "lora": Counter(name.lower() for picture in own for name in picture.loras),
    }
    for name, offered in (("model", "models"), ("sampler", "samplers"), ("lora", "loras")):
        answer = [(each["name"], each["count"]) for each in gallery.offers(person)[offered]]
        assert answer == sorted(counts[name].items(), key=lambda item: item[0].casefold())
        assert all(len(found(gallery, f'{name}:="{said}"', person)) == count for said, count in answer)


def test_the_owner_also_finds_what_is_nobodys(library: tuple[JobBook, Gallery, list[Known]]) -> None:
    _, gallery, known = library
    assert set(found(gallery, "", Person("ada", owner=True))) == {p.id for p in known if p.user in ("ada", "") and not p.binned}
    assert set(found(gallery, "", Person("nobody"))) == set()


def test_like_finds_the_same_settings_with_other_seeds(tmp_path: Path) -> None:
    with gallery_in(tmp_path) as (book, gallery):
        first, again, other = (put_in(book, TextToImage(prompt="a", seed=seed, steps=steps)) for seed, steps in ((1, 20), (2, 20), (1, 21)))
        foreign = put_in(book, TextToImage(prompt="a", seed=3), "bob")
        assert set(found(gallery, f"like:{first.id}")) == {first.id, again.id}
        assert set(found(gallery, f"-like:{first.id}")) == {other.id}
        assert set(found(gallery, f"like:{foreign.id}")) == set()
        assert set(found(gallery, f"-like:{foreign.id}")) == {first.id, again.id, other.id}
        assert "not among yours" in gallery.window(ADA, asked_for(f"like:{foreign.id}"), 0, 9)["notes"][0]


ODD = [
    '"', "' or 1=1 --", "NEAR(a b)", "AND", "a OR b", "NOT", "{prompt} : x", "marks : m1", "m1", "b1", "^a", "a*b", "prompt:m1", "%", "_",
    "x'); drop table shelf; --", "(((((", "\ud800", "rating:-1", "word:AND",
]  # fmt: skip


def test_nothing_that_is_typed_is_taken_for_a_statement(library: tuple[JobBook, Gallery, list[Known]]) -> None:
    _, gallery, known = library
    for text in ODD:
        gallery.window(ADA, asked_for(text), 0, 10)
        gallery.window(ADA, asked_for(f'"{text}"'), 0, 10)
        gallery.window(ADA, asked_for(f'board:"{text}" model:"{text}" -"{text}"'), 0, 10)
    assert set(found(gallery, "")) == {p.id for p in known if p.user == "ada" and not p.binned}
    assert found(gallery, "m1") == found(gallery, "b1") == []  # marks of the index are no words
    assert found(gallery, r'"nothing\" OR prompt : \"red"') == found(gallery, r'"nothing\" OR \""') == []


# ------------------------------------------------------------------------------------------------ order, windows, headings


@pytest.mark.parametrize("order", ["newest", "oldest", "rating"])
def test_pictures_come_in_the_order_that_was_asked_for(library: tuple[JobBook, Gallery, list[Known]], order: str) -> None:
    _, gallery, known = library
    by_id = {picture.id: picture for picture in known}
    answer = [by_id[each] for each in found(gallery, "", order=order)]
    keys: dict[str, Callable[[Known], tuple]] = {
        "newest": lambda p: (-p.created,), "oldest": lambda p: (p.created,), "rating": lambda p: (-p.rating, -p.favourite, -p.created),
    }  # fmt: skip
    assert [keys[order](p) for p in answer] == sorted(keys[order](p) for p in answer)


@pytest.mark.parametrize("zone", [0, 330, -480])
def test_headings_by_day_count_the_days_where_the_person_is(library: tuple[JobBook, Gallery, list[Known]], zone: int) -> None:
    _, gallery, _ = library
    asked = asked_for("", "day", "newest", zone)
    heads = gallery.headings(ADA, asked)
    days = [datetime.fromtimestamp(p["created"] + 60 * zone, UTC).date().isoformat() for p in rows(gallery, asked)]
    assert [key for key, count in zip(heads["keys"], heads["counts"], strict=True) for _ in range(count)] == days
    assert heads["total"] == sum(heads["counts"]) == len(days)


def test_headings_by_board_have_a_picture_under_each_of_its_boards(library: tuple[JobBook, Gallery, list[Known]]) -> None:
    _, gallery, known = library
    heads = gallery.headings(ADA, asked_for("", "board"))
    own = [picture for picture in known if picture.user == "ada" and not picture.binned]
    wanted = {name: sum(name in picture.boards for picture in own) for name in BOARDS}
    assert dict(zip(heads["titles"], heads["counts"], strict=True)) == {**wanted, "": sum(not p.boards for p in own)}
    assert heads["titles"] == [*sorted(BOARDS, key=str.lower), ""]


def test_a_jobs_pictures_stand_together_in_the_order_in_which_they_were_drawn(library: tuple[JobBook, Gallery, list[Known]]) -> None:
    _, gallery, _ = library
    asked = asked_for("", "job")
    heads, pictures = gallery.headings(ADA, asked), rows(gallery, asked)
    jobs = [picture["job"] for picture in pictures]
    assert len(set(jobs)) == len(heads["counts"]) == 1 + sum(a != b for a, b in pairwise(jobs))
    for job in set(jobs):
        times = [picture["created"] for picture in pictures if picture["job"] == job]
        assert times == sorted(times)


def test_windows_put_together_are_the_whole(library: tuple[JobBook, Gallery, list[Known]]) -> None:
    _, gallery, _ = library
    asked = asked_for("")
    whole = [picture["id"] for picture in gallery.window(ADA, asked, 0, 500)["pictures"]]
    parts = [picture["id"] for offset in range(0, len(whole), 7) for picture in gallery.window(ADA, asked, offset, 7)["pictures"]]
    assert parts == whole and len(whole) > 100
    assert gallery.window(ADA, asked, 10**9, 100)["pictures"] == [] and gallery.window(ADA, asked, -5, -5)["pictures"] == []


def test_a_window_shows_at_once_what_has_changed(tmp_path: Path) -> None:
    with gallery_in(tmp_path) as (book, gallery):
        record = put_in(book, TextToImage(prompt="first"))
        before = gallery.window(ADA, asked_for("rating:5"), 0, 9)
        gallery.marks.rate([record.id], ADA, 5)
        after = gallery.window(ADA, asked_for("rating:5"), 0, 9)
        assert (before["total"], after["total"]) == (0, 1) and before["version"] != after["version"]
        put_in(book, TextToImage(prompt="second"))
        assert gallery.window(ADA, asked_for(""), 0, 9)["total"] == 2 and gallery.window(BOB, asked_for(""), 0, 9)["total"] == 0


def test_a_search_that_takes_too_long_is_told_and_holds_up_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with gallery_in(tmp_path) as (book, gallery):
        for number in range(60):
            put_in(book, TextToImage(prompt=f"a{number} house"))
        with monkeypatch.context() as patch, pytest.raises(UserError, match="takes too long"):
            patch.setattr("pipelines.job_book.reader.LONGEST", -1.0)
            patch.setattr("pipelines.job_book.reader.LOOK_EVERY", 10)
            gallery.window(ADA, asked_for("a* h*"), 0, 9)
        assert gallery.window(ADA, asked_for("a* h*"), 0, 9)["total"] == 60


def test_a_search_waits_for_nobody_who_writes_and_nobody_waits_for_a_search(tmp_path: Path) -> None:
    with gallery_in(tmp_path) as (book, gallery):
        put_in(book, TextToImage(prompt="first"))
        with book.file.transaction() as db:
            db.execute("update shelf set rating = 5")
            assert gallery.window(ADA, asked_for("first -rating:5"), 0, 9)["total"] == 1
        with gallery._reader.reading():
            put_in(book, TextToImage(prompt="second"))
