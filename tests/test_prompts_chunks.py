"""Prompts of any length as chunks of 75 tokens, and the counter that shows where they are cut."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import CLIPTokenizer

from pipelines.prompts import ClipTokenizer, chunk, count, load_tokenizer
from tests.support.toys import FAR_TOO_LONG, toy_vocabulary

WORDS = ["cat", "dog", "house", "it", "'s", ",", ".", "cafÃ©"]  # the last as its bytes are written: café
VOCABULARY, MERGES = toy_vocabulary(WORDS)
TOKENIZER = ClipTokenizer.build(VOCABULARY, [tuple(merge.split()) for merge in MERGES])  # pyright: ignore[reportArgumentType]
START, END = VOCABULARY["<|startoftext|>"], VOCABULARY["<|endoftext|>"]
CAT, DOG, COMMA = (VOCABULARY[word + "</w>"] for word in ("cat", "dog", ","))
TEXTS = st.text(alphabet=st.sampled_from("catdoghuse ,.'()[]:1.2\\\nBREAK é👩\u200dא\U0001f600"), max_size=200) | st.text(max_size=80)


def said(text: str) -> list[list[int]]:
    """The tokens of each chunk between its start and its end."""
    return [list(part.ids[1 : part.ids.index(END)]) for part in chunk(TOKENIZER, text)]


def cats(number: int) -> str:
    return " ".join(["cat"] * number)


def test_an_empty_prompt_is_one_empty_chunk() -> None:
    (only,) = chunk(TOKENIZER, "")
    assert only.ids == (START, *[END] * 76)
    assert only.weights == (1.0,) * 77


def test_a_chunk_is_start_tokens_end_padding() -> None:
    (only,) = chunk(TOKENIZER, "cat (dog:1.5)")
    assert only.ids == (START, CAT, DOG, *[END] * 74)
    assert only.weights == (1.0, 1.0, 1.5, *[1.0] * 74)


def test_padding_is_the_tokenizers_own() -> None:
    """Stable Diffusion 2 fills up with another token, which in a prompt is an ordinary word."""
    padded = ClipTokenizer.build(VOCABULARY, [tuple(merge.split()) for merge in MERGES], pad="!")  # pyright: ignore[reportArgumentType]
    (only,) = chunk(padded, "cat!")
    assert only.ids == (START, CAT, VOCABULARY["!</w>"], END, *[VOCABULARY["!"]] * 73)


@pytest.mark.parametrize(("number", "chunks"), [(74, 1), (75, 1), (76, 2), (150, 2), (151, 3)])
def test_seventy_five_tokens_fill_a_chunk(number: int, chunks: int) -> None:
    assert len(chunk(TOKENIZER, cats(number))) == chunks


def test_a_phrase_after_a_near_comma_is_not_torn_apart() -> None:
    first, second = said(f"{cats(70)}, dog dog dog dog dog dog")
    assert first == [CAT] * 70 + [COMMA]
    assert second == [DOG] * 6


@pytest.mark.parametrize(("after", "moved"), [(19, True), (20, False)])
def test_a_comma_is_near_when_it_is_among_the_last_twenty(after: int, moved: bool) -> None:
    text = cats(74 - after) + "," + " dog" * (after + 1)
    assert len(said(text)[0]) == (75 - after if moved else 75)


def test_a_comma_that_does_not_fit_begins_the_next_chunk() -> None:
    assert said(f"{cats(70)}, dog dog dog dog, cat") == [[CAT] * 70 + [COMMA] + [DOG] * 4, [COMMA, CAT]]


def test_a_comma_in_an_earlier_chunk_is_forgotten() -> None:
    assert [len(part) for part in said(f"{cats(60)}, {cats(94)}")] == [61, 75, 19]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("cat BREAK dog", [[CAT], [DOG]]),
        ("cat BREAK", [[CAT]]),
        ("BREAK cat", [[], [CAT]]),
        ("cat BREAK BREAK dog", [[CAT], [], [DOG]]),
        ("BREAK", [[]]),
        ("(cat BREAK dog:1.3)", [[CAT], [DOG]]),
    ],
)
def test_break_fills_up_the_chunk(text: str, expected: list[list[int]]) -> None:
    assert said(text) == expected


@settings(max_examples=300, deadline=None)
@given(TEXTS)
def test_any_prompt_becomes_whole_chunks_and_loses_no_token(text: str) -> None:
    parts = chunk(TOKENIZER, text)
    for part in parts:
        assert len(part.ids) == len(part.weights) == 77
        assert part.ids[0] == START
        assert END in part.ids
        assert part.weights[0] == part.weights[-1] == 1.0
    counted = count(TOKENIZER, text)
    assert counted.limit == 75 * len(parts)
    assert counted.limit - 75 <= counted.tokens <= counted.limit
    assert len(counted.cuts) == len(parts) - 1
    assert list(counted.cuts) == sorted(counted.cuts)
    assert all(0 <= cut <= len(text) for cut in counted.cuts)


@settings(deadline=None)
@given(st.lists(st.sampled_from(["cat", "dog", ",", "house."]), max_size=400))
def test_the_chunks_hold_the_tokens_in_order(words: list[str]) -> None:
    text = " ".join(words)
    assert [token for part in said(text) for token in part] == [token for token, _ in TOKENIZER.tokens(text)]


def test_ten_thousand_tokens_take_no_time() -> None:
    text = ("cat, (dog:1.2) " * 5000)[:100_000]
    begun = time.process_time()
    parts = chunk(TOKENIZER, text)
    assert time.process_time() - begun < FAR_TOO_LONG
    assert len(parts) > 130


# The counter


def test_the_counter_counts_against_the_chunks_there_are() -> None:
    assert (count(TOKENIZER, "").tokens, count(TOKENIZER, "").limit) == (0, 75)
    assert (count(TOKENIZER, cats(75)).tokens, count(TOKENIZER, cats(75)).limit) == (75, 75)
    assert (count(TOKENIZER, cats(76)).tokens, count(TOKENIZER, cats(76)).limit) == (76, 150)


def test_a_chunk_that_was_closed_early_counts_as_full() -> None:
    assert (count(TOKENIZER, "cat BREAK dog").tokens, count(TOKENIZER, "cat BREAK dog").limit) == (76, 150)


@pytest.mark.parametrize(
    ("text", "rest"),
    [
        (cats(75) + " dog house", "dog house"),
        (cats(70) + ", dog dog dog dog dog dog", "dog dog dog dog dog dog"),
        ("cat BREAK dog", "dog"),
        (f"(({cats(74)}:1.3) [house) dog dog, it", "dog dog, it"),
        (rf"\({cats(74)} dog\)", "dog\\)"),
        ("cafe\u0301 " * 75 + "dog", "dog"),
        ("👩\u200d👩 " * 2 + "BREAK  שלום", "שלום"),
        ("cat  \n " * 75 + "  dog", "dog"),
    ],
)
def test_a_cut_is_where_the_next_chunk_begins_in_the_prompt_as_written(text: str, rest: str) -> None:
    (cut, *_) = count(TOKENIZER, text).cuts
    assert text[cut:] == rest


# The tokenizer


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("tokenizer")
    (path / "vocab.json").write_text(json.dumps(VOCABULARY), "utf-8")
    (path / "merges.txt").write_text("#version: 0.2\n" + "\n".join(MERGES) + "\n", "utf-8")
    return path


@pytest.fixture(scope="module")
def library(folder: Path) -> CLIPTokenizer:
    return CLIPTokenizer.from_pretrained(str(folder))


SAMPLES = [
    "", " ", "cat", "A CAT  and\ta dog\n", "it's the dog's house", "café cafe\u0301", "1234 cats, 5th",
    "👩\u200d👩\u200d👧\ufe0f", "שלום عربى", "हिन्दी 日本語", "don't!!! ,,, ...",
    "<|startoftext|>cat<|endoftext|> dog", "ǅ ß İ ﬁ", "\x00\x7f\u200b\ufeff", "a,b;c", "x" * 300,
]  # fmt: skip


@pytest.mark.parametrize("text", SAMPLES)
def test_tokens_are_those_of_transformers(text: str, library: CLIPTokenizer, folder: Path) -> None:
    check_tokens(load_tokenizer(folder), library, text)


def test_tokens_of_any_text_are_those_of_transformers(library: CLIPTokenizer) -> None:
    @settings(max_examples=300, deadline=None)
    @given(TEXTS)
    def check(text: str) -> None:
        check_tokens(TOKENIZER, library, text)

    check()


def check_tokens(ours: ClipTokenizer, library: CLIPTokenizer, text: str) -> None:
    theirs = library(text, add_special_tokens=False, return_offsets_mapping=True)
    assert ours.tokens(text) == [(token, span[0]) for token, span in zip(theirs["input_ids"], theirs["offset_mapping"], strict=True)]


def test_a_short_chunk_is_the_padded_prompt_of_transformers(library: CLIPTokenizer) -> None:
    text = "A cat, it's a dog's house. Café 1234"
    assert list(chunk(TOKENIZER, text)[0].ids) == library(text, padding="max_length", max_length=77)["input_ids"]


def as_new_file(folder: Path, library: CLIPTokenizer) -> Path:
    library.save_pretrained(folder)
    return folder


def as_old_file(folder: Path, library: CLIPTokenizer) -> Path:
    """Merges as one string each, the pad token as a mapping: how tokenizers before 2024 were written."""
    model = {"type": "BPE", "vocab": VOCABULARY, "merges": MERGES}
    (folder / "tokenizer.json").write_text(json.dumps({"model": model}), "utf-8")
    (folder / "tokenizer_config.json").write_text(json.dumps({"pad_token": {"content": "<|endoftext|>"}}), "utf-8")
    return folder


@pytest.mark.parametrize("write", [as_new_file, as_old_file])
def test_every_kind_of_tokenizer_folder_is_read(
    write: Callable[[Path, CLIPTokenizer], Path], tmp_path: Path, library: CLIPTokenizer
) -> None:
    tokenizer = load_tokenizer(write(tmp_path, library))
    assert (tokenizer.start, tokenizer.end, tokenizer.pad, tokenizer.comma) == (START, END, END, COMMA)
    for text in SAMPLES:
        check_tokens(tokenizer, library, text)
