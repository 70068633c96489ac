"""Which label a picture deserves: what is drawn on somebody's photograph is another thing than what a model has made alone."""

from __future__ import annotations

from collections.abc import Callable

from pipelines.images.source_type import COMPOSITE, ENHANCED, TRAINED
from pipelines.requests.request import Drawing, Request, Wordless, begins_with


def source_of(request: Request, of_input: Callable[[str], str]) -> str:
    """One of `SOURCE_TYPES`. `of_input`: the label of an input picture by its id, "" where it has none.

    A picture whose origin is not known counts as somebody's own. What only guides the drawing, such as a control map, does not count.
    """
    image = begins_with(request)
    if not image:
        return TRAINED
    before = of_input(image)
    if isinstance(request, Drawing | Wordless):
        return TRAINED if before == TRAINED else COMPOSITE
    return before or ENHANCED
