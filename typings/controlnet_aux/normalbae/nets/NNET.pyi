from types import SimpleNamespace

from torch import nn

class NNET(nn.Module):
    def __init__(self, args: SimpleNamespace) -> None: ...
