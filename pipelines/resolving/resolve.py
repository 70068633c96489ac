"""Resolving a request: tags in the prompt become entries of the library, words find their embeddings, and what cannot go together is
refused with its reason before anything is loaded.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import fields, replace

from models.files import scale_of
from models.library.catalog import Checkpoint
from pipelines.metadata.two_passes import has_loras, second_pass
from pipelines.prompts.asked import asked_by
from pipelines.prompts.tags import Tag, take_tags, without_tags
from pipelines.requests.as_made import is_sealed, loosened
from pipelines.requests.drawn_small import enlarged_size, enlarger_of
from pipelines.requests.pace import read_pace
from pipelines.requests.request import (
    OWN_VAE,
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
    Wordless,
)
from pipelines.requests.sampling import check_sampling
from pipelines.requests.second_pass import SAME
from pipelines.requests.wording import NOTHING, PartWords, texts_of, with_texts, worded
from pipelines.resolving.checks import check_box_prompts, check_branch_of, check_depth, check_refiner, check_upscalers, check_variant
from pipelines.resolving.embedding_words import Called, awake, embeddings_for, fitting, with_given
from pipelines.resolving.files import CatalogView, by_name, named, only, usable, with_checkpoint
from pipelines.resolving.regions import words_of_regions
from pipelines.resolving.units import control_of, is_used
from pipelines.resolving.wordless import resolved_wordless


def resolve(request: Kind, catalog: CatalogView) -> Kind:
    """The request as it is kept and drawn: no tags in its prompt, every name an id of the library.

    Raises `UserError` when something is not there, cannot be used, or does not fit the checkpoint. What needs no model is as it is.
    """
    if isinstance(request, Enlarge):
        check_upscalers(request.upscalers, catalog)
    if isinstance(request, Wordless):
        return resolved_wordless(request, catalog)
    return _resolved(request, catalog) if isinstance(request, Drawing) else request


def _resolved(request: Drawn, catalog: CatalogView) -> Drawn:
    request = with_checkpoint(loosened(request), catalog)
    check_sampling(request)
    checkpoint = catalog.checkpoint(request.checkpoint)
    check_depth(request, checkpoint)
    check_variant(request, checkpoint)
    check_box_prompts(request)
    if isinstance(request, SecondPass) and request.upscaler:
        check_upscalers([request.upscaler], catalog)
    if enlarger := enlarger_of(request):
        check_upscalers([enlarger], catalog)
        enlarged_size((request.width, request.height), scale_of(catalog.model(enlarger).identity))
    vae = request.vae or _preferred_vae(checkpoint, catalog) or OWN_VAE
    if vae != OWN_VAE:
        usable(vae, "vae", checkpoint, catalog)
    check_refiner(request, checkpoint, catalog)
    called = with_given(embeddings_for(checkpoint, catalog), request.embeddings, checkpoint, catalog)
    found = replace(
        (_with_template if request.wordings else _said)(request, checkpoint, catalog, called),
        wordings=_wordings(request, checkpoint, catalog, called),
        vae=vae,
        controls=tuple(control_of(use, place, checkpoint, catalog) for place, use in enumerate(request.controls, 1) if is_used(use)),
    )
    check_branch_of(request, checkpoint, catalog)
    return type(request).admit(_values(_with_second_pass(found, catalog) if isinstance(found, TextToImage) else found))


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
    regions, named_there = words_of_regions(request)
    loras += [replace(_lora(tag, checkpoint, catalog), region=place) for place, tag in named_there]
    for use in loras:
        read_pace(use.pace)  # raises `UserError`
    hypernetworks = [*request.hypernetworks, *(_hypernetwork(tag, checkpoint, catalog) for tag in tags if tag.kind == "hypernet")]
    request = replace(request, regions=regions)
    return replace(
        request,
        prompt=prompt,
        negative_prompt=without_tags(request.negative_prompt),
        second_prompt=without_tags(request.second_prompt),
        loras=tuple(named(use, "lora", checkpoint, catalog) for use in loras),
        hypernetworks=tuple(named(use, "hypernetwork", checkpoint, catalog) for use in hypernetworks),
        embeddings=tuple(_embeddings(request, checkpoint, catalog, called)),
    )


def _with_template(request: Drawn, checkpoint: Checkpoint, catalog: CatalogView, called: Called) -> Drawn:
    """A job whose pictures have words of their own keeps what they were drawn of, tags and all, and what its lists name."""
    return with_texts(_said(_without_words(request), checkpoint, catalog, called), texts_of(request))


def _wordings(request: Drawing, checkpoint: Checkpoint, catalog: CatalogView, called: Called) -> tuple[Wording, ...]:
    """The words of each picture with what they name."""

    def looked_up(wording: Wording) -> Wording:
        single = worded(replace(request, wordings=()), replace(wording, loras=request.loras, hypernetworks=request.hypernetworks))
        check_box_prompts(single)
        said = _said(single, checkpoint, catalog, called)
        second = wording.second_prompt if said.second_prompt == request.second_prompt else said.second_prompt or NOTHING
        named = {name: getattr(said, name) for name in ("loras", "hypernetworks", "embeddings")}
        if said.regions != single.regions:
            named["regions"] = tuple(PartWords(prompt=each.prompt or NOTHING) for each in said.regions)
        return replace(wording, prompt=said.prompt, negative_prompt=said.negative_prompt, second_prompt=second, **named)

    return _each(request.wordings, looked_up)


def _values(request: Drawing) -> dict[str, object]:
    return {item.name: getattr(request, item.name) for item in fields(request)}


def _lora(tag: Tag, checkpoint: Checkpoint, catalog: CatalogView) -> LoraUse:
    found = by_name("lora", tag.name, checkpoint, catalog)
    return LoraUse(id=found.id, unet=tag.unet, text_encoder=tag.text_encoder, blocks=tag.blocks, pace=tag.pace)


def _hypernetwork(tag: Tag, checkpoint: Checkpoint, catalog: CatalogView) -> HypernetworkUse:
    return HypernetworkUse(id=by_name("hypernetwork", tag.name, checkpoint, catalog).id, strength=tag.unet)


def _preferred_vae(checkpoint: Checkpoint, catalog: CatalogView) -> str:
    """The VAE that a person chose for this checkpoint, as long as it is there."""
    chosen = checkpoint.file.overrides.vae
    return chosen if chosen and any(entry.id == chosen for entry in catalog.models("vae")) else ""


def _embeddings(request: Drawing, checkpoint: Checkpoint, catalog: CatalogView, called: Called) -> Iterator[EmbeddingUse]:
    """Those whose words stand in the prompts; those that acted before where a picture is made as it was made.

    Raises `UserError` for prompts that cannot be drawn.
    """
    if is_sealed(request):
        asked_by(request)
        yield from (use for use in request.embeddings if fitting(use, checkpoint, catalog))
        return
    for word, entries in awake(request, called):
        yield EmbeddingUse(id=only("embedding", word, entries, checkpoint, catalog).id, word=word)
