"""What a device that draws in a process of its own is told, and what it says back: plain values. Nothing is pickled.

How they go over: `frames.py`. What they are here: `spoken_as.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from pipelines.jobs.spoken_files import Fetch, Lacking, Owned, Range, Taken, Wanted

VERSION = 3
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
    sharers: int = 1  # devices that share this card's memory


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
