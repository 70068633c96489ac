"""A head start for the autoencoder: weights that already pass a thumbnail through.

Trained from random weights, so small an autoencoder takes thousands of steps
until it tells a red thing from a green one. Here the first channels of every
layer are set so that the encoder averages colours over cells of 8 x 8 pixels and
the decoder scales them up smoothly; the residual branches start at zero and
learn the rest. All weights stay trainable.

Two tricks carry colours unchanged through the last normalisation and SiLU:
opposite pairs (silu(z) - silu(-z) = z, and their mean is zero), and constant
channels beside them, large enough to fix the group's standard deviation.
"""

from __future__ import annotations

import math

import torch
from diffusers import AutoencoderKL
from torch import Tensor, nn

CARRIED = 4
"""Red, green, blue and, from the last cell size on, the slope of brightness."""

STEADY = 8.0
"""Height of the constant channels."""

BRIGHTNESS = (0.3, 0.6, 0.1)
TO_LATENT = torch.tensor([[0.6, 1.2, 0.2], [4.0, -4.0, 0.0], [-1.1, -1.1, 2.2]])
"""Brightness and two hues, spread about 1, of colours in -1..1."""

SLOPE_GAIN = 5.0


@torch.no_grad()
def start_from_thumbnails(vae: AutoencoderKL) -> None:
    """Set the weights; afterwards decode(encode(x)) is a smooth thumbnail of x."""
    for module in (vae.encoder, vae.decoder):
        for name, layer in module.named_modules():
            _start_layer(name, layer)
    _start_encoder(vae)
    _start_decoder(vae)


def _start_layer(name: str, layer: nn.Module) -> None:
    """Branches that add nothing, shortcuts and samplers that hand the first channels on."""
    if name.endswith("conv2") and isinstance(layer, nn.Conv2d):
        layer.weight.zero_()
        _bias(layer).zero_()
    elif name.endswith("conv_shortcut"):
        _carry(layer, torch.ones(1, 1))
    elif "downsamplers" in name and isinstance(layer, nn.Conv2d):
        _carry(layer, torch.tensor([[1.0, 1.0, 0.0], [1.0, 1.0, 0.0], [0.0, 0.0, 0.0]]) / 4)
    elif "upsamplers" in name and isinstance(layer, nn.Conv2d):
        slope = torch.tensor([0.25, 0.5, 0.25])
        _carry(layer, slope[:, None] * slope[None, :])


def _bias(layer: nn.Module) -> Tensor:
    return layer.get_parameter("bias")


def _carry(layer: nn.Module, kernel: Tensor) -> None:
    """The first channels come out as they went in, filtered by the kernel."""
    weight = layer.get_parameter("weight")
    weight[:CARRIED] = 0
    _bias(layer)[:CARRIED] = 0
    for channel in range(CARRIED):
        weight[channel, channel] = kernel


def _start_encoder(vae: AutoencoderKL) -> None:
    encoder = vae.encoder
    _spread_in(encoder.conv_in, torch.eye(3))
    slope = encoder.get_submodule("down_blocks.2.downsamplers.0.conv").get_parameter("weight")
    slope[3] = 0
    for channel, share in enumerate(BRIGHTNESS):
        slope[3, channel, 1, 1], slope[3, channel, 0, 0] = share, -share
    group = slice(0, encoder.conv_norm_out.num_channels // encoder.conv_norm_out.num_groups)
    _pairs_and_constants(encoder.get_submodule("down_blocks.3.resnets.0.conv_shortcut"), group, CARRIED)
    gain = STEADY * math.sqrt(2 / 3)
    _fix_gain([encoder.conv_norm_out], range(2 * CARRIED), gain)
    matrix = torch.zeros(4, CARRIED)
    matrix[:3, :3], matrix[3, 3] = TO_LATENT, SLOPE_GAIN
    encoder.conv_out.weight.mul_(0.02)
    _bias(encoder.conv_out)[:4], _bias(encoder.conv_out)[4:] = 0, -6
    encoder.conv_out.weight[:4] = 0
    encoder.conv_out.weight[:4, :CARRIED, 1, 1] = matrix
    encoder.conv_out.weight[:4, CARRIED : 2 * CARRIED, 1, 1] = -matrix
    _pass_through(vae.get_submodule("quant_conv"))


def _start_decoder(vae: AutoencoderKL) -> None:
    decoder = vae.decoder
    _pass_through(vae.get_submodule("post_quant_conv"))
    matrix = torch.eye(4)
    matrix[:3, :3] = torch.linalg.inv(TO_LATENT)
    _spread_in(decoder.conv_in, matrix)
    shortcut = decoder.get_submodule("up_blocks.3.resnets.0.conv_shortcut")
    weight = shortcut.get_parameter("weight")
    for colour in range(3):
        at = 4 * colour
        weight[at : at + 4] = 0
        weight[at, colour], weight[at + 1, colour] = 1, -1
        _bias(shortcut)[at : at + 4] = torch.tensor([0.0, 0.0, STEADY, -STEADY])
    pairs = [at + side for at in (0, 4, 8) for side in (0, 1)]
    _fix_gain([decoder.conv_norm_out, decoder.get_submodule("up_blocks.3.resnets.1.norm1")], pairs, STEADY / math.sqrt(2))
    decoder.conv_out.weight.mul_(0.05)
    _bias(decoder.conv_out).zero_()
    for colour in range(3):
        decoder.conv_out.weight[colour, 4 * colour : 4 * colour + 4] = 0
        decoder.conv_out.weight[colour, 4 * colour, 1, 1] = 1
        decoder.conv_out.weight[colour, 4 * colour + 1, 1, 1] = -1


def _spread_in(layer: nn.Module, matrix: Tensor) -> None:
    """The first output channels are the matrix times the inputs, pixel by pixel."""
    weight = layer.get_parameter("weight")
    weight[: len(matrix)] = 0
    weight[: len(matrix), :, 1, 1] = matrix
    _bias(layer)[: len(matrix)] = 0


def _pairs_and_constants(layer: nn.Module, group: slice, carried: int) -> None:
    """Channels of one group: the carried ones, their opposites, and constants of both signs."""
    weight, bias = layer.get_parameter("weight"), _bias(layer)
    weight[2 * carried : group.stop] = 0
    weight[carried : 2 * carried] = -weight[:carried]
    bias[: group.stop] = 0
    half = (2 * carried + group.stop) // 2
    bias[2 * carried : half], bias[half : group.stop] = STEADY, -STEADY


def _fix_gain(norms: list[nn.Module], channels: range | list[int], gain: float) -> None:
    for norm in norms:
        for channel in channels:
            norm.get_parameter("weight")[channel] = gain


def _pass_through(layer: nn.Module) -> None:
    weight = layer.get_parameter("weight")
    weight[:, :, 0, 0] = torch.eye(len(weight))
    _bias(layer).zero_()
