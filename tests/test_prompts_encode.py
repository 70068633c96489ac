"""Chunks to conditioning, compared with the text encoders called directly."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
import torch
from torch import Tensor

from models.diffusion_model import DiffusionModel, TextEncoder
from models.families import SD1, SDXL
from models.memory.device import mend_torchvision
from models.patches.embeddings import Embedding
from pipelines.prompts import ClipTokenizer, chunk
from pipelines.prompts.encode import Layer, encode, encode_prompts
from tests.support.toy_weights import CPU, load_toy_model, write_toy_model
from tests.support.toys import toy_vocabulary

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
    return encode(TextEncoder("clip_l", text_encoder, TOKENIZER), chunk(TOKENIZER, text), Layer(clip_skip)).vectors


def speaking(text_encoder: CLIPTextModel, embeddings: Mapping[str, Embedding] | None = None) -> Any:
    """As much of a model as its words need."""
    encoders = (TextEncoder("clip_l", text_encoder, TOKENIZER),)
    return SimpleNamespace(family=SD1, text_encoders=encoders, embeddings=embeddings or {}, device=CPU, encodings=None)


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


def test_clip_skip_beyond_the_layers_takes_the_first_one(text_encoder: CLIPTextModel) -> None:
    assert torch.equal(encoded(text_encoder, "cat", clip_skip=12), encoded(text_encoder, "cat", clip_skip=4))
    assert not torch.allclose(encoded(text_encoder, "cat", clip_skip=4), encoded(text_encoder, "cat", clip_skip=3))


def test_a_layer_without_the_final_norm_is_the_hidden_state_itself(text_encoder: CLIPTextModel) -> None:
    ids = torch.tensor([part.ids for part in chunk(TOKENIZER, "cat")])
    with torch.no_grad():
        states = text_encoder(input_ids=ids, output_hidden_states=True).hidden_states
    found = encode(TextEncoder("clip_l", text_encoder, TOKENIZER), chunk(TOKENIZER, "cat"), Layer(2, final_norm=False))
    assert torch.equal(found.vectors, states[-2])
    assert found.pooled is None


@pytest.fixture(scope="module")
def sdxl(tmp_path_factory: pytest.TempPathFactory) -> DiffusionModel:
    return load_toy_model(write_toy_model(tmp_path_factory.mktemp("sdxl"), family=SDXL), family=SDXL)


@torch.no_grad()
def called(model: DiffusionModel, number: int, text: str) -> Any:
    """What transformers' own encoder says of one chunk, its padding being this encoder's."""
    encoder = model.text_encoders[number]
    [part] = chunk(encoder.tokenizer, text)
    return encoder.network(input_ids=torch.tensor([part.ids]), output_hidden_states=True)


def test_two_encoders_lie_side_by_side_without_their_final_norm(sdxl: DiffusionModel) -> None:
    [found] = encode_prompts(sdxl, ["a red house"])
    own = [called(sdxl, number, "a red house") for number in (0, 1)]
    assert torch.equal(found.vectors, torch.cat([each.hidden_states[-2] for each in own], -1))
    assert found.vectors.shape == (1, 77, 80)
    assert found.pooled is not None and torch.equal(found.pooled, own[1].text_embeds)


def test_the_second_encoder_is_padded_with_id_0(sdxl: DiffusionModel) -> None:
    first, second = (chunk(encoder.tokenizer, "a red house")[0].ids for encoder in sdxl.text_encoders)
    assert first[:5] == second[:5]
    assert set(first[5:]) == {first[4]} and set(second[5:]) == {0}


def test_the_pooled_vector_is_the_first_chunks_and_knows_no_weights(sdxl: DiffusionModel) -> None:
    [found] = encode_prompts(sdxl, ["a (red:1.5) house BREAK a green tree"])
    assert found.vectors.shape == (1, 154, 80)
    torch.testing.assert_close(found.pooled, called(sdxl, 1, "a red house").text_embeds)


def test_a_weight_acts_in_both_encoders(sdxl: DiffusionModel) -> None:
    [plain_, weighted] = encode_prompts(sdxl, ["a red house", "a (red:1.5) house"])
    for half in (slice(0, 32), slice(32, 80)):
        factors = (weighted.vectors / plain_.vectors)[0, :, half].mean(-1)
        assert (factors / factors[0]).tolist() == pytest.approx([1, 1, 1.5] + [1] * 74, rel=1e-3)


@pytest.mark.parametrize(("clip_skip", "layers"), [(1, (-2, -2)), (2, (-3, -3)), (3, (-3, -4)), (12, (-3, -4))])
def test_clip_skip_counts_from_the_layer_of_the_family(clip_skip: int, layers: tuple[int, int], sdxl: DiffusionModel) -> None:
    """The toy's encoders have 3 and 4 layers; the state before the first one is not a layer."""
    [found] = encode_prompts(sdxl, ["a red house"], clip_skip)
    own = [called(sdxl, number, "a red house").hidden_states[layer] for number, layer in enumerate(layers)]
    assert torch.equal(found.vectors, torch.cat(own, -1))


def test_the_pooled_vector_is_the_same_at_any_clip_skip(sdxl: DiffusionModel) -> None:
    pooled = [encode_prompts(sdxl, ["a red house"], skip)[0].pooled for skip in (1, 2, 12)]
    assert all(each is not None and torch.equal(each, called(sdxl, 1, "a red house").text_embeds) for each in pooled)


def extended(text_encoder: CLIPTextModel, vectors: Tensor) -> CLIPTextModel:
    """The judge of embeddings: the same encoder, its vocabulary longer by as many words as there are vectors."""
    longer = build(layers=text_encoder.config.num_hidden_layers)
    longer.load_state_dict(text_encoder.state_dict(), strict=False)
    table = torch.cat([text_encoder.embeddings.token_embedding.weight, vectors])
    longer.embeddings.token_embedding = torch.nn.Embedding.from_pretrained(table)
    return longer


def test_an_embeddings_word_reads_as_new_words_of_the_vocabulary(text_encoder: CLIPTextModel) -> None:
    vectors = torch.randn(3, 32, generator=torch.Generator().manual_seed(1))
    model = speaking(text_encoder, {"cathouse": Embedding("cathouse", {"clip_l": vectors})})
    [found] = encode_prompts(model, ["dog cathouse, dog"])
    words = len(VOCABULARY)
    dog, comma = VOCABULARY["dog</w>"], VOCABULARY[",</w>"]
    ids = [END - 1, dog, words, words + 1, words + 2, comma, dog]
    with torch.no_grad():
        theirs = extended(text_encoder, vectors)(input_ids=torch.tensor([ids + [END] * (77 - len(ids))])).last_hidden_state
    torch.testing.assert_close(found.vectors, theirs)
    [without] = encode_prompts(speaking(text_encoder), ["dog cathouse, dog"])
    assert not torch.allclose(found.vectors, without.vectors)


def test_an_encoder_for_which_an_embedding_holds_nothing_reads_its_word(sdxl: DiffusionModel) -> None:
    one_sided = Embedding("tree", {"clip_l": torch.randn(75, 32, generator=torch.Generator().manual_seed(1))})
    [found] = encode_prompts(replace(sdxl, embeddings={"tree": one_sided}), ["a tree"])
    assert found.vectors.shape == (1, 154, 80)
    torch.testing.assert_close(found.vectors[:, :77, 32:], called(sdxl, 1, "a tree").hidden_states[-2])


@pytest.mark.parametrize(("prompt", "negative"), [("cat " * 200, "dog"), ("cat", "dog BREAK cat"), ("", ""), ("cat", "")])
def test_the_shorter_conditioning_is_filled_up_with_emptiness(prompt: str, negative: str, text_encoder: CLIPTextModel) -> None:
    cond, uncond = (part.vectors for part in encode_prompts(speaking(text_encoder), [prompt, negative]))
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
