"""Presets: what is to be done with them, and what came of a file of them."""

from __future__ import annotations

from typing import TypedDict


class PresetOrder(TypedDict, total=False):
    """What is to be done with presets. Sent by `preset_list.js` and `preset_form.js` to `/presets/...`; read by `ui.routes.presets`, which
    says what takes what.
    """

    id: object  # of a kept one, or ""
    ids: object
    name: object
    prompt: object  # words to add
    negative_prompt: object
    about: object
    instead: object  # the prompts that its words take the place of
    kind: object  # of a form
    values: object  # the form's, by the names of the request's fields
    names: object  # the fields of it that are kept


class PresetsBrought(TypedDict):
    """What came of a file of presets. Sent by `POST /presets/file`; read by `preset_list.js`."""

    ids: list[str]
    notes: list[str]
