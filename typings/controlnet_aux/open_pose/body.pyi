from typing import NamedTuple

from torch import nn

class Keypoint(NamedTuple):
    x: float
    y: float
    score: float = ...
    id: int = ...

class BodyResult(NamedTuple):
    keypoints: list[Keypoint | None]
    total_score: float
    total_parts: int

class Body:
    model: nn.Module
