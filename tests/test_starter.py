"""The starter model as it lies in the repository: complete, small, and doing what its card says.

The bounds are below the figures measured over many more pictures (figures.json),
by about three standard errors of a sample as small as this one.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from models.starter.recipe.captions import attributes_of, known_words
from models.starter.recipe.evaluate import card_rows, generated, held_out_captions, judge_on_drawn
from models.starter.recipe.judge import Judge, agreement, share_right
from models.starter.recipe.networks import encoded
from models.starter.recipe.sampling import STARTER, Starter, load_starter
from models.starter.recipe.tokenizer import merges_for
from models.starter.recipe.vae_stage import drawn_batch, round_trip_psnr

MEBIBYTE = 2**20
STEPS = 10  # half of what the card's figures are measured with


@pytest.fixture(scope="module")
def starter() -> Starter:
    return load_starter()


@pytest.fixture(scope="module")
def judge() -> Judge:
    return Judge.load()


def weights() -> list[Path]:
    return sorted(STARTER.rglob("*.safetensors"))


def guidance_scale() -> float:
    return json.loads((STARTER / "starter.json").read_text("utf-8"))["defaults"]["guidance_scale"]


def test_the_folder_loads_as_a_stable_diffusion_pipeline_without_a_network(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from diffusers import StableDiffusionPipeline  # after the recipe's package has prepared for it

    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    pipeline = StableDiffusionPipeline.from_pretrained(STARTER, local_files_only=True)
    assert pipeline.safety_checker is None
    assert pipeline.unet.config.cross_attention_dim == pipeline.text_encoder.config.hidden_size
    assert pipeline.scheduler.config.prediction_type == "v_prediction"


def test_the_weights_fit_into_a_repository() -> None:
    folders = {"controlnets", "depth_estimator", "embeddings", "image_encoder", "judge", "loras", "preview", "starter", "text_encoder"}
    folders |= {"turn", "unet", "vae"}
    assert {path.parent.name for path in weights()} == folders
    assert max(path.stat().st_size for path in weights()) < 40 * MEBIBYTE
    assert sum(path.stat().st_size for path in weights()) < 100 * MEBIBYTE


def test_the_card_states_the_figures_that_were_measured() -> None:
    found = json.loads((STARTER / "figures.json").read_text("utf-8"))
    assert card_rows(found) in (STARTER / "README.md").read_text("utf-8")


def test_every_known_word_is_one_token_and_other_words_are_spelt() -> None:
    tokenizer = load_starter().tokenizer
    assert all(len(tokenizer(word)["input_ids"]) == 3 for word in known_words())
    spelt = tokenizer("zebra")["input_ids"]
    assert tokenizer.decode(spelt[1:-1]) == "zebra"


def test_the_merges_build_every_word_even_where_pairs_compete() -> None:
    assert merges_for(["aab", "ab"]) == [("a", "b</w>"), ("a", "ab</w>")]


def test_the_judge_reads_drawn_scenes_it_was_never_trained_on(judge: Judge) -> None:
    assert judge_on_drawn(judge, 200, 128) >= 0.98


def test_a_picture_comes_back_from_the_vae_nearly_as_it_was(starter: Starter) -> None:
    pictures = drawn_batch(np.random.default_rng(4_000_001), 12, 128, is_held_out=True)
    assert round_trip_psnr(starter.vae, pictures) >= 30


def test_latents_have_unit_spread_after_scaling(starter: Starter) -> None:
    pictures = drawn_batch(np.random.default_rng(4_000_002), 12, 128, is_held_out=True)
    wanted = pictures.permute(0, 3, 1, 2).float() / 127.5 - 1
    latents = encoded(starter.vae, wanted).mean * starter.vae.config["scaling_factor"]
    assert 0.9 < latents.std().item() < 1.1


def test_pictures_show_what_their_captions_say_and_not_what_others_say(starter: Starter, judge: Judge) -> None:
    words, said = held_out_captions(24)
    readings = judge.read(generated(starter, words, guidance_scale(), steps=STEPS))
    own = share_right(readings, said)
    others = share_right(readings, said[1:] + said[:1])
    assert own >= 0.70
    assert others <= 0.40


def test_the_prompt_of_the_readme_draws_a_red_house(starter: Starter, judge: Judge) -> None:
    prompt = "a red house on the left in the snow at night, with mountains"
    readings = judge.read(generated(starter, [prompt] * 4, guidance_scale(), steps=STEPS))
    right = [agreement(reading, attributes_of(prompt)) for reading in readings]
    assert sum(seen for seen, _ in right) >= 0.6 * sum(total for _, total in right)
