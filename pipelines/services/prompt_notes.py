"""Notes under a prompt while it is written: how long it is, what in it is not understood, and what does not act."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from models.errors import UserError
from pipelines.prompts import Names, Prompt, TokenCount, count, load_tokenizer, parse, unknown_words, written
from pipelines.prompts.unread import sentences, unread
from pipelines.requests.fields import Text
from pipelines.requests.request import Drawing, Request, limits
from pipelines.resolving.embedding_words import embeddings_for
from pipelines.resolving.resolve import CatalogView
from pipelines.services.choice_notes import choices
from pipelines.wildcards.folders import WildcardFolders

IN_NEGATIVE = "In the negative prompt: "
SHOWN = 3  # examples of one kind


def longest() -> int:
    """Characters that a prompt can have."""
    limit = limits(Drawing)["prompt"]
    return limit.length if isinstance(limit, Text) else 0


@dataclass(frozen=True)
class PromptNotes:
    counted: TokenCount | None = None  # of the prompt; None when it is too long to be read
    unknown: tuple[str, ...] = ()  # words that the checkpoint has never seen
    sentences: tuple[str, ...] = ()
    read: str = ""  # the words that were counted: those that are typed, or that a seed draws of them
    drawn: tuple[str, ...] = ()  # what will be drawn of the choices, in sentences
    has_choices: bool = False


class PromptReader:
    """Safe to call from any thread."""

    def __init__(self, shelf: CatalogView, wildcards: WildcardFolders | None = None) -> None:
        self._catalog = shelf
        self._wildcards = wildcards or WildcardFolders([])
        self._tokenizer = lru_cache(maxsize=8)(load_tokenizer)

    def notes(self, checkpoint_id: str, text: str, negative: str = "", seed: int = -1, pictures: int = 0) -> PromptNotes:
        """What is said under a prompt. A text beyond what a request takes is not read at all. Raises `UserError` for no checkpoint.

        `seed`: of the form, -1 for none. `pictures`: of each combination, where all of them are drawn; else 0.
        """
        if max(len(text), len(negative)) > (most := longest()):
            return PromptNotes(sentences=(f"This is longer than {most:,} characters, the most that a prompt can have. Shorten it.",))
        checkpoint = self._catalog.checkpoint(checkpoint_id)
        chosen = choices(text, negative, self._wildcards.shelf(), seed, pictures)
        if chosen.wrong:
            return PromptNotes(sentences=chosen.wrong, drawn=chosen.told, has_choices=True)  # nothing is drawn, so nothing is counted
        text, negative = chosen.prompt, chosen.negative
        vectors = {word: entries[0].identity.vectors for word, entries in embeddings_for(checkpoint, self._catalog).items()}
        names = Names.of(vectors)
        prompt = parse(text, names)
        known = checkpoint.known_words
        return PromptNotes(
            count(self._tokenizer(checkpoint.tokenizer), text, vectors),
            unknown_words(prompt, known) if known else (),
            tuple(_said(prompt, parse(negative, names), names)),
            text,
            chosen.told,
            chosen.found,
        )


def left_out(request: Request) -> tuple[str, ...]:
    """What of the prompts is not drawn, a sentence each."""
    return tuple(_tags_in_negative(parse(request.negative_prompt))) if isinstance(request, Drawing) else ()


def _said(prompt: Prompt, negative: Prompt, names: Names) -> Iterator[str]:
    yield from _unread_tags(prompt)
    yield from sentences(unread(prompt))
    yield from _asleep(prompt, names)
    yield from _tags_in_negative(negative)
    yield from (IN_NEGATIVE + said for said in (*sentences(unread(negative, joins=False)), *_asleep(negative, names)))


def _tags_in_negative(negative: Prompt) -> Iterator[str]:
    """That tags act in the prompt alone, for the tags that stand in the negative one."""
    if negative.tags:
        shown = ", ".join(f"“{tag.text[:80]}”" for tag in negative.tags[:SHOWN]) + (" …" if len(negative.tags) > SHOWN else "")
        yield f"{shown} in the negative prompt does nothing and is left out: such tags act in the prompt alone. Write it there."


def _unread_tags(prompt: Prompt) -> Iterator[str]:
    """What would be refused when the drawing starts."""
    try:
        for tag in prompt.tags:
            tag.read()
    except UserError as error:
        yield str(error)


def _asleep(prompt: Prompt, names: Names) -> Iterator[str]:
    """Embeddings whose names stand there, but whose brackets are read as weights."""
    seen = dict.fromkeys(found.name for found in names.find(prompt.bare))
    for name in [name for name in seen if name not in prompt.names][:SHOWN]:
        yield f"The embedding “{name[:80]}” does not act as it is written here, for brackets are weights. Write it as {written(name)[:160]}"
