"""Choices that the library offers a form: checkpoints, VAEs, refiners, LoRAs and hypernetworks, and why one does not fit.

Lists follow the library without a reload: the page's header notices another version, and this component asks again.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Literal

import gradio as gr
from gradio.context import LocalContext

from models.files import ModelFile, ModelKind, scale_of
from models.identify.distilled import FEW
from pipelines import Checkpoint, Request, SecondPass, Studio, UserError, limits, written
from pipelines.requests.enlarge import THE_FILTER
from pipelines.requests.second_pass import UPSCALER_NAMES
from pipelines.resolving.control_match import readers
from pipelines.resolving.suited import samplers_for
from pipelines.samplers import ALSO
from ui.door.roles import role, user_of
from ui.gradio_types import QUIET, Update, Updates, listener
from ui.messages import FormOffers, OfferedFile, Word
from ui.parts import controls
from ui.parts.components import piece
from ui.parts.form import Form

Rack = Literal["loras", "hypernetworks", "controls"]
RACKS: dict[Rack, tuple[ModelKind, ...]] = {  # request field -> kinds of files
    "loras": ("lora",),
    "hypernetworks": ("hypernetwork",),
    "controls": ("controlnet", "adapter"),
}
AS_FIRST = "As the first"
UPSCALERS: dict[str, list[tuple[str, str]]] = {  # request field -> what is offered beside the library's
    "upscaler": [("None: the filter alone", "")],
    "second_upscaler": [("Nothing", ""), ("The filter", THE_FILTER)],
    "enlarged_by": [("None: as it is drawn", "")],
    "hires_upscaler": [(name, name) for name in UPSCALER_NAMES],
}
DRAWS = ("", "v", *FEW)  # variants that draw from words alone


def offer(studio: Studio, form: Form) -> None:
    """Keeps the form's lists as the library is."""
    names = [
        name
        for name in ("checkpoint", "sampler", "vae", "refiner", "hires_checkpoint", "hires_upscaler", "enlarged_by")
        if name in form.inputs
    ]
    racks: dict[Rack, tuple[ModelKind, ...]] = {name: sorts for name, sorts in RACKS.items() if limits(form.kind).get(name)}
    kind = form.kind

    @role("viewer")
    def lists(checkpoint: str) -> FormOffers:
        return listed(studio, kind, str(checkpoint), racks, user_of(LocalContext.request.get(None)))

    @role("viewer")
    def refresh(checkpoint: object) -> Updates:
        offered = {name: choices(studio, kind, name, str(checkpoint)) for name in names}
        found: Updates = {form.inputs[name]: gr.update(choices=own) for name, own in offered.items()}
        if not checkpoint:  # there was none yet when the page was built
            found[form.inputs["checkpoint"]] = gr.update(choices=offered["checkpoint"], value=offered["checkpoint"][0][1])
        return found

    first = controls.starts(kind, studio.checkpoints(kind.kind))
    view = piece("lists", f"{kind.kind}-lists", server_functions=[lists], kind=kind.kind, first=first)
    shown = [form.inputs[name] for name in names]
    told = QUIET | {"preprocess": False}  # Gradio's own check would know only the choices of the first page
    listener(view, "refresh")(refresh, form.inputs["checkpoint"], shown, **told)
    listener(form.inputs["checkpoint"], "change")(refresh, form.inputs["checkpoint"], shown, **told)


def offer_upscalers(studio: Studio, form: Form) -> None:
    """The same of a form that names upscalers and no checkpoint."""
    names = [name for name in UPSCALERS if name in form.inputs]
    kind, nothing = form.kind, FormOffers(starts={}, aspects={}, unnamed={})

    @role("viewer")
    def lists(checkpoint: str) -> FormOffers:
        return nothing

    @role("viewer")
    def refresh() -> list[Update]:
        return [gr.update(choices=upscalers(studio, name)) for name in names]

    view = piece("lists", f"{kind.kind}-lists", server_functions=[lists], kind=kind.kind, first=nothing)
    listener(view, "refresh")(refresh, None, [form.inputs[name] for name in names], **QUIET)


def upscalers(studio: Studio, name: str) -> list[tuple[str, str]]:
    """(words, id) of what a dropdown for an upscaler offers."""
    return [*UPSCALERS[name], *((about_upscaler(entry), entry.id) for entry in _upscaler_files(studio))]


def _upscaler_files(studio: Studio) -> list[ModelFile]:
    return [entry for entry in studio.library.models("upscaler") if entry.usable]


def about_upscaler(entry: ModelFile) -> str:
    """Its name, and its scale where the name does not say it."""
    scale = scale_of(entry.identity)
    says = re.search(rf"(?<![a-z0-9])(x{scale}|{scale}x)(?![a-z0-9])", entry.name.lower())
    return entry.name if says else f"{entry.name} · × {scale}"


def choices(studio: Studio, kind: type[Request], name: str, checkpoint_id: str) -> list[tuple[str, str]]:
    """(words, id) of everything that a dropdown offers."""
    checkpoints = studio.checkpoints(kind.kind)
    if name == "checkpoint":
        return controls.named(checkpoints)
    if name == "sampler":
        offered = samplers_for(next((entry for entry in checkpoints if entry.id == checkpoint_id), None))
        return [*((each, each) for each in offered), *((f"{also} ({own})", own) for also, own in ALSO.items())]
    if name in UPSCALERS:
        return upscalers(studio, name)
    if name == "hires_checkpoint":
        return [(AS_FIRST, ""), *((controls.about(entry), entry.id) for entry in studio.checkpoints(SecondPass.kind))]
    if name == "refiner":
        return [("None", ""), *((controls.about(entry), entry.id) for entry in checkpoints if _refines(entry, checkpoint_id, checkpoints))]
    files = [(entry, reason(studio, entry.id, checkpoint_id)) for entry in studio.library.models("vae") if entry.usable]
    return [*controls.NO_VAE_FILE, *((entry.name, entry.id) for entry, why in files if not why)]


def listed(
    studio: Studio, kind: type[Request], checkpoint_id: str, racks: Mapping[Rack, tuple[ModelKind, ...]], user: str = ""
) -> FormOffers:
    """For the page's scripts: the checkpoints' own values, and the files of each rack, those that fit first, as strong as `user` has used
    them last.
    """
    strengths = studio.strengths.of(user) if user else {}
    checkpoints = studio.checkpoints(kind.kind)
    found = controls.starts(kind, checkpoints)
    found["checkpoints"] = [
        {**_offered(studio, entry.file, "", {}), "variant": entry.variant, "line": controls.about(entry)} for entry in checkpoints
    ]
    found["enlargers"] = {entry.id: {"name": entry.name, "factor": scale_of(entry.identity)} for entry in _upscaler_files(studio)}
    for name, sorts in racks.items():
        entries = [entry for sort in sorts for entry in studio.library.models(sort)]
        files = [_offered(studio, entry, checkpoint_id, strengths if name == "loras" else {}) for entry in entries]
        found[name] = sorted(files, key=lambda file: bool(file["reason"]))
        if name == "controls":  # preprocessor -> id of the model that reads its maps
            found["readers"] = readers([entry for entry, file in zip(entries, files, strict=True) if not file["reason"]])
    return found


def _offered(studio: Studio, entry: ModelFile, checkpoint_id: str, strengths: Mapping[str, float]) -> OfferedFile:
    why, card = reason(studio, entry.id, checkpoint_id), studio.cards.card(entry)
    offered: OfferedFile = {
        "id": entry.id,
        "name": entry.name,
        "called": entry.called,
        "variant": entry.identity.variant,
        "words": put_in(studio.cards.words(entry)),
        "picture": card.picture,
        "strength": strengths.get(entry.called, card.strength),
        "reason": why,
        "misfit": _told(studio.library.misfit, entry.id, checkpoint_id) if why else "",
        "line": "",
    }
    if entry.identity.kind == "lora" and entry.identity.defaults:
        offered["suits"] = dict(entry.identity.defaults)
    return offered


def put_in(words: Iterable[str]) -> list[Word]:
    """Words that a click puts into a prompt: as they are shown, and as they must be written to be read so."""
    return [{"said": word, "written": written(word)} for word in words]


def reason(studio: Studio, model_id: str, checkpoint_id: str) -> str:
    """Why the file does not go with the checkpoint; "" when it does, or when there is no such checkpoint."""
    return _told(studio.library.fits, model_id, checkpoint_id)


def _told(ask: Callable[[str, str], str], model_id: str, checkpoint_id: str) -> str:
    try:
        return ask(model_id, checkpoint_id)
    except UserError:
        return ""


def _refines(entry: Checkpoint, checkpoint_id: str, checkpoints: list[Checkpoint]) -> bool:
    """A refiner works on the latents of its own family."""
    chosen = next((other for other in checkpoints if other.id == checkpoint_id), None)
    same = chosen and entry.family_key.removesuffix("-refiner") == chosen.family_key.removesuffix("-refiner")
    return bool(same) and entry.id != checkpoint_id and entry.variant in DRAWS
