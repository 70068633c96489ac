"""LoRA files: read, and their tensors sorted by the module that they change: what part it is in, its name, and the matrices."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor

from models.errors import UserError
from models.patches.deltas import is_complete
from models.tensors.lora_names import FACTORS, Target, bundled_words, place_of
from models.tensors.reading import all_finite

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Lora:
    """The changes of one file, module by module."""

    modules: Mapping[Target, Mapping[str, Tensor]]  # -> its matrices by role, as in `lora_names.ENDINGS`
    name: str = ""
    bundled: tuple[str, ...] = ()  # words of embeddings that lie in the file; they are not used

    @property
    def bytes(self) -> int:
        return sum(tensor.nbytes for matrices in self.modules.values() for tensor in matrices.values())

    @property
    def title(self) -> str:
        return f"“{self.name}”" if self.name else "This LoRA"


def read_lora(tensors: Mapping[str, Tensor], metadata: Mapping[str, str] | None = None, name: str = "") -> Lora:
    """Sorts a file's tensors by module. `name`: for sentences; without it, what the metadata calls the file.

    Raises `UserError`, naming the first module, for a file that holds no LoRA, half of a pair, a rank of 0, whole numbers (a quantised
    form) or values that are not finite.
    """
    modules, strange = _by_module(tensors)
    found = Lora(modules, name or (metadata or {}).get("ss_output_name", "")[:80], bundled_words(strange))
    if not modules:
        raise UserError(f"{found.title} holds nothing that a LoRA has, or is of a kind that Atelier does not know. Choose another file.")
    for target, matrices in modules.items():
        if any(not tensor.is_floating_point() for role, tensor in matrices.items() if role not in FACTORS):
            raise UserError(f"{found.title} is stored in whole numbers, a quantised form. Look for the file in float16.")
        if problem := _problem(matrices):
            raise UserError(f"{found.title} is damaged: {problem} at {target.part} {target.name[:120]}. Get the file again.")
    if len(strange) > sum(word in name for word in found.bundled for name in strange):
        log.info("%d tensors of a LoRA say nothing here, the first is %.80r", len(strange), strange[0])
    return found


def _problem(matrices: Mapping[str, Tensor]) -> str:
    if not is_complete(matrices):
        return "only a part of its matrices is there"
    if any(tensor.numel() == 0 for tensor in matrices.values()):
        return "a matrix of rank 0 stands"
    if any(matrices[role].numel() != 1 for role in ("alpha", "scale") if role in matrices):
        return "its scale is not one number"
    if not all(map(all_finite, matrices.values())):
        return "values that are not finite stand"
    return ""


def _by_module(tensors: Mapping[str, Tensor]) -> tuple[dict[Target, dict[str, Tensor]], list[str]]:
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
