"""Lists of names in a picture's settings: whatever a file is called, what is written reads back, and other studios read ordinary ones."""

from __future__ import annotations

import unicodedata

from hypothesis import example, given, settings
from hypothesis import strategies as st

from pipelines.metadata import infotext
from pipelines.metadata.lists import listed, unlisted
from pipelines.requests.request import TextToImage

LETTERS = st.sampled_from(list("ab ,:\"'\\%2C0fé雪\u0301\n\t\u2028<>[]"))
ODD = st.text(LETTERS, max_size=12)
NAMES = st.one_of(ODD, st.text(st.characters(exclude_categories=["Cs"]), max_size=20))
PAIRS = st.lists(st.tuples(NAMES, NAMES), max_size=5)


@given(PAIRS)
@example([("soft, warm", "ab"), ("style: ink", "cd"), ("50% grey", "ef"), ("a%2Cb", "01"), ("twin", "1"), ("twin", "2"), (" x ", "")])
@settings(deadline=None, max_examples=400)
def test_what_is_written_reads_back_alone_and_inside_the_settings(pairs: list[tuple[str, str]]) -> None:
    expected = [(unicodedata.normalize("NFC", name), unicodedata.normalize("NFC", value)) for name, value in pairs]
    assert unlisted(listed(pairs)) == expected
    if pairs:
        text = infotext.write(TextToImage(prompt="x", seed=1), {"Lora hashes": listed(pairs)})
        assert unlisted(infotext.parse(text).leftovers["Lora hashes"]) == expected


def test_another_studio_finds_ordinary_names_and_every_hash() -> None:
    """As A1111 1.10 takes a list apart (extensions-builtin/Lora/scripts/lora_script.py)."""
    text = listed([("ink v2", "0123456789ab"), ("50% grey", "ba9876543210"), ("soft, warm", "cccccccccccc")])
    hashes = {name.strip(): digest.strip() for name, digest in (entry.strip().split(":", 1) for entry in text.split(","))}
    assert hashes["ink v2"] == "0123456789ab" and hashes["50% grey"] == "ba9876543210"
    assert "cccccccccccc" in hashes.values()


@given(st.one_of(st.text(max_size=200), st.text(LETTERS, max_size=60)))
@example("a\u0301: 1%2C%252C, : x:y")
@settings(deadline=None)
def test_no_text_breaks_the_reading_of_a_list(text: str) -> None:
    assert unlisted(listed(unlisted(text))) == unlisted(text)


def test_a_name_with_a_comma_that_another_studio_left_bare_stays_whole() -> None:
    assert unlisted("soft, warm: ab, style: ink: cd") == [("soft, warm", "ab"), ("style: ink", "cd")]
