"""The words of one picture of a job, and one of several pictures that a job begins with."""

from __future__ import annotations

from dataclasses import dataclass

from pipelines.requests.added import EMBEDDINGS, HYPERNETWORKS, LORAS, EmbeddingUse, HypernetworkUse, LoraUse
from pipelines.requests.fields import Several, Stored, Text, limited

MOST_WORDINGS = 10_000  # of one job


@dataclass(frozen=True, kw_only=True)
class PictureUse:
    """One of several pictures that are drawn over in turn."""

    id: str = limited("", Stored(), "Picture")
    name: str = limited("", Text(300), "Name")


@dataclass(frozen=True, kw_only=True)
class Wording:
    """The words that were drawn for a picture, and all files that are used with them."""

    prompt: str = limited("", Text(100_000), "Prompt")
    negative_prompt: str = limited("", Text(100_000), "Negative prompt")
    loras: tuple[LoraUse, ...] = limited((), LORAS, "LoRAs")
    hypernetworks: tuple[HypernetworkUse, ...] = limited((), HYPERNETWORKS, "Hypernetworks")
    embeddings: tuple[EmbeddingUse, ...] = limited((), EMBEDDINGS, "Embeddings")


WORDINGS = Several(Wording, MOST_WORDINGS)
