"""The stage, the header and the inspector: how the studio stands, and the picture that is looked at."""

from __future__ import annotations

from typing import TypedDict

from pipelines.gallery.answers import GalleryDesk, GalleryKin
from pipelines.services.answers import Example, PictureDetails, PictureSummary


class StageStart(TypedDict):
    """The beginning of a stage. Sent by `ui.parts.stage.Stage`; read by `stage.js`."""

    recent: list[PictureSummary]
    news: str
    examples: list[Example]  # what an empty surface shows


class EngineState(TypedDict):
    state: str  # "ready", "starting", "troubled" ...
    message: str


class You(TypedDict):
    """Who one is in the studio, and what one may do. Within `StudioState`."""

    name: str  # "" for the owner
    role: str
    may: list[str]  # of "look", "comment", "draw", "share", "own"
    board: str  # the id of the one board that the link shows, or ""
    held: bool  # one's jobs are held
    bare: bool  # pictures leave without their settings, and those of others are not told
    note: str  # a sentence for the top of the page, or ""


class StudioState(TypedDict):
    """The state of the studio. Sent by `GET /jobs/current`; read by `header.js`."""

    job: str | None  # of this person, that waits or runs
    newest: str  # id of this person's newest picture
    engine: EngineState
    library: int  # another number when the lists are to be asked for anew
    login: bool  # whether one came in by a link or a password, and can go out again
    you: You
    comments: int  # another number when those of the picture that was named have changed
    desk: GalleryDesk | None  # the board that one draws onto
    mp4: bool  # clips can be kept as MP4


class PictureShown(PictureDetails):
    """A picture in the inspector. Sent by `GET /picture/ID/details`; read by `inspector.js`."""

    kin: GalleryKin


class BranchOrder(TypedDict, total=False):
    """From where a picture is gone on from. Read by `POST /picture/{id}/steps/branch` and `/keep`."""

    leg: object  # a whole number, 0 without it
    step: object  # a whole number, from 1
    kind: object  # of the form, a text; without it, as the picture was drawn
    values: object  # of the form, by field
    lane: object  # "now", "next" or "idle"
    once: object  # what the page calls this order, a text
