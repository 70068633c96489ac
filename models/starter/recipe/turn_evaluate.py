"""Measures the tiny Zero123: is the thing drawn from where it was asked for?

    python -m models.starter.recipe.turn_evaluate --views 100

The views asked for are of poses that were never trained on. What is drawn is read by comparison with all drawn views (`solids_reader.py`).
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from diffusers import DDIMScheduler
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from models.starter.recipe.evaluate import write_card, write_figures
from models.starter.recipe.moving_course import trained
from models.starter.recipe.moving_vision import SIZE, embeddings
from models.starter.recipe.networks import encoded
from models.starter.recipe.progress import to_network
from models.starter.recipe.sampling import STARTER, load_starter, to_pictures
from models.starter.recipe.solids import SOLIDS, Pose, Solid, random_pose, render, turned
from models.starter.recipe.solids_reader import SolidReader, angle_between, new_reader
from models.starter.recipe.turn_file import read
from models.starter.recipe.turn_nets import PoseStudent, TurnDenoiser, Turner
from models.starter.recipe.turn_stage import TURN, trained_reader

STEPS, GUIDANCE = 20, 3.0
RIGHT = 20.0  # degrees beside the angle that was asked for are still right
AT_ONCE = 20


@dataclass(frozen=True)
class Wish:
    """A solid, as it is seen in the picture given and from where it shall be seen."""

    solid: Solid
    before: Pose
    after: Pose


def from_checkpoints(folder: Path) -> Turner:
    student = trained(TURN, folder, PoseStudent(SIZE))
    assert isinstance(student, PoseStudent)
    return Turner(student.denoiser, trained_reader(folder).vision, load_starter().vae)


def wishes(count: int, seed: int = 99) -> list[Wish]:
    """Every solid about as often."""
    rng = np.random.default_rng(seed)
    return [Wish(SOLIDS[number % len(SOLIDS)], random_pose(rng), random_pose(rng)) for number in range(count)]


@torch.no_grad()
def views_drawn(turner: Turner, asked: Sequence[Wish], steps: int = STEPS, guidance: float = GUIDANCE, seed: int = 1) -> NDArray[np.uint8]:
    """(B, size, size, 3), by DDIM, from one noise."""
    pictures = torch.from_numpy(np.stack([render(wish.solid, wish.before, SIZE) for wish in asked]))
    seen, beside = embeddings(turner.vision, pictures), encoded(turner.vae, to_network(pictures, turner.vae.device)).mean
    poses = torch.tensor([turned(wish.before, wish.after) for wish in asked])
    first = torch.randn((1, *beside.shape[1:]), generator=torch.Generator().manual_seed(seed))
    return to_pictures(turner.vae, _denoised(turner.denoiser, first.expand_as(beside), (seen, poses, beside), steps, guidance))


def _denoised(denoiser: TurnDenoiser, latents: Tensor, told: tuple[Tensor, Tensor, Tensor], steps: int, guidance: float) -> Tensor:
    scheduler = DDIMScheduler(beta_schedule="scaled_linear", beta_start=0.00085, beta_end=0.012, clip_sample=False, steps_offset=1)
    scheduler.set_timesteps(steps)
    shown = torch.tensor([0.0] * len(latents) + [1.0] * len(latents))
    seen, poses, beside = (torch.cat([each, each]) for each in told)
    for timestep in scheduler.timesteps.tolist():
        times = torch.full((2 * len(latents),), timestep)
        without, wanted = denoiser(torch.cat([latents, latents]), times, seen, poses, beside, shown).chunk(2)
        latents = scheduler.step(without + guidance * (wanted - without), timestep, latents, return_dict=False)[0]
    return latents


def figures_of(drawn: NDArray[np.uint8], asked: Sequence[Wish], reader: SolidReader) -> dict[str, float]:
    """What was read in pictures against what was asked for."""
    read = [reader.read(picture) for picture in drawn]
    errors = np.array([angle_between(pose.azimuth, wish.after.azimuth) for (_, pose), wish in zip(read, asked, strict=True)])
    heights = np.array([abs(pose.elevation - wish.after.elevation) for (_, pose), wish in zip(read, asked, strict=True)])
    pairs = [(solid, wish.solid) for (solid, _), wish in zip(read, asked, strict=True)]
    return {
        "angle_right": float((errors <= RIGHT).mean()),
        "median_angle_error": float(np.median(errors)),
        "median_elevation_error": float(np.median(heights)),
        "kind_right": float(np.mean([found.kind == wanted.kind for found, wanted in pairs])),
        "colours_right": float(np.mean([found.scheme == wanted.scheme for found, wanted in pairs])),
    }


def drawn_exactly(asked: Sequence[Wish]) -> NDArray[np.uint8]:
    """What a perfect model would draw."""
    return np.stack([render(wish.solid, wish.after, SIZE) for wish in asked])


def figures(turner: Turner, count: int) -> dict[str, dict[str, float]]:
    """The model's; those of exact drawings, which are the most to be had; and those of the picture given, which nobody turned."""
    asked, reader = wishes(count), new_reader()
    made = np.concatenate([views_drawn(turner, asked[at : at + AT_ONCE]) for at in range(0, count, AT_ONCE)])
    given = np.stack([render(wish.solid, wish.before, SIZE) for wish in asked])
    rows = {"the model": made, "drawn exactly": drawn_exactly(asked), "not turned": given}
    return {name: figures_of(pictures, asked, reader) for name, pictures in rows.items()}


# -- where they go ------------------------------------------------------------

COLUMNS = {
    "angle_right": "Angle right within 20 degrees", "median_angle_error": "Degrees beside it",
    "median_elevation_error": "Degrees of height beside", "kind_right": "The same thing", "colours_right": "Its colours",
}  # fmt: skip


def card_table(found: Mapping[str, Mapping[str, float]], count: int) -> str:
    rows = [f"| {count} views | {' | '.join(COLUMNS.values())} |", "|---" * (len(COLUMNS) + 1) + "|"]
    for name, own in found.items():
        numbers = [f"{own[what]:.1f}" if what.startswith("median") else f"{100 * own[what]:.1f} %" for what in COLUMNS]
        rows.append("| " + " | ".join([name, *numbers]) + " |")
    return "\n".join(rows)


def sheet(turner: Turner, path: Path) -> None:
    """A row for each of six solids: the picture given, and views all around at the same height."""
    rows: list[NDArray[np.uint8]] = []
    for wish in wishes(6, seed=7):
        around = [Wish(wish.solid, wish.before, replace(wish.before, azimuth=wish.before.azimuth + turn)) for turn in range(0, 360, 60)]
        rows.append(np.concatenate([render(wish.solid, wish.before, SIZE), *views_drawn(turner, around)], axis=1))
    Image.fromarray(np.concatenate(rows)).save(path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("what", nargs="?", choices=("figures", "sheet", "so-far"), default="figures")
    parser.add_argument("--views", type=int, default=100, help="a multiple of 20")
    parser.add_argument("--folder", type=Path, help="checkpoints to measure instead of the starter's file")
    parser.add_argument("--to", type=Path, default=Path("turn.png"), help="where the sheet goes")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    turner = from_checkpoints(options.folder) if options.folder else read()
    if options.what == "sheet":
        sheet(turner, options.to)
        return
    found = {row: {name: round(value, 4) for name, value in own.items()} for row, own in figures(turner, options.views).items()}
    if options.what == "figures":
        write_figures(STARTER / "figures.json", {"turn": {"views": options.views} | found})
        write_card(STARTER / "README.md", "turn", card_table(found, options.views))
    print(card_table(found, options.views))


if __name__ == "__main__":
    main()
