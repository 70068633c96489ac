"""Regions of a request: those that its prompt lays out, and what words of regions may not name."""

from __future__ import annotations

from dataclasses import replace

from models.errors import UserError
from pipelines.prompts.regional import regional
from pipelines.prompts.tags import without_tags
from pipelines.requests.request import Drawing, Drawn
from pipelines.requests.wording import WHOLE_LANGUAGE


def with_written(request: Drawn) -> Drawn:
    """With the regions that are written in its prompt beside those that it has, and the prompt without them. Without ADDBASE the prompt
    has no share in them. Raises `UserError` where they cannot be read.
    """
    written = regional(request.prompt, request.region_ratios) if request.language == WHOLE_LANGUAGE else None
    if written is None:
        return request
    share = request.base_share if written.has_base else 0.0
    return replace(request, prompt=written.prompt, regions=(*request.regions, *written.regions), base_share=share, region_ratios="")


def check_region_words(request: Drawing) -> None:
    """LoRAs act on the whole picture."""
    place = next((place for place, each in enumerate(request.regions, 1) if without_tags(each.prompt) != each.prompt), 0)
    if place:
        what = f"The words of region {place} name a LoRA or hypernetwork, which acts on the whole picture"
        raise UserError(f"{what}. Put its tag into the prompt.")
