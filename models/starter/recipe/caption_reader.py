"""A helper of the training: reads what a caption says off the text encoder's filled-up tokens.

Most of the 77 tokens of a caption are filling, and the denoiser attends to them as
to the others. With this extra task every filling token comes to hold the whole
caption, so that the denoiser need not learn which colour belongs to which thing.
It is thrown away after the training.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import CLIPTextModel, CLIPTokenizer

from models.starter.recipe.captions import Attributes, caption
from models.starter.recipe.networks import mixed_precision
from models.starter.recipe.scenes import COLOURS, GROUNDS, KINDS, POSITIONS, SIZES, TIMES, Scene, scene_of_split
from models.starter.recipe.tokenizer import tokens_of

_THING = {"kind": KINDS, "colour": tuple(COLOURS), "size": SIZES}
FIRST_FILLING = 40
"""No caption is longer than this many tokens."""
CUT_SHARE, CUT = 0.7, FIRST_FILLING + 6  # of the batches, cut to so many tokens: what follows is filling
PLACES = 3  # filling tokens that are read at each step
ONE_THING = 0.25  # the share of the scenes with one thing that are kept: what two need is learnt last
SAYS_NO_MOUNTAINS = 0.5


def questions() -> dict[str, tuple[object, ...]]:
    """Every question and its answers; None, the first, where the caption does not say."""
    things: dict[str, tuple[object, ...]] = {f"{place}_{name}": (None, *words) for place in POSITIONS for name, words in _THING.items()}
    return things | {"ground": (None, *GROUNDS), "time": (None, *TIMES), "mountains": (None, True, False)}


def answers(said: Attributes) -> list[int]:
    """The index of the right answer to every question, in the order of `questions`."""
    stated: dict[str, object] = {"ground": said.ground, "time": said.time, "mountains": said.mountains}
    for thing in said.things:
        stated |= {f"{thing.position}_{name}": getattr(thing, name) for name in _THING}
    return [options.index(stated.get(name)) for name, options in questions().items()]


class CaptionReader(nn.Module):
    """One linear layer for each question on a text state of the given width."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.heads = nn.ModuleList(nn.Linear(width, len(options)) for options in questions().values())

    def loss(self, states: Tensor, right: Tensor) -> Tensor:
        """Mean cross entropy at one random filling token; states (B, 77, width), right (B, questions)."""
        place = int(torch.randint(FIRST_FILLING, states.shape[1], ()))
        seen = states[:, place].float()
        losses = [functional.cross_entropy(head(seen), right[:, number]) for number, head in enumerate(self.heads)]
        return torch.stack(losses).mean()


def reading_loss(text_encoder: CLIPTextModel, reader: CaptionReader, tokens: Tensor, said: Tensor) -> Tensor:
    """The reader's loss at some random filling tokens; tokens (B, at least `FIRST_FILLING` + 1), said (B, questions)."""
    with mixed_precision(tokens.device):
        states = text_encoder(tokens).last_hidden_state
    return torch.stack([reader.loss(states, said) for _ in range(PLACES)]).mean()


def captions_of(rng: np.random.Generator, tokenizer: CLIPTokenizer, count: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Token ids of captions made up afresh, most of them of two things, and what they say."""
    pairs = [caption(_scene(rng), rng, SAYS_NO_MOUNTAINS) for _ in range(count)]
    tokens = tokens_of(tokenizer, [words for words, _ in pairs])
    said = torch.tensor([answers(stated) for _, stated in pairs])
    return (tokens[:, :CUT] if rng.random() < CUT_SHARE else tokens).to(device), said.to(device)


def _scene(rng: np.random.Generator) -> Scene:
    while True:
        scene = scene_of_split(rng, is_held_out=False)
        if len(scene.things) > 1 or rng.random() < ONE_THING:
            return scene
