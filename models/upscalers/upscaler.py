"""An upscaler that is loaded: pixels in, more pixels out, and how much memory that takes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from models.errors import UserError
from models.memory.device import Device
from models.tensors.header import read_header
from models.tensors.reading import TensorFormat, all_finite, read_tensors
from models.upscalers.architectures import architecture_of, bare_names, bytes_a_pixel, described, enlarging, outlined

if TYPE_CHECKING:
    from spandrel import ImageModelDescriptor

COLOURS = 3


@dataclass(frozen=True)
class Upscaler:
    """A network of spandrel's that makes pictures larger."""

    name: str
    described: ImageModelDescriptor[Any]  # Any: the class of its network
    bytes_a_pixel: int  # alive at the peak, for each pixel that it sees

    @property
    def scale(self) -> int:
        """How many times as wide and as high a picture becomes; 1 for what only repairs."""
        return self.described.scale

    @property
    def network(self) -> nn.Module:
        return self.described.model

    @property
    def device(self) -> Device:
        weight = next(self.network.parameters())
        return Device(weight.device, weight.dtype)

    @property
    def multiple(self) -> int:
        """Of what both sides are that it sees. What is not, or is smaller than it needs, is continued by its own reflection."""
        return self.described.size_requirements.multiple_of

    @property
    def wants_all(self) -> bool:
        """It looks at the whole picture to see any part, so it is given parts only where memory ends."""
        return self.described.tiling.name in ("DISCOURAGED", "INTERNAL")

    def __call__(self, pixels: Tensor) -> Tensor:
        """(3, h, w) float32 of the host, 0 .. 1, as (3, h * scale, w * scale) of the same: what spandrel's own call makes of it.

        A network for grey pictures is given each colour by itself, one for four channels an opaque picture. Raises `UserError` when
        what comes out has another size, or is not finite.
        """
        weight = next(self.network.parameters())
        with torch.inference_mode():
            made = [self.described(given.to(weight.device, weight.dtype))[0] for given in self._given(pixels)]
            joined = (torch.cat(made) if len(made) > 1 else made[0])[:COLOURS].to("cpu", torch.float32)
        self._check(joined, (COLOURS, pixels.shape[1] * self.scale, pixels.shape[2] * self.scale))
        return joined

    def _given(self, pixels: Tensor) -> Iterable[Tensor]:
        """(1, channels of the network, h, w) each."""
        if self.described.input_channels == COLOURS:
            return [pixels[None]]
        if self.described.input_channels == 1:
            return [colour[None, None] for colour in pixels]
        return [torch.cat([pixels, torch.ones_like(pixels[:1])])[None]]

    def _check(self, made: Tensor, wanted: tuple[int, ...]) -> None:
        if tuple(made.shape) != wanted:
            sizes = f"{made.shape[-1]} × {made.shape[-2]} pixels instead of {wanted[2]} × {wanted[1]}"
            raise UserError(f"“{self.name}” made {sizes}, so it is not the upscaler that it says it is. Choose another one.")
        if not all_finite(made):
            raise UserError(
                f"“{self.name}” made numbers that are no colours. Its file may be damaged: copy it again, or choose another one."
            )


def load_upscaler(file: Path, name: str, device: Device) -> Upscaler:
    """Reads a safetensors file into the device's memory, in its number type where the architecture supports that, else in float32.

    Raises `UserError` when it is no upscaler, is damaged, or does not fit the architecture that its names say.
    """
    header = read_header(file)
    names = bare_names(header)
    read = read_tensors(file, header, list(names.values()), TensorFormat(torch.float32))
    tensors = {bare: read[own] for bare, own in names.items()}
    if (architecture := architecture_of(tensors)) is None:
        raise UserError(f"“{name}” is no upscaler that Atelier knows. Choose another one.")
    found = enlarging(described(architecture, tensors))
    dtype = torch.float16 if device.dtype == torch.float16 and found.supports_half else torch.float32
    found.to(device.torch_device, dtype)
    found.model.requires_grad_(False)
    return Upscaler(name, found, bytes_a_pixel(outlined(architecture, tensors), dtype))
