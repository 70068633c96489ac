"""Embeddings (textual inversion, Gal et al. 2022, arXiv:2208.01618): vectors that stand in the place of a word's tokens.

They are put behind the text encoder's table of words by a hook, so neither the table nor the tokenizer changes and no word of the
vocabulary is overwritten.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from models.errors import UserError

MOST_VECTORS = 128
KEYS = {1024: "clip_h", 1280: "clip_g"}  # width of a lone tensor -> the encoder it is for; any other: the one of Stable Diffusion 1
OWN_KEYS = ("clip_l", "clip_g", "clip_h")  # as tensors for several encoders are called in one file


@dataclass(frozen=True)
class Embedding:
    """What a word of the prompt stands for."""

    name: str
    vectors: Mapping[str, Tensor]  # key of a text encoder -> (n, width) float32


def read_embedding(tensors: Mapping[str, Tensor], name: str) -> Embedding:
    """From a file's tensors: `emb_params`, `string_to_param.*`, `clip_l` and `clip_g`, or one tensor of any name.

    Raises `UserError` when it is none of these, has more than 128 vectors, or holds values that are not finite.
    """
    found = {key: tensors[key] for key in OWN_KEYS if key in tensors} or _lone(tensors)
    if not found:
        raise UserError(f"“{name}” holds nothing that an embedding has. Choose another file.")
    return Embedding(name, {key: _checked(tensor, name) for key, tensor in found.items()})


def _lone(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    named = [tensor for key, tensor in tensors.items() if key == "emb_params" or key.startswith("string_to_param")]
    several = named or list(tensors.values())
    if len(several) != 1 or not several[0].ndim:
        return {}
    return {KEYS.get(several[0].shape[-1], "clip_l"): several[0]}


def _checked(tensor: Tensor, name: str) -> Tensor:
    if tensor.ndim not in (1, 2) or not tensor.is_floating_point():
        raise UserError(f"“{name}” holds nothing that an embedding has; it may be damaged. Get the file again.")
    vectors = tensor if tensor.ndim == 2 else tensor.unsqueeze(0)
    if not (0 < len(vectors) <= MOST_VECTORS and vectors.shape[1]):
        raise UserError(f"“{name}” has {len(vectors):,} vectors; 1 to {MOST_VECTORS} are possible. Choose another embedding.")
    if not torch.isfinite(vectors).all():
        raise UserError(f"“{name}” holds values that are not finite; it is damaged. Get the file again.")
    return vectors.detach().float()


Place = tuple[int, int, Tensor]  # number of the chunk, position in it (0 .. 76), vector (width,)


@contextmanager
def injected(network: Any, places: Sequence[Place]) -> Iterator[None]:
    """The text encoder reads these vectors at these places, whatever ids stand there, for the length of the block.

    Raises `UserError` when a vector is not as wide as the encoder's own.
    """
    if not places:
        yield
        return
    table = network.get_input_embeddings()
    _check_widths(places, table.embedding_dim)
    chunks, positions = (torch.tensor([place[axis] for place in places]) for axis in (0, 1))
    vectors = torch.stack([vector for _, _, vector in places])

    def replace(_: Any, __: Any, words: Tensor) -> Tensor:
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
