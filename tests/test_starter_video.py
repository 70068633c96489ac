"""The starter's video model: the scenes that it learns from are exact, its folder is a usual one, and what it shows is measured.

The bounds of what is drawn here lie well below the figures of figures.json, as few steps are taken of few clips.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from models.library.catalog import Catalog
from models.starter.recipe import video_evaluate, video_file
from models.starter.recipe.clips import DRIFT, Moving, Pace, clip, frame_of, moving_scene, pace_of, set_moving
from models.starter.recipe.clips_reader import drift_of, light_of, thing_mask, thing_of
from models.starter.recipe.sampling import STARTER, load_starter
from models.starter.recipe.scenes import Scene, Thing, draw, held_out
from models.starter.recipe.video_nets import Mover, clean_of, wanted_of

SIZE = 128
CAR = Scene((Thing("car", "red", "left", "small"),), "grass", "day", False)
MEBIBYTE = 1 << 20


@pytest.fixture(scope="module")
def car() -> Moving:
    return set_moving(CAR, 5)


@pytest.fixture(scope="module")
def found() -> dict[str, Any]:
    return json.loads((STARTER / "figures.json").read_text("utf-8"))["video"]


@pytest.fixture(scope="module")
def mover() -> Mover:
    return video_file.read()


def test_a_clip_begins_with_the_scene_and_ends_at_its_next_time_of_day(car: Moving) -> None:
    assert np.array_equal(frame_of(car, 0, 0, SIZE), draw(car.before, SIZE))
    assert np.array_equal(frame_of(car, 0, 1, SIZE), draw(car.after, SIZE))
    assert car.after.scene.time == "night"


def test_the_thing_moves_by_whole_pixels_and_nothing_else_does(car: Moving) -> None:
    still, moved = (frame_of(car, way / SIZE, 0, SIZE).astype(int) for way in (0, 20))
    there, here = (thing_mask(car, way / SIZE, SIZE) for way in (0, 20))
    assert there.sum() > 300 and (np.roll(there, 20, axis=1) != here).mean() < 0.002
    assert np.median(np.abs(np.roll(still, 20, axis=1) - moved)[here]) <= 2
    assert np.abs(still - moved)[~(there | here)].max() <= 10  # what differs by more is the thing's


@pytest.mark.parametrize(
    ("place", "time", "way"), [("left", "day", 1), ("right", "day", -1), ("middle", "day", -1), ("middle", "sunset", 1)]
)
def test_which_way_it_goes_can_be_seen_in_the_first_frame(place: str, time: str, way: int) -> None:
    assert set_moving(Scene((Thing("car", "red", place, "small"),), "grass", time, False), 5).way == way


def test_the_way_grows_with_the_motion_and_falls_with_the_frames_of_a_second() -> None:
    assert Pace(127, 7).drift(7) == pytest.approx(7 * DRIFT) and Pace(127, 7).light(7) == pytest.approx(0.5)
    assert Pace(254, 7).drift(7) == pytest.approx(14 * DRIFT) and Pace(127, 14).drift(7) == pytest.approx(3.5 * DRIFT)
    assert Pace(255, 5).light(13) == 1.0


def test_any_step_is_a_pace_that_a_model_may_be_told() -> None:
    rng = np.random.default_rng(0)
    for step in (0.05, 0.7, 2.8):
        pace = pace_of(step, rng)
        assert pace.passed(1) == pytest.approx(step) and 1 <= pace.motion <= 255 and 5 <= pace.rate <= 14


def test_scenes_that_are_measured_are_never_trained_on() -> None:
    rng = np.random.default_rng(1)
    assert all(not held_out(moving_scene(rng, is_held_out=False).scene) for _ in range(20))
    assert all(held_out(wish.moving.scene) for wish in video_evaluate.wishes(5))


def test_way_light_and_thing_are_read_off_a_drawn_frame(car: Moving) -> None:
    frame = clip(car, Pace(127, 7), [5], SIZE)[0]
    assert light_of(frame, car) == pytest.approx(5 / 14, abs=0.01)
    assert drift_of(frame, car) == pytest.approx(5 * DRIFT, abs=1 / SIZE)
    assert thing_of(frame, car, 5, 5 * DRIFT) == ("car", "red")


def test_what_the_network_is_to_say_gives_the_clip_back() -> None:
    clean, levels = torch.randn(3, 2, 4, 2, 2), torch.tensor([0.1, 1.0, 20.0])
    noisy = clean + levels.view(-1, 1, 1, 1, 1) * torch.randn_like(clean)
    torch.testing.assert_close(clean_of(wanted_of(clean, noisy, levels), noisy, levels), clean, rtol=1e-4, atol=1e-4)


def test_the_library_offers_it_with_what_suits_it() -> None:
    catalog = Catalog(STARTER)
    own = next(file for file in catalog.models() if file.name == "Starter video")
    told = catalog.checkpoint(own.id).defaults
    assert (own.identity.family, told["width"], told["height"], told["frames"]) == ("svd", SIZE, SIZE, 8)
    assert sum(file.stat().st_size for file in (STARTER / video_file.FOLDER).rglob("*.safetensors")) < 14 * MEBIBYTE


def test_it_has_the_starters_vae(mover: Mover) -> None:
    vae, own = load_starter().vae.state_dict(), mover.vae.state_dict()
    assert vae.keys() == own.keys() and all(torch.equal(own[name], vae[name]) for name in vae)


def test_the_light_of_a_clip_goes_on_as_far_as_was_asked(mover: Mover) -> None:
    asked = [replace(wish, pace=Pace(motion, 7)) for wish in video_evaluate.wishes(1, seed=3) for motion in (10, 220)]
    made = video_evaluate.clips_drawn(mover, asked, steps=6)
    little, much = (light_of(own[-1], wish.moving) for own, wish in zip(made, asked, strict=True))
    assert little < 0.35 and much > 0.45 and much - little > 0.25


def test_the_figures_say_what_was_reached(found: dict[str, Any]) -> None:
    model, still = found["the model"], found["standing still"]
    assert model["light_error"] < 0.2 < still["light_error"] and model["psnr_db"] > still["psnr_db"] + 1
    assert still["way_right"] < 0.3 < 0.95 < found["drawn exactly, through the VAE"]["way_right"]


def test_the_card_states_them(found: dict[str, Any]) -> None:
    rows = {name: own for name, own in found.items() if name != "clips"}
    assert video_evaluate.card_table(rows, found["clips"]) in (STARTER / "README.md").read_text("utf-8")
