"""The parts of a control file or folder: its kind, its sizes, and the place of its tensors. Headers and small JSON only."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from torch import nn

from models.control.names import adapter_names, adapter_tensors, control_names, control_tensors
from models.control.sizes import adapter_sizes, control_sizes, lora_sizes, rows_of
from models.errors import UserError
from models.families import FAMILIES, Family
from models.files import Identity, ModelFile
from models.identify.control import CONTROL_LORA, T2I_ADAPTER, TITLES, UNION, control, kind_of
from models.identify.folder import CONFIG, identify_folder
from models.kits import kit
from models.memory.device import mend_torchvision
from models.networks.build import Blank, arguments, built
from models.tensors.embedded_sizes import own_sizes
from models.tensors.header import read_header
from models.tensors.signature import Signature
from models.tensors.sources import Source, config, folder_source

COMPONENT = "controlnet"  # in the sizes that a file brings
POOLED = re.compile(r"(?<![a-z])shuffle(?![a-z])")  # in a name: its outputs are averaged over the picture, which no tensor tells


@dataclass(frozen=True)
class ControlPart:
    """One steering network before it is read."""

    kind: str  # "controlnet", "union", "t2i-adapter" or "control-lora"
    source: Source
    sizes: Mapping[str, object]  # arguments of diffusers' class, and more
    rows: int = 0  # of an adapter whose file counts the layers of all blocks in one row: how many make a block

    def blank(self) -> Blank[nn.Module]:
        return _blank_adapter(self) if self.kind == T2I_ADAPTER else _blank_control_net(self)


def control_part(file: ModelFile, family: Family) -> ControlPart:
    """Raises `UserError` when it is no such network, or for another family of models."""
    return _folder_part(file, family) if file.path.is_dir() else _file_part(file, family)


def _folder_part(file: ModelFile, family: Family) -> ControlPart:
    told = _checked(file, identify_folder(file.path), family)
    source = folder_source(file.path, _title(file, told))
    kind = kind_of(told) or COMPONENT
    names = adapter_names(source.names) if kind == T2I_ADAPTER else control_names(source.names)
    own = Source(source.part, source.files, {short: source.names[name] for short, name in names.items()})
    return ControlPart(kind, own, config(file.path / CONFIG), rows_of(own.weights) if kind == T2I_ADAPTER else 0)


def _file_part(file: ModelFile, family: Family) -> ControlPart:
    header = read_header(file.path)
    told = _checked(file, control(Signature(header), header.metadata), family)
    part, kind, own = _title(file, told), kind_of(told) or COMPONENT, own_sizes(header.metadata, COMPONENT)
    if kind == T2I_ADAPTER:
        source = Source(part, [(file.path, header)], adapter_names(header.tensors))
        return ControlPart(kind, source, {**adapter_sizes(source.weights), **own}, rows_of(source.weights))
    if not told.family and not own:
        raise UserError(f"“{file.name}” was made for a model of a size that Atelier does not know. Choose one for {family.name}.")
    source = Source(part, [(file.path, header)], control_names(header.tensors))
    pooled = {"global_pool_conditions": True} if POOLED.search(file.true_name.lower()) else {}
    base = {**config(kit(family.key) / "unet.json"), **pooled, **own}
    is_lora = kind == CONTROL_LORA
    return ControlPart(kind, source, lora_sizes(source.weights, base) if is_lora else control_sizes(part, source.weights, base))


def _checked(file: ModelFile, told: Identity | None, family: Family) -> Identity:
    if told is None or told.kind not in ("controlnet", "adapter"):
        raise UserError(f"“{file.name}” is no network that steers by a picture. Choose a ControlNet, T2I-Adapter or Control-LoRA.")
    if not told.supported:
        raise UserError(told.note)
    if told.family and told.family != family.key:
        made_for = FAMILIES[told.family].name if told.family in FAMILIES else told.family
        raise UserError(f"“{file.name}” was made for {made_for}, not for {family.name}. Choose one that fits the model.")
    return told


def _title(file: ModelFile, told: Identity) -> str:
    return f"{TITLES[kind_of(told)]} “{file.name}”"


def _blank_control_net(part: ControlPart) -> Blank[nn.Module]:
    mend_torchvision()
    from diffusers.models.controlnets.controlnet import ControlNetModel
    from diffusers.models.controlnets.controlnet_union import ControlNetUnionModel

    kind = ControlNetUnionModel if part.kind == UNION else ControlNetModel
    network = built(part.source.part, kind, part.sizes, arguments(kind))
    return Blank(network, lambda tensors: control_tensors(tensors, network))


def _blank_adapter(part: ControlPart) -> Blank[nn.Module]:
    mend_torchvision()
    from diffusers.models.adapter import T2IAdapter

    network = built(part.source.part, T2IAdapter, part.sizes, arguments(T2IAdapter))
    return Blank(network, lambda tensors: adapter_tensors(tensors, part.rows))
