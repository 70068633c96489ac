from collections.abc import Callable

from torch import nn

class UnetGenerator(nn.Module):
    def __init__(
        self,
        input_nc: int,
        output_nc: int,
        num_downs: int,
        ngf: int = ...,
        norm_layer: Callable[..., nn.Module] = ...,
        use_dropout: bool = ...,
    ) -> None: ...
