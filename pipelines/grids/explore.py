"""Ways to explore around a picture: ready-made axes about the values that it was made with, its own among them, so that it is one of the
cells.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass

from pipelines.grids.axes import WITHOUT
from pipelines.grids.typed import quoted
from pipelines.grids.values import written
from pipelines.grids.words import parts
from pipelines.requests.request import SEEDS, Drawing, FromPicture
from pipelines.samplers import SAMPLERS

MOST_PARTS = 12
NEIGHBOURS = 4  # other seeds that one goes towards
STRENGTHS = "-0.5, 0, 0.5, 1, 1.5"
Axes = tuple[tuple[str, str], ...]  # (name of what is varied, what is typed)


@dataclass(frozen=True, slots=True)
class Way:
    title: str
    about: str
    axes: Axes


def ways(request: Drawing) -> list[Way]:
    """Those that have something to vary in this picture."""
    return list(_ways(request))


def _ways(request: Drawing) -> Iterator[Way]:
    yield Way("Other seeds", "The same with other noise", (("seed", _seeds(request)),))
    yield Way("Between seeds", "Small steps from this picture towards others, by their noise", _between(request))
    yield Way("Guidance and steps", "How closely the words are followed, and how far it is refined", (_guidance(request), _steps(request)))
    found = parts(request.prompt)
    if 1 < len(found) <= MOST_PARTS:
        yield Way("Words with and without", "Each part of the prompt left out in turn", ((WITHOUT, ", ".join(map(quoted, found))),))
    if isinstance(request, FromPicture):
        yield Way("Strength", "How much of the picture it began with is drawn over", (("denoising_strength", _strengths(request)),))
    if request.loras:
        yield Way("LoRA strength", "Its LoRAs weaker, stronger and turned round", (("loras.unet", STRENGTHS),))
    yield Way("Samplers", "Other ways from the same noise to a picture", (("sampler", _samplers(request)),))


def _seeds(request: Drawing) -> str:
    seed = request.seed
    return f"{seed}-{seed + 8}" if seed + 8 < SEEDS else str(seed)


def _between(request: Drawing) -> Axes:
    """Variation seeds and strengths: the noise goes from the one to the other along the sphere (`pipelines.samplers.noise`)."""
    dice = random.Random(request.seed)
    others = [request.variation_seed] if request.variation_strength else []
    seeds = [*others, *(dice.randrange(2**32) for _ in range(NEIGHBOURS - len(others)))]
    return ("variation_strength", "0, 0.1, 0.25, 0.5, 0.75"), ("variation_seed", ", ".join(map(str, seeds)))


def _guidance(request: Drawing) -> tuple[str, str]:
    now = request.guidance_scale
    found = sorted({now, *(min(30.0, max(1.0, round(now * share, 1))) for share in (0.4, 0.7, 1.4, 2))})
    return "guidance_scale", ", ".join(map(written, found))


def _steps(request: Drawing) -> tuple[str, str]:
    found = sorted({request.steps, *(min(150, max(1, round(request.steps * share))) for share in (0.5, 0.75, 1.5))})
    return "steps", ", ".join(map(str, found))


def _strengths(request: FromPicture) -> str:
    now = request.denoising_strength
    return ", ".join(map(written, sorted({now, 0.2, 0.35, 0.5, 0.65, 0.8})))


def _samplers(request: Drawing) -> str:
    """One of each that works in a way of its own, beside the picture's."""
    usual = ("Euler", "Euler a", "DPM++ 2M", "DPM++ SDE", "UniPC", "Heun")
    return ", ".join(map(quoted, dict.fromkeys((request.sampler, *(name for name in usual if name in SAMPLERS)))))
