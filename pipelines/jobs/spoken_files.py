"""What the studio and a worker with folders of its own say of files, known by content: plain values, in the frames of `frames.py`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Literal, get_args

from models.errors import UserError
from models.json_values import is_whole
from models.library.received import DIGEST

Table = dict[str, object]
# Of a model; beside the models, by a name within a folder of models; a picture that a job begins with; the steps of one that is in work;
# those of one that it branches from.
Sort = Literal["model", "beside", "input", "going", "steps"]
NO_FILE = "What is told of a file is of another version than this one. Start Atelier anew."
LARGEST = 2**50  # bytes


@dataclass(frozen=True, slots=True)
class Needed:
    """One file that a job needs. `whose`: the id of the model or picture. `name`: within the model's folder, or that of its sort."""

    sort: Sort
    digest: str  # SHA-256, 64 hexadecimal digits
    size: int  # bytes
    whose: str
    name: str

    def said(self) -> Table:
        return asdict(self)


def needed_from(said: Mapping[str, object]) -> Needed:
    """Raises `UserError` for what `Needed.said` did not make."""
    sort, digest, size, whose, name = (said.get(each) for each in ("sort", "digest", "size", "whose", "name"))
    is_sort = isinstance(sort, str) and sort in get_args(Sort)
    is_named = isinstance(whose, str) and isinstance(name, str)
    if not (is_sort and is_named and isinstance(digest, str) and DIGEST.fullmatch(digest) and is_whole(size) and 0 <= size <= LARGEST):
        raise UserError(NO_FILE)
    return Needed(sort, digest, size, whose, name)  # pyright: ignore[reportArgumentType]  # it is one of them


# ------------------------------------------------------------------------------------------------ told


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the next job needs: models as the library knows them, and all files by content. Answered by `Lacking`: with nothing in it
    once all of it is in its place; or by `Nothing`, a place to stop at, where it is to be asked again.
    """

    models: Sequence[Table]  # `Told`, with "own": where in the starter's folder it lies, or "", and "folder": it is one
    files: Sequence[Table]  # `Needed`


@dataclass(frozen=True, slots=True)
class Range:
    """The bytes of a file from `at` on."""

    digest: str
    at: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Fetch:
    """The file of a picture that was put by while the job was drawn, by its id. Answered by `Data`."""

    input: str


@dataclass(frozen=True, slots=True)
class Owned:
    """Which of these files lie in folders of its own, probably: by their sizes alone."""

    files: Sequence[Sequence[object]]  # (digest, bytes)


# ------------------------------------------------------------------------------------------------ said


@dataclass(frozen=True, slots=True)
class Lacking:
    """Files that are not here, and how many of their bytes are."""

    files: Sequence[Sequence[object]]  # (digest, bytes)


@dataclass(frozen=True, slots=True)
class Taken:
    """So many bytes of the file are here."""

    bytes: int
