"""Distilled models (Turbo, Lightning, LCM ...): what suits them. Their tensors are those of the models they come from.

So the name of the file, be it a checkpoint or a LoRA, and what the author wrote tell them; a person can decide otherwise for each
checkpoint. Values: the makers' model cards.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from models.files import Identity

MOST_TEXT = 2000  # characters of the name and the author's words that are looked at
STEPS = re.compile(r"(?<!\d)(1|2|4|8|12|16)[-_ ]?steps?(?![a-z])")
AT_800, AT_399 = "5.11", "1.161"  # the noise levels of these training timesteps, for models that begin there


@dataclass(frozen=True, slots=True)
class Distilled:
    """A way in which models are distilled."""

    title: str
    words: str  # a pattern: what names it, not as a part of another word
    settings: Mapping[str, object]  # request field -> the value that suits it
    samplers: tuple[str, ...]  # that suit it, the first one first
    guidance: float = 2.0  # the most that it bears
    even: bool = True  # its steps must lie at the levels that it was trained on, evenly over the timesteps
    named: Mapping[int, Mapping[str, object]] = field(default_factory=dict[int, Mapping[str, object]])  # steps in the name -> what else


FEW: dict[str, Distilled] = {  # by variant; the first whose words are found counts
    "dmd2": Distilled(
        "DMD2", "dmd2?", {"steps": 4, "guidance_scale": 1.0, "sampler": "LCM", "schedule": "Simple"}, ("LCM", "TCD"), 1.8,
        named={1: {"schedule": "Own levels", "sigmas": AT_399}},
    ),
    "pcm": Distilled(
        "PCM", "pcm", {"steps": 4, "guidance_scale": 1.5, "sampler": "DDIM", "schedule": "SGM Uniform"}, ("DDIM", "LCM", "Euler"), 8.0,
    ),
    "lightning": Distilled(
        "Lightning", "lightning", {"steps": 4, "guidance_scale": 1.0, "sampler": "Euler", "schedule": "SGM Uniform"},
        ("Euler", "DPM++ SDE", "DDIM"),
    ),
    "hyper": Distilled(
        "Hyper-SD", "hyper[-_ ]?sd(?:xl)?", {"steps": 8, "guidance_scale": 1.0, "sampler": "DDIM", "schedule": "SGM Uniform"},
        ("DDIM", "TCD", "Euler"), named={1: {"sampler": "TCD", "schedule": "Own levels", "sigmas": AT_800}},
    ),
    "tcd": Distilled("TCD", "tcd", {"steps": 4, "guidance_scale": 1.0, "sampler": "TCD"}, ("TCD", "LCM")),
    "flash": Distilled(
        "Flash Diffusion", "flash[-_ ]?(?:sd(?:xl)?|diffusion|lora)",
        {"steps": 4, "guidance_scale": 1.0, "sampler": "LCM", "schedule": "SGM Uniform"}, ("LCM", "TCD"),
    ),
    "turbo": Distilled(
        "Turbo", "sd[-_ ]?(?:xl)?[-_ ]?turbo", {"steps": 4, "guidance_scale": 1.0, "sampler": "Euler", "schedule": "SGM Uniform"},
        ("Euler", "Euler a", "LCM"), 1.5,
    ),
    "turbo mix": Distilled(  # as people merge it into other models, which then draw at those models' size
        "Turbo, merged", r"turbo(?:dpmpp\w*)?", {"steps": 6, "guidance_scale": 2.0, "sampler": "DPM++ SDE", "schedule": "Karras"},
        ("DPM++ SDE", "Euler a", "Euler"), 3.5, even=False,
    ),
    "lcm": Distilled("LCM", "lcm", {"steps": 6, "guidance_scale": 1.5, "sampler": "LCM"}, ("LCM", "TCD")),
}  # fmt: skip
# What a name says besides.
WITH_GUIDANCE = re.compile(r"(?<![a-z])(?:normal[-_ ]?)?cfg(?![a-z])")
SMALL_GUIDANCE = re.compile(r"small[-_ ]?cfg")
AS_LCM = re.compile(r"lcm[-_ ]?like")
SETTINGS = frozenset(name for way in FEW.values() for name in way.settings) | {"sigmas"}
NOT_DISTILLED = "plain"  # of a checkpoint that a person knows better
ONE_STEP_LIGHTNING = (
    "This Lightning model predicts the picture itself, for one step, which Atelier does not draw with. Take the one of 2 steps."
)


def distilled(identity: Identity, name: str, metadata: Mapping[str, str]) -> Identity:
    """The same model with a variant of `FEW` and its defaults, where a name says so. A LoRA of unusual size keeps its variant."""
    unusual = identity.kind == "lora" and bool(identity.variant)
    if not identity.supported or not (unusual or identity.variant in ("", "v", "lcm")):
        return identity
    texts = " ".join([name, metadata.get("modelspec.title", ""), metadata.get("modelspec.architecture", "")])[:MOST_TEXT].lower()
    found = next((variant for variant, way in FEW.items() if _names(way, texts)), "lcm" if identity.variant == "lcm" else "")
    if not found:
        return identity
    if found == "lightning" and identity.kind != "lora" and _steps(texts) == 1:
        return replace(identity, variant=found, supported=False, note=ONE_STEP_LIGHTNING)
    variant = identity.variant if unusual else found
    return replace(identity, variant=variant, defaults={**identity.defaults, **settings_of(found, texts, identity.family)})


def settings_of(variant: str, texts: str = "", family: str = "") -> dict[str, object]:
    """What suits a model of this variant, as far as its name, in small letters, says more. Nothing for what is not distilled."""
    if variant not in FEW:
        return {}
    way, steps = FEW[variant], _steps(texts)
    found = {**way.settings, **({"steps": steps, **way.named.get(steps, {})} if steps else {})}
    if variant == "turbo" and family == "sd2":
        found["steps"] = 1
    if variant in ("hyper", "pcm") and WITH_GUIDANCE.search(texts) and not SMALL_GUIDANCE.search(texts):
        found["guidance_scale"] = 5.0
    if variant == "pcm" and AS_LCM.search(texts):
        found |= {"sampler": "LCM", "guidance_scale": 1.0}
    return found


def decided_defaults(identity: Identity, variant: str, texts: str) -> dict[str, object]:
    """Those of a checkpoint of which a person says that it is of this variant, whatever was found."""
    others = {name: value for name, value in identity.defaults.items() if name not in SETTINGS}
    return others | settings_of(variant, texts, identity.family)


def _names(way: Distilled, texts: str) -> bool:
    return bool(re.search(rf"(?<![a-z]){way.words}(?![a-z])", texts))


def _steps(texts: str) -> int:
    found = STEPS.search(texts)
    return int(found[1]) if found else 0
