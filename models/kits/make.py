"""Makes the kits: sizes of the public models as JSON, and the CLIP tokenizer from the merges that OpenAI and OpenCLIP published.

    pip download --no-deps open_clip_torch==3.3.0 --dest /tmp
    python -m models.kits.make /tmp/open_clip_torch-3.3.0-py3-none-any.whl

Run it again only when a kit is added or corrected; what it makes lies in the repository.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import json
import zipfile
from collections.abc import Mapping
from pathlib import Path

from models.kits import KITS, TOKENIZERS

MERGES, LICENSE = "open_clip/bpe_simple_vocab_16e6.txt.gz", "open_clip_torch-3.3.0.dist-info/licenses/LICENSE"
MERGES_HASH = "924691ac288e54409236115652ad4aa250f48203de50a9e4722a6ecd48d6804a"  # SHA-256
MERGE_COUNT = 49152 - 256 - 2  # a vocabulary of 49152, less the bytes, less start and end (OpenAI's CLIP)
START, END = "<|startoftext|>", "<|endoftext|>"

DOWN, CROSS_DOWN, UP, CROSS_UP = "DownBlock2D", "CrossAttnDownBlock2D", "UpBlock2D", "CrossAttnUpBlock2D"
Config = Mapping[str, object]

UNET: Config = {"in_channels": 4, "out_channels": 4, "layers_per_block": 2, "norm_num_groups": 32}
SD_BLOCKS: Config = {
    "block_out_channels": [320, 640, 1280, 1280],
    "down_block_types": [CROSS_DOWN] * 3 + [DOWN],
    "up_block_types": [UP] + [CROSS_UP] * 3,
}
SD1_UNET = {**UNET, **SD_BLOCKS, "sample_size": 64, "cross_attention_dim": 768, "attention_head_dim": 8}
SD2_HEADS: Config = {"cross_attention_dim": 1024, "attention_head_dim": [5, 10, 20, 20], "use_linear_projection": True}
SD2_UNET = {**UNET, **SD_BLOCKS, **SD2_HEADS, "sample_size": 64}
SD2_V_UNET = {**SD2_UNET, "sample_size": 96, "upcast_attention": True}  # its attention overflows float16
TIME_AND_TEXT: Config = {"addition_embed_type": "text_time", "addition_time_embed_dim": 256, "use_linear_projection": True}
SDXL_UNET = {
    **UNET,
    **TIME_AND_TEXT,
    "block_out_channels": [320, 640, 1280],
    "down_block_types": [DOWN, CROSS_DOWN, CROSS_DOWN],
    "up_block_types": [CROSS_UP, CROSS_UP, UP],
    "transformer_layers_per_block": [1, 2, 10],
    "attention_head_dim": [5, 10, 20],
    "cross_attention_dim": 2048,
    "projection_class_embeddings_input_dim": 2816,
    "sample_size": 128,
}
REFINER_UNET = {
    **UNET,
    **TIME_AND_TEXT,
    "block_out_channels": [384, 768, 1536, 1536],
    "down_block_types": [DOWN, CROSS_DOWN, CROSS_DOWN, DOWN],
    "up_block_types": [UP, CROSS_UP, CROSS_UP, UP],
    "transformer_layers_per_block": 4,
    "attention_head_dim": [6, 12, 24, 24],
    "cross_attention_dim": 1280,
    "projection_class_embeddings_input_dim": 2560,
    "sample_size": 128,
}
X4_UNET: Config = {  # a small picture in three channels; all but the innermost level attend to the words alone
    **UNET,
    "in_channels": 7,
    "block_out_channels": [256, 512, 512, 1024],
    "down_block_types": [DOWN] + [CROSS_DOWN] * 3,
    "up_block_types": [CROSS_UP] * 3 + [UP],
    "only_cross_attention": [True, True, True, False],
    "attention_head_dim": 8,
    "cross_attention_dim": 1024,
    "num_class_embeds": 1000,
    "use_linear_projection": True,
    "sample_size": 128,
}
VAE: Config = {
    "block_out_channels": [128, 256, 512, 512],
    "down_block_types": ["DownEncoderBlock2D"] * 4,
    "up_block_types": ["UpDecoderBlock2D"] * 4,
    "layers_per_block": 2,
    "latent_channels": 4,
    "norm_num_groups": 32,
}
SD_VAE = {**VAE, "sample_size": 512, "scaling_factor": 0.18215}
X4_VAE = {
    **VAE,
    "block_out_channels": [128, 256, 512],
    "down_block_types": ["DownEncoderBlock2D"] * 3,
    "up_block_types": ["UpDecoderBlock2D"] * 3,
    "sample_size": 256,
    "scaling_factor": 0.08333,
}
SDXL_VAE = {**VAE, "sample_size": 1024, "scaling_factor": 0.13025, "force_upcast": True}

SVD_UNET: Config = {
    "in_channels": 8,
    "out_channels": 4,
    "layers_per_block": 2,
    "block_out_channels": [320, 640, 1280, 1280],
    "down_block_types": ["CrossAttnDownBlockSpatioTemporal"] * 3 + ["DownBlockSpatioTemporal"],
    "up_block_types": ["UpBlockSpatioTemporal"] + ["CrossAttnUpBlockSpatioTemporal"] * 3,
    "num_attention_heads": [5, 10, 20, 20],
    "cross_attention_dim": 1024,
    "addition_time_embed_dim": 256,
    "projection_class_embeddings_input_dim": 768,
}
SVD_VAE: Config = {name: value for name, value in SD_VAE.items() if name not in ("up_block_types", "norm_num_groups")}

# The end token's number is written out: the public configurations say 2, and the pooled vector is then taken at the largest number.
CLIP: Config = {"vocab_size": 49408, "max_position_embeddings": 77, "bos_token_id": 49406, "eos_token_id": 49407}


def clip(width: int, inner: int, layers: int, heads: int, act: str) -> dict[str, object]:
    sizes = {"hidden_size": width, "intermediate_size": inner, "num_hidden_layers": layers, "num_attention_heads": heads}
    return {**CLIP, **sizes, "projection_dim": width, "hidden_act": act}


CLIP_L = clip(768, 3072, 12, 12, "quick_gelu") | {"pad_token_id": 49407}
CLIP_H = clip(1024, 4096, 23, 16, "gelu") | {"pad_token_id": 0}  # the 24th layer is not used by any model
CLIP_G = clip(1280, 5120, 32, 20, "gelu") | {"pad_token_id": 0}
NOISE: Config = {
    "beta_schedule": "scaled_linear",
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "num_train_timesteps": 1000,
    "prediction_type": "epsilon",
}

X4_NOISE: Config = {**NOISE, "beta_start": 0.0001, "beta_end": 0.02}  # of latents and of the small picture

KIT_FILES: Mapping[str, Mapping[str, Config]] = {
    "sd1": {"unet": SD1_UNET, "vae": SD_VAE, "clip_l": CLIP_L, "scheduler": NOISE},
    "sd2": {"unet": SD2_UNET, "vae": SD_VAE, "clip_h": CLIP_H, "scheduler": NOISE},
    "sd2-v": {"unet": SD2_V_UNET, "vae": SD_VAE, "clip_h": CLIP_H, "scheduler": {**NOISE, "prediction_type": "v_prediction"}},
    "sdxl": {"unet": SDXL_UNET, "vae": SDXL_VAE, "clip_l": CLIP_L, "clip_g": CLIP_G, "scheduler": NOISE},
    "sdxl-refiner": {"unet": REFINER_UNET, "vae": SDXL_VAE, "clip_g": CLIP_G, "scheduler": NOISE},
    "svd": {"unet": SVD_UNET, "vae": SVD_VAE},
    "x4-upscaler": {
        "unet": X4_UNET,
        "vae": X4_VAE,
        "clip_h": CLIP_H,
        "scheduler": {**X4_NOISE, "prediction_type": "v_prediction"},
        "low_res_scheduler": X4_NOISE,
    },
}


def byte_symbols() -> list[str]:
    """The character that stands for each byte, in the order of the vocabulary: printable ones first, for themselves."""
    printable = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    return [chr(byte) for byte in printable] + [chr(256 + place) for place in range(256 - len(printable))]


def vocabulary(merges: list[str]) -> dict[str, int]:
    symbols = byte_symbols()
    words = [*symbols, *(symbol + "</w>" for symbol in symbols), *(merge.replace(" ", "") for merge in merges), START, END]
    return {word: number for number, word in enumerate(words)}


def published_merges(packed: bytes) -> list[str]:
    if hashlib.sha256(packed).hexdigest() != MERGES_HASH:
        raise SystemExit("This is not the file of merges that the tokenizer is made of.")
    return gzip.decompress(packed).decode("utf-8").split("\n")[1 : MERGE_COUNT + 1]


def write_tokenizer(folder: Path, merges: list[str], pad: str) -> None:
    folder.mkdir(exist_ok=True)
    (folder / "merges.txt").write_bytes("\n".join(["#version: 0.2", *merges, ""]).encode())
    (folder / "vocab.json").write_bytes(json.dumps(vocabulary(merges), ensure_ascii=False, separators=(",", ":")).encode())
    write_json(folder / "tokenizer_config.json", {"tokenizer_class": "CLIPTokenizer", "model_max_length": 77, "pad_token": pad})


def write_json(file: Path, values: Config) -> None:
    file.write_bytes((json.dumps(values, indent=2) + "\n").encode())


def make(wheel: Path, to: Path = KITS) -> None:
    with zipfile.ZipFile(wheel) as package:
        merges, notice = published_merges(package.read(MERGES)), package.read(LICENSE)
    for folder in sorted(set(TOKENIZERS.values())):
        write_tokenizer(to / folder, merges, END if folder == "tokenizer" else "!")
        (to / folder / "LICENSE").write_bytes(notice)
    for name, files in KIT_FILES.items():
        (to / name).mkdir(exist_ok=True)
        for part, config in files.items():
            write_json(to / name / f"{part}.json", config)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m models.kits.make", description=__doc__)
    parser.add_argument("wheel", type=Path)
    make(parser.parse_args().wheel)
