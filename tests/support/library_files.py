"""Model files with the tensors of real ones by name and shape, and nothing in them: a few kilobytes on disk, whatever their size."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path

Shapes = Mapping[str, tuple[int, ...]]

UNET = "model.diffusion_model."
VAE: Shapes = {
    "encoder.conv_in.weight": (128, 3, 3, 3),
    "decoder.conv_in.weight": (512, 4, 3, 3),
    "decoder.conv_out.weight": (3, 128, 3, 3),
    **{f"decoder.up.{level}.block.0.conv1.weight": (128, 128, 3, 3) for level in range(4)},
}
SD1: Shapes = {
    f"{UNET}input_blocks.0.0.weight": (320, 4, 3, 3),
    f"{UNET}input_blocks.2.1.transformer_blocks.0.attn2.to_k.weight": (320, 768),
    "cond_stage_model.transformer.text_model.embeddings.token_embedding.weight": (49408, 768),
    **{f"first_stage_model.{name}": shape for name, shape in VAE.items()},
}


def vae(channels: int = 512, levels: int = 4, latents: int = 4) -> Shapes:
    kept = {name: shape for name, shape in VAE.items() if not name.startswith("decoder.up.")}
    up = {f"decoder.up.{level}.block.0.conv1.weight": (128, 128, 3, 3) for level in range(levels)}
    return {**kept, "decoder.conv_in.weight": (channels, latents, 3, 3), **up}


def lora(width: int = 768) -> Shapes:
    """One cross-attention of a LoRA in kohya's names, for text vectors of this width."""
    module = "lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn2_to_k"
    return {f"{module}.lora_down.weight": (4, width), f"{module}.lora_up.weight": (320, 4), f"{module}.alpha": (1,)}


def embedding(width: int = 768) -> Shapes:
    return {"emb_params": (2, width)}


def hypernetwork(width: int = 768) -> Shapes:
    return {f"{width}.0.linear.0.weight": (width, width), f"{width}.1.linear.0.weight": (width, width)}


def write_file(path: Path, shapes: Shapes, metadata: Mapping[str, str] | None = None) -> Path:
    """A safetensors file of half-precision zeros with holes where the zeros would be."""
    path.parent.mkdir(parents=True, exist_ok=True)
    table: dict[str, object] = {"__metadata__": dict(metadata)} if metadata else {}
    end = 0
    for name, shape in shapes.items():
        begin, end = end, end + 2 * math.prod(shape)
        table[name] = {"dtype": "F16", "shape": list(shape), "data_offsets": [begin, end]}
    header = json.dumps(table).encode()
    with path.open("wb") as stream:
        stream.write(len(header).to_bytes(8, "little") + header)
        stream.truncate(8 + len(header) + end)
    return path


def write_folder(
    folder: Path, in_channels: int = 4, sample_size: int = 96, width: int = 768, odd: Mapping[str, object] | None = None
) -> Path:
    """The small files of a Stable Diffusion 1 model in the diffusers layout."""
    index = {"_class_name": "StableDiffusionPipeline", "unet": ["diffusers", "UNet2DConditionModel"], "vae": ["diffusers", "AutoencoderKL"],
             "text_encoder": ["transformers", "CLIPTextModel"], "tokenizer": ["transformers", "CLIPTokenizer"]}  # fmt: skip
    unet = {"in_channels": in_channels, "sample_size": sample_size, "cross_attention_dim": width}
    for name, value in (("model_index", {**index, **(odd or {})}), ("unet/config", unet), ("tokenizer/tokenizer_config", {})):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / f"{name}.json").write_text(json.dumps(value))
    write_file(folder / "unet" / "diffusion_pytorch_model.safetensors", {"conv_in.weight": (320, in_channels, 3, 3)})
    return folder


def write_starter(folder: Path) -> Path:
    """A starter of its own size, as the real one has."""
    write_folder(folder, sample_size=16, width=160)
    (folder / "vae").mkdir()
    (folder / "vae" / "config.json").write_text(json.dumps({"block_out_channels": [16, 32, 64, 96]}))
    write_file(folder / "vae" / "diffusion_pytorch_model.safetensors", vae(96))
    facts = {"native_size": 128, "known_words": ["red", "house"], "example_prompts": ["a red house"], "defaults": {"steps": 20}}
    (folder / "starter.json").write_text(json.dumps(facts))
    return folder
