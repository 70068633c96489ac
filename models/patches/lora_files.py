"""LoRA files: their tensors sorted by the module that they change: what part it is in, its name, and the matrices."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

from torch import Tensor

from models.tensors.lora_names import FACTORS, Target, place_of


def sort_by_module(tensors: Mapping[str, Tensor]) -> tuple[dict[Target, dict[str, Tensor]], list[str]]:
    """Module -> its matrices by what they are, and the names that say nothing here."""
    found: dict[Target, dict[str, Tensor]] = defaultdict(dict)
    strange: list[str] = []
    for name, tensor in tensors.items():
        if (place := place_of(name)) is None:
            strange.append(name)
        else:
            target, role = place
            found[target][role] = tensor.reshape(-1) if role == "dora_scale" and _by_output(name) else tensor
    return {target: matrices for target, matrices in found.items() if matrices.keys() - FACTORS}, strange


def _by_output(name: str) -> bool:
    """PEFT keeps one length for each output, in whatever shape; LyCORIS tells the axis by the shape."""
    return "lora_magnitude_vector" in name
