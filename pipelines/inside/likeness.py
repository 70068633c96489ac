"""Likeness of picture and prompt: for the starter by its judge, in words; else by the cosine of what CLIP says of both."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional

from models.diffusion_model import DiffusionModel
from models.errors import UserError
from models.library.checkpoint import STARTER, STARTER_DEPTH
from pipelines.inside.answers import JudgedFact, LikenessFound, NearWord
from pipelines.inside.desk import Desk, Found, Looking, Seen
from pipelines.inside.schedules import short
from pipelines.jobs.runner import Runner
from pipelines.prompts.asked import asked_by
from pipelines.prompts.encode import encode_prompts
from pipelines.requests.request import Drawing

MOST = 12  # parts of a prompt that are compared by themselves
NO_FACTS = "The judge of the starter reads things, colours, places, sizes, grounds and times of day, and this prompt names none."
NO_PROJECTION = (
    "The text encoder of {family} came without the layer that would put words beside pictures, so no file can be held against it. "
    "Choose a picture of the starter, or of an SDXL model, whose second text encoder has that layer."
)


def look(desk: Desk, runner: Runner) -> Looking:
    """Raises `UserError` with what is missing, and what file would do."""
    text = asked_by(desk.request).calls[-1].prompts[0].text
    yield Seen(0, 1)
    if desk.request.checkpoint in (STARTER, STARTER_DEPTH):
        return Found(judged(desk.picture(), text))
    return Found(_compared(desk, runner, text))


def judged(picture: Image.Image, text: str) -> LikenessFound:
    """By the small classifier that was trained beside the starter. Raises `UserError` when the prompt says nothing that it reads."""
    from models.starter.recipe.judge import Judge, agreement, attributes_of, matched

    said, (reading,) = attributes_of(text), Judge.load().read([picture])
    facts = [*_things(said.things, matched(reading, said)), *_scene(said, reading)]
    if not facts:
        raise UserError(NO_FACTS)
    right, total = agreement(reading, said)
    return {"by": "The starter’s judge", "facts": facts, "right": right, "total": total, "whole": 0.0, "parts": []}


def _things(said: Sequence[object], seen: Sequence[object]) -> Iterator[JudgedFact]:
    for number, thing in enumerate(said):
        found = seen[number] if number < len(seen) else None
        for name in ("kind", "colour", "size", "position"):
            wanted = getattr(thing, name)
            if wanted is not None:
                told = getattr(found, name, None)
                yield {"said": str(wanted), "seen": str(told or "nothing"), "right": told == wanted, "begins": name == "kind"}


def _scene(said: object, reading: object) -> Iterator[JudgedFact]:
    for name in ("ground", "time", "mountains"):
        wanted, told = getattr(said, name), getattr(reading, name)
        if wanted is not None:
            yield {"said": _named(name, wanted), "seen": _named(name, told), "right": told == wanted, "begins": name == "ground"}


def _named(name: str, value: object) -> str:
    return ("mountains" if value else "no mountains") if name == "mountains" else str(value)


def _compared(desk: Desk, runner: Runner, text: str) -> LikenessFound:
    with runner.lent(desk.request) as model, torch.inference_mode():
        texts = parts_of(text)
        spoken = _spoken(model, desk.request, [text, *texts])
    if spoken is None:
        raise UserError(NO_PROJECTION.format(family=model.family.name))
    with runner.vision(spoken.shape[-1]) as vision, torch.inference_mode():
        seen = vision.see([desk.picture()], in_full=False)[0].float().cpu()
        name = vision.name
    whole, *each = (short(value) for value in likeness(spoken, seen))
    parts: list[NearWord] = [{"text": part, "likeness": value} for part, value in zip(texts, each, strict=True)]
    return {"by": name, "facts": [], "right": 0, "total": 0, "whole": whole, "parts": parts}


def _spoken(model: DiffusionModel, request: Drawing, texts: Sequence[str]) -> Tensor | None:
    """(texts, width): what the last encoder says of each as a whole; None where it has no such layer."""
    pooled = [encoded.pooled for encoded in encode_prompts(model, texts, request.clip_skip)]
    known = [each for each in pooled if each is not None]
    return torch.cat(known).float().cpu() if len(known) == len(texts) else None


def likeness(spoken: Tensor, seen: Tensor) -> list[float]:
    """Cosines of texts (n, width) with one picture (1, width)."""
    return functional.cosine_similarity(spoken, seen).numpy().tolist()


def parts_of(text: str) -> list[str]:
    """What commas part."""
    parts = [part.strip() for part in re.split(r"[,.;]| and ", text)]
    return [part for part in parts if part][:MOST]
