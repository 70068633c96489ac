"""LoRAs and their relatives identified: which family they were made for, by the widths of what they change.

Layouts: kohya's (`lora_unet_...`, `lora_te_...`), diffusers' and PEFT's (`unet....lora_A.weight`), LyCORIS (`hada_`, `lokr_`, `.diff`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from models.files import Identity
from models.tensors.lora_names import FACTORS, NEWER, TELLING, UNET_LAYER, Target, place_of
from models.tensors.signature import Signature

UNKNOWN = (".oft_blocks", ".oft_diag", ".boft_blocks", ".oft_R.weight", ".on_input", ".a1.weight", ".glora_a")

WIDTHS: Mapping[int, str] = {768: "sd1", 1024: "sd2", 1280: "sdxl-refiner", 2048: "sdxl"}  # of text vectors -> family
CROSS = re.compile(r"attn2_to_[kv]$")
TEXT = re.compile(r"(?:self_attn|attn)_(?:q|k|v)_proj$")
READS = ("down", "diff", "hada_w1_b")  # matrices whose columns are what a layer reads
DEEP = re.compile(r"transformer_blocks_[1-9]")  # Stable Diffusion 1 and 2 have one block at each place, SDXL up to ten

BASES = (("sdxl", "sdxl"), ("stable-diffusion-xl", "sdxl"), ("sd_v2", "sd2"), ("stable-diffusion-v2", "sd2"), ("sd_v1", "sd1"),
         ("stable-diffusion-v1", "sd1"))  # fmt: skip

Changes = Mapping[str, tuple[Target, str]]  # name of a tensor -> what it changes, and what it is in that


def lora(signature: Signature, metadata: Mapping[str, str]) -> Identity | None:
    """None when it is none. A LoRA for a model of unusual size has no family but the variant `width N`, of the text vectors."""
    if signature.ends(*UNKNOWN):
        return Identity("lora", supported=False, note="This LoRA is of a kind (OFT, GLoRA or IA3) that Atelier cannot use.")
    changes = _changes(signature)
    if not changes:
        return None
    layout = _layout(signature, changes)
    if found := _newer(changes):
        note = f"This LoRA was made for {found[1]}, which Atelier does not draw with yet."
        return Identity("lora", found[0], layout=layout, supported=False, note=note)
    family, width = _family(signature, changes, metadata)
    return Identity("lora", family, f"width {width}" if width and not family else "", layout)


def _changes(signature: Signature) -> Changes:
    """By the table of the reader, so that what it reads is recognised. Nothing where no matrix tells of a change."""
    if not signature.ends(*TELLING):
        return {}
    found = {name: place for name in signature.header.tensors if (place := place_of(name))}
    return found if any(role not in FACTORS for _, role in found.values()) else {}


def _layout(signature: Signature, changes: Changes) -> str:
    """ "kohya", "diffusers" or "lycoris"."""
    if any(role.startswith(("hada_", "lokr_", "mid", "diff")) for _, role in changes.values()):
        return "lycoris"
    return "kohya" if signature.starts("lora_unet_", "lora_te") else "diffusers"


def _newer(changes: Changes) -> tuple[str, str] | None:
    names = {name: target for name, (target, _) in changes.items() if target.part == "unet"}
    if any(UNET_LAYER.match(target.name) for target in names.values()):
        return None
    return next(((family, title) for family, title, layers in NEWER if any(layers.search(name) for name in names)), None)


def _family(signature: Signature, changes: Changes, metadata: Mapping[str, str]) -> tuple[str, int]:
    """The family, and the width of text vectors where it is known. The surest sign first."""
    if width := _width(signature, changes, CROSS):
        return WIDTHS.get(width, ""), width
    second = signature.starts("lora_te1_") or any(target.part == "te2" for target, _ in changes.values())
    if second or any(DEEP.search(target.name) for target, _ in changes.values()):
        return "sdxl", 0
    if width := _width(signature, changes, TEXT):
        return WIDTHS.get(width, ""), width
    return _by_base(metadata), 0


def _width(signature: Signature, changes: Changes, layers: re.Pattern[str]) -> int:
    """What the first of these layers reads; 0 when none is changed."""
    found = (_inputs(signature, name, role) for name, (target, role) in changes.items() if layers.search(target.name))
    return next(filter(None, found), 0)


def _inputs(signature: Signature, name: str, role: str) -> int:
    """How many numbers the changed layer reads, as far as this tensor tells; else 0."""
    shape = signature.shape(name)
    if role in READS and len(shape) >= 2:
        return shape[1]
    if role in ("lokr_w2", "lokr_w2_b"):  # the inputs are the product of the columns of both factors
        module = name.removesuffix(role)
        first = signature.shape(f"{module}lokr_w1") or signature.shape(f"{module}lokr_w1_b")
        return (*first, 0, 0)[1] * (*shape, 0, 0)[1]
    return 0


def _by_base(metadata: Mapping[str, str]) -> str:
    """What the training program says that it was trained on."""
    base = f"{metadata.get('ss_base_model_version', '')} {metadata.get('modelspec.architecture', '')}"[:500].lower()
    return next((family for word, family in BASES if word in base), "")
