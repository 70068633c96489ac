"""Grids: what is to be varied, and what is to be done with a grid."""

from __future__ import annotations

from typing import TypedDict


class GridOrder(TypedDict, total=False):
    """What is to be done with grids. Sent by `grid_room.js` and `grid_ask.js` to `/grids/...`; read by `ui.routes.grids`, which says what
    takes what.
    """

    kind: object  # of a form
    values: object  # the form's, by the names of the request's fields
    picture: object  # id of the one that is varied, in the place of a form
    grid: object  # id of the one whose form is meant
    axes: object  # [{name, typed}]
    once: object  # what the page calls this order
    place: object  # of a cell: "0.2"
    at: object  # the place under the pointer, or ""
    seen: object  # places in view
