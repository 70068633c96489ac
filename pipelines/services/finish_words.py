"""Words for a step of a finish: what it does, in a line."""

from __future__ import annotations

from collections.abc import Callable

from pipelines.requests.details import Detailer
from pipelines.requests.enlarge import BY_FACTOR, Enlarge
from pipelines.requests.request import Details, Request, SecondPass


def said_of(request: Request, name: Callable[[str], str]) -> str:
    """`name`: what a model is called, by its id."""
    if isinstance(request, Enlarge):
        by = f"× {request.factor:g}" if request.by == BY_FACTOR else f"to {_side(request.width)} × {_side(request.height)}"
        return f"{by}, {name(request.upscaler) if request.upscaler else request.filter}"
    if isinstance(request, SecondPass):
        sized = request.hires_width or request.hires_height
        by = f"to {_side(request.hires_width)} × {_side(request.hires_height)}" if sized else f"× {request.hires_factor:g}"
        way = name(request.upscaler) if request.upscaler else request.hires_upscaler
        return f"{by}, {way}, strength {request.denoising_strength:g}, {request.steps} steps"
    if isinstance(request, Details):
        seen = dict.fromkeys(each.detector for each in request.detailers or (Detailer(),))
        return f"{', '.join(seen)}, strength {request.denoising_strength:g}, {request.steps} steps"
    return request.title


def _side(length: int) -> str:
    return f"{length:,}" if length else "…"
