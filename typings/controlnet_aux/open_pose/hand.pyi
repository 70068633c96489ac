from torch import nn

class Hand:
    model: nn.Module
