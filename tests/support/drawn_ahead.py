"""All that a process needs in order to draw, for those that are forked of one that has it: each would import it for seconds by itself."""

from __future__ import annotations

from models.memory.device import mend_torchvision
from tests.support import drawn_away

mend_torchvision()

from diffusers import AutoencoderKL, UNet2DConditionModel  # noqa: E402 - after that
from transformers import CLIPTextModel  # noqa: E402

__all__ = ["AutoencoderKL", "CLIPTextModel", "UNet2DConditionModel", "drawn_away"]
