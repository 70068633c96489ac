"""Families: the kinds of model the loop can drive, one entry each. The loop reads these fields and asks nothing else of a family.

An entry joins a latent space (`latent_space.py`) and what the network is told (`conditioning.py`). What it predicts, and at which noise
levels, is the checkpoint's: `prediction.py`.
"""

from __future__ import annotations

from dataclasses import dataclass

from models.families.conditioning import TextConditioning
from models.families.latent_space import PIXELS_PER_LATENT, SD_LATENT, SDXL_PREVIEW, LatentSpace

__all__ = ["PIXELS_PER_LATENT", "LatentSpace", "TextConditioning"]

# The noise levels of ten steps that lose least, as they were found for a family: Sabour et al. (2024), arXiv:2404.14507, appendix.
SD_ALIGNED_LEVELS = (14.615, 6.475, 3.861, 2.697, 1.886, 1.396, 0.963, 0.652, 0.399, 0.152, 0.029)
SDXL_ALIGNED_LEVELS = (14.615, 6.315, 3.771, 2.181, 1.342, 0.862, 0.555, 0.380, 0.234, 0.113, 0.029)
SVD_ALIGNED_LEVELS = (700.0, 54.5, 15.886, 7.977, 4.248, 1.789, 0.981, 0.403, 0.173, 0.034)

SDXL_FREE_U = (1.3, 1.4, 0.9, 0.2)


@dataclass(frozen=True, slots=True)
class Family:
    """A family of models: what tells it from others, in fields that the loop and the encoder read."""

    key: str  # "sd1", "sd2", "sdxl", "sdxl-refiner": what identify and the catalogue say
    name: str
    native_size: int  # pixels, the side of the squares it was trained on
    text: TextConditioning
    latent: LatentSpace = SD_LATENT
    architecture: str = "unet"  # how its network is called: a line of `pipelines.denoising.callers`
    aligned_levels: tuple[float, ...] = SD_ALIGNED_LEVELS  # of the schedule Align Your Steps; the first family's where none were found
    free_u: tuple[float, float, float, float] = (1.5, 1.6, 0.9, 0.2)  # b1, b2, s1, s2 that its authors chose (`models.patches.free_u`)
    noise_levels: int = 0  # that the small picture may have which the UNet reads beside the latents, a pixel each; 0: it reads none


SDXL_LATENT = LatentSpace(scaling_factor=0.13025, preview_factors=SDXL_PREVIEW)

SD1 = Family("sd1", "Stable Diffusion 1", 512, TextConditioning(("clip_l",)))
SD2 = Family("sd2", "Stable Diffusion 2", 768, TextConditioning(("clip_h",)), free_u=(1.4, 1.6, 0.9, 0.2))
SDXL = Family(
    "sdxl", "SDXL", 1024,
    TextConditioning(("clip_l", "clip_g"), layer=2, final_norm=False, pooled=True, size_numbers=6, zeros_for_empty_negative=True),
    SDXL_LATENT, aligned_levels=SDXL_ALIGNED_LEVELS, free_u=SDXL_FREE_U,
)  # fmt: skip
SDXL_REFINER = Family(
    "sdxl-refiner", "SDXL refiner", 1024, TextConditioning(("clip_g",), layer=2, final_norm=False, pooled=True, size_numbers=5),
    SDXL_LATENT, aligned_levels=SDXL_ALIGNED_LEVELS, free_u=SDXL_FREE_U,
)  # fmt: skip

X4_UPSCALER = Family(
    "x4-upscaler", "SD x4 upscaler", 512, TextConditioning(("clip_h",)), LatentSpace(pixels=4, scaling_factor=0.08333), noise_levels=350,
)  # fmt: skip

SVD = Family(  # it reads a picture, and no words
    "svd", "Stable Video Diffusion", 576, TextConditioning(), architecture="clip", aligned_levels=SVD_ALIGNED_LEVELS,
)  # fmt: skip
SV3D = Family(  # likewise
    "sv3d", "SV3D", 576, TextConditioning(), architecture="clip", aligned_levels=SVD_ALIGNED_LEVELS,
)  # fmt: skip
ZERO123 = Family("zero123", "Zero123", 256, TextConditioning())  # likewise

FAMILIES: dict[str, Family] = {family.key: family for family in (SD1, SD2, SDXL, SDXL_REFINER, X4_UPSCALER)}
# Those that read a picture and no words: by their keys alone, as nothing that goes with the others goes with them.
WORDLESS: dict[str, Family] = {family.key: family for family in (SVD, ZERO123, SV3D)}
EVERY: dict[str, Family] = FAMILIES | WORDLESS
