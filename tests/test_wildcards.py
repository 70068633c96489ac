"""Templates: what is drawn of choices, wildcards and variables, by a seed or all of it, and what is said of those that are wrong."""

from __future__ import annotations

import itertools
import math
import os
import random
import time
from collections import Counter
from pathlib import Path

import pytest
from dynamicprompts.generators import CombinatorialPromptGenerator
from dynamicprompts.wildcards import WildcardManager
from hypothesis import given, settings
from hypothesis import strategies as st

from models.errors import UserError
from pipelines.wildcards.draw import MOST_COMBINATIONS, UNCOUNTED, arranged, combinations, count, draw
from pipelines.wildcards.folders import WildcardFolders
from pipelines.wildcards.shelf import Collection, Shelf, line_of
from pipelines.wildcards.template import DEEPEST, MOST_MARKS, parse
from tests.support.toys import FAR_TOO_LONG

pytestmark = pytest.mark.smoke

AT_ONCE = 0.25  # seconds in which a sentence is there, on a quiet machine
LISTS = {
    "colours": ["red", "green", "blue"],
    "animals/cats": ["lion", "tiger"],
    "animals/dogs": ["poodle"],
    "scenes": ["a __colours__ house", "the {sea|sky}"],
}
NOTHING = Shelf([])


def shelf(lists: dict[str, list[str]] = LISTS) -> Shelf:
    return Shelf([Collection(name, [line_of(line) for line in lines]) for name, lines in lists.items()])


def drawn(text: str, wildcards: Shelf, seeds: int = 200) -> Counter[str]:
    template = parse(text)
    return Counter(draw(template, wildcards, seed) for seed in range(seeds))


def every(text: str, wildcards: Shelf) -> list[str]:
    return list(combinations(parse(text), wildcards))


def refusal(text: str, wildcards: Shelf = NOTHING) -> str:
    """The same whatever is asked."""
    template = parse(text)
    said: list[str] = []
    for ask in (lambda: draw(template, wildcards, 1), lambda: count(template, wildcards), lambda: list(combinations(template, wildcards))):
        with pytest.raises(UserError) as refused:
            ask()
        said.append(str(refused.value))
    assert len(set(said)) == 1
    return said[0]


# ---- the oracle ----------------------------------------------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore::DeprecationWarning:dynamicprompts")
@pytest.mark.parametrize(
    "text",
    [
        "a {red|blue} house", "{a|b} {c|d|e}", "{a {b|c}|d}", "{|very }big", "{2$$a|b|c}", "{2$$ and $$a|b|c}", "{1-2$$a|b|c}",
        "{2-$$a|b|c}", "{-2$$a|b|c}", "{0-1$$a|b}", "{9$$a|b}", "{2$$__colours__}", "{1-2$$ + $$__colours__}", "__colours__ __scenes__",
        "__animals/*__", "__animals/c*__", "__cats__", "{__cats__|x}", "{__colours__}", "{0.5::a|2::b}", "{ a | b }c", "[a:b:.5] {x|y}",
        "[a|b] {x|y} AND z BREAK (w:1.2)", "<lora:x:0.5> {a|b}", "${v={a|b}}${v} or ${v}", "${v=a} ${v}", "${v:grey} {a|b}",
        "a__colours__s", "{a|b}{a|b}",
    ],
)  # fmt: skip
def test_all_combinations_are_those_of_the_known_extension(text: str, tmp_path: Path) -> None:
    for name, lines in LISTS.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / f"{name}.txt").write_text("\n".join(lines), encoding="utf-8")
    theirs = CombinatorialPromptGenerator(WildcardManager(tmp_path)).generate(text, max_prompts=1000)
    assert sorted(every(text, shelf())) == sorted(str(words) for words in theirs)


PIECES = st.sampled_from(["red", "a house", " ", ", ", "(b:1.2)", "[x:y:3]", "x"])
TEMPLATES = st.recursive(
    PIECES,
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=3).map("".join),
        st.lists(inner, min_size=2, max_size=3).map(lambda options: f"{{{'|'.join(options)}}}"),
        st.tuples(st.integers(1, 3), st.lists(inner, min_size=2, max_size=3)).map(lambda made: f"{{{made[0]}$$, $${'|'.join(made[1])}}}"),
    ),
    max_leaves=6,
)


@given(TEMPLATES, st.integers(0, 2**63))
@settings(max_examples=80, deadline=None)
def test_what_a_seed_draws_is_one_of_all_and_there_are_as_many_as_were_counted(text: str, seed: int) -> None:
    template = parse(text)
    number = count(template, NOTHING)
    if number > 500:
        return
    listed = list(combinations(template, NOTHING))
    words = draw(template, NOTHING, seed)
    assert len(listed) == number and words in listed
    assert words == draw(parse(text), NOTHING, seed)
    assert all(parse(words).is_plain for words in listed), "words that were drawn draw themselves"


@given(st.text("ab{}|$_:=!#\\ 1.-()[]<>", max_size=40), st.integers(0, 3))
@settings(max_examples=300, deadline=None)
def test_any_text_is_drawn_to_words_that_draw_themselves_or_is_refused_in_a_sentence(text: str, seed: int) -> None:
    try:
        words = draw(parse(text), shelf({"a": ["b {a|b}"], "b": ["\\{"]}), seed)
    except UserError as error:
        assert str(error).endswith(".")
    else:
        assert parse(words).is_plain and draw(parse(words), NOTHING, seed + 1) == words


# ---- chances -------------------------------------------------------------------------------------------------------------------


def test_options_come_as_often_as_they_weigh() -> None:
    found = drawn("{1::a|3::b|0::c}", NOTHING, 4000)
    assert set(found) == {"a", "b"}
    assert abs(found["b"] / 4000 - 0.75) < 0.03, "four standard deviations"


def test_lines_of_a_file_weigh_too_and_nothing_is_drawn_twice() -> None:
    wildcards = shelf({"w": ["0::never", "3::often", "seldom"]})
    assert abs(drawn("__w__", wildcards, 4000)["often"] / 4000 - 0.75) < 0.03
    assert set(drawn("{2$$ $$__w__}", shelf({"w": ["a", "b"]}))) == {"a b", "b a"}


def test_a_variable_that_is_drawn_at_once_is_the_same_wherever_it_stands() -> None:
    assert set(drawn("${v=!__colours__}${v} and ${v}", shelf())) == {f"{colour} and {colour}" for colour in LISTS["colours"]}
    assert len(drawn("${v=__colours__}${v} and ${v}", shelf())) == 9
    assert every("${v=!{a|b}}${v}${v}", NOTHING) == ["aa", "bb"]
    assert count(parse("${v=!{a|b}}${v}${v}"), NOTHING) == 2 and count(parse("${v={a|b}}${v}${v}"), NOTHING) == 4


def test_the_same_seed_draws_the_same_words_on_every_machine() -> None:
    """Written down once; another number here would make every picture that was drawn of a template another one."""
    random.seed(5)
    template = parse("{a|b|c} __colours__ {2$$a|b|c}")
    assert [draw(template, shelf(), seed) for seed in (0, 1, 2**63 - 1)] == ["c red b,a", "b blue c,b", "b blue b,a"]


# ---- what is no choice ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "a {red} house", "{{masterpiece}}", ":{ and }", "{}", "a { b", "} a |", r"\{a|b\}", r"\__colours__", "$ {x}", "a__b", "__", "____",
        '{"key": {"other": 1}}', "x # {a|b", "snake__ case __", r"{a\|b}", "[a|b]",
    ],
)  # fmt: skip
def test_braces_around_words_and_what_is_escaped_are_words(text: str) -> None:
    assert parse(text).is_plain
    assert draw(parse(text), shelf(), 1) == text and count(parse(text), shelf()) == 1


def test_words_in_braces_stay_so_beside_a_choice_and_braces_around_a_choice_go() -> None:
    assert every("{x} {a|b} {{y}} {} {{c}|d}", NOTHING) == [f"{{x}} {one} {{{{y}}}} {{}} {other}" for one in "ab" for other in ("{c}", "d")]
    assert every("{x {a|b}}", NOTHING) == ["x a", "x b"]


def test_a_comment_goes_with_what_is_drawn() -> None:
    assert every("{a|b} # {c|d\n__colours__ \\# e", shelf({"colours": ["red"]})) == ["a \nred \\# e", "b \nred \\# e"]


# ---- what is wrong -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a {red|blue", "“{red|blue” is not closed"), ("${v=a", "is not closed"), ("{2$$a", "is not closed"),
        ("__nothing__", "no wildcard called “nothing”. Put nothing.txt"), ("__no*__", "no wildcard file like “no*”"),
        ("${v}", "“v” stands for nothing"), ("${v=${v}}${v}", "“v” stands for nothing"), ("{@a|b}", "“@” behind a brace"),
        ("__colours(x=red)__", "hands variables to a wildcard"), ("__empty__", "“empty” is empty"),
        ("__broken__", "In the wildcard “broken”: “{a|” is not closed"),
        ("__round__", "go round in a circle and never end: “round” → “about” → “round”"),
        ("{a|{b|__self__}}", "“self” → “self”"), ("__g/*__", "“g/one” → “g/one”"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_before_anything_is_drawn(text: str, says: str) -> None:
    lists = {**LISTS, "empty": [], "broken": ["fine", "{a|"], "round": ["__about__", "x"], "about": ["__round__"], "self": ["__self__"]}
    assert says in refusal(text, shelf({**lists, "g/one": ["x", "__g/*__"]}))


def test_a_wildcard_that_is_only_put_together_by_drawing_is_refused_so_that_what_was_drawn_is_final() -> None:
    with pytest.raises(UserError, match="only put together by drawing"):
        draw(parse("${v=cats}__${v}__"), shelf(), 1)


def test_variables_within_all_combinations_that_stand_for_nothing_are_found_in_options_that_a_seed_leaves_out() -> None:
    with pytest.raises(UserError, match="stands for nothing"):
        count(parse("{a|${v}}"), NOTHING)


@pytest.mark.parametrize(
    "text",
    [
        "{" * 100_000, "{}" * 50_000, "{a|" * 33_000, "{a|" * 20_000 + "}" * 20_000, "${a=" * 25_000, "{a|b}" * 20_000, "{1$$" * 25_000,
        "__a" * 33_000, "{" + "|" * 99_000 + "}", "${a=b}" * 16_000,
    ],
    ids=lambda text: text[:6],
)  # fmt: skip
def test_a_hundred_thousand_brackets_are_refused_at_once(text: str) -> None:
    begun = time.perf_counter()
    said = refusal(text, shelf())
    assert time.perf_counter() - begun < 4 * AT_ONCE
    assert f"{DEEPEST} deep" in said or f"{MOST_MARKS:,}" in said


def test_ten_thousand_wildcards_in_a_circle_or_a_row_are_refused_at_once() -> None:
    many = 10_000
    for last in ("__w0__", "the end"):
        lists = {f"w{number}": [f"__w{number + 1}__"] for number in range(many)} | {f"w{many}": [last]}
        begun = time.perf_counter()
        assert "more than 100 deep" in refusal("__w0__", shelf(lists))
        assert time.perf_counter() - begun < FAR_TOO_LONG


def test_words_that_double_a_hundred_times_are_refused_at_once_and_counted_all_the_same() -> None:
    lists = {f"w{number}": [f"__w{number + 1}__ __w{number + 1}__"] for number in range(80)} | {"w80": ["x"]}
    begun = time.perf_counter()
    with pytest.raises(UserError, match="too long"):
        draw(parse("__w0__"), shelf(lists), 1)
    assert count(parse("__w0__"), shelf(lists)) == 1
    assert count(parse("__w0__"), shelf({**lists, "w80": ["x", "y"]})) == UNCOUNTED
    assert time.perf_counter() - begun < FAR_TOO_LONG


# ---- counting ------------------------------------------------------------------------------------------------------------------


@given(st.lists(st.integers(1, 4), min_size=1, max_size=5), st.data())
@settings(max_examples=50, deadline=None)
def test_arrangements_are_counted_as_they_would_be_listed(counts: list[int], data: st.DataObject) -> None:
    least = data.draw(st.integers(0, len(counts)))
    most = data.draw(st.integers(least, len(counts)))
    listed = sum(math.prod(kinds) for size in range(least, most + 1) for kinds in itertools.permutations(counts, size))
    assert arranged(counts, least, most) == listed


def test_countless_combinations_are_counted_without_being_listed() -> None:
    assert count(parse("{0|1|2|3|4|5|6|7|8|9}" * 4), NOTHING) == MOST_COMBINATIONS
    assert count(parse("{a|b}" * 500), NOTHING) == UNCOUNTED
    assert count(parse("{5$$" + "|".join(map(str, range(9000))) + "}"), NOTHING) == UNCOUNTED


# ---- files ---------------------------------------------------------------------------------------------------------------------


def write(folder: Path, **files: str) -> WildcardFolders:
    for name, text in files.items():
        path = folder / "wildcards" / name.replace("__", ".")
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return WildcardFolders([folder])


def test_text_and_yaml_files_are_read_and_read_again_when_they_have_changed(tmp_path: Path) -> None:
    folders = write(
        tmp_path,
        words__txt="\ufeff# not this\n red \n\n2::blue\n",
        more__yaml="animals:\n  cats: [lion, 2::tiger]\n  dogs:\n    - poodle\n    - {text: pug, weight: 0}\nplain: one\n",
        list__yml="- a\n- __words__\n",
    )
    found = folders.shelf()
    assert every("__words__", found) == ["red", "blue"]
    assert every("__animals/*__", found) == ["lion", "tiger", "poodle", "pug"]
    assert every("__plain__ __list__", found) == ["one a", "one red", "one blue"]
    assert "pug" not in drawn("__dogs__", found) and found.find("cats") is not None
    (tmp_path / "wildcards" / "words.txt").write_text("green", encoding="utf-8")
    assert folders.shelf() is found, "for a moment"
    assert every("__words__", folders.shelf(fresh=True)) == ["green"]
    os.unlink(tmp_path / "wildcards" / "words.txt")
    assert "no wildcard called “words”" in refusal("__words__", folders.shelf(fresh=True))


def test_of_two_folders_the_first_counts_and_a_folder_of_the_extension_is_found(tmp_path: Path) -> None:
    theirs = tmp_path / "theirs" / "extensions" / "sd-dynamic-prompts"
    for folder, word in ((tmp_path / "ours", "mine"), (theirs, "yours")):
        folder.mkdir(parents=True)
        write(folder, both__txt=word)
    write(theirs, alone__txt="x")
    found = WildcardFolders([tmp_path / "ours", tmp_path / "theirs"]).shelf()
    assert every("__both__ __alone__", found) == ["mine x"]


BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{b}: &{b} [{', '.join([f'*{a}'] * 9)}]\n" for a, b in itertools.pairwise("abcdefghi")
)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (BOMB, "anchors"), ("a: [1, 2", "no sound YAML, near line"), ("a: " * 3, "no sound YAML"), ("[" * 500, "deep"),
        ("a: !!python/object/apply:os.system [x]\n" + "b: [" * 1, "no sound YAML"), ("x" * 1_000_001, "larger than 1 MB"),
    ],
    ids=["bomb", "unclosed", "colons", "deep", "object", "large"],
)  # fmt: skip
def test_a_yaml_file_that_cannot_be_used_is_named_where_something_is_missing(text: str, says: str, tmp_path: Path) -> None:
    begun = time.perf_counter()
    found = write(tmp_path, bad__yaml=text, good__txt="x").shelf()
    assert time.perf_counter() - begun < FAR_TOO_LONG
    assert "The file “bad.yaml” cannot be used: " in (said := refusal("__c__", found)) and says in said
    assert every("__good__", found) == ["x"]


def test_what_a_yaml_file_calls_an_object_is_words(tmp_path: Path) -> None:
    found = write(tmp_path, odd__yaml="a: [!!python/name:os.system x, 1.50, yes, null]\n").shelf()
    assert every("__a__", found) == ["x", "1.50", "yes", "null"]


def test_a_link_that_leads_back_and_a_pipe_are_passed_by(tmp_path: Path) -> None:
    folders = write(tmp_path, good__txt="x")
    (tmp_path / "wildcards" / "round").symlink_to(tmp_path / "wildcards")
    os.mkfifo(tmp_path / "wildcards" / "pipe.txt")
    assert every("__*__", folders.shelf()) == ["x"] and folders.shelf().find("round/good") is None
