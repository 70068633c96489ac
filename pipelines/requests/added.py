"""Files that are added to a checkpoint for one drawing: LoRAs, hypernetworks and embeddings, each with how strongly it acts."""

from __future__ import annotations

from dataclasses import dataclass

from pipelines.requests.fields import Choice, Range, Several, Text, limited
from pipelines.requests.region import MOST_REGIONS

STRONGEST = 4.0  # of a LoRA or hypernetwork: beyond, there is no picture left
MOST_LORAS = 16  # in one drawing


@dataclass(frozen=True, kw_only=True)
class LoraUse:
    """A LoRA file and how strongly it acts. Strength 0 takes it out, negative ones push the other way."""

    id: str = limited("", Choice(), "LoRA")
    name: str = limited("", Text(300), "Name", derived=True)  # so that another machine can find its own copy
    unet: float = limited(1.0, Range(-STRONGEST, STRONGEST, 0.05, clamp=True), "Strength")
    text_encoder: float = limited(1.0, Range(-STRONGEST, STRONGEST, 0.05, clamp=True), "Strength on the words")
    blocks: str = limited("", Text(400), "Block weights", "Numbers with commas, one a block of the UNet; empty: 1 everywhere")
    pace: str = limited("", Text(400), "Over the steps", "Shares of the strength, as in 0@0, 1@0.5: all of it from the middle on")
    region: int = limited(0, Range(0, MOST_REGIONS), "Region", "In whose words it is named; 0: it acts everywhere", derived=True)


@dataclass(frozen=True, kw_only=True)
class HypernetworkUse:
    """A hypernetwork file and how strongly it acts."""

    id: str = limited("", Choice(), "Hypernetwork")
    name: str = limited("", Text(300), "Name", derived=True)
    strength: float = limited(1.0, Range(-STRONGEST, STRONGEST, 0.05, clamp=True), "Strength")


@dataclass(frozen=True, kw_only=True)
class EmbeddingUse:
    """An embedding file and the word in the prompts that stands for it."""

    id: str = limited("", Choice(), "Embedding")
    word: str = limited("", Text(300), "Word")


LORAS, HYPERNETWORKS, EMBEDDINGS = Several(LoraUse, MOST_LORAS), Several(HypernetworkUse, 4), Several(EmbeddingUse, 64)
