"""Outcomes that many handlers and routes answer: done, not done and why, begun, a picture taken."""

from __future__ import annotations

from typing import TypedDict


class Done(TypedDict):
    """It was done, and there is nothing to say. Sent by `LibraryHandlers` and `WeightsHandlers`, read by `library.js` and
    `unit_weights.js`.
    """


class Failure(TypedDict):
    """Why a function of a component did nothing. Sent by `ui.parts.library.answered`; read by `library.js` and `unit_weights.js`."""

    error: str


class Message(TypedDict):
    """Why there is no picture, map or form. Sent by the desks of units, depth and canvas, and by all routes; read where they are asked."""

    message: str


class TakenPicture(TypedDict):
    """A picture, mask or map that is kept as an input. Sent by `POST /input`, the canvas, the depth map; read by their scripts."""

    id: str
    width: int
    height: int
    notes: tuple[str, ...]  # sentences
    mask: str  # id of the mask that its transparency made, or ""


class SigningState(TypedDict):
    """Whether pictures that leave are signed, and can be. Sent by `GET /signing`, `POST /signing`; read by `check.js`."""

    on: bool
    available: bool  # the package is there


class ClipFiles(TypedDict):
    """How clips are kept. Sent by `GET /clips`, `POST /clips`, which is sent the same; read by `clip_files.js`."""

    lossless: bool  # every level of every colour
    beside: str  # "png", "latents" or "nothing": see `pipelines.jobs.clip_choice`


class Started(TypedDict):
    """What a download or a conversion is asked for by. Sent by `LibraryHandlers`; read by `library.js`."""

    id: str
