"""All readers in order: the surest marks first."""

from __future__ import annotations

from collections.abc import Mapping

from models.json_values import is_table
from pipelines.programs import comfy, draw_things, easy_diffusion, fooocus, invoke, novelai, swarm
from pipelines.programs.json_text import as_json
from pipelines.programs.said import Reader, Said, Texts

READERS: dict[str, Reader] = {
    "SwarmUI": swarm.read,
    "InvokeAI": invoke.read,
    "Fooocus": fooocus.read,
    "Easy Diffusion": easy_diffusion.read,
    "Draw Things": draw_things.read,
    "NovelAI": novelai.read,
    "ComfyUI": comfy.read,
}


def read(texts: Mapping[str, str]) -> Said | None:
    """What the program says that left its marks in these texts; of one that says nothing that can be read, its name alone."""
    found = {name: table for name, text in texts.items() if is_table(table := as_json(text))}
    given = Texts(texts, found)
    told = [said for reader in READERS.values() if (said := reader(given))]
    return next((said for said in told if said.values), next(iter(told), None))
