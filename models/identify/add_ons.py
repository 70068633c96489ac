"""Add-ons of a checkpoint identified: VAEs, LoRAs, embeddings, hypernetworks, text encoders."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from models.files import Identity, ModelKind
from models.identify.lora import lora
from models.tensors.add_on_names import ENCODERS, HYPERNETWORK, MOST_VECTORS, rows_of, vectors_in
from models.tensors.header import floating
from models.tensors.signature import VAE_PREFIXES, Signature

EMBEDDED = {768: "sd1", 1024: "sd2", 1280: "sdxl"}  # width of an embedding's vectors -> family
TOKENS = "token_embedding.weight"  # ends the name of a CLIP text encoder's table of words, in every layout
TINY_VAE = ("encoder.layers.0.weight", "decoder.layers.0.weight", "taesd_encoder.0.weight", "taesd_decoder.1.weight", "3.conv.0.weight")
OWNERS = {16: "Stable Diffusion 3 and Flux", 32: "Flux.2"}  # latent channels of a VAE -> whose it is
OTHER_ENCODERS = (
    ("t5", "a T5 text encoder, which belongs to newer families", ("encoder.block.0.layer.0.SelfAttention.q.weight",)),
    ("language model", "a language model, which belongs to newer families", ("layers.0.self_attn.q_proj.weight",)),
    (
        "vision",
        "an encoder of pictures (CLIP vision) without its projection, or in other names than those of transformers",
        ("vision_model.embeddings.class_embedding", "visual.class_embedding"),
    ),
)


def add_on(signature: Signature, metadata: Mapping[str, str]) -> Identity | None:
    """The most telling signs first: a LoRA has the names of a UNet's and an encoder's layers."""
    return lora(signature, metadata) or _embedding(signature) or _hypernetwork(signature) or _vae(signature) or _text_encoder(signature)


def _later(kind: ModelKind, family: str, variant: str, what: str, layout: str = "") -> Identity:
    return Identity(kind, family, variant, layout, supported=False, note=f"This is {what}, which Atelier cannot use yet.")


# ------------------------------------------------------------------------------------------------------- embeddings, hypernetworks


def _embedding(signature: Signature) -> Identity | None:
    shapes = {name: info.shape for name, info in signature.header.tensors.items()}
    keys = vectors_in(shapes, floating(signature.header.tensors))
    if not keys:
        return None
    found = [shapes[name] for name in keys.values()]
    vectors, width = max(map(rows_of, found)), found[0][-1]
    if {"clip_l", "clip_g"} <= keys.keys():
        return _counted(Identity("embedding", "sd3" if signature.has("t5xxl") else "sdxl"), vectors)
    family = EMBEDDED.get(width, "")
    return _counted(Identity("embedding", family, "" if family else f"width {width}"), vectors)


def _counted(identity: Identity, vectors: int) -> Identity:
    if 0 < vectors <= MOST_VECTORS:
        return replace(identity, vectors=vectors)
    note = f"This embedding has {vectors:,} vectors; at most {MOST_VECTORS} can stand in a prompt."
    return Identity("embedding", identity.family, identity.variant, supported=False, note=note)


def _hypernetwork(signature: Signature) -> Identity | None:
    """The layout that converting a hypernetwork gives: `{width}.{0 for keys, 1 for values}.linear.{place}.weight`."""
    widths = {int(found[1]) for name in signature.names if (found := HYPERNETWORK.fullmatch(name)) and found[4] == "weight"}
    if not widths:
        return None
    family = next((family for width, family in ((2048, "sdxl"), (1024, "sd2"), (768, "sd1")) if width in widths), "")
    return Identity("hypernetwork", family, "" if family else f"width {max(widths)}")


# ------------------------------------------------------------------------------------------------------------------- VAEs, encoders


def _vae(signature: Signature) -> Identity | None:
    if signature.has_unet or signature.has("conv_in.weight"):
        return None
    if any(signature.has(name) for name in TINY_VAE):
        return _later("vae", "", "taesd", "a tiny VAE for previews (TAESD)")
    for prefix in ("", *VAE_PREFIXES):
        channels = signature.dimension(f"{prefix}decoder.conv_in.weight", 1)
        if channels and signature.has(f"{prefix}decoder.conv_out.weight"):
            return _vae_of(channels, signature)
    return None


def _vae_of(channels: int, signature: Signature) -> Identity:
    """SD 1, SD 2 and SDXL have VAEs of the same names and shapes, so none of them is said to be of a family."""
    if channels == 4:
        return Identity("vae", layout="diffusers" if signature.has_part("decoder.up_blocks.") else "ldm")
    note = f"This VAE has {channels} latent channels: it belongs to {OWNERS.get(channels, 'another family')}."
    return Identity("vae", "", f"{channels} channels", supported=False, note=note)


def _text_encoder(signature: Signature) -> Identity | None:
    if signature.has_unet:
        return None
    if width := signature.last_of(lambda name: name.endswith(TOKENS)):
        note = "This is a text encoder on its own. Atelier takes those that come with a checkpoint."
        return Identity("text_encoder", "", ENCODERS.get(width, f"width {width}"), supported=False, note=note)
    if signature.has("vision_model.embeddings.class_embedding") and signature.has("visual_projection.weight"):
        return Identity("text_encoder", "", "vision", "diffusers")  # what IP-Adapters look through
    for variant, what, signs in OTHER_ENCODERS:
        if signature.ends(*signs):
            return _later("text_encoder", "", variant, what)
    return None
