from collections.abc import Mapping
from typing import Self

from torch import Tensor, nn

class ZoeDepth(nn.Module):
    @classmethod
    def build_from_config(cls, config: Mapping[str, object]) -> Self: ...
    def infer(self, x: Tensor, pad_input: bool = ..., with_flip_aug: bool = ...) -> Tensor: ...
