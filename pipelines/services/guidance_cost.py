"""What guidance costs, in words: how much more or less is asked of the network than with guidance throughout and nothing done with it."""

from __future__ import annotations

from dataclasses import fields, replace

from models.errors import UserError
from pipelines.prompts.asked import share_of_work
from pipelines.requests.guidance import Guided
from pipelines.requests.request import Drawing

AS_EVER = "As many calls of the network as ever."


def cost_of(request: Drawing) -> str:
    """A sentence."""
    usual = replace(request, **{item.name: item.default for item in fields(Guided)})
    try:
        share = share_of_work(request) / share_of_work(usual)
    except UserError:  # a prompt that cannot be drawn, which is told elsewhere
        return ""
    more = round(100 * (share - 1))
    return f"{'+' if more > 0 else '−'}{abs(more)} % calls of the network." if more else AS_EVER
