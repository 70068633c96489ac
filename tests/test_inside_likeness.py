"""Likeness of picture and words by CLIP: what transformers says of both, with the same weights."""

from __future__ import annotations

import math
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import torch

from models.diffusion_model import DiffusionModel
from models.families import SDXL
from models.library.vision_files import Encoders
from models.memory.device import mend_torchvision
from models.networks.vision import load_vision
from pipelines.images.store import Inputs
from pipelines.inside import likeness
from pipelines.inside.desk import Desk
from pipelines.requests.request import Drawing, TextToImage
from tests.support.drawing import blots
from tests.support.toy_weights import CPU, load_toy_model, write_toy_model
from tests.support.toys import ToyPainter

PROMPT = "a red house, snow"


class Seer(ToyPainter):
    """Lends one model, and sees with what lies in a models folder."""

    def __init__(self, model: DiffusionModel, folder: Path) -> None:
        super().__init__()
        self._model, self._encoders = model, Encoders([folder])

    def lent(self, request: Drawing) -> AbstractContextManager[Any]:
        return nullcontext(self._model)

    def vision(self, width: int) -> AbstractContextManager[Any]:
        return nullcontext(load_vision(self._encoders.path(self._encoders.summing_up(width)), CPU))


def test_clip_in_a_folder_says_of_picture_and_words_what_transformers_says_of_them(tmp_path: Path) -> None:
    """An encoder of pictures with random weights, in `clip_vision`, beside the text encoder of SDXL that has a projection."""
    mend_torchvision()
    from transformers import CLIPImageProcessor, CLIPVisionConfig, CLIPVisionModelWithProjection

    model = load_toy_model(write_toy_model(tmp_path / "toy", family=SDXL), family=SDXL)
    *_, text_encoder = model.text_encoders
    network: Any = text_encoder.network
    sizes: Any = {
        "hidden_size": 24,
        "intermediate_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 3,
        "image_size": 32,
        "patch_size": 8,
    }
    torch.manual_seed(3)
    eye: Any = CLIPVisionModelWithProjection(CLIPVisionConfig(projection_dim=network.config.projection_dim, **sizes)).eval()
    eye.save_pretrained(tmp_path / "clip_vision" / "eye")
    blots((64, 64)).save(tmp_path / "picture.png")
    desk = Desk(
        TextToImage(prompt=PROMPT, checkpoint="another", width=64, height=64), tmp_path / "picture.png", Inputs(tmp_path / "inputs")
    )
    told: Any = _found(likeness.look(desk, Seer(model, tmp_path)))

    processor: Any = CLIPImageProcessor(size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32})
    tokenizer, pixels = text_encoder.tokenizer, processor([desk.picture()], return_tensors="pt")["pixel_values"]
    with torch.inference_mode():
        seen = eye(pixels).image_embeds[0]
        for text, value in ((PROMPT, told["whole"]), *((part["text"], part["likeness"]) for part in told["parts"])):
            ids = [tokenizer.start, *(token for token, _ in tokenizer.tokens(text)), tokenizer.end]
            spoken = network(torch.tensor([ids + [tokenizer.pad] * (77 - len(ids))])).text_embeds[0]
            assert math.isclose(value, (spoken @ seen / spoken.norm() / seen.norm()).item(), abs_tol=2e-4), text
    assert told["by"] == "eye" and [part["text"] for part in told["parts"]] == ["a red house", "snow"]


def _found(looking: Any) -> Any:
    while True:
        try:
            next(looking)
        except StopIteration as end:
            return end.value.told
