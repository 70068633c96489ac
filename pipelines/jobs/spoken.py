"""What a device that draws in a process of its own is told, and what it says back: plain values, as JSON and bytes. Nothing is pickled.

frame    bytes of its head (little-endian uint32), the head as JSON, and its blobs one after another
head     {"id", "is", "fields", "blobs"}: which question it is or answers, the class of the value, its fields without those of bytes,
         and how many bytes each blob has
"""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from typing import IO

import numpy as np
from PIL import Image

from models.errors import UserError
from models.json_values import is_row, is_table
from models.memory.forecast import Machine
from models.memory.manager import Key, LedgerLine
from pipelines.jobs.events import Picture, Step
from pipelines.jobs.spoken_files import Fetch, Lacking, Owned, Range, Taken, Wanted
from pipelines.requests.remaining import Progress, read_progress
from pipelines.requests.request import Request, describe, restore
from pipelines.steps.state import StepState

VERSION = 3
LENGTH = struct.Struct("<I")
LONGEST_HEAD, LARGEST_BLOB = 64 * 2**20, 2**32 - 1  # bytes
OTHER = "A device's process speaks of something that this version does not know. Start Atelier anew."
Table = dict[str, object]


# ------------------------------------------------------------------------------------------------ told


@dataclass(frozen=True, slots=True)
class Setup:
    """The first thing that a process is told: its device, and the folders that it shares with the studio.

    `root`: a folder of its own instead, where all that it needs comes to by content; `models` are then people's folders on its side, and
    `outputs` is nothing. On another computer `root` is a plain name, and the folders are those of the program there. `room`: bytes of
    files that may be kept there. `program`: see `pipelines.jobs.program`.
    """

    version: int
    device: str
    starter: str
    models: Sequence[str]
    outputs: str
    steps_budget: int
    host: int  # bytes, 0: what is free decides
    device_memory: int  # bytes, 0: likewise
    parts: int  # devices that share the host's memory
    compiles: bool
    root: str = ""
    room: int = 0
    program: str = ""


@dataclass(frozen=True, slots=True)
class Draw:
    """A job begins, or goes on. `decided`: what people decided about models, by their ids."""

    request: Table
    batch: int
    pictures: int
    stored: str
    job: str
    shares: bool
    decided: Table


@dataclass(frozen=True, slots=True)
class NextBatch:
    """Of the job that was begun. `batch`, `pictures`: where it stands, as the studio says."""

    batch: int
    pictures: int


@dataclass(frozen=True, slots=True)
class NextEvent:
    """Of the batch in work. `wanted`: if it is a step, what it leaves behind is said without being asked for."""

    batch: int
    pictures: int
    wanted: bool


@dataclass(frozen=True, slots=True)
class LeaveBatch:
    """Nobody wants the rest of the batch in work."""


@dataclass(frozen=True, slots=True)
class LeaveJob:
    """Nobody wants the rest of the job."""


@dataclass(frozen=True, slots=True)
class Files:
    """What the files that a request names look like."""

    request: Table


@dataclass(frozen=True, slots=True)
class Unload:
    line: str


@dataclass(frozen=True, slots=True)
class Interrupt:
    """At once, also while something is loaded."""


@dataclass(frozen=True, slots=True)
class Look:
    """The preview of a step, by its number. At once."""

    step: int


@dataclass(frozen=True, slots=True)
class State:
    """What a step leaves behind. At once."""

    step: int


# ------------------------------------------------------------------------------------------------ said


@dataclass(frozen=True, slots=True)
class Standing:
    """The device as it is at this moment. Said whenever it has changed."""

    device: str = ""
    machine: Table = field(default_factory=dict[str, object])
    runtime: Table = field(default_factory=dict[str, object])
    ledger: Sequence[Table] = ()
    at_hand: Sequence[str] = ()
    lost: str = ""
    reading: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Done:
    """There is nothing to say: a batch begins, or what was asked for is done."""


@dataclass(frozen=True, slots=True)
class Over:
    """There is no further batch, or event."""


@dataclass(frozen=True, slots=True)
class Nothing:
    """A place to stop at."""


@dataclass(frozen=True, slots=True)
class StepSaid:
    number: int  # by which its preview and state are asked for
    index: int
    count: int
    batch: int
    batches: int
    before: str
    looks: bool  # it has a preview
    leaves: bool  # and a state
    comes: bool  # which is said unasked
    stored: str


@dataclass(frozen=True, slots=True)
class PictureSaid:
    mode: str
    width: int
    height: int
    request: Table
    made_with: Table
    index: int
    count: int
    stored: str
    frames: int  # of one that moves, all as large as the picture, which is the first; else 0
    latent_shape: Sequence[int]  # of what the frames were decoded from; none where that is not told
    pixels: bytes  # of the picture, or of all frames
    latents: bytes


@dataclass(frozen=True, slots=True)
class Text:
    text: str


@dataclass(frozen=True, slots=True)
class Data:
    data: bytes


@dataclass(frozen=True, slots=True)
class Numbers:
    """A `StepState`. `missing`: which of what is remembered is no numbers of its own. `gathered`: no bytes where it has none."""

    step: int  # by its number
    leg: int
    index: int
    count: int
    sigma: float
    draws: int
    pictures: Sequence[int]
    shape: Sequence[int]
    missing: Sequence[bool]
    x: bytes
    x0: bytes
    remembered: bytes
    gathered: bytes


@dataclass(frozen=True, slots=True)
class Unsaid:
    """What a step leaves behind cannot be said unasked. Who asks is told why."""

    step: int


@dataclass(frozen=True, slots=True)
class Refused:
    """A sentence for people."""

    sentence: str


@dataclass(frozen=True, slots=True)
class Broken:
    """What went wrong, for the log."""

    words: str


Value = (
    Setup | Draw | NextBatch | NextEvent | LeaveBatch | LeaveJob | Files | Unload | Interrupt | Look | State
    | Wanted | Range | Fetch | Owned | Lacking | Taken
    | Standing | Done | Over | Nothing | StepSaid | PictureSaid | Text | Data | Numbers | Unsaid | Refused | Broken
)  # fmt: skip
KINDS: Mapping[str, Callable[..., Value]] = {
    kind.__name__: kind
    for kind in (
        Setup, Draw, NextBatch, NextEvent, LeaveBatch, LeaveJob, Files, Unload, Interrupt, Look, State,
        Wanted, Range, Fetch, Owned, Lacking, Taken,
        Standing, Done, Over, Nothing, StepSaid, PictureSaid, Text, Data, Numbers, Unsaid, Refused, Broken,
    )
}  # fmt: skip


# ------------------------------------------------------------------------------------------------ frames


def frame(number: int, value: Value) -> bytes:
    """`number`: of the question that it is or answers; 0 for what nobody asked."""
    told = {each.name: getattr(value, each.name) for each in fields(value)}
    blobs = {name: content for name, content in told.items() if isinstance(content, bytes)}
    plain = {name: content for name, content in told.items() if name not in blobs}
    head = {"id": number, "is": type(value).__name__, "fields": plain, "blobs": {name: len(blob) for name, blob in blobs.items()}}
    written = json.dumps(head).encode()
    return LENGTH.pack(len(written)) + written + b"".join(blobs.values())


def read_frame(file: IO[bytes]) -> tuple[int, Value]:
    """Raises `EOFError` at the end, `UserError` for what is no frame of this version."""
    (length,) = LENGTH.unpack(_exactly(file, LENGTH.size))
    if length > LONGEST_HEAD:
        raise UserError(OTHER)
    try:
        head: object = json.loads(_exactly(file, length))
    except (ValueError, RecursionError) as error:
        raise UserError(OTHER) from error
    told = head if is_table(head) else {}
    number, kind, plain, sizes = (told.get(name) for name in ("id", "is", "fields", "blobs"))
    if not (isinstance(number, int) and isinstance(kind, str) and kind in KINDS and is_table(plain) and is_table(sizes)):
        raise UserError(OTHER)
    blobs = {name: _exactly(file, size) for name, size in sizes.items() if isinstance(size, int) and 0 <= size <= LARGEST_BLOB}
    try:
        return number, KINDS[kind](**plain, **blobs)
    except TypeError as error:
        raise UserError(OTHER) from error


def _exactly(file: IO[bytes], size: int) -> bytes:
    found = bytearray()
    while len(found) < size:
        more = file.read(size - len(found))
        if not more:
            raise EOFError
        found += more
    return bytes(found)


# ------------------------------------------------------------------------------------------------ to and from what is known here


def draw_of(request: Request, progress: Progress, decided: Mapping[str, object]) -> Draw:
    return Draw(describe(request), *progress.written(), progress.job, progress.shares, dict(decided))


def progress_of(draw: Draw) -> Progress:
    return replace(read_progress(draw.batch, draw.pictures, draw.stored), job=draw.job, shares=draw.shares)


def picture_said(picture: Picture, stored: str) -> PictureSaid:
    image, count = picture.image, len(picture.frames)
    asked, made_with = describe(picture.request), dict[str, object](picture.made_with)
    pixels = b"".join(each.tobytes() for each in picture.frames or (image,))
    shape, latents = ([], b"") if picture.latents is None else (list(picture.latents.shape), _plain(picture.latents))
    return PictureSaid(image.mode, *image.size, asked, made_with, picture.index, picture.count, stored, count, shape, pixels, latents)


def picture_of(said: PictureSaid) -> Picture:
    each = len(said.pixels) // max(1, said.frames)
    parts = (said.pixels[at : at + each] for at in range(0, len(said.pixels), each))
    images = tuple(Image.frombytes(said.mode, (said.width, said.height), part) for part in parts)
    made_with = {name: str(text) for name, text in said.made_with.items()}
    latents = np.frombuffer(said.latents, "<f4").reshape(tuple(said.latent_shape)) if said.latents else None
    return Picture(images[0], restore(said.request), made_with, said.index, said.count, images if said.frames else (), latents)


def step_said(step: Step, number: int, comes: bool, stored: str) -> StepSaid:
    """`comes`: see there."""
    looks, leaves = step.preview is not bytes, step.state is not None
    return StepSaid(number, step.index, step.count, step.batch, step.batches, step.before, looks, leaves, comes and leaves, stored)


def numbers_of(state: StepState, step: int) -> Numbers:
    parts = [_plain(state.x), _plain(state.x0), b"".join(_plain(each) for each in state.remembered if each is not None)]
    parts.append(b"" if state.gathered is None else _plain(state.gathered))
    missing, shape = [each is None for each in state.remembered], list(state.x.shape)
    return Numbers(step, state.leg, state.index, state.count, state.sigma, state.draws, list(state.pictures), shape, missing, *parts)


def state_of(said: Numbers) -> StepState:
    shape = tuple(said.shape)
    own = iter(np.frombuffer(said.remembered, "<f4").reshape(-1, *shape))
    remembered = tuple(None if missing else next(own) for missing in said.missing)
    x, x0 = (np.frombuffer(part, "<f4").reshape(shape) for part in (said.x, said.x0))
    gathered = np.frombuffer(said.gathered, "<f4").reshape(shape) if said.gathered else None
    return StepState(said.leg, said.index, said.count, said.sigma, said.draws, x, x0, remembered, tuple(said.pictures), gathered)


def _plain(values: np.ndarray[tuple[int, ...], np.dtype[np.float32]]) -> bytes:
    return np.ascontiguousarray(values, "<f4").tobytes()


def line_said(line: LedgerLine) -> Table:
    return {**asdict(line), "key": list(line.key)}


def line_of(said: Mapping[str, object]) -> LedgerLine:
    """Raises `UserError` for what is none."""
    key = said.get("key")
    try:
        told: dict[str, object] = {**said, "key": Key(*(str(each) for each in key))} if is_row(key) else {}
        return LedgerLine(**told)  # pyright: ignore[reportArgumentType]  # of the same version, as `Setup` says
    except TypeError as error:
        raise UserError(OTHER) from error


def machine_of(said: Mapping[str, object]) -> Machine:
    """Raises `UserError` for what is none."""
    try:
        return Machine(**said)  # pyright: ignore[reportArgumentType]  # as above
    except TypeError as error:
        raise UserError(OTHER) from error


def key_of(said: Sequence[str]) -> Key | None:
    """Raises `UserError` for what is none; nothing is none."""
    try:
        return Key(*map(str, said)) if said else None
    except TypeError as error:
        raise UserError(OTHER) from error
