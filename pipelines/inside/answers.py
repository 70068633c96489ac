"""Messages about the inside of a picture, as they go into JSON. No torch. All messages of the page are listed in `ui/messages.py`."""

from __future__ import annotations

from typing import TypedDict


class InsideCurve(TypedDict):
    """The noise levels of one schedule. Within `InsideSchedule`."""

    name: str
    samplers: list[str]  # those for which "Automatic" means it
    sigmas: list[float]  # falling, one more than there are steps
    drawn: bool  # the picture was drawn by it


class InsideSchedule(TypedDict):
    """Schedules of a picture's model over as many steps. Within `InsidePicture`."""

    planned: int
    skipped: int  # of the planned steps, the first ones, which do not run
    most: float  # the largest noise level of the model's training
    least: float
    curves: list[InsideCurve]


class InsidePicture(TypedDict):
    """A picture whose inside is looked into, and what can be said of it without any weights. Read by `inside_page.js`."""

    id: str
    prompt: str
    model: str
    family: str
    sampler: str
    steps: int
    guidance: float
    seed: str
    width: int  # as it was drawn
    height: int
    blocked: str  # why nothing can be seen inside, or ""
    alone: str  # why it cannot be drawn once more to be watched, or ""
    schedule: InsideSchedule | None


class InsideLevel(TypedDict):
    """A noise level. Within `NoiseFound`."""

    sigma: float
    timestep: float
    signal: float  # share of the picture in what the network reads, 0 .. 1
    noise: float  # share of the noise; the two squares make 1


class NoiseFound(TypedDict):
    """The picture in more and more of its own seed's noise, as `noise-N.jpg`."""

    levels: list[InsideLevel]
    exact: bool  # decoded by the VAE, and not by the small map of previews


class InsideLook(TypedDict):
    """How far a look into a picture has come, and what it has found. Read by `inside_page.js`."""

    part: str
    state: str  # "none", "waiting", "running", "done", "stopped" or "failed"
    step: int
    steps: int
    message: str
    found: NoiseFound | None
