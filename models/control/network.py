"""Control networks from their files: ControlNets, unions of several, T2I-Adapters, Control-LoRAs."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from torch import nn

from models.control.control_lora import ControlLora, blank_of, check_lora, joined, named
from models.control.parts import ControlPart, control_part
from models.families import Family
from models.files import ModelFile
from models.identify.control import CONTROL_LORA
from models.memory.device import Device
from models.networks.build import check, fill, form_of, used

if TYPE_CHECKING:
    from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel

Joined = WeakKeyDictionary[nn.Module, nn.Module]  # a UNet -> what was made for it
LATENTS_AND_PICTURE = ("in_channels", "conditioning_channels", "conditioning_embedding_out_channels")


@dataclass(frozen=True)
class ControlNetwork:
    """A network that steers, loaded."""

    kind: str  # "controlnet", "union", "t2i-adapter" or "control-lora"
    network: nn.Module  # diffusers' ControlNetModel, ControlNetUnionModel or T2IAdapter; of a Control-LoRA what holds its tensors
    name: str
    bytes: int
    _joined: Joined = field(default_factory=Joined, repr=False, compare=False)

    def ready(self, unet: UNet2DConditionModel) -> nn.Module:
        """The module to call. Of a Control-LoRA a ControlNetModel that borrows this UNet's parameters, made once for each UNet.

        It is where both are: a UNet that is moved or patched is so in there too. Raises `UserError` when the Control-LoRA was
        made for a UNet of other sizes.
        """
        if not isinstance(self.network, ControlLora):
            return self.network
        if unet not in self._joined:
            self._joined[unet] = joined(self.network, unet)
        return self._joined[unet]


def load_control(file: ModelFile, family: Family, device: Device) -> ControlNetwork:
    """Reads a file in any layout, or a folder in that of diffusers. Always offline, never a pickle.

    Raises `UserError` when it is none of these networks, was made for another family, is damaged or incomplete, or does not
    fit its sizes; all but numbers that are not finite is known before a weight is read.
    """
    part = control_part(file, family)
    network = _control_lora(part, device) if part.kind == CONTROL_LORA else _network(part, device)
    return ControlNetwork(part.kind, network, file.name, sum(weight.nbytes for weight in network.state_dict().values()))


def _network(part: ControlPart, device: Device) -> nn.Module:
    blank = part.blank()
    return fill(blank, check(part.source, blank).read(form_of(device)), device)


def _control_lora(part: ControlPart, device: Device) -> ControlLora:
    blank, outline = blank_of(part.source.part, part.sizes), part.source.outline()
    found = named(outline, blank)
    check_lora(part.source.part, found, blank.state_dict())
    tensors = named(part.source.needed(used(outline, list(found.values()))).read(form_of(device)), blank)
    on_device = {name: tensor.to(device.torch_device) for name, tensor in tensors.items()}
    own = {name: part.sizes[name] for name in LATENTS_AND_PICTURE if name in part.sizes}
    return ControlLora(on_device, own, part.source.part)
