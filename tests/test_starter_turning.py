"""The starter's model that turns things: what it learns from is exact, its file is a usual one, and what it shows is measured.

The bounds of what is drawn here lie well below the figures of figures.json, as few steps are taken of few pictures.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from models.library.catalog import Catalog
from models.starter.recipe import turn_evaluate, turn_file
from models.starter.recipe.moving_course import train_for, trained
from models.starter.recipe.moving_vision import new_vision
from models.starter.recipe.sampling import STARTER, load_starter
from models.starter.recipe.scenes import COLOURS
from models.starter.recipe.solids import LIGHT, SCHEMES, SOLIDS, Pose, Solid, random_pose, render, turned
from models.starter.recipe.solids_reader import angle_between, new_reader
from models.starter.recipe.turn_nets import TurnDenoiser, Turner
from models.starter.recipe.turn_stage import set_side_by_side
from pipelines.denoising.turning import View

SIZE = 128
MEBIBYTE = 1 << 20


@pytest.fixture(scope="module")
def found() -> dict[str, Any]:
    return json.loads((STARTER / "figures.json").read_text("utf-8"))["turn"]


@pytest.fixture(scope="module")
def turner() -> Turner:
    return turn_file.read()


def test_each_side_of_a_cube_has_its_colour_in_its_light() -> None:
    light = 0.6 + 0.4 * LIGHT[2]  # of a side that is looked at straight
    for side, colour in enumerate(SCHEMES["garden"]):
        picture = render(Solid("cube", "garden"), Pose(90.0 * side, 0.0, 3.0), SIZE)
        assert picture[64, 64] == pytest.approx(np.array(COLOURS[colour]) * light, abs=2)
        assert (picture[:8] == 255).all() and (picture[:, :8] == 255).all()


def test_a_pose_is_told_as_the_studio_tells_it() -> None:
    before, after = Pose(350, 10, 3.2), Pose(40, 30, 3.0)
    assert turned(before, after) == pytest.approx(View(azimuth=50, up=20, nearer=0.2).numbers(None))


def test_the_angle_is_read_off_a_drawn_view() -> None:
    reader, rng = new_reader(elevations=(8.0, 25.0, 42.0), distances=(3.0,), azimuths=tuple(range(0, 360, 10))), np.random.default_rng(2)
    for solid in SOLIDS:
        pose = random_pose(rng)
        seen, read = reader.read(render(solid, pose, SIZE))
        assert seen == solid and angle_between(read.azimuth, pose.azimuth) <= 10 and abs(read.elevation - pose.elevation) <= 10


def test_angles_are_compared_around_the_circle() -> None:
    assert angle_between(350, 10) == 20 and angle_between(90, 270) == 180


def test_a_training_learns_keeps_its_checkpoint_and_goes_on(tmp_path: Path) -> None:
    network, steps = nn.Linear(1, 1), list[int]()

    def loss_of(rng: np.random.Generator) -> torch.Tensor:
        steps.append(1)
        x = torch.from_numpy(rng.standard_normal((8, 1))).float()
        return (network(x) - 3 * x).square().mean()

    train_for("toy", tmp_path, 0.01, network, loss_of, 0.05)
    kept = trained("toy", tmp_path, nn.Linear(1, 1))
    assert torch.equal(kept.weight, network.weight) and abs(network.weight.item() - 3) < 0.5
    done = len(steps)
    train_for("toy", tmp_path, 0.01, network, loss_of, 0.05)  # its time is over
    assert len(steps) == done


def test_the_projection_begins_with_facts_and_pose_side_by_side() -> None:
    reader, projection = nn.Linear(64, 9), nn.Linear(68, 96)
    set_side_by_side(projection, reader)
    seen, pose = torch.randn(3, 64), torch.tensor([[0.3, 0.5, -0.5, 0.2]]).repeat(3, 1)
    token, read = projection(torch.cat([seen, pose], 1)), reader(seen)
    torch.testing.assert_close(token[:, :9], torch.cat([read[:, :5] / 5, read[:, 5:]], 1))
    torch.testing.assert_close(token[:, 9:13], pose * torch.tensor([2.0, 1.0, 1.0, 2.0]))


def test_the_library_lists_it_as_what_it_is() -> None:
    listed = {file.name: file.identity for file in Catalog(STARTER).models()}
    assert (listed["Starter turn"].kind, listed["Starter turn"].family) == ("checkpoint", "zero123")
    assert listed["Starter turn"].defaults.items() >= turn_file.SUITS.items()
    assert (STARTER / turn_file.FILE).stat().st_size < 13 * MEBIBYTE


def test_a_file_that_is_written_is_read_tensor_by_tensor(tmp_path: Path) -> None:
    torch.manual_seed(0)
    turner = Turner(TurnDenoiser(SIZE), new_vision(), load_starter().vae)
    turn_file.write(turner, tmp_path)
    again = turn_file.read(tmp_path)
    for ours, theirs in ((turner.denoiser, again.denoiser), (turner.vision, again.vision), (turner.vae, again.vae)):
        wanted, own = ours.state_dict(), theirs.state_dict()
        assert wanted.keys() == own.keys() and all(torch.equal(wanted[name].half().float(), own[name]) for name in wanted)


def test_it_has_the_starters_vae(turner: Turner) -> None:
    vae, own = load_starter().vae.state_dict(), turner.vae.state_dict()
    assert all(torch.equal(own[name], vae[name]) for name in vae)


def test_there_is_a_thing_of_each_kind_to_begin_with() -> None:
    for solid in turn_file.THINGS:
        picture = np.asarray(Image.open((STARTER / turn_file.FILE).with_name(f"{solid.kind}.png")))
        assert np.array_equal(picture, render(solid, turn_file.TAKEN_FROM, SIZE))


def test_a_thing_is_drawn_from_where_it_was_asked_for(turner: Turner) -> None:
    asked = turn_evaluate.wishes(6, seed=3)
    made = turn_evaluate.views_drawn(turner, asked, steps=8)
    reader = new_reader(elevations=(8.0, 20.0, 32.0, 44.0), distances=(3.0,), azimuths=tuple(range(0, 360, 10)))
    assert turn_evaluate.figures_of(made, asked, reader)["angle_right"] >= 4 / 6


def test_the_figures_say_what_was_promised(found: dict[str, Any]) -> None:
    assert found["the model"]["angle_right"] >= 0.8 and found["the model"]["colours_right"] >= 0.9
    assert found["not turned"]["angle_right"] < 0.3 < 0.99 < found["drawn exactly"]["angle_right"]


def test_the_card_states_them(found: dict[str, Any]) -> None:
    rows = {name: own for name, own in found.items() if name != "views"}
    assert turn_evaluate.card_table(rows, found["views"]) in (STARTER / "README.md").read_text("utf-8")
