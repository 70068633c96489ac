from torch import nn

class Generator(nn.Module):
    def __init__(self, input_nc: int, output_nc: int, n_residual_blocks: int = ..., sigmoid: bool = ...) -> None: ...
