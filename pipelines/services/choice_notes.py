"""Notes on the choices of a prompt: how many there are, how many combinations, what the form's seed draws, and what is wrong."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from models.errors import UserError
from pipelines.requests.wording import MOST_WORDINGS
from pipelines.resolving.wording import Templates, count_of, templates_of, words_of
from pipelines.wildcards.draw import UNCOUNTED, too_many
from pipelines.wildcards.shelf import Wildcards

SHOWN = 300  # characters of what is drawn
SHOWN_TEXTS = 5
EXAMPLE = 0  # the seed of the example, where the form has none


@dataclass(frozen=True)
class Choices:
    """`words`: all texts, as they are drawn; as they are typed where nothing can be. `told`: what is drawn; `wrong`: why not."""

    words: Mapping[str, str]
    told: tuple[str, ...] = ()
    wrong: tuple[str, ...] = ()

    @property
    def found(self) -> bool:
        return bool(self.told or self.wrong)


def choices(texts: Mapping[str, str], wildcards: Wildcards, seed: int, pictures: int) -> Choices:
    """`texts`: of a request, by the names of `pipelines.requests.wording.texts_of`. `seed`, `pictures`: see `PromptReader.notes`."""
    read = templates_of(texts)
    if all(template.is_plain for template in read.values()):
        return Choices(texts)
    try:
        words = words_of(read, max(seed, EXAMPLE), wildcards)
        number = count_of(read, wildcards)
    except UserError as error:
        return Choices(texts, wrong=(f"{error} Until then nothing can be drawn.",))
    wrong = (too_many(number),) if pictures and number > MOST_WORDINGS else ()
    return Choices({**texts, **words}, tuple(_told(read, words, number, seed, 0 if wrong else pictures)), wrong)


def _told(read: Templates, words: Mapping[str, str], number: int, seed: int, pictures: int) -> Iterator[str]:
    marks = sum(template.choices for template in read.values())
    told = f"{marks:,} choice{'s' * (marks != 1)}, {_number(number)} combination{'s' * (number != 1)}"
    drawn = [f"“{_short(words[name])}”" for name, template in read.items() if not template.is_plain]
    more = f" and {len(drawn) - SHOWN_TEXTS} more" if len(drawn) > SHOWN_TEXTS else ""
    yield f"{told}; {'for example' if seed < 0 else f'seed {seed} draws'}: {' / '.join(drawn[:SHOWN_TEXTS])}{more}"
    if pictures:
        each = f", {pictures:,} of each" * (pictures > 1)
        yield f"All combinations: {number * pictures:,} picture{'s' * (number * pictures != 1)} will be drawn{each}, one after another."


def _number(number: int) -> str:
    return "countless" if number >= UNCOUNTED else f"{number:,}"


def _short(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}…"
