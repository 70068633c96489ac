"""What goes with what, and the reasons.

The facts: SD 1 reads text vectors of 768 numbers, SD 2 of 1024, SDXL of 2048 from two encoders; the starter is smaller than all.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from models.files import Identity, ModelFile
from models.library.catalog import Catalog
from models.library.compatibility import fits, in_short
from tests.support.library_files import SD1, UNET, embedding, hypernetwork, lora, vae, write_file, write_starter

SDXL = {
    **{name: shape for name, shape in SD1.items() if name.startswith("first_stage_model.")},
    f"{UNET}input_blocks.0.0.weight": (320, 4, 3, 3),
    f"{UNET}label_emb.0.0.weight": (1280, 2816),
    f"{UNET}input_blocks.4.1.transformer_blocks.0.attn2.to_k.weight": (640, 2048),
    f"{UNET}input_blocks.8.1.transformer_blocks.9.attn2.to_k.weight": (1280, 2048),
    "conditioner.embedders.0.transformer.text_model.embeddings.token_embedding.weight": (49408, 768),
}
FILES = {
    "LoRA for SD1": ("loras", lora(768)),
    "LoRA for SD2": ("loras", lora(1024)),
    "LoRA for SDXL": ("loras", lora(2048)),
    "LoRA for the starter": ("loras", lora(160)),
    "word for SD1": ("embeddings", embedding(768)),
    "word for SDXL": ("embeddings", {"clip_l": (1, 768), "clip_g": (1, 1280)}),
    "word for the starter": ("embeddings", embedding(160)),
    "net for SD1": ("hypernetworks", hypernetwork(768)),
    "any VAE": ("vae", vae(512)),
    "sdxl_vae": ("vae", vae(512)),
    "vae-ft-mse-840000-ema-pruned": ("vae", vae(512)),
    "VAE for the starter": ("vae", vae(96)),
    "VAE of 16 channels": ("vae", vae(512, latents=16)),
}
FITTING = {
    "Starter": {"LoRA for the starter", "word for the starter", "VAE for the starter"},
    "photo": {"LoRA for SD1", "word for SD1", "net for SD1", "any VAE", "vae-ft-mse-840000-ema-pruned"},
    "large": {"LoRA for SDXL", "word for SDXL", "any VAE", "sdxl_vae"},
}


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> Catalog:
    folder: Path = tmp_path_factory.mktemp("library")
    write_file(folder / "models" / "photo.safetensors", SD1)
    write_file(folder / "models" / "large.safetensors", SDXL)
    for name, (place, shapes) in FILES.items():
        write_file(folder / "models" / place / f"{name}.safetensors", shapes)
    return Catalog(write_starter(folder / "starter"), [folder / "models"])


@pytest.mark.parametrize("checkpoint", FITTING)
@pytest.mark.parametrize("name", FILES)
def test_what_fits_fits_and_the_rest_is_refused_with_a_reason(catalog: Catalog, checkpoint: str, name: str) -> None:
    drawn = next(entry for entry in catalog.checkpoints() if entry.name == checkpoint)
    reason = fits(next(entry for entry in catalog.models() if entry.name == name), drawn)
    assert (reason == "") == (name in FITTING[checkpoint]), reason
    assert not reason or (reason.endswith(".") and str(drawn.folder) not in reason)


def test_the_reasons_name_both_sides(catalog: Catalog) -> None:
    drawn = {entry.name: entry for entry in catalog.checkpoints()}
    entries = {entry.name: entry for entry in catalog.models()}
    assert fits(entries["LoRA for SDXL"], drawn["photo"]) == "“LoRA for SDXL” was made for SDXL; “photo” is a Stable Diffusion 1 model."
    assert "768" in fits(entries["LoRA for SD1"], drawn["Starter"]) and "160" in fits(entries["LoRA for SD1"], drawn["Starter"])
    assert "512" in fits(entries["any VAE"], drawn["Starter"]) and "96" in fits(entries["any VAE"], drawn["Starter"])


def test_a_list_has_the_reason_in_few_words(catalog: Catalog) -> None:
    drawn = {entry.name: entry for entry in catalog.checkpoints()}
    entries = {entry.name: entry for entry in catalog.models()}
    damaged = replace(entries["LoRA for SDXL"], problem="It is incomplete.")
    assert in_short(entries["LoRA for SDXL"], drawn["photo"]) == "made for SDXL"
    assert in_short(entries["LoRA for SD1"], drawn["large"]) == "made for Stable Diffusion 1"
    assert in_short(entries["LoRA for SD1"], drawn["Starter"]) == "made for another size"
    assert in_short(damaged, drawn["large"]) == "cannot be used"


@pytest.mark.parametrize("name", ["xlarge", "pixel", "excel", "lovely_mixl"])
def test_a_name_that_only_contains_the_letters_says_nothing(catalog: Catalog, name: str) -> None:
    entry = ModelFile("id", name, Path("x"), 1, 0.0, Identity("vae"))
    assert all(fits(entry, drawn) == "" for drawn in catalog.checkpoints() if drawn.name != "Starter")


def test_a_file_with_a_problem_fits_nothing(catalog: Catalog) -> None:
    entry = ModelFile("id", "cut", Path("x"), 1, 0.0, Identity("lora", "sd1"), problem="“cut” is incomplete.")
    assert fits(entry, catalog.checkpoints()[0]) == "“cut” is incomplete."
