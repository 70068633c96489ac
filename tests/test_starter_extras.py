"""The starter's own LoRA, second VAE and embedding: what the files are, that each shows, and that it is the file that does it.

The bounds lie between the figures of figures.json with and without the file, nearer to the first.
"""

from __future__ import annotations

import json
from collections.abc import Generator
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file
from torch import Tensor, nn

from models.starter.recipe import extras_evaluate
from models.starter.recipe import extras_styles as styles
from models.starter.recipe.captions import known_words
from models.starter.recipe.evaluate import held_out_captions
from models.starter.recipe.extras import FILES, metadata, write
from models.starter.recipe.extras_course import Course, follow
from models.starter.recipe.extras_embedding import PICTURES, WORD, coded, night_layout, text_of, train_embedding
from models.starter.recipe.extras_evaluate import (
    card_tables,
    drawn_by,
    embedding_figures,
    held_out_pictures,
    latents_of,
    shuffled,
    vae_figures,
)
from models.starter.recipe.extras_lora import COURSE, TRIGGER, Pair, layers, train_lora, with_lora
from models.starter.recipe.extras_vae import train_vae, with_vae
from models.starter.recipe.judge import Judge
from models.starter.recipe.latents_stage import numbered_layout
from models.starter.recipe.sampling import STARTER, Starter, load_starter, states_of, to_pictures
from models.starter.recipe.scenes import draw, held_out

GUIDANCE = 5.0
Loaded = dict[str, dict[str, Tensor]]


@pytest.fixture(scope="module")
def starter() -> Starter:
    return load_starter()


@pytest.fixture(scope="module")
def files() -> Loaded:
    return {what: load_file(STARTER / name) for what, name in FILES.items()}


@pytest.fixture(scope="module", autouse=True)
def fewer_steps() -> Generator[None]:
    """Half of what the card's figures are measured with."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(extras_evaluate, "STEPS", 10)
        yield


@pytest.fixture(scope="module")
def plain(starter: Starter) -> Tensor:
    """Latents of four held-out captions without any extra."""
    return latents_of(starter, held_out_captions(4)[0], GUIDANCE)


# -- the files ----------------------------------------------------------------


def test_together_they_are_smaller_than_four_mebibytes_and_in_half_precision(files: Loaded) -> None:
    assert sum((STARTER / name).stat().st_size for name in FILES.values()) < 4 * 2**20
    assert {tensor.dtype for tensors in files.values() for tensor in tensors.values()} == {torch.float16}
    assert all(tensor.isfinite().all() for tensors in files.values() for tensor in tensors.values())


@pytest.mark.parametrize("what", FILES)
def test_a_file_says_what_it_is_and_what_wakes_it(what: str) -> None:
    with safe_open(STARTER / FILES[what], "pt") as file:
        assert file.metadata() == metadata(what)
    assert metadata("lora")["modelspec.trigger_phrase"] == TRIGGER and metadata("embedding")["modelspec.trigger_phrase"] == WORD


def test_every_layer_of_the_lora_is_whole_and_is_in_the_model(starter: Starter, files: Loaded) -> None:
    parts = ("alpha", "lora_down.weight", "lora_up.weight")
    assert sorted(files["lora"]) == sorted(f"{name}.{part}" for name in layers(starter) for part in parts)
    assert {name.split("_")[1] for name in files["lora"]} == {"unet", "te"}


def test_the_second_vae_has_the_encoder_of_the_first(starter: Starter, files: Loaded) -> None:
    own = {name: value.half() for name, value in starter.vae.state_dict().items()}
    assert own.keys() == files["vae"].keys()
    same = {name for name, value in own.items() if torch.equal(value, files["vae"][name])}
    assert {name for name in own if name.startswith(("encoder.", "quant_conv."))} <= same
    assert "decoder.conv_out.weight" not in same


def test_the_word_of_the_embedding_is_not_one_that_the_tokenizer_knows(starter: Starter) -> None:
    assert WORD not in known_words()
    assert len(starter.tokenizer(WORD, add_special_tokens=False)["input_ids"]) > 3


def test_the_card_states_the_figures_that_were_measured() -> None:
    found = json.loads((STARTER / "figures.json").read_text("utf-8"))["extras"]
    assert card_tables(found) in (STARTER / "README.md").read_text("utf-8")


# -- what they do -------------------------------------------------------------


def test_the_lora_draws_in_ink_and_its_numbers_in_other_places_do_not(starter: Starter, files: Loaded, plain: Tensor) -> None:
    words, _ = held_out_captions(4)
    off = to_pictures(starter.vae, plain)
    on, broken = (drawn_by(with_lora(starter, tensors), words, GUIDANCE) for tensors in (files["lora"], shuffled(files["lora"])))
    assert styles.colourfulness(on) < 0.5 * styles.colourfulness(off)
    assert styles.paper_margin(on) < 0.4 * min(styles.paper_margin(off), styles.paper_margin(broken))


def test_a_lora_at_no_strength_changes_no_weight_and_at_half_changes_it_half_as_much(starter: Starter, files: Loaded) -> None:
    name, layer = next(iter(layers(starter).items()))
    none, half, whole = (layers(with_lora(starter, files["lora"], strength, 0.0))[name].weight for strength in (0.0, 0.5, 1.0))
    assert torch.equal(none, layer.weight) and not torch.equal(whole, layer.weight)
    assert torch.allclose(half - none, (whole - none) / 2, atol=1e-7)


def test_the_second_vae_prints_the_same_latents_warmer_with_faded_blacks(starter: Starter, files: Loaded, plain: Tensor) -> None:
    off, on = (to_pictures(one.vae, plain) for one in (starter, with_vae(starter, files["vae"])))
    assert styles.warmth(on) > styles.warmth(off) + 20
    assert styles.blackness(on) > styles.blackness(off) + 15


def test_the_second_vae_is_nearer_to_a_print_drawn_by_rule_than_the_first(starter: Starter, files: Loaded, plain: Tensor) -> None:
    found = vae_figures(starter, files["vae"], plain)
    assert found["on"]["printed_psnr_db"] > found["off"]["printed_psnr_db"] + 5
    assert found["on"]["plain_psnr_db"] < found["off"]["plain_psnr_db"] - 5


def test_the_embedding_means_night_and_mountains_and_the_word_alone_does_not(starter: Starter, files: Loaded) -> None:
    rows = ("on", "the word without its vectors", "on, numbers shuffled")
    found = embedding_figures(starter, Judge.load(), files["embedding"]["emb_params"].float(), GUIDANCE, 8, rows)
    on, *controls = (found[name]["both"] for name in rows)
    assert on >= 0.6
    assert max(controls) <= 0.3


def test_without_the_word_the_vectors_change_nothing(starter: Starter, files: Loaded) -> None:
    words, _ = held_out_captions(2)
    assert torch.equal(text_of(starter, words, files["embedding"]["emb_params"].float()), states_of(starter, words))


# -- how they are made --------------------------------------------------------


@pytest.mark.parametrize("layer", [nn.Linear(6, 5), nn.Conv2d(6, 5, 3, stride=2, padding=1)])
def test_what_is_trained_beside_a_layer_is_what_the_file_adds_to_its_weight(layer: nn.Linear | nn.Conv2d) -> None:
    pair = Pair(layer, rank=2, alpha=1.0)
    nn.init.normal_(pair.up.weight)
    given = torch.randn((2, 6) if isinstance(layer, nn.Linear) else (2, 6, 8, 8))
    beside = pair(layer, (given,), layer(given))
    layer.weight.data += 1.0 / 2 * (pair.up.weight.flatten(1) @ pair.down.weight.flatten(1)).view_as(layer.weight)
    assert torch.allclose(beside, layer(given), atol=1e-5)


class Stopped(Exception):
    pass


def trained_line(folder: Path, stop_at: int | None = None) -> Tensor:
    """A line fitted to noise: its weights after 120 steps. Stopped once, it goes on from the last checkpoint."""
    torch.manual_seed(0)
    line = nn.Linear(3, 1)
    steps = iter(range(1000))

    def loss_of(rng: np.random.Generator) -> Tensor:
        if next(steps) == stop_at:
            raise Stopped
        return (line(torch.randn(4, 3)) - float(rng.normal())).square().mean()

    follow(Course("line", steps=120, rate=0.1, seed=5), folder, line, loss_of)
    return line.weight.detach()


def test_a_training_that_was_stopped_ends_where_it_would_have_ended(tmp_path: Path) -> None:
    with pytest.raises(Stopped):
        trained_line(tmp_path / "stopped", stop_at=70)
    assert torch.equal(trained_line(tmp_path / "stopped"), trained_line(tmp_path / "unbroken"))


def test_a_finished_training_draws_no_further_step(tmp_path: Path) -> None:
    whole = trained_line(tmp_path)
    assert torch.equal(trained_line(tmp_path, stop_at=0), whole)


def test_each_training_makes_the_tensors_that_are_shipped(tmp_path: Path, files: Loaded) -> None:
    one = Course("one", steps=1, rate=1e-3)
    made = {
        "lora": train_lora(load_starter(), tmp_path / "lora", one, pictures=2),
        "vae": train_vae(load_starter(), tmp_path / "vae", one, pictures=2),
        "embedding": train_embedding(load_starter(), tmp_path / "embedding", one, pictures=2),
    }
    for what, tensors in made.items():
        again = load_file(write(what, tensors, tmp_path))
        assert {name: value.shape for name, value in again.items()} == {name: value.shape for name, value in files[what].items()}


def test_the_scenes_of_the_embedding_are_nights_in_the_mountains_and_none_is_held_out() -> None:
    scenes = [night_layout(number).scene for number in range(PICTURES)]
    assert {(scene.time, scene.mountains) for scene in scenes} == {("night", True)}
    assert not any(map(held_out, scenes))


def test_the_vectors_stand_where_the_word_stood(starter: Starter) -> None:
    ids, marks = coded(starter, [f"a red house, {WORD} and snow", WORD])
    before = starter.tokenizer("a red house,", add_special_tokens=False)["input_ids"]
    assert ids[0, 1 : 1 + len(before)].tolist() == before
    assert marks[0].nonzero().flatten().tolist() == [len(before) + 1, len(before) + 2]
    assert marks[1].tolist()[:4] == [0, 1, 2, 0] and ids[1, 3] == starter.tokenizer.eos_token_id


def test_an_inked_scene_has_little_colour_and_a_rim_of_paper_and_a_print_is_warm() -> None:
    layouts = [numbered_layout(number) for number in range(6)]
    drawn = np.stack([draw(layout, 128) for layout in layouts])
    inked = np.stack([styles.inked(layout, 128) for layout in layouts])
    printed = np.stack([styles.printed(picture) for picture in drawn])
    assert styles.colourfulness(inked) < 0.5 * styles.colourfulness(drawn)
    assert styles.paper_margin(inked) < 5 < styles.paper_margin(drawn)
    assert styles.warmth(printed) > styles.warmth(drawn) + 25 and styles.blackness(printed) > styles.blackness(drawn) + 25
    assert len(held_out_pictures(2, 64)) == 2 and COURSE.rate_at(COURSE.steps) == 0
