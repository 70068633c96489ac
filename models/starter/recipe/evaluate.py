"""Measures the starter folder and writes figures.json beside the model card.

python -m models.starter.recipe.evaluate --captions 200
python -m models.starter.recipe.evaluate sweep      # guidance scales, printed only
python -m models.starter.recipe.evaluate sheet      # a sheet of samples, sheet.png
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from models.starter.recipe.captions import Attributes, caption
from models.starter.recipe.judge import Judge, facts_in, reading_of, share_right
from models.starter.recipe.sampling import STARTER, Starter, load_starter, sample
from models.starter.recipe.scenes import arrange, draw, scene_of_split
from models.starter.recipe.vae_stage import drawn_batch, round_trip_psnr

HELD_OUT_SEED = 20_000_001


def held_out_captions(count: int) -> tuple[list[str], list[Attributes]]:
    """Captions of scenes that were never trained on, each stating at least three facts."""
    rng = np.random.default_rng(HELD_OUT_SEED)
    words: list[str] = []
    said: list[Attributes] = []
    while len(words) < count:
        text, stated = caption(scene_of_split(rng, is_held_out=True), rng)
        if stated.things and facts_in(stated) >= 3:
            words.append(text)
            said.append(stated)
    return words, said


def judge_on_drawn(judge: Judge, count: int, size: int) -> float:
    """The share of a held-out scene's attributes that the judge reads right from its drawing."""
    rng = np.random.default_rng(HELD_OUT_SEED + 1)
    scenes = [scene_of_split(rng, is_held_out=True) for _ in range(count)]
    pictures = np.stack([draw(arrange(scene, rng), size) for scene in scenes])
    right, total = 0, 0
    for seen, true in zip(judge.read(pictures), map(reading_of, scenes), strict=True):
        for found, wanted in zip(seen.things, true.things, strict=True):
            names = ("kind", "colour", "size") if wanted else ("kind",)
            facts = [getattr(found, name, None) == getattr(wanted, name, None) for name in names]
            right, total = right + sum(facts), total + len(facts)
        same = [getattr(seen, name) == getattr(true, name) for name in ("ground", "time", "mountains")]
        right, total = right + sum(same), total + 3
    return right / total


def generated(starter: Starter, prompts: list[str], guidance_scale: float, *, steps: int = 20, negative: str = "") -> NDArray[np.uint8]:
    """A picture for each prompt, in batches of 20."""
    parts = [
        sample(
            starter,
            prompts[at : at + 20],
            steps=steps,
            guidance_scale=guidance_scale,
            seed=1000 + at,
            negative_prompt=negative,
        )
        for at in range(0, len(prompts), 20)
    ]
    return np.concatenate(parts)


def mountains_seen(starter: Starter, judge: Judge, guidance_scale: float, negative: str) -> float:
    """The share of pictures with mountains where the prompt is empty, so that the negative prompt alone decides."""
    pictures = generated(starter, [""] * 60, guidance_scale, negative=negative)
    return float(np.mean([reading.mountains for reading in judge.read(pictures)]))


def figures(starter: Starter, judge: Judge, guidance_scale: float, count: int) -> dict[str, Any]:
    """Everything the model card states, as shares from 0 to 1 and decibels."""
    size = starter.unet.config["sample_size"] * 8
    words, said = held_out_captions(count)
    started = time.perf_counter()
    pictures = generated(starter, words, guidance_scale)
    seconds = (time.perf_counter() - started) / count
    readings = judge.read(pictures)
    drawn = drawn_batch(np.random.default_rng(HELD_OUT_SEED + 2), 64, size, is_held_out=True)
    rounded = {
        "vae_psnr_db": round_trip_psnr(starter.vae, drawn),
        "judge_on_drawn": judge_on_drawn(judge, 500, size),
        "agreement": share_right(readings, said),
        "agreement_captions_shuffled": share_right(readings, said[1:] + said[:1]),
        "mountains_seen": mountains_seen(starter, judge, guidance_scale, ""),
        "mountains_seen_negative_prompt": mountains_seen(starter, judge, guidance_scale, "mountains"),
        "seconds_per_picture": seconds,
    }
    by_fact = {name: share_right(readings, [only(s, name) for s in said]) for name in FACTS}
    settings = {"captions": count, "steps": 20, "guidance_scale": guidance_scale}
    shares = {name: round(value, 4) for name, value in rounded.items()}
    return settings | shares | {"agreement_by_fact": {n: round(v, 4) for n, v in by_fact.items()}}


FACTS = ("things", "one thing", "two things", "ground", "time", "mountains")


def only(said: Attributes, name: str) -> Attributes:
    """The caption as if it stated nothing but one sort of fact."""
    if name in ("ground", "time", "mountains"):
        return Attributes(**{name: getattr(said, name)})
    counts = {"things": (1, 2), "one thing": (1,), "two things": (2,)}[name]
    things = said.things if len(said.things) in counts else ()
    return replace(Attributes(), things=things)


def card_rows(found: dict[str, Any]) -> str:
    """The figures as the table of the model card."""
    percent = {name: f"{100 * value:.1f} %" for name, value in found.items() if isinstance(value, float)}
    rows = [
        ("VAE round trip, held-out scenes", f"{found['vae_psnr_db']:.1f} dB"),
        ("Judge on drawn held-out scenes", percent["judge_on_drawn"]),
        (f"Agreement, {found['captions']} held-out captions", percent["agreement"]),
        ("the same with the captions shuffled", percent["agreement_captions_shuffled"]),
        *((f"agreement on {name} alone", f"{100 * v:.1f} %") for name, v in found["agreement_by_fact"].items()),
        ("Mountains seen, empty prompt", percent["mountains_seen"]),
        ('the same with the negative prompt "mountains"', percent["mountains_seen_negative_prompt"]),
        ("Seconds a picture, batches of 20, two cores or fewer", f"{found['seconds_per_picture']:.2f}"),
    ]
    settings = f"{found['steps']} DDIM steps, guidance scale {found['guidance_scale']}"
    return "\n".join([f"| {settings} | |", "|---|---|", *(f"| {name} | {value} |" for name, value in rows)])


def write_card(card: Path, mark: str, rows: str) -> None:
    """Put a table between two marks of the model card."""
    before, _, rest = card.read_text("utf-8").partition(f"<!-- {mark} -->\n")
    after = rest.partition(f"<!-- /{mark} -->")[2]
    card.write_text(f"{before}<!-- {mark} -->\n{rows}\n<!-- /{mark} -->{after}", "utf-8")


def write_figures(file: Path, found: dict[str, Any]) -> None:
    """Figures that are in the file and were not measured now stay."""
    before = json.loads(file.read_text("utf-8")) if file.exists() else {}
    file.write_text(json.dumps(before | found, indent=2) + "\n", "utf-8")


def sheet(starter: Starter, guidance_scale: float, path: Path) -> None:
    """24 held-out captions, eight pictures a row, and the captions printed."""
    words, _ = held_out_captions(24)
    pictures = generated(starter, words, guidance_scale)
    rows = [np.concatenate(list(pictures[at : at + 8]), axis=1) for at in range(0, 24, 8)]
    Image.fromarray(np.concatenate(rows)).save(path)
    print("\n".join(f"{number:2d} {text}" for number, text in enumerate(words)))


def sweep(starter: Starter, judge: Judge, count: int) -> None:
    words, said = held_out_captions(count)
    for scale in (1.5, 2.0, 3.0, 4.0, 5.0, 7.0):
        share = share_right(judge.read(generated(starter, words, scale)), said)
        print(f"guidance scale {scale}: agreement {share:.3f}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("what", nargs="?", choices=("figures", "sweep", "sheet"), default="figures")
    parser.add_argument("--captions", type=int, default=200)
    parser.add_argument("--guidance-scale", type=float)
    parser.add_argument("--starter", type=Path, default=STARTER)
    parser.add_argument("--to", type=Path, help="where the figures or the sheet go")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    wish = parser.parse_args()
    torch.set_num_threads(wish.threads)
    starter = load_starter(wish.starter)
    defaults = json.loads((wish.starter / "starter.json").read_text("utf-8"))["defaults"]
    scale = wish.guidance_scale or defaults["guidance_scale"]
    if wish.what == "sheet":
        sheet(starter, scale, wish.to or wish.starter / "sheet.png")
    elif wish.what == "sweep":
        sweep(starter, Judge.load(), wish.captions)
    else:
        result = figures(starter, Judge.load(), scale, wish.captions)
        write_figures(wish.to or wish.starter / "figures.json", result)
        write_card(wish.starter / "README.md", "figures", card_rows(result))
        print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
