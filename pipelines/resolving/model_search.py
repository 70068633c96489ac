"""The search for what a picture was made with: found again here, by content under any name.

A name and an id say where a file lay; its hash says what it was. So the hash decides whenever the picture has one. Reading a file of
gigabytes takes its time, so a hash that nobody has worked out yet is waited for a moment only: then it says so, and the reading goes on.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, Protocol, TypeVar

from models.errors import UserError
from models.files import ModelFile, ModelKind
from models.library.checkpoint import Checkpoint
from pipelines.metadata.hires_text import CHECKPOINT as HIRES
from pipelines.metadata.hires_text import UPSCALER
from pipelines.metadata.lists import canonical, unlisted
from pipelines.metadata.provenance import ENLARGER, plain
from pipelines.requests.as_made import Understanding, understanding
from pipelines.requests.control_unit import ControlUse
from pipelines.requests.request import OWN_VAE, Drawing, EmbeddingUse, HypernetworkUse, LoraUse
from pipelines.requests.second_pass import LANCZOS
from pipelines.resolving.embedding_words import awake, embeddings_for

Use = TypeVar("Use", LoraUse, HypernetworkUse, ControlUse)
Found = Literal["hash", "name", "another", "comparing", "missing"]  # "another": of this name, and not the same file
PATIENCE = 2.0  # seconds that the files of one picture may take to be read, all together
STEERS: tuple[ModelKind, ...] = ("controlnet", "adapter")
SHOWN = {
    "lora": "LoRA", "hypernetwork": "hypernetwork", "vae": "VAE", "embedding": "embedding",
    "controlnet": "ControlNet", "adapter": "adapter", "upscaler": "upscaler",
}  # fmt: skip
BRACKETS = re.compile(r"(.*?)(?: \[([0-9a-f]{8,64})\])?", re.DOTALL)
NO_VAE = {"none": OWN_VAE, "automatic": ""}  # as other studios write it
INSTEAD = {
    "checkpoint": "the starter stands in for it",
    "embedding": "its word is an ordinary one here",
    "upscaler": "the filter stands in for it",
}
OF_SECOND = {  # by place
    HIRES: "the second pass has that of the first",
    UPSCALER: f"{LANCZOS} stands in for it",
    ENLARGER: "its pictures are as they are drawn",
}
UNTIL = "It is drawn as it was then, until you change something else than the seed."


class CatalogView(Protocol):
    """The catalogue, as far as it is asked here."""

    def checkpoint(self, checkpoint_id: str) -> Checkpoint: ...
    def model(self, model_id: str) -> ModelFile: ...
    def models(self, kind: ModelKind | None = None) -> list[ModelFile]: ...
    def named(self, kind: ModelKind, name: str) -> list[ModelFile]: ...
    def by_hash_within(self, kind: ModelKind, digest: str, seconds: float) -> ModelFile | None: ...
    def holds(self, model_id: str, digest: str, seconds: float) -> bool: ...


@dataclass(frozen=True)
class Binding:
    """A model that was named, and what it is here. `place`: "Model", "Refiner", else its kind."""

    place: str
    name: str
    digest: str  # digits of its SHA-256 as they were written, or ""
    called: str = ""  # here; "" where it is not
    how: Found = "missing"


@dataclass
class Search:
    """The search for what one picture was made with. `notes`: sentences about what is another file here, or not here."""

    catalog: CatalogView
    made_with: Mapping[str, str]
    notes: list[str] = field(default_factory=list[str])
    bindings: list[Binding] = field(default_factory=list[Binding])
    until: float = field(default_factory=lambda: time.monotonic() + PATIENCE)
    instead: str = INSTEAD["checkpoint"]

    def checkpoint(self, model_id: str, key: str) -> str:
        """Other studios put the hash of a refiner behind its name."""
        name, hashed = BRACKETS.fullmatch(self.made_with.get(key, "")).groups("")  # pyright: ignore[reportOptionalMemberAccess]
        return self.one("checkpoint", model_id, name, self.made_with.get(f"{key} hash", hashed), key)

    def vae(self, model_id: str, unnamed: str) -> str:
        """Whatever was chosen for a checkpoint was looked up before it was drawn, so a picture that names none had the checkpoint's own."""
        name, digest = self.made_with.get("VAE", ""), self.made_with.get("VAE hash", "")
        if name.casefold() in NO_VAE:
            return NO_VAE[name.casefold()]
        return self.one("vae", model_id, name, digest) if model_id not in ("", OWN_VAE) or name else model_id or unnamed

    def upscaler(self, model_id: str, key: str) -> str:
        name = self.made_with.get(key, "")
        return self.one("upscaler", model_id, name, self.made_with.get(f"{key} hash", ""), key) if model_id or name else ""

    def embeddings(self, uses: Sequence[EmbeddingUse]) -> Iterator[EmbeddingUse]:
        """Under the words that were written, whatever their files are called now. A text has the list of those that acted alone."""
        digests = Digests(self.made_with.get("TI hashes", ""))
        for use in uses or digests.uses():
            if found := self.one("embedding", use.id, use.word, digests.of(use.id, use.word)):
                yield replace(use, id=found)

    def understood(self, uses: Sequence[Understanding], moved: Mapping[str, str]) -> Iterator[Understanding]:
        """Where a checkpoint is understood in another way by now. What is the same is left to the library: later decisions count."""
        for use in uses:
            here = self._checkpoint(moved.get(use.id, ""))
            there = replace(use, id=here.id) if here else None
            if here and there and there != understanding(here):
                taken = f"“{here.file.called[:80]}” was taken as {_in_words(there)}"
                self.notes.append(f"{taken}, and is {_in_words(understanding(here))} here by now. {UNTIL}")
                yield there

    def say_newcomers(self, request: Drawing) -> None:
        """Words that were ordinary ones when the picture was made, and are names of embeddings here."""
        checkpoint = self._checkpoint(request.checkpoint)
        called = embeddings_for(checkpoint, self.catalog) if checkpoint else {}
        known = {use.word for use in request.embeddings}
        for word, _ in awake(request, {**called, **{word: [] for word in known}}):
            if word not in known:
                self.notes.append(f"“{word[:80]}” is an embedding here, and was an ordinary word in this picture. {UNTIL}")

    def _checkpoint(self, model_id: str) -> Checkpoint | None:
        try:
            return self.catalog.checkpoint(model_id) if model_id else None
        except UserError:
            return None

    def uses(self, kind: ModelKind, uses: Sequence[Use], key: str) -> Iterator[Use]:
        digests = Digests(self.made_with.get(key, ""))
        for use in uses:
            if not acts(use):
                yield use
            elif found := self.one(kind, use.id, use.name, digests.of(use.id, use.name)):
                yield replace(use, id=found)

    def one(self, kind: ModelKind, model_id: str, name: str, digest: str, place: str = "") -> str:
        """The id here, or nothing and a note."""
        kinds = STEERS if kind in STEERS else (kind,)
        called = self._called(kinds, model_id, name)
        found, how = self._same(kinds, called, digest) if digest else self._first(model_id, called)
        self.bindings.append(Binding(place or kind, name, digest, found.called if found else "", how if found else "missing"))
        if found is None:
            self._say_gone(kind, name, how != "comparing", place)
        return found.id if found else ""

    def _called(self, kinds: Sequence[ModelKind], model_id: str, name: str) -> list[ModelFile]:
        """What lies where the file lay, then what bears its name."""
        there = [entry for kind in kinds for entry in self.catalog.models(kind) if entry.id == model_id]
        return there + [entry for kind in kinds if name for entry in self.catalog.named(kind, name) if entry not in there]

    def _first(self, model_id: str, called: Sequence[ModelFile]) -> tuple[ModelFile | None, Found]:
        """Without a hash, the first will do; of several that only share the name, it is said which."""
        if len(called) > 1 and called[0].id != model_id:
            what = f"{len(called)} files bear the name of one that this picture was made with"
            self.notes.append(f"{what}; “{called[0].called[:80]}” was taken.")
        return next(iter(called), None), "name"

    def _same(self, kinds: Sequence[ModelKind], called: Sequence[ModelFile], digest: str) -> tuple[ModelFile | None, Found]:
        """The file with this content, else what bears its name, and a note."""
        try:
            for entry in called:
                if self._holds(entry, digest):
                    return entry, "hash"
            elsewhere = next(filter(None, (self.catalog.by_hash_within(kind, digest, self._left) for kind in kinds)), None)
        except TimeoutError:
            self.notes += [_uncompared(entry.called) for entry in called[:1]]
            return next(iter(called), None), "comparing"
        if elsewhere is None:
            self.notes += [_another(entry.called) for entry in called[:1]]
        return elsewhere or next(iter(called), None), "hash" if elsewhere else "another"

    def _holds(self, entry: ModelFile, digest: str) -> bool:
        try:
            return self.catalog.holds(entry.id, digest, self._left)
        except UserError:
            return False

    @property
    def _left(self) -> float:
        return self.until - time.monotonic()

    def _say_gone(self, kind: ModelKind, name: str, is_sure: bool, place: str) -> None:
        what = f"The {SHOWN.get(kind, kind)} “{name[:80]}” is not in the models folders" if name else f"This picture names no {kind}"
        instead = self.instead if kind == "checkpoint" else INSTEAD.get(kind, "it was left out")
        later = "" if is_sure else " Some files there are still being compared with it; ask again in a while."
        self.notes.append(f"{what}; {OF_SECOND.get(place, instead)}.{later}")


def _in_words(how: Understanding) -> str:
    return f"predicting {how.prediction_type}{' with zero terminal SNR' if how.zero_terminal_snr else ''}"


def _another(name: str) -> str:
    return f"“{name[:80]}” is another file here than the one that this picture was made with, so the picture will differ."


def _uncompared(name: str) -> str:
    return f"“{name[:80]}” is still being compared with the file that this picture was made with; ask again in a while to be sure."


class Digests:
    """The hashes of a list, for one use after another: of several files of one name each has its own, in order."""

    def __init__(self, text: str) -> None:
        self._entries = unlisted(text)
        self._by_id: dict[str, str] = {}

    def of(self, model_id: str, name: str) -> str:
        """ "" where the list has none."""
        if not model_id or model_id not in self._by_id:
            self._by_id[model_id] = self._next(canonical(name))
        return self._by_id[model_id]

    def uses(self) -> list[EmbeddingUse]:
        """All of them, by the words that stand for them."""
        return [EmbeddingUse(word=word[:200]) for word in dict.fromkeys(word for word, _ in self._entries)][:64]

    def _next(self, name: str) -> str:
        """The last one of a name goes for all further uses: two tags may mean one file."""
        names = {name, plain(name), name.replace("\\", "/").rpartition("/")[2]}
        places = [place for place, (own, _) in enumerate(self._entries) if own in names]
        if len(places) > 1:
            return self._entries.pop(places[0])[1]
        return self._entries[places[0]][1] if places else ""


def acts(use: object) -> bool:
    """Whether a LoRA, hypernetwork or control unit has any strength; what has none is in no list."""
    strengths = [getattr(use, name) for name in ("unet", "text_encoder", "strength", "weight") if hasattr(use, name)]
    return any(strengths)
