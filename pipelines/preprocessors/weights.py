"""Weights out of a file and into a network: nothing but weights is read, and every one of them must be there in its shape."""

from __future__ import annotations

import logging
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from models.errors import UserError
from models.json_values import is_table
from models.tensors.reading import DTYPES
from pipelines.preprocessors.resolution import Pixels

log = logging.getLogger(__name__)

WRAPPERS = ("state_dict", "model", "depth_model")  # what checkpoints of training scripts keep their weights under
COUNTERS = "num_batches_tracked"  # of batch norms: older files lack them, and nothing that only runs asks for them
UNREADABLE = (pickle.UnpicklingError, SafetensorError, RuntimeError, OSError, EOFError, KeyError, ValueError, AttributeError)

Network = TypeVar("Network", bound=nn.Module)


def read(path: Path) -> dict[str, Tensor]:
    """The tensors of a .safetensors file, or of one of torch's own, which may hold nothing that runs.

    Raises `UserError` for a damaged one, and for one with anything else in it.
    """
    try:
        held = _tensors(path) if path.suffix == ".safetensors" else torch.load(path, map_location="cpu", weights_only=True)
    except UNREADABLE as error:
        log.warning("%s could not be read: %s", path, error)
        raise UserError(f"“{path.name}” is damaged, or holds more than weights. Download it again from where it comes from.") from error
    tensors = {name: value for name, value in _unwrapped(held).items() if isinstance(value, Tensor)}
    return {str(name).removeprefix("module."): value for name, value in tensors.items()}


def _tensors(path: Path) -> dict[str, Tensor]:
    """Those whose numbers a network can have: a counter or a note of another type says nothing here."""
    with safe_open(path, "pt") as file:
        return {name: file.get_tensor(name) for name in file.keys() if file.get_slice(name).get_dtype() in DTYPES}  # noqa: SIM118


def _unwrapped(held: object) -> Mapping[str, object]:
    if not is_table(held):
        return {}
    inner = next((held[name] for name in WRAPPERS if is_table(held.get(name))), None)
    return held if inner is None else _unwrapped(inner)


def filled(network: Network, path: Path) -> Network:
    """The network with the weights of a file, for running only. Raises `UserError` when they are those of another network."""
    return put_into(network, read(path), path.name)


def put_into(network: Network, tensors: Mapping[str, Tensor], file_name: str) -> Network:
    """What the file has beyond the network's weights is left aside: tables that newer versions of a library compute."""
    expected = {name: weight for name, weight in network.state_dict().items() if not name.endswith(COUNTERS)}
    found = {name: tensors.get(name, tensors.get(name.partition(".")[2])) for name in expected}  # files of OpenPose lack the first part
    state = {name: tensor for name, tensor in found.items() if tensor is not None}
    if any(name not in state or state[name].shape != weight.shape for name, weight in expected.items()):
        raise UserError(f"“{file_name}” holds the weights of another network. Download the right one and put it in its place.")
    network.load_state_dict(state, strict=False)
    return network.eval().requires_grad_(False)


def as_input(pixels: Pixels) -> Tensor:
    """(h, w, 3) in 0 .. 255 as (1, 3, h, w), float32, still in 0 .. 255."""
    return torch.as_tensor(np.ascontiguousarray(pixels.transpose(2, 0, 1))).float()[None]
