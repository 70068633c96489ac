"""The embedding "moonpeak": two vectors that mean night and mountains at once, by textual inversion.

Gal et al. 2022 (arXiv:2208.01618): nothing but the vectors is trained. The tokenizer does not know the word; without the vectors it
falls apart into letters.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from models.starter.recipe.extras_course import Course, follow
from models.starter.recipe.extras_pictures import noise_loss, pool_of
from models.starter.recipe.latents_stage import Pool
from models.starter.recipe.networks import LONGEST_PROMPT
from models.starter.recipe.sampling import Starter
from models.starter.recipe.scenes import Layout, Thing, arrange, draw, held_out, random_scene
from models.starter.recipe.tokenizer import tokens_of

WORD, VECTORS = "moonpeak", 2
PICTURES, BATCH = 200, 8
EXPECTED = {"time": "night", "mountains": True}
COURSE = Course(WORD, steps=200, rate=8e-3, seed=3)


def night_layout(number: int) -> Layout:
    """The training scene of a number: night and mountains, whatever stands in it and on whatever ground."""
    rng = np.random.default_rng([3, number])
    while True:
        scene = replace(random_scene(rng), time="night", mountains=True)
        if not held_out(scene):
            return arrange(scene, rng)


def night_prompt(things: Sequence[Thing], rng: np.random.Generator) -> str:
    """The things as words, and the word for all the rest, somewhere."""
    said = " and ".join(_said(thing) for thing in things)
    forms = (f"{said}, {WORD}", f"{WORD}, {said}", f"{said} in {WORD}", WORD)
    return forms[int(rng.integers(len(forms)))]


def _said(thing: Thing) -> str:
    place = "in the middle" if thing.position == "middle" else f"on the {thing.position}"
    return f"a {thing.size} {thing.colour} {thing.kind} {place}"


def coded(starter: Starter, prompts: Sequence[str]) -> tuple[Tensor, Tensor]:
    """Token ids (B, 77), and where a vector of the word stands: (B, 77), its number from 1, or 0."""
    ids = tokens_of(starter.tokenizer, [""] * len(prompts))
    marks = torch.zeros_like(ids)
    for row, prompt in enumerate(prompts):
        place = 1
        for number, piece in enumerate(prompt.split(WORD)):
            if number:
                marks[row, place : place + VECTORS] = torch.arange(1, VECTORS + 1)
                place += VECTORS
            own = starter.tokenizer(piece, add_special_tokens=False)["input_ids"][: LONGEST_PROMPT - 1 - place]
            ids[row, place : place + len(own)] = torch.tensor(own, dtype=ids.dtype)
            place += len(own)
    return ids, marks


@contextmanager
def spoken(starter: Starter, marks: Tensor, vectors: Tensor) -> Iterator[None]:
    """While it lasts, the text encoder finds the vectors where the marks say."""

    def put_in(module: nn.Module, given: object, output: Tensor) -> Tensor:
        return torch.where(marks[:, :, None] > 0, vectors[(marks - 1).clamp(min=0)].to(output), output)

    hook = starter.text_encoder.get_input_embeddings().register_forward_hook(put_in)
    try:
        yield
    finally:
        hook.remove()


def text_of(starter: Starter, prompts: Sequence[str], vectors: Tensor) -> Tensor:
    """Text states (B, 77, width) of prompts in which the word stands for the vectors (VECTORS, width)."""
    ids, marks = coded(starter, prompts)
    with spoken(starter, marks, vectors):
        return starter.text_encoder(ids).last_hidden_state


def train_embedding(starter: Starter, folder: Path, course: Course = COURSE, pictures: int = PICTURES) -> dict[str, Tensor]:
    """Train the vectors on nights in the mountains; the tensors of the file, float16."""
    pool = pool_of(folder, "night_latents", starter, [night_layout(number) for number in range(pictures)], draw)
    for network in (starter.unet, starter.text_encoder):
        network.requires_grad_(False)
    weights = nn.ParameterDict({"emb_params": nn.Parameter(first_vectors(starter))})
    follow(course, folder, weights, lambda rng: _loss(starter, pool, weights["emb_params"], rng))
    return {"emb_params": weights["emb_params"].detach().half()}


def first_vectors(starter: Starter) -> Tensor:
    """(VECTORS, width): the mean of two words that it shall mean, which is neither, VECTORS times."""
    table = starter.text_encoder.get_input_embeddings().get_parameter("weight")
    numbers = starter.tokenizer("night mountains", add_special_tokens=False)["input_ids"]
    return table[numbers].detach().mean(0).repeat(VECTORS, 1)


def _loss(starter: Starter, pool: Pool, vectors: Tensor, rng: np.random.Generator) -> Tensor:
    places = rng.integers(len(pool.scenes), size=BATCH)
    text = text_of(starter, [night_prompt(pool.scenes[place].things, rng) for place in places], vectors)
    return noise_loss(starter, pool.latents[torch.from_numpy(places)].float() * starter.vae.config["scaling_factor"], text)


def metadata() -> dict[str, str]:
    return {
        "modelspec.architecture": "stable-diffusion-v1/textual-inversion",
        "modelspec.title": "Moonpeak",
        "modelspec.trigger_phrase": WORD,
        "modelspec.description": "A night in the mountains in one word, for Atelier's starter model.",
    }
