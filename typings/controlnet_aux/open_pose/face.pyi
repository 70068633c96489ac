from torch import nn

class FaceNet(nn.Module): ...

class Face:
    model: nn.Module
