"""The words of a job's pictures, drawn of its prompts when it comes in: what is queued holds all of them, whatever becomes of the files.

Picture i has the words that its own seed draws, so alone it is the same picture. With all combinations the words come one after another.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace
from itertools import product

from models.errors import UserError
from pipelines.requests.as_made import is_sealed, loosened
from pipelines.requests.request import SEEDS, Drawing, Drawn, ImageToImage, Kind
from pipelines.requests.wording import MOST_WORDINGS, Wording
from pipelines.wildcards.draw import Budget, combinations, count, draw, too_many
from pipelines.wildcards.shelf import Wildcards
from pipelines.wildcards.template import Template, parse

NEGATIVE = "negative"  # the dice of the negative prompt: what it draws does not depend on the prompt
MOST_TEXT = 2_000_000  # characters of all words of one job
MOST_WORK = 4_000_000  # steps of drawing them: some seconds


def with_words(request: Kind, wildcards: Wildcards) -> Kind:
    """The request with the words of each of its pictures, and with a seed, if its prompts leave something to choice.

    Raises `UserError` when they cannot be drawn. Words that were drawn before, of a picture that is made again, are final.
    """
    return _with_words(request, wildcards) if isinstance(request, Drawing) else request


def _with_words(request: Drawn, wildcards: Wildcards) -> Drawn:
    request = replace(loosened(request), wordings=())
    prompts = parse(request.prompt), parse(request.negative_prompt)
    if is_final(request) or all(prompt.is_plain for prompt in prompts):
        return request
    settled = request if request.seed >= 0 else replace(request, seed=random.SystemRandom().randrange(2**32))
    words = _all_of(*prompts, wildcards) if request.all_combinations else _by_seed(settled, *prompts, wildcards)
    return replace(settled, wordings=tuple(_bounded(words)))


def is_final(request: Drawing) -> bool:
    """Its words are not drawn: they were before, or belong to a picture that is to be made as it was made."""
    return bool(request.prompt_template or request.negative_template) or is_sealed(request)


def words_of(prompt: Template, negative: Template, seed: int, wildcards: Wildcards, budget: Budget | None = None) -> tuple[str, str]:
    """The words that a seed draws. Raises `UserError` when they cannot be drawn."""
    return draw(prompt, wildcards, seed, budget=budget), draw(negative, wildcards, seed, NEGATIVE, budget)


def count_of(prompt: Template, negative: Template, wildcards: Wildcards) -> int:
    """Of all combinations. Raises `UserError` when something is missing or wrong."""
    return count(prompt, wildcards) * count(negative, wildcards)


def _by_seed(request: Drawing, prompt: Template, negative: Template, wildcards: Wildcards) -> Iterator[tuple[str, str]]:
    number = _seeds(request)
    if number > MOST_WORDINGS:
        told = f"{number:,} pictures would each draw words of their own; {MOST_WORDINGS:,} are the most in one job"
        raise UserError(f"{told}. Choose fewer pictures.")
    budget = Budget(MOST_WORK, 2 * MOST_TEXT)
    return (words_of(prompt, negative, (request.seed + index) % SEEDS, wildcards, budget) for index in range(number))


def _seeds(request: Drawing) -> int:
    """How many seeds the pictures have, from that of the job on."""
    if request.variation_strength > 0:
        return 1
    loops = request.loops if isinstance(request, ImageToImage) else 1
    return request.picture_count // loops + loops - 1


def _all_of(prompt: Template, negative: Template, wildcards: Wildcards) -> Iterator[tuple[str, str]]:
    number = count_of(prompt, negative, wildcards)
    if number > MOST_WORDINGS:
        raise UserError(too_many(number))
    return product(combinations(prompt, wildcards), combinations(negative, wildcards))


def _bounded(words: Iterator[tuple[str, str]]) -> Iterator[Wording]:
    room = MOST_TEXT
    for prompt, negative in words:
        room -= len(prompt) + len(negative)
        if room < 0:
            raise UserError(f"The words of these pictures are longer than {MOST_TEXT:,} characters together. Choose fewer pictures.")
        yield Wording(prompt=prompt, negative_prompt=negative)
