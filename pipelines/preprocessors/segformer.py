"""What is where, by SegFormer, Xie et al. (2021), in the 150 colours of ADE20K that segmentation models were trained on."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import cast

import numpy as np
import torch
from PIL import Image

from models.errors import UserError
from pipelines.preprocessors.annotators import Annotator
from pipelines.preprocessors.hub_folder import checked, opened_from
from pipelines.preprocessors.resolution import Pixels


def opened(paths: Sequence[Path]) -> Annotator:
    from controlnet_aux.util import ade_palette
    from transformers import SegformerForSemanticSegmentation

    folder = paths[0].parent
    checked(folder, ("segformer",))
    annotator = opened_from(SegformerForSemanticSegmentation, folder)
    if cast(SegformerForSemanticSegmentation, annotator.networks[0]).config.num_labels != len(ade_palette()):
        raise UserError("This SegFormer knows other things than the 150 of ADE20K. Take one whose name says ADE.")
    return annotator


def segments(pixels: Pixels, annotator: Annotator) -> Pixels:
    """(h, w, 3)."""
    from controlnet_aux.util import ade_palette

    values = annotator.processor(images=Image.fromarray(pixels), return_tensors="pt")["pixel_values"]
    scores = annotator(values).logits.float()
    grown = torch.nn.functional.interpolate(scores, size=pixels.shape[:2], mode="bilinear", align_corners=False)
    return np.array(ade_palette(), np.uint8)[grown[0].argmax(dim=0).cpu().numpy()]
