"""Toys that are recognised by their shapes, as public models are, and not by what they say of themselves."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from models.families import Family
from tests.support.toy_weights import ToyNetworks, toy_vae

WORDS = 49408  # of the tokenizer that single files are used with
DRAWN = 499  # of them

CROSS, PLAIN = ("CrossAttnDownBlock2D", "CrossAttnUpBlock2D"), ("DownBlock2D", "UpBlock2D")
ADDED = {"use_linear_projection": True, "addition_embed_type": "text_time", "addition_time_embed_dim": 256}
WIDE_UNETS: Mapping[str, dict[str, Any]] = {
    "sd1": {"cross_attention_dim": 768},
    "sd2": {"cross_attention_dim": 1024, "use_linear_projection": True},
    "sdxl": ADDED
    | {"cross_attention_dim": 2048, "projection_class_embeddings_input_dim": 2816, "transformer_layers_per_block": (1, 1, 10)},
    "x4-upscaler": {
        "cross_attention_dim": 1024,
        "use_linear_projection": True,
        "num_class_embeds": 1000,
        "in_channels": 7,
        "only_cross_attention": (True, True, False),
    },
    "sdxl-refiner": ADDED | {"cross_attention_dim": 1280, "projection_class_embeddings_input_dim": 2560},
}
WIDE_BLOCKS = {
    "sd1": (CROSS, PLAIN), "sd2": (CROSS, PLAIN), "sdxl": (PLAIN, CROSS, CROSS), "sdxl-refiner": (PLAIN, CROSS, PLAIN),
    "x4-upscaler": (PLAIN, CROSS, CROSS),
}  # fmt: skip
WIDTHS = {"clip_l": 768, "clip_h": 1024, "clip_g": 1280}


def wide_networks(family: Family, words: int = WORDS) -> ToyNetworks:
    """Random networks, thin but for the widths by which a family is recognised. The words take most of the room: 76 MB in float16,
    a few hundred vectors over and over, as so many random numbers take their time.
    """
    vae = toy_vae(family)
    torch.manual_seed(1)
    return ToyNetworks(_wide_unet(family).eval(), vae, {key: _wide_encoder(key, words).eval() for key in family.text.encoders})


def _wide_unet(family: Family) -> Any:
    from diffusers import UNet2DConditionModel

    blocks = WIDE_BLOCKS[family.key]
    return UNet2DConditionModel(
        block_out_channels=(32,) * len(blocks),
        layers_per_block=2,
        down_block_types=tuple(down for down, _ in blocks),
        up_block_types=tuple(up for _, up in reversed(blocks)),
        attention_head_dim=4,
        norm_num_groups=8,
        sample_size=16,
        **WIDE_UNETS[family.key],
    )


def _wide_encoder(key: str, words: int) -> Any:
    from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

    act = "quick_gelu" if key == "clip_l" else "gelu"
    layers: dict[str, Any] = {"num_hidden_layers": 2, "num_attention_heads": 8, "intermediate_size": 64, "hidden_act": act}
    ends: dict[str, Any] = {"bos_token_id": words - 2, "eos_token_id": words - 1}
    config = CLIPTextConfig(vocab_size=words, hidden_size=WIDTHS[key], projection_dim=WIDTHS[key], **layers, **ends)
    config.vocab_size = min(words, DRAWN)
    encoder = CLIPTextModelWithProjection(config) if key == "clip_g" else CLIPTextModel(config)
    vectors = encoder.get_input_embeddings()
    rows = torch.arange(words) % vectors.num_embeddings
    encoder.set_input_embeddings(torch.nn.Embedding(words, WIDTHS[key], _weight=vectors.weight.data[rows]))
    encoder.config.vocab_size = words
    return encoder
