"""Prompt encoding: chunks of tokens to the text encoders' vectors, with the weights laid on."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn

from models.diffusion_model import DiffusionModel, TextEncoder
from models.memory.device import order_of_sums
from models.patches.embeddings import Embedding, injected
from pipelines.prompts.chunks import Chunk, chunk

if TYPE_CHECKING:
    from transformers import CLIPTextModel, CLIPTextModelWithProjection

Embeddings = Mapping[str, Embedding]  # word of the prompt -> what stands for it
NONE: Embeddings = {}
MOST_KEPT = 64_000_000  # bytes of what one text encoder has said


@dataclass(frozen=True, slots=True)
class Encoded:
    """One prompt, encoded by the text encoders."""

    vectors: Tensor  # (1, 77 n, width): n chunks, encoded apart and laid end to end
    pooled: Tensor | None = None  # (1, width): the first chunk as one vector, without its weights; None: the encoder has no projection

    @property
    def bytes(self) -> int:
        return self.vectors.nbytes + (0 if self.pooled is None else self.pooled.nbytes)


@dataclass(frozen=True, slots=True)
class Layer:
    """The layer of an encoder that vectors are taken from."""

    from_end: int = 1  # 1: the last layer. A number beyond the encoder's layers means its first one
    final_norm: bool = True  # whether the final layer norm follows, whichever layer it is


LAST = Layer()


Texts = str | tuple[str, str]  # a plain prompt; or what each of two text encoders reads


class Encodings:
    """What text encoders have said, so that what did not change is not encoded again: at other steps, in other batches and other jobs.

    Bounded for each encoder, what was asked for longest ago goes first; with an encoder goes all that it has said.
    """

    def __init__(self, most: int = MOST_KEPT) -> None:
        """`most`: bytes that are kept for one encoder."""
        self._most = most
        self._known: WeakKeyDictionary[nn.Module, dict[Hashable, Encoded]] = WeakKeyDictionary()

    def get(self, network: nn.Module, key: Hashable, encode: Callable[[], Encoded]) -> Encoded:
        """What this encoder said under this key, or what `encode` says now."""
        own = self._known.setdefault(network, {})
        found = own[key] = own.pop(key, None) or encode()
        while sum(each.bytes for each in own.values()) > self._most and len(own) > 1:
            del own[next(iter(own))]
        return found


def encode_prompts(model: DiffusionModel, prompts: Sequence[Texts], clip_skip: int = 1) -> list[Encoded]:
    """Each prompt, all of equal length: those with fewer chunks are filled up with empty ones.

    The vectors of several encoders lie side by side, and the pooled vector is the last one's. `clip_skip` 1 takes the layer that
    the family was trained with, 2 the one before it, and so on. Words of `model.embeddings` stand for their vectors.
    """
    layer = Layer(model.family.text.layer + clip_skip - 1, model.family.text.final_norm)
    encoders = list(enumerate(model.text_encoders))
    divided = [[_divided(encoder, _read_by(place, text), model.embeddings) for text in prompts] for place, encoder in encoders]
    length = max(len(chunks) for own in divided for chunks in own)
    columns = [
        [_encoded(model, encoder, _filled(encoder, chunks, length), layer) for chunks in own]
        for encoder, own in zip(model.text_encoders, divided, strict=True)
    ]
    return [_side_by_side(parts) for parts in zip(*columns, strict=True)]


def _read_by(place: int, text: Texts) -> str:
    return text if isinstance(text, str) else text[min(place, 1)]


def _encoded(model: DiffusionModel, encoder: TextEncoder, chunks: tuple[Chunk, ...], layer: Layer) -> Encoded:
    """As it is kept, if it is. In which order sums are added up is part of what is asked."""

    def now() -> Encoded:
        return encode(encoder, chunks, layer, model.embeddings, model.device.torch_device)

    if model.encodings is None:
        return now()
    return model.encodings.get(encoder.network, (chunks, layer, model.encoder_state, order_of_sums()), now)


@torch.no_grad()
def encode(
    encoder: TextEncoder, chunks: Sequence[Chunk], layer: Layer = LAST, embeddings: Embeddings = NONE, device: torch.device | None = None
) -> Encoded:
    """One encoder's vectors of some chunks, in its number type. Without weights this is the plain encoding, bit for bit.

    `device`: where it computes, when its weights are kept elsewhere in between.
    """
    ids = torch.tensor([part.ids for part in chunks], device=device or encoder.network.device)
    with injected(encoder.network, list(_places(encoder.key, chunks, embeddings))):
        states, pooled = _states(encoder.network, ids, layer)
    weights = torch.tensor([part.weights for part in chunks])
    if (weights != 1).any():
        states = _emphasise(states, weights.to(states.device))
    return Encoded(states.flatten(0, 1).unsqueeze(0), None if pooled is None else pooled[:1])


def _divided(encoder: TextEncoder, prompt: str, embeddings: Embeddings) -> tuple[Chunk, ...]:
    """A word whose embedding holds nothing for this encoder is an ordinary word to it."""
    lengths = {name: len(entry.vectors.get(encoder.key, ())) for name, entry in embeddings.items()}
    return chunk(encoder.tokenizer, prompt, lengths)


def _filled(encoder: TextEncoder, chunks: tuple[Chunk, ...], length: int) -> tuple[Chunk, ...]:
    return chunks + chunk(encoder.tokenizer, "") * (length - len(chunks))


def _places(key: str, chunks: Sequence[Chunk], embeddings: Embeddings) -> Iterator[tuple[int, int, Tensor]]:
    for number, part in enumerate(chunks):
        for position, word, index in part.inserts:
            yield number, position, embeddings[word].vectors[key][index]


def _states(network: CLIPTextModel | CLIPTextModelWithProjection, ids: Tensor, layer: Layer) -> tuple[Tensor, Tensor | None]:
    """The library's own clip skip is not used: its last hidden state is the one before the final layer norm."""
    plain = layer == LAST
    output = network(input_ids=ids, output_hidden_states=not plain)
    pooled = output.get("text_embeds")
    if plain:
        return output.last_hidden_state, pooled
    body: nn.Module = getattr(network, "text_model", network)  # an encoder with a projection has its layers one level further down
    states = output.hidden_states[-min(layer.from_end, network.config.num_hidden_layers)]
    return body.get_submodule("final_layer_norm")(states) if layer.final_norm else states, pooled


def _side_by_side(parts: Sequence[Encoded]) -> Encoded:
    return Encoded(torch.cat([part.vectors for part in parts], -1), parts[-1].pooled)


def _emphasise(states: Tensor, weights: Tensor) -> Tensor:
    """A1111's emphasis "Original": each token's vector times its weight, then each chunk brought back to its mean."""
    weighted = states.float() * weights.unsqueeze(-1)
    before, after = states.float().mean((1, 2), keepdim=True), weighted.mean((1, 2), keepdim=True)
    return torch.where(after == 0, weighted, weighted * (before / after)).to(states.dtype)
