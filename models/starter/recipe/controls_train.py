"""Training of the controls: two ControlNets, the depth UNet and the depth estimator, each a course of `extras_course`.

The ControlNets and the depth UNet learn on the stored latents of the same scenes, by the loss the starter was
trained with; their maps are drawn and spoiled afresh at every step.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from diffusers import ControlNetModel, UNet2DConditionModel
from numpy.typing import NDArray
from torch import Tensor
from transformers import DPTForDepthEstimation

from models.starter.recipe.captions import caption
from models.starter.recipe.controls_maps import depth_map, outline_map, spoiled, to_condition, to_latent_depth
from models.starter.recipe.controls_nets import (
    DEPTH_GAIN,
    Averaged,
    WithControlNet,
    WithDepth,
    new_controlnet,
    new_depth_unet,
    new_estimator,
    steered,
    with_depth_gain,
)
from models.starter.recipe.extras_course import Course, follow
from models.starter.recipe.extras_pictures import noise_loss, pool_of
from models.starter.recipe.latents_stage import Pool, numbered_layout
from models.starter.recipe.networks import decoded, encoded
from models.starter.recipe.progress import load, save, to_network
from models.starter.recipe.sampling import Starter, states_of
from models.starter.recipe.scenes import Layout, arrange, depth, draw, scene_of_split
from models.starter.recipe.vae_stage import LATENT_NOISE

PICTURES, BATCH = 4000, 8
ROUND_TRIPS = 500
WORDLESS_SHARE = 0.3  # of a ControlNet's captions: the map alone has to do
DEPTH_WORDLESS_SHARE = 0.5  # of the depth UNet's, which knows the scenes by words and would leave the map alone
DECAY = 0.995
DEPTH_DECAY = 0.98  # of the depth UNet's average, whose depth channel changes late and fast
COURSES = {
    "outlines": Course("control-outlines", steps=6300, rate=5e-4, seed=11),
    "depth": Course("control-depth", steps=2000, rate=5e-4, seed=12),
    "depth-unet": Course("depth-unet", steps=2400, rate=1e-3, seed=13),
    "estimator": Course("depth-estimator", steps=2500, rate=1.5e-3, seed=14),
}

Maps = Callable[[list[int], np.random.Generator], Tensor]


def layouts_of(pictures: int) -> list[Layout]:
    return [numbered_layout(number) for number in range(pictures)]


def train_controlnet(starter: Starter, folder: Path, what: str, course: Course, pictures: int = PICTURES) -> ControlNetModel:
    """`what`: "outlines" or "depth". The average of the weights.

    Depth begins where the outlines in the folder ended, if they are there: how a map reaches the UNet is learnt then.
    """
    layouts = layouts_of(pictures)
    pool = pool_of(folder, "control_latents", starter, layouts, draw)
    freeze(starter)
    torch.manual_seed(course.seed)
    trained = Averaged(_first_controlnet(starter, folder, what), DECAY)
    maps_of = _outline_maps(layouts, _size(starter)) if what == "outlines" else _depth_maps(layouts, _size(starter))

    def loss_of(rng: np.random.Generator) -> Tensor:
        trained.follow()
        assert isinstance(trained.network, ControlNetModel)
        return controlnet_loss(starter, trained.network, pool, maps_of, rng)

    follow(course, folder, trained, loss_of)
    assert isinstance(trained.average, ControlNetModel)
    return trained.average


def _first_controlnet(starter: Starter, folder: Path, what: str) -> ControlNetModel:
    network = new_controlnet(starter.unet)
    if what == "depth" and (before := load(folder, COURSES["outlines"].name)) is not None:
        prefix = "average."
        network.load_state_dict({name[len(prefix) :]: value for name, value in before["weights"].items() if name.startswith(prefix)})
    return network


def controlnet_loss(starter: Starter, network: ControlNetModel, pool: Pool, maps_of: Maps, rng: np.random.Generator) -> Tensor:
    """Of the frozen UNet with what the ControlNet adds."""
    places, latents, text = _batch(starter, pool, WORDLESS_SHARE, rng)
    return noise_loss(steered(starter, WithControlNet(starter.unet, network, maps_of(places, rng))), latents, text)


def train_depth_unet(starter: Starter, folder: Path, course: Course, pictures: int = PICTURES) -> UNet2DConditionModel:
    """All of it is trained, the depth channel `DEPTH_GAIN` times as fast as the rest. The average of the weights."""
    layouts = layouts_of(pictures)
    pool = pool_of(folder, "control_latents", starter, layouts, draw)
    freeze(starter)
    trained = Averaged(new_depth_unet(starter.unet), DEPTH_DECAY)

    def loss_of(rng: np.random.Generator) -> Tensor:
        trained.follow()
        assert isinstance(trained.network, UNet2DConditionModel)
        places, latents, text = _batch(starter, pool, DEPTH_WORDLESS_SHARE, rng)
        near = np.stack([depth_map(layouts[place], _size(starter), rng) for place in places])
        maps = to_latent_depth(near, starter.unet.config["sample_size"])
        return noise_loss(steered(starter, WithDepth(trained.network, DEPTH_GAIN * maps)), latents, text)

    follow(course, folder, trained, loss_of)
    assert isinstance(trained.average, UNet2DConditionModel)
    return with_depth_gain(trained.average)


def freeze(starter: Starter) -> None:
    for network in (starter.unet, starter.text_encoder, starter.vae):
        network.requires_grad_(False)


def _size(starter: Starter) -> int:
    return starter.vae.config["sample_size"]


def _batch(starter: Starter, pool: Pool, wordless: float, rng: np.random.Generator) -> tuple[list[int], Tensor, Tensor]:
    """Places in the pool, their scaled latents, and the text states of captions made up for them."""
    places = rng.integers(len(pool.scenes), size=BATCH).tolist()
    words = ["" if rng.random() < wordless else caption(pool.scenes[place], rng)[0] for place in places]
    latents = pool.latents[torch.tensor(places)].float() * starter.vae.config["scaling_factor"]
    return places, latents, states_of(starter, words)


def _outline_maps(layouts: list[Layout], size: int) -> Maps:
    def maps_of(places: list[int], rng: np.random.Generator) -> Tensor:
        others = rng.integers(len(layouts), size=len(places)).tolist()
        pairs = zip(places, others, strict=True)
        return to_condition(np.stack([outline_map(layouts[place], layouts[other], size, rng) for place, other in pairs]))

    return maps_of


def _depth_maps(layouts: list[Layout], size: int) -> Maps:
    return lambda places, rng: to_condition(np.stack([depth_map(layouts[place], size, rng) for place in places]))


# -- the estimator ------------------------------------------------------------


def train_estimator(starter: Starter, folder: Path, course: Course, pictures: int = ROUND_TRIPS) -> DPTForDepthEstimation:
    """On pictures drawn afresh, a third of them through the VAE. The average of the weights."""
    size, layouts = _size(starter), layouts_of(pictures)
    passed = _round_trips(starter, folder, layouts)
    torch.manual_seed(course.seed)
    trained = Averaged(new_estimator(size), DECAY)

    def loss_of(rng: np.random.Generator) -> Tensor:
        trained.follow()
        assert isinstance(trained.network, DPTForDepthEstimation)
        pairs = [_example(passed, layouts, size, rng) for _ in range(BATCH)]
        seen = torch.from_numpy(np.stack([picture for picture, _ in pairs]))
        wanted = torch.from_numpy(np.stack([near for _, near in pairs]))
        return nearness_loss(trained.network(pixel_values=to_network(seen, torch.device("cpu"))).predicted_depth, wanted)

    follow(course, folder, trained, loss_of)
    assert isinstance(trained.average, DPTForDepthEstimation)
    return trained.average


def nearness_loss(made: Tensor, wanted: Tensor) -> Tensor:
    """The absolute error of nearness (B, H, W) and of its slopes, so that edges come out sharp, and the root of its mean square.

    The last because things cover little of a picture: by the absolute error alone leaving them out is long the best answer.
    """
    error = made - wanted
    across, down = (error.diff(dim=dim).abs().mean() for dim in (1, 2))
    return error.abs().mean() + across + down + error.square().mean((1, 2)).sqrt().mean()


def _example(
    passed: NDArray[np.uint8], layouts: list[Layout], size: int, rng: np.random.Generator
) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    if rng.random() < 0.33:
        place = int(rng.integers(len(layouts)))
        return spoiled(passed[place], rng), depth(layouts[place], size)
    layout = arrange(scene_of_split(rng, is_held_out=False), rng)
    return spoiled(draw(layout, size), rng), depth(layout, size)


def _round_trips(starter: Starter, folder: Path, layouts: list[Layout]) -> NDArray[np.uint8]:
    """The scenes as the VAE gives them back from latents with a little noise on them, (N, size, size, 3). Kept in the folder."""
    stored = load(folder, "control_round_trips")
    if stored is None or len(stored["pictures"]) != len(layouts):
        torch.manual_seed(0)
        stored = {"pictures": torch.cat([_round_trip(starter, layouts[at : at + BATCH]) for at in range(0, len(layouts), BATCH)])}
        save(folder, "control_round_trips", stored)
    return stored["pictures"].numpy()


@torch.no_grad()
def _round_trip(starter: Starter, layouts: list[Layout]) -> Tensor:
    drawn = torch.from_numpy(np.stack([draw(layout, _size(starter)) for layout in layouts]))
    latents = encoded(starter.vae, to_network(drawn, starter.vae.device)).mean
    made = decoded(starter.vae, latents + LATENT_NOISE * latents.std() * torch.randn_like(latents))
    return ((made.clamp(-1, 1) + 1) * 127.5).byte().permute(0, 2, 3, 1)
