"""What stands under the fields of guidance: what they cost, and a small picture of what each does."""

from __future__ import annotations

import gradio as gr

from pipelines import Drawing, UserError
from pipelines.services.guidance_cost import cost_of
from ui.door.roles import role
from ui.messages import GuidanceCost, GuidanceQuestion
from ui.parts.assets import shots
from ui.parts.components import piece
from ui.parts.form import drawing_of

# Name of a picture of `static/guidance` -> what stands under it. `docs/pictures/guidance.py` draws them.
WORDS = {
    "usual": "Guidance 15 alone", "interval": "From 0.2 until 0.8", "curve": "Linear to 1", "rescale": "Rescale", "pag": "PAG",
    "seg": "SEG", "sag": "SAG", "apg": "APG", "contrast": "Contrast as at 3", "zero": "CFG-Zero star", "free": "FreeU",
    "seamless": "Seamless, twice",
}  # fmt: skip


def guiding(kind: type[Drawing]) -> gr.HTML:
    places = shots()
    told = [(places[name].path.removeprefix("/"), words) for name, words in WORDS.items()]

    @role("viewer")
    def cost(asked: GuidanceQuestion) -> GuidanceCost:
        try:
            return {"says": cost_of(drawing_of(kind.kind, asked.get("values"))), "shots": told}
        except UserError:
            return {"says": "", "shots": told}

    return piece("guiding", f"{kind.kind}-guiding", server_functions=[cost], kind=kind.kind)
