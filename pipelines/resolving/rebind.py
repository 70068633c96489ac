"""Rebinding: a request from elsewhere in terms of this library, and a sentence wherever what it was made with is another here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from models.library.checkpoint import STARTER
from pipelines.metadata.hires_text import CHECKPOINT as HIRES
from pipelines.metadata.hires_text import UPSCALER
from pipelines.metadata.provenance import ENLARGER, UPSCALERS
from pipelines.requests.as_made import seal, threads_here
from pipelines.requests.drawn_small import DrawnSmall
from pipelines.requests.enlarge import THE_FILTER
from pipelines.requests.made_for import LACKING
from pipelines.requests.request import OWN_VAE, WHOLE_LANGUAGE, Drawing, Drawn, Enlarge, Request, SecondPass, TextToImage, Wordless
from pipelines.requests.second_pass import LANCZOS, UPSCALER_NAMES, Enlarging
from pipelines.resolving.model_search import INSTEAD, Binding, CatalogView, Search


@dataclass(frozen=True)
class Rebound:
    """A request from elsewhere in terms of this library, and a sentence for each thing that is not here, or is another."""

    request: Request
    notes: tuple[str, ...] = ()
    bindings: tuple[Binding, ...] = ()


def rebind(
    request: Request, made_with: Mapping[str, str], catalog: CatalogView, ids: bool = True, instead: str = INSTEAD["checkpoint"]
) -> Rebound:
    """Finds what a picture was made with: by the hash in its metadata, else by id, else by name. It is sealed to be made as it was made.

    What is not there is left out and named in a note; a checkpoint that is not there becomes the starter. What bears the name but is
    another file is taken, and a note says so. `ids`: the request holds ids of a library; a text that others read has names alone.
    `instead`: what becomes of a checkpoint that is not here, as a note says it.
    """
    search = Search(catalog, made_with, instead="put it there, as no other model draws this" if request.kind in LACKING else instead)
    if isinstance(request, Enlarge):
        return _rebound_enlarging(request, search, ids)
    if isinstance(request, Wordless):
        found = replace(request, checkpoint=search.checkpoint(request.checkpoint if ids else "", "Model"))
        found = replace(found, as_made=seal(found)) if ids else found
        return Rebound(found, (*search.notes, *_too_many(found.threads)), tuple(search.bindings))
    return _rebound(request, search, ids) if isinstance(request, Drawing) else Rebound(request)


def _rebound_enlarging(request: Enlarge, search: Search, ids: bool) -> Rebound:
    """Without the first upscaler there is nothing to blend the second with."""
    named = [upscaler if ids and upscaler != THE_FILTER else "" for upscaler in (request.upscaler, request.second_upscaler)]
    first, second = (search.upscaler(model_id, key) for model_id, key in zip(named, UPSCALERS, strict=True))
    found = replace(request, upscaler=first, second_upscaler=second or (THE_FILTER if request.second_upscaler == THE_FILTER else ""))
    return Rebound(found, tuple(dict.fromkeys([*search.notes, *_too_many(found.threads)])), tuple(search.bindings))


def _rebound(request: Drawing, search: Search, ids: bool) -> Rebound:
    checkpoint = search.checkpoint(request.checkpoint if ids else "", "Model")
    refiner = search.checkpoint(request.refiner, "Refiner") if request.refiner or "Refiner" in search.made_with else ""
    moved = {request.checkpoint: checkpoint, request.refiner: refiner}
    found = replace(
        request,
        checkpoint=checkpoint or ("" if request.kind in LACKING else STARTER),
        refiner=refiner,
        vae=search.vae(request.vae, OWN_VAE if ids else ""),
        loras=tuple(search.uses("lora", request.loras, "Lora hashes")),
        hypernetworks=tuple(search.uses("hypernetwork", request.hypernetworks, "Hypernet hash")),
        controls=tuple(search.uses("controlnet", request.controls, "ControlNet hashes")),
        embeddings=tuple(search.embeddings(request.embeddings)),
        understood=tuple(search.understood(request.understood, moved)),
    )
    found = _enlarged(_passes(found, search, ids, moved), search, ids)
    if ids or "TI hashes" in search.made_with:
        search.say_newcomers(found)
    if ids or "TI hashes" in search.made_with or found.language != WHOLE_LANGUAGE:
        found = replace(found, as_made=seal(found))
    return Rebound(found, tuple(dict.fromkeys([*search.notes, *_too_many(found.threads)])), tuple(search.bindings))


def _passes(request: Drawn, search: Search, ids: bool, moved: Mapping[str, str]) -> Drawn:
    """With what the other pass of a drawing in two was made with, and what enlarges its picture."""
    if isinstance(request, Enlarging):
        request = replace(request, hires_upscaler=_enlarger(request, search, ids))
    if isinstance(request, SecondPass):
        return replace(request, first=tuple(replace(use, checkpoint=moved.get(use.checkpoint, use.checkpoint)) for use in request.first))
    if not isinstance(request, TextToImage) or not request.hires:
        return request
    known = request.hires_checkpoint or HIRES in search.made_with
    checkpoint = search.checkpoint(request.hires_checkpoint if ids else "", HIRES) if known else ""
    return replace(request, hires_checkpoint=checkpoint, hires_loras=tuple(search.uses("lora", request.hires_loras, "Lora hashes")))


def _enlarged(request: Drawn, search: Search, ids: bool) -> Drawn:
    """With the upscaler that enlarges its picture. What that was before comes of it anew."""
    if not isinstance(request, DrawnSmall):
        return request
    own = request.enlarged_by if ids else ""
    return replace(request, enlarged_by=search.upscaler(own, ENLARGER) if request.enlarged_by else "", as_drawn="")


def _enlarger(request: Enlarging, search: Search, ids: bool) -> str:
    """Filters and latent modes are everywhere. Where none acts, nothing is missing, but no form can hold what is not here."""
    own = request.hires_upscaler
    if own in UPSCALER_NAMES:
        return own
    if not request.upscaler:
        return own if any(entry.id == own for entry in search.catalog.models("upscaler")) else LANCZOS
    return search.upscaler(own if ids else "", UPSCALER) or LANCZOS


def _too_many(threads: int) -> list[str]:
    if not threads or threads_here(threads):
        return []
    return [f"This picture was drawn by {threads} threads, more than this machine can run, so single levels of its colours may differ."]
