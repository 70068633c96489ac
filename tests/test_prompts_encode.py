"""Chunks to conditioning, compared with the text encoder called directly."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import torch
from torch import Tensor

from models.device import mend_torchvision
from models.errors import UserError
from pipelines.prompts import ClipTokenizer, chunk
from pipelines.prompts.encode import encode, encode_pair
from tests.toys import toy_vocabulary

if TYPE_CHECKING:
    from transformers import CLIPTextModel

VOCABULARY, MERGES = toy_vocabulary(["cat", "dog", "house", ","])
TOKENIZER = ClipTokenizer.build(VOCABULARY, [tuple(merge.split()) for merge in MERGES])  # pyright: ignore[reportArgumentType]
END = VOCABULARY["<|endoftext|>"]


@pytest.fixture(scope="module")
def text_encoder() -> CLIPTextModel:
    torch.manual_seed(0)
    encoder = build(layers=4)
    torch.nn.init.normal_(encoder.final_layer_norm.bias, std=0.5)  # so that leaving it out shows
    return encoder


def build(layers: int) -> CLIPTextModel:
    mend_torchvision()
    from transformers import CLIPTextConfig, CLIPTextModel

    size: dict[str, Any] = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": layers, "num_attention_heads": 2}
    config = CLIPTextConfig(vocab_size=len(VOCABULARY), max_position_embeddings=77, **size, bos_token_id=END - 1, eos_token_id=END)
    return CLIPTextModel(config).eval()


@torch.no_grad()
def plain(text_encoder: CLIPTextModel, words: list[str]) -> Tensor:
    ids = [END - 1, *(VOCABULARY[word + "</w>"] for word in words)]
    return text_encoder(input_ids=torch.tensor([ids + [END] * (77 - len(ids))])).last_hidden_state


def encoded(text_encoder: CLIPTextModel, text: str, clip_skip: int = 1) -> Tensor:
    return encode(text_encoder, chunk(TOKENIZER, text), clip_skip)


def test_a_short_prompt_without_weights_is_the_plain_encoding(text_encoder: CLIPTextModel) -> None:
    assert torch.equal(encoded(text_encoder, "cat, dog"), plain(text_encoder, ["cat", ",", "dog"]))
    assert torch.equal(encoded(text_encoder, "(cat:1.0), dog"), plain(text_encoder, ["cat", ",", "dog"]))


def test_a_long_prompt_is_its_chunks_end_to_end(text_encoder: CLIPTextModel) -> None:
    long = encoded(text_encoder, "cat " * 75 + "dog " * 75 + "house")
    assert long.shape == (1, 3 * 77, 32)
    assert not long.requires_grad
    for place, (word, times) in enumerate([("cat", 75), ("dog", 75), ("house", 1)]):
        torch.testing.assert_close(long[:, 77 * place : 77 * (place + 1)], plain(text_encoder, [word] * times))


def test_a_weight_scales_its_tokens_and_the_chunk_keeps_its_mean(text_encoder: CLIPTextModel) -> None:
    before = plain(text_encoder, ["cat", "dog"])
    after = encoded(text_encoder, "cat (dog:1.5)")
    assert after.mean().item() == pytest.approx(before.mean().item(), rel=1e-4)
    factors = (after / before)[0].mean(-1)
    assert (factors / factors[0]).tolist() == pytest.approx([1, 1, 1.5] + [1] * 74, rel=1e-3)


def test_a_weight_in_one_chunk_leaves_the_others_alone(text_encoder: CLIPTextModel) -> None:
    both = encoded(text_encoder, "cat BREAK (dog:1.5)")
    torch.testing.assert_close(both[:, :77], plain(text_encoder, ["cat"]))
    torch.testing.assert_close(both[:, 77:], encoded(text_encoder, "(dog:1.5)"))


def test_weights_of_nothing_and_below_are_finite(text_encoder: CLIPTextModel) -> None:
    for text in ("(cat:0)", "(cat:-1) (dog:-10)", "(cat:10)"):
        assert torch.isfinite(encoded(text_encoder, text)).all()


def test_clip_skip_leaves_layers_out_but_not_the_final_norm(text_encoder: CLIPTextModel) -> None:
    """A shorter encoder is the judge: the same weights with the last layers taken off."""
    shorter = build(layers=2)
    shorter.load_state_dict(text_encoder.state_dict(), strict=False)
    torch.testing.assert_close(encoded(text_encoder, "cat dog", clip_skip=3), plain(shorter, ["cat", "dog"]))
    assert not torch.allclose(encoded(text_encoder, "cat dog", clip_skip=3), encoded(text_encoder, "cat dog"))


@pytest.mark.parametrize("clip_skip", [0, 5, -1])
def test_clip_skip_beyond_the_layers_is_refused(clip_skip: int, text_encoder: CLIPTextModel) -> None:
    with pytest.raises(UserError, match="between 1 and 4"):
        encoded(text_encoder, "cat", clip_skip)


@pytest.mark.parametrize(("prompt", "negative"), [("cat " * 200, "dog"), ("cat", "dog BREAK cat"), ("", ""), ("cat", "")])
def test_the_shorter_conditioning_is_filled_up_with_emptiness(prompt: str, negative: str, text_encoder: CLIPTextModel) -> None:
    cond, uncond = encode_pair(TOKENIZER, text_encoder, prompt, negative)
    assert cond.shape == uncond.shape
    own = len(chunk(TOKENIZER, negative)) * 77
    torch.testing.assert_close(uncond[:, :own], encoded(text_encoder, negative))
    for begin in range(own, uncond.shape[1], 77):
        torch.testing.assert_close(uncond[:, begin : begin + 77], plain(text_encoder, []))


def test_a_half_precision_encoder_gives_half_precision() -> None:
    coarse = build(layers=1).bfloat16()
    assert encoded(coarse, "cat (dog:1.5)").dtype == torch.bfloat16


@pytest.mark.parametrize("text", ["👩\u200d👩\u200d👧", "\u200d", "שלום (עולם:1.3)", "(((", ":::", "\x00"])
def test_odd_text_is_encoded(text: str, text_encoder: CLIPTextModel) -> None:
    assert torch.isfinite(encoded(text_encoder, text)).all()
