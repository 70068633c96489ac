"""Signatures: questions about the names and shapes in a header that several recognisers ask."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property

from models.tensors.header import Header

# Where a file keeps its networks; what recognises a file and what loads it look here.
UNET_PREFIXES = ("model.diffusion_model.", "diffusion_model.", "unet.")
EMA_PREFIX = "model_ema.diffusion_model"  # of averaged weights, whose names have lost their dots
VAE_PREFIXES = ("first_stage_model.", "vae.")
OPEN_CLIP_H = "cond_stage_model.model.", "conditioner.embedders.0.model.", "cond_stage_model.transformer."
ENCODER_PREFIXES: Mapping[tuple[str, str], Sequence[str]] = {  # family, encoder's key -> where it lies in a whole checkpoint
    ("sd1", "clip_l"): ("cond_stage_model.transformer.", "text_encoders.clip_l.transformer."),
    ("sd2", "clip_h"): OPEN_CLIP_H,
    ("x4-upscaler", "clip_h"): OPEN_CLIP_H,
    ("sdxl", "clip_l"): ("conditioner.embedders.0.transformer.", "text_encoders.clip_l.transformer."),
    ("sdxl", "clip_g"): ("conditioner.embedders.1.model.", "text_encoders.clip_g.transformer."),
    ("sdxl-refiner", "clip_g"): ("conditioner.embedders.0.model.", "text_encoders.clip_g.transformer."),
}
EVERY_ENCODER = tuple(dict.fromkeys(prefix for prefixes in ENCODER_PREFIXES.values() for prefix in prefixes))
BARE_ENCODER = re.compile(  # how one begins that has no prefix
    r"(text_model\.)?(embeddings|encoder\.layers|final_layer_norm)\.|positional_embedding|token_embedding\.|transformer\.resblocks\."
)
DIFFUSERS = ("conv_in.weight", "conv_out.weight", "time_embedding.linear_1.weight")  # of a UNet in diffusers' own names
# (width of the text vectors, width of what is added to the time embedding) -> family
FAMILY_SIZES: Mapping[tuple[int, int], str] = {(768, 0): "sd1", (1024, 0): "sd2", (2048, 2816): "sdxl", (1280, 2560): "sdxl-refiner"}
WRAPPERS = ("model.diffusion_model.", "diffusion_model.", "transformer.", "model.", "net.")  # before the names of newer networks
CONTEXT = re.compile(r"attn2[._]?to_k[._]?weight$")


class Signature:
    """A header, asked by name."""

    def __init__(self, header: Header) -> None:
        self.header = header
        self.names = frozenset(header.tensors)

    @cached_property
    def _lines(self) -> str:
        """All names, each on a line: looking through one text is a hundred times quicker than through thousands of names."""
        return "\n" + "\n".join(self.header.tensors) + "\n"

    @cached_property
    def tails(self) -> frozenset[str]:
        """All names without what programs put before them."""
        return frozenset(next((name[len(wrapper) :] for wrapper in WRAPPERS if name.startswith(wrapper)), name) for name in self.names)

    @cached_property
    def unet_prefix(self) -> str | None:
        """What stands before the names of a UNet in the original layout; None when there is no such UNet."""
        for prefix in (*UNET_PREFIXES, ""):
            if f"{prefix}input_blocks.0.0.weight" in self.names and not self.has(f"{prefix}input_hint_block.0.weight"):
                return prefix
        return EMA_PREFIX if self.has(f"{EMA_PREFIX}input_blocks00weight") else None

    @cached_property
    def diffusers_prefix(self) -> str | None:
        """The same of a UNet in diffusers' own names."""
        return next((prefix for prefix in (*UNET_PREFIXES, "") if all(f"{prefix}{name}" in self.names for name in DIFFUSERS)), None)

    @property
    def has_unet(self) -> bool:
        return self.unet_prefix is not None or self.diffusers_prefix is not None

    @property
    def has_encoder(self) -> bool:
        """A text encoder that a checkpoint may have."""
        return self.starts(*EVERY_ENCODER) or any(BARE_ENCODER.match(name) for name in self.names)

    def unet_name(self, name: str) -> str:
        """A name within the UNet as it stands in the file."""
        prefix = self.unet_prefix or ""
        return prefix + (name.replace(".", "") if prefix == EMA_PREFIX else name)

    def unet(self, name: str) -> tuple[int, ...]:
        """The shape of a tensor of the UNet; () when there is no such tensor."""
        return self.shape(self.unet_name(name))

    @cached_property
    def unet_inputs(self) -> int:
        return (*self.unet("input_blocks.0.0.weight"), 0, 0)[1]

    @cached_property
    def unet_classes(self) -> int:
        """The width of what is added to the time embedding (sizes, pooled text); 0 without it."""
        return (*self.unet("label_emb.0.0.weight"), 0, 0)[1]

    @cached_property
    def context(self) -> int:
        """The width of what the cross-attention of the UNet reads, in any layout; 0 without cross-attention."""
        prefix = self.unet_prefix or ""
        return self.last_of(lambda name: name.startswith(prefix) and CONTEXT.search(name) is not None)

    def has(self, name: str) -> bool:
        return name in self.names

    def starts(self, *prefixes: str) -> bool:
        return any(f"\n{prefix}" in self._lines for prefix in prefixes)

    def has_part(self, *parts: str) -> bool:
        return any(part in self._lines for part in parts)

    def ends(self, *endings: str) -> bool:
        return any(f"{ending}\n" in self._lines for ending in endings)

    def shape(self, name: str) -> tuple[int, ...]:
        """() when there is no such tensor."""
        info = self.header.tensors.get(name)
        return info.shape if info else ()

    def tail_shape(self, tail: str) -> tuple[int, ...]:
        """Of the tensor with this name, whatever stands before it; () when there is none."""
        return next((info.shape for name, info in self.header.tensors.items() if name.endswith(tail)), ())

    def dimension(self, name: str, place: int) -> int:
        """0 when there is no such tensor or dimension."""
        shape = self.shape(name)
        return shape[place] if place < len(shape) else 0

    def last_of(self, is_it: Callable[[str], bool]) -> int:
        """The last dimension of the first tensor that is it; 0 when none is."""
        return next((info.shape[-1] for name, info in self.header.tensors.items() if len(info.shape) > 1 and is_it(name)), 0)
