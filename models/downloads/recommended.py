"""Recommended models, a short list. Names, sizes and licences are as their makers published them; nothing is fetched here."""

from __future__ import annotations

from dataclasses import dataclass

from models.files import ModelKind


@dataclass(frozen=True, slots=True)
class GoodModel:
    """One file on the Hugging Face hub that needs no account to download."""

    name: str
    kind: ModelKind
    family: str  # key of the family, as in `models.families`
    repo: str
    filename: str
    size: int  # bytes, about
    licence: str
    why: str  # a sentence for who does not know it
    save_as: str = ""  # the name that it gets here, where its own says nothing


OPENRAIL, OPENRAIL_PLUS, STABILITY = "CreativeML Open RAIL-M", "CreativeML Open RAIL++-M", "Stability AI Community (not commercial)"

GOOD_MODELS: tuple[GoodModel, ...] = (
    GoodModel(
        "Stable Diffusion 1.5", "checkpoint", "sd1", "stable-diffusion-v1-5/stable-diffusion-v1-5", "v1-5-pruned-emaonly.safetensors",
        4_265_146_304, OPENRAIL, "The classic: quick, small, and most LoRAs and embeddings are made for it.",
    ),
    GoodModel(
        "DreamShaper 8", "checkpoint", "sd1", "Lykon/DreamShaper", "DreamShaper_8_pruned.safetensors",
        2_132_625_894, OPENRAIL, "Stable Diffusion 1.5 trained further for illustration and portraits.",
    ),
    GoodModel(
        "SDXL 1.0", "checkpoint", "sdxl", "stabilityai/stable-diffusion-xl-base-1.0", "sd_xl_base_1.0.safetensors",
        6_938_078_334, OPENRAIL_PLUS, "Larger pictures and better understanding of the prompt; wants 8 GB of video memory.",
    ),
    GoodModel(
        "SDXL 1.0 refiner", "checkpoint", "sdxl-refiner", "stabilityai/stable-diffusion-xl-refiner-1.0", "sd_xl_refiner_1.0.safetensors",
        6_075_981_930, OPENRAIL_PLUS, "Draws the last steps of an SDXL picture, for finer detail.",
    ),
    GoodModel(
        "SDXL-Turbo", "checkpoint", "sdxl", "stabilityai/sdxl-turbo", "sd_xl_turbo_1.0_fp16.safetensors",
        6_938_081_905, STABILITY, "SDXL in one to four steps; good for trying things out.",
    ),
    GoodModel(
        "VAE for Stable Diffusion 1 and 2 (ft-MSE)", "vae", "sd1", "stabilityai/sd-vae-ft-mse-original",
        "vae-ft-mse-840000-ema-pruned.safetensors", 334_641_190, "MIT", "Cleaner faces and small detail with older checkpoints.",
    ),
    GoodModel(
        "VAE for SDXL in half precision", "vae", "sdxl", "madebyollin/sdxl-vae-fp16-fix", "sdxl_vae.safetensors",
        334_641_162, "MIT", "Decodes SDXL pictures in half the memory without black results.", "sdxl-vae-fp16-fix.safetensors",
    ),
    GoodModel(
        "LCM for Stable Diffusion 1.5", "lora", "sd1", "latent-consistency/lcm-lora-sdv1-5", "pytorch_lora_weights.safetensors",
        134_621_556, OPENRAIL_PLUS, "Four to eight steps with the LCM sampler and a guidance of 1 to 2.", "lcm-lora-sdv1-5.safetensors",
    ),
    GoodModel(
        "Lightning for SDXL, 4 steps", "lora", "sdxl", "ByteDance/SDXL-Lightning", "sdxl_lightning_4step_lora.safetensors",
        393_854_592, OPENRAIL_PLUS, "SDXL in four steps with Euler, the SGM uniform schedule and a guidance of 1.",
    ),
)  # fmt: skip
