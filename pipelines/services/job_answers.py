"""Answers about jobs for a page: how far they have come, the queue, and who draws at a shared board. Plain values, as they go into JSON."""

from __future__ import annotations

from typing import TypedDict

from pipelines.inside.answers import LiveHeat

PictureSummary = TypedDict(
    "PictureSummary",
    {
        "id": str,
        "width": int,
        "height": int,
        "seed": str,  # a text: JavaScript's numbers lose digits beyond 2^53
        "prompt": str,
        "kind": str,  # of the request
        "frames": int,  # of what moves; else 0
        "pace": int,  # frames a second
        "from": str,  # id of the picture that it began with, or ""
        "as_drawn": str,  # id of the picture as it was drawn, before an upscaler enlarged it, or ""
        "note": str,  # why the request is not the whole of what made it, or ""
    },
)
"""A finished picture. Sent by `Studio.watch` and the stage; read by `stage.js`."""


class Example(TypedDict):
    """A picture that came with a checkpoint. Sent by the stage; read by `wall.js`."""

    checkpoint: str
    number: int
    prompt: str


class JobNews(TypedDict):
    """News of a job: how far it has come. Sent by `Studio.watch` to whoever follows it; read by `stage.js`."""

    job: str
    kind: str  # of its request
    begins_with: str  # id of the picture that it begins with, or ""
    state: str  # "waiting", "running", "done", "stopped", "failed" or "interrupted"
    version: int  # to be asked with for what is newer
    ahead: int  # jobs before it
    step: int
    steps: int
    before: str  # what is done before the drawing, where these are steps of that, or ""
    picture: int  # the ones before this batch, skipped ones too
    pictures_total: int
    batch_size: int
    preparing: str  # what is being read from the disk, or ""
    eta: float | None  # seconds
    previews: list[str]  # data URLs, the newest last
    frames: int  # of what moves: so many stand in a row in each preview; else 0
    pace: int  # and how many of them a second
    pictures: list[PictureSummary]
    message: str
    unsaved: bool  # some of its pictures could not be written yet


class QueuedJob(TypedDict):
    """A job in the queue. Within `QueueNews`. Somebody else's shows neither words nor an id, but to the owner."""

    job: str  # "" for somebody else's
    mine: bool
    person: int  # 1 for the first in the queue, 2 for the next ...: so that the owner sees whose belong together
    state: str  # "running", "waiting", or "held" while it is edited
    lane: str  # "now", "next" or "idle"
    place: int | None  # jobs that wait and are begun before it; None while it is held or paused
    kind: str
    words: str  # the beginning of the prompt
    finish: str  # which step of which finish it is, and what follows; or ""
    picture: str  # id of its newest finished picture, or ""
    pictures: int  # that are drawn
    pictures_total: int
    begun: bool  # some of it is drawn, so it cannot be edited
    start: float | None  # seconds until it is begun or goes on; None while it is held or paused, or nobody knows
    left: float | None  # seconds of drawing that are left of it


class QueueNews(TypedDict):
    """News of the queue as one person sees it. Sent by `GET /queue`; read by the queue's panel and by whatever shows what runs."""

    version: int  # to be asked with for what is newer
    jobs: list[QueuedJob] | None  # in the order of drawing, own ones whole; None: as they were at the version that was asked with
    more: int  # jobs of others that are left out of the list
    paused: bool  # one's own jobs
    all_paused: bool  # the whole studio
    held: bool  # one's own jobs, by the owner
    heat: LiveHeat | None  # of that job, for who asks what its words look at
    running: JobNews | None  # one's own job that runs, with the previews newer than the version that was asked with


class HerePerson(TypedDict):
    """Somebody who has a board open. Within `TogetherNews`. `seat`: what they are called there, a number as good as any other."""

    seat: int
    name: str  # "" for the owner of the studio
    role: str
    picture: str  # the id of the one of this board that they have open, or ""
    follows: int  # the seat of whom they follow, or 0
    lets: bool  # others may follow them; else no picture is told


class DrawnNow(TypedDict):
    """What is drawn, or waits, for a board. Within `TogetherNews`. Of what is private nothing is told but that it runs."""

    seat: int  # of whom it is, when they are here; else 0
    name: str  # "" for the owner of the studio
    private: bool  # it goes onto another board, or onto none
    state: str  # "running" or "waiting"
    width: int  # of its pictures
    height: int
    step: int
    steps: int
    picture: int  # that are drawn
    pictures_total: int
    preview: str  # the newest, a data URL, or ""


class TogetherNews(TypedDict):
    """Who is at a shared board, and what is drawn there. Sent by `GET /together/{board}`; read by `together.js`."""

    you: int  # the seat of who asks
    version: int  # to be asked with for what is newer
    board: str
    name: str
    pictures: int  # another number once pictures have come onto the board, or left it
    here: list[HerePerson]
    drawing: list[DrawnNow]
