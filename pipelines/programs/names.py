"""Samplers and schedules under the names of other programs: which of ours each is, or which of ours comes nearest.

k-diffusion's names (ComfyUI, Fooocus, SwarmUI, NovelAI), diffusers' (InvokeAI, Easy Diffusion) and the labels of A1111 differ in small
words and marks; they are compared by letters and digits alone, + as p.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from pipelines.samplers import ALSO, AUTOMATIC, EVERY, SAMPLERS


class Near(NamedTuple):
    """One of our names, "" where none is near. `sure`: it is the same thing. `schedule`: what a sampler's name says of it."""

    name: str
    sure: bool = True
    schedule: str = ""


def key(name: str) -> str:
    """Letters and digits alone: "DPM++ 2M" and "k_dpmpp_2m" are dpmpp2m."""
    letters = re.sub(r"[^a-z0-9]", "", name[:80].casefold().replace("++", "pp"))
    return letters.removeprefix("sample")


SAME = {key(name): name for name in SAMPLERS} | {key(also): own for also, own in ALSO.items()} | {
    "eulerancestral": "Euler a", "euleradiscrete": "Euler a", "eulerancestraldiscrete": "Euler a", "eulerdiscrete": "Euler",
    "dpmpp2msdegpu": "DPM++ 2M SDE", "dpmppsdegpu": "DPM++ SDE", "dpmsolvermultistep": "DPM++ 2M", "dpmsolversde": "DPM++ SDE",
    "dpmpp": "DPM++ 2M", "ddimv3": "DDIM", "heundiscrete": "Heun", "dpmpp2sancestral": "DPM++ 2S a",
    "dpm2ancestral": "DPM2 a", "kdpm2ancestral": "DPM2 a", "kdpm2ancestraldiscrete": "DPM2 a", "kdpm2discrete": "DPM2",
    "dpmpp3msdegpu": "DPM++ 3M SDE", "dpmpp2msdeheungpu": "DPM++ 2M SDE Heun", "lmsdiscrete": "LMS", "unipcbh2": "UniPC",
    "unipcmultistep": "UniPC", "deismultistep": "DEIS", "pndm": "PLMS", "eulerancestralcfgpp": "Euler a CFG++",
}  # fmt: skip
# What is not here, by what it is most like: of the same order, with noise along the way or without.
NEAREST = {
    "DPM++ 2M": ("dpmpp2s", "dpmpp2mcfgpp", "dpmpp2malt", "dpmsolversinglestep", "gradientestimation", "seeds2",
                 "tdd"),
    "SA-Solver": ("sasolverpece",),
    "DPM++ 2S a": ("dpmpp2sancestralcfgpp",),
    "DPM++ 3M SDE": ("ersde", "seeds3"),
    "LMS": ("ipndm", "ipndmv"),
    "RES multistep": ("resmultistepcfgpp",),
    "Euler": ("eulermax", "eulernegative", "eulerdy", "eulersmeady"),
    "Euler a": ("resmultistepancestral"),
    "Heun": ("heunpp2", "expheun2x0", "expheun2x0sde"),
    "LCM": ("turbo",),
}  # fmt: skip
NEAR = {other: own for own, others in NEAREST.items() for other in others}

SAME_SCHEDULES = {key(name): name for name in (AUTOMATIC, *EVERY)} | {
    "uniform": "Normal", "discrete": "Normal", "default": AUTOMATIC, "polyexponential": "Exponential", "polyexp": "Exponential",
    "ays": "Align Your Steps", "alignyoursteps11": "Align Your Steps",
}  # fmt: skip
A1111_ALONE = {"beta": "Beta sigma"}  # where A1111 itself means another thing than everybody else
NEAR_SCHEDULES = {
    "ddimuniform": "Normal", "beta57": "Beta", "linearquadratic": "Normal", "linear": "Normal", "native": AUTOMATIC,
    "ayssdxl": "Align Your Steps", "alignyoursteps32": "Align Your Steps", "alignyourstepsgits": "Align Your Steps",
    "gits": "Align Your Steps", "cosine": "Normal",
    "lcm": "SGM Uniform", "tcd": "SGM Uniform",
}  # fmt: skip


def instead(written: str, name: str) -> str:
    """The sentence about one that is only the nearest."""
    return f"“{' '.join(written[:60].split())}” is not here; {name} comes nearest and stands in for it."


def sampler_of(name: str) -> Near:
    """Of a name that may also hold the schedule: "DPM++ 2M Karras", InvokeAI's "dpmpp_2m_k"."""
    known = _sampler(name, "")
    if known.name:
        return known
    for schedule in EVERY:
        if len(name) > len(schedule) and name.casefold().endswith(schedule.casefold()):
            return _sampler(name[: -len(schedule)], schedule)
    return _sampler(name[:-2], "Karras") if name.endswith("_k") else Near("", False)


def schedule_of(name: str, version: str = "") -> Near:
    """One of ours, with "Automatic". `version`: what A1111's settings text says of its program; "v1.10.1" is A1111, "f2.0" Forge."""
    letters = key(name)
    if letters in A1111_ALONE and version.startswith("v1."):
        return Near(A1111_ALONE[letters])
    if letters in SAME_SCHEDULES:
        return Near(SAME_SCHEDULES[letters])
    return Near(NEAR_SCHEDULES.get(letters, ""), False)


def suiting(sampler: str, schedule: str) -> str:
    """The schedule if the sampler works with it, else "Automatic": other programs let one choose what they then do not read."""
    spec = SAMPLERS[sampler]
    return schedule if schedule in (AUTOMATIC, *spec.schedules, spec.automatic) else AUTOMATIC


def _sampler(name: str, schedule: str) -> Near:
    letters = key(name)
    for form in (letters, letters.removeprefix("k"), letters.removesuffix("scheduler")):
        if form in SAME:
            return Near(SAME[form], True, schedule)
        if form in NEAR:
            return Near(NEAR[form], False, schedule)
    return Near("", False)
