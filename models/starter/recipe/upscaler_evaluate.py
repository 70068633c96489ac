"""Measures the starter's upscaler against filters, and writes figures.json and the model card.

python -m models.starter.recipe.upscaler_evaluate --scenes 200
python -m models.starter.recipe.upscaler_evaluate sheet      # eight pictures of the starter: bicubic, Lanczos, the upscaler; upscaler.png

The scenes were never trained on. What is enlarged is what the starter makes of them, each way of `upscaler_pool`, held
against the same scene drawn large; and the starter's own pictures of held-out captions, which the judge reads.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from models.starter.recipe.controls_figures import held_out_layouts
from models.starter.recipe.evaluate import HELD_OUT_SEED, generated, held_out_captions, write_card, write_figures
from models.starter.recipe.judge import Judge, share_right
from models.starter.recipe.sampling import STARTER, Starter, load_starter
from models.starter.recipe.upscaler import read
from models.starter.recipe.upscaler_net import SCALE, Compact
from models.starter.recipe.upscaler_pool import WAYS, pairs_of

AT_ONCE = 20
HEADS = ("Drawn small, dB", "Round trip, dB", "Noisy round trip, dB", "Redrawn, dB", "Edge step, 0 to 1", "Agreement", "Read the same")
EDGE = 24  # levels of brightness from a pixel to the next, from which the drawn scene has an edge there
NEAR = np.ones((5, 5), np.uint8)  # an edge may lie two pixels beside its place
Pictures = NDArray[np.uint8]
Enlarge = Callable[[Pictures], Pictures]
Figures = dict[str, dict[str, float]]


# -- ways to enlarge ----------------------------------------------------------


def by_filter(kind: Image.Resampling) -> Enlarge:
    def enlarge(pictures: Pictures) -> Pictures:
        side = pictures.shape[1] * SCALE
        return np.stack([np.asarray(Image.fromarray(picture).resize((side, side), kind)) for picture in pictures])

    return enlarge


def by_network(network: Compact) -> Enlarge:
    @torch.no_grad()
    def enlarge(pictures: Pictures) -> Pictures:
        parts = [network(torch.from_numpy(one).permute(2, 0, 1)[None] / 255)[0] for one in pictures]
        return (torch.stack(parts).clamp(0, 1) * 255).round().byte().permute(0, 2, 3, 1).numpy()

    return enlarge


def ways_to_enlarge(network: Compact) -> dict[str, Enlarge]:
    filters = {"bicubic": Image.Resampling.BICUBIC, "Lanczos": Image.Resampling.LANCZOS}
    return {name: by_filter(kind) for name, kind in filters.items()} | {"the upscaler": by_network(network)}


def reduced(pictures: Pictures) -> Pictures:
    """To a quarter of the side, each pixel the mean of those it stands for."""
    side = pictures.shape[1] // SCALE
    return np.stack([cv2.resize(picture, (side, side), interpolation=cv2.INTER_AREA) for picture in pictures]).astype(np.uint8)


# -- figures ------------------------------------------------------------------


def psnr(made: Pictures, wanted: Pictures) -> list[float]:
    """Of each picture, in dB."""
    error = np.square(made.astype(np.float32) - wanted).mean((1, 2, 3))
    return (10 * np.log10(255**2 / np.maximum(error, 1e-6))).tolist()


def edge_steps(made: Pictures, drawn: Pictures) -> list[float]:
    """The mean step of brightness to the next pixel, 0 to 1, where the drawn scene has its edges: how sharp they are."""
    return [float(cv2.dilate(_steps(one), NEAR)[_steps(true) >= EDGE].mean()) / 255 for one, true in zip(made, drawn, strict=True)]


def _steps(picture: NDArray[np.uint8]) -> NDArray[np.float32]:
    """(H, W), to the right or downwards, whichever is larger."""
    grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY).astype(np.float32)
    across = np.abs(np.diff(grey, axis=1, append=grey[:, -1:]))
    return np.maximum(across, np.abs(np.diff(grey, axis=0, append=grey[-1:])))


def scene_figures(starter: Starter, enlarge: dict[str, Enlarge], count: int) -> Figures:
    """Over held-out scenes: likeness to the scene drawn large, by what the small picture went through, and the edges of round trips."""
    found: dict[str, dict[str, list[float]]] = {name: {} for name in (*enlarge, "drawn large")}

    def note(name: str, what: str, values: list[float]) -> None:
        found[name].setdefault(what, []).extend(values)

    layouts = held_out_layouts(count)
    for at in range(0, count, AT_ONCE):
        pairs = pairs_of(starter, layouts[at : at + AT_ONCE], HELD_OUT_SEED + at)
        large = pairs.large.numpy()
        note("drawn large", "edge_step", edge_steps(large, large))
        for name, larger in enlarge.items():
            for place, way in enumerate(WAYS):
                made = larger(pairs.small[:, place].numpy())
                note(name, f"{way} psnr_db", psnr(made, large))
                if way == "round trip":
                    note(name, "edge_step", edge_steps(made, large))
    return {name: {what: round(float(np.mean(values)), 4) for what, values in own.items()} for name, own in found.items()}


def judged(starter: Starter, judge: Judge, enlarge: dict[str, Enlarge], guidance_scale: float, count: int) -> Figures:
    """The starter's pictures of held-out captions as the judge reads them, small, and enlarged and made small again."""
    words, said = held_out_captions(count)
    pictures = generated(starter, words, guidance_scale)
    plain = judge.read(pictures)
    found: Figures = {"the small picture": {"agreement": share_right(plain, said)}}
    for name, larger in enlarge.items():
        readings = [one for at in range(0, count, AT_ONCE) for one in judge.read(reduced(larger(pictures[at : at + AT_ONCE])))]
        same = float(np.mean([one == other for one, other in zip(readings, plain, strict=True)]))
        found[name] = {"agreement": share_right(readings, said), "read_the_same": same}
    return {name: {what: round(value, 4) for what, value in own.items()} for name, own in found.items()}


# -- where they go ------------------------------------------------------------


def card_table(found: Figures, scenes: int) -> str:
    ways = [f"{way} psnr_db" for way in WAYS]
    rows = ["| " + " | ".join([f"{scenes} scenes", *HEADS]) + " |", "|---" * (len(HEADS) + 1) + "|"]
    for name, own in found.items():
        numbers = [f"{own[way]:.2f}" if way in own else "" for way in ways]
        numbers.append(f"{own['edge_step']:.3f}" if "edge_step" in own else "")
        numbers += [f"{100 * own[what]:.1f} %" if what in own else "" for what in ("agreement", "read_the_same")]
        rows.append("| " + " | ".join([name, *numbers]) + " |")
    return "\n".join(rows)


def sheet(starter: Starter, enlarge: dict[str, Enlarge], guidance_scale: float, path: Path, first: int = 0) -> None:
    """A row for each way to enlarge, of the starter's pictures of eight held-out captions."""
    words = held_out_captions(first + 8)[0][first:]
    pictures = generated(starter, words, guidance_scale)
    Image.fromarray(np.concatenate([np.concatenate(list(larger(pictures)), axis=1) for larger in enlarge.values()])).save(path)
    print("\n".join(words))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("what", nargs="?", choices=("figures", "sheet"), default="figures")
    parser.add_argument("--scenes", type=int, default=200, help="a multiple of 20; as many captions")
    parser.add_argument("--starter", type=Path, default=STARTER)
    parser.add_argument("--to", type=Path, help="where the figures or the sheet go")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    wish = parser.parse_args()
    torch.set_num_threads(wish.threads)
    starter, enlarge = load_starter(wish.starter), ways_to_enlarge(read(wish.starter))
    scale = json.loads((wish.starter / "starter.json").read_text("utf-8"))["defaults"]["guidance_scale"]
    if wish.what == "sheet":
        sheet(starter, enlarge, scale, wish.to or wish.starter / "upscaler.png")
        return
    del enlarge["bicubic"]  # Lanczos is the better of the two
    scenes, read_again = scene_figures(starter, enlarge, wish.scenes), judged(starter, Judge.load(), enlarge, scale, wish.scenes)
    names = ("the small picture", *scenes)
    found: Figures = {name: scenes.get(name, {}) | read_again.get(name, {}) for name in names}
    write_figures(wish.to or wish.starter / "figures.json", {"upscaler": {"scenes": wish.scenes} | found})
    write_card(wish.starter / "README.md", "upscaler", card_table(found, wish.scenes))
    print(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
