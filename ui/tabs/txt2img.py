"""The text-to-image tab: a picture from words alone."""

from __future__ import annotations

from pipelines import Studio, TextToImage
from ui.parts.form import TabForm
from ui.parts.sections import (
    Draft,
    add_ons,
    control,
    enlarged,
    form_body,
    form_side,
    hires,
    minute,
    models,
    regions,
    rows,
    sampling,
    size,
    words,
)

TITLE = "Text to image"
KIND = TextToImage


def build(studio: Studio) -> TabForm:
    draft = Draft(studio, KIND, studio.checkpoints(KIND.kind))
    with form_side():
        words(draft)
        with form_body(draft):
            models(draft)
            with rows():
                size(draft)
                regions(draft)
                sampling(draft)
                enlarged(draft)
                hires(draft)
                control(draft)
                add_ons(draft)
        minute(draft)
    return draft.finish()
