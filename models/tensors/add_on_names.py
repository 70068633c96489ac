"""Tensor names of embeddings and hypernetworks: what recognises them and what reads them look here. No torch."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from math import prod

Shape = tuple[int, ...]

HYPERNETWORK = re.compile(r"(\d{1,5})\.([01])\.linear\.(\d{1,3})\.(weight|bias)")  # width, 0 for keys and 1 for values, place
MOST_VECTORS = 128  # of an embedding; more than the longest prompts have words
NARROWEST = 32  # numbers in a vector that stands in a file under a name of its own
ENCODERS: Mapping[int, str] = {768: "clip_l", 1024: "clip_h", 1280: "clip_g"}  # width of a vector -> the text encoder it is for
OWN = ("clip_l", "clip_g", "clip_h")  # as tensors for several encoders are called in one file
DIFFUSERS = ("text_encoders_0", "text_encoders_1")  # the same, as diffusers' training scripts call them
LAYERS = (".weight", ".bias", ".class_embedding")  # end the names of what belongs to a network
NAMED = ("emb_params", "string_to_param")  # begin the names of tensors that are vectors, whatever their size


def vectors_in(shapes: Mapping[str, Shape], floating: Collection[str]) -> dict[str, str]:
    """Key of a text encoder -> name of the tensor with the vectors for it; nothing when the file is no embedding.

    `shapes`: of all tensors; `floating`: those that are not whole numbers. Vectors are `clip_l` and `clip_g`, `text_encoders_0` and
    `_1`, `emb_params` or `string_to_param...`, or one matrix under any name, a token say, with at most single numbers beside it.
    """
    lying = {name: shape for name, shape in shapes.items() if name in floating and len(shape) in (1, 2)}
    found = {name: name for name in OWN if name in lying} | {_encoder(name, lying[name]): name for name in DIFFUSERS if name in lying}
    if found:
        return found
    named = [name for name in lying if name.startswith(NAMED)]
    alone = named or [name for name, shape in lying.items() if _is_alone(name, shape, shapes)]
    return {_by_width(lying[alone[0]]): alone[0]} if len(alone) == 1 else {}


def needed_of_hypernetwork(names: Collection[str]) -> list[str]:
    return [name for name in names if HYPERNETWORK.fullmatch(name)]


def rows_of(shape: Shape) -> int:
    """How many vectors."""
    return shape[0] if len(shape) == 2 else 1


def _encoder(name: str, shape: Shape) -> str:
    return "clip_g" if name == DIFFUSERS[1] else _by_width(shape)


def _by_width(shape: Shape) -> str:
    return ENCODERS.get(shape[-1], "clip_l")


def _is_alone(name: str, shape: Shape, shapes: Mapping[str, Shape]) -> bool:
    """One vector alone only in a width of the public encoders; matrices of layers have more than numbers beside them."""
    fits = shape[-1] in ENCODERS if len(shape) == 1 else shape[-1] >= NARROWEST and 0 < shape[0] <= MOST_VECTORS
    return fits and not name.endswith(LAYERS) and all(prod(other) <= 1 for own, other in shapes.items() if own != name)
