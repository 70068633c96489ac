from torch import nn

class DPTDepthModel(nn.Module):
    def __init__(self, path: str | None = ..., non_negative: bool = ..., *, backbone: str = ...) -> None: ...
