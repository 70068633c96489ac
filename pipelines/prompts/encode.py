"""Chunks of tokens to conditioning: the text encoder's vectors, with the weights laid on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from models.errors import UserError
from pipelines.prompts.chunks import Chunk, chunk
from pipelines.prompts.tokenizer import Tokenizer

if TYPE_CHECKING:
    from transformers import CLIPTextModel


def encode_pair(
    tokenizer: Tokenizer, text_encoder: CLIPTextModel, prompt: str, negative: str, clip_skip: int = 1
) -> tuple[Tensor, Tensor]:
    """Conditioning of the prompt and of the negative prompt, (1, 77 n, width) each: the shorter is filled up with empty chunks."""
    chunks, negative_chunks = chunk(tokenizer, prompt), chunk(tokenizer, negative)
    length = max(len(chunks), len(negative_chunks))
    empty = chunk(tokenizer, "")
    cond = encode(text_encoder, chunks + empty * (length - len(chunks)), clip_skip)
    return cond, encode(text_encoder, negative_chunks + empty * (length - len(negative_chunks)), clip_skip)


@torch.no_grad()
def encode(text_encoder: CLIPTextModel, chunks: Sequence[Chunk], clip_skip: int = 1) -> Tensor:
    """(1, 77 n, width) in the encoder's type, on its device: n chunks, encoded apart and laid end to end.

    `clip_skip` 1 takes the last layer, 2 the one before it, and so on; the final layer norm comes after it all the same.
    Raises `UserError` when there are not so many layers. Without weights this is the plain encoding, bit for bit.
    """
    ids = torch.tensor([part.ids for part in chunks], device=text_encoder.device)
    states = _hidden_states(text_encoder, ids, clip_skip)
    weights = torch.tensor([part.weights for part in chunks], device=states.device)
    if (weights != 1).any():
        states = _emphasise(states, weights)
    return states.flatten(0, 1).unsqueeze(0)


def _hidden_states(text_encoder: CLIPTextModel, ids: Tensor, clip_skip: int) -> Tensor:
    """The library's own clip skip is not used: its last hidden state is the one before the final layer norm."""
    layers = text_encoder.config.num_hidden_layers
    if not 1 <= clip_skip <= layers:
        raise UserError(f"Clip skip must be between 1 and {layers} with this model.")
    if clip_skip == 1:
        return text_encoder(input_ids=ids).last_hidden_state
    states = text_encoder(input_ids=ids, output_hidden_states=True).hidden_states
    return text_encoder.final_layer_norm(states[-clip_skip])


def _emphasise(states: Tensor, weights: Tensor) -> Tensor:
    """A1111's emphasis "Original": each token's vector times its weight, then each chunk brought back to its mean."""
    weighted = states.float() * weights.unsqueeze(-1)
    before, after = states.float().mean((1, 2), keepdim=True), weighted.mean((1, 2), keepdim=True)
    return torch.where(after == 0, weighted, weighted * (before / after)).to(states.dtype)
