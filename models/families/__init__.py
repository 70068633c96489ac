"""Families: the kinds of model the loop can drive, one entry each. The loop reads these fields and asks nothing else of a family."""

from __future__ import annotations

from dataclasses import dataclass

PIXELS_PER_LATENT = 8  # along one side, in every family that draws from words

# Approximate latent -> RGB maps for previews, one row a latent channel, RGB in -1..1. Published measurements of the families' VAEs.
SD_PREVIEW = ((0.298, 0.207, 0.208), (0.187, 0.286, 0.173), (-0.158, 0.189, 0.264), (-0.184, -0.271, -0.473))
SDXL_PREVIEW = ((0.3920, 0.4054, 0.4549), (-0.2634, -0.0196, 0.0653), (0.0568, 0.1687, -0.0755), (-0.3112, -0.2359, -0.2076))

# The noise levels of ten steps that lose least, as they were found for a family: Sabour et al. (2024), arXiv:2404.14507, appendix.
SD_ALIGNED_LEVELS = (14.615, 6.475, 3.861, 2.697, 1.886, 1.396, 0.963, 0.652, 0.399, 0.152, 0.029)
SDXL_ALIGNED_LEVELS = (14.615, 6.315, 3.771, 2.181, 1.342, 0.862, 0.555, 0.380, 0.234, 0.113, 0.029)


@dataclass(frozen=True, slots=True)
class Family:
    """A family of models: what tells it from others, in fields that the loop and the encoder read."""

    key: str  # "sd1", "sd2", "sdxl", "sdxl-refiner": what identify and the catalogue say
    name: str
    native_size: int  # pixels, the side of the squares it was trained on
    encoders: tuple[str, ...]  # "clip_l", "clip_h", "clip_g": text encoders, in the order in which their vectors lie side by side
    layer: int = 1  # which layer of the encoders is taken, from the end; clip skip adds to it
    final_norm: bool = True  # whether the encoder's final layer norm follows
    pooled: bool = False  # the last encoder's pooled vector goes to the UNet too
    size_numbers: int = 0  # 6: original size, crop, target size (SDXL); 5: original size, crop, aesthetic score (refiner)
    zeros_for_empty_negative: bool = False  # an empty negative prompt is not encoded but all zeros, as in training
    scaling_factor: float = 0.18215  # latents of the UNet = latents of the VAE times this, whichever VAE file is used
    preview_factors: tuple[tuple[float, float, float], ...] = SD_PREVIEW
    latent_channels: int = 4
    pixels_per_latent: int = PIXELS_PER_LATENT
    aligned_levels: tuple[float, ...] = SD_ALIGNED_LEVELS  # of the schedule Align Your Steps; the first family's where none were found
    noise_levels: int = 0  # that the small picture may have which the UNet reads beside the latents, a pixel each; 0: it reads none


SD1 = Family("sd1", "Stable Diffusion 1", 512, ("clip_l",))
SD2 = Family("sd2", "Stable Diffusion 2", 768, ("clip_h",))
SDXL = Family(
    "sdxl", "SDXL", 1024, ("clip_l", "clip_g"), layer=2, final_norm=False, pooled=True, size_numbers=6,
    zeros_for_empty_negative=True, scaling_factor=0.13025, preview_factors=SDXL_PREVIEW, aligned_levels=SDXL_ALIGNED_LEVELS,
)  # fmt: skip
SDXL_REFINER = Family(
    "sdxl-refiner", "SDXL refiner", 1024, ("clip_g",), layer=2, final_norm=False, pooled=True, size_numbers=5,
    scaling_factor=0.13025, preview_factors=SDXL_PREVIEW, aligned_levels=SDXL_ALIGNED_LEVELS,
)  # fmt: skip

X4_UPSCALER = Family(
    "x4-upscaler", "SD x4 upscaler", 512, ("clip_h",), scaling_factor=0.08333, pixels_per_latent=4, noise_levels=350,
)  # fmt: skip

FAMILIES: dict[str, Family] = {family.key: family for family in (SD1, SD2, SDXL, SDXL_REFINER, X4_UPSCALER)}
