"""Completion: what is being written, what is offered for it, the tag lists that people have, phrases and strengths of one's own."""

from __future__ import annotations

import gc
import random
import weakref
from collections.abc import Generator
from dataclasses import replace
from pathlib import Path

import pytest

from models.errors import UserError
from models.memory.heap import set_apart
from pipelines import Studio
from pipelines.completion.offers import Offer, matching
from pipelines.completion.tag_lists import TagFolders, TagList, folded, read_tags, spoken
from pipelines.completion.typed import typed
from pipelines.prompts import parse_weights
from pipelines.prompts.chunks import divided
from pipelines.requests.request import LoraUse, TextToImage
from pipelines.services.completion import Writing
from pipelines.services.strengths import MOST, Strengths
from pipelines.services.token_view import pieces_of
from pipelines.wildcards.folders import WildcardFolders
from tests.support.toys import toy_studio

ME, OTHER = "me", "somebody else"
CSV = """\ufeff1girl,0,4114588,"1girls,sole_female"
long_hair,0,2896934,"/lh,longhair"
hair_ornament,0,900000,
saber_(fate),4,40213,arturia
^_^,0,20000,
house,0,30123,
"""


def tag_list() -> TagList:
    return TagList([("long_hair", 300, ["longhair"]), ("hair_ornament", 100, []), ("hat", 50, []), ("saber_(fate)", 40, ["arturia"])])


@pytest.fixture
def studio(tmp_path: Path) -> Generator[Studio]:
    (tmp_path / "models" / "tags").mkdir(parents=True)
    (tmp_path / "models" / "tags" / "some.csv").write_text(CSV, "utf-8")
    (tmp_path / "models" / "wildcards" / "looks").mkdir(parents=True)
    (tmp_path / "models" / "wildcards" / "looks" / "colour.txt").write_text("red\nblue", "utf-8")
    roots = [tmp_path / "models"]
    made = toy_studio(tmp_path / "studio", start=False, wildcards=WildcardFolders(roots), tags=TagFolders(roots))
    made.completion._tags.tags(wait=True)  # pyright: ignore[reportPrivateUsage]
    yield made
    made.close()


def offered(studio: Studio, before: str, text: str = "", against: bool = False, user: str = ME) -> list[tuple[str, str]]:
    found = studio.completion.offered(Writing(before, text or before, studio.checkpoints()[0].id, against), user)
    return [(each["kind"], each["written"]) for each in found]


def test_what_is_set_apart_is_not_searched_for_garbage_and_what_comes_later_is() -> None:
    held: list[list[int]] = [[] for _ in range(1000)]
    set_apart()
    assert len(gc.get_objects()) < len(held) <= gc.get_freeze_count()
    there = weakref.ref(Loop())
    gc.collect()
    assert there() is None


class Loop:
    """Something that only a search for garbage finds."""

    def __init__(self) -> None:
        self.own = self


# ---- what is being written -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "what"),
    [
        ("a red house", [("words", "a red house"), ("words", "red house"), ("words", "house")]),
        ("night, long h", [("words", "long h")]),
        ("night, long ha", [("words", "long ha"), ("words", "ha")]),
        ("(long ha", [("words", "long ha"), ("words", "ha")]),
        ("[day:nig", [("words", "nig")]),
        ("a AND nig", [("words", "nig")]),
        (r"saber \(fa", [("words", "saber (fa"), ("words", "(fa")]),
        ("<", [("tag", "")]),
        ("a <lora:in", [("tag", "in")]),
        ("<hypernet:", [("tag", "")]),
        ("<lora:ink:0.", []),
        ("__", [("wildcard", "")]),
        ("a __looks/co", [("wildcard", "looks/co")]),
        ("__looks/colour__", []),
        ("day # nig", []),
        ("x", []),
        ("", []),
        ("house ", []),
        ("1g", [("words", "1g")]),
    ],
)
def test_what_stands_before_the_cursor_is_read_as_the_language_has_it(before: str, what: list[tuple[str, str]]) -> None:
    found = typed(before)
    assert [(each.what, each.text) for each in found] == what
    assert all(before[each.start :].replace("\\", "").endswith(each.text) for each in found)


def test_however_long_the_text_only_its_end_is_looked_at_and_places_are_those_of_the_whole() -> None:
    before = "house, " * 20_000 + "long ha"
    assert [before[each.start :] for each in typed(before)] == ["long ha", "ha"]


# ---- tags ------------------------------------------------------------------------------------------------------------------------


def test_what_begins_so_comes_first_then_later_words_and_other_names_by_how_much_they_are_used() -> None:
    found = tag_list().find("ha", 9)
    assert [(each.name, each.called) for each in found] == [("hair_ornament", ""), ("hat", ""), ("long_hair", "")]
    assert [(each.name, each.called) for each in tag_list().find("longh", 9)] == [("long_hair", "longhair")]
    assert [each.name for each in tag_list().find("LONG h", 9)] == ["long_hair"]
    assert [each.name for each in tag_list().find("fate", 9)] == ["saber_(fate)"]
    assert tag_list().find("zz", 9) == tag_list().find(" ", 9) == TagList().find("ha", 9) == []


def test_among_many_tags_the_same_are_found_as_by_looking_at_each() -> None:
    dice = random.Random(3)
    parts = ["hair", "long", "hat", "blue", "a", "hare", "été", "lo"]
    names = {"_".join(dice.choices(parts, k=dice.randint(1, 3))) + f"_{number % 7}" for number in range(3000)}
    tags = [(name, dice.randint(0, 10**6), [f"x{name}"] if dice.random() < 0.3 else []) for name in sorted(names)]
    many = TagList(tags)
    for wanted in ("ha", "hair", "lo", "long ha", "é", "xh", "blue_"):
        begins = [(name, count) for name, count, _ in tags if folded(name).startswith(folded(wanted))]
        best = sorted(begins, key=lambda each: -each[1])[:5]
        found = [(each.name, each.count) for each in many.find(wanted, 5, words=False) if not each.called]
        assert found == best


@pytest.mark.parametrize(
    ("line", "tag"),
    [
        ('1girl,0,4114588,"1girls,sole_female"', ("1girl", 4114588, ("1girls", "sole_female"))),
        ("long_hair,2896934", ("long_hair", 2896934, ())),
        ("masterpiece,5,Quality tag,", ("masterpiece", 0, ())),
        ("plain", ("plain", 0, ())),
        ('"comma, inside",0,7,', ("comma, inside", 7, ())),
        (f"{'x' * 300},0,7", None),
        (",,,", None),
    ],
)
def test_the_lists_of_the_known_extensions_are_read(tmp_path: Path, line: str, tag: tuple[str, int, tuple[str, ...]] | None) -> None:
    (tmp_path / "x.csv").write_text(f"\ufeff{line}\n", "utf-8")
    assert read_tags(tmp_path / "x.csv") == ([tag] if tag else [])


def test_lists_are_read_again_when_they_change_and_what_cannot_be_read_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "tags").mkdir()
    (tmp_path / "tags" / "one.txt").write_text("# mine\nred fox\n", "utf-8")
    (tmp_path / "tags" / "odd.csv").write_bytes(b'x,"' + b"y" * 200_000)
    folders = TagFolders([tmp_path, tmp_path / "not there"])
    assert [each.name for each in folders.tags(wait=True).find("re", 9)] == ["red fox"]
    (tmp_path / "tags" / "two.csv").write_text("red_kite,0,5\n", "utf-8")
    folders._looked = -100  # pyright: ignore[reportPrivateUsage]
    assert [each.name for each in folders.tags(wait=True).find("re", 9)] == ["red_kite", "red fox"]


def test_a_tag_is_written_with_spaces_and_read_as_its_own_letters(studio: Studio) -> None:
    assert (spoken("long_hair"), spoken("^_^"), spoken("o_o")) == ("long hair", "^_^", "o_o")
    ((kind, text),) = offered(studio, "sabe")
    assert (kind, text) == ("tag", r"saber \(fate\)")
    assert "".join(run.text for run in parse_weights(text)) == "saber (fate)" and all(run.weight == 1 for run in parse_weights(text))
    assert offered(studio, r"saber \(fa") == [("tag", r"saber \(fate\)")]


# ---- tokens ----------------------------------------------------------------------------------------------------------------------


def test_each_word_shows_the_tokens_that_it_became_and_together_they_say_the_prompt(studio: Studio) -> None:
    tokenizer = studio.prompts.tokenizer(studio.checkpoints()[0])
    text = "a (red:1.3) house, photorealistically [foggy] été"
    view = studio.tokens.of(TextToImage(prompt=text, checkpoint=studio.checkpoints()[0].id), "prompt")
    (chunk,) = view["chunks"]
    assert [piece["id"] for piece in chunk["pieces"]] == [
        token for token, _ in tokenizer.tokens("a red house, photorealistically foggy été")
    ]
    words = "".join(piece["text"] + (" " if piece["ends"] else "") for piece in chunk["pieces"]).split()
    assert words[:-1] == ["a", "red", "house", ",", "photorealistically", "foggy"] and words[-1].strip("\ufffd") == "t"
    weights = [piece["weight"] for piece in chunk["pieces"]]
    assert (
        weights[0] == 1.0
        and set(weights) == {1.0, 1.3, round(1 / 1.1, 4)}
        and (chunk["used"], chunk["places"]) == (len(chunk["pieces"]), 75)
    )


def test_parts_begin_where_the_model_begins_to_read_anew_and_an_embedding_is_one_word(studio: Studio) -> None:
    checkpoint = studio.checkpoints()[0].id
    long = studio.tokens.of(TextToImage(prompt="snow " * 80, negative_prompt="one BREAK two", checkpoint=checkpoint), "prompt")
    assert [chunk["used"] for chunk in long["chunks"]] == [75, 5] and long["said"] == ""
    broken = studio.tokens.of(TextToImage(negative_prompt="one BREAK two", checkpoint=checkpoint), "negative_prompt")
    assert ["".join(piece["text"] for piece in chunk["pieces"]) for chunk in broken["chunks"]] == ["one", "two"]
    tokens = [*divided(studio.prompts.tokenizer(studio.checkpoints()[0]), "a moonpeak (moonpeak:1.5)", {"moonpeak": 3})[0]]
    pieces = [*pieces_of(studio.prompts.tokenizer(studio.checkpoints()[0]), tokens, {"moonpeak": 3})]
    assert [(piece["text"], piece["vectors"], piece["weight"]) for piece in pieces][-2:] == [("moonpeak", 3, 1.0), ("moonpeak", 3, 1.5)]
    with pytest.raises(UserError, match="nowhere"):
        studio.tokens.of(TextToImage(prompt="__nowhere__", checkpoint=checkpoint), "prompt")


# ---- all of it -------------------------------------------------------------------------------------------------------------------


def test_each_sort_is_offered_where_it_may_stand(studio: Studio) -> None:
    assert ("tag", "hair ornament") in offered(studio, "a hair")
    assert offered(studio, "__") == [("wildcard", "__looks/colour__")] == offered(studio, "a __col")
    assert offered(studio, "day # hou") == [] == offered(studio, "__nothing")
    (item,) = [each for each in studio.completion.offered(Writing("a 👩 long ha", "", ""), ME) if each["said"] == "long hair"]
    assert item["back"] == len("long ha")


def test_what_was_written_before_is_offered_to_who_wrote_it_and_to_nobody_else(studio: Studio) -> None:
    studio.submit(TextToImage(prompt=r"misty \(grey\) harbour, {red|blue} (lamp:1.2), house", negative_prompt="misty letters"), ME, True)
    assert ("phrase", r"misty \(grey\) harbour") not in offered(studio, "mis", user=OTHER)
    assert set(offered(studio, "mis")) == {("phrase", "misty"), ("phrase", "misty letters")}
    assert offered(studio, "lam") == [("phrase", "lamp")]


def test_prompts_of_before_are_kept_once_as_they_were_typed_the_newest_first(studio: Studio) -> None:
    for prompt in ("a house", "__looks/colour__ fox", "a house"):
        studio.submit(TextToImage(prompt=prompt), ME, True)
    assert [each.prompt for each in studio.history.prompts(ME)] == ["a house", "__looks/colour__ fox"]
    assert [each.prompt for each in studio.history.prompts(ME, "FOX col")] == ["__looks/colour__ fox"]
    assert studio.history.prompts(OTHER) == []


def test_the_strength_of_a_lora_is_remembered_by_who_used_it_as_it_was_used_last(tmp_path: Path) -> None:
    strengths, drawn = Strengths(tmp_path), TextToImage(loras=(LoraUse(name="ink", unet=0.6), LoraUse(name="off", unet=0.0)))
    strengths.remember(ME, drawn)
    assert strengths.of(ME) == {"ink": 0.6} and strengths.of(OTHER) == {}
    strengths.remember(ME, replace(drawn, loras=(LoraUse(name="ink", unet=-0.3),)))
    assert Strengths(tmp_path).of(ME) == {"ink": -0.3}
    for number in range(MOST // 10 + 1):
        strengths.remember(ME, replace(drawn, loras=tuple(LoraUse(name=f"{number} {place}") for place in range(10))))
    assert len(strengths.of(ME)) == MOST and "ink" not in strengths.of(ME)
    strengths._files.path(ME).write_text("damaged", "utf-8")  # pyright: ignore[reportPrivateUsage]
    strengths.remember(ME, drawn)
    assert strengths.of(ME) == {}


def test_later_words_come_after_what_begins_so_and_all_are_found_by_nothing() -> None:
    offers = [Offer("word", "red house", "x"), Offer("word", "house", "y"), Offer("word", "greenhouse", "z")]
    assert [each.said for each in matching(offers, "hou", 9)] == ["house", "red house"]
    assert len(matching(offers, "", 2)) == 2
