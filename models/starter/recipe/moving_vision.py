"""Tiny encoders of pictures in CLIP's form, for the models that read a picture instead of words.

CLIP learns from captions what a picture shows; these learn it from the facts of what was drawn: those that are read off the embedding by a
linear layer, which is thrown away. The embedding stays, and is all that the UNets see of the picture beside its latents.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection
from transformers.image_utils import OPENAI_CLIP_MEAN, OPENAI_CLIP_STD

SIZE = 128  # pixels of a side: of the pictures that the models draw, and of what the encoder sees
EMBEDDING = 64
SIZES = {
    "hidden_size": 96, "intermediate_size": 256, "num_hidden_layers": 3, "num_attention_heads": 4, "patch_size": 16, "image_size": SIZE,
    "projection_dim": EMBEDDING, "hidden_act": "gelu",
}  # fmt: skip


def new_vision() -> CLIPVisionModelWithProjection:
    """Pictures (B, 3, 128, 128) as CLIP sees them to embeddings (B, 64)."""
    return CLIPVisionModelWithProjection(CLIPVisionConfig(**SIZES))


def as_clip_sees(pictures: Tensor) -> Tensor:
    """uint8 (B, H, W, 3) to (B, 3, H, W), with the mean and the deviation of CLIP's training pictures taken out."""
    plain = pictures.permute(0, 3, 1, 2).float() / 255
    mean, deviation = (torch.tensor(each).view(1, 3, 1, 1) for each in (OPENAI_CLIP_MEAN, OPENAI_CLIP_STD))
    return (plain - mean) / deviation


class FactReader(nn.Module):
    """An encoder of pictures and the linear reader of facts. `choices`: how many answers each question has; `numbers`: what is measured."""

    def __init__(self, choices: tuple[int, ...], numbers: int) -> None:
        super().__init__()
        self.vision = new_vision()
        self.choices = choices
        self.reader = nn.Linear(EMBEDDING, sum(choices) + numbers)

    def forward(self, pictures: Tensor) -> tuple[list[Tensor], Tensor]:
        """uint8 (B, H, W, 3) to the scores of each question's answers and (B, numbers)."""
        read = self.reader(self.vision(as_clip_sees(pictures)).image_embeds)
        *scores, measured = read.split([*self.choices, read.shape[1] - sum(self.choices)], 1)
        return scores, measured

    def loss(self, pictures: Tensor, answers: Tensor, measured: Tensor) -> Tensor:
        """`answers`: (B, questions) the right ones' places. `measured`: (B, numbers), about of size one."""
        scores, numbers = self(pictures)
        chosen = [nn.functional.cross_entropy(score, answers[:, place]) for place, score in enumerate(scores)]
        return torch.stack(chosen).sum() + 4 * (numbers - measured).square().sum(1).mean()


@torch.no_grad()
def embeddings(vision: CLIPVisionModelWithProjection, pictures: Tensor, at_once: int = 50) -> Tensor:
    """(N, 64), of uint8 pictures (N, H, W, 3)."""
    parts = [vision(as_clip_sees(pictures[at : at + at_once])).image_embeds for at in range(0, len(pictures), at_once)]
    return torch.cat(parts)
