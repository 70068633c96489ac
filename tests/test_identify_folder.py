"""Folders in the diffusers layout, and trigger words: small JSON that anybody may have written."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from models.files import Identity
from models.identify.identify import identify_folder, trigger_words
from tests.support.headers import write_json

# ------------------------------------------------------------------------------------------------------------------------ folders

PARTS = {
    "unet": ["diffusers", "UNet2DConditionModel"], "vae": ["diffusers", "AutoencoderKL"], "scheduler": ["diffusers", "DDIMScheduler"],
    "text_encoder": ["transformers", "CLIPTextModel"], "tokenizer": ["transformers", "CLIPTokenizer"], "safety_checker": [None, None],
}  # fmt: skip
SECOND = {"text_encoder_2": ["transformers", "CLIPTextModelWithProjection"], "tokenizer_2": ["transformers", "CLIPTokenizer"]}


def folder(
    place: Path, pipeline: str = "StableDiffusionPipeline", unet: Mapping[str, Any] | None = None,
        scheduler: Mapping[str, Any] | None = None, **parts: Any
) -> Identity:  # fmt: skip
    index = {"_class_name": pipeline, "_diffusers_version": "0.42.1", **PARTS, **parts}
    files = {
        "model_index.json": json.dumps(index),
        "unet/config.json": json.dumps({"in_channels": 4, "cross_attention_dim": 768, **(unet or {})}),
        "scheduler/scheduler_config.json": json.dumps(scheduler or {}),
    }
    return identify_folder(write_json(place / "model", files))


XL_UNET = {"cross_attention_dim": 2048, "addition_embed_type": "text_time"}
FOLDERS: dict[str, tuple[dict[str, Any], tuple[str, str, str]]] = {  # row -> folder, (family, variant, prediction)
    "SD1": ({}, ("sd1", "", "epsilon")),
    "SD1 inpainting": ({"pipeline": "StableDiffusionInpaintPipeline", "unet": {"in_channels": 9}}, ("sd1", "inpaint", "epsilon")),
    "SD1 instruct": ({"pipeline": "StableDiffusionInstructPix2PixPipeline", "unet": {"in_channels": 8}}, ("sd1", "instruct", "epsilon")),
    "SD2 768": ({"unet": {"cross_attention_dim": 1024}, "scheduler": {"prediction_type": "v_prediction"}}, ("sd2", "v", "v_prediction")),
    "SD2 512": ({"unet": {"cross_attention_dim": 1024}}, ("sd2", "", "epsilon")),
    "SD2 depth": ({"pipeline": "StableDiffusionDepth2ImgPipeline", "unet": {"cross_attention_dim": 1024, "in_channels": 5}},
                  ("sd2", "depth", "epsilon")),
    "a small SD2": ({"unet": {"cross_attention_dim": 32, "use_linear_projection": True}}, ("sd2", "", "epsilon")),
    "a small SD1": ({"unet": {"cross_attention_dim": 160}, "scheduler": {"prediction_type": "v_prediction"}}, ("sd1", "", "v_prediction")),
    "SDXL": ({"pipeline": "StableDiffusionXLPipeline", "unet": XL_UNET, **SECOND}, ("sdxl", "", "epsilon")),
    "refiner": ({"pipeline": "StableDiffusionXLImg2ImgPipeline", "unet": XL_UNET, **SECOND, "text_encoder": [None, None]},
                ("sdxl-refiner", "", "epsilon")),
    "LCM": ({"pipeline": "LatentConsistencyModelPipeline", "unet": {"time_cond_proj_dim": 256}}, ("sd1", "lcm", "epsilon")),
}  # fmt: skip


@pytest.mark.parametrize("row", FOLDERS)
def test_a_folder_is_told_by_its_small_files(tmp_path: Path, row: str) -> None:
    found = folder(tmp_path, **FOLDERS[row][0])
    assert (found.family, found.variant, found.prediction_type) == FOLDERS[row][1]
    assert (found.kind, found.layout, found.supported) == ("checkpoint", "diffusers", True)


def test_a_folder_says_whether_its_last_step_is_pure_noise(tmp_path: Path) -> None:
    assert folder(tmp_path, scheduler={"rescale_betas_zero_snr": True, "prediction_type": "v_prediction"}).zero_terminal_snr


STRANGE: dict[str, dict[str, Any]] = {
    "a function of Python": {"x": ["os", "system"]},
    "a process": {"unet": ["subprocess", "Popen"]},
    "a class of the folder's own": {"unet": ["my_unet", "MyUNet"]},
    "a known class of a strange module": {"unet": ["os", "UNet2DConditionModel"]},
    "a strange class of a known module": {"unet": ["diffusers", "DiffusionPipeline"]},
    "half a pair": {"unet": ["diffusers"]},
    "lists within": {"unet": [["diffusers"], ["UNet2DConditionModel"]]},
    "a network of 2^24 channels": {"unet": None},
}


@pytest.mark.parametrize("case", STRANGE)
def test_a_folder_that_asks_for_other_code_is_refused(tmp_path: Path, case: str) -> None:
    if case == "a network of 2^24 channels":
        found = folder(tmp_path, unet={"block_out_channels": [320, 2**24]})
    else:
        (tmp_path / "model").mkdir()
        (tmp_path / "model" / "pipeline.py").write_text("raise SystemExit")
        index = {"_class_name": "StableDiffusionPipeline", **PARTS, **STRANGE[case]}
        found = identify_folder(
            write_json(tmp_path / "model", {"model_index.json": json.dumps(index), "unet/config.json": '{"in_channels": 4}'})
        )
    assert (found.supported, found.family) == (False, "")
    assert "not loaded" in found.note


@pytest.mark.parametrize(
    ("pipeline", "family"),
    [("FluxPipeline", "flux1"), ("Flux2KleinPipeline", "flux2"), ("StableDiffusion3Pipeline", "sd3"),
     ("ZImagePipeline", "z-image"), ("QwenImageEditPipeline", "qwen-image"), ("MyOwnPipeline", "")],
)  # fmt: skip
def test_a_folder_of_another_family_is_named(tmp_path: Path, pipeline: str, family: str) -> None:
    found = folder(tmp_path, pipeline)
    assert (found.family, found.supported) == (family, False) and found.note


@pytest.mark.parametrize("content", ["", "not json", "[]", "5", '{"_class_name": 5}', "[" * 100_000, '{"a": "' + "x" * 2_000_000 + '"}'])
def test_a_folder_whose_index_cannot_be_read_says_so(tmp_path: Path, content: str) -> None:
    assert not identify_folder(write_json(tmp_path, {"model_index.json": content})).supported


def test_nesting_to_the_limit_is_looked_through(tmp_path: Path) -> None:
    deep: Any = 2**24
    for _ in range(900):
        deep = [deep]
    assert "not loaded" in folder(tmp_path, unet={"odd": deep}).note


@pytest.mark.parametrize("inputs", [[4], "4", None, 4.5, {}])
def test_numbers_that_are_none_are_refused(tmp_path: Path, inputs: Any) -> None:
    assert not folder(tmp_path, unet={"in_channels": inputs}).supported


# ------------------------------------------------------------------------------------------------------------------- trigger words


def test_the_authors_phrase_comes_first() -> None:
    tags = json.dumps({"10_cat": {"cat": 10}})
    assert trigger_words({"modelspec.trigger_phrase": "inkdrawing, black lines ", "ss_tag_frequency": tags})[:2] == (
        "inkdrawing",
        "black lines",
    )


def test_the_commonest_tags_are_counted_over_all_folders() -> None:
    table = {"10_a": {"ohwx woman": 30, "smile": 10, "hat": 1}, "5_b": {"ohwx woman": 5, "smile": 28}}
    assert trigger_words({"ss_tag_frequency": json.dumps(table)})[:2] == ("smile", "ohwx woman")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "not json",
        "[]",
        "5",
        '{"a": 5}',
        '{"a": {"tag": "many"}}',
        '{"a": {"tag": -1}}',
        "[" * 200_000,
        '{"a": {"": 5}}',
        '{"a": {"t": 1e999}}',
    ],
)
def test_tables_that_are_none_give_no_words(text: str) -> None:
    assert trigger_words({"ss_tag_frequency": text}) == ()


def test_words_are_few_and_short_and_on_one_line() -> None:
    table = {"a": {f"tag {place}\n\u202e" + "x" * 500: 100 for place in range(1000)}}
    words = trigger_words({"ss_tag_frequency": json.dumps(table), "modelspec.trigger_phrase": "a\x00b\x1b[31m"})
    assert 1 <= len(words) <= 30 and max(map(len, words)) <= 80
    assert all(character.isprintable() for word in words for character in word)
