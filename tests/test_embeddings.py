"""Embeddings stand for their word and for nothing else, in every layout that files have."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from models.diffusion_model import DiffusionModel
from models.errors import UserError
from models.patches.embeddings import injected, read_embedding
from pipelines.prompts import ClipTokenizer, chunk, count
from tests.support.toy_weights import load_toy_model, write_toy_model
from tests.support.toys import WORDS, toy_vocabulary

VECTORS = torch.randn(3, 32, generator=torch.Generator().manual_seed(1))


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> DiffusionModel:
    return load_toy_model(write_toy_model(tmp_path_factory.mktemp("sd1")))


@pytest.fixture(scope="module")
def tokenizer() -> ClipTokenizer:
    vocabulary, merges = toy_vocabulary(WORDS)
    pairs = [(left, right) for left, right in (merge.split(" ") for merge in merges)]
    return ClipTokenizer.build(vocabulary, pairs)


@pytest.mark.parametrize(
    "tensors",
    [{"emb_params": VECTORS}, {"string_to_param.*": VECTORS}, {"<snow>": VECTORS}, {"clip_l": VECTORS}, {"emb_params": VECTORS.half()}],
)
def test_every_layout_gives_the_same_vectors(tensors: dict[str, Any]) -> None:
    found = read_embedding(tensors, "snow")
    torch.testing.assert_close(found.vectors["clip_l"], VECTORS, atol=1e-3, rtol=1e-3)


def test_the_width_tells_the_encoder_and_sdxl_files_hold_two() -> None:
    assert set(read_embedding({"emb_params": torch.zeros(2, 1024)}, "x").vectors) == {"clip_h"}
    assert set(read_embedding({"clip_l": torch.zeros(2, 768), "clip_g": torch.zeros(2, 1280)}, "x").vectors) == {"clip_l", "clip_g"}


@pytest.mark.parametrize(
    ("tensors", "says"),
    [
        ({}, "nothing"), ({"a": VECTORS, "b": VECTORS}, "nothing"), ({"emb_params": torch.zeros(10_000, 32)}, "10,000"),
        ({"emb_params": torch.zeros(0, 32)}, "0 vectors"), ({"emb_params": VECTORS * torch.nan}, "not finite"),
        ({"emb_params": torch.zeros(2, 2, 2)}, "nothing"),
    ],
)  # fmt: skip
def test_b37_what_is_no_sound_embedding_is_refused(tensors: dict[str, Any], says: str) -> None:
    with pytest.raises(UserError, match=says):
        read_embedding(tensors, "snow")


@torch.no_grad()
def test_the_encoder_sees_the_vectors_in_their_places_and_forgets_them(model: DiffusionModel) -> None:
    network: Any = model.text_encoder
    ids = torch.tensor([[0] * 77, [1] * 77])
    before = network(input_ids=ids).last_hidden_state
    table = network.get_input_embeddings().weight
    seen: list[torch.Tensor] = []
    probe = network.embeddings.register_forward_hook(lambda module, arguments, output: seen.append(output))
    with injected(network, [(1, 5, VECTORS[0]), (1, 6, VECTORS[1])]):
        network(input_ids=ids)
    probe.remove()
    plain = table[ids] + network.embeddings.position_embedding.weight[:77]
    wanted = plain.clone()
    wanted[1, 5] += VECTORS[0] - table[1]
    wanted[1, 6] += VECTORS[1] - table[1]
    torch.testing.assert_close(seen[0], wanted)
    assert torch.equal(network(input_ids=ids).last_hidden_state, before)


def test_vectors_of_another_width_are_refused_and_nothing_stays_hooked(model: DiffusionModel) -> None:
    network: Any = model.text_encoder
    with pytest.raises(UserError, match="768"), injected(network, [(0, 1, torch.zeros(768))]):
        pass
    with pytest.raises(RuntimeError), injected(network, [(0, 1, VECTORS[0])]):
        raise RuntimeError
    assert not network.get_input_embeddings()._forward_hooks


def inserts(tokenizer: ClipTokenizer, prompt: str, words: dict[str, int]) -> list[list[tuple[int, str, int]]]:
    return [list(part.inserts) for part in chunk(tokenizer, prompt, words)]


def test_a_word_takes_as_many_places_as_it_has_vectors(tokenizer: ClipTokenizer) -> None:
    assert inserts(tokenizer, "a house in snow", {"snow": 3}) == [[(4, "snow", 0), (5, "snow", 1), (6, "snow", 2)]]
    assert count(tokenizer, "a house in snow", {"snow": 3}).tokens == 6


def test_only_whole_words_count_and_the_longest_wins(tokenizer: ClipTokenizer) -> None:
    assert inserts(tokenizer, "snowy snow.", {"snow": 1}) == [[(2 + len(tokenizer.tokens("snowy")) - 1, "snow", 0)]]
    [[found]] = inserts(tokenizer, "the red house", {"red": 1, "red house": 1})
    assert found[1] == "red house"


def test_weights_and_the_places_around_stay(tokenizer: ClipTokenizer) -> None:
    [plain], [with_word] = chunk(tokenizer, "a (snow:1.5) tree"), chunk(tokenizer, "a (snow:1.5) tree", {"snow": 2})
    assert with_word.weights[:5] == (1, 1, 1.5, 1.5, 1)
    assert (with_word.ids[1], with_word.ids[4]) == (plain.ids[1], plain.ids[3])


def test_an_embedding_is_not_torn_over_two_chunks(tokenizer: ClipTokenizer) -> None:
    *before, found = inserts(tokenizer, "a " * 70 + "snow a", {"snow": 10})
    assert before == [[]] and [place for place, _, _ in found] == list(range(1, 11))


@given(words=st.lists(st.sampled_from(WORDS), max_size=120), vectors=st.integers(1, 75))
def test_every_chunk_is_whole_and_every_vector_is_there(words: list[str], vectors: int) -> None:
    vocabulary, merges = toy_vocabulary(WORDS)
    tokenizer = ClipTokenizer.build(vocabulary, [(left, right) for left, right in (merge.split(" ") for merge in merges)])
    parts = chunk(tokenizer, " ".join(words), {"snow": vectors})
    assert all(len(part.ids) == len(part.weights) == 77 for part in parts)
    assert sum(len(part.inserts) for part in parts) == vectors * words.count("snow")


def test_without_embeddings_nothing_is_different(tokenizer: ClipTokenizer) -> None:
    assert chunk(tokenizer, "a red house, (snow:1.2)") == chunk(tokenizer, "a red house, (snow:1.2)", {})
