"""The kits against the public models: how many numbers each network holds, and the tokenizer against what is known of the real one."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from models.errors import UserError
from models.families import FAMILIES
from models.kits import kit, tokenizer_folder, tokenizer_folders
from models.kits.make import KIT_FILES, vocabulary
from models.networks.build import blank_encoder, blank_unet, blank_vae
from models.tensors.sources import config
from pipelines.prompts import load_tokenizer

# Of the public checkpoints: their files' headers add up to these.
UNETS = {
    "sd1": 859_520_964,
    "sd2": 865_910_724,
    "sd2-v": 865_910_724,
    "sdxl": 2_567_463_684,
    "sdxl-refiner": 2_259_526_660,
    "x4-upscaler": 473_398_020,
}
ENCODERS = {"clip_l": 123_060_480, "clip_h": 340_387_840, "clip_g": 694_659_840}
VAE = 83_653_863
VAES = {"x4-upscaler": 55_325_927}  # of another shape
MERGES_OF_SD1 = "9fd691f7c8039210e0fced15865466c65820d09b63988b0174bfe25de299051a"  # SHA-256 of merges.txt in its public repository


def numbers(network: object) -> int:
    return sum(parameter.numel() for parameter in network.parameters())  # type: ignore[attr-defined]


def sizes(name: str, part: str) -> dict[str, object]:
    return config(kit("sd1").parent / name / f"{part}.json")


@pytest.mark.parametrize("name", UNETS)
def test_each_unet_holds_as_many_numbers_as_the_public_model(name: str) -> None:
    assert numbers(blank_unet("UNet", sizes(name, "unet")).network) == UNETS[name]


@pytest.mark.parametrize(("name", "channels", "count"), [("sd2", 5, 865_913_604), ("sdxl", 9, 2_567_478_084)])
def test_more_input_channels_add_what_the_public_models_have(name: str, channels: int, count: int) -> None:
    assert numbers(blank_unet("UNet", sizes(name, "unet") | {"in_channels": channels}).network) == count


@pytest.mark.parametrize("name", UNETS)
def test_each_vae_and_text_encoder_holds_as_many_numbers_as_the_public_one(name: str) -> None:
    assert numbers(blank_vae("VAE", sizes(name, "vae")).network) == VAES.get(name, VAE)
    for key in FAMILIES[name.removesuffix("-v")].text.encoders:
        assert numbers(blank_encoder("encoder", key, sizes(name, key)).network) == ENCODERS[key]


def test_every_encoder_ends_a_text_where_the_tokenizer_does() -> None:
    for files in KIT_FILES.values():
        assert {config["eos_token_id"] for part, config in files.items() if part.startswith("clip")} <= {49407}


def test_the_files_are_those_that_the_script_makes() -> None:
    made = {(name, part): dict(values) for name, files in KIT_FILES.items() for part, values in files.items()}
    there = {(file.parent.name, file.stem): json.loads(file.read_text("utf-8")) for file in kit("sd1").parent.glob("[sx]*/*.json")}
    assert there == made


@pytest.mark.parametrize("key", FAMILIES)
def test_a_vae_scales_latents_as_its_family_says(key: str) -> None:
    assert sizes(key, "vae")["scaling_factor"] == FAMILIES[key].latent.scaling_factor


def test_the_768_pixel_model_has_a_kit_of_its_own() -> None:
    assert kit("sd2", "v").name == "sd2-v"
    assert kit("sd2", "inpaint").name == "sd2"
    with pytest.raises(UserError, match="cannot be loaded yet"):
        kit("flux1")


@pytest.mark.parametrize("key", ["sd1", "sd2", "sdxl", "sdxl-refiner", "clip_l", "clip_g"])
def test_the_tokenizer_is_that_of_the_public_models(key: str) -> None:
    folder = tokenizer_folder(key)
    assert hashlib.sha256((folder / "merges.txt").read_bytes()).hexdigest() == MERGES_OF_SD1
    assert len(json.loads((folder / "vocab.json").read_text("utf-8"))) == 49408
    tokenizer = load_tokenizer(folder)
    ids = [token for token, _ in tokenizer.tokens("a photo of a cat")]
    assert [tokenizer.start, *ids, tokenizer.end] == [49406, 320, 1125, 539, 320, 2368, 49407]
    assert tokenizer.pad == (49407 if key in ("sd1", "sdxl", "clip_l") else 0)


def test_transformers_reads_the_tokenizer_to_the_same_tokens() -> None:
    from transformers import CLIPTokenizer

    theirs = CLIPTokenizer.from_pretrained(tokenizer_folder("clip_l"), local_files_only=True)
    ours = load_tokenizer(tokenizer_folder("clip_l"))
    for text in ("A château, 3 naïve dogs & 日本 🎨!", "it's (very:1.2) l33t", "  spaces\nand lines "):
        assert [token for token, _ in ours.tokens(text)] == theirs(text)["input_ids"][1:-1]


def test_the_vocabulary_is_bytes_then_bytes_that_end_a_word_then_merges() -> None:
    words = list(vocabulary(["c a", "ca t</w>"]))
    assert len(set(words)) == 512 + 2 + 2
    assert words[0] == "!"
    assert words[256] == "!</w>"
    assert words[512:] == ["ca", "cat</w>", "<|startoftext|>", "<|endoftext|>"]


def test_the_notice_of_those_who_made_the_merges_lies_beside_them() -> None:
    for key in ("clip_l", "clip_g"):
        assert "Permission is hereby granted" in (tokenizer_folder(key) / "LICENSE").read_text("utf-8")


def test_a_folder_keeps_its_own_tokenizers_where_it_has_them(tmp_path: Path) -> None:
    (tmp_path / "tokenizer_2").mkdir()
    assert tokenizer_folders("sdxl", tmp_path) == {"clip_l": tokenizer_folder("clip_l"), "clip_g": tmp_path / "tokenizer_2"}
    assert tokenizer_folders("sdxl-refiner", tmp_path) == {"clip_g": tmp_path / "tokenizer_2"}
    assert tokenizer_folders("sdxl") == {"clip_l": tokenizer_folder("clip_l"), "clip_g": tokenizer_folder("clip_g")}
