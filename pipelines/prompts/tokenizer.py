"""The CLIP tokenizer, by the `tokenizers` package alone: a page can count tokens before torch and transformers are there."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, Self

from tokenizers import AddedToken, Regex, decoders, models, normalizers, pre_tokenizers
from tokenizers import Tokenizer as Backend

WORD_END = "</w>"
START, END, COMMA = "<|startoftext|>", "<|endoftext|>", f",{WORD_END}"
WORDS = r"<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"


class Tokenizer(Protocol):
    """A tokenizer, as far as the chunker needs it."""

    @property
    def start(self) -> int: ...
    @property
    def end(self) -> int: ...
    @property
    def pad(self) -> int: ...
    @property
    def comma(self) -> int | None: ...

    def tokens(self, text: str) -> list[tuple[int, int]]:
        """(token id, index of its first character in `text`) of each token, start and end not included."""
        ...


@dataclass(frozen=True, slots=True)
class ClipTokenizer:
    """The tokenizer of every CLIP text encoder; the ids are those of transformers' CLIPTokenizer."""

    backend: Backend
    start: int
    end: int
    pad: int  # fills up a chunk behind its end token: the end token itself in Stable Diffusion 1
    comma: int | None  # a comma that ends a word, if the vocabulary has it

    @classmethod
    def build(cls, vocabulary: dict[str, int], merges: list[tuple[str, str]], pad: str = END) -> Self:
        """From a vocabulary that holds at least the start and the end token."""
        backend = Backend(models.BPE(vocabulary, merges, unk_token=END, end_of_word_suffix=WORD_END, continuing_subword_prefix=""))
        backend.normalizer = normalizers.Sequence([normalizers.NFC(), normalizers.Replace(Regex(r"\s+"), " "), normalizers.Lowercase()])
        words = pre_tokenizers.Split(Regex(WORDS), behavior="removed", invert=True)
        backend.pre_tokenizer = pre_tokenizers.Sequence([words, pre_tokenizers.ByteLevel(add_prefix_space=False)])
        special = [AddedToken(token, normalized=False, special=True) for token in (START, END)]
        backend.add_special_tokens(special)  # pyright: ignore[reportUnknownMemberType]  # tokenizers annotates it in part
        return cls(backend, vocabulary[START], vocabulary[END], vocabulary.get(pad, vocabulary[END]), vocabulary.get(COMMA))

    def tokens(self, text: str) -> list[tuple[int, int]]:
        encoding = self.backend.encode(text, add_special_tokens=False)
        return [(token, span[0]) for token, span in zip(encoding.ids, encoding.offsets, strict=True)]

    def spelt(self, token: int) -> tuple[str, bool]:
        """The letters of a token, and whether a word ends with it. What is part of a letter alone, as of an emoji, is the sign �."""
        found = self.backend.id_to_token(token) or ""
        letters: str = decoders.ByteLevel().decode([found.removesuffix(WORD_END)])  # pyright: ignore[reportUnknownMemberType]
        return letters, found.endswith(WORD_END)


def load_tokenizer(folder: Path) -> ClipTokenizer:
    """From a tokenizer folder: tokenizer.json, or vocab.json and merges.txt; the pad token from tokenizer_config.json."""
    settings = folder / "tokenizer_config.json"
    pad = json.loads(settings.read_text("utf-8")).get("pad_token", END) if settings.exists() else END
    vocabulary, merges = _read(folder)
    return ClipTokenizer.build(vocabulary, merges, pad if isinstance(pad, str) else pad["content"])


def _read(folder: Path) -> tuple[dict[str, int], list[tuple[str, str]]]:
    whole = folder / "tokenizer.json"
    if whole.exists():
        model = json.loads(whole.read_text("utf-8"))["model"]
        return model["vocab"], [_pair(merge) for merge in model["merges"]]
    lines = (folder / "merges.txt").read_text("utf-8").split("\n")
    merges = [_pair(line) for line in lines if line and not line.startswith("#version")]
    return json.loads((folder / "vocab.json").read_text("utf-8")), merges


def _pair(merge: str | list[str]) -> tuple[str, str]:
    """A merge as older files ("a b") and newer ones (["a", "b"]) write it."""
    left, right = merge.split(" ") if isinstance(merge, str) else merge
    return left, right
