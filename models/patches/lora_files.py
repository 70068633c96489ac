"""The tensors of a LoRA file, sorted by the module that they change: what part it is in, its name, and the matrices.

Spellings: kohya (`lora_unet_..._to_q.lora_down.weight`, `lora_te1_...`), diffusers and PEFT (`unet....to_q.lora_A.weight`, older
`....processor.to_q_lora.down.weight`), LyCORIS (hada, lokr, diff) under kohya's names.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from torch import Tensor

from models.patches.targets import flat


class Target(NamedTuple):
    part: str  # "unet", "te" (the first text encoder) or "te2" (the second)
    name: str  # of the module, with underscores


# How files end the names of their matrices -> what those are called here.
ENDINGS: Mapping[str, str] = {
    "lora_down.weight": "down", "lora_up.weight": "up", "lora_mid.weight": "mid",
    "lora_A.weight": "down", "lora_B.weight": "up", "lora_A.default.weight": "down", "lora_B.default.weight": "up",
    "lora.down.weight": "down", "lora.up.weight": "up", "_lora.down.weight": "down", "_lora.up.weight": "up",
    "lora_linear_layer.down.weight": "down", "lora_linear_layer.up.weight": "up",
    "lora_magnitude_vector": "dora_scale", "lora_magnitude_vector.weight": "dora_scale",
    "lora_magnitude_vector.default.weight": "dora_scale", "lora_magnitude_vector.default": "dora_scale", "dora_scale": "dora_scale",
    "alpha": "alpha", "lora_alpha": "alpha", "network_alpha": "alpha", "scale": "scale",
    "diff": "diff", "diff_b": "diff_b", "w_norm": "diff", "b_norm": "diff_b",
    **{f"hada_{name}": f"hada_{name}" for name in ("w1_a", "w1_b", "w2_a", "w2_b", "t1", "t2")},
    **{f"lokr_{name}": f"lokr_{name}" for name in ("w1", "w1_a", "w1_b", "w2", "w2_a", "w2_b", "t2")},
}  # fmt: skip
FACTORS = {"alpha", "scale"}  # alone they change nothing
BY_LENGTH = sorted(ENDINGS, key=len, reverse=True)
PREFIXES = (  # the longer one first
    ("lora_unet_", "unet"), ("lora_te1_", "te"), ("lora_te2_", "te2"), ("lora_te_", "te"),
    ("text_encoder_2.", "te2"), ("text_encoder.", "te"), ("unet.", "unet"),
    ("model.diffusion_model.", "unet"),
)  # fmt: skip
PEFT = "base_model.model."
BUNDLED = re.compile(r"bundle_emb\.([^.]{1,200})\.")  # an embedding that travels inside a LoRA file


def sort_by_module(tensors: Mapping[str, Tensor]) -> tuple[dict[Target, dict[str, Tensor]], list[str]]:
    """Module -> its matrices by what they are, and the names that say nothing here."""
    found: dict[Target, dict[str, Tensor]] = defaultdict(dict)
    strange: list[str] = []
    for name, tensor in tensors.items():
        if (place := _place(name)) is None:
            strange.append(name)
        else:
            target, role = place
            found[target][role] = tensor.reshape(-1) if role == "dora_scale" and _by_output(name) else tensor
    return {target: matrices for target, matrices in found.items() if matrices.keys() - FACTORS}, strange


def bundled_words(names: Iterable[str]) -> tuple[str, ...]:
    """The words of the embeddings that the file brings along, each once."""
    return tuple(dict.fromkeys(found[1] for name in names if (found := BUNDLED.match(name))))


def _by_output(name: str) -> bool:
    """PEFT keeps one length for each output, in whatever shape; LyCORIS tells the axis by the shape."""
    return "lora_magnitude_vector" in name


def _place(name: str) -> tuple[Target, str] | None:
    for ending in BY_LENGTH:
        if name.endswith(ending) and (stem := _stem(name, ending)):
            part, module = _part(stem)
            return Target(part, flat(_plain(module))), ENDINGS[ending]
    return None


def _stem(name: str, ending: str) -> str:
    """What stands before the ending, if the ending is a word of its own."""
    stem = name[: -len(ending)]
    if ending.startswith("_"):
        return stem
    return stem[:-1] if stem.endswith(".") else ""


def _part(stem: str) -> tuple[str, str]:
    stem = stem.removeprefix(PEFT)
    for prefix, part in PREFIXES:
        if stem.startswith(prefix):
            return part, stem[len(prefix) :]
    return "unet", stem


def _plain(module: str) -> str:
    """Without the level that diffusers' attention processors once were; `to_out` alone meant its linear layer."""
    module = module.replace(".processor.", ".").removesuffix(".lora")
    return re.sub(r"(\.to_out)$", r"\1.0", module)
