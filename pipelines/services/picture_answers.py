"""Answers about finished pictures for a page: what made them, step by step, side by side, and of which family they are."""

from __future__ import annotations

from typing import TypedDict


class DetailValue(TypedDict):
    """One thing that made a picture. Within `DetailGroup`."""

    title: str
    text: str
    raw: object  # as it stands in the request or the record
    fields: list[str]  # of the request that it stands for; none for what cannot be taken over
    default: bool
    info: str
    hash: str  # of the file that it names, its first digits, or ""
    note: str  # a sentence where that file is not here as it was, or ""
    pictures: list[str]  # ids of inputs
    parts: list[DetailValue]


class DetailGroup(TypedDict):
    title: str
    values: list[DetailValue]


class TimeStretch(TypedDict):
    """Calls of the network, from 0, that are told the same. Sent in `TimeLine`; read by `time_line.js`."""

    first: int
    last: int
    says: str  # what changes
    whole: str  # the plain prompt


class TimeEdge(TypedDict):
    """The number of a schedule, text[start:end], and the call from which on it says something else. Sent in `TimeLine`."""

    at: int
    start: int
    end: int
    share: bool  # it is written as a share of the calls


class TimeLane(TypedDict):
    """What does not act alike throughout, and how strongly at each step. `sort`: "LoRA", "Control", "Refiner" or "Guidance". Sent in
    `TimeLine`.
    """

    sort: str
    name: str
    strengths: list[float]


class TimeLine(TypedDict):
    """What is said and what acts from step to step. Sent in `PromptNotes` and `PictureDetails`; read by `time_line.js`."""

    field: str  # of the form, in whose text its edges stand
    title: str
    per: int  # calls a step
    stretches: list[TimeStretch]
    edges: list[TimeEdge]
    shares: list[str]  # the number that is written for an edge at each call
    calls: list[str]
    lanes: list[TimeLane]


class PictureDetails(TypedDict):
    """All that made a picture. Within `PictureShown`."""

    id: str
    kind: str  # of the request
    drawn_by: str  # the same, for people
    prompt: str
    width: int
    height: int
    frames: int  # of what moves; else 0
    pace: int  # frames a second
    note: str  # why less is known than usual, or ""
    hidden: str  # why the picture itself is not shown, a sentence, or ""
    reveals: bool  # who asks may have it shown: POST /picture/ID/reveal
    lines: list[TimeLine]  # one for each prompt in which something changed from step to step
    groups: list[DetailGroup]


class ComparedPicture(TypedDict):
    id: str
    width: int
    height: int
    prompt: str
    frames: int  # of a clip
    pace: int  # frames a second


class Differing(TypedDict):
    """One parameter in which pictures differ. Within `PictureComparison`."""

    group: str
    title: str
    texts: list[str]  # of each picture its own


class PictureComparison(TypedDict):
    """Two to four pictures, and the parameters in which they differ. Sent by `GET /compare`; read by `compare.js`."""

    pictures: list[ComparedPicture]
    differences: list[Differing]


class StepActs(TypedDict):
    """What acts at a step beside the words. Within `StepLine`."""

    sort: str  # "LoRA", "Control", "Refiner" or "Guidance"
    name: str
    strength: float


class StepLine(TypedDict):
    """One step of a picture. Within `PictureSteps`."""

    leg: int  # which of its runs, from 0: a window, a part, a tile
    step: int  # 1 .. count
    count: int  # steps of that run
    sigma: float | None  # the noise level at which it began; None where it is not kept
    said: str  # the prompt then
    acts: list[StepActs]


class PictureSteps(TypedDict):
    """The steps of a picture. Sent by `GET /picture/{id}/steps`. Where they are kept, each has its preview at
    `/picture/{id}/steps/{leg}/{step}.jpg`.
    """

    kept: bool
    bytes: int
    note: str  # why they are not kept, a sentence, or ""
    seconds: float | None  # that a step takes, as far as is known; one that is not kept is drawn once more before a branch
    steps: list[StepLine]
    branch_leg: int  # where it branches from another picture; a step of 0: it does not
    branch_step: int
    branch_of: str  # the words of that


class LineageChange(TypedDict):
    """A parameter that one picture had otherwise than the one before. Within `PictureLineage`."""

    title: str
    before: str
    after: str


class LineageTie(TypedDict):
    """One picture was made from another. Within `PictureLineage`."""

    parent: str
    child: str
    how: str
    settings: bool  # it was begun with the settings of the other, which shows best what was changed
    changes: list[LineageChange]
    more: int  # changes that are not told


class LineagePicture(TypedDict):
    """Within `PictureLineage`."""

    id: str
    width: int
    height: int
    kind: str  # of the request; like the next three "" where how it was made is kept from who asks
    title: str  # the same for people
    prompt: str
    seed: str  # a text, as in `PictureSummary`
    own: bool
    deleted: bool  # in the bin
    created: float


class PictureLineage(TypedDict):
    """The family of a picture, the nearest first, itself at the head. Sent by `GET /picture/ID/lineage`; read by `lineage.js`."""

    pictures: list[LineagePicture]
    ties: list[LineageTie]
    more: bool  # the family is larger
