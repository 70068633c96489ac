"""CLIP's encoder of pictures as it lies in other models' files, in the names of OpenAI and open_clip, and those of transformers for it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from torch import Tensor

from models.tensors.layouts import NOT_WEIGHTS, Names
from models.tensors.open_clip import of_layer

PREFIXES = ("conditioner.embedders.0.open_clip.model.visual.", "cond_stage_model.model.visual.")  # of SVD and SV3D, and of Zero123
EMBEDDINGS = {
    "class_embedding": "embeddings.class_embedding",
    "conv1.weight": "embeddings.patch_embedding.weight",
    "positional_embedding": "embeddings.position_embedding.weight",
    "ln_pre.weight": "pre_layrnorm.weight",
    "ln_pre.bias": "pre_layrnorm.bias",
    "ln_post.weight": "post_layernorm.weight",
    "ln_post.bias": "post_layernorm.bias",
}
LAYER = re.compile(r"transformer\.resblocks\.(\d+)\.(.+)")


def vision_names(names: Sequence[str]) -> Names:
    """Those of the encoder; what is left over of the words' encoder beside it is not among them."""
    for prefix in PREFIXES:
        short = {name[len(prefix) :]: name for name in names if name.startswith(prefix)}
        if short:
            return {name: file_name for name, file_name in short.items() if not NOT_WEIGHTS.search(name)}
    return {}


def vision_tensors(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Of open_clip, as transformers names them. Views: nothing is copied but one matrix."""
    return dict(renamed for name, tensor in tensors.items() for renamed in _vision_entries(name, tensor))


def _vision_entries(name: str, tensor: Tensor) -> Iterator[tuple[str, Tensor]]:
    if name == "proj":
        yield "visual_projection.weight", tensor.T
    elif name in EMBEDDINGS:
        yield f"vision_model.{EMBEDDINGS[name]}", tensor
    elif found := LAYER.fullmatch(name):
        for new, part in of_layer(found[2], tensor):
            yield f"vision_model.encoder.layers.{found[1]}.{new}", part
    else:
        yield name, tensor
