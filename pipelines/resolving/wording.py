"""The words of a job's pictures, drawn of its prompts when it comes in: what is queued holds all of them, whatever becomes of the files.

Picture i has the words that its own seed draws, so alone it is the same picture. With all combinations the words come one after another.
What may leave something to choice is every text that is drawn, those of a second pass and of boxes too. Each has dice of its own.
"""

from __future__ import annotations

import math
import random
from collections.abc import Collection, Generator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from itertools import product

from models.errors import UserError
from pipelines.requests.as_made import is_sealed, loosened
from pipelines.requests.request import SEEDS, Drawing, Drawn, ImageToImage, Kind
from pipelines.requests.wording import MOST_WORDINGS, NOTHING, PARTS, PartWords, Wording, has_templates, parts_of, texts_of
from pipelines.resolving.regions import with_written
from pipelines.wildcards.draw import Budget, combinations, count, draw, too_many
from pipelines.wildcards.shelf import Wildcards
from pipelines.wildcards.template import Template, parse

Templates = Mapping[str, Template]  # by the names of `texts_of`
Parts = Mapping[str, Collection[str]]  # by field, the names of the prompts of its parts
WHOLE = ("prompt", "negative_prompt")  # that stand in a wording whether or not something was drawn of them
DICE = {
    "prompt": "",
    "negative_prompt": "negative",
}  # of each text its own; those of the others are called as they are
MOST_TEXT = 2_000_000  # characters of all words of one job
MOST_WORK = 4_000_000  # steps of drawing them: some seconds


def with_words(request: Kind, wildcards: Wildcards) -> Kind:
    """The request with the words of each of its pictures, and with a seed, if its prompts leave something to choice.

    Raises `UserError` when they cannot be drawn. Words that were drawn before, of a picture that is made again, are final.
    """
    return _with_words(request, wildcards) if isinstance(request, Drawing) else request


def _with_words(request: Drawn, wildcards: Wildcards) -> Drawn:
    request = replace(loosened(request), wordings=())
    request = request if is_final(request) else with_written(request)
    templates = templates_of(texts_of(request))
    if is_final(request) or all(template.is_plain for template in templates.values()):
        return request
    settled = request if request.seed >= 0 else replace(request, seed=random.SystemRandom().randrange(2**32))
    words = _all_of(templates, wildcards) if request.all_combinations else _by_seed(settled, templates, wildcards)
    return replace(settled, wordings=tuple(_bounded(words, parts_of(request))))


def is_final(request: Drawing) -> bool:
    """Its words are not drawn: they were before, or belong to a picture that is to be made as it was made."""
    return has_templates(request) or is_sealed(request)


def templates_of(texts: Mapping[str, str]) -> Templates:
    """The prompts, and what else leaves something to choice."""
    read = {name: parse(text) for name, text in texts.items()}
    return {name: template for name, template in read.items() if name in WHOLE or not template.is_plain}


def words_of(templates: Templates, seed: int, wildcards: Wildcards, budget: Budget | None = None) -> dict[str, str]:
    """The words that a seed draws. Raises `UserError` when they cannot be drawn, which names the text where it is no prompt."""
    return {name: _drawn(name, template, seed, wildcards, budget) for name, template in templates.items()}


def _drawn(name: str, template: Template, seed: int, wildcards: Wildcards, budget: Budget | None) -> str:
    with _named(name):
        return draw(template, wildcards, seed, DICE.get(name, name), budget)


def count_of(templates: Templates, wildcards: Wildcards) -> int:
    """Of all combinations. Raises `UserError` when something is missing or wrong."""
    return math.prod(_counted(name, template, wildcards) for name, template in templates.items())


def _counted(name: str, template: Template, wildcards: Wildcards) -> int:
    with _named(name):
        return count(template, wildcards)


@contextmanager
def _named(name: str) -> Generator[None]:
    """Says in which text something is wrong, where that is not one of the two under which it is told."""
    try:
        yield
    except UserError as error:
        if name in WHOLE:
            raise
        raise UserError(f"In the {called(name)}: {error}") from None


def called(name: str) -> str:
    """What a text is called, in small letters."""
    return f"prompt of {name}" if name.startswith(tuple(PARTS.values())) else name.replace("_", " ")


def _by_seed(request: Drawing, templates: Templates, wildcards: Wildcards) -> Iterator[dict[str, str]]:
    number = _seeds(request)
    if number > MOST_WORDINGS:
        told = f"{number:,} pictures would each draw words of their own; {MOST_WORDINGS:,} are the most in one job"
        raise UserError(f"{told}. Choose fewer pictures.")
    budget = Budget(MOST_WORK, 2 * MOST_TEXT)
    return (words_of(templates, (request.seed + index) % SEEDS, wildcards, budget) for index in range(number))


def _seeds(request: Drawing) -> int:
    """How many seeds the pictures have, from that of the job on."""
    if request.variation_strength > 0:
        return 1
    loops = request.loops if isinstance(request, ImageToImage) else 1
    return request.picture_count // loops + loops - 1


def _all_of(templates: Templates, wildcards: Wildcards) -> Iterator[dict[str, str]]:
    number = count_of(templates, wildcards)
    if number > MOST_WORDINGS:
        raise UserError(too_many(number))
    listed = product(*(combinations(template, wildcards) for template in templates.values()))
    return (dict(zip(templates, words, strict=True)) for words in listed)


def _bounded(words: Iterator[dict[str, str]], parts: Parts) -> Iterator[Wording]:
    room = MOST_TEXT
    for each in words:
        room -= sum(map(len, each.values()))
        if room < 0:
            raise UserError(f"The words of these pictures are longer than {MOST_TEXT:,} characters together. Choose fewer pictures.")
        yield wording(each, parts)


def wording(words: Mapping[str, str], parts: Parts) -> Wording:
    """As a job keeps them. `parts`: those of the request."""
    named = {text for texts in parts.values() for text in texts}
    fields = {name: text if name in WHOLE else text or NOTHING for name, text in words.items() if name not in named}
    own = {name: tuple(_part(words, text) for text in texts) for name, texts in parts.items()}
    return replace(Wording(), **fields, **{name: drawn for name, drawn in own.items() if any(each.prompt for each in drawn)})


def _part(words: Mapping[str, str], text: str) -> PartWords:
    return PartWords(prompt=words[text] or NOTHING if text in words else "")
