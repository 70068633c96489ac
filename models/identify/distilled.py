"""Distilled models (Turbo, Lightning, LCM ...): what suits them. Their tensors are those of the models they come from.

So the file's name and what the author wrote tell them; a person can decide otherwise for each file. Values: the makers' model cards.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

from models.files import Identity

# a word of the name (not a part of another word), the variant, the values that suit it
FEW_STEPS: tuple[tuple[re.Pattern[str], str, Mapping[str, object]], ...] = tuple(
    (re.compile(rf"(?<![a-z]){word}(?![a-z])"), variant, values)
    for word, variant, values in (
        ("lightning", "lightning", {"steps": 4, "guidance_scale": 1.0, "sampler": "Euler", "schedule": "SGM Uniform"}),
        ("turbo", "turbo", {"steps": 4, "guidance_scale": 1.0, "sampler": "Euler", "schedule": "SGM Uniform"}),
        ("hyper[-_ ]?sd(?:xl)?", "hyper", {"steps": 8, "guidance_scale": 1.0, "sampler": "DDIM", "schedule": "SGM Uniform"}),
        ("lcm", "lcm", {"steps": 6, "guidance_scale": 1.5, "sampler": "LCM"}),
    )
)
LCM = FEW_STEPS[-1]
MOST_TEXT = 2000  # characters of the name and the author's words that are looked at


def distilled(identity: Identity, name: str, metadata: Mapping[str, str]) -> Identity:
    """The same model with the variant "lightning", "turbo", "hyper" or "lcm" and its defaults, where a name says so."""
    if not identity.supported or identity.variant not in ("", "v", "lcm"):
        return identity
    texts = " ".join([name, metadata.get("modelspec.title", ""), metadata.get("modelspec.architecture", "")])[:MOST_TEXT].lower()
    found = next((entry for entry in FEW_STEPS if entry[0].search(texts)), LCM if identity.variant == "lcm" else None)
    if found is None:
        return identity
    _, variant, values = found
    one_step = {"steps": 1} if variant == "turbo" and identity.family == "sd2" else {}
    return replace(identity, variant=variant, defaults={**identity.defaults, **values, **one_step})
