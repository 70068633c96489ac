"""Identification of a model file: kind, family, variant, by names and shapes of tensors. No weights are read but one small tensor.

The signatures are those of the original repositories; file names decide only what tensors cannot tell (distilled models have the
tensors of the models they were made from). What is recognised but cannot be used yet says so; nothing is taken for something else.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from models.files import Identity, ModelKind
from models.identify.add_ons import add_on
from models.identify.control import control
from models.identify.distilled import distilled
from models.identify.folder import identify_folder, video_identity, x4_identity
from models.identify.newer import newer_family
from models.identify.trigger_words import trigger_words
from models.identify.turning import turning_identity, walk_identity
from models.tensors.header import Header
from models.tensors.signature import FAMILY_SIZES, Signature

__all__ = ["identify", "identify_folder", "trigger_words"]

Values = Callable[[str], list[float]]

INPUTS: Mapping[tuple[str, int], str] = {  # (family, input channels of the UNet) -> variant; 4 is the plain one
    ("sd1", 9): "inpaint", ("sd2", 9): "inpaint", ("sdxl", 9): "inpaint",
    ("sd1", 8): "instruct", ("sdxl", 8): "instruct", ("sd2", 5): "depth",
}  # fmt: skip
V_SIGN = "output_blocks.11.1.transformer_blocks.0.norm1.bias"  # ComfyUI's rule: its spread is larger in the v model of SD 2
DIFFUSERS_V_SIGN = "up_blocks.3.attentions.2.transformer_blocks.0.norm1.bias"  # the same layer in diffusers' names
V_SPREAD = 0.09
NOT_KNOWN = "Atelier does not know what this file is."  # upscalers are asked for after this (`models.upscalers.architectures`)
X4_LEVELS, DIFFUSERS_X4_LEVELS = "label_emb.weight", "class_embedding.weight"  # of the noise on the small picture
FOURTH_LEVEL = "decoder.up.3.", "decoder.up_blocks.3."  # of a VAE; that of the x4 upscaler has three
DEEPEST = "input_blocks.8.1.transformer_blocks.9.attn2.to_k.weight"  # of SDXL; its smaller relatives end before
PLAYGROUND = ("edm_mean", "edm_std")
SVD_CLASSES = 768
SV3D_CLASSES = {256: "u", 1280: "p"}  # width of what is added to the time embedding: noise alone, or poses as well
UNCLIP = {1536: "l", 2048: "h"}  # width of what is added to the time embedding -> the CLIP model whose picture vectors it reads


def identify(header: Header, name: str, values: Values) -> Identity:
    """`name`: the file's. `values` reads one small tensor of the file, by its name; none when it cannot."""
    signature = Signature(header)
    steering = control(signature, header.metadata)  # first: a ControlNet has the tensors of the family that it steers
    found = steering or newer_family(signature, name) or add_on(signature, header.metadata) or _stable_diffusion(signature, name, values)
    if found is None:
        return Identity(supported=False, note=NOT_KNOWN)
    return distilled(found, name, header.metadata) if found.kind in ("checkpoint", "unet", "lora") else found


def _stable_diffusion(signature: Signature, name: str, values: Values) -> Identity | None:
    """A UNet of the Stable Diffusion kind, with or without what belongs to it."""
    if signature.unet_prefix is None:
        return _diffusers_unet(signature, values)
    if special := _special(signature, name.lower()):
        return special
    kind = _kind(signature)
    family = FAMILY_SIZES.get((signature.context, signature.unet_classes), "")
    identity = Identity(kind, family, layout="sgm" if signature.starts("conditioner.") else "ldm")
    if signature.unet("time_embed.cond_proj.weight"):
        return _with_inputs(replace(identity, variant="lcm", prediction_type="epsilon"), signature.unet_inputs)
    v_sign = signature.unet_name(V_SIGN)
    return _with_inputs(_prediction(identity, signature, signature.unet_inputs, lambda: values(v_sign)), signature.unet_inputs)


def _kind(signature: Signature) -> ModelKind:
    """The VAE may be another file's, but without its text encoder a UNet understands nothing."""
    return "checkpoint" if signature.has_encoder else "unet"


def _with_inputs(identity: Identity, inputs: int) -> Identity:
    """The variant that the input channels tell: four are the latents, the others a mask, a picture or a depth map."""
    if not identity.family:
        return replace(identity, supported=False, note="This is a model of the Stable Diffusion kind in a size that Atelier does not know.")
    if inputs != 4 and (identity.family, inputs) not in INPUTS:
        return replace(identity, supported=False, note=f"This model reads {inputs} channels, a kind that Atelier does not know.")
    return replace(identity, variant=INPUTS.get((identity.family, inputs), identity.variant))


def _special(signature: Signature, name: str) -> Identity | None:
    """Relatives of Stable Diffusion that need more than the loop has yet."""
    context, classes, inputs = signature.context, signature.unet_classes, signature.unet_inputs
    if signature.has_part("time_stack"):
        if classes != SVD_CLASSES:
            return walk_identity(SV3D_CLASSES[classes], signature.header.metadata) if classes in SV3D_CLASSES else _later("sv3d", "SV3D")
        return video_identity("sgm", name)
    if signature.has("cc_projection.weight"):
        return turning_identity(name, signature.header.metadata)
    if inputs == 7 and context == 1024 and signature.unet(X4_LEVELS):
        return _x4(signature, "ldm")
    if context == 1024 and classes in UNCLIP:
        return _later("sd2-unclip", "Stable Diffusion 2.1 unCLIP", UNCLIP[classes])
    if any(signature.has(key) for key in PLAYGROUND):
        return _later("playground", "Playground 2.5")
    if context == 2048 and classes == 2816 and not signature.unet(DEEPEST):
        return _later("sdxl-small", "a smaller relative of SDXL (SSD-1B, Vega, KOALA)")
    return None


def _x4(signature: Signature, layout: str) -> Identity | None:
    """The x4 upscaler: its UNet reads a small picture and how much noise is on it, and its VAE makes one latent of 4 x 4 pixels."""
    if signature.has_part(*FOURTH_LEVEL):
        return None
    return x4_identity(_kind(signature), layout)


def _later(family: str, what: str, variant: str = "") -> Identity:
    note = f"This is {what}, which Atelier does not draw with yet."
    return Identity("checkpoint", family, variant, supported=False, note=note)


def _prediction(identity: Identity, signature: Signature, inputs: int, v_sign: Callable[[], list[float]]) -> Identity:
    """Whether the network predicts noise or v."""
    if signature.has("v_pred"):
        is_zero = signature.has("ztsnr")
        defaults = {"guidance_rescale": 0.7} if is_zero else {}
        return replace(identity, variant="v", prediction_type="v_prediction", zero_terminal_snr=is_zero, defaults=defaults)
    is_plain_2 = identity.family == "sd2" and inputs == 4
    if is_plain_2 and _spread(v_sign()) > V_SPREAD:
        return replace(identity, variant="v", prediction_type="v_prediction")
    return replace(identity, prediction_type="epsilon")


def _spread(numbers: list[float]) -> float:
    """The standard deviation; 0 of none."""
    if not numbers:
        return 0.0
    mean = sum(numbers) / len(numbers)
    return (sum((number - mean) ** 2 for number in numbers) / len(numbers)) ** 0.5


def _diffusers_unet(signature: Signature, values: Values) -> Identity | None:
    """A UNet in one file under diffusers' own names, with or without what belongs to it."""
    prefix = signature.diffusers_prefix
    if prefix is None:
        return None
    inputs = signature.dimension(f"{prefix}conv_in.weight", 1)
    if inputs == 7 and signature.context == 1024 and signature.has(prefix + DIFFUSERS_X4_LEVELS) and (found := _x4(signature, "diffusers")):
        return found
    family = FAMILY_SIZES.get((signature.context, signature.dimension(f"{prefix}add_embedding.linear_1.weight", 1)), "")
    identity = Identity(_kind(signature), family, layout="diffusers")
    if signature.has(f"{prefix}time_embedding.cond_proj.weight"):
        return _with_inputs(replace(identity, variant="lcm", prediction_type="epsilon"), inputs)
    return _with_inputs(_prediction(identity, signature, inputs, lambda: values(prefix + DIFFUSERS_V_SIGN)), inputs)
