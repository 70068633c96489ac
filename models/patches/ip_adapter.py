"""IP-Adapter (Ye et al. 2023, arXiv:2308.06721): a picture as part of the prompt, through attention of its own beside that to the words.

What a picture says to each layer is the same at every step, so it is worked out once; while a picture is drawn only these few keys
and values are needed, and the adapter's own weights may be elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from math import isqrt
from typing import TYPE_CHECKING, Protocol, cast

import torch
from PIL.Image import Image
from torch import Tensor, nn
from torch.nn import functional

from models.errors import UserError
from models.networks.vision import Vision

if TYPE_CHECKING:
    from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel


class Attention(Protocol):
    """Attention, as far as diffusers' class of this name is used, which itself takes none but its own processors."""

    heads: int
    to_q: nn.Linear
    to_k: nn.Linear
    to_v: nn.Linear
    to_out: Sequence[nn.Linear]
    rescale_output_factor: float
    processor: Callable[..., Tensor]

    def set_processor(self, processor: Callable[..., Tensor]) -> None: ...


class IpNetwork(nn.Module):
    """The projection of what the vision encoder saw to a few tokens, and for each layer of the UNet how it reads them."""

    def __init__(self, projection: nn.Module, keys: Sequence[tuple[int, int]], values: Sequence[tuple[int, int]]) -> None:
        """`keys`, `values`: (outputs, inputs) of each layer's matrix."""
        super().__init__()
        self.projection = projection
        self.keys = nn.ModuleList(nn.Linear(inputs, outputs, bias=False) for outputs, inputs in keys)
        self.values = nn.ModuleList(nn.Linear(inputs, outputs, bias=False) for outputs, inputs in values)

    def forward(self, embedding: Tensor) -> list[tuple[Tensor, Tensor]]:
        """What the encoder saw in each picture, (n, ...), to keys and values (1, tokens, channels) of each layer."""
        tokens = self.projection(embedding).flatten(0, 1).unsqueeze(0)
        return [(key(tokens), value(tokens)) for key, value in zip(self.keys, self.values, strict=True)]


@dataclass(frozen=True)
class EncodedImagePrompt:
    """Pictures, as each UNet layer takes them: keys and values (2 * n, tokens, channels), of the negative branch and the positive one.

    n is 1, or as many as a call has pictures.
    """

    name: str
    layers: tuple[tuple[Tensor, Tensor], ...]
    region: Tensor | None = None  # (1 or n, 1, h, w), 0 .. 1, of the latents' shape: where it acts; None: everywhere


def each_its_own(seen: Sequence[EncodedImagePrompt]) -> EncodedImagePrompt:
    """What each picture of a call sees for itself."""
    if len(seen) == 1:
        return seen[0]
    layers = zip(*(one.layers for one in seen), strict=True)
    return EncodedImagePrompt(
        seen[0].name,
        tuple((_side_by_side([key for key, _ in layer]), _side_by_side([value for _, value in layer])) for layer in layers),
        _each_region([one.region for one in seen]),
    )


def _each_region(regions: Sequence[Tensor | None]) -> Tensor | None:
    """Of each its own, where they are not one and the same."""
    first = regions[0]
    if first is None or all(region is first for region in regions):
        return first
    return torch.cat([region for region in regions if region is not None])


def _side_by_side(parts: Sequence[Tensor]) -> Tensor:
    """(2, ...) of each picture -> all of the negative branch, then all of the positive one."""
    return torch.stack(list(parts), 1).flatten(0, 1)


@dataclass(frozen=True)
class IpAdapter:
    """One file, loaded."""

    name: str
    network: IpNetwork
    is_plus: bool  # reads all that the encoder saw, not only its summary
    bytes: int

    def see(self, vision: Vision, images: Sequence[Image], region: Tensor | None = None) -> EncodedImagePrompt:
        """One picture, or several that count together. Raises `UserError` when the encoder is not the one that it was trained with."""
        positive, negative = vision.see(images, self.is_plus)
        if positive.shape[-1] != self.reads:
            widths = f"vectors of {self.reads} numbers, and “{vision.name}” makes {positive.shape[-1]}"
            raise UserError(f"“{self.name}” reads {widths}. Choose the vision encoder that belongs to it.")
        with torch.no_grad():
            both = zip(self.network(negative), self.network(positive), strict=True)
        layers = tuple((torch.cat([key, own_key]), torch.cat([value, own_value])) for (key, value), (own_key, own_value) in both)
        return EncodedImagePrompt(self.name, layers, region)

    @property
    def reads(self) -> int:
        """Numbers in the vectors that it reads: the encoder's summaries, or with `is_plus` all that it sees."""
        first = self.network.projection.get_submodule("proj_in" if self.is_plus else "image_embeds")
        assert isinstance(first, nn.Linear), "both projections of diffusers begin with a matrix"
        return first.in_features


@dataclass
class ImagePrompts:
    """Pictures that are being shown to a UNet. Both fields may be changed between its calls."""

    strengths: list[float]  # of each, 0 .. 1 and more; 0 costs nothing
    branches: int = 2  # 2: the first half of each call's rows is the negative branch; 1: all rows are the prompt's; 0: none is
    seen: tuple[EncodedImagePrompt, ...] = field(default=())


@contextmanager
def shown(
    unet: UNet2DConditionModel, seen: Sequence[EncodedImagePrompt], strengths: Sequence[float], branches: int = 2
) -> Generator[ImagePrompts]:
    """The UNet's attention to the words reads these pictures too, for the length of the block. No weight changes.

    Whatever attention a layer had before still runs, and is back afterwards. Raises `UserError` when a picture was prepared for a
    UNet of other sizes.
    """
    layers = _layers(unet)
    handle = ImagePrompts(list(strengths), branches, tuple(seen))
    for one in seen:
        _check(one, layers)
    with ExitStack() as stack:
        for place, layer in enumerate(layers):
            stack.callback(layer.set_processor, layer.processor)
            layer.set_processor(Beside(layer.processor, handle, place))
        yield handle


def _layers(unet: UNet2DConditionModel) -> list[Attention]:
    """Those with attention to the words, in the order in which the files number them."""
    names = [name for name in unet.attn_processors if name.endswith("attn2.processor")]
    return [cast(Attention, unet.get_submodule(name.removesuffix(".processor"))) for name in names]


def _check(seen: EncodedImagePrompt, layers: Sequence[Attention]) -> None:
    fits = len(layers) == len(seen.layers) and all(
        key.shape[-1] == layer.to_k.out_features for (key, _), layer in zip(seen.layers, layers, strict=True)
    )
    if not fits:
        raise UserError(f"“{seen.name}” was made for another model: its layers are not those of this UNet. Choose one that fits.")


class Beside:
    """An attention processor that adds to another one what its queries find in the pictures."""

    def __init__(self, before: Callable[..., Tensor], handle: ImagePrompts, place: int) -> None:
        self.before, self._handle, self._place = before, handle, place

    def __call__(self, attn: Attention, hidden_states: Tensor, *arguments: object, **options: object) -> Tensor:
        answer = self.before(attn, hidden_states, *arguments, **options)
        active = [(one, strength) for one, strength in zip(self._handle.seen, self._handle.strengths, strict=True) if strength]
        if not active:
            return answer
        query = _heads(attn.to_q(hidden_states), attn.heads)
        found = torch.stack([strength * self._found(one, query) for one, strength in active]).sum(0)
        with _without_bias(attn.to_out[0]) as out:
            return answer + out(found) / attn.rescale_output_factor

    def _found(self, seen: EncodedImagePrompt, query: Tensor) -> Tensor:
        """(rows, places, channels) of what one picture adds."""
        key, value = (_heads(_rows(part, len(query), self._handle.branches).to(query), query.shape[1]) for part in seen.layers[self._place])
        found = functional.scaled_dot_product_attention(query, key, value).transpose(1, 2).flatten(2)
        if seen.region is None:
            return found
        acts = _at_places(seen.region, found.shape[1]).to(found)
        return found * (acts.repeat(len(found) // len(acts), 1, 1) if len(acts) > 1 else acts)


@contextmanager
def _without_bias(layer: nn.Linear) -> Generator[nn.Linear]:
    """It is called and its weight not taken out of it: what runs layer by layer has that on the device while it is called."""
    bias, layer.bias = layer.bias, None  # pyright: ignore[reportAttributeAccessIssue]
    try:
        yield layer
    finally:
        layer.bias = bias


def _heads(tensor: Tensor, heads: int) -> Tensor:
    """(rows, places, channels) -> (rows, heads, places, channels of one head)."""
    return tensor.unflatten(-1, (heads, -1)).transpose(1, 2)  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]  # torch


def _rows(both: Tensor, rows: int, branches: int) -> Tensor:
    """(2 * n, ...) of the negative and the positive branch -> one for each row of a call."""
    half = len(both) // 2
    wanted = both[half * (2 - branches) :] if branches else both[:half]
    return wanted.repeat_interleave(rows // len(wanted), 0)


def _at_places(region: Tensor, places: int) -> Tensor:
    """(1, places, 1): the region at the resolution of a layer."""
    height, width = region.shape[-2:]
    rows = max(1, isqrt(round(places * height / width)))
    while places % rows:
        rows += 1
    return functional.interpolate(region.float(), (rows, places // rows), mode="bilinear", antialias=True).flatten(2).transpose(1, 2)
