"""Networks of video models, built from their sizes: a UNet that sees all frames of a clip at once, and a VAE whose decoder does."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from torch import nn

from models.json_values import listed
from models.memory.device import mend_torchvision
from models.networks.build import Blank, Config, arguments, built
from models.tensors.video_names import video_unet_tensors, video_vae_tensors
from models.video_model import POSED

if TYPE_CHECKING:
    from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
    from diffusers.models.autoencoders.autoencoder_kl_temporal_decoder import AutoencoderKLTemporalDecoder
    from diffusers.models.unets.unet_spatio_temporal_condition import UNetSpatioTemporalConditionModel

    VideoVae = AutoencoderKLTemporalDecoder | AutoencoderKL

EPS = 1e-5  # of the norms in residual blocks


def blank_video_unet(part: str, sizes: Config) -> Blank[UNetSpatioTemporalConditionModel]:
    mend_torchvision()
    from models.networks.posed_unet import PosedUNet, UNetSpatioTemporalConditionModel

    posed = sizes.get("projection_class_embeddings_input_dim") == POSED
    network = built(part, PosedUNet if posed else UNetSpatioTemporalConditionModel, sizes, arguments(UNetSpatioTemporalConditionModel))
    _as_trained(network)
    layers = network.config["layers_per_block"]
    return Blank(network, partial(video_unet_tensors, layers=layers if isinstance(layers, int) else layers[0]))


def _as_trained(unet: nn.Module) -> None:
    """diffusers builds the norms of the residual blocks with an epsilon of 1e-6 and the original has 1e-5: 88 of them, and the answers
    differ by 2e-4 of 1.
    """
    from diffusers.models.resnet import ResnetBlock2D, TemporalResnetBlock

    for block in unet.modules():
        if isinstance(block, ResnetBlock2D | TemporalResnetBlock):
            block.norm1.eps = block.norm2.eps = EPS


def blank_video_vae(part: str, sizes: Config, timed: bool) -> Blank[VideoVae]:
    """`timed`: its decoder has layers over the frames."""
    mend_torchvision()
    from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
    from diffusers.models.autoencoders.autoencoder_kl_temporal_decoder import AutoencoderKLTemporalDecoder

    if timed:
        network: VideoVae = built(part, AutoencoderKLTemporalDecoder, sizes, arguments(AutoencoderKLTemporalDecoder))
    else:
        up = {"up_block_types": ["UpDecoderBlock2D"] * len(listed(sizes.get("block_out_channels")))}
        network = built(part, AutoencoderKL, {"use_post_quant_conv": False, **sizes, **up}, arguments(AutoencoderKL))
    return Blank(network, video_vae_tensors)
