"""CLIP's vision encoder (Radford et al. 2021, arXiv:2103.00020), which IP-Adapters look through: ViT-L, ViT-H or bigG."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from math import isqrt
from pathlib import Path
from typing import TYPE_CHECKING, cast

import torch
from PIL.Image import Image
from torch import Tensor

from models.errors import UserError
from models.json_values import is_table
from models.memory.device import Device, mend_torchvision
from models.networks.build import Arrange, Blank, Config, built, check, fill, form_of, of_config
from models.tensors.embedded_sizes import own_sizes
from models.tensors.header import TensorInfo, read_header
from models.tensors.layouts import NOT_WEIGHTS
from models.tensors.sources import Source, config, folder_source

if TYPE_CHECKING:
    from transformers import CLIPImageProcessor, CLIPVisionModelWithProjection

HEADS: Mapping[int, tuple[int, str]] = {  # width -> heads, activation
    768: (12, "quick_gelu"), 1024: (16, "quick_gelu"), 1280: (16, "gelu"), 1664: (16, "gelu"),
}  # fmt: skip
PARTS = ("vision_model.", "visual_projection.")
COMPONENT = "vision"  # in the sizes that a file brings


@dataclass(frozen=True)
class Vision:
    """An encoder of pictures, loaded."""

    name: str
    network: CLIPVisionModelWithProjection
    bytes: int

    def see(self, images: Sequence[Image], in_full: bool) -> tuple[Tensor, Tensor]:
        """What it sees in pictures, and what stands for nothing: the summaries, (n, width), or all of the last layer but one,
        (n, places, width). As in IP-Adapter: nothing is zeros for the one, and a grey picture for the other.
        """
        pixels = self.pixels(images)
        with torch.no_grad():
            if not in_full:
                summary = self.network(pixels).image_embeds
                return summary, torch.zeros_like(summary)
            return tuple(self.network(each, output_hidden_states=True).hidden_states[-2] for each in (pixels, torch.zeros_like(pixels)))

    def pixels(self, images: Sequence[Image]) -> Tensor:
        """(n, 3, size, size): the middle square of each, as CLIP was trained."""
        weight = next(self.network.parameters())
        whole = self._processor([image.convert("RGB") for image in images], return_tensors="pt")["pixel_values"]
        return whole.to(weight.device, weight.dtype)

    @cached_property
    def _processor(self) -> CLIPImageProcessor:
        from transformers import CLIPImageProcessor

        side = cast(int, self.network.config.image_size)
        return CLIPImageProcessor(size={"shortest_edge": side}, crop_size={"height": side, "width": side})


def load_vision(path: Path, device: Device) -> Vision:
    """From a safetensors file, or a folder of transformers. Raises `UserError` when it is no such encoder, or does not fit its sizes."""
    source, sizes = _folder(path) if path.is_dir() else vision_file(path)
    return _loaded(path.stem, source, _blank(source.part, sizes), device)


def vision_of(source: Source, metadata: Mapping[str, str], arrange: Arrange, device: Device) -> Vision:
    """Out of a file that holds more, in names that `arrange` makes those of transformers. Raises `UserError` as `load_vision`."""
    sizes = {**_sizes(source.part, arrange(source.outline())), **own_sizes(metadata, COMPONENT)}
    return _loaded(source.part, source, replace(_blank(source.part, sizes), arrange=arrange), device)


def _loaded(name: str, source: Source, blank: Blank[CLIPVisionModelWithProjection], device: Device) -> Vision:
    network = fill(blank, check(source, blank).read(form_of(device)), device)
    return Vision(name, network, sum(weight.nbytes for weight in network.state_dict().values()))


def _folder(folder: Path) -> tuple[Source, Config]:
    found = folder_source(folder, f"vision encoder “{folder.name}”")
    values = config(folder / "config.json")
    inner = values.get("vision_config")
    sizes = {**inner, "projection_dim": values.get("projection_dim", 512)} if is_table(inner) else values
    return Source(found.part, found.files, _names(found.names.values())), sizes


def vision_file(file: Path) -> tuple[Source, Config]:
    """Where its tensors are, and its sizes. Raises `UserError` when it is no encoder of pictures."""
    header = read_header(file)
    source = Source(f"vision encoder “{file.stem}”", [(file, header)], _names(header.tensors))
    sizes = {**_sizes(file.stem, source.weights), **own_sizes(header.metadata, COMPONENT)}
    if "num_attention_heads" not in sizes:
        raise UserError(f"“{file.stem}” is an encoder of pictures in a size that Atelier does not know. Choose a CLIP vision model.")
    return source, sizes


def _names(names: Iterable[str]) -> dict[str, str]:
    return {name: name for name in names if name.startswith(PARTS) and not NOT_WEIGHTS.search(name)}


def _sizes(name: str, weights: Mapping[str, TensorInfo] | Mapping[str, Tensor]) -> dict[str, object]:
    """By the shapes of its tensors; heads and activation by the width."""
    try:
        hidden = weights["vision_model.embeddings.class_embedding"].shape[0]
        patch = weights["vision_model.embeddings.patch_embedding.weight"].shape[-1]
        places = weights["vision_model.embeddings.position_embedding.weight"].shape[0] - 1
        inner = weights["vision_model.encoder.layers.0.mlp.fc1.weight"].shape[0]
        projected = weights["visual_projection.weight"].shape[0]
    except (KeyError, IndexError) as error:
        raise UserError(f"“{name}” is no encoder of pictures, or lacks some of its weights. Choose a CLIP vision model.") from error
    layers = {found[1] for own in weights if (found := re.match(r"vision_model\.encoder\.layers\.(\d+)\.", own))}
    sides = {"patch_size": patch, "image_size": patch * isqrt(max(places, 0))}
    inside = {"hidden_size": hidden, "intermediate_size": inner, "num_hidden_layers": len(layers), "projection_dim": projected}
    told = dict(zip(("num_attention_heads", "hidden_act"), HEADS.get(hidden, ()), strict=False))
    return {**sides, **inside, **told}


def _blank(part: str, sizes: Config) -> Blank[CLIPVisionModelWithProjection]:
    mend_torchvision()
    from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection

    known = set(CLIPVisionConfig.__annotations__)
    network = built(part, partial(of_config, CLIPVisionConfig, CLIPVisionModelWithProjection), sizes, known)
    return Blank(network, dict)
