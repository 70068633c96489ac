"""Decisions of the studio while it draws, and how a picture that is made again gets the same ones.

Which words wake embeddings, how a checkpoint's numbers are understood, how many threads add them up and how the VAE is run are not
asked of people, yet they change the pixels: so they are fields of the request, found when it is drawn and kept with the picture. A form
that was filled with a picture's settings carries them along under a seal over all that people choose. As long as the seal holds they are
obeyed; once anything but a seed or the number of pictures is changed it is a new request, and today's decisions count.
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import Field, asdict, dataclass, fields, is_dataclass, replace
from typing import TYPE_CHECKING

from models.json_values import is_row
from pipelines.requests.branch import leaves_its_trunk
from pipelines.requests.control_unit import ControlUse
from pipelines.requests.fields import Choice, Flag, Range, limited
from pipelines.requests.wording import WHOLE_LANGUAGE, without_templates

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

    from models.library.checkpoint import Checkpoint
    from pipelines.requests.request import Drawing, Drawn
    from pipelines.requests.wordless import Shown, Wordless

PREDICTIONS = ("epsilon", "v_prediction")
FREE = ("seed", "variation_seed", "batch_count", "batch_size")  # what may be changed in a form without breaking the seal
MOST_A_CORE = 8  # threads for each core of this machine: more are not obeyed, as they would only wait for one another


@dataclass(frozen=True, kw_only=True)
class Understanding:
    """The understanding of a checkpoint's numbers: what its UNet predicts, and whether its noise schedule ends in noise alone."""

    id: str = limited("", Choice(), "Checkpoint")
    prediction_type: str = limited("epsilon", Choice(PREDICTIONS), "Prediction")
    zero_terminal_snr: bool = limited(False, Flag(), "Zero terminal SNR")


@dataclass(frozen=True, kw_only=True)
class DecodeUse:
    """The way in which the VAE was run for one part of a picture. The defaults are the usual way."""

    tile: int = limited(0, Range(0, 4096, 8), "VAE tile", "Pixels along one side; 0: whole, or in the usual tiles where it is large")
    precision: str = limited("", Choice(("", "float32")), "VAE precision", "Empty: the studio's own, and float32 where that overflows")


def understanding(checkpoint: Checkpoint) -> Understanding:
    """How the library understands a checkpoint today."""
    predicts = checkpoint.prediction_type or PREDICTIONS[0]
    return Understanding(id=checkpoint.id, prediction_type=predicts, zero_terminal_snr=checkpoint.zero_terminal_snr)


def seal(request: Drawing | Wordless) -> str:
    """Over all that people choose of a request but the seeds and the number of pictures: hexadecimal digits."""
    chosen = {item.name: _chosen(getattr(request, item.name)) for item in _open_fields(request) if item.name not in FREE}
    return hashlib.sha256(json.dumps([request.kind, chosen], sort_keys=True).encode("utf-8", "replace")).hexdigest()[:32]


def is_sealed(request: Drawing | Wordless) -> bool:
    """It is to be made as it was made: nothing was changed that breaks the seal."""
    return bool(request.as_made) and request.as_made == seal(request)


def loosened(request: Drawn) -> Drawn:
    """Without what was decided for another request, when the seal is broken."""
    if not request.as_made:
        return request
    if is_sealed(request):
        return replace(request, branch=()) if leaves_its_trunk(request) else request
    tile = {name: 0 for name in ("hires_tile", "enlarged_tile") if hasattr(request, name)}
    decided = {"understood": (), "decodes": (), "threads": 0, "language": WHOLE_LANGUAGE, "branch": ()}
    return replace(without_templates(request), as_made="", **decided, **tile)


def loosened_wordless(request: Shown) -> Shown:
    """The same of what is drawn without words, all of whose derived fields are such decisions."""
    decided = {item.name: item.default for item in fields(request) if item.metadata["derived"]}
    return request if is_sealed(request) else replace(request, **decided)


def threads_here(threads: int) -> int:
    """That many, if this machine can run them in reasonable time, else 0."""
    return threads if threads <= MOST_A_CORE * (os.cpu_count() or 1) else 0


def _open_fields(value: DataclassInstance) -> list[Field[object]]:
    return [item for item in fields(value) if not item.metadata["derived"]]


def _chosen(value: object) -> object:
    if is_row(value):
        return [_chosen(entry) for entry in value if entry != ControlUse()]
    if not is_dataclass(value) or isinstance(value, type):
        return value
    return {name: part for name, part in asdict(value).items() if name in {item.name for item in _open_fields(value)}}
