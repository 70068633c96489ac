"""Embedded sizes: what a file says of its own networks, where it is none of the public models. No torch."""

from __future__ import annotations

import json
from collections.abc import Mapping

from models.json_values import table

OWN_SIZES = "atelier.config"  # in a file's metadata: JSON, component -> sizes


def own_sizes(metadata: Mapping[str, str], component: str) -> dict[str, object]:
    """Nothing for the files of the public models. Anybody may have written it: checked like any other when a network is built."""
    try:
        values: object = json.loads(metadata.get(OWN_SIZES, "{}"))
    except (ValueError, RecursionError):
        return {}
    return table(table(values).get(component))
