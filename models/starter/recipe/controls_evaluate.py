"""Measures the starter's controls, each against its own controls, and writes figures.json and the model card.

python -m models.starter.recipe.controls_evaluate --scenes 40
python -m models.starter.recipe.controls_evaluate outlines      # one kind; the figures of the others stay
python -m models.starter.recipe.controls_evaluate sheet      # maps and what becomes of them, controls.png

The scenes were never trained on. What is asked for has their kinds, places and sizes but other colours and
another time, so that neither the map nor the words alone suffice.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from models.starter.recipe.captions import Attributes
from models.starter.recipe.controls import FILES, read_controlnet, read_depth_unet, read_estimator
from models.starter.recipe.controls_figures import (
    Pictures,
    correlation,
    depths,
    estimated,
    held_out_layouts,
    mean_f1,
    own_correlation,
    repainted,
    shares_seen,
)
from models.starter.recipe.controls_maps import Nearness, to_condition, to_latent_depth
from models.starter.recipe.controls_nets import WithControlNet, WithDepth, steered
from models.starter.recipe.evaluate import HELD_OUT_SEED, write_card, write_figures
from models.starter.recipe.judge import Judge
from models.starter.recipe.latents_stage import numbered_layout
from models.starter.recipe.sampling import STARTER, Starter, load_starter, sample
from models.starter.recipe.scenes import Layout, draw, outlines

STEPS, AT_ONCE = 20, 20
HALF = 500  # the timestep in the middle
ESTIMATED = 200  # scenes that the estimator is measured on
Figures = dict[str, dict[str, float]]
Steered = Callable[[slice], Starter]
"""The starter with the maps of these of the scenes."""


@dataclass(frozen=True)
class Wish:
    """Held-out scenes, what is asked for beside their maps, and by which settings."""

    layouts: list[Layout]
    words: list[str]
    said: list[Attributes]
    guidance_scale: float
    steps: int = STEPS

    @property
    def wordless(self) -> list[str]:
        return [""] * len(self.words)


def wish_of(count: int, guidance_scale: float, steps: int = STEPS) -> Wish:
    layouts, rng = held_out_layouts(count), np.random.default_rng(HELD_OUT_SEED + 6)
    pairs = [repainted(layout.scene, rng) for layout in layouts]
    return Wish(layouts, [words for words, _ in pairs], [said for _, said in pairs], guidance_scale, steps)


def drawn_by(steered_for: Steered, words: Sequence[str], wish: Wish) -> Pictures:
    """A picture for each of the words, always from the same noise."""
    parts: list[Pictures] = []
    for at in range(0, len(words), AT_ONCE):
        some = slice(at, at + AT_ONCE)
        starter = steered_for(some)
        parts.append(sample(starter, list(words[some]), steps=wish.steps, guidance_scale=wish.guidance_scale, seed=1000 + at))
    return np.concatenate(parts)


def with_controlnet(starter: Starter, what: str, maps: NDArray[np.uint8] | Nearness, folder: Path, **how: Any) -> Steered:
    """`how`: weight, low and high of `WithControlNet`."""
    network, conditions = read_controlnet(what, folder), to_condition(maps)
    return lambda some: steered(starter, WithControlNet(starter.unet, network, conditions[some], **how))


def with_depth(starter: Starter, maps: Nearness, folder: Path) -> Steered:
    network, small = read_depth_unet(folder), to_latent_depth(maps, starter.unet.config["sample_size"])
    return lambda some: steered(starter, WithDepth(network, small[some]))


# -- outlines -----------------------------------------------------------------


def outline_figures(starter: Starter, judge: Judge, wish: Wish, folder: Path = STARTER) -> Figures:
    """How well the lines of the pictures are those of the map, and whether the words still decide."""
    size = starter.vae.config["sample_size"]
    maps = np.stack([outlines(layout, size) for layout in wish.layouts])
    others = np.roll(maps, 1, axis=0)

    def made(given: NDArray[np.uint8], words: list[str], **how: Any) -> Pictures:
        return drawn_by(with_controlnet(starter, "outlines", given, folder, **how), words, wish)

    shown = {
        "the scene itself, drawn": np.stack([draw(layout, size) for layout in wish.layouts]),
        "weight 1": made(maps, wish.words),
        "weight 0.5": made(maps, wish.words, weight=0.5),
        "weight 0": made(maps, wish.words, weight=0.0),
        "first half of the noise levels alone": made(maps, wish.words, low=HALF),
        "last half alone": made(maps, wish.words, high=HALF),
        "the map of another scene": made(others, wish.words),
        "weight 1, no words": made(maps, wish.wordless),
        "weight 0, no words": made(maps, wish.wordless, weight=0.0),
    }
    figures = {name: _outline_row(pictures, maps, wish.said, judge, name.endswith("no words")) for name, pictures in shown.items()}
    figures["the map of another scene"]["f1_given"] = mean_f1(shown["the map of another scene"], list(others))
    return figures


def _outline_row(pictures: Pictures, maps: NDArray[np.uint8], said: list[Attributes], judge: Judge, wordless: bool) -> dict[str, float]:
    seen = shares_seen(judge.read(pictures), said)
    return {"f1": mean_f1(pictures, list(maps))} | ({"kinds": seen["kinds"]} if wordless else seen)


# -- depth --------------------------------------------------------------------


def depth_figures(starter: Starter, judge: Judge, wish: Wish, folder: Path = STARTER) -> Figures:
    """Of the ControlNet."""
    maps = depths(wish.layouts, starter.vae.config["sample_size"])

    def made(given: Nearness, words: list[str], **how: Any) -> Pictures:
        return drawn_by(with_controlnet(starter, "depth", given, folder, **how), words, wish)

    shown = {
        "weight 1": made(maps, wish.words),
        "weight 0.5": made(maps, wish.words, weight=0.5),
        "weight 0": made(maps, wish.words, weight=0.0),
        "the map of another scene": made(np.roll(maps, 1, axis=0), wish.words),
        "weight 1, no words": made(maps, wish.wordless),
        "weight 0, no words": made(maps, wish.wordless, weight=0.0),
    }
    return _depth_rows(shown, maps, wish, judge, folder)


def depth_unet_figures(starter: Starter, judge: Judge, wish: Wish, folder: Path = STARTER) -> Figures:
    """Of the UNet with five channels, beside the starter's own."""
    maps = depths(wish.layouts, starter.vae.config["sample_size"])

    def made(given: Nearness, words: list[str]) -> Pictures:
        return drawn_by(with_depth(starter, given, folder), words, wish)

    shown = {
        "the scene's map": made(maps, wish.words),
        "the map of another scene": made(np.roll(maps, 1, axis=0), wish.words),
        "a flat map": made(np.zeros_like(maps), wish.words),
        "the starter's own UNet": drawn_by(lambda some: starter, wish.words, wish),
        "the scene's map, no words": made(maps, wish.wordless),
        "a flat map, no words": made(np.zeros_like(maps), wish.wordless),
    }
    return _depth_rows(shown, maps, wish, judge, folder)


def _depth_rows(shown: Mapping[str, Pictures], maps: Nearness, wish: Wish, judge: Judge, folder: Path) -> Figures:
    """All hold the estimator's depth of the pictures against the scene's own map, whichever map was given."""
    network, processor = read_estimator(folder)
    rows: Figures = {}
    for name, pictures in shown.items():
        near, seen = estimated(network, processor, pictures), shares_seen(judge.read(pictures), wish.said)
        figures = {"correlation": correlation(near, maps), "own_correlation": own_correlation(near, maps)}
        rows[name] = figures | ({"kinds": seen["kinds"]} if name.endswith("no words") else seen)
        if name == "the map of another scene":
            rows[name]["own_correlation_given"] = own_correlation(near, np.roll(maps, 1, axis=0))
    return rows


def estimator_figures(count: int, size: int, folder: Path = STARTER) -> Figures:
    """On drawn held-out scenes, beside always answering with the mean map of training scenes."""
    layouts = held_out_layouts(count)
    maps = depths(layouts, size)
    near = estimated(*read_estimator(folder), np.stack([draw(layout, size) for layout in layouts]))
    mean = depths([numbered_layout(number) for number in range(400)], size).mean(0)
    answers = {"the estimator": near, "the mean map": np.repeat(mean[None], count, axis=0)}
    return {name: _estimator_row(made, maps) for name, made in answers.items()}


def _estimator_row(made: Nearness, maps: Nearness) -> dict[str, float]:
    error = float(np.abs(made - maps).mean())
    return {"error": error, "correlation": correlation(made, maps), "own_correlation": own_correlation(made, maps)}


# -- the card -----------------------------------------------------------------

COLUMNS = {
    "f1": "F1 of lines with the scene's", "f1_given": "F1 with the map given", "error": "Mean error, of 1",
    "correlation": "Correlation with the scene's depth", "own_correlation": "the same less the mean scene",
    "own_correlation_given": "with the map given, less the mean scene", "kinds": "Kinds at their places",
    "colours": "Colours said", "times": "Time said",
}  # fmt: skip
SHARES = ("kinds", "colours", "times")
TITLES = {"outlines": "ControlNet: outlines", "depth": "ControlNet: depth", "depth-unet": "depth UNet", "estimator": "depth estimator"}


def card_tables(found: Mapping[str, Any]) -> str:
    """A table for each control that was measured, a row for each of its own controls."""
    return "\n\n".join(_table(f"{TITLES[what]}, {found['scenes'][what]} scenes", found[what]) for what in FILES if what in found)


def _table(title: str, rows: Figures) -> str:
    names = [name for name in COLUMNS if any(name in values for values in rows.values())]
    head = [f"| {title} | {' | '.join(COLUMNS[name] for name in names)} |", f"|---|{'---|' * len(names)}"]
    return "\n".join([*head, *(f"| {row} | {' | '.join(_number(name, values) for name in names)} |" for row, values in rows.items())])


def _number(name: str, values: Mapping[str, float]) -> str:
    if name not in values:
        return ""
    return f"{100 * values[name]:.1f} %" if name in SHARES else f"{values[name]:.3f}"


def sheet(starter: Starter, wish: Wish, path: Path, folder: Path = STARTER) -> None:
    """Rows: the drawn scene, its outlines, what they give, with other words and with none; the same for its depth twice."""
    size = starter.vae.config["sample_size"]
    lines, near = np.stack([outlines(layout, size) for layout in wish.layouts]), depths(wish.layouts, size)
    rows = [np.stack([draw(layout, size) for layout in wish.layouts]), _rgb(lines)]
    for words in (wish.words, wish.wordless):
        rows.append(drawn_by(with_controlnet(starter, "outlines", lines, folder), words, wish))
    rows += [drawn_by(lambda some: starter, wish.words, wish), _rgb((255 * near).astype(np.uint8))]
    for words in (wish.words, wish.wordless):
        rows.append(drawn_by(with_controlnet(starter, "depth", near, folder), words, wish))
    for words in (wish.words, wish.wordless):
        rows.append(drawn_by(with_depth(starter, near, folder), words, wish))
    rows.append(_rgb((255 * estimated(*read_estimator(folder), rows[0])).clip(0, 255).astype(np.uint8)))
    Image.fromarray(np.concatenate([np.concatenate(list(row), axis=1) for row in rows])).save(path)
    print("\n".join(wish.words))


def _rgb(maps: NDArray[np.uint8]) -> Pictures:
    return np.repeat(maps[:, :, :, None], 3, axis=3)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("what", nargs="?", choices=("figures", "sheet", *FILES), default="figures")
    parser.add_argument("--scenes", type=int, default=40)
    parser.add_argument("--starter", type=Path, default=STARTER)
    parser.add_argument("--to", type=Path, default=Path("controls.png"), help="where the sheet goes")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    starter = load_starter(options.starter)
    scale = json.loads((options.starter / "starter.json").read_text("utf-8"))["defaults"]["guidance_scale"]
    if options.what == "sheet":
        sheet(starter, wish_of(8, scale), options.to, options.starter)
        return
    _measure(options.starter, starter, wish_of(options.scenes, scale), tuple(FILES) if options.what == "figures" else (options.what,))


def _measure(folder: Path, starter: Starter, wish: Wish, kinds: Sequence[str]) -> None:
    """Writes the figures of these kinds as each is known; those of the others stay."""
    judge = Judge.load()
    measures: dict[str, Callable[[], Figures]] = {
        "outlines": lambda: outline_figures(starter, judge, wish, folder),
        "depth": lambda: depth_figures(starter, judge, wish, folder),
        "depth-unet": lambda: depth_unet_figures(starter, judge, wish, folder),
        "estimator": lambda: estimator_figures(ESTIMATED, starter.vae.config["sample_size"], folder),
    }
    for what in kinds:
        rows = _rounded(measures[what]())
        before = json.loads((folder / "figures.json").read_text("utf-8")).get("controls", {})
        scenes = before.get("scenes", {}) | {what: ESTIMATED if what == "estimator" else len(wish.layouts)}
        found = before | {what: rows, "scenes": scenes}
        write_figures(folder / "figures.json", {"controls": found})
        write_card(folder / "README.md", "controls", card_tables(found))
        print(card_tables({what: rows, "scenes": scenes}), flush=True)


def _rounded(rows: Figures) -> Figures:
    return {row: {name: round(value, 4) for name, value in values.items()} for row, values in rows.items()}


if __name__ == "__main__":
    main()
