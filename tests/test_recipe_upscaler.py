"""The starter's upscaler: what the file is, that others read it as we do, and that it does more than a filter.

The bounds lie between the figures of figures.json for Lanczos and for the upscaler, nearer to the second.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file
from torch.nn import functional

from models.starter.recipe.controls_figures import held_out_layouts
from models.starter.recipe.extras_course import Course
from models.starter.recipe.judge import Judge
from models.starter.recipe.progress import to_network
from models.starter.recipe.sampling import STARTER, Starter, load_starter
from models.starter.recipe.upscaler import FILE, cuts, metadata, read, train_upscaler, write
from models.starter.recipe.upscaler_evaluate import card_table, edge_steps, psnr, reduced, ways_to_enlarge
from models.starter.recipe.upscaler_net import Compact, start
from models.starter.recipe.upscaler_pool import WAYS, Pairs, pairs_of

SCENES = 4


@pytest.fixture(scope="module")
def starter() -> Starter:
    return load_starter()


@pytest.fixture(scope="module")
def pairs(starter: Starter) -> Pairs:
    """Held-out scenes in every way."""
    return pairs_of(starter, held_out_layouts(SCENES), 3)


# -- the file -----------------------------------------------------------------


def test_the_file_is_small_and_finite_and_says_what_it_is() -> None:
    tensors = load_file(STARTER / FILE)
    assert (STARTER / FILE).stat().st_size < 3_000_000
    assert {tensor.dtype for tensor in tensors.values()} == {torch.float16}
    assert all(tensor.isfinite().all() for tensor in tensors.values())
    with safe_open(STARTER / FILE, "pt") as file:
        assert file.metadata() == metadata()


def test_spandrel_reads_it_and_enlarges_bit_for_bit_as_the_recipe_does(pairs: Pairs) -> None:
    from spandrel import ImageModelDescriptor, ModelLoader  # after the recipe's package has prepared for it

    theirs = ModelLoader().load_from_state_dict(load_file(STARTER / FILE))
    assert isinstance(theirs, ImageModelDescriptor)
    assert (theirs.architecture.name, theirs.scale, theirs.input_channels, theirs.output_channels) == ("RealESRGAN Compact", 4, 3, 3)
    given = (to_network(pairs.small[:1, 1], torch.device("cpu")) + 1) / 2
    with torch.no_grad():
        assert torch.equal(theirs.model.float()(given), read()(given))


def test_the_card_states_the_figures_that_were_measured() -> None:
    found = json.loads((STARTER / "figures.json").read_text("utf-8"))["upscaler"]
    scenes = found.pop("scenes")
    assert card_table(found, scenes) in (STARTER / "README.md").read_text("utf-8")


# -- what it does -------------------------------------------------------------


def test_it_is_nearer_to_the_scene_drawn_large_than_lanczos_and_its_edges_are_sharper(pairs: Pairs) -> None:
    large, round_trips = pairs.large.numpy(), pairs.small[:, 1].numpy()
    ways = ways_to_enlarge(read())
    ours, lanczos = (ways[name](round_trips) for name in ("the upscaler", "Lanczos"))
    assert np.mean(psnr(ours, large)) > np.mean(psnr(lanczos, large)) + 1
    assert np.mean(edge_steps(ours, large)) > 1.8 * np.mean(edge_steps(lanczos, large))


def test_what_it_adds_to_the_nearest_pixels_follows_the_picture(pairs: Pairs) -> None:
    """A body that has learnt nothing adds the same sixteen numbers everywhere."""
    given = (to_network(pairs.small[:, 1], torch.device("cpu")) + 1) / 2
    with torch.no_grad():
        assert read().body(given).std((0, 2, 3)).min() > 0.005


def test_made_small_again_the_judge_reads_the_same(pairs: Pairs) -> None:
    judge, small = Judge.load(), pairs.small[:, 1].numpy()
    assert judge.read(reduced(ways_to_enlarge(read())["the upscaler"](small))) == judge.read(small)


# -- how it is made -----------------------------------------------------------


def test_at_the_start_it_enlarges_bilinearly() -> None:
    network = Compact()
    start(network)
    given = torch.rand((1, 3, 24, 24), generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        made, wanted = network(given), functional.interpolate(given, scale_factor=4, mode="bilinear")
    assert torch.allclose(made[..., 4:-4, 4:-4], wanted[..., 4:-4, 4:-4], atol=1e-5)


def test_a_cut_of_the_large_picture_shows_what_the_small_one_shows(pairs: Pairs) -> None:
    small_again = torch.from_numpy(reduced(pairs.large.numpy()))
    drawn = Pairs(pairs.large, torch.stack([small_again] * len(WAYS), 1))
    small, large = cuts(drawn, [layout.scene for layout in held_out_layouts(SCENES)], np.random.default_rng(1))
    assert (functional.avg_pool2d(large, 4) - small).abs().max() < 0.004
    assert small.std() > 0.05


def test_the_training_makes_the_tensors_that_are_shipped(starter: Starter, tmp_path: Path) -> None:
    network = train_upscaler(starter, tmp_path, Course("one", steps=1, rate=1e-3), pictures=2)
    again, shipped = load_file(write(network, tmp_path)), load_file(STARTER / FILE)
    assert {name: value.shape for name, value in again.items()} == {name: value.shape for name, value in shipped.items()}
