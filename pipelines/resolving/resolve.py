"""Resolving a request: tags in the prompt become entries of the library, words find their embeddings, and what cannot go together is
refused with its reason before anything is loaded.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import fields, replace
from typing import Protocol, TypeVar

from models.errors import UserError
from models.files import ModelFile, ModelKind, scale_of
from models.library.catalog import Checkpoint
from models.library.compatibility import fits
from pipelines.metadata.two_passes import has_loras, second_pass
from pipelines.prompts.asked import asked_by
from pipelines.prompts.tags import Tag, take_tags, without_tags
from pipelines.requests.as_made import is_sealed, loosened
from pipelines.requests.branch import check_branch, trunk_of
from pipelines.requests.control_unit import ControlUse
from pipelines.requests.drawn_small import enlarged_size, enlarger_of
from pipelines.requests.made_for import LACKING, cannot_draw, draws, what_draws
from pipelines.requests.pace import read_pace
from pipelines.requests.request import (
    OWN_VAE,
    Depth,
    Details,
    Drawing,
    Drawn,
    EmbeddingUse,
    Enlarge,
    HypernetworkUse,
    Kind,
    LoraUse,
    SecondPass,
    TextToImage,
    Wording,
)
from pipelines.requests.second_pass import SAME
from pipelines.requests.steps import steps_of
from pipelines.requests.wording import NOTHING, texts_of, with_texts, worded
from pipelines.resolving.control_match import readers
from pipelines.resolving.embedding_words import Called, awake, embeddings_for, fitting, with_given
from pipelines.resolving.rebind import SHOWN, STEERS, Rebound, rebind

__all__ = ["UNREAD_DEPTH", "Rebound", "rebind", "resolve", "titled"]

Use = TypeVar("Use", LoraUse, HypernetworkUse, ControlUse)
UNREAD_DEPTH = "Nothing reads the depth map yet. Choose a depth checkpoint, or add a control unit without a picture of its own."
MOST_LISTED, MOST_CALLED = 6, 120  # files of one name in a sentence, and characters of each


class CatalogView(Protocol):
    """The catalogue, as far as it is asked here."""

    def checkpoint(self, checkpoint_id: str) -> Checkpoint: ...
    def model(self, model_id: str) -> ModelFile: ...
    def models(self, kind: ModelKind | None = None) -> list[ModelFile]: ...
    def find(self, kind: ModelKind, name: str) -> ModelFile | None: ...
    def named(self, kind: ModelKind, name: str) -> list[ModelFile]: ...
    def alike(self, entries: Sequence[ModelFile]) -> bool: ...


def resolve(request: Kind, catalog: CatalogView) -> Kind:
    """The request as it is kept and drawn: no tags in its prompt, every name an id of the library.

    Raises `UserError` when something is not there, cannot be used, or does not fit the checkpoint. What needs no model is as it is.
    """
    if isinstance(request, Enlarge):
        _check_upscalers(request.upscalers, catalog)
    return _resolved(request, catalog) if isinstance(request, Drawing) else request


def _check_upscalers(upscalers: Iterable[str], catalog: CatalogView) -> None:
    for upscaler in upscalers:
        entry = catalog.model(upscaler)
        if entry.identity.kind != "upscaler":
            raise UserError(f"“{entry.name}” is not an upscaler. Choose another file.")
        if not entry.usable:
            raise UserError(f"“{entry.name}” cannot be used: {entry.problem or entry.identity.note}")


def _resolved(request: Drawn, catalog: CatalogView) -> Drawn:
    request = _with_checkpoint(loosened(request), catalog)
    checkpoint = catalog.checkpoint(request.checkpoint)
    _check_depth(request, checkpoint)
    _check_variant(request, checkpoint)
    _check_box_prompts(request)
    if isinstance(request, SecondPass) and request.upscaler:
        _check_upscalers([request.upscaler], catalog)
    if enlarger := enlarger_of(request):
        _check_upscalers([enlarger], catalog)
        enlarged_size((request.width, request.height), scale_of(catalog.model(enlarger).identity))
    vae = request.vae or _preferred_vae(checkpoint, catalog) or OWN_VAE
    if vae != OWN_VAE:
        _fitting(vae, "vae", checkpoint, catalog)
    _check_refiner(request, checkpoint, catalog)
    called = with_given(embeddings_for(checkpoint, catalog), request.embeddings, checkpoint, catalog)
    found = replace(
        (_with_template if request.wordings else _said)(request, checkpoint, catalog, called),
        wordings=_wordings(request, checkpoint, catalog, called),
        vae=vae,
        controls=tuple(_control(use, place, checkpoint, catalog) for place, use in enumerate(request.controls, 1) if _is_used(use)),
    )
    _check_branch(request, checkpoint, catalog)
    return type(request).admit(_values(_with_second_pass(found, catalog) if isinstance(found, TextToImage) else found))


def _with_checkpoint(request: Drawn, catalog: CatalogView) -> Drawn:
    """Where none is named, as no model of the kind was there when the form was shown: the first that draws it."""
    if request.checkpoint or request.kind not in LACKING:
        return request
    usable = [entry.id for entry in catalog.models("checkpoint") if entry.usable]
    found = next((model_id for model_id in usable if draws(catalog.checkpoint(model_id), request.kind)), "")
    if not found:
        raise UserError(LACKING[request.kind])
    return replace(request, checkpoint=found)


def _with_second_pass(request: TextToImage, catalog: CatalogView) -> TextToImage:
    """With what its second pass names looked up as well, so that whatever is wrong with it is said before the first one is drawn."""
    if not request.hires:
        return request
    words = _without_words(request) if request.wordings else request
    found = _resolved(second_pass(words, "", (request.width, request.height)), catalog)
    if request.wordings:
        return _with_second_wordings(request, found, catalog)
    if not request.hires_loras and not has_loras(request.hires_prompt):
        return request
    return replace(request, hires_loras=found.loras, hires_prompt=found.prompt if request.hires_prompt else SAME)


def _with_second_wordings(request: TextToImage, second: SecondPass, catalog: CatalogView) -> TextToImage:
    """The words of each picture with the LoRAs that they name for its second pass. `second`: that pass, without words."""
    checkpoint = catalog.checkpoint(second.checkpoint)
    called = embeddings_for(checkpoint, catalog)

    def looked_up(wording: Wording) -> Wording:
        single = worded(replace(request, wordings=()), wording)
        said = _said(second_pass(single, "", (single.width, single.height)), checkpoint, catalog, called)
        if not single.hires_loras and not has_loras(single.hires_prompt):
            return wording
        words = (said.prompt or NOTHING) if single.hires_prompt else wording.hires_prompt
        return replace(wording, hires_loras=said.loras, hires_prompt=words)

    return replace(request, wordings=_each(request.wordings, looked_up))


def _each(wordings: Sequence[Wording], look_up: Callable[[Wording], Wording]) -> tuple[Wording, ...]:
    """The same words are looked through once."""
    known = {wording: look_up(wording) for wording in dict.fromkeys(wordings)}
    return tuple(known[wording] for wording in wordings)


def _without_words(request: Drawn) -> Drawn:
    return with_texts(request, dict.fromkeys(texts_of(request), ""))


def _said(request: Drawn, checkpoint: Checkpoint, catalog: CatalogView, called: Called) -> Drawn:
    """With what the words name. `called`: the embeddings that words may stand for."""
    prompt, tags = take_tags(request.prompt)
    loras = [*request.loras, *(_lora(tag, checkpoint, catalog) for tag in tags if tag.kind == "lora")]
    for use in loras:
        read_pace(use.pace)  # raises `UserError`
    hypernetworks = [*request.hypernetworks, *(_hypernetwork(tag, checkpoint, catalog) for tag in tags if tag.kind == "hypernet")]
    return replace(
        request,
        prompt=prompt,
        negative_prompt=without_tags(request.negative_prompt),
        second_prompt=without_tags(request.second_prompt),
        loras=tuple(_named(use, "lora", checkpoint, catalog) for use in loras),
        hypernetworks=tuple(_named(use, "hypernetwork", checkpoint, catalog) for use in hypernetworks),
        embeddings=tuple(_embeddings(request, checkpoint, catalog, called)),
    )


def _with_template(request: Drawn, checkpoint: Checkpoint, catalog: CatalogView, called: Called) -> Drawn:
    """A job whose pictures have words of their own keeps what they were drawn of, tags and all, and what its lists name."""
    return with_texts(_said(_without_words(request), checkpoint, catalog, called), texts_of(request))


def _wordings(request: Drawing, checkpoint: Checkpoint, catalog: CatalogView, called: Called) -> tuple[Wording, ...]:
    """The words of each picture with what they name."""

    def looked_up(wording: Wording) -> Wording:
        single = worded(replace(request, wordings=()), replace(wording, loras=request.loras, hypernetworks=request.hypernetworks))
        _check_box_prompts(single)
        said = _said(single, checkpoint, catalog, called)
        second = wording.second_prompt if said.second_prompt == request.second_prompt else said.second_prompt or NOTHING
        named = {name: getattr(said, name) for name in ("loras", "hypernetworks", "embeddings")}
        return replace(wording, prompt=said.prompt, negative_prompt=said.negative_prompt, second_prompt=second, **named)

    return _each(request.wordings, looked_up)


def _values(request: Drawing) -> dict[str, object]:
    return {item.name: getattr(request, item.name) for item in fields(request)}


def _lora(tag: Tag, checkpoint: Checkpoint, catalog: CatalogView) -> LoraUse:
    found = _by_name("lora", tag.name, checkpoint, catalog)
    return LoraUse(id=found.id, unet=tag.unet, text_encoder=tag.text_encoder, blocks=tag.blocks, pace=tag.pace)


def _hypernetwork(tag: Tag, checkpoint: Checkpoint, catalog: CatalogView) -> HypernetworkUse:
    return HypernetworkUse(id=_by_name("hypernetwork", tag.name, checkpoint, catalog).id, strength=tag.unet)


def _is_used(use: ControlUse) -> bool:
    """One that nobody touched, or that is switched off before it had a model, says nothing."""
    return use != ControlUse() and bool(use.id or use.weight)


def _lacking(use: ControlUse, place: int, checkpoint: Checkpoint, catalog: CatalogView) -> str:
    """What a unit without a model needs, by the name that its card has."""
    is_plain = use.preprocessor == ControlUse().preprocessor
    card = f"Unit {place}" if is_plain else f"Unit {place} – {use.preprocessor}"
    fitting = [entry for kind in STEERS for entry in catalog.models(kind) if not fits(entry, checkpoint)]
    best = next((entry for entry in fitting if entry.id == readers(fitting).get(use.preprocessor)), None)
    choice = f"such as “{best.name}”, under “{titled('id')}”" if best else f"under “{titled('id')}”"
    return f"Control unit {place} has no model yet, so nothing reads its map. Open “{card}” and choose one {choice}, or remove the unit."


def _control(use: ControlUse, place: int, checkpoint: Checkpoint, catalog: CatalogView) -> ControlUse:
    if not use.id:
        raise UserError(_lacking(use, place, checkpoint, catalog))
    if use.start >= use.end:
        raise UserError(f"Control unit {place} ends before it begins. Put “{titled('end')}” after “{titled('start')}”.")
    entry = catalog.model(use.id)
    if entry.identity.kind not in STEERS:
        raise UserError(f"“{entry.name}” is not a file that steers a drawing. Choose a ControlNet or an adapter.")
    return _named(use, entry.identity.kind, checkpoint, catalog)


def titled(name: str) -> str:
    return next(item.metadata["title"] for item in fields(ControlUse) if item.name == name)


def _by_name(kind: ModelKind, name: str, checkpoint: Checkpoint, catalog: CatalogView) -> ModelFile:
    """The file that a tag names. Of several, the one that fits the checkpoint; between others a person chooses."""
    entries = catalog.named(kind, name)
    if not entries:
        what = f"There is no {SHOWN[kind]} called “{name[:80]}” in the models folders."
        raise UserError(f"{what} Put the file there, or take its tag out of the prompt.")
    return _only(kind, name, entries, checkpoint, catalog)


def _only(kind: ModelKind, name: str, entries: Sequence[ModelFile], checkpoint: Checkpoint, catalog: CatalogView) -> ModelFile:
    """Copies count as one. Raises `UserError`, with what to write instead, where several files of different content are meant."""
    fitting = [entry for entry in entries if not fits(entry, checkpoint)] or entries
    if not catalog.alike(fitting):
        several = ", ".join(f"“{entry.called[:MOST_CALLED]}”" for entry in fitting[:MOST_LISTED])
        told = f"{len(fitting)} {SHOWN[kind]} files are called “{name[:80]}”. Write which one you mean: {several}"
        apart = len({entry.called for entry in fitting}) == len(fitting)
        raise UserError(f"{told}." if apart else f"{told}; or give each a name of its own.")
    return fitting[0]


def _named(use: Use, kind: ModelKind, checkpoint: Checkpoint, catalog: CatalogView) -> Use:
    return replace(use, name=_fitting(use.id, kind, checkpoint, catalog).called[:300])


def _fitting(model_id: str, kind: ModelKind, checkpoint: Checkpoint, catalog: CatalogView) -> ModelFile:
    """The entry, when it can be used with this checkpoint."""
    entry = catalog.model(model_id)
    if entry.identity.kind != kind:
        raise UserError(f"“{entry.name}” is not a {SHOWN[kind]}. Choose another file.")
    reason = entry.problem or entry.identity.note * (not entry.identity.supported) or fits(entry, checkpoint)
    if reason:
        raise UserError(reason if entry.name in reason else f"“{entry.name}” cannot be used: {reason}")
    return entry


def _preferred_vae(checkpoint: Checkpoint, catalog: CatalogView) -> str:
    """The VAE that a person chose for this checkpoint, as long as it is there."""
    chosen = checkpoint.file.overrides.vae
    return chosen if chosen and any(entry.id == chosen for entry in catalog.models("vae")) else ""


def _check_variant(request: Drawing, checkpoint: Checkpoint) -> None:
    if not draws(checkpoint, request.kind):
        raise UserError(cannot_draw(checkpoint.name, what_draws(checkpoint)))


def _check_depth(request: Drawing, checkpoint: Checkpoint) -> None:
    if not isinstance(request, Depth):
        return
    if checkpoint.variant != "depth" and all(use.image or not use.weight for use in request.controls if use != ControlUse()):
        raise UserError(UNREAD_DEPTH)
    if request.far >= request.near:
        raise UserError("“Far” lies in front of “Near”, so the map would be empty. Move one of them, or invert the map.")


def _check_branch(request: Drawing, checkpoint: Checkpoint, catalog: CatalogView) -> None:
    """What it branches from may have been drawn by another model of the family, also by one that is not here any more."""
    trunk = trunk_of(request)
    if trunk is None:
        return
    check_branch(request, steps_of(request).run)
    other = _checkpoint(trunk.checkpoint, catalog)
    if other and other.family_key.removesuffix("-refiner") != checkpoint.family_key.removesuffix("-refiner"):
        families = f"A {other.family} model drew the picture that this branches from, and “{checkpoint.name}” is a {checkpoint.family} one"
        raise UserError(f"{families}. Choose another checkpoint.")


def _checkpoint(checkpoint_id: str, catalog: CatalogView) -> Checkpoint | None:
    try:
        return catalog.checkpoint(checkpoint_id)
    except UserError:
        return None


def _check_box_prompts(request: Drawing) -> None:
    """LoRAs act on a whole job."""
    boxes = request.boxes if isinstance(request, Details) else ()
    place = next((place for place, each in enumerate(boxes, 1) if without_tags(each.prompt) != each.prompt), 0)
    if place:
        what = f"The prompt of box {place} names a LoRA or hypernetwork, which acts on all boxes"
        raise UserError(f"{what}. Put its tag into the prompt of the form.")


def _check_refiner(request: Drawing, checkpoint: Checkpoint, catalog: CatalogView) -> None:
    if not request.refiner:
        return
    refiner = catalog.checkpoint(request.refiner)
    if refiner.family_key.removesuffix("-refiner") != checkpoint.family_key.removesuffix("-refiner"):
        families = f"“{refiner.name}” is a {refiner.family} model and “{checkpoint.name}” a {checkpoint.family} one"
        raise UserError(f"{families}, so the one cannot refine the other. Choose another refiner.")


def _embeddings(request: Drawing, checkpoint: Checkpoint, catalog: CatalogView, called: Called) -> Iterator[EmbeddingUse]:
    """Those whose words stand in the prompts; those that acted before where a picture is made as it was made.

    Raises `UserError` for prompts that cannot be drawn.
    """
    if is_sealed(request):
        asked_by(request)
        yield from (use for use in request.embeddings if fitting(use, checkpoint, catalog))
        return
    for word, entries in awake(request, called):
        yield EmbeddingUse(id=_only("embedding", word, entries, checkpoint, catalog).id, word=word)
