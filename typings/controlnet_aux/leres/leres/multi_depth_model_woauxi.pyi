from torch import nn

class RelDepthModel(nn.Module):
    def __init__(self, backbone: str = ...) -> None: ...
