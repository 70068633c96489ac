"""Trains the starter's upscaler, four times larger, on its shipped weights, and writes its file:

    python -m models.starter.recipe.upscaler
    python -m models.starter.recipe.upscaler_evaluate

It may be stopped and started again and goes on where it was; once done it only writes its file. With --so-far it
writes what the last checkpoint holds and trains nothing.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.nn import functional

from models.starter.recipe.controls_nets import Averaged
from models.starter.recipe.extras_course import Course, follow
from models.starter.recipe.latents_stage import numbered_layout
from models.starter.recipe.networks import mixed_precision
from models.starter.recipe.progress import load
from models.starter.recipe.sampling import STARTER, Starter, load_starter
from models.starter.recipe.scenes import CENTRES, Scene
from models.starter.recipe.upscaler_net import SCALE, Compact, start
from models.starter.recipe.upscaler_pool import Pairs, numbered_pairs

FILE = "upscaler.safetensors"
PICTURES, BATCH = 400, 12
SIDE = 36  # of what is cut out of a small picture
WAY_SHARES = (0.15, 0.25, 0.3, 0.3)  # how often each of WAYS is shown
THING_SHARE = 0.7  # of the cuts: round a thing, where most edges are; the others anywhere
DECAY = 0.995
COURSE = Course("upscaler", steps=6000, rate=1.2e-3, seed=21)
DEVICE = torch.device("cpu")


def train_upscaler(starter: Starter, folder: Path, course: Course = COURSE, pictures: int = PICTURES) -> Compact:
    """On cuts of scenes and of what the starter makes of them. The average of the weights."""
    pairs = numbered_pairs(starter, folder, pictures)
    scenes = [numbered_layout(number).scene for number in range(pictures)]
    trained = _blank(course.seed)

    def loss_of(rng: np.random.Generator) -> Tensor:
        trained.follow()
        small, large = cuts(pairs, scenes, rng)
        with mixed_precision(DEVICE):
            made = trained.network(small)
        return upscaling_loss(made.float(), large)

    follow(course, folder, trained, loss_of)
    assert isinstance(trained.average, Compact)
    return trained.average


def _blank(seed: int) -> Averaged:
    torch.manual_seed(seed)
    network = Compact()
    start(network)
    return Averaged(network, DECAY)


def cuts(pairs: Pairs, scenes: list[Scene], rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    """Parts of small pictures (B, 3, s, s) and of the large ones (B, 3, 4 s, 4 s), 0..1, mirrored and turned by chance."""
    small, large = [], []
    for _ in range(BATCH):
        place, way = int(rng.integers(len(scenes))), int(rng.choice(len(WAY_SHARES), p=WAY_SHARES))
        x, y = _corner(scenes[place], pairs.small.shape[2], rng)
        mirrored = [axis for axis in (0, 1) if rng.random() < 0.5]
        axes = (1, 0) if rng.random() < 0.5 else (0, 1)
        for parts, picture, by in ((small, pairs.small[place, way], 1), (large, pairs.large[place], SCALE)):
            part = picture[by * y : by * (y + SIDE), by * x : by * (x + SIDE)]
            parts.append(part.flip(mirrored).permute(*axes, 2))
    return _to_unit(torch.stack(small)), _to_unit(torch.stack(large))


def _corner(scene: Scene, size: int, rng: np.random.Generator) -> tuple[int, int]:
    middle = rng.uniform(0, size, 2)
    if rng.random() < THING_SHARE:
        thing = scene.things[int(rng.integers(len(scene.things)))]
        middle = size * (np.array([CENTRES[thing.position], 0.66]) + rng.uniform(-0.16, 0.16, 2))
    x, y = np.clip(middle - SIDE / 2, 0, size - SIDE).astype(int).tolist()
    return x, y


def _to_unit(pictures: Tensor) -> Tensor:
    """uint8 (B, H, W, 3) to (B, 3, H, W) in 0..1, as upscalers have it."""
    return pictures.permute(0, 3, 1, 2).float().div(255).contiguous(memory_format=torch.channels_last)


def upscaling_loss(made: Tensor, wanted: Tensor) -> Tensor:
    """Charbonnier's (10.1109/ICIP.1994.413553) of (B, 3, H, W), and the absolute error of two things more.

    Of neighbour differences, so that edges come out sharp; and of the picture made small again, so that it stays the same picture.
    """
    error = made - wanted
    across, down = (error.diff(dim=dim).abs().mean() for dim in (2, 3))
    return (error.square() + 1e-6).sqrt().mean() + across + down + 0.5 * functional.avg_pool2d(error, SCALE).abs().mean()


# -- the file -----------------------------------------------------------------


def metadata() -> dict[str, str]:
    """What the file says of itself."""
    return {
        "modelspec.sai_model_spec": "1.0.0", "modelspec.implementation": "spandrel", "modelspec.architecture": "realesrgan-compact",
        "modelspec.resolution": "128x128", "modelspec.author": "Atelier", "modelspec.license": "that of the repository",
        "modelspec.title": "Starter x4", "modelspec.description": "Four times larger and crisp, for pictures of Atelier's starter model.",
        "format": "pt",
    }  # fmt: skip


def write(network: Compact, starter_folder: Path) -> Path:
    file = starter_folder / FILE
    partial = file.with_suffix(".partial")
    save_file({name: weight.half().contiguous() for name, weight in network.state_dict().items()}, partial, metadata())
    partial.chmod(0o644)  # safetensors writes for its owner alone
    return partial.replace(file)


def read(folder: Path = STARTER) -> Compact:
    """The shipped network, in float32."""
    network = Compact()
    network.load_state_dict({name: weight.float() for name, weight in load_file(folder / FILE).items()})
    return network.eval()


def so_far(folder: Path) -> Compact:
    """The average in the last checkpoint of a training."""
    stored, trained = load(folder, COURSE.name), _blank(0)
    if stored is None:
        raise FileNotFoundError(f"{folder}/{COURSE.name}.pt is missing: train it first")
    trained.load_state_dict(stored["weights"])
    assert isinstance(trained.average, Compact)
    return trained.average


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--starter", type=Path, default=STARTER)
    parser.add_argument("--folder", type=Path, default=Path("train"), help="checkpoints and pictures")
    parser.add_argument("--steps", type=int, help="in place of the usual number")
    parser.add_argument("--rate", type=float, help="learning rate at its peak, in place of the usual one")
    parser.add_argument("--so-far", action="store_true", help="write what the last checkpoint holds")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    wish = parser.parse_args()
    torch.set_num_threads(wish.threads)
    course = replace(COURSE, steps=wish.steps or COURSE.steps, rate=wish.rate or COURSE.rate)
    network = so_far(wish.folder) if wish.so_far else train_upscaler(load_starter(wish.starter), wish.folder, course)
    print(write(network, wish.starter))


if __name__ == "__main__":
    main()
