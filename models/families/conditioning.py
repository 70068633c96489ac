"""Conditioning: what a family's network is told beside the latents, of words or of a picture."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TextConditioning:
    """Words, by CLIP's text encoders."""

    encoders: tuple[str, ...] = ()  # "clip_l", "clip_h", "clip_g": in the order in which their vectors lie side by side
    layer: int = 1  # which layer of the encoders is taken, from the end; clip skip adds to it
    final_norm: bool = True  # whether the encoder's final layer norm follows
    pooled: bool = False  # the last encoder's pooled vector goes to the network too
    size_numbers: int = 0  # 6: original size, crop, target size (SDXL); 5: original size, crop, aesthetic score (refiner)
    zeros_for_empty_negative: bool = False  # an empty negative prompt is not encoded but all zeros, as in training
