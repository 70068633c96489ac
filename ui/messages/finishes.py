"""Finishes: what is to be done with them."""

from __future__ import annotations

from typing import TypedDict


class FinishOrder(TypedDict, total=False):
    """What is to be done with a finish. Sent by `finish.js` and `finishes.js` to `/finishes/...`; read by `ui.routes.finishes`, which says
    what takes what.
    """

    id: object  # of a saved one, or ""
    name: object
    starts: object  # "", "favourite" or "stars"
    steps: object  # each with its "request", "own" and "keep"
    kind: object  # of a form
    values: object  # the form's, by the names of the request's fields
    picture: object  # an id
    ids: object  # of pictures
    of: object  # pictures of the whole order, which comes in parts


class FinishBegun(TypedDict):
    """How many pictures an order has put into the queue. Sent by `POST /finishes/apply`; read by `finishes.js`."""

    count: int
