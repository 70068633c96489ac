"""The starter's controls: what their maps are, that training reaches what it should, that the shipped files load and each steers.

The bounds on the shipped files lie between the figures of figures.json with and without the control, nearer to the first.
"""

from __future__ import annotations

import itertools
import json
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import cv2
import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from safetensors import safe_open
from safetensors.torch import load_file
from torch import Tensor, nn

from models.starter.recipe import controls_figures as figures
from models.starter.recipe.controls import (  # its package comes before torchvision, which diffusers imports
    FILES,
    ControlNetModel,
    DPTForDepthEstimation,
    UNet2DConditionModel,
    processor_of,
    read_controlnet,
    read_depth_unet,
    read_estimator,
    so_far,
    write,
)
from models.starter.recipe.controls_evaluate import (
    Steered,
    Wish,
    card_tables,
    drawn_by,
    estimator_figures,
    wish_of,
    with_controlnet,
    with_depth,
)
from models.starter.recipe.controls_maps import canny, depth_map, outline_map, parted, redrawn, to_condition, to_latent_depth
from models.starter.recipe.controls_nets import (
    Averaged,
    WithControlNet,
    WithDepth,
    control_sizes,
    new_controlnet,
    new_depth_unet,
    steered,
)
from models.starter.recipe.controls_train import (
    COURSES,
    controlnet_loss,
    freeze,
    layouts_of,
    nearness_loss,
    train_controlnet,
    train_depth_unet,
    train_estimator,
)
from models.starter.recipe.extras_course import Course, follow
from models.starter.recipe.judge import Judge
from models.starter.recipe.latents_stage import Pool, numbered_layout
from models.starter.recipe.sampling import STARTER, Starter, load_starter
from models.starter.recipe.scenes import TIMES, Layout, arrange, depth, draw, outlines
from models.tensors.embedded_sizes import OWN_SIZES, own_sizes

SIZE, GUIDANCE = 128, 5.0
LARGEST = 40_000_000  # bytes that the four may take together


@pytest.fixture(scope="module")
def starter() -> Starter:
    loaded = load_starter()
    freeze(loaded)
    return loaded


@pytest.fixture(scope="module")
def layouts() -> list[Layout]:
    return layouts_of(12)


@pytest.fixture(scope="module")
def wish() -> Wish:
    """Six held-out scenes and few steps."""
    return wish_of(6, GUIDANCE, steps=6)


# -- the maps -----------------------------------------------------------------


def test_outline_maps_are_lines_of_their_scene_whatever_is_done_to_them(layouts: list[Layout]) -> None:
    rng = np.random.default_rng(0)
    own, other = [], []
    for layout, stranger in itertools.pairwise(layouts):
        lines = outline_map(layout, stranger, SIZE, rng)
        assert lines.shape == (SIZE, SIZE) and lines.dtype == np.uint8 and 100 < lines.max() <= 255
        own.append(found_lines(lines, outlines(layout, SIZE)))
        other.append(found_lines(lines, outlines(stranger, SIZE)))
    assert min(own) > 0.4 and np.mean(own) > 0.75 and np.mean(other) < np.mean(own) - 0.2


def found_lines(lines: NDArray[np.uint8], exact: NDArray[np.uint8]) -> float:
    """The share of the exact lines with a drawn one within a pixel."""
    wide = cv2.dilate(lines, np.ones((3, 3), np.uint8))
    return float((wide[exact > 128] > 64).mean())


def test_decoration_is_told_from_outlines(layouts: list[Layout]) -> None:
    """Sun, moon and stars change with the time of day; the outlines must not say which it is."""
    scene = replace(layouts[0].scene, mountains=False)
    skies = [arrange(replace(scene, time=time), np.random.default_rng(1)) for time in TIMES]
    for layout in skies:
        kept, decoration = parted(layout, SIZE, 50)
        assert not (kept & decoration).any() and np.array_equal(kept | decoration, canny(draw(layout, SIZE), 50, 100))
        high = int(0.3 * SIZE)
        assert decoration[:high].any() and not kept[:high][outlines(layout, SIZE)[:high] == 0].any()


def test_redrawn_lines_stay_lines(layouts: list[Layout]) -> None:
    exact, rng = outlines(layouts[0], SIZE), np.random.default_rng(2)
    for _ in range(20):
        lines = redrawn(exact, rng)
        assert lines.max() >= 0.6 * 254 and (lines > 0).mean() < 4 * (exact > 0).mean()
        assert found_lines(lines, exact) > 0.95


def test_spoiled_depth_keeps_near_before_far(layouts: list[Layout]) -> None:
    rng = np.random.default_rng(3)
    for layout in layouts:
        near = depth_map(layout, SIZE, rng)
        assert near.shape == (SIZE, SIZE) and near.dtype == np.float32 and near.min() >= 0 and near.max() <= 1
        assert figures.correlation(near[None], depth(layout, SIZE)[None]) > 0.93


def test_maps_become_three_channels_or_latent_depth() -> None:
    lines = np.array([[[0, 255], [51, 0]]], np.uint8)
    assert to_condition(lines).shape == (1, 3, 2, 2) and to_condition(lines)[0, 2].flatten().tolist() == pytest.approx([0, 1, 0.2, 0])
    ramp = np.linspace(0.2, 0.7, SIZE, dtype=np.float32)[None, :, None].repeat(SIZE, 2)
    small = to_latent_depth(np.concatenate([ramp, np.full_like(ramp, 0.3)]), 16)
    assert small.shape == (2, 1, 16, 16) and small[0].min() == -1 and small[0].max() == 1 and not small[1].any()


def test_latent_depth_is_what_diffusers_makes_of_a_map(starter: Starter, layouts: list[Layout]) -> None:
    from diffusers import StableDiffusionDepth2ImgPipeline

    near = figures.depths(layouts[:2], SIZE)
    prepare = StableDiffusionDepth2ImgPipeline.prepare_depth_map

    class Stand:
        vae_scale_factor = 8

    theirs = prepare(Stand(), [np.zeros((SIZE, SIZE, 3))], torch.from_numpy(near), 2, False, torch.float32, torch.device("cpu"))  # pyright: ignore[reportArgumentType]
    assert torch.allclose(to_latent_depth(near, 16), theirs, atol=1e-5)


# -- how they are made --------------------------------------------------------


def test_before_training_neither_network_changes_what_the_starter_draws(starter: Starter) -> None:
    latents, text = torch.randn(2, 4, 16, 16), torch.randn(2, 77, 160)
    plain = starter.unet(latents, 500, encoder_hidden_states=text).sample
    maps = torch.rand(1, 3, SIZE, SIZE)
    with_net = WithControlNet(starter.unet, new_controlnet(starter.unet), maps)(latents, 500, text).sample
    with_map = WithDepth(new_depth_unet(starter.unet), maps[:, :1, :16, :16])(latents, 500, text).sample
    assert torch.allclose(with_net, plain, atol=1e-5) and torch.allclose(with_map, plain, atol=1e-5)


def test_gradients_reach_the_controlnet_and_nothing_else(starter: Starter, layouts: list[Layout]) -> None:
    torch.manual_seed(0)
    network = new_controlnet(starter.unet)
    pool = Pool(torch.randn(12, 4, 16, 16).half(), tuple(layout.scene for layout in layouts))
    loss = controlnet_loss(starter, network, pool, lambda places, rng: torch.rand(len(places), 3, SIZE, SIZE), np.random.default_rng(0))
    loss.backward()
    ends = [network.controlnet_mid_block, *network.controlnet_down_blocks]
    assert torch.isfinite(loss) and all(weight.grad is not None and weight.grad.any() for end in ends for weight in end.parameters())
    assert all(weight.grad is None for part in (starter.unet, starter.text_encoder, starter.vae) for weight in part.parameters())


def test_the_loss_of_the_estimator_is_nothing_for_the_exact_map_alone(layouts: list[Layout]) -> None:
    exact = torch.from_numpy(figures.depths(layouts[:2], SIZE))
    assert nearness_loss(exact, exact) == 0 and nearness_loss(exact + 0.1, exact) == pytest.approx(0.2, abs=1e-5)


class Stopped(Exception):
    pass


def trained_line(folder: Path, stop_at: int | None = None) -> Tensor:
    """A line fitted to noise: the average of its weights after 60 steps."""
    torch.manual_seed(0)
    trained, steps = Averaged(nn.Linear(3, 1), 0.9), iter(range(1000))

    def loss_of(rng: np.random.Generator) -> Tensor:
        trained.follow()
        if next(steps) == stop_at:
            raise Stopped
        return (trained.network(torch.randn(4, 3)) - float(rng.normal())).square().mean()

    follow(Course("line", steps=60, rate=0.1, seed=5), folder, trained, loss_of)
    return trained.average.get_parameter("weight")


def test_the_average_of_a_training_that_was_stopped_is_that_of_one_unbroken(tmp_path: Path) -> None:
    with pytest.raises(Stopped):
        trained_line(tmp_path / "stopped", stop_at=55)
    assert torch.equal(trained_line(tmp_path / "stopped"), trained_line(tmp_path / "unbroken"))


def test_the_average_keeps_up_with_a_network_that_stands_still() -> None:
    trained = Averaged(nn.Linear(2, 2), 0.9)
    nn.init.constant_(trained.network.get_parameter("weight"), 3.0)
    for _ in range(80):
        trained.follow()
    assert torch.allclose(trained.average.get_parameter("weight"), torch.full((2, 2), 3.0), atol=0.01)


def test_each_training_makes_the_tensors_that_are_shipped(tmp_path: Path) -> None:
    fresh, one = load_starter(), {what: replace(course, steps=1) for what, course in COURSES.items()}
    made = {
        "outlines": train_controlnet(fresh, tmp_path, "outlines", one["outlines"], pictures=2),
        "depth": train_controlnet(fresh, tmp_path, "depth", one["depth"], pictures=2),
        "depth-unet": train_depth_unet(fresh, tmp_path, one["depth-unet"], pictures=2),
        "estimator": train_estimator(fresh, tmp_path, one["estimator"], pictures=2),
    }
    for what, network in made.items():
        assert all(torch.isfinite(weight).all() for weight in network.parameters())
        write(what, network, fresh, tmp_path)
        assert shapes(tmp_path / FILES[what]) == shapes(STARTER / FILES[what])
    assert isinstance(so_far("depth", fresh, tmp_path), ControlNetModel)


def shapes(place: Path) -> dict[str, torch.Size]:
    files = [place] if place.is_file() else sorted(place.glob("*.safetensors"))
    return {name: value.shape for file in files for name, value in load_file(file).items()}


# -- the shipped files --------------------------------------------------------


@pytest.mark.parametrize("what", ["outlines", "depth"])
def test_a_controlnet_file_says_of_which_sizes_it_is_and_is_of_them(what: str, starter: Starter) -> None:
    with safe_open(STARTER / FILES[what], "pt") as file:
        about, kinds = file.metadata() or {}, {file.get_tensor(name).dtype for name in file.keys()}  # noqa: SIM118 (no mapping)
    sizes: dict[str, Any] = {**own_sizes(about, "controlnet")}
    assert json.loads(about[OWN_SIZES]) == {"controlnet": sizes} and sizes == control_sizes(starter.unet) and kinds == {torch.float16}
    assert about["modelspec.architecture"] == "stable-diffusion-v1/controlnet" and about["modelspec.title"]
    network = ControlNetModel(**sizes)
    network.load_state_dict(load_file(STARTER / FILES[what]), strict=True)
    assert all(weight.any() for name, weight in network.named_parameters() if name.startswith(("controlnet_down", "controlnet_mid")))


def test_the_depth_unet_and_the_estimator_load_by_their_libraries_without_a_weight_too_few_or_many() -> None:
    for kind, what in ((UNet2DConditionModel, "depth-unet"), (DPTForDepthEstimation, "estimator")):
        how: dict[str, Any] = {"local_files_only": True, "output_loading_info": True}
        told = cast(Any, kind).from_pretrained(STARTER / FILES[what], **how)[1]
        assert not told["missing_keys"] and not told["unexpected_keys"] and not told["mismatched_keys"]
    network, processor = read_estimator()
    assert read_depth_unet().config["in_channels"] == 5 and network.config.image_size == SIZE
    assert processor.to_dict()["size"] == processor_of(SIZE).to_dict()["size"] and list(processor.image_mean) == [0.5] * 3


def test_all_together_they_are_small() -> None:
    folders = [STARTER / name for name in ("controlnets", "depth", "depth_estimator")]
    sizes = {folder.name: sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()) for folder in folders}
    assert sum(sizes.values()) <= LARGEST and sizes["depth_estimator"] <= 2_000_000


def test_the_estimator_sees_what_stands_where(layouts: list[Layout]) -> None:
    found = estimator_figures(8, SIZE)
    assert found["the estimator"]["correlation"] > 0.98
    assert found["the estimator"]["own_correlation"] > 0.7 > 0.3 > found["the mean map"]["own_correlation"]


def test_pictures_of_other_sizes_come_back_in_their_own_size() -> None:
    tall = np.stack([draw(numbered_layout(0), 192)])[:, :, :160]
    assert figures.estimated(*read_estimator(), tall).shape == (1, 192, 160)


def test_outlines_steer_and_words_still_decide_colour_and_time(starter: Starter, wish: Wish) -> None:
    maps = np.stack([outlines(layout, SIZE) for layout in wish.layouts])
    on, off = (drawn_by(with_controlnet(starter, "outlines", maps, STARTER, weight=weight), wish.words, wish) for weight in (1.0, 0.0))
    assert figures.mean_f1(on, list(maps)) > figures.mean_f1(off, list(maps)) + 0.05
    seen = figures.shares_seen(Judge.load().read(on), wish.said)
    assert seen["times"] >= 0.8 and seen["colours"] >= 0.6 and seen["kinds"] >= 0.7


def test_depth_steers_by_either_network(starter: Starter, wish: Wish) -> None:
    """Without words, so that the map alone can say what stands where."""
    maps = figures.depths(wish.layouts, SIZE)
    ways: dict[str, Steered] = {
        "net": with_controlnet(starter, "depth", maps, STARTER),
        "unet": with_depth(starter, maps, STARTER),
        "none": lambda some: starter,
    }
    near = {name: figures.estimated(*read_estimator(), drawn_by(way, wish.wordless, wish)) for name, way in ways.items()}
    found = {name: figures.own_correlation(one, maps) for name, one in near.items()}
    assert min(found["net"], found["unet"]) > found["none"] + 0.35


def test_a_controlnet_outside_its_timesteps_does_nothing(starter: Starter, wish: Wish) -> None:
    maps = to_condition(np.stack([outlines(wish.layouts[0], SIZE)]))
    late = WithControlNet(starter.unet, read_controlnet("outlines"), maps, high=500)
    latents, text = torch.randn(1, 4, 16, 16), torch.randn(1, 77, 160)
    plain = starter.unet(latents, 700, encoder_hidden_states=text).sample
    assert torch.equal(late(latents, 700, text).sample, plain) and not torch.equal(late(latents, 499, text).sample, plain)
    assert steered(starter, late).vae is starter.vae


# -- figures ------------------------------------------------------------------


def test_lines_score_one_against_themselves_and_little_against_another_scene(layouts: list[Layout]) -> None:
    picture = np.full((SIZE, SIZE, 3), 255, np.uint8)
    cv2.rectangle(picture, (30, 40), (90, 100), (0, 0, 0), -1)
    assert figures.line_f1(picture, canny(picture, *figures.THRESHOLDS)) == pytest.approx(1)
    assert figures.line_f1(picture, np.zeros((SIZE, SIZE), np.uint8)) == 0
    drawn = draw(layouts[0], SIZE)
    assert figures.line_f1(drawn, outlines(layouts[0], SIZE)) > figures.line_f1(drawn, outlines(layouts[1], SIZE)) + 0.1


def test_correlation_beyond_the_mean_is_nothing_for_the_mean(layouts: list[Layout]) -> None:
    maps = figures.depths(layouts, SIZE)
    mean = np.repeat(maps.mean(0)[None], len(maps), axis=0)
    assert figures.correlation(mean, maps) > 0.9 and abs(figures.own_correlation(mean, maps)) < 0.05
    assert figures.own_correlation(maps, maps) == pytest.approx(1)


def test_a_repainted_scene_differs_in_colour_and_time_and_nothing_else(layouts: list[Layout]) -> None:
    rng = np.random.default_rng(0)
    for layout in layouts:
        words, said = figures.repainted(layout.scene, rng)
        assert words and said.time != layout.scene.time and (said.ground, said.mountains) == (layout.scene.ground, layout.scene.mountains)
        for asked, there in zip(said.things, layout.scene.things, strict=True):
            assert (asked.kind, asked.position, asked.size) == (there.kind, there.position, there.size) and asked.colour != there.colour


def test_the_card_shows_the_figures() -> None:
    found = json.loads((STARTER / "figures.json").read_text("utf-8"))["controls"]
    assert set(FILES) <= set(found) and card_tables(found) in (STARTER / "README.md").read_text("utf-8")
