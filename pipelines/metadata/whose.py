"""Whose a settings text is: most studios write A1111's, each with a mark of its own."""

from __future__ import annotations

import re
from collections.abc import Mapping

FORGE = re.compile(r"f\d+\.\d+\.\d+v\d|neo|classic", re.IGNORECASE)
LONGEST = 60  # characters of a version


def whose(pairs: Mapping[str, str], version: str) -> tuple[str, str]:
    """The program, "" where nothing says, and its version. `pairs`: those that no field stands for; `version`: what is said of it."""
    version = version.strip()[:LONGEST]
    app = pairs.get("App", "")
    if app == "SD.Next" or version.startswith("vladmandic"):
        return "SD.Next", version
    for program in ("Atelier", "Fooocus", "ComfyUI", "Krita", "SwarmUI"):
        if version.startswith(program):
            return program, version.removeprefix(program).strip(" v")
    if pairs.get("Model hash") == "unknown":
        return "Krita AI Diffusion", version
    if FORGE.match(version):
        return "Forge", version
    if "Civitai resources" in pairs:
        return "Civitai", version
    return ("AUTOMATIC1111", version.removeprefix("v")) if re.match(r"v?\d", version) or "Model hash" in pairs else ("", version)
