"""The queue: what is to be done with jobs that wait, and what comes of it."""

from __future__ import annotations

from typing import TypedDict


class QueueOrder(TypedDict, total=False):
    """What is to be done in the queue. Sent by the queue's panel to `POST /queue/...`; read by `ui.routes.queue`, which says which act
    takes what.
    """

    job: object  # an id
    jobs: object  # ids
    before: object  # an id, or ""
    lane: object  # "now", "next" or "idle"
    running: object  # whether what runs is meant too
    paused: object
    whole: object  # whether it is for everybody
    once: object  # a name that the page gives this order, so that it is taken once
    request: object  # a request, as `TakenJob` has it


class QueueDone(TypedDict):
    """The jobs that an act has met. Sent by `POST /queue/...`; read by the queue's panel, for its Undo."""

    jobs: list[str]


class TakenJob(TypedDict):
    """A job that was taken out for editing. Sent by `POST /queue/take`; read by the queue's panel."""

    job: str
    request: dict[str, object]  # with its "kind"


class TakenKind(TypedDict):
    """A job that was taken out of the queue for editing. Sent by `ui.parts.queue`; read by `queue.js`."""

    kind: str


class PutBackOrder(TypedDict, total=False):
    """A form's values into the place of a job that was taken. Sent by `editing.js`; read by `ui.parts.queue`."""

    job: object  # its id
    kind: object
    values: object  # by the names of the request's fields
