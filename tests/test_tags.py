"""Tags in prompts: A1111's spellings, and any text at all."""

from __future__ import annotations

import time
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.errors import UserError
from pipelines.prompts.tags import Tag, take_tags, write_tags
from pipelines.requests.request import HypernetworkUse, LoraUse
from tests.support.toys import FAR_TOO_LONG


@pytest.mark.parametrize(
    ("text", "unet", "text_encoder"),
    [
        ("<lora:ink>", 1, 1), ("<lora:ink:0.8>", 0.8, 0.8), ("<lora:ink:0.5:1>", 1, 0.5), ("<lora:ink:unet=0.3:te=0.6>", 0.3, 0.6),
        ("<lora:ink:te=0.6>", 0.6, 0.6), ("<lora:ink:-1>", -1, -1), ("<lora:ink:.5>", 0.5, 0.5), ("<LORA: ink :1e0>", 1, 1),
        ("<lora:ink:0.5:1:4>", 1, 0.5), ("<lyco:ink:2>", 2, 2),
    ],
)  # fmt: skip
def test_the_spellings_of_other_studios_are_read(text: str, unet: float, text_encoder: float) -> None:
    assert take_tags(f"a house {text}, snow") == ("a house, snow", [Tag("lora", "ink", unet, text_encoder)])


def test_tags_are_taken_in_their_order_and_the_rest_stays() -> None:
    prompt, tags = take_tags("<lora:a:1>(x:1.2) <hypernet:b:0.5> <3 <unknown:c:1> [d|e]")
    assert prompt == "(x:1.2) <3 <unknown:c:1> [d|e]"
    assert [(tag.kind, tag.name) for tag in tags] == [("lora", "a"), ("hypernet", "b")]


@pytest.mark.parametrize("number", ["nan", "inf", "x", "", "1,5", "0x10", "١"])
def test_a_strength_that_is_no_number_is_refused_by_name(number: str) -> None:
    with pytest.raises(UserError, match="ink"):
        take_tags(f"<lora:ink:{number}>")


@given(st.text(max_size=300))
def test_a_text_without_tags_is_left_alone(text: str) -> None:
    if "lora" not in text.lower() and "lyco" not in text.lower() and "hypernet" not in text.lower():
        assert take_tags(text) == (text, [])


@pytest.mark.parametrize("piece", ["<", "<lora:", "<lora:a", ">", "<lora:a:1>", " <"])
def test_a_prompt_full_of_brackets_takes_no_time(piece: str) -> None:
    begun = time.process_time()
    with suppress(UserError):
        take_tags((piece * 100_000)[:100_000])
    assert time.process_time() - begun < FAR_TOO_LONG


names = st.text(st.characters(exclude_characters="<>:\n", categories=("L", "N", "P", "Zs")), min_size=1, max_size=30)
strengths = st.integers(-80, 80).map(lambda n: n / 20)


@given(name=names.map(str.strip).filter(bool), unet=strengths, text_encoder=strengths)
def test_what_is_written_is_read_again(name: str, unet: float, text_encoder: float) -> None:
    lora, network = LoraUse(name=name, unet=unet, text_encoder=text_encoder), HypernetworkUse(name=name, strength=unet)
    prompt, tags = take_tags("a house" + write_tags([lora], [network]))
    assert prompt == "a house"
    assert tags == [Tag("lora", name, unet, text_encoder), Tag("hypernet", name, unet, unet)]
