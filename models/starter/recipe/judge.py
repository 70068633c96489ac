"""A small classifier that reads a scene off a picture, and the score that rests on it.

    judge = Judge.load()
    (reading,) = judge.read([picture])
    right, total = agreement(reading, attributes_of("a red house on the left at night"))

Train it with `python -m models.starter.recipe.judge --minutes 10`, after the VAE.
"""

from __future__ import annotations

import argparse
import itertools
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional

from models.starter.recipe.captions import Attributes, ThingWords, attributes_of
from models.starter.recipe.progress import Budget, Log
from models.starter.recipe.scenes import (
    COLOURS,
    GROUNDS,
    KINDS,
    POSITIONS,
    SIZES,
    TIMES,
    Scene,
    Thing,
    arrange,
    draw,
    scene_of_split,
)

__all__ = ["Judge", "Reading", "agreement", "attributes_of", "facts_in", "matched", "reading_of", "share_right"]

LOOK = 64
"""The side in pixels of what the classifier sees; pictures are scaled down to it."""

FOLDER = Path(__file__).parent.parent / "judge"

_SLOT = {"kind": ("nothing", *KINDS), "colour": tuple(COLOURS), "size": SIZES}
_SCENE = {"ground": GROUNDS, "time": TIMES, "mountains": ("no", "yes")}


def _heads() -> dict[str, tuple[str, ...]]:
    """Every question the classifier answers, and the answers in order."""
    slots = {f"{place}_{name}": words for place in POSITIONS for name, words in _SLOT.items()}
    return slots | _SCENE


@dataclass(frozen=True)
class Reading:
    """What was seen in one picture: the thing at left, middle and right, or None, and the rest."""

    things: tuple[Thing | None, Thing | None, Thing | None]
    ground: str
    time: str
    mountains: bool


def reading_of(scene: Scene) -> Reading:
    """The reading a faultless judge gives of a drawn scene."""
    found = {thing.position: thing for thing in scene.things}
    left, middle, right = (found.get(place) for place in POSITIONS)
    return Reading((left, middle, right), scene.ground, scene.time, scene.mountains)


def agreement(reading: Reading, said: Attributes) -> tuple[int, int]:
    """How many of the facts a caption states are seen in the picture, and how many it states.

    A thing counts one for being there at its position, one for its kind, one for
    its colour and one for its size, as far as the caption says them. Things whose
    position is not said are looked for where they fit best.
    """
    names = ("ground", "time", "mountains")
    right = sum(getattr(said, n) is not None and getattr(reading, n) == getattr(said, n) for n in names)
    return right + _score(said.things, matched(reading, said)), facts_in(said)


def matched(reading: Reading, said: Attributes) -> tuple[Thing | None, ...]:
    """What is seen of each thing that is said, in its order, where that fits best; nothing at all where it cannot be placed."""
    orders = itertools.permutations(reading.things, len(said.things))
    places = itertools.permutations(POSITIONS, len(said.things))
    fitting = [
        order
        for order, at in zip(orders, places, strict=True)
        if all(t.position in (None, place) for t, place in zip(said.things, at, strict=True))
    ]
    return max(fitting, key=lambda order: _score(said.things, order), default=())


def _score(said: Sequence[ThingWords], seen: Sequence[Thing | None]) -> int:
    return sum(map(_facts_seen, said, seen))


def facts_in(said: Attributes) -> int:
    """How many facts a caption states."""
    scene = (said.ground, said.time, said.mountains)
    return sum(map(_facts, said.things)) + sum(word is not None for word in scene)


def _facts(said: ThingWords) -> int:
    return 1 + sum(word is not None for word in (said.position, said.colour, said.size))


def _facts_seen(said: ThingWords, seen: Thing | None) -> int:
    if seen is None:
        return 0
    pairs = [(said.kind, seen.kind), (said.colour, seen.colour), (said.size, seen.size)]
    return sum(wanted == found for wanted, found in pairs) + (said.position is not None)


def share_right(readings: Sequence[Reading], said: Sequence[Attributes]) -> float:
    """The share of all facts stated that are seen, 0 to 1, pooled over the pictures."""
    scores = [agreement(reading, wanted) for reading, wanted in zip(readings, said, strict=True)]
    return sum(right for right, _ in scores) / max(1, sum(total for _, total in scores))


class JudgeNetwork(nn.Module):
    """(B, 3, 64, 64) in -1..1 to one row of scores per question."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(
            *_block(3, 16, 1), *_block(16, 32, 2), *_block(32, 64, 2), *_block(64, 64, 1),
            *_block(64, 96, 2), *_block(96, 96, 1), nn.Conv2d(96, 32, 1), nn.Flatten(),
            nn.Dropout(0.1), nn.Linear(32 * 64, 256), nn.ReLU(),
        )  # fmt: skip
        self.heads = nn.ModuleDict({name: nn.Linear(256, len(w)) for name, w in _heads().items()})

    def forward(self, pictures: Tensor) -> dict[str, Tensor]:
        seen = self.body(pictures)
        return {name: head(seen) for name, head in self.heads.items()}


def _block(before: int, after: int, stride: int) -> tuple[nn.Module, ...]:
    convolution = nn.Conv2d(before, after, 3, stride, 1, bias=False)
    return convolution, nn.BatchNorm2d(after), nn.ReLU()


class Judge:
    """Reads scenes off pictures of any size."""

    def __init__(self, network: JudgeNetwork) -> None:
        self._network = network.eval()

    @classmethod
    def load(cls, folder: Path = FOLDER) -> Judge:
        """Read judge.safetensors of a folder."""
        network = JudgeNetwork()
        weights = load_file(folder / "judge.safetensors")
        network.load_state_dict({name: value.float() for name, value in weights.items()}, strict=False)
        return cls(network)

    @torch.no_grad()
    def read(self, pictures: Sequence[Image.Image] | NDArray[np.uint8]) -> list[Reading]:
        """Readings of PIL pictures or of a uint8 array (B, H, W, 3)."""
        looks = np.stack([_look(np.asarray(picture)) for picture in pictures])
        answers: list[Reading] = []
        for start in range(0, len(looks), 64):
            scores = self._network(_to_input(looks[start : start + 64]))
            chosen = {name: row.argmax(1).tolist() for name, row in scores.items()}
            count = len(next(iter(chosen.values())))
            answers += [_reading({n: row[k] for n, row in chosen.items()}) for k in range(count)]
        return answers


def _look(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    smaller = cv2.resize(picture[:, :, :3], (LOOK, LOOK), interpolation=cv2.INTER_AREA)
    return smaller.astype(np.uint8, copy=False)


def _to_input(looks: NDArray[np.uint8]) -> Tensor:
    return torch.from_numpy(looks).permute(0, 3, 1, 2).float() / 127.5 - 1


def _reading(chosen: dict[str, int]) -> Reading:
    words = {name: options[chosen[name]] for name, options in _heads().items()}
    left, middle, right = (_seen_thing(words, place) for place in POSITIONS)
    mountains = words["mountains"] == "yes"
    return Reading((left, middle, right), words["ground"], words["time"], mountains)


def _seen_thing(words: dict[str, str], place: str) -> Thing | None:
    kind = words[f"{place}_kind"]
    if kind == "nothing":
        return None
    return Thing(kind, words[f"{place}_colour"], place, words[f"{place}_size"])


# -- training -----------------------------------------------------------------


def _answers(scene: Scene) -> dict[str, int]:
    """The right answer of every question; -100, which the loss skips, where there is none."""
    found = {thing.position: thing for thing in scene.things}
    right: dict[str, int] = {}
    for place in POSITIONS:
        for name, words in _SLOT.items():
            none = 0 if name == "kind" else -100
            thing = found.get(place)
            right[f"{place}_{name}"] = words.index(getattr(thing, name)) if thing else none
    right["ground"], right["time"] = GROUNDS.index(scene.ground), TIMES.index(scene.time)
    return right | {"mountains": int(scene.mountains)}


def _spoiled(picture: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """A little blur, noise and a change of brightness, as generated pictures have."""
    softened = cv2.GaussianBlur(picture, (0, 0), rng.uniform(0.3, 2.0)) if rng.random() < 0.6 else picture
    gain, noise = rng.uniform(0.92, 1.08, 3), rng.normal(0, rng.uniform(0, 8), softened.shape)
    return np.clip(softened * gain + noise, 0, 255).astype(np.uint8)


def train_judge(checkpoints: Path, folder: Path, size: int, minutes: float) -> None:
    """Train on drawn scenes, a third of them passed through the VAE, and write the folder."""
    from models.starter.recipe.latents_stage import round_trips  # the VAE's imports are slow

    passed = round_trips(checkpoints, size, 1000)
    rng, budget, log = np.random.default_rng(7), Budget(minutes * 60), Log(checkpoints, "judge")
    network = JudgeNetwork()
    optimizer = torch.optim.AdamW(network.parameters(), lr=2e-3, weight_decay=1e-3)
    step = 0
    while budget.share() < 1:
        for group in optimizer.param_groups:
            group["lr"] = budget.rate(2e-3, step, 100)
        pairs = [_example(passed, size, rng) for _ in range(48)]
        scores = network(_to_input(np.stack([look for look, _ in pairs])))
        loss = torch.stack([
            functional.cross_entropy(row, torch.tensor([right[name] for _, right in pairs]))
            for name, row in scores.items()
        ]).sum()  # fmt: skip
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        step += 1
        log.tell(budget, step, loss.item())
    _write(network, folder)


def _example(
    passed: list[tuple[NDArray[np.uint8], Scene]], size: int, rng: np.random.Generator
) -> tuple[NDArray[np.uint8], dict[str, int]]:
    if rng.random() < 0.33 and passed:
        picture, scene = passed[int(rng.integers(len(passed)))]
    else:
        scene = scene_of_split(rng, is_held_out=False)
        picture = draw(arrange(scene, rng), size)
    return _look(_spoiled(picture, rng)), _answers(scene)


def _write(network: JudgeNetwork, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    weights = {name: value.half().contiguous() for name, value in network.state_dict().items() if value.is_floating_point()}
    save_file(weights, folder / "judge.safetensors")
    about = {"look": LOOK, "questions": {name: list(words) for name, words in _heads().items()}}
    (folder / "config.json").write_text(json.dumps(about, indent=2) + "\n", "utf-8")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path("train"), help="checkpoints")
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--size", type=int, choices=(128, 256), default=128)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    wish = parser.parse_args()
    torch.set_num_threads(wish.threads)
    train_judge(wish.folder, FOLDER, wish.size, wish.minutes)
