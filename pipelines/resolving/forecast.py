"""The forecast of a request: what it names and what is known of those files, as memory. Reads no weights and imports no torch."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Protocol

import psutil

from models.families import SD1
from models.files import ModelFile
from models.library.catalog import Checkpoint
from models.memory.clip_forecast import ClipWork, forecast_clip, slimness_of_video
from models.memory.forecast import SLACK, Forecast, Machine, Work, forecast, gigabytes, slimness_of, vae_weights, weights_of
from models.memory.manager import LedgerLine
from pipelines.images.tiles import WINDOWS_A_CALL, part_side
from pipelines.prompts.asked import is_guided
from pipelines.requests.drawn_small import enlarger_of
from pipelines.requests.enlarge import SMALLEST_TILE, Enlarge
from pipelines.requests.request import Clip, Drawing, SecondPass, Turn
from pipelines.requests.tiles import one_by_one
from pipelines.requests.turn import WALK


class CatalogView(Protocol):
    """The catalogue, as far as it is asked here."""

    def checkpoint(self, checkpoint_id: str) -> Checkpoint: ...
    def model(self, model_id: str) -> ModelFile: ...


def work_of(request: Drawing, catalog: CatalogView, machine: Machine) -> Work:
    """Raises `UserError` when a model that the request names is not there."""
    checkpoint = catalog.checkpoint(request.checkpoint)
    drawn_with = [checkpoint, *([catalog.checkpoint(request.refiner)] if request.refiner else [])]
    models = sum(weights_of(entry.family_key, entry.file.size, machine) for entry in drawn_with)
    added = sum(catalog.model(use.id).size for use in (*request.loras, *request.hypernetworks, *request.embeddings))
    control_ids = {use.id for use in request.controls if use.weight and use.id}
    added += sum(catalog.model(model_id).size * machine.element_size // 2 for model_id in control_ids)
    enlarges = request.upscaler if isinstance(request, SecondPass) else enlarger_of(request)
    if enlarges:
        added += sum(_of_upscalers([enlarges], catalog, machine))  # at work beside the checkpoint, before it draws or after
    return Work(
        family=checkpoint.family_key,
        weights=models + added + (vae_weights(catalog.model(request.other_vae).size, machine) if request.other_vae else 0),
        width=request.width,
        height=request.height,
        batch_size=request.pictures_a_batch,
        guided=is_guided(request),
        patched=_patchable(drawn_with, machine) * (any(not use.region for use in request.loras) + len(request.dressed)),
        steered=bool(control_ids),
        part=part_side(request),
        parts_a_call=1 if one_by_one(request) else WINDOWS_A_CALL,
        slimness=slimness_of(checkpoint.family_key, checkpoint.file.size),
    )


def _patchable(drawn_with: Sequence[Checkpoint], machine: Machine) -> int:
    """Bytes of the models' weights in the numbers that are computed with, which those have that a LoRA changes."""
    raised = replace(machine, eight_bits=False)
    return sum(weights_of(entry.family_key, entry.file.size, raised) for entry in drawn_with)


def forecast_of(request: Drawing, catalog: CatalogView, machine: Machine, ledger: Sequence[LedgerLine], beside: int = 0) -> Forecast:
    """What the request will take of the memory that computes. What is in it idle makes room, so it counts as free. `beside`: bytes of what
    looks at its pictures when they are finished.
    """
    work = work_of(request, catalog, machine)
    return forecast(replace(work, weights=work.weights + beside), machine, available(machine, ledger))


def forecast_of_tiles(request: Enlarge, catalog: CatalogView, machine: Machine, ledger: Sequence[LedgerLine]) -> Forecast:
    """The same of upscalers, one after the other."""
    weights, work = _of_upscalers(request.upscalers, catalog, machine)
    free = available(machine, ledger)
    advice = f"This needs about {gigabytes(weights + work)} GB of memory and {gigabytes(free)} GB are free. Choose a smaller upscaler."
    fits = weights + work <= free
    return Forecast(weights, work, 0, free, fits, "" if fits else advice)


def forecast_of_clip(request: Clip, catalog: CatalogView, machine: Machine, ledger: Sequence[LedgerLine]) -> Forecast:
    """The same of a clip, whose phases follow each other: of its largest one."""
    slimness = slimness_of_video(catalog.model(request.checkpoint).size)
    return _of_clip(ClipWork(request.frames, *request.size, request.is_guided, request.one_by_one, slimness), machine, ledger)


def forecast_of_turn(request: Turn, catalog: CatalogView, machine: Machine, ledger: Sequence[LedgerLine]) -> Forecast:
    """The same of views; a walk is a clip. The UNet of views is Stable Diffusion 1's."""
    checkpoint = catalog.checkpoint(request.checkpoint)
    asked, size = request.fitted(checkpoint.defaults, None), checkpoint.file.size
    if asked.convention == WALK:
        return _of_clip(ClipWork(asked.views, *asked.size, asked.is_guided, asked.one_by_one, slimness_of_video(size)), machine, ledger)
    weights, slimness = weights_of(SD1.key, size, machine), slimness_of(SD1.key, size)
    work = Work(SD1.key, weights, *asked.size, asked.views, asked.is_guided, slimness=slimness)
    return forecast(work, machine, available(machine, ledger))


def _of_clip(work: ClipWork, machine: Machine, ledger: Sequence[LedgerLine]) -> Forecast:
    found = forecast_clip(work, machine, available(machine, ledger))
    weights = max(found.denoising, found.decoding) - found.work
    return Forecast(weights, found.work, 0, found.available, found.fits, found.advice)


def _of_upscalers(upscalers: Iterable[str], catalog: CatalogView, machine: Machine) -> tuple[int, int]:
    """Bytes of the largest one's weights, and of the smallest tile, as the tiles get as small as memory asks for."""
    entries = [catalog.model(upscaler) for upscaler in upscalers]
    weights = max((entry.size for entry in entries), default=0) * machine.element_size // 2  # such files are mostly in half precision
    return weights, int(max((entry.identity.bytes_a_pixel for entry in entries), default=0) * SMALLEST_TILE**2 * SLACK)


def available(machine: Machine, ledger: Sequence[LedgerLine]) -> int:
    if machine.device is not None:
        return machine.device
    return psutil.virtual_memory().available + sum(line.bytes for line in ledger if line.host_copy)
