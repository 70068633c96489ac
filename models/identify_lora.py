"""LoRAs and their relatives: which family they were made for, by the widths of what they change.

Layouts: kohya's (`lora_unet_...`, `lora_te_...`), diffusers' and PEFT's (`unet....lora_A.weight`), LyCORIS (`hada_`, `lokr_`, `.diff`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from models.files import Identity
from models.header import TensorInfo
from models.signature import Signature

PLAIN = (".lora_down.weight", ".lora_up.weight", ".lora_A.weight", ".lora_B.weight", ".lora.down.weight", ".lora.up.weight",
         "_lora.down.weight", "_lora.up.weight", ".lora_linear_layer.down.weight", ".lora_linear_layer.up.weight")  # fmt: skip
LYCORIS = (".hada_w1_a", ".lokr_w1", ".lokr_w1_a", ".lokr_w2", ".lokr_w2_a", ".lora_mid.weight", ".diff", ".diff_b")
UNKNOWN = (".oft_blocks", ".oft_diag", ".boft_blocks", ".oft_R.weight", ".on_input", ".a1.weight", ".glora_a")

WIDTHS: Mapping[int, str] = {768: "sd1", 1024: "sd2", 1280: "sdxl-refiner", 2048: "sdxl"}  # of text vectors -> family
CROSS = re.compile(r"attn2[._](?:processor[._])?to_[kv](?:_lora|[._]|$)")
TEXT = re.compile(r"^(?:lora_te_|lora_prior_te_|text_encoder\.).*(?:self_attn|attn)[._](?:q|k|v)_proj")
DOWN = (".lora_down.weight", ".lora_A.weight", ".lora.down.weight", "_lora.down.weight", ".lora_linear_layer.down.weight",
        ".diff", ".hada_w1_b")  # fmt: skip
DEEP = re.compile(r"transformer_blocks[._][1-9]")  # Stable Diffusion 1 and 2 have one block at each place, SDXL up to ten
SECOND_ENCODER = ("lora_te1_", "lora_te2_", "text_encoder_2.")
UNET_PARTS = re.compile(r"(?:down|up|input|output|mid|middle)_blocks?[._]")

# Names of the layers of newer networks -> family, what people call it. Looked for where no part of a UNet is named.
NEWER: tuple[tuple[str, str, re.Pattern[str]], ...] = (
    ("flux1", "Flux", re.compile(r"(?:double_blocks|single_blocks|single_transformer_blocks)[._]\d")),
    ("sd3", "Stable Diffusion 3", re.compile(r"joint_blocks[._]\d")),
    ("hidream", "HiDream", re.compile(r"(?:double|single)_stream_blocks[._]\d")),
    ("newer", "a newer family of models", re.compile(r"(?:^|[._])(?:transformer_blocks|layers|blocks)[._]\d+[._](?!.*text_model)")),
)
BASES = (("sdxl", "sdxl"), ("stable-diffusion-xl", "sdxl"), ("sd_v2", "sd2"), ("stable-diffusion-v2", "sd2"), ("sd_v1", "sd1"),
         ("stable-diffusion-v1", "sd1"))  # fmt: skip


def lora(signature: Signature, metadata: Mapping[str, str]) -> Identity | None:
    """None when it is none. A LoRA for a model of unusual size has no family but the variant `width N`, of the text vectors."""
    if signature.ends(*UNKNOWN):
        return Identity("lora", supported=False, note="This LoRA is of a kind (OFT, GLoRA or IA3) that Atelier cannot use.")
    layout = _layout(signature)
    if not layout:
        return None
    if found := _newer(signature):
        note = f"This LoRA was made for {found[1]}, which Atelier does not draw with yet."
        return Identity("lora", found[0], layout=layout, supported=False, note=note)
    family, width = _family(signature, metadata)
    return Identity("lora", family, f"width {width}" if width and not family else "", layout)


def _layout(signature: Signature) -> str:
    """"kohya", "diffusers" or "lycoris"; "" when it is no LoRA."""
    if signature.ends(*LYCORIS):
        return "lycoris"
    if not signature.ends(*PLAIN):
        return ""
    return "kohya" if signature.starts("lora_unet_", "lora_te") else "diffusers"


def _newer(signature: Signature) -> tuple[str, str] | None:
    names = [name for name in signature.names if not name.startswith(("lora_te", "text_encoder", "bundle_emb"))]
    if any(UNET_PARTS.search(name) for name in names):
        return None
    return next(((family, title) for family, title, layers in NEWER if any(layers.search(name) for name in names)), None)


def _family(signature: Signature, metadata: Mapping[str, str]) -> tuple[str, int]:
    """The family, and the width of text vectors where it is known. The surest sign first."""
    if width := _width(signature, CROSS):
        return WIDTHS.get(width, ""), width
    if signature.starts(*SECOND_ENCODER) or any(DEEP.search(name) for name in signature.names):
        return "sdxl", 0
    if width := _width(signature, TEXT):
        return WIDTHS.get(width, ""), width
    return _by_base(metadata), 0


def _width(signature: Signature, layers: re.Pattern[str]) -> int:
    """What the first of these layers reads; 0 when none is changed."""
    found = (_inputs(signature, name, info) for name, info in signature.header.tensors.items() if layers.search(name))
    return next(filter(None, found), 0)


def _inputs(signature: Signature, name: str, info: TensorInfo) -> int:
    """How many numbers the changed layer reads, as far as this tensor tells; else 0."""
    if name.endswith(DOWN) and len(info.shape) >= 2:
        return info.shape[1]
    for factor in (".lokr_w2", ".lokr_w2_b"):  # the inputs are the product of the columns of both factors
        if name.endswith(factor):
            module = name.removesuffix(factor)
            first = signature.shape(f"{module}.lokr_w1") or signature.shape(f"{module}.lokr_w1_b")
            return (*first, 0, 0)[1] * (*info.shape, 0, 0)[1]
    return 0


def _by_base(metadata: Mapping[str, str]) -> str:
    """What the training program says that it was trained on."""
    base = f"{metadata.get('ss_base_model_version', '')} {metadata.get('modelspec.architecture', '')}"[:500].lower()
    return next((family for word, family in BASES if word in base), "")
