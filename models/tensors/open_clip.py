"""OpenCLIP's text encoders (of SD 2 and SDXL) with the names of transformers. All views: nothing is copied but one small matrix."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from torch import Tensor

LAYERS = "transformer.resblocks."
OUTER = {
    "positional_embedding": "embeddings.position_embedding.weight",
    "token_embedding.weight": "embeddings.token_embedding.weight",
    "ln_final.weight": "final_layer_norm.weight",
    "ln_final.bias": "final_layer_norm.bias",
}
INNER = {
    "ln_1": "layer_norm1",
    "ln_2": "layer_norm2",
    "mlp.c_fc": "mlp.fc1",
    "mlp.c_proj": "mlp.fc2",
    "attn.out_proj": "self_attn.out_proj",
}
TOGETHER = ("attn.in_proj_weight", "attn.in_proj_bias")  # queries, keys and values in one matrix


def is_open_clip(names: Mapping[str, Tensor]) -> bool:
    return any(name.startswith(LAYERS) for name in names)


def to_transformers(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Names that are not known are kept, so that they are reported as what the network has no place for."""
    return dict(renamed for name, tensor in tensors.items() for renamed in _renamed(name, tensor))


def _renamed(name: str, tensor: Tensor) -> Iterator[tuple[str, Tensor]]:
    if name == "text_projection":
        yield "text_projection.weight", tensor.T
    elif name in OUTER:
        yield OUTER[name], tensor
    elif name.startswith(LAYERS):
        number, _, inner = name.removeprefix(LAYERS).partition(".")
        for new, part in of_layer(inner, tensor):
            yield f"encoder.layers.{number}.{new}", part
    else:
        yield name, tensor


def of_layer(inner: str, tensor: Tensor) -> Iterator[tuple[str, Tensor]]:
    """One tensor of a layer, as transformers names it: queries, keys and values apart."""
    module, _, last = inner.rpartition(".")
    if inner in TOGETHER:
        for letter, part in zip("qkv", tensor.chunk(3), strict=False):
            yield f"self_attn.{letter}_proj.{last.removeprefix('in_proj_')}", part
    else:
        yield f"{INNER.get(module, module)}.{last}", tensor
