"""Completion while a prompt is written: what of this library, of this person and of the tag lists begins as what was typed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache

from models.errors import UserError
from models.files import ModelFile
from models.library.catalog import Catalog, Checkpoint
from models.library.compatibility import fits
from pipelines.completion.offers import Offer, distinct, matching
from pipelines.completion.tag_lists import TagFolders, spoken
from pipelines.completion.typed import Typed, typed
from pipelines.job_book.errors import BookError
from pipelines.prompts import written
from pipelines.prompts.tags import lora_names
from pipelines.resolving.embedding_words import embeddings_for
from pipelines.services.answers import CompletionItem
from pipelines.services.model_cards import ModelCards
from pipelines.services.prompt_history import PromptHistory
from pipelines.services.strengths import Strengths
from pipelines.wildcards.folders import WildcardFolders

MOST = 20  # that are offered
MOST_EACH = 6  # of one sort, beside tags
MOST_NAMES = 60  # files that are offered where only a bracket stands


@dataclass(frozen=True)
class Writing:
    """Where somebody writes. `before`: the text before the cursor. `text`: all of it. `against`: in a prompt that says what not to draw.

    `loras`: ids of those that the form has beside the prompt.
    """

    before: str
    text: str
    checkpoint: str
    against: bool = False
    loras: frozenset[str] = frozenset()


@dataclass(frozen=True)
class _Shelf:
    """What the library has for a checkpoint. Files with the names by which they are written; trigger words with their file's id."""

    loras: tuple[tuple[str, float], ...]  # and the strength that suits each
    hypernetworks: tuple[str, ...]
    embeddings: tuple[Offer, ...]
    triggers: tuple[tuple[str, str, Offer], ...]  # id and name of the LoRA, what to offer


class Completion:
    """Safe to call from any thread. Raises nothing for what was typed."""

    def __init__(
        self,
        catalog: Catalog,
        wildcards: WildcardFolders,
        tags: TagFolders,
        history: PromptHistory,
        strengths: Strengths,
        cards: ModelCards,
    ) -> None:
        self._catalog, self._wildcards, self._tags = catalog, wildcards, tags
        self._history, self._strengths, self._cards = history, strengths, cards
        self._shelf = lru_cache(maxsize=16)(self._read_shelf)

    def offered(self, writing: Writing, user: str) -> list[CompletionItem]:
        """What may be meant, the likeliest first. `back` counts UTF-16 units before the cursor that it takes the place of."""
        for each in typed(writing.before):
            shelf = self._shelf(writing.checkpoint, self._catalog.version)
            found = [*distinct(self._of(each, writing, shelf, user), [each.text], MOST_NAMES if each.what != "words" else MOST)]
            if found:
                back = len(writing.before[each.start :].encode("utf-16-le")) // 2
                return [_item(offer, back) for offer in found]
        return []

    def _of(self, each: Typed, writing: Writing, shelf: _Shelf, user: str) -> Iterator[Offer]:
        if each.what == "wildcard":
            names = (Offer("wildcard", name, f"__{name}__") for name in self._wildcards.shelf().names)
            return iter(matching(names, each.text, MOST_NAMES))
        if each.what == "words":
            return self._words(each.text, writing, shelf, user)
        loras = self._loras(shelf, user) if each.kind in ("", "lora") else ()
        nets = (Offer("hypernet", name, f"<hypernet:{name}:1>") for name in shelf.hypernetworks if each.kind in ("", "hypernet"))
        return iter([] if writing.against else matching((*loras, *nets), each.text, MOST_NAMES))

    def _words(self, text: str, writing: Writing, shelf: _Shelf, user: str) -> Iterator[Offer]:
        """From one source after another, as far as they are asked for."""
        named = lora_names(writing.text[:100_000])
        uses = {offer: lora in writing.loras or name in named for lora, name, offer in shelf.triggers}
        phrases = (Offer("phrase", phrase, written(phrase), "written before") for phrase in self._phrases(user))
        yield from matching(shelf.embeddings, text, MOST_EACH)
        yield from matching((offer for offer, used in uses.items() if used), text, MOST_EACH)
        yield from matching((Offer("word", word, word) for word in self._known(writing.checkpoint)), text, MOST_EACH)
        yield from matching(phrases, text, MOST_EACH)
        yield from self._tagged(text)
        yield from matching([] if writing.against else self._loras(shelf, user), text, MOST_EACH)
        yield from matching((offer for offer, used in uses.items() if not used), text, MOST_EACH)

    def _tagged(self, text: str) -> Iterator[Offer]:
        for tag in self._tags.tags().find(text, MOST, words=" " not in text):
            told = [f"for {tag.called}" if tag.called else "", _count(tag.count)]
            yield Offer("tag", spoken(tag.name), written(spoken(tag.name)), " · ".join(filter(None, told)))

    def _loras(self, shelf: _Shelf, user: str) -> Iterator[Offer]:
        """Each as strong as this person has used it last."""
        strengths = self._strengths.of(user)
        for name, usual in shelf.loras:
            strength = f"{strengths.get(name, usual):g}"
            yield Offer("lora", name, f"<lora:{name}:{strength}>", strength)

    def _read_shelf(self, checkpoint_id: str, version: int) -> _Shelf:
        """`version`: of the library; what was read for another one does not count."""
        checkpoint = self._checkpoint(checkpoint_id)
        fitting = [entry for entry in self._catalog.models() if entry.usable and not (checkpoint and fits(entry, checkpoint))]
        called = embeddings_for(checkpoint, self._catalog) if checkpoint else {}
        loras = [entry for entry in fitting if entry.identity.kind == "lora"]
        return _Shelf(
            tuple((entry.called, self._cards.card(entry).strength or 1.0) for entry in loras),
            tuple(entry.called for entry in fitting if entry.identity.kind == "hypernetwork"),
            tuple(_embedding(word, entries[0]) for word, entries in called.items() if word == entries[0].called),
            tuple((entry.id, entry.called, _trigger(word, entry)) for entry in loras for word in self._cards.words(entry)),
        )

    def _known(self, checkpoint_id: str) -> list[str]:
        checkpoint = self._checkpoint(checkpoint_id)
        return sorted(checkpoint.known_words or ()) if checkpoint else []

    def _phrases(self, user: str) -> Iterable[str]:
        try:
            return self._history.phrases(user)
        except BookError:
            return []

    def _checkpoint(self, checkpoint_id: str) -> Checkpoint | None:
        try:
            return self._catalog.checkpoint(checkpoint_id)
        except UserError:
            return None


def _embedding(word: str, entry: ModelFile) -> Offer:
    vectors = entry.identity.vectors
    return Offer("embedding", word, written(word), f"{vectors} {'token' if vectors == 1 else 'tokens'}" if vectors else "")


def _trigger(word: str, entry: ModelFile) -> Offer:
    return Offer("trigger", word, written(word), f"wakes {entry.name}")


def _item(offer: Offer, back: int) -> CompletionItem:
    return CompletionItem(kind=offer.kind, said=offer.said, written=offer.written, note=offer.note, back=back)


def _count(count: int) -> str:
    """As short as it can be told: 4.1 M."""
    for size, sign in ((1_000_000, " M"), (1_000, " k")):
        if count >= size:
            return f"{count / size:.1f}".removesuffix(".0") + sign
    return str(count) if count else ""
