"""Tensor names of LoRA files and their relatives: what recognises them and what reads them look here. No torch.

Spellings: kohya (`lora_unet_..._to_q.lora_down.weight`, `lora_te1_...`), diffusers and PEFT (`unet....to_q.lora_A.weight`, older
`....processor.to_q_lora.down.weight`), LyCORIS (hada, lokr, diff; `lycoris_...`), ComfyUI (`diffusion_model....`,
`text_encoders.clip_l...`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple


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
FACTORS = frozenset({"alpha", "scale"})  # alone they change nothing
TELLING = tuple(f".{ending}" if ending[0] != "_" else ending for ending, role in ENDINGS.items() if role not in FACTORS)
BY_LENGTH = sorted(ENDINGS, key=len, reverse=True)

WRAPPERS = (  # they say nothing of the part
    "base_model.model.", "module.", "lycoris_", "lora_prior_", "model.diffusion_model.", "diffusion_model.",
)  # fmt: skip
PREFIXES = (  # the longer one first
    ("lora_unet_", "unet"), ("lora_te1_", "te"), ("lora_te2_", "te2"), ("lora_te_", "te"),
    ("unet_", "unet"), ("te1_", "te"), ("te2_", "te2"), ("te_", "te"),
    ("text_encoder_2.", "te2"), ("text_encoder_1.", "te"), ("text_encoder.", "te"), ("unet.", "unet"),
    ("text_encoders.clip_l.", "te"), ("text_encoders.clip_h.", "te"), ("text_encoders.clip_g.", "te2"),
    ("clip_l.", "te"), ("clip_h.", "te"), ("clip_g.", "te2"),
    ("conditioner.embedders.0.", "te"), ("conditioner.embedders.1.", "te2"), ("cond_stage_model.", "te"),
)  # fmt: skip
# Where the names of our networks' own layers begin, whatever a program puts before them.
UNET_LAYER = re.compile(r"(?:^|[._])((?:down_blocks|up_blocks|input_blocks|output_blocks)[._]\d|(?:mid_block|middle_block)[._])")
TEXT_LAYER = re.compile(r"(?:^|[._])(encoder[._]layers[._]\d|embeddings[._](?:token|position)_embedding|final_layer_norm|text_projection)")
OUTER = ("time_embed", "add_embedding", "label_emb", "conv_", "out_")  # of a UNet: what belongs to no block
# Names of the layers of newer networks -> family, what people call it. Looked for where no part of a UNet is named.
NEWER: tuple[tuple[str, str, re.Pattern[str]], ...] = (
    ("flux1", "Flux", re.compile(r"(?:double_blocks|single_blocks|single_transformer_blocks)[._]\d")),
    ("sd3", "Stable Diffusion 3", re.compile(r"joint_blocks[._]\d")),
    ("hidream", "HiDream", re.compile(r"(?:double|single)_stream_blocks[._]\d")),
    ("newer", "a newer family of models", re.compile(r"(?:^|[._])(?:transformer_blocks|layers|blocks)[._]\d+[._](?!.*text_model)")),
)
BUNDLED = re.compile(r"bundle_emb\.([^.]{1,200})\.")  # an embedding that travels inside a LoRA file


def place_of(name: str) -> tuple[Target, str] | None:
    """What a tensor changes, and what it is in that: a value of `ENDINGS`. None when it says nothing to a LoRA."""
    for ending in BY_LENGTH:
        if name.endswith(ending) and not BUNDLED.match(name) and (stem := _stem(name, ending)):
            part, module = _part(stem)
            return Target(part, flat(_plain(module))), ENDINGS[ending]
    return None


def needed(names: Iterable[str]) -> list[str]:
    """Those that a reader asks for: a factor alone changes nothing, whatever it is of."""
    places = {name: place for name in names if (place := place_of(name))}
    changed = {target for target, role in places.values() if role not in FACTORS}
    return [name for name, (target, _) in places.items() if target in changed]


def is_known(target: Target) -> bool:
    """Whether it is called as the layers of some network are that there are LoRAs for, in any size."""
    if any(layers.search(target.name) for _, _, layers in NEWER):
        return True
    if target.part == "unet":
        return UNET_LAYER.match(target.name) is not None or target.name.startswith(OUTER)
    return TEXT_LAYER.match(target.name) is not None


def bundled_words(names: Iterable[str]) -> tuple[str, ...]:
    """The words of the embeddings that the file brings along, each once."""
    return tuple(dict.fromkeys(found[1] for name in names if (found := BUNDLED.match(name))))


def flat(name: str) -> str:
    """A module's name as LoRA files spell it: underscores, and no level `text_model`."""
    return name.replace(".", "_").removeprefix("text_model_")


def _stem(name: str, ending: str) -> str:
    """What stands before the ending, if the ending is a word of its own."""
    stem = name[: -len(ending)]
    if ending.startswith("_"):
        return stem
    return stem[:-1] if stem.endswith(".") else ""


def _part(stem: str) -> tuple[str, str]:
    """The part, and the module within it. Where no prefix is known, the layer's own name tells."""
    while wrapper := next((each for each in WRAPPERS if stem.startswith(each)), ""):
        stem = stem.removeprefix(wrapper)
    part, module = next(((part, stem.removeprefix(prefix)) for prefix, part in PREFIXES if stem.startswith(prefix)), ("", stem))
    if part in ("", "unet") and (layer := UNET_LAYER.search(module)):
        return "unet", module[layer.start(1) :]
    if part != "unet" and (layer := TEXT_LAYER.search(module)):
        return part or "te", module[layer.start(1) :]
    return part or "unet", module


def _plain(module: str) -> str:
    """Without the level that diffusers' attention processors once were; `to_out` alone meant its linear layer."""
    module = module.replace(".processor.", ".").removesuffix(".lora")
    return re.sub(r"(\.to_out)$", r"\1.0", module)
