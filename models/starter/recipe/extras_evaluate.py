"""Measures the starter's extras, each against its controls, and writes figures.json and the model card.

python -m models.starter.recipe.extras_evaluate --captions 40
python -m models.starter.recipe.extras_evaluate embedding      # one kind; the figures of the others stay
python -m models.starter.recipe.extras_evaluate sheet      # without and with each extra, extras.png
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from safetensors.torch import load_file
from torch import Tensor
from torch.nn import functional

from models.starter.recipe import extras_styles as styles
from models.starter.recipe.captions import Attributes, ThingWords
from models.starter.recipe.evaluate import HELD_OUT_SEED, held_out_captions, write_card, write_figures
from models.starter.recipe.extras import FILES
from models.starter.recipe.extras_embedding import EXPECTED, WORD, first_vectors, night_prompt, text_of
from models.starter.recipe.extras_lora import TRIGGER, with_lora
from models.starter.recipe.extras_vae import with_vae
from models.starter.recipe.judge import Judge, share_right
from models.starter.recipe.networks import decoded, encoded
from models.starter.recipe.progress import to_network
from models.starter.recipe.sampling import STARTER, Starter, load_starter, sample_latents, states_of, to_pictures
from models.starter.recipe.scenes import Scene, arrange, draw, scene_of_split

STEPS, AT_ONCE = 20, 20
Pictures = NDArray[np.uint8]
Figures = dict[str, dict[str, float]]
PLAIN_NIGHT = "at night, with mountains"


def latents_of(starter: Starter, prompts: list[str], guidance_scale: float, text: Callable[[list[str]], Tensor] | None = None) -> Tensor:
    """Scaled latents for each prompt, always from the same noise. `text`: how prompts become text states, unless in the plain way."""
    parts: list[Tensor] = []
    for at in range(0, len(prompts), AT_ONCE):
        some = prompts[at : at + AT_ONCE]
        with torch.no_grad():
            states = text(some) if text else states_of(starter, some)
        empty = states_of(starter, [""] * len(some))
        parts.append(sample_latents(starter, states, empty, steps=STEPS, guidance_scale=guidance_scale, seed=1000 + at))
    return torch.cat(parts)


def drawn_by(starter: Starter, prompts: list[str], guidance_scale: float) -> Pictures:
    return to_pictures(starter.vae, latents_of(starter, prompts, guidance_scale))


def shuffled(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The same numbers in other places, tensor by tensor: as large a change that says nothing."""
    chance = torch.Generator().manual_seed(0)
    return {name: value.flatten()[torch.randperm(value.numel(), generator=chance)].view_as(value) for name, value in tensors.items()}


# -- the LoRA -----------------------------------------------------------------


def lora_figures(starter: Starter, judge: Judge, tensors: Mapping[str, Tensor], guidance_scale: float, plain: Tensor) -> Figures:
    """Colour and paper of pictures of held-out captions, and whether they still show what is said (colours aside).

    `plain`: the latents of the same captions without the LoRA.
    """
    words, said = held_out_captions(len(plain))
    without_colours = [replace(one, things=tuple(replace(thing, colour=None) for thing in one.things)) for one in said]
    shown = {
        "off": to_pictures(starter.vae, plain),
        "half": drawn_by(with_lora(starter, tensors, 0.5, 0.5), words, guidance_scale),
        "on": drawn_by(with_lora(starter, tensors), words, guidance_scale),
        "on, with its trigger phrase": drawn_by(with_lora(starter, tensors), [f"{TRIGGER}, {text}" for text in words], guidance_scale),
        "on, numbers shuffled": drawn_by(with_lora(starter, shuffled(tensors)), words, guidance_scale),
    }
    return {name: _ink_figures(pictures, without_colours, judge) for name, pictures in shown.items()}


def _ink_figures(pictures: Pictures, said: list[Attributes], judge: Judge) -> dict[str, float]:
    return {
        "colourfulness": styles.colourfulness(pictures),
        "paper_margin": styles.paper_margin(pictures),
        "agreement": share_right(judge.read(pictures), said),
    }


# -- the VAE ------------------------------------------------------------------


def vae_figures(starter: Starter, tensors: dict[str, Tensor], latents: Tensor) -> Figures:
    """The same latents by both decoders, and how near each comes to held-out pictures printed by rule."""
    scenes = held_out_pictures(len(latents), starter.vae.config["sample_size"])
    return {name: _print_figures(one, latents, scenes) for name, one in {"off": starter, "on": with_vae(starter, tensors)}.items()}


def held_out_pictures(count: int, size: int) -> Pictures:
    rng = np.random.default_rng(HELD_OUT_SEED + 3)
    return np.stack([draw(arrange(scene_of_split(rng, is_held_out=True), rng), size) for _ in range(count)])


def _print_figures(starter: Starter, latents: Tensor, scenes: Pictures) -> dict[str, float]:
    pictures = to_pictures(starter.vae, latents)
    return {
        "warmth": styles.warmth(pictures),
        "blackness": styles.blackness(pictures),
        "printed_psnr_db": _psnr(starter, scenes, np.stack([styles.printed(scene) for scene in scenes])),
        "plain_psnr_db": _psnr(starter, scenes, scenes),
    }


@torch.no_grad()
def _psnr(starter: Starter, scenes: Pictures, wanted: Pictures) -> float:
    """Of what the VAE makes of the scenes against what is wanted, dB, the mean over pictures."""
    device = starter.vae.device
    made = decoded(starter.vae, encoded(starter.vae, to_network(torch.from_numpy(scenes), device)).mean).clamp(-1, 1)
    error = functional.mse_loss(made, to_network(torch.from_numpy(wanted), device), reduction="none").mean((1, 2, 3))
    return float((10 * torch.log10(4 / error)).mean())


# -- the embedding ------------------------------------------------------------


def embedding_figures(
    starter: Starter, judge: Judge, vectors: Tensor, guidance_scale: float, count: int, among: Collection[str] = ()
) -> Figures:
    """How often night and mountains are seen, and how well the things beside the word are; `among`: these rows alone."""
    rng = np.random.default_rng(HELD_OUT_SEED + 4)
    scenes = [scene_of_split(rng, is_held_out=True) for _ in range(count)]
    prompts = [_with_word(scene, rng) for scene in scenes]
    things = [Attributes(tuple(ThingWords(t.kind, t.colour, t.position, t.size) for t in scene.things)) for scene in scenes]
    [broken] = shuffled({"": vectors}).values()
    texts: dict[str, tuple[list[str], Callable[[list[str]], Tensor] | None]] = {
        "on": (prompts, lambda some: text_of(starter, some, vectors)),
        "the word without its vectors": (prompts, None),
        "on, numbers shuffled": (prompts, lambda some: text_of(starter, some, broken)),
        "on, before it was trained": (prompts, lambda some: text_of(starter, some, first_vectors(starter))),
        "said in plain words": ([prompt.replace(f", {WORD}", f" {PLAIN_NIGHT}") for prompt in prompts], None),
    }
    return {
        name: _night_figures(to_pictures(starter.vae, latents_of(starter, words, guidance_scale, text)), things, judge)
        for name, (words, text) in texts.items()
        if name in among or not among
    }


def _with_word(scene: Scene, rng: np.random.Generator) -> str:
    """The things, then the word: the first of the forms in training."""
    while not (prompt := night_prompt(scene.things, rng)).endswith(f", {WORD}"):
        pass
    return prompt


def _night_figures(pictures: Pictures, things: list[Attributes], judge: Judge) -> dict[str, float]:
    readings = judge.read(pictures)
    seen = {name: float(np.mean([getattr(reading, name) == value for reading in readings])) for name, value in EXPECTED.items()}
    every = [all(getattr(reading, name) == value for name, value in EXPECTED.items()) for reading in readings]
    return seen | {"both": float(np.mean(every)), "things": share_right(readings, things)}


# -- the card -----------------------------------------------------------------

COLUMNS = {
    "colourfulness": "Colour, 0 to 255", "paper_margin": "Rim's distance from paper, 0 to 255", "agreement": "Agreement, colours aside",
    "warmth": "Red over blue", "blackness": "Darkest hundredth, 0 to 255", "printed_psnr_db": "Print drawn by rule, dB",
    "plain_psnr_db": "Plain picture, dB", "time": "Night", "mountains": "Mountains", "both": "Both",
    "things": "Things beside the word",
}  # fmt: skip
SHARES = ("agreement", "time", "mountains", "both", "things")


def card_tables(found: Mapping[str, Any]) -> str:
    """A table for each extra that was measured, a row for each control."""
    return "\n\n".join(_table(f"{what}: {Path(file).stem}", found[what]) for what, file in FILES.items() if what in found)


def _table(title: str, rows: Figures) -> str:
    names = list(next(iter(rows.values())))
    head = [f"| {title} | {' | '.join(COLUMNS[name] for name in names)} |", f"|---|{'---|' * len(names)}"]
    return "\n".join([*head, *(f"| {row} | {' | '.join(_number(name, values[name]) for name in names)} |" for row, values in rows.items())])


def _number(name: str, value: float) -> str:
    return f"{100 * value:.1f} %" if name in SHARES else f"{value:.1f}"


def sheet(starter: Starter, files: Mapping[str, dict[str, Tensor]], guidance_scale: float, path: Path) -> None:
    """Eight held-out captions: plain, LoRA at half and at full strength, second VAE; then moonpeak prompts without and with vectors."""
    words, _ = held_out_captions(8)
    latents = latents_of(starter, words, guidance_scale)
    halves = [with_lora(starter, files["lora"], strength, strength) for strength in (0.5, 1.0)]
    rng = np.random.default_rng(HELD_OUT_SEED + 4)
    prompts = [_with_word(scene_of_split(rng, is_held_out=True), rng) for _ in range(8)]
    vectors = files["embedding"]["emb_params"].float()
    night = latents_of(starter, prompts, guidance_scale, lambda some: text_of(starter, some, vectors))
    rows = [
        to_pictures(starter.vae, latents),
        *(drawn_by(half, words, guidance_scale) for half in halves),
        to_pictures(with_vae(starter, files["vae"]).vae, latents),
        drawn_by(starter, prompts, guidance_scale),
        to_pictures(starter.vae, night),
    ]
    Image.fromarray(np.concatenate([np.concatenate(list(row), axis=1) for row in rows])).save(path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("what", nargs="?", choices=("figures", "sheet", *FILES), default="figures")
    parser.add_argument("--captions", type=int, default=40)
    parser.add_argument("--starter", type=Path, default=STARTER)
    parser.add_argument("--to", type=Path, default=Path("extras.png"), help="where the sheet goes")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    wish = parser.parse_args()
    torch.set_num_threads(wish.threads)
    starter = load_starter(wish.starter)
    scale = json.loads((wish.starter / "starter.json").read_text("utf-8"))["defaults"]["guidance_scale"]
    files = {what: load_file(wish.starter / name) for what, name in FILES.items()}
    if wish.what == "sheet":
        sheet(starter, files, scale, wish.to)
        return
    _measure(wish.starter, starter, files, scale, tuple(FILES) if wish.what == "figures" else (wish.what,), wish.captions)


def _measure(
    folder: Path, starter: Starter, files: Mapping[str, dict[str, Tensor]], scale: float, kinds: Sequence[str], count: int
) -> None:
    """Writes the figures of these kinds; those of the others stay."""
    judge = Judge.load()
    found: dict[str, Figures] = {}
    if "embedding" in kinds:
        found["embedding"] = embedding_figures(starter, judge, files["embedding"]["emb_params"].float(), scale, count)
    if {"lora", "vae"} & set(kinds):
        plain = latents_of(starter, held_out_captions(count)[0], scale)
        found["lora"] = lora_figures(starter, judge, files["lora"], scale, plain)
        found["vae"] = vae_figures(starter, files["vae"], plain)
    before = json.loads((folder / "figures.json").read_text("utf-8")).get("extras", {})
    extras = before | {what: _rounded(rows) for what, rows in found.items()} | {"captions": count}
    write_figures(folder / "figures.json", {"extras": extras})
    write_card(folder / "README.md", "extras", card_tables(extras))


def _rounded(rows: Figures) -> Figures:
    return {row: {name: round(value, 4) for name, value in values.items()} for row, values in rows.items()}


if __name__ == "__main__":
    main()
