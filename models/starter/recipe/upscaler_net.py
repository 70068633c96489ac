"""The upscaler's network, of the shape RealESRGAN-Compact, and the start that lets it learn."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

SCALE = 4
FEATURES, CONVOLUTIONS = 48, 10
MIXING = 0.4  # how much of a layer's start is chance, in units of what keeps the spread
PLACES = (-0.375, -0.125, 0.125, 0.375)
"""Where the four new pixels of an old one lie, from its middle, in old pixels."""


class Compact(nn.Module):
    """Pictures (B, 3, H, W) in 0..1 to (B, 3, 4 H, 4 W): what it learns is added to the nearest old pixel.

    The weights have the names and shapes of Real-ESRGAN's SRVGGNetCompact, so whatever reads that reads these.
    """

    def __init__(self, features: int = FEATURES, convolutions: int = CONVOLUTIONS) -> None:
        super().__init__()
        layers: list[nn.Module] = [nn.Conv2d(3, features, 3, 1, 1), nn.PReLU(features)]
        for _ in range(convolutions):
            layers += [nn.Conv2d(features, features, 3, 1, 1), nn.PReLU(features)]
        self.body = nn.Sequential(*layers, nn.Conv2d(features, 3 * SCALE**2, 3, 1, 1))

    def forward(self, pictures: Tensor) -> Tensor:
        added = functional.pixel_shuffle(self.body(pictures), SCALE)
        return added.float() + functional.interpolate(pictures, scale_factor=SCALE, mode="nearest")


@torch.no_grad()
def start(network: Compact) -> None:
    """Make an untrained network enlarge bilinearly, and pass on much beside that the layers can learn from.

    With PyTorch's own start the spread of the features shrinks with every layer, and what is left is a constant: the
    network learns a colour to add and nothing of the picture. So each layer begins as one that passes everything on,
    with a little chance; three features carry the picture itself, which is never negative and passes the PReLUs as it is.
    """
    first, *middle, last = [layer for layer in network.body if isinstance(layer, nn.Conv2d)]
    for layer in (first, *middle, last):
        assert layer.bias is not None
        layer.bias.zero_()
    nn.init.normal_(first.weight, std=0.4)
    first.weight -= first.weight.mean((1, 2, 3), keepdim=True)  # edges, whatever the brightness
    first.weight[:3] = _passing(3, 3)
    for layer in middle:
        nn.init.normal_(layer.weight, std=MIXING * (layer.in_channels * 9) ** -0.5)
        layer.weight[:3] = 0
        layer.weight += _passing(layer.out_channels, layer.in_channels)
    last.weight.zero_()
    for channel in range(3):
        last.weight[channel * SCALE**2 : (channel + 1) * SCALE**2, channel] = _bilinear_less_nearest()


def _passing(after: int, before: int) -> Tensor:
    return nn.init.dirac_(torch.empty(after, before, 3, 3))


def _bilinear_less_nearest() -> Tensor:
    """(16, 3, 3), the kernel of each of the new pixels of one old one, row by row."""
    lines = torch.tensor([[max(0.0, -place), 1 - abs(place), max(0.0, place)] for place in PLACES])
    kernels = torch.einsum("ay,bx->abyx", lines, lines).reshape(SCALE**2, 3, 3)
    kernels[:, 1, 1] -= 1
    return kernels
