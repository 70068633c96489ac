"""A video model in memory: its networks, and what a clip's drawing must know of them. Plain values, as `models.diffusion_model`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from diffusers.models.unets.unet_spatio_temporal_condition import UNetSpatioTemporalConditionModel

    from models.families import Family
    from models.files import ModelFile
    from models.loading.preview_decoder import PreviewDecoder
    from models.memory.device import Device
    from models.networks.video import VideoVae


POSED = 1280  # numbers that are added to the time embedding of SV3D's second model: noise, polar angle, azimuth


@dataclass(frozen=True)
class VideoModel:
    """One checkpoint in memory, without its encoder of pictures, which is asked once a clip and lent apart."""

    file: ModelFile
    family: Family
    device: Device
    unet: UNetSpatioTemporalConditionModel
    vae: VideoVae
    preview: PreviewDecoder
    timed_decoder: bool  # the VAE decodes frames together; else each by itself, which flickers
    one_by_one: bool = False  # with the picture and without it are asked one after the other, as memory does not hold both
    chunk: int = 1  # frames that there is room to decode together

    @property
    def posed(self) -> bool:
        """Each frame is told from where it is seen."""
        return self.unet.config["projection_class_embeddings_input_dim"] == POSED

    @property
    def bytes(self) -> int:
        return sum(weight.nbytes for network in (self.unet, self.vae, self.preview) for weight in network.state_dict().values())
