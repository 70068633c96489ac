"""The words of one picture of a job, and one of several pictures that a job begins with."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from pipelines.requests.added import EMBEDDINGS, HYPERNETWORKS, LORAS, EmbeddingUse, HypernetworkUse, LoraUse
from pipelines.requests.fields import Several, Stored, Text, limited

if TYPE_CHECKING:
    from pipelines.requests.request import Drawn

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


def worded(request: Drawn, wording: Wording) -> Drawn:
    """The request with these words, and what they were drawn of."""
    prompt, negative = request.prompt, request.negative_prompt
    return replace(
        request,
        prompt=wording.prompt,
        negative_prompt=wording.negative_prompt,
        loras=wording.loras,
        hypernetworks=wording.hypernetworks,
        embeddings=wording.embeddings,
        prompt_template=request.prompt_template or (prompt if prompt != wording.prompt else ""),
        negative_template=request.negative_template or (negative if negative != wording.negative_prompt else ""),
    )
