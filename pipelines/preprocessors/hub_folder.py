"""A folder as the Hugging Face hub has it: configuration, weights in safetensors' format, and how pictures are prepared."""

from __future__ import annotations

import json
from collections.abc import Collection
from pathlib import Path
from typing import Any

from models.errors import UserError
from models.json_values import is_table
from pipelines.preprocessors.annotators import Annotator

DAMAGED = "The files of this preprocessor are damaged or do not belong together. Download all of them again from the same place."
UNUSABLE = (ValueError, TypeError, KeyError, AttributeError, OSError, RuntimeError, NotImplementedError)


def checked(folder: Path, kinds: Collection[str]) -> dict[str, object]:
    """Its configuration. Raises `UserError` for another kind of network, and for one that would fetch weights or code."""
    try:
        found: object = json.loads((folder / "config.json").read_text("utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise UserError(DAMAGED) from error
    if not is_table(found) or found.get("model_type") not in kinds:
        raise UserError(f"This folder holds another network. One of these kinds is needed: {', '.join(kinds)}.")
    if found.get("use_pretrained_backbone") or "auto_map" in found:
        raise UserError("This network would fetch weights or code of others. Choose one whose folder is complete.")
    return found


def opened_from(network: Any, folder: Path) -> Annotator:  # Any: transformers does not say what its `from_pretrained` gives
    """`network`: a class of transformers. Nothing is fetched, and no code of the folder runs."""
    from huggingface_hub.errors import StrictDataclassError
    from safetensors import SafetensorError
    from transformers import AutoImageProcessor

    local = {"local_files_only": True, "trust_remote_code": False}
    try:
        made, report = network.from_pretrained(folder, use_safetensors=True, output_loading_info=True, **local)
        processor = AutoImageProcessor.from_pretrained(folder, **local)  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
    except (*UNUSABLE, SafetensorError, StrictDataclassError) as error:
        raise UserError(DAMAGED) from error
    if report["missing_keys"] or report["mismatched_keys"]:
        raise UserError(DAMAGED)
    return Annotator((made.eval().requires_grad_(False),), processor)
