"""Networks built from their sizes, without weights, and the weights put in: checked by name and shape before a byte of them is read."""

from __future__ import annotations

import inspect
import logging
import re
import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Generic, TypeVar

import torch
from torch import Tensor, nn

from models.errors import UserError
from models.json_values import is_row, is_whole
from models.memory.device import Device, mend_torchvision
from models.networks import eight_bits
from models.tensors import fp8
from models.tensors.layouts import encoder_tensors, unet_tensors, vae_tensors
from models.tensors.reading import TensorFormat
from models.tensors.sources import Source

if TYPE_CHECKING:
    from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
    from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
    from transformers import CLIPTextModel, CLIPTextModelWithProjection

log = logging.getLogger(__name__)

Sizes = TypeVar("Sizes")
Network = TypeVar("Network", bound=nn.Module)
Built = TypeVar("Built", bound=nn.Module, covariant=True)
Config = Mapping[str, object]
Arrange = Callable[[Mapping[str, Tensor]], dict[str, Tensor]]

BUILDING = threading.RLock()  # torch notes for the whole process where networks are built, and several threads may load
LARGEST_NUMBER = 2**20  # no size of a network in use is larger
MOST_LAYERS = 128  # of anything that is counted or listed
COUNTS = re.compile(r"layer|groups$|depth|_blocks$")
EXPECTED_EXTRAS = re.compile(r"text_projection|transformer\.resblocks\.|encoder\.layers\.")  # OpenCLIP's last layer is not used

CLASSES = {
    "unet": "UNet2DConditionModel", "vae": "AutoencoderKL",
    "video_unet": "UNetSpatioTemporalConditionModel", "video_vae": "AutoencoderKLTemporalDecoder",
}  # fmt: skip
NOT_USABLE = (ValueError, TypeError, KeyError, IndexError, AttributeError, AssertionError, ArithmeticError, RuntimeError)


@dataclass(frozen=True)
class Blank(Generic[Built]):
    """A network without weights, and how a file's tensors get its names."""

    network: Built
    arrange: Arrange


def blank_unet(part: str, sizes: Config) -> Blank[UNet2DConditionModel]:
    mend_torchvision()
    from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel

    network = built(part, UNet2DConditionModel, sizes, arguments(UNet2DConditionModel))
    return Blank(network, lambda tensors: unet_tensors(tensors, network.config))


def blank_vae(part: str, sizes: Config) -> Blank[AutoencoderKL]:
    mend_torchvision()
    from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL

    network = built(part, AutoencoderKL, sizes, arguments(AutoencoderKL))
    return Blank(network, lambda tensors: vae_tensors(tensors, network.config))


def blank_encoder(part: str, key: str, sizes: Config) -> Blank[CLIPTextModel | CLIPTextModelWithProjection]:
    """`key`: "clip_l", "clip_h" or "clip_g"; the last one projects its pooled vector."""
    mend_torchvision()
    from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

    kind = CLIPTextModelWithProjection if key == "clip_g" else CLIPTextModel
    network = built(part, partial(of_config, CLIPTextConfig, kind), _with_end_token(sizes), set(CLIPTextConfig.__annotations__))
    expected = network.state_dict()
    return Blank(network, lambda tensors: encoder_tensors(tensors, expected))


def of_config(config: Callable[..., Sizes], network: Callable[[Sizes], Network], **own: object) -> Network:
    """A network of transformers, which is made of an object that holds its sizes."""
    return network(config(**own))


def check(source: Source, blank: Blank[Network]) -> Source:
    """The source with what the network needs and nothing else. Reads nothing.

    Raises `UserError` unless it has every weight of the network in its shape, and in numbers that can be read.
    """
    outline = source.outline()
    try:
        with torch.inference_mode(False):  # there, views do not know what they are views of
            found = blank.arrange(outline)
    except KeyError as error:
        raise UserError(f"The {source.part} lacks some of its weights, {error.args[0]} among them. Copy the model again.") from error
    expected = blank.network.state_dict()
    if missing := sorted(expected.keys() - found.keys()):
        raise UserError(f"The {source.part} lacks {len(missing)} of its weights, {missing[0]} among them. Copy the model again.")
    needed = source.needed(used(outline, [found[name] for name in expected]))
    for name, weight in expected.items():
        if essential(found[name].shape) != essential(weight.shape):
            shapes = f"{tuple(found[name].shape)} instead of {tuple(weight.shape)}"
            raise UserError(f"In the {source.part}, {name} has the shape {shapes}. The files do not belong together.")
    _report_unused(source, outline.keys() - needed.weights.keys())
    return needed


def used(outline: Mapping[str, Tensor], taken: Sequence[Tensor]) -> list[str]:
    """The names of those tensors of the outline that are taken, or that what is taken are views of: nothing may copy them."""
    own = {id(tensor) for tensor in taken} | {id(tensor._base) for tensor in taken}
    return [name for name, tensor in outline.items() if id(tensor) in own]


def _report_unused(source: Source, names: Collection[str]) -> None:
    unused = sorted(name for name in names if not EXPECTED_EXTRAS.match(name))
    if unused:
        log.warning("The %s holds %d weights that are not used, %s among them", source.part, len(unused), unused[0])


def fill(blank: Blank[Network], tensors: Mapping[str, Tensor], device: Device) -> Network:
    """The network with its weights, which are put in as they are: views of what was read."""
    weights, scales = fp8.apart(tensors)
    found, expected = blank.arrange(weights), blank.network.state_dict()
    state = {name: _in_rows(found[name].reshape(weight.shape)).to(device.torch_device) for name, weight in expected.items()}
    blank.network.load_state_dict(state, assign=True)
    if any(weight.dtype in fp8.STORED for weight in state.values()):
        eight_bits.settle(blank.network, _scales(blank, weights, scales, device), device.dtype)
    _materialise_buffers(blank.network, device)
    return blank.network.eval().requires_grad_(False)


def _scales(blank: Blank[Network], weights: Mapping[str, Tensor], scales: Mapping[str, Tensor], device: Device) -> dict[str, Tensor]:
    """(rows,) float32 by the network's names, of each weight in eight bits that has one or more: they go the way of their weights."""
    if not scales:
        return {}
    none = torch.ones(())
    spread = {
        name: (scales[name].float().reshape(-1, *[1] * (weight.ndim - 1)) if name in scales else none).expand(weight.shape)
        for name, weight in weights.items()
    }
    return {name: factors.flatten(1)[:, 0].to(device.torch_device) for name, factors in blank.arrange(spread).items() if factors.ndim > 1}


def _in_rows(tensor: Tensor) -> Tensor:
    """A matrix that is a view of its transpose is copied; all else stays a view of what was read."""
    return tensor.contiguous() if tensor.ndim == 2 else tensor


def form_of(device: Device, component: str = "") -> TensorFormat:
    """Convolutions run faster with the channels innermost: on a CPU about a quarter for the VAE, a twentieth for a large UNet.

    The UNet alone stays in eight bits: it is most of a model, and what runs once is better without the rounding's cost.
    """
    return TensorFormat(device.dtype, channels_last=True, eight_bits=device.eight_bits and component == "unet")


def of_class(part: str, sizes: Config, component: str) -> Config:
    """Raises `UserError` when a folder's configuration is for another kind of network than the one that is wanted."""
    if (named := sizes.get("_class_name")) and named != CLASSES.get(component):
        raise UserError(f"The {part} is a {str(named)[:64]}, which cannot be used here. Choose another model.")
    return sizes


def built(part: str, build: Callable[..., Network], sizes: Config, known: Collection[str]) -> Network:
    """On meta: it takes no memory, however large the sizes say it is. Names that are not `known` are left out."""
    own = {name: value for name, value in sizes.items() if name in known}
    if not all(_is_sane(name, value) for name, value in own.items()):
        raise UserError(f"The configuration of the {part} asks for sizes that no such network has. Copy the model again.")
    try:
        with BUILDING, torch.device("meta"):
            return build(**own)
    except NOT_USABLE as error:
        raise UserError(f"The configuration of the {part} does not describe a network that can be built. Copy the model again.") from error


def arguments(network: type[nn.Module]) -> set[str]:
    return set(inspect.signature(network.__init__).parameters) - {"self"}


def _is_sane(name: str, value: object, depth: int = 0) -> bool:
    if is_row(value):
        return depth < 3 and len(value) <= MOST_LAYERS and all(_is_sane(name, entry, depth + 1) for entry in value)
    if isinstance(value, str):
        return len(value) <= 64
    if isinstance(value, int | float):
        return abs(value) <= (MOST_LAYERS if COUNTS.search(name) else LARGEST_NUMBER)
    return value is None


def _with_end_token(sizes: Config) -> Config:
    """Public configurations say 2, with which the pooled vector is taken at the largest number of the text instead of its end."""
    words = sizes.get("vocab_size")
    return {**sizes, "eos_token_id": words - 1} if sizes.get("eos_token_id", 2) == 2 and is_whole(words) else sizes


def essential(shape: torch.Size) -> tuple[int, ...]:
    """Without the ones at the end: a convolution over one pixel is a matrix."""
    kept = list(shape)
    while len(kept) > 2 and kept[-1] == 1:
        kept.pop()
    return tuple(kept)


def _materialise_buffers(network: nn.Module, device: Device) -> None:
    """Buffers that no file holds (the position numbers of CLIP) were built on meta; make them anew."""
    for module in network.modules():
        for name, buffer in module.named_buffers(recurse=False):
            if buffer.is_meta:
                positions = torch.arange(buffer.shape[-1], device=device.torch_device).expand(buffer.shape)
                module.register_buffer(name, positions, persistent=False)
