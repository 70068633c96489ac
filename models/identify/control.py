"""Control models identified by names and shapes: ControlNets, T2I-Adapters, Control-LoRAs and their relatives.

Names as in the original repositories (lllyasviel/ControlNet, TencentARC/T2I-Adapter, stabilityai/control-lora, xinsir) and in diffusers.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from models.files import Identity, ModelKind
from models.identify.lora import WIDTHS
from models.json_values import is_whole
from models.tensors.embedded_sizes import own_sizes
from models.tensors.signature import FAMILY_SIZES, Signature

UNION, CONTROL_LORA, T2I_ADAPTER, IP_ADAPTER = "union", "control-lora", "t2i-adapter", "ip-adapter"  # variants; "" is a plain ControlNet
CLASSES: Mapping[str, tuple[ModelKind, str]] = {  # of diffusers, in a folder's config.json -> kind, variant
    "ControlNetModel": ("controlnet", ""), "ControlNetUnionModel": ("controlnet", UNION), "T2IAdapter": ("adapter", T2I_ADAPTER),
}  # fmt: skip
TITLES = {"": "ControlNet", UNION: "ControlNet", CONTROL_LORA: "Control-LoRA", T2I_ADAPTER: "T2I-Adapter", IP_ADAPTER: "IP-Adapter"}
HINT = "input_hint_block.0.weight"  # the first layer that sees the picture, in the original names
EMBEDDING = "controlnet_cond_embedding.conv_in.weight"  # the same in those of diffusers
LORA_MARK, DIFFERENCE_MARK = "lora_controlnet", "difference"  # empty tensors that say what the others are
CONTEXT = re.compile(r"attn2\.to_k\.(weight|down)$")
CLASS_LAYERS = ("label_emb.0.0.weight", "label_emb.0.0.down", "add_embedding.linear_1.weight")
BY_CLASSES = {classes: family for (_, classes), family in FAMILY_SIZES.items() if classes}

ADAPTER_CHANNELS = (320, 640, 1280, 1280)  # of the families' blocks
ADAPTER_INPUTS = {64: "sd1", 192: "sd1", 256: "sdxl", 768: "sdxl"}  # squares of 8 x 8 or 16 x 16 pixels, grey or coloured
IP_PROJECTIONS = ("image_proj.proj.weight", "image_proj.latents")  # of the plain kind, of "plus"
ADAPTER_SIGNS = ("body.0.resnets.0.block1.weight", "body.0.block1.weight", "body.0.body.0.block1.weight")

# kind, family, variant, what people call it, parts of names that tell it. None of these can be used.
STRANGERS: tuple[tuple[ModelKind, str, str, str, tuple[str, ...]], ...] = (
    ("controlnet", "sdxl", "lllite", "a ControlNet-LLLite", ("lllite_unet_",)),
    ("controlnet", "", "xs", "a ControlNet-XS", ("control_to_base_for_conv_in", "enc_zero_convs_out")),
    ("controlnet", "", "brushnet", "a BrushNet", ("brushnet_down_blocks.",)),
    ("controlnet", "", "newer", "a ControlNet for a newer family of models",
     ("controlnet_blocks.0.", "controlnet_x_embedder.", "controlnet_single_blocks.0.")),
    ("adapter", "", "style", "a style adapter", ("\nstyle_embedding\n",)),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class AdapterShape:
    """The shape of a T2I-Adapter, as its tensors tell it."""

    inputs: int  # channels that its first layer reads: a square of pixels lies behind each other
    channels: tuple[int, ...]  # of each block's output
    is_light: bool


def control(signature: Signature, metadata: Mapping[str, str]) -> Identity | None:
    """None when it is none of them. A model of unusual size has no family but the variant `width N`, after what it is."""
    return _stranger(signature) or _control_net(signature, metadata) or _adapter(signature, metadata)


def control_folder(config: Mapping[str, object]) -> Identity | None:
    """By a network's own config.json: its class is a name that is compared with a list, never imported."""
    if (found := CLASSES.get(_text(config.get("_class_name")))) is None:
        return None
    kind, variant = found
    if kind == "adapter":
        family = _adapter_family(config)
        return _known(kind, variant, "diffusers", family, 0 if family else _whole(config.get("cross_attention_dim")))
    width, classes = _whole(config.get("cross_attention_dim")), _whole(config.get("projection_class_embeddings_input_dim"))
    family = FAMILY_SIZES.get((width, classes), "") if width else BY_CLASSES.get(classes, "")
    return _known(kind, variant, "diffusers", family, width)


def kind_of(identity: Identity) -> str:
    """The variant without the width: one of the words above, or ""."""
    return next((word for word in (UNION, CONTROL_LORA, T2I_ADAPTER, IP_ADAPTER) if identity.variant.startswith(word)), "")


def control_prefix(names: Iterable[str]) -> str | None:
    """What stands before the names of a ControlNet, which a whole model may lie beside; None when there is none."""
    ending = next((name for name in names if name.endswith((HINT, EMBEDDING))), None)
    return None if ending is None else ending.removesuffix(HINT).removesuffix(EMBEDDING)


def adapter_shape(shapes: Mapping[str, tuple[int, ...]]) -> AdapterShape:
    """`shapes`: by name, without `adapter.` before it. Zeros and nothing for what is missing."""
    is_light = "body.0.out_conv.weight" in shapes
    last = "out_conv" if is_light else "resnets.0.block1" if ADAPTER_SIGNS[0] in shapes else "block1"
    channels = [(*shapes.get(f"body.{number}.{last}.weight", ()), 0)[0] for number in range(_blocks(shapes))]
    first = shapes.get("body.0.in_conv.weight" if is_light else "conv_in.weight", ())
    return AdapterShape((*first, 0, 0)[1], tuple(channels if last != "block1" else channels[::2]), is_light)


def _blocks(shapes: Mapping[str, tuple[int, ...]]) -> int:
    """Their numbers follow one another; one that is missing is not passed by."""
    numbers = {int(found[1]) for name in shapes if (found := re.match(r"body\.(\d{1,3})\.", name))}
    return max(numbers, default=-1) + 1


# ---------------------------------------------------------------------------------------------------------------------- by the header


def _stranger(signature: Signature) -> Identity | None:
    for kind, family, variant, what, parts in STRANGERS:
        if signature.has_part(*parts):
            return _not_yet(kind, family, variant, what)
    return None


def _control_net(signature: Signature, metadata: Mapping[str, str]) -> Identity | None:
    prefix = control_prefix(signature.names)
    if prefix is None:
        return None
    if strange := _strange_control_net(signature):
        return strange
    width = signature.last_of(lambda name: name.startswith(prefix) and CONTEXT.search(name) is not None)
    classes = next((size for layer in CLASS_LAYERS if (size := signature.dimension(prefix + layer, 1))), 0)
    layout = "ldm" if signature.has(prefix + HINT) else "diffusers"
    if signature.has(LORA_MARK):
        return _known("controlnet", CONTROL_LORA, layout, WIDTHS.get(width, ""), width)
    own = _whole(own_sizes(metadata, "controlnet").get("cross_attention_dim"))
    variant = UNION if signature.has(f"{prefix}task_embedding") else ""
    family = FAMILY_SIZES.get((width, classes), "") if width else BY_CLASSES.get(classes, "")
    return _known("controlnet", variant, layout, WIDTHS.get(own, "") if own else family, own or width)


def _strange_control_net(signature: Signature) -> Identity | None:
    """Those that have a ControlNet's tensors and are none that can be used."""
    if signature.has_part("motion_modules."):
        return _not_yet("controlnet", "", "sparse", "a SparseCtrl network, which steers videos")
    if signature.ends("lora_A.weight", "lora_A.default.weight", "lora_layer.up.weight"):
        return _not_yet("controlnet", "", CONTROL_LORA, "a Control-LoRA in a layout of its own")
    if signature.has(DIFFERENCE_MARK):
        note = "This ControlNet was stored as the difference from a model, which Atelier cannot use. Look for the complete file."
        return Identity("controlnet", "", "difference", supported=False, note=note)
    return None


def _adapter(signature: Signature, metadata: Mapping[str, str]) -> Identity | None:
    if signature.starts("image_proj.") and signature.starts("ip_adapter."):
        return _ip_adapter(signature)
    shapes = {name.removeprefix("adapter."): info.shape for name, info in signature.header.tensors.items()}
    if any(sign in shapes for sign in ADAPTER_SIGNS):
        shape, layout = adapter_shape(shapes), "diffusers" if ADAPTER_SIGNS[0] in shapes else "original"
        family = ADAPTER_INPUTS.get(shape.inputs, "") if shape.channels == ADAPTER_CHANNELS else ""
        own = _whole(own_sizes(metadata, "controlnet").get("cross_attention_dim"))
        return _known("adapter", T2I_ADAPTER, layout, WIDTHS.get(own, "") if own else family, own)
    if signature.has_part("motion_modules."):
        return _not_yet("adapter", "", "motion", "a motion module (AnimateDiff)")
    return None


def _ip_adapter(signature: Signature) -> Identity:
    """The plain kind and "plus"; those for faces read what a network for faces says, which is not here."""
    width = signature.last_of(lambda name: name.endswith(".to_k_ip.weight"))
    family = WIDTHS.get(width, "")
    if signature.has_part("perceiver_resampler.", "_lora.") or not signature.has_part(*IP_PROJECTIONS):
        return _not_yet("adapter", family, IP_ADAPTER, "an IP-Adapter for faces")
    return _known("adapter", IP_ADAPTER, "original", family, width)


def _adapter_family(config: Mapping[str, object]) -> str:
    """Only of the public sizes: the features of others fit no model of a family."""
    kind = config.get("adapter_type", "full_adapter")
    usual = list(ADAPTER_CHANNELS[:3] if kind == "light_adapter" else ADAPTER_CHANNELS)
    if config.get("channels", usual) != usual:
        return ""
    return "sdxl" if kind == "full_adapter_xl" else "sd1"


def _known(kind: ModelKind, variant: str, layout: str, family: str, width: int) -> Identity:
    if family:
        return Identity(kind, family, variant, layout)
    if width and width not in WIDTHS:
        return Identity(kind, "", f"{variant} width {width}".strip(), layout)
    note = f"This {TITLES[variant]} does not say for which model it was made, or it is one that Atelier does not know."
    return Identity(kind, "", variant, layout, supported=False, note=note)


def _not_yet(kind: ModelKind, family: str, variant: str, what: str) -> Identity:
    return Identity(kind, family, variant, supported=False, note=f"This is {what}, which Atelier cannot use yet.")


def _whole(value: object) -> int:
    return value if is_whole(value) and 0 < value <= 65_536 else 0


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
