"""Newer families, recognised by name and said to be not yet supported, so that none is mistaken for Stable Diffusion.

Signatures: ComfyUI's and diffusers' detection, and the original repositories. The first that fits counts: where one family has
another's tensors and more, it stands before it.
"""

from __future__ import annotations

from collections.abc import Mapping

from models.files import Identity
from models.tensors.signature import Signature

# family, what people call it, sets of tensors: one whole set tells it, whatever stands before the names
SIGNS: tuple[tuple[str, str, tuple[frozenset[str], ...]], ...] = tuple(
    (family, name, tuple(frozenset(signs.split()) for signs in alternatives)) for family, name, *alternatives in (
        ("flux3", "Flux.3", "early_stream_modulations.image.lin.weight"),
        ("flux2", "Flux.2", "single_stream_modulation.lin.weight"),
        ("chroma", "Chroma", "distilled_guidance_layer.in_proj.bias"),
        ("hunyuan-video", "Hunyuan Video", "txt_in.individual_token_refiner.blocks.0.norm1.weight",
         "txt_in.individual_token_refiner.blocks.0.adaLN_modulation.1.bias"),
        ("flux1", "Flux.1", "double_blocks.0.img_attn.norm.key_norm.scale",
         "x_embedder.weight single_transformer_blocks.0.attn.to_q.weight"),
        ("sd3", "Stable Diffusion 3", "joint_blocks.0.context_block.attn.qkv.weight",
         "joint_blocks.0.context_block.adaLN_modulation.1.bias",
         "pos_embed.proj.weight context_embedder.weight transformer_blocks.0.attn.add_k_proj.weight"),
        ("z-image", "Z-Image", "layers.0.adaLN_modulation.0.weight"),
        ("lumina2", "Lumina 2", "cap_embedder.0.weight"),
        ("krea2", "Krea 2", "txtfusion.projector.weight"),
        ("qwen-image", "Qwen-Image", "transformer_blocks.0.attn.add_k_proj.weight img_in.weight"),
        ("hidream", "HiDream", "double_stream_blocks.0.block.adaLN_modulation.1.bias"),
        ("sana", "Sana", "blocks.0.cross_attn.q_linear.weight attention_y_norm.weight"),
        ("pixart", "PixArt", "blocks.0.cross_attn.q_linear.weight"),
        ("auraflow", "AuraFlow", "double_layers.0.attn.w1q.weight cond_seq_linear.weight"),
        ("wan", "Wan", "head.modulation"),
        ("ltx", "LTX Video", "patchify_proj.weight"),
        ("cascade", "Stable Cascade", "clip_txt_mapper.weight", "down_blocks.1.0.channelwise.0.weight"),
    )
)  # fmt: skip
FLUX_INPUTS: Mapping[int, str] = {384: "fill", 128: "canny or depth"}  # columns of img_in; the others have 64
SD3_MEDIUM_35 = 147_456  # places in the table of positions: 384 x 384; Stable Diffusion 3 has 192 x 192


def newer_family(signature: Signature, name: str = "") -> Identity | None:
    """The transformer families, whole or in parts; None when it is none of them. `name`: the file's, for what only it can tell."""
    for family, title, alternatives in SIGNS:
        if any(signs <= signature.tails for signs in alternatives):
            note = f"This is a {title} model. Atelier draws with Stable Diffusion 1, 2 and SDXL so far."
            return Identity("checkpoint", family, _variant(family, signature, name.lower()), supported=False, note=note)
    return None


def _variant(family: str, signature: Signature, name: str) -> str:
    """What can be told apart within a family by shapes, and by the name where two models have the same."""
    if family == "flux1":
        return _flux(signature, name)
    if family == "sd3":
        large = signature.has_part("joint_blocks.37.", "transformer_blocks.37.")
        positions = (*signature.tail_shape("pos_embed"), 0, 0)[1]
        return "3.5 large" if large else "3.5 medium" if positions == SD3_MEDIUM_35 else "medium"
    if family == "qwen-image":
        return "2.1" if "txt_in.text_norm.weight" in signature.tails else ""
    return "distilled" if family == "flux3" and signature.has_part("ref_time_in.") else ""


def _flux(signature: Signature, name: str) -> str:
    inputs = (*signature.tail_shape("img_in.weight"), 0, 0)[1]
    if inputs in FLUX_INPUTS:
        return FLUX_INPUTS[inputs]
    guided = signature.has_part("guidance_in.", "guidance_embedder.")
    return "kontext" if "kontext" in name else "dev" if guided else "schnell"
