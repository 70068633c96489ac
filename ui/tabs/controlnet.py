"""The ControlNet tab: a picture from words, held to the outlines, depth, pose or the like of other pictures."""

from __future__ import annotations

from pipelines import Controlled, Studio
from ui.parts.control_units import TITLE
from ui.parts.form import TabForm
from ui.parts.sections import Draft, add_ons, control, enlarged, form_body, form_side, minute, models, regions, rows, sampling, size, words

KIND = Controlled

__all__ = ["KIND", "TITLE", "build"]


def build(studio: Studio) -> TabForm:
    """The units stand right below the words."""
    draft = Draft(studio, KIND, studio.checkpoints(KIND.kind))
    with form_side("with-units"):
        words(draft)
        with form_body(draft):
            control(draft, prominent=True)
            models(draft)
            with rows():
                size(draft)
                regions(draft)
                sampling(draft)
                enlarged(draft)
                add_ons(draft)
        minute(draft)
    return draft.finish()
