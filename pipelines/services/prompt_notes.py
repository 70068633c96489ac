"""Notes under a prompt while it is written: how long it is, what in it is not understood, and what does not act."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from models.errors import UserError
from models.families import FAMILIES
from models.library.catalog import Checkpoint
from pipelines.metadata.admitting import admitted
from pipelines.prompts import (
    ClipTokenizer,
    Names,
    Prompt,
    TokenCount,
    Weighted,
    count,
    load_tokenizer,
    parse,
    plain_runs,
    schedule,
    unknown_words,
    written,
)
from pipelines.prompts.marks import Mark, marks
from pipelines.prompts.regional import WORDS, regions_told
from pipelines.prompts.unread import sentences, unread
from pipelines.requests.fields import Text
from pipelines.requests.request import WHOLE_LANGUAGE, Drawing, Request, TextToImage, limits
from pipelines.requests.wording import TEMPLATES, texts_of, with_texts
from pipelines.resolving.embedding_words import embeddings_for
from pipelines.resolving.files import CatalogView
from pipelines.resolving.suited import sampling_notes
from pipelines.services.choice_notes import Choices, choices
from pipelines.services.schedule_notes import changes_told, joined_told, switched_off
from pipelines.services.time_lanes import Models
from pipelines.services.time_line import IN_SECOND, TimeLine, time_lines, voices
from pipelines.wildcards.folders import WildcardFolders

IN_NEGATIVE = "In the negative prompt: "
SHOWN = 3  # examples of one kind
COUNTED = 4  # texts of which the longest is looked for, the longest in characters
MOST_READ = 10_000  # characters that are looked through while somebody types
ANY_RUN = TextToImage()  # where nothing is known of the form


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
    lines: tuple[TimeLine, ...] = ()  # of the prompts in which something changes from step to step


class PromptReader:
    """Safe to call from any thread."""

    def __init__(self, shelf: CatalogView, wildcards: WildcardFolders | None = None) -> None:
        self._catalog = shelf
        self._wildcards = wildcards or WildcardFolders([])
        self._tokenizer = lru_cache(maxsize=8)(load_tokenizer)

    def tokenizer(self, checkpoint: Checkpoint) -> ClipTokenizer:
        return self._tokenizer(checkpoint.tokenizer)

    def notes(
        self, checkpoint_id: str, text: str, negative: str = "", seed: int = -1, pictures: int = 0, run: Drawing = ANY_RUN
    ) -> PromptNotes:
        """What is said under a prompt. A text beyond what a request takes is not read at all. Raises `UserError` for no checkpoint.

        `seed`: of the form, -1 for none. `pictures`: of each combination, where all of them are drawn; else 0. `run`: the rest of the
        form, for its steps and its second prompt.
        """
        typed = replace(run, prompt=text, negative_prompt=negative, language=WHOLE_LANGUAGE)
        if max(map(len, (texts := texts_of(typed)).values())) > (most := longest()):
            return PromptNotes(sentences=(f"This is longer than {most:,} characters, the most that a prompt can have. Shorten it.",))
        checkpoint = self._catalog.checkpoint(checkpoint_id)
        chosen = choices(texts, self._wildcards.shelf(), seed, pictures)
        if chosen.wrong:
            return PromptNotes(sentences=chosen.wrong, drawn=chosen.told, has_choices=True)  # nothing is drawn, so nothing is counted
        asked = with_texts(typed, chosen.words)
        if sum(len(text) for name, text in chosen.words.items() if name in TEMPLATES) > MOST_READ:
            return self._unlooked(asked, chosen)
        try:
            found = self._read(asked, checkpoint, chosen, texts)
            said = tuple(sampling_notes(asked, checkpoint, self._catalog)) if run is not ANY_RUN else ()
            return replace(found, sentences=(*found.sentences, *said))
        except UserError as error:
            return PromptNotes(sentences=(f"{error} Until then nothing can be drawn.",), drawn=chosen.told, has_choices=chosen.found)

    def words(self, field: str, text: str, seed: int) -> str:
        """What is drawn of one text of a form; the text itself where nothing can be."""
        return choices({field: text}, self._wildcards.shelf(), seed, 0).words[field]

    def marks(self, checkpoint_id: str, text: str, joins: bool = True) -> list[Mark]:
        """What each part of a text is; none of one that is too long to be looked through. Raises `UserError` for no checkpoint."""
        if len(text) > MOST_READ:
            return []
        checkpoint = self._catalog.checkpoint(checkpoint_id)
        known = checkpoint.known_words | WORDS if checkpoint.known_words else frozenset[str]()
        return marks(text, Names.of(embeddings_for(checkpoint, self._catalog)), known, joins)

    def _unlooked(self, asked: Drawing, chosen: Choices) -> PromptNotes:
        """Of a text that is too long to be looked through while somebody types: only whether it can be drawn."""
        problem = parse(asked.prompt).problem or parse(asked.negative_prompt, joins=False).problem
        said = f"This has more than {MOST_READ:,} characters, so it is not looked through while you type. It is drawn as it is."
        return PromptNotes(sentences=(problem or said,), drawn=chosen.told, has_choices=chosen.found)

    def _read(self, asked: Drawing, checkpoint: Checkpoint, chosen: Choices, texts: Mapping[str, str]) -> PromptNotes:
        vectors = {word: entries[0].identity.vectors for word, entries in embeddings_for(checkpoint, self._catalog).items()}
        names = Names.of(vectors)
        said = _Read(asked, names, self._catalog)
        counted, read = self._longest(checkpoint, said.schedule.texts, vectors)
        known = checkpoint.known_words
        return PromptNotes(
            counted,
            unknown_words([*said.runs, *_runs([each.prompt for each in asked.regions], names)], known | WORDS) if known else (),
            tuple(_wrong(said, names, checkpoint)),
            read,
            (*chosen.told, *_told(said)),
            chosen.found,
            time_lines(said.voices, texts),
        )

    def _longest(self, checkpoint: Checkpoint, texts: Sequence[str], vectors: Mapping[str, int]) -> tuple[TokenCount, str]:
        """The longest of what is said at one step, in tokens."""
        tokenizer = self.tokenizer(checkpoint)
        counted = [(count(tokenizer, text, vectors), text) for text in sorted(texts, key=len, reverse=True)[:COUNTED]]
        return max(counted, key=lambda each: each[0].tokens)


class _Read:
    """The prompts of a form, read once. Raises `UserError` where they cannot be drawn."""

    def __init__(self, asked: Drawing, names: Names, models: Models) -> None:
        self.asked = asked
        self.voices = voices(asked, models, names)
        self.prompt, self.schedule = self.voices[0].prompt, self.voices[0].said
        self.over = self.schedule.over
        self.negative = parse(asked.negative_prompt, names, joins=False)
        self.against = schedule(self.negative, self.over)
        self.runs = _runs(self.schedule.texts, names)
        self.runs_against = _runs(self.against.texts, names)


def _runs(texts: Sequence[str], names: Names) -> list[Weighted]:
    """Of what is said, as much as is read at once."""
    room = MOST_READ
    runs: list[Weighted] = []
    for text in texts:
        runs += plain_runs(text, names)
        room -= len(text)
        if room < 0:
            break
    return runs


def form_of(kind: type[Request], values: Mapping[str, object]) -> Drawing:
    """What a form of this kind says of its steps and its further prompts, as far as it can be read."""
    drawn = kind if issubclass(kind, Drawing) else TextToImage
    own = limits(drawn)
    taken, _ = admitted(drawn, {name: value for name, value in values.items() if name in own})
    return replace(drawn(), **taken)


def left_out(request: Request) -> tuple[str, ...]:
    """What of the prompts is not drawn, a sentence each."""
    return tuple(_tags_in_negative(parse(request.negative_prompt))) if isinstance(request, Drawing) else ()


def _wrong(said: _Read, names: Names, checkpoint: Checkpoint) -> Iterator[str]:
    """What is not understood, and what does nothing."""
    yield from _unread_tags(said.prompt)
    yield from sentences(unread(said.prompt))
    yield from _asleep(said.prompt, said.runs, names)
    yield from _tags_in_negative(said.negative)
    yield from (IN_NEGATIVE + each for each in (*sentences(unread(said.negative)), *_asleep(said.negative, said.runs_against, names)))
    yield from _second_prompt(said.asked.second_prompt, checkpoint)


def _told(said: _Read) -> Iterator[str]:
    """What the prompts say from step to step."""
    if regions := regions_told(said.asked.prompt, said.asked.region_ratios):
        yield regions
    yield from joined_told(said.schedule)
    yield from changes_told(said.prompt, said.over)
    yield from changes_told(said.negative, said.over, IN_NEGATIVE)
    for voice in said.voices:
        if voice.is_second:
            yield from changes_told(voice.prompt, voice.said.over, IN_SECOND)
    yield from switched_off(said.prompt)
    yield from switched_off(said.negative)


def _second_prompt(text: str, checkpoint: Checkpoint) -> Iterator[str]:
    if text.strip() and len(FAMILIES[checkpoint.family_key].text.encoders) < 2:
        yield f"The second prompt does nothing here: “{checkpoint.name[:80]}” has one text encoder."


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


def _asleep(prompt: Prompt, runs: Sequence[Weighted], names: Names) -> Iterator[str]:
    """Embeddings whose names stand there, but whose brackets are read as weights. `runs`: what is said."""
    seen = dict.fromkeys(found.name for found in names.find(prompt.bare))
    acting = {run.name for run in runs}
    for name in [name for name in seen if name not in acting][:SHOWN]:
        yield f"The embedding “{name[:80]}” does not act as it is written here, for brackets are weights. Write it as {written(name)[:160]}"
