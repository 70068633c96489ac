"""Names of embeddings in prompts: what is recorded is what the text encoders are given, for any names in any text."""

from __future__ import annotations

import unicodedata
from dataclasses import replace
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.errors import UserError
from pipelines.prompts import ClipTokenizer, Names, Prompt, chunk, parse, parse_weights, written
from pipelines.requests.request import TextToImage
from pipelines.resolving.resolve import resolve
from pipelines.services.prompt_notes import PromptReader, left_out
from tests.support.toys import WORDS, toy_vocabulary
from tests.test_resolve import Shelf, entry

NAMES = ("odd (v1)", "café", "style+", "style", "style 2", "bad hands", "v1.5, plus", "Coffee BREAK", "한글", r"back\slash", "[x]")
OTHERS = ("a", " ", ", ", "(", ")", ":1.2)", "[", "]", "\\", " BREAK ", "<lora:a:1>", "_", "\u0301")
PIECES = st.sampled_from([*NAMES, *map(written, NAMES), *OTHERS])
PROMPTS = st.lists(PIECES, max_size=10).map("".join)
VOCABULARY, MERGES = toy_vocabulary(WORDS)
TOKENIZER = ClipTokenizer.build(VOCABULARY, [(left, right) for left, right in (merge.split(" ") for merge in MERGES)])


def shelf(*names: str) -> Shelf:
    return Shelf([entry("checkpoint", "base"), *(entry("embedding", name) for name in names)])


def acting(prompt: str, negative: str = "", names: tuple[str, ...] = NAMES, **more: float) -> set[str]:
    """The words of the embeddings in the request as it is kept."""
    request = TextToImage(checkpoint="id-base", prompt=prompt, negative_prompt=negative, **more)  # pyright: ignore[reportArgumentType]
    return {use.word for use in resolve(request, shelf(*names)).embeddings}


@pytest.mark.parametrize(
    ("prompt", "names"),
    [
        (r"a house, odd \(v1\)", {"odd (v1)"}), (r"(odd \(v1\):1.2)", {"odd (v1)"}), ("odd (v1)", set()), ("odd v1", set()),
        ("cafe\u0301", {"café"}), ("CAFÉ!", {"café"}), ("cafe", set()), ("cafés", set()),
        ("style+", {"style+"}), ("style", {"style"}), ("style  2", {"style 2"}), ("style_2", set()), ("mystyle", set()), ("styles", set()),
        ("style+more", {"style"}),
        ("a, v1.5, plus b", {"v1.5, plus"}), ("bad BREAK hands", set()), ("bad (hands)", set()), ("(bad Hands:0.5)", {"bad hands"}),
        ("ba<lora:x:1>d hands", {"bad hands"}), ("coffee break", {"Coffee BREAK"}), ("한글", {"한글"}),
    ],
)  # fmt: skip
def test_a_name_acts_where_it_stands_as_a_person_means_it(prompt: str, names: set[str]) -> None:
    text = parse(prompt).bare
    assert acting(text) == names
    assert acting("x", text) == names
    assert acting(unicodedata.normalize("NFD", text), names=tuple(unicodedata.normalize("NFD", name) for name in NAMES)) == {
        unicodedata.normalize("NFC", name) for name in names
    }


@settings(deadline=None)
@given(PROMPTS, PROMPTS)
def test_what_is_recorded_is_what_the_encoders_are_given(prompt: str, negative: str) -> None:
    kept = acting(parse(prompt).bare, negative)
    words = dict.fromkeys(kept, 2)  # what a drawing is lent: those that were recorded, and no others
    given_ = {name for text in (parse(prompt).bare, negative) for part in chunk(TOKENIZER, text, words) for _, name, _ in part.inserts}
    assert given_ == kept


def named(prompt: Prompt) -> set[str]:
    return {run.name for run in prompt.runs if run.name}


@settings(deadline=None)
@given(PROMPTS, st.sets(st.sampled_from(NAMES)))
def test_names_that_are_not_found_change_nothing(prompt: str, more: set[str]) -> None:
    found = parse(prompt, Names.of(NAMES))
    assert parse(prompt, Names.of(named(found))).runs == found.runs
    assert named(parse(prompt, Names.of(more))) <= more


@settings(deadline=None)
@given(st.text(max_size=30).filter(lambda name: name.strip() and "<" not in name))
def test_a_name_as_the_page_writes_it_is_that_name(name: str) -> None:
    """Or holds a weight of its own, which is then left alone."""
    text = written(name)
    assert text == " ".join(name.split()) or named(parse(text, Names.of([name]))) in ({name}, set())
    if ":" not in name:
        [run] = parse_weights(text)
        assert run.text.casefold() == " ".join(name.split()).casefold()


def test_with_guidance_one_nothing_in_the_negative_prompt_acts() -> None:
    assert acting("a", "style", guidance_scale=1) == set()
    assert acting("style", "café", guidance_scale=1) == {"style"}


def test_the_name_as_typed_wins_among_names_of_one_spelling() -> None:
    names = ("Ink", "ink", "INK")
    assert acting("a ink", names=names) == {"ink"}
    assert acting("a iNk", names=names) == {"INK"}, "copies of one file; and else it is always the same one"
    files = shelf(*names)
    files.entries = [replace(file, hash=file.name) for file in files.entries]
    assert [use.word for use in resolve(TextToImage(checkpoint="id-base", prompt="Ink"), files).embeddings] == ["Ink"]
    with pytest.raises(UserError, match="3 embedding files are called"):
        resolve(TextToImage(checkpoint="id-base", prompt="iNK"), files)


# What the page says


@cache
def reader() -> PromptReader:
    return PromptReader(shelf(*NAMES))


def said(prompt: str, negative: str = "") -> str:
    return " ".join(reader().notes("id-base", prompt, negative).sentences)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[red:blue:nan]", "“[red:blue:nan]” is drawn as plain words: “nan” is no number"),
        ("[a|b:0.5]", "it has : and | in one pair of brackets"), ("[a:b:c:3]", "too many colons"),
        ("<segment:face>", "“<segment:face>” is a tag that"), ("<fromto[0.5]:a,b>", "is a tag that"),
        ("odd (v1)", r"Write it as odd \(v1\)"), ("<lora:x:much>", "is not a number"),
        ("<lora:x:0@0,much@1>", "is not a weight that changes"),
    ],
)  # fmt: skip
def test_what_is_not_understood_is_said_by_name(text: str, says: str) -> None:
    assert says in said(text)
    if not text.startswith("<lora"):
        assert "In the negative prompt: " in said("a", text) and says in said("a", text)


@pytest.mark.parametrize(
    "text",
    ["[red] (blue:1.2)", "[red:blue:0.5]", "[red:12]", "[a|[b:c:3]]", "red AND blue", "a # note", "a ~~b~~",
     r"\[red:blue:0.5\]", r"[a\|b]", r"[x\:0.5]", "[a (b|c)]", "[a:b]", "a_b __ c", "sand and snow", "<3 :>",
     r"odd \(v1\)", "<lora:x:0.5>", "[on]", "{red}", "a: 0.5", "[red:blue:0.5"],
)  # fmt: skip
def test_what_is_understood_or_escaped_is_not_spoken_of(text: str) -> None:
    assert said(text) == ""


def test_a_tag_in_the_negative_prompt_is_no_words_and_is_told_before_and_after() -> None:
    assert "“<lora:ink:0.8>” in the negative prompt does nothing" in said("a", "fog <lora:ink:0.8>, rain")
    request = TextToImage(checkpoint="id-base", prompt="a", negative_prompt="fog <lora:ink:0.8>, rain <hypernet:x:y>")
    assert "<hypernet:x:y>" in left_out(request)[0]
    assert resolve(request, shelf()).negative_prompt == "fog, rain"


def test_an_embedding_counts_as_many_places_as_it_has_vectors() -> None:
    files = shelf("style")
    files.entries[1] = replace(files.entries[1], identity=replace(files.entries[1].identity, vectors=8))
    counted = PromptReader(files).notes("id-base", "a (STYLE:1.2), house").counted
    assert counted and counted.tokens == 11


def test_a_prompt_beyond_the_limit_is_not_read() -> None:
    found = reader().notes("id-base", "a" * 100_001)
    assert found.counted is None and "100,000" in found.sentences[0]
