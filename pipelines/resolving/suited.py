"""Samplers that suit a model: the few that come first in its list, and what is said where the chosen one does not."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

from models.errors import UserError
from models.files import ModelFile
from models.identify.distilled import FEW, Distilled
from models.library.catalog import Checkpoint
from pipelines.prompts.tags import take_tags
from pipelines.requests.request import Drawing
from pipelines.requests.sampling import check_sampling
from pipelines.resolving.files import CatalogView, by_name
from pipelines.samplers import SAMPLERS, resolve_schedule

OF_FAMILY = {  # key of a family -> those that most people draw with
    "sd1": ("DPM++ 2M", "Euler a", "DPM++ SDE", "UniPC"),
    "sd2": ("DPM++ 2M", "Euler", "Euler a", "DDIM"),
    "sdxl": ("DPM++ 2M", "DPM++ 2M SDE", "Euler a", "DPM++ 3M SDE"),
}
OF_ZERO_SNR = ("Euler", "Euler a", "DDIM")  # whose first step goes far
FOR_FEW = ("LCM", "TCD")  # that draw nothing with other models
UNEVEN = frozenset(("Karras", "Exponential", "KL Optimal", "Align Your Steps", "Beta sigma"))
MANY = 2.5  # times as many steps as suit a distilled model


def samplers_for(checkpoint: Checkpoint | None) -> tuple[str, ...]:
    """All samplers, the few that suit it first."""
    first = _few(checkpoint) if checkpoint else ()
    return (*first, *(name for name in SAMPLERS if name not in first))


def _few(checkpoint: Checkpoint) -> tuple[str, ...]:
    if checkpoint.variant in FEW:
        return FEW[checkpoint.variant].samplers
    return OF_ZERO_SNR if checkpoint.zero_terminal_snr else OF_FAMILY.get(checkpoint.family_key, ())


def sampling_notes(request: Drawing, checkpoint: Checkpoint, catalog: CatalogView) -> Iterator[str]:
    """What of sampler, schedule, steps and guidance does not go together, or not with the models, a sentence each."""
    try:
        check_sampling(request)
    except UserError as error:
        yield f"{error} Until then nothing can be drawn."
        return
    named = next(_distilled(request, checkpoint, catalog), None)
    if named is None:
        if request.sampler in FOR_FEW:
            others = " or ".join(_few(checkpoint)[:2]) or "DPM++ 2M"
            yield f"{request.sampler} is for distilled models, which “{checkpoint.name}” is not as far as its name says. Choose {others}."
        return
    yield from _of_few(request, *named)


def _distilled(request: Drawing, checkpoint: Checkpoint, catalog: CatalogView) -> Iterator[tuple[str, str, Distilled, int]]:
    """The name, the way and the usual steps of what draws in few steps: LoRAs that act, then the checkpoint."""
    for entry in _loras(request, checkpoint, catalog):
        if entry.identity.variant in FEW:
            yield entry.name, entry.identity.variant, FEW[entry.identity.variant], _steps(entry.identity.defaults.get("steps"))
    if checkpoint.variant in FEW:
        yield checkpoint.name, checkpoint.variant, FEW[checkpoint.variant], _steps(checkpoint.defaults.get("steps"))


def _loras(request: Drawing, checkpoint: Checkpoint, catalog: CatalogView) -> Iterator[ModelFile]:
    """Those that act, of the list and of the tags in the prompt."""
    for use in request.loras:
        with suppress(UserError):
            yield from [catalog.model(use.id)] if use.unet else []
    with suppress(UserError):
        names = [tag.name for tag in take_tags(request.prompt)[1] if tag.kind == "lora" and tag.unet]
        yield from [by_name("lora", name, checkpoint, catalog) for name in names]


def _steps(value: object) -> int:
    return value if isinstance(value, int) else 0


def _of_few(request: Drawing, name: str, variant: str, way: Distilled, steps: int) -> Iterator[str]:
    schedule = resolve_schedule(request.sampler, request.schedule)
    what = f"“{name}” draws in few steps ({way.title})"
    if way.even and schedule in UNEVEN:
        yield f"{what}: they must lie where it was trained, and {schedule} puts them elsewhere. Choose SGM Uniform."
    if request.guidance_scale > way.guidance:
        least = way.settings["guidance_scale"]
        yield f"{what}: a guidance of {request.guidance_scale:g} is more than it bears. {least:g} suits it."
    if steps and request.steps > MANY * steps:
        yield f"{what}: {steps} steps are enough; {request.steps} take longer and make it no better."
