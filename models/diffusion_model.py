"""A diffusion model in memory: its networks, and what a drawing must know of them.

Plain values, so that all who take a model import downwards: the classes of what it holds are named for the type checker alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch
    from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
    from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
    from transformers import CLIPTextModel, CLIPTextModelWithProjection

    from models.control.network import ControlNetwork
    from models.families import Family
    from models.library.checkpoint import Checkpoint
    from models.loading.preview_decoder import PreviewDecoder
    from models.memory.device import Device
    from models.patches.embeddings import Embedding
    from models.patches.lora import Dressed, Paced

Tokenizer = Any  # Any: of the prompt language, which lies above this layer and brings it
Encodings = Any  # Any: likewise
Recall = Callable[[Sequence["torch.Tensor | None"], Callable[[], "torch.Tensor"]], "torch.Tensor"]  # (what is read, how to ask) -> answer


@dataclass(frozen=True)
class TextEncoder:
    """One of a model's text encoders, with the tokenizer that goes with it."""

    key: str  # "clip_l", "clip_h" or "clip_g"
    network: CLIPTextModel | CLIPTextModelWithProjection
    tokenizer: Tokenizer


@dataclass(frozen=True)
class RegionLoras:
    """What acts in one region alone, beside what acts everywhere."""

    dressed: Dressed
    encoder_state: object  # as of `DiffusionModel`, with these


@dataclass(frozen=True)
class DiffusionModel:
    """One checkpoint in memory. Lent by the manager; only the worker's thread may call its networks."""

    checkpoint: Checkpoint
    family: Family
    device: Device
    unet: UNet2DConditionModel
    vae: AutoencoderKL
    text_encoders: tuple[TextEncoder, ...]  # in the order of `family.text.encoders`
    preview: PreviewDecoder
    alphas_cumprod: torch.Tensor  # (training steps,), float32, on the host: the signal share of each training step
    prediction_type: str  # "epsilon" or "v_prediction": of `models.families.prediction`
    picture_signal: torch.Tensor | None = None  # the same of each noise level that a small picture may have; None: it reads none
    made_with: Mapping[str, str] = field(default_factory=dict[str, str])  # names and hashes for a picture's metadata, by the runner
    refiner: DiffusionModel | None = None  # draws the last steps, when the request names one
    embeddings: Mapping[str, Embedding] = field(default_factory=dict[str, "Embedding"])  # word of the prompt -> vectors
    encodings: Encodings = None  # what its text encoders have said before, by the runner; None: nothing is kept
    encoder_state: object = ()  # what its text encoders say depends on: LoRAs and embeddings, hashable
    recall: Recall | None = None  # asked at the first call of a run, where that may have been answered before
    paced: Paced | None = None  # its LoRAs whose strength changes from step to step; who samples tells it each step
    regional: Mapping[int, RegionLoras] = field(default_factory=dict[int, "RegionLoras"])  # number of a region -> the LoRAs of its own
    joins: tuple[bool, bool] = (False, False)  # whether the picture's edges join, across and down
    controls: Mapping[str, ControlNetwork] = field(default_factory=dict[str, "ControlNetwork"])  # id in the library -> network that steers

    @property
    def text_encoder(self) -> CLIPTextModel | CLIPTextModelWithProjection:
        return self.text_encoders[0].network

    @property
    def tokenizer(self) -> Tokenizer:
        return self.text_encoders[0].tokenizer

    @property
    def bytes(self) -> int:
        networks = (self.unet, self.vae, *(encoder.network for encoder in self.text_encoders), self.preview)
        return sum(weight.nbytes for network in networks for weight in network.state_dict().values())


@dataclass(frozen=True)
class LoadedVae:
    """A VAE on its own, to be put in the place of a checkpoint's."""

    network: AutoencoderKL
    bytes: int
    name: str
