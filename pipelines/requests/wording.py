"""The words of one picture of a job, and one of several pictures that a job begins with."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from pipelines.requests.added import EMBEDDINGS, HYPERNETWORKS, LORAS, EmbeddingUse, HypernetworkUse, LoraUse
from pipelines.requests.fields import Several, Stored, Text, limited

if TYPE_CHECKING:
    from pipelines.requests.request import Drawing, Drawn

MOST_WORDINGS = 10_000  # of one job
# How a prompt is read: weights, BREAK and names of embeddings alone, as Atelier did before there was more, or the language as it is now.
WEIGHTS_ALONE, WHOLE_LANGUAGE = 1, 2
SEEDS = 2**63  # torch takes 64 bits, SQLite and JSON readers keep 63


@dataclass(frozen=True, kw_only=True)
class PictureUse:
    """One of several pictures that a job begins with in turn."""

    id: str = limited("", Stored(), "Picture")
    name: str = limited("", Text(300), "Name")


PICTURES = Several(PictureUse, 500)


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


def wording_of(request: Drawing, combination: int, place: int) -> Wording:
    """Of all combinations one after another, or else one for each seed from that of the job on."""
    if request.all_combinations:
        return request.wordings[combination]
    return request.wordings[(request.placed(place).seed - request.seed) % SEEDS]


def of_batch(request: Drawn, number: int) -> Drawn:
    """The same job with the words, and what they name, of batch `number`; with several words a batch is one picture."""
    return worded(request, wording_of(request, *divmod(number, request.batches_each))) if request.wordings else request
