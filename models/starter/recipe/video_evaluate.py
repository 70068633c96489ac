"""Measures the tiny video model: does the thing go as far as was asked, does the light go on, do kind and colour stay?

    python -m models.starter.recipe.video_evaluate --clips 20

The scenes were never trained on. What is drawn is compared with the exact drawings (`clips_reader.py`).
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKL
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from models.starter.recipe.clips import USUAL_RATE, Moving, Pace, clip, set_moving
from models.starter.recipe.clips_reader import drift_of, light_of, thing_of
from models.starter.recipe.evaluate import write_card, write_figures
from models.starter.recipe.moving_course import trained
from models.starter.recipe.moving_vision import SIZE, embeddings
from models.starter.recipe.networks import encoded
from models.starter.recipe.progress import to_network
from models.starter.recipe.sampling import STARTER, load_starter, to_pictures
from models.starter.recipe.scenes import scene_of_split
from models.starter.recipe.video_file import read
from models.starter.recipe.video_nets import FRAMES, GUIDANCE, STEPS, Mover, VideoDenoiser, WayStudent, clean_of
from models.starter.recipe.video_stage import USUAL_NOISE, VIDEO, numbers_of, trained_reader

MOTIONS = (30, 80, 127, 180, 230)
AT_ONCE = 5
NEAR = 4.0  # pixels beside the place that was asked for, and still there
HIGHEST, LOWEST, BEND = 700.0, 0.002, 7.0  # of the noise levels, by Karras et al. 2022


@dataclass(frozen=True)
class Wish:
    """A scene set with a seed, and its pace."""

    moving: Moving
    seed: int
    pace: Pace


def from_checkpoints(folder: Path) -> Mover:
    student = trained(VIDEO, folder, WayStudent(SIZE))
    assert isinstance(student, WayStudent)
    return Mover(student.denoiser, trained_reader(folder).vision, load_starter().vae)


def wishes(count: int, seed: int = 4711) -> list[Wish]:
    """Held-out scenes of one thing, each motion as often."""
    rng, found = np.random.default_rng(seed), list[Wish]()
    while len(found) < count:
        scene = scene_of_split(rng, is_held_out=True)
        if len(scene.things) == 1:
            own = int(rng.integers(2**32))
            found.append(Wish(set_moving(scene, own), own, Pace(MOTIONS[len(found) % len(MOTIONS)], USUAL_RATE)))
    return found


@torch.no_grad()
def clips_drawn(
    mover: Mover, asked: Sequence[Wish], frames: int = FRAMES, steps: int = STEPS, guidance: tuple[float, float] = GUIDANCE, seed: int = 1
) -> NDArray[np.uint8]:
    """(B, frames, size, size, 3)."""
    noise = torch.Generator().manual_seed(seed)
    first = torch.from_numpy(np.stack([clip(wish.moving, wish.pace, [0], SIZE)[0] for wish in asked]))
    pixels = to_network(first, mover.vae.device)
    beside = encoded(mover.vae, pixels + USUAL_NOISE * torch.randn(pixels.shape, generator=noise)).mean
    numbers = torch.stack([numbers_of(wish.pace, USUAL_NOISE) for wish in asked])
    told = (embeddings(mover.vision, first), beside, numbers)
    latents = HIGHEST * torch.randn((len(asked), frames, *beside.shape[1:]), generator=noise)
    made = _denoised(mover.denoiser, latents, told, steps, torch.linspace(*guidance, frames).view(1, -1, 1, 1, 1))
    pictures = [to_pictures(mover.vae, each) for each in made]
    return np.stack(pictures)


def _denoised(denoiser: VideoDenoiser, noisy: Tensor, told: tuple[Tensor, Tensor, Tensor], steps: int, scale: Tensor) -> Tensor:
    """Euler's way down the levels, of Karras' spacing."""
    seen, beside, numbers = told
    is_guided = bool((scale != 1).any())
    bent = torch.linspace(HIGHEST ** (1 / BEND), LOWEST ** (1 / BEND), steps) ** BEND
    for level, below in zip(bent.tolist(), [*bent[1:].tolist(), 0.0], strict=True):
        levels = torch.full((len(noisy),), level)
        clean, without = (
            clean_of(denoiser(noisy, levels, seen * share, beside * share, numbers), noisy, levels) if share or is_guided else None
            for share in (1.0, 0.0)
        )
        assert clean is not None
        clean = clean if without is None else without + scale * (clean - without)
        noisy = clean + (noisy - clean) * below / level
    return noisy


def figures_of(drawn: NDArray[np.uint8], asked: Sequence[Wish]) -> dict[str, float]:
    """What was read in the last frames against what was asked for."""
    last = drawn.shape[1] - 1
    lights = np.array([light_of(made[last], wish.moving) for made, wish in zip(drawn, asked, strict=True)])
    ways = np.array([drift_of(made[last], wish.moving) for made, wish in zip(drawn, asked, strict=True)]) * SIZE
    wanted = np.array([wish.pace.drift(last) for wish in asked]) * SIZE
    things = [(thing_of(made[last], wish.moving, wish.seed, way / SIZE), wish) for made, wish, way in zip(drawn, asked, ways, strict=True)]
    exact = np.stack([clip(wish.moving, wish.pace, range(last + 1), SIZE) for wish in asked])
    return {
        "way_correlation": float(np.corrcoef(ways, wanted)[0, 1]) if ways.std() else 0.0,
        "way_error": float(np.abs(ways - wanted).mean()),
        "way_right": float((np.abs(ways - wanted) <= NEAR).mean()),
        "light_error": float(np.abs(lights - [wish.pace.light(last) for wish in asked]).mean()),
        "kind_right": float(np.mean([kind == wish.moving.scene.things[0].kind for (kind, _), wish in things])),
        "colour_right": float(np.mean([colour == wish.moving.scene.things[0].colour for (_, colour), wish in things])),
        "psnr_db": float(np.mean([_psnr(made, other) for made, other in zip(drawn, exact, strict=True)])),
        **{_way(motion): float(ways[[wish.pace.motion == motion for wish in asked]].mean()) for motion in MOTIONS},
    }


def _way(motion: int) -> str:
    return f"way_at_{motion}"


def _psnr(made: NDArray[np.uint8], exact: NDArray[np.uint8]) -> float:
    return float(10 * np.log10(255**2 / max(1e-6, np.square(made.astype(np.float64) - exact).mean())))


def figures(mover: Mover, count: int) -> dict[str, dict[str, float]]:
    """The model's; those of exact drawings, as the VAE gives them back, the most to be had; and those of a picture that stands still."""
    asked = wishes(count)
    made = np.concatenate([clips_drawn(mover, asked[at : at + AT_ONCE]) for at in range(0, count, AT_ONCE)])
    exact = np.stack([clip(wish.moving, wish.pace, range(FRAMES), SIZE) for wish in asked])
    still = np.repeat(exact[:, :1], FRAMES, axis=1)
    rows = {"the model": made, "drawn exactly, through the VAE": _round_trip(mover.vae, exact), "standing still": still}
    return {name: figures_of(pictures, asked) for name, pictures in rows.items()}


@torch.no_grad()
def _round_trip(vae: AutoencoderKL, clips: NDArray[np.uint8]) -> NDArray[np.uint8]:
    scale = vae.config["scaling_factor"]
    return np.stack([to_pictures(vae, encoded(vae, to_network(torch.from_numpy(each), vae.device)).mean * scale) for each in clips])


# -- where they go ------------------------------------------------------------

COLUMNS = {
    "way_correlation": "Motion number and way", "way_right": "Within 4 pixels of the place", "way_error": "Pixels beside",
    "light_error": "Light, of its way beside", "kind_right": "The same thing", "colour_right": "Its colour", "psnr_db": "Likeness, dB",
}  # fmt: skip


def card_table(found: Mapping[str, Mapping[str, float]], count: int) -> str:
    rows = [f"| {count} clips | {' | '.join(COLUMNS.values())} |", "|---" * (len(COLUMNS) + 1) + "|"]
    for name, own in found.items():
        numbers = [f"{100 * own[what]:.1f} %" if what.endswith("right") else f"{own[what]:.2f}" for what in COLUMNS]
        rows.append("| " + " | ".join([name, *numbers]) + " |")
    head = f"| Pixels to the eighth frame, at motion | {' | '.join(map(str, MOTIONS))} |"
    asked = {"asked for": {_way(motion): Pace(motion, USUAL_RATE).drift(FRAMES - 1) * SIZE for motion in MOTIONS}}
    ways = [
        f"| {name} | " + " | ".join(f"{own[_way(motion)]:.1f}" for motion in MOTIONS) + " |" for name, own in {**asked, **found}.items()
    ]
    return "\n".join([*rows, "", head, "|---" * (len(MOTIONS) + 1) + "|", *ways])


def sheet(mover: Mover, path: Path) -> None:
    """Two rows for each of four scenes: the clip as it is drawn exactly, and the model's."""
    asked = wishes(4, seed=5)
    made = clips_drawn(mover, asked)
    rows: list[NDArray[np.uint8]] = []
    for wish, own in zip(asked, made, strict=True):
        rows += [np.concatenate(list(frames), axis=1) for frames in (clip(wish.moving, wish.pace, range(FRAMES), SIZE), own)]
    Image.fromarray(np.concatenate(rows)).save(path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("what", nargs="?", choices=("figures", "sheet", "so-far"), default="figures")
    parser.add_argument("--clips", type=int, default=30, help="a multiple of 5")
    parser.add_argument("--folder", type=Path, help="checkpoints to measure instead of the starter's files")
    parser.add_argument("--to", type=Path, default=Path("video.png"), help="where the sheet goes")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    mover = from_checkpoints(options.folder) if options.folder else read()
    if options.what == "sheet":
        sheet(mover, options.to)
        return
    found = {row: {name: round(value, 4) for name, value in own.items()} for row, own in figures(mover, options.clips).items()}
    if options.what == "figures":
        write_figures(STARTER / "figures.json", {"video": {"clips": options.clips} | found})
        write_card(STARTER / "README.md", "video", card_table(found, options.clips))
    print(card_table(found, options.clips))


if __name__ == "__main__":
    main()
