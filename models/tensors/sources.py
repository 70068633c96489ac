"""Sources of a network's tensors: a part of a single file, a file of their own, or the several files of a folder."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import torch
from torch import Tensor

from models.errors import UserError
from models.json_values import is_table, table
from models.tensors import fp8
from models.tensors.header import Header, TensorInfo, read_header
from models.tensors.layouts import NOT_WEIGHTS, Names
from models.tensors.reading import DTYPES, TensorFormat, read_tensors

WEIGHTS = ("diffusion_pytorch_model", "model")
ENDINGS = (".safetensors", ".fp16.safetensors")
INDEX = ".safetensors.index.json"


@dataclass(frozen=True)
class Source:
    """The tensors of one network. `part` names it for a person: UNet of “name”."""

    part: str
    files: Sequence[tuple[Path, Header]]
    names: Names  # within the network, in the layout of the file -> in the file

    @cached_property
    def scales(self) -> dict[str, str]:
        return fp8.scales_of(self.names)

    @cached_property
    def weights(self) -> dict[str, TensorInfo]:
        """What may be a weight: all but the scales. What stands beside the weights of a network may be of any number type."""
        beside = set(self.scales.values())
        return {name: self._info(name) for name in self.names if name not in beside}

    def needed(self, names: Collection[str]) -> Source:
        """With these weights and their scales alone: what nobody needs is not read, whatever it holds.

        Raises `UserError` for whole numbers, which are codes that only their own program can read, and for types that are not known.
        """
        for name in names:
            dtype = self.weights[name].dtype
            if dtype not in DTYPES:
                raise UserError(f"In the {self.part}, {name} is stored as {dtype}, which cannot be read. Look for the file in float16.")
            if not DTYPES[dtype].is_floating_point:
                raise UserError(f"In the {self.part}, {name} is stored as {dtype}, a quantised form. Look for the file in float16.")
        kept = {*names, *(self.scales[name] for name in names if name in self.scales)}
        return replace(self, names={name: in_file for name, in_file in self.names.items() if name in kept})

    def outline(self) -> dict[str, Tensor]:
        """The weights without their numbers."""
        with torch.inference_mode(False):  # so that views of them know what they are views of
            return {name: torch.empty(info.shape, device="meta") for name, info in self.weights.items()}

    def read(self, form: TensorFormat) -> dict[str, Tensor]:
        weights = self._read(list(self.weights), form)
        scales = self._read(list(self.scales.values()), TensorFormat())
        fp8.scale(self.part, weights, {name: scales[beside] for name, beside in self.scales.items()})
        return weights

    def _info(self, name: str) -> TensorInfo:
        return next(header.tensors[self.names[name]] for _, header in self.files if self.names[name] in header.tensors)

    def _read(self, names: Sequence[str], form: TensorFormat) -> dict[str, Tensor]:
        found: dict[str, Tensor] = {}
        for file, header in self.files:
            here = {self.names[name]: name for name in names if self.names[name] in header.tensors}
            if here:
                found |= {here[name]: tensor for name, tensor in read_tensors(file, header, list(here), form).items()}
        return found


def folder_source(folder: Path, part: str = "") -> Source:
    """The weights of one folder in the diffusers layout, in one file or in several. `part`: of a network that belongs to no model."""
    part = part or f"{folder.name} of “{folder.parent.name}”"
    files = [(file, read_header(file)) for file in _weight_files(folder, part)]
    names = [name for _, header in files for name in header.tensors if not NOT_WEIGHTS.search(name)]
    return Source(part, files, {name.removeprefix("text_model."): name for name in names})


def config(file: Path) -> dict[str, object]:
    """A small JSON file. Raises `UserError` when there is none that can be read."""
    try:
        values: object = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        values = None
    if not is_table(values):
        raise UserError(f"“{file.parent.parent.name}” has no readable {file.parent.name}/{file.name}. Copy the model again.")
    return values


def _weight_files(folder: Path, part: str) -> list[Path]:
    for ending in ENDINGS:
        for name in WEIGHTS:
            if (folder / (name + ending)).is_file():
                return [folder / (name + ending)]
    for name in WEIGHTS:
        if (folder / (name + INDEX)).is_file():
            return _shards(folder, folder / (name + INDEX), part)
    raise UserError(f"The {part} has no weights ({WEIGHTS[0]}{ENDINGS[0]}). Copy the model again.")


def _shards(folder: Path, index: Path, part: str) -> list[Path]:
    """The files that an index names. They must lie beside it: a name with a path in it is not followed."""
    names = sorted({str(name) for name in table(config(index).get("weight_map")).values()})
    files = [folder / name for name in names if Path(name).name == name and name.endswith(".safetensors")]
    if not files or len(files) != len(names) or not all(file.is_file() for file in files):
        raise UserError(f"The {part} lacks some of its files. Copy the model again.")
    return files
