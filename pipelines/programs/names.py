"""Samplers and schedules under the names of other programs: which of ours each is, or which of ours comes nearest.

k-diffusion's names (ComfyUI, Fooocus, SwarmUI, NovelAI), diffusers' (InvokeAI, Easy Diffusion) and the labels of A1111 differ in small
words and marks; they are compared by letters and digits alone, + as p.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from pipelines.samplers import AUTOMATIC, EVERY, SAMPLERS


class Near(NamedTuple):
    """One of our names, "" where none is near. `sure`: it is the same thing. `schedule`: what a sampler's name says of it."""

    name: str
    sure: bool = True
    schedule: str = ""


def key(name: str) -> str:
    """Letters and digits alone: "DPM++ 2M" and "k_dpmpp_2m" are dpmpp2m."""
    letters = re.sub(r"[^a-z0-9]", "", name[:80].casefold().replace("++", "pp"))
    return letters.removeprefix("sample")


SAME = {key(name): name for name in SAMPLERS} | {
    "eulerancestral": "Euler a", "euleradiscrete": "Euler a", "eulerancestraldiscrete": "Euler a", "eulerdiscrete": "Euler",
    "dpmpp2msdegpu": "DPM++ 2M SDE", "dpmppsdegpu": "DPM++ SDE", "dpmsolvermultistep": "DPM++ 2M", "dpmsolversde": "DPM++ SDE",
    "dpmpp": "DPM++ 2M", "ddimv3": "DDIM", "heundiscrete": "Heun",
}  # fmt: skip
# What is not here, by what it is most like: of the same order, with noise along the way or without.
NEAREST = {
    "DPM++ 2M": ("lms", "lmsdiscrete", "plms", "pndm", "unipc", "unipcbh2", "deis", "deismultistep", "ipndm", "ipndmv", "resmultistep",
                 "dpmfast", "dpmadaptive", "dpmpp2s", "dpmpp2mcfgpp", "dpmpp2malt", "resmultistepcfgpp", "dpmsolversinglestep",
                 "gradientestimation", "seeds2", "sasolver", "tdd"),
    "DPM++ 2M SDE": ("dpmpp3msde", "dpmpp3msdegpu", "dpmpp2msdeheun", "dpmpp2msdeheungpu", "ersde", "seeds3"),
    "DPM++ SDE": ("dpmpp2sa", "dpmpp2sancestral", "dpmpp2sancestralcfgpp"),
    "Euler": ("eulercfgpp", "eulermax", "eulernegative", "eulerdy", "eulersmeady"),
    "Euler a": ("dpm2a", "dpm2ancestral", "kdpm2ancestral", "kdpm2a", "kdpm2ancestraldiscrete", "ddpm", "eulerancestralcfgpp", "restart",
                "resmultistepancestral"),
    "Heun": ("dpm2", "kdpm2", "kdpm2discrete", "heunpp2", "expheun2x0", "expheun2x0sde"),
    "DDIM": ("ddimcfgpp",),
    "LCM": ("tcd", "turbo"),
}  # fmt: skip
NEAR = {other: own for own, others in NEAREST.items() for other in others}

SAME_SCHEDULES = {key(name): name for name in (AUTOMATIC, *EVERY)} | {"uniform": "Normal", "discrete": "Normal", "default": AUTOMATIC}
NEAR_SCHEDULES = {
    "simple": "Normal", "ddimuniform": "Normal", "beta": "Normal", "beta57": "Normal", "linearquadratic": "Normal", "linear": "Normal",
    "turbo": "SGM Uniform", "native": AUTOMATIC, "polyexponential": "Exponential", "polyexp": "Exponential", "kloptimal": "Karras",
    "alignyoursteps": "Karras", "ays": "Karras", "ayssdxl": "Karras", "gits": "Karras", "cosine": "Normal",
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


def schedule_of(name: str) -> Near:
    """One of ours, with "Automatic"."""
    letters = key(name)
    if letters in SAME_SCHEDULES:
        return Near(SAME_SCHEDULES[letters])
    return Near(NEAR_SCHEDULES.get(letters, ""), False)


def _sampler(name: str, schedule: str) -> Near:
    letters = key(name)
    for form in (letters, letters.removeprefix("k"), letters.removesuffix("scheduler")):
        if form in SAME:
            return Near(SAME[form], True, schedule)
        if form in NEAR:
            return Near(NEAR[form], False, schedule)
    return Near("", False)
