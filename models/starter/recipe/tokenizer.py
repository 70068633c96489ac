"""Builds the starter's tokenizer: CLIP's byte-pair format with a small vocabulary.

Every word the captions use is one token; any other word falls apart into the
letters and letter groups of the same vocabulary, so no prompt is refused.
The format is that of openai/CLIP's simple_tokenizer.py.
"""

from __future__ import annotations

import itertools
import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor
from transformers import CLIPTokenizer

from models.starter.recipe.captions import known_words
from models.starter.recipe.networks import LONGEST_PROMPT

BEGIN, END, WORD_END = "<|startoftext|>", "<|endoftext|>", "</w>"

Pair = tuple[str, str]


def build_tokenizer(folder: Path) -> None:
    """Write vocab.json, merges.txt and the two configuration files CLIPTokenizer reads."""
    folder.mkdir(parents=True, exist_ok=True)
    merges = merges_for(known_words())
    letters = list(byte_letters())
    tokens = [*letters, *(letter + WORD_END for letter in letters)]
    tokens += [first + second for first, second in merges]
    vocabulary = {token: number for number, token in enumerate([*tokens, BEGIN, END])}
    lines = ["#version: 0.2", *(" ".join(pair) for pair in merges)]
    (folder / "vocab.json").write_text(json.dumps(vocabulary, ensure_ascii=False), "utf-8")
    (folder / "merges.txt").write_text("\n".join(lines) + "\n", "utf-8")
    _write_json(folder / "tokenizer_config.json", _configuration())
    special = {"bos_token": BEGIN, "eos_token": END, "unk_token": END, "pad_token": END}
    _write_json(folder / "special_tokens_map.json", special)


def tokens_of(tokenizer: CLIPTokenizer, captions: list[str]) -> Tensor:
    """(B, 77) token ids, filled up with the end token as in Stable Diffusion 1."""
    coded = tokenizer(captions, padding="max_length", truncation=True, max_length=LONGEST_PROMPT)
    return torch.tensor(coded["input_ids"])


def merges_for(words: list[str]) -> list[Pair]:
    """The merges, in order, after which every one of the words is a single token.

    Byte-pair encoding (Sennrich et al., arXiv 1508.07909): the commonest pair is
    joined in all words, again and again, until nothing is left to join.
    """
    pieces = {word: [*word[:-1], word[-1] + WORD_END] for word in words}
    merges: list[Pair] = []
    while counts := Counter(pair for parts in pieces.values() for pair in _pairs(parts)):
        best = min(counts, key=lambda pair: (-counts[pair], pair))
        merges.append(best)
        pieces = {word: _joined(parts, best) for word, parts in pieces.items()}
    return merges


def byte_letters() -> list[str]:
    """CLIP's 256 letters, one for each byte: printable ones stand for themselves."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in printable]
    return [chr(byte) for byte in printable] + [chr(256 + place) for place in range(len(others))]


def _pairs(parts: list[str]) -> list[Pair]:
    return list(itertools.pairwise(parts))


def _joined(parts: list[str], pair: Pair) -> list[str]:
    result: list[str] = []
    for part in parts:
        if result and (result[-1], part) == pair:
            result[-1] += part
        else:
            result.append(part)
    return result


def _configuration() -> dict[str, object]:
    return {
        "tokenizer_class": "CLIPTokenizer",
        "model_max_length": LONGEST_PROMPT,
        "do_lower_case": True,
        "add_prefix_space": False,
        "bos_token": BEGIN,
        "eos_token": END,
        "unk_token": END,
        "pad_token": END,
    }


def _write_json(path: Path, content: Mapping[str, object]) -> None:
    path.write_text(json.dumps(content, indent=2) + "\n", "utf-8")


if __name__ == "__main__":
    build_tokenizer(Path(__file__).parent.parent / "tokenizer")
