"""Files that draw along and that no request names: the other parts of a checkpoint in a folder, and the weights of preprocessors and
estimators. Reads no weights and imports no torch.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from models.errors import UserError
from models.library.checkpoint import Checkpoint, weight_files
from pipelines.metadata.lists import unlisted
from pipelines.metadata.provenance import ADDED, PARTS, REFINER_PARTS, WEIGHTS
from pipelines.preprocessors import preprocessor
from pipelines.preprocessors.annotators import Annotators
from pipelines.requests.request import Depth, Drawing

SAID = {
    PARTS: "The part “{}” of the checkpoint",
    REFINER_PARTS: "The part “{}” of the refiner",
    WEIGHTS: "What the preprocessor “{}” reads",
}
UNCOMPARED = "is still being compared with the file that this picture was made with; ask again in a while to be sure."
ANOTHER = "is another file here than the one that this picture was made with, so the picture will differ."


class CatalogView(Protocol):
    """The catalogue, as far as it is asked here."""

    def checkpoint(self, checkpoint_id: str) -> Checkpoint: ...


@dataclass(frozen=True)
class Companion:
    """`title`: the list in a picture's settings that it stands in."""

    title: str
    name: str
    files: tuple[Path, ...]


def companions(request: Drawing, catalog: CatalogView, annotators: Annotators) -> list[Companion]:
    """Those of this request that are there. Raises `UserError` when its checkpoint is not."""
    refiner = _parts(REFINER_PARTS, catalog.checkpoint(request.refiner)) if request.refiner else ()
    return [*_parts(PARTS, catalog.checkpoint(request.checkpoint)), *refiner, *_weights(request, annotators)]


def content(files: Sequence[Path], digest: Callable[[Path], str]) -> str:
    """One hash for all the files, "" where one has none. Raises what `digest` raises."""
    digests = [digest(file) for file in files]
    if not all(digests):
        return ""
    return digests[0] if len(digests) == 1 else hashlib.sha256("".join(digests).encode()).hexdigest()


def others(made_with: Mapping[str, str], here: Iterable[Companion], digest: Callable[[Path], str]) -> list[str]:
    """A sentence for each that is another file here, or is not compared in time: `digest` may raise `TimeoutError`."""
    told = {(title, name): known for title in SAID for name, known in unlisted(made_with.get(title, ""))}
    compared = [(one, _differs(one, told.get((one.title, one.name), ""), digest)) for one in here]
    return [f"{SAID[one.title].format(one.name)} {sentence}" for one, sentence in compared if sentence]


def _differs(one: Companion, known: str, digest: Callable[[Path], str]) -> str:
    """ "" where nothing is known of one of them."""
    try:
        found = content(one.files, digest) if known else ""
    except UserError:
        return ""
    except TimeoutError:
        return UNCOMPARED
    return ANOTHER if found and found[:ADDED] != known else ""


def _parts(title: str, checkpoint: Checkpoint) -> Iterator[Companion]:
    """All but the UNet, by whose hash the checkpoint itself is named."""
    if not checkpoint.folder.is_dir():
        return
    for file in weight_files(checkpoint.rest or checkpoint.folder):
        if file.parent.name != "unet":
            yield Companion(title, file.parent.name, (file,))


def weights_of(request: Drawing) -> dict[str, str]:
    """Preprocessor -> key of the weights that it reads, of those that are asked for and read some."""
    names = [use.preprocessor for use in request.controls if use.weight]
    if isinstance(request, Depth) and not request.map:
        names.append(request.estimator)
    return {name: key for name in dict.fromkeys(names) if (key := preprocessor(name).weights)}


def _weights(request: Drawing, annotators: Annotators) -> Iterator[Companion]:
    for name, key in weights_of(request).items():
        if files := annotators.files(key):
            yield Companion(WEIGHTS, name, files)
