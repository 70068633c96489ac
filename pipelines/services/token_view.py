"""Tokens of a prompt, for eyes: which word became which, where the model's parts of 75 begin, and the vectors of embeddings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby

from models.errors import UserError
from models.library.catalog import Catalog
from pipelines.prompts.chunks import CHUNK, Placed, divided
from pipelines.prompts.tokenizer import ClipTokenizer
from pipelines.requests.request import Drawing
from pipelines.requests.wording import texts_of, with_texts
from pipelines.resolving.embedding_words import embeddings_for
from pipelines.services.answers import TokenChunk, TokenPiece, TokenView
from pipelines.services.prompt_notes import PromptReader

FIELDS = ("prompt", "negative_prompt", "second_prompt")  # whose tokens are shown
MOST = 4_000  # tokens that are shown
UNREAD = "This prompt cannot be read. What is wrong with it stands under the field."


class TokenViews:
    """Safe to call from any thread."""

    def __init__(self, reader: PromptReader, catalog: Catalog) -> None:
        self._reader, self._catalog = reader, catalog

    def of(self, held: Drawing, field: str) -> TokenView:
        """Of one of the prompts of a form; of one that changes from step to step the longest that is said, as the counter has it.

        Raises `UserError` where it cannot be read.
        """
        checkpoint = self._catalog.checkpoint(held.checkpoint)
        text = str(getattr(held, field)) if field in FIELDS else ""
        run = with_texts(held, dict.fromkeys(texts_of(held), ""))  # what is wrong in the others hides no tokens of this one
        found = self._reader.notes(held.checkpoint, self._reader.words(field, text, held.seed), run=run)
        if found.counted is None:
            raise UserError(" ".join(found.sentences) or UNREAD)
        vectors = {word: entries[0].identity.vectors for word, entries in embeddings_for(checkpoint, self._catalog).items()}
        tokenizer = self._reader.tokenizer(checkpoint)
        chunks = list(_chunks(tokenizer, divided(tokenizer, found.read, vectors), vectors))
        return TokenView(said=found.read if found.read != text else "", chunks=chunks, more=sum(each["used"] for each in chunks) > MOST)


def _chunks(tokenizer: ClipTokenizer, parts: Sequence[Sequence[Placed]], vectors: Mapping[str, int]) -> Iterator[TokenChunk]:
    left = MOST
    for tokens in parts:
        shown = list(pieces_of(tokenizer, tokens[: max(0, left)], vectors))
        yield TokenChunk(used=len(tokens), places=CHUNK, pieces=shown)
        left -= len(tokens)


def pieces_of(tokenizer: ClipTokenizer, tokens: Sequence[Placed], vectors: Mapping[str, int]) -> Iterator[TokenPiece]:
    """An embedding's vectors are one piece: they stand for one word."""
    for (word, _), group in groupby(tokens, key=lambda each: (each.vector[0], each.offset) if each.vector else ("", 0)):
        for token in [*group][:1] if word else group:
            letters, ends = (word, True) if word else tokenizer.spelt(token.id)
            count = vectors.get(word, 0) if word else 0
            yield TokenPiece(text=letters, id=token.id, ends=ends, weight=round(token.weight, 4), vectors=count)
