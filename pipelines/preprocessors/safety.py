"""The safety checker of Stable Diffusion: whether a picture comes near to what it was made to know, by the image half of a CLIP.

CompVis/stable-diffusion-safety-checker; the network is diffusers' `StableDiffusionSafetyChecker`. It compares the picture with 17 concepts,
each with a threshold of its own, and with 3 of special care: where one of these is near, all thresholds are lower by `CARE`. Its makers
left no words for the concepts. It is wrong in both directions, and knows nothing but what its makers chose.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn.functional import normalize

from pipelines.preprocessors.annotators import Annotator
from pipelines.preprocessors.hub_folder import checked, opened_from

KEY = "safety_checker"
KINDS = ("clip",)
CARE = 0.01
DIGITS = 3  # of a score that count


class Nearness(nn.Module):
    """Of a picture as CLIP takes it, (1, 3, h, w), the scores, (20): the three of special care, then the concepts. Above 0 is near."""

    def __init__(self, checker: Any) -> None:  # Any: diffusers' class, which does not say what its parts are
        super().__init__()
        self.checker = checker

    def forward(self, values: Tensor) -> Tensor:
        checker = self.checker
        seen = normalize(checker.visual_projection(checker.vision_model(values)[1]))
        care = seen @ normalize(checker.special_care_embeds).T - checker.special_care_embeds_weights
        concepts = seen @ normalize(checker.concept_embeds).T - checker.concept_embeds_weights
        return torch.cat((care, concepts), dim=1)[0]


def opened(paths: Sequence[Path]) -> Annotator:
    from diffusers.pipelines.stable_diffusion.safety_checker import StableDiffusionSafetyChecker

    folder = paths[0].parent
    checked(folder, KINDS)
    found = opened_from(StableDiffusionSafetyChecker, folder)
    return Annotator((Nearness(found.networks[0]),), found.processor)


def is_near(picture: Image.Image, annotator: Annotator) -> bool:
    """Whether the checker objects to a picture."""
    values = annotator.processor(images=picture.convert("RGB"), return_tensors="pt")["pixel_values"]
    return objects(annotator(values).float().cpu())


def objects(scores: Tensor) -> bool:
    """`scores`: see `Nearness`. They are rounded before they are compared, as the checker's makers do."""
    care = bool((scores[:3].round(decimals=DIGITS) > 0).any())
    return bool(((scores[3:] + CARE * care).round(decimals=DIGITS) > 0).any())
