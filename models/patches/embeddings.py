"""Embeddings (textual inversion, Gal et al. 2022, arXiv:2208.01618): vectors that stand in the place of a word's tokens.

They are put behind the text encoder's table of words by a hook, so neither the table nor the tokenizer changes and no word of the
vocabulary is overwritten.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from models.errors import UserError
from models.tensors.add_on_names import MOST_VECTORS, vectors_in
from models.tensors.reading import all_finite

if TYPE_CHECKING:
    from transformers import CLIPTextModel, CLIPTextModelWithProjection


@dataclass(frozen=True)
class Embedding:
    """Vectors that a word of the prompt stands for."""

    name: str
    vectors: Mapping[str, Tensor]  # key of a text encoder -> (n, width) float32


def read_embedding(tensors: Mapping[str, Tensor], name: str) -> Embedding:
    """From a file's tensors, see `vectors_in`; whatever else lies in the file is passed over.

    Raises `UserError` when it is no embedding, has more than 128 vectors, or holds values that are not finite.
    """
    shapes = {key: tuple(tensor.shape) for key, tensor in tensors.items()}
    found = vectors_in(shapes, [key for key, tensor in tensors.items() if tensor.is_floating_point()])
    if not found:
        raise UserError(f"“{name}” holds nothing that an embedding has. Choose another file.")
    return Embedding(name, {encoder: _checked(tensors[key], name) for encoder, key in found.items()})


def _checked(tensor: Tensor, name: str) -> Tensor:
    vectors = tensor if tensor.ndim == 2 else tensor.unsqueeze(0)
    if not (0 < len(vectors) <= MOST_VECTORS and vectors.shape[1]):
        raise UserError(f"“{name}” has {len(vectors):,} vectors; 1 to {MOST_VECTORS} are possible. Choose another embedding.")
    if not all_finite(vectors):
        raise UserError(f"“{name}” holds values that are not finite; it is damaged. Get the file again.")
    return vectors.detach().float()


Place = tuple[int, int, Tensor]  # number of the chunk, position in it (0 .. 76), vector (width,)


@contextmanager
def injected(network: CLIPTextModel | CLIPTextModelWithProjection, places: Sequence[Place]) -> Generator[None]:
    """The text encoder reads these vectors at these places, whatever ids stand there, for the length of the block.

    Raises `UserError` when a vector is not as wide as the encoder's own.
    """
    if not places:
        yield
        return
    table = network.get_input_embeddings()
    assert isinstance(table, nn.Embedding), "it is the one that CLIP has"
    _check_widths(places, table.embedding_dim)
    chunks, positions = (torch.tensor([place[axis] for place in places]) for axis in (0, 1))
    vectors = torch.stack([vector for _, _, vector in places])

    def replace(_: nn.Module, __: object, words: Tensor) -> Tensor:
        words = words.clone()
        words[chunks.to(words.device), positions.to(words.device)] = vectors.to(words.device, words.dtype)
        return words

    hook = table.register_forward_hook(replace)
    try:
        yield
    finally:
        hook.remove()


def _check_widths(places: Sequence[Place], width: int) -> None:
    for _, _, vector in places:
        if vector.shape != (width,):
            found = f"An embedding has vectors of {vector.shape[-1]} numbers, and this model reads vectors of {width}"
            raise UserError(f"{found}. Take its word out of the prompt, or choose another model.")
