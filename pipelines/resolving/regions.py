"""Regions of a request: those that its prompt lays out, and what the words of regions name."""

from __future__ import annotations

from dataclasses import replace

from models.errors import UserError
from pipelines.prompts.regional import regional
from pipelines.prompts.tags import Tag, take_tags
from pipelines.requests.region import Region
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


def words_of_regions(request: Drawing) -> tuple[tuple[Region, ...], list[tuple[int, Tag]]]:
    """The regions without the tags in their words, and these with the number of their region. Raises `UserError` for a hypernetwork, which
    acts on the whole picture.
    """
    read = [take_tags(each.prompt) for each in request.regions]
    found = [(place, tag) for place, (_, tags) in enumerate(read, 1) for tag in tags]
    if place := next((place for place, tag in found if tag.kind != "lora"), 0):
        what = f"The words of region {place} name a hypernetwork, which acts on the whole picture"
        raise UserError(f"{what}. Put its tag into the prompt.")
    return tuple(replace(each, prompt=words) for each, (words, _) in zip(request.regions, read, strict=True)), found
