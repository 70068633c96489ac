"""A finish: what is done to any finished picture, step by step: enlarge it, draw over it, draw its details. Each step is a request without
its picture; which picture that is, and what it says, is known when a job is made of it.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, fields, replace

from models.errors import UserError
from models.json_values import is_row, is_table, is_whole, text
from pipelines.requests.base import Request, describe
from pipelines.requests.details import PAINTED
from pipelines.requests.enlarge import Enlarge, Size
from pipelines.requests.groups import MODEL, REGIONS, WORDS
from pipelines.requests.request import Details, Drawing, SecondPass, restore

FINISHING = (Enlarge, SecondPass, Details)  # the kinds that a step may be of
MOST_STEPS = 12
FORMAT = 1  # of what is kept; a newer one is not read
NEWER = "This finish was made by a newer Atelier, and this one cannot read it. Update Atelier to use it, or delete it."
DAMAGED = "This finish cannot be read: something in it is missing or out of its limits. Delete it, and make it anew."
OWN_REGIONS = "A step of a finish takes the regions of the picture that it works on. Remove those that are painted in its settings."
OWN_PICTURE = (
    "A control unit of this step has a picture of its own, which belongs to one picture alone. Take that out of the unit, or remove it."
)
NOTHING_PAINTED = "“What I paint” finds nothing in a picture that nobody has painted on. Choose another detector for this step."
BESIDE = ("seed", "language")  # what goes with a picture's words
# What belongs to one picture and one press.
ONE = {
    "image": "", "images": (), "mask": "", "boxes": (), "seed": -1, "variation_seed": -1, "batch_count": 1, "batch_size": 1,
    "all_combinations": False,
}  # fmt: skip


@dataclass(frozen=True)
class FinishStep:
    """One step. `own`: words, seed and models are those that drew the picture. `keep`: what comes of it stays when the next is done."""

    request: Request
    own: bool = True
    keep: bool = True

    def told(self) -> dict[str, object]:
        return {"request": describe(self.request), "own": self.own, "keep": self.keep}


@dataclass(frozen=True)
class Chain:
    """A finish on its way over one picture: what its jobs carry along. `at`: the step that is drawn, from 0."""

    name: str
    steps: tuple[FinishStep, ...]
    at: int = 0
    own: Mapping[str, object] = field(default_factory=dict[str, object])  # words and models of the picture, as JSON has them
    drop: str = ""  # id of the job whose picture goes to the bin once this step's is there
    id: str = field(default_factory=lambda: secrets.token_urlsafe(8))

    @property
    def step(self) -> FinishStep:
        return self.steps[self.at]

    @property
    def is_last(self) -> bool:
        return self.at + 1 == len(self.steps)

    @property
    def once(self) -> str:
        """A name for the job of this step: it is queued once."""
        return f"finish {self.id} {self.at}"

    @property
    def words(self) -> str:
        """For people: which step of what, and what follows."""
        later = [each.request.title for each in self.steps[self.at + 1 :]]
        then = f", then {', '.join(later)}" if later else ""
        return f"{self.name} · step {self.at + 1} of {len(self.steps)}{then}"

    def asked(self, image: str) -> Request:
        """The request of this step for a picture. Raises `UserError` when what the picture says does not go into it."""
        values = describe(self.step.request) | {"image": image}
        if self.step.own and isinstance(self.step.request, Drawing):
            values |= self.own
        return restore(values)

    def after(self, job_id: str) -> Chain:
        """As the next step has it, once the job of this one has made its picture."""
        return replace(self, at=self.at + 1, drop="" if self.step.keep else job_id)

    def past(self) -> Chain:
        """As the next step has it, where this one has left the picture as it was."""
        return replace(self, at=self.at + 1)

    def again(self) -> Chain:
        """As another job like that of this step has it."""
        return replace(self, drop="", id=secrets.token_urlsafe(8))

    def written(self) -> str:
        steps = [each.told() for each in self.steps]
        own = dict(self.own)
        values = {"format": FORMAT, "name": self.name, "steps": steps, "at": self.at, "own": own, "drop": self.drop, "id": self.id}
        return json.dumps(values)


def read_chain(written: str) -> Chain | None:
    """What `written` wrote; None where there is none, or it cannot be read."""
    try:
        values: object = json.loads(written) if written else None
        if not is_table(values) or values.get("format") != FORMAT:
            return None
        steps, at, own = read_steps(values.get("steps")), values.get("at"), values.get("own")
    except (ValueError, RecursionError, UserError):
        return None
    if not is_whole(at) or not 0 <= at < len(steps) or not is_table(own):
        return None
    return Chain(text(values, "name"), steps, at, own, text(values, "drop"), text(values, "id"))


def read_steps(values: object) -> tuple[FinishStep, ...]:
    """Steps as `FinishStep.told` tells them. Raises `UserError`."""
    if not is_row(values) or not values:
        raise UserError("A finish has at least one step. Add one.")
    if len(values) > MOST_STEPS:
        raise UserError(f"This finish has {len(values)} steps; {MOST_STEPS} are the most. Remove some.")
    return tuple(_step(each) for each in values)


def _step(values: object) -> FinishStep:
    if not is_table(values) or not is_table(asked := values.get("request")):
        raise UserError(DAMAGED)
    own, keep = values.get("own", True), values.get("keep", True)
    return FinishStep(bare(restore(asked)), own is not False, keep is not False)


def bare(request: Request) -> Request:
    """A request as a step: without what belongs to one picture or one press of a button. Raises `UserError` for what can be no step."""
    if not isinstance(request, FINISHING):
        raise UserError("A finish is made of Enlarge, Hires fix and Details.")
    if isinstance(request, Drawing) and any(unit.image or unit.mask for unit in request.controls):
        raise UserError(OWN_PICTURE)
    if isinstance(request, Drawing) and any(region.mask for region in request.regions):
        raise UserError(OWN_REGIONS)
    if isinstance(request, Details) and any(each.detector == PAINTED for each in request.detailers):
        raise UserError(NOTHING_PAINTED)
    derived = {item.name: item.default for item in fields(request) if item.metadata["derived"]}
    return replace(request, **derived, **{name: value for name, value in ONE.items() if hasattr(request, name)})


def own_of(request: Request, model: bool = True) -> dict[str, object]:
    """What a picture says of itself that its steps take over: its words and its seed, and if wanted its models. Nothing where it was not
    drawn.
    """
    if not isinstance(request, Drawing):
        return {}
    groups = (WORDS, REGIONS, MODEL) if model else (WORDS, REGIONS)
    told = describe(request)
    names = {item.name for item in fields(Drawing) if item.metadata["group"] in groups and not item.metadata["derived"]}
    return {name: value for name, value in told.items() if name in names or name in BESIDE}


def sizes(steps: tuple[FinishStep, ...], size: Size) -> list[Size]:
    """Width and height of what comes of each step, from a picture of this size. Raises `UserError`, naming the step, where that is too
    much or too little.
    """
    found: list[Size] = []
    for place, step in enumerate(steps, 1):
        with of_step(place, step.request):
            found.append(_size_after(step.request, found[-1] if found else size))
    return found


@contextmanager
def of_step(place: int, request: Request) -> Generator[None]:
    """A sentence about a step says which one it is. `place`: from 1."""
    try:
        yield
    except UserError as error:
        raise UserError(f"Step {place}, {request.title}: {error}") from error


def _size_after(request: Request, size: Size) -> Size:
    if isinstance(request, Enlarge):
        return request.size_from(size)
    return request.target(size).size if isinstance(request, SecondPass) else size
