"""A request: a frozen dataclass with everything that changes the pixels of a job, and nothing else. Here is what every kind has.

Each field declares its type, its default and its limits, once. The form shows them, the HTTP door checks with them, the recipe uses
them, and a picture's metadata is derived from them. The kinds themselves stand in `pipelines.requests.request`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, ClassVar, Self, TypeVar, cast

from models.errors import UserError
from pipelines.requests.fields import Limit, Several, Stored, Whole, admit_field
from pipelines.requests.groups import BEGINNING

if TYPE_CHECKING:
    from _typeshed import DataclassInstance


@dataclass(frozen=True, kw_only=True)
class Request:
    """One job. A kind adds its fields and says how many pictures come of it."""

    kind: ClassVar[str] = ""
    title: ClassVar[str] = ""  # of the kind, for people

    @classmethod
    def admit(cls, values: Mapping[str, object]) -> Self:
        """A request from values that came from outside. Absent fields take their default, unknown ones are refused.

        Raises `UserError` with a sentence that names the field. Never coerces: "3" is not 3 and True is not 1.
        """
        known = {item.name: item for item in fields(cls)}
        for name in values:
            if name not in known:
                raise UserError(f"This request has no field named “{str(name)[:60]}”.")
        request = cls(**{name: admit_field(known[name], value) for name, value in values.items()})
        request.check()
        return request

    def check(self) -> None:
        """Raises `UserError` when fields that are sound by themselves do not go together."""

    @property
    def words(self) -> str:
        """What people know its pictures by; the name of their files begins with it."""
        return ""

    @property
    def batch_total(self) -> int:
        """How many batches are made one after another."""
        return 1

    @property
    def pictures_a_batch(self) -> int:
        """How many pictures are made side by side."""
        return 1

    @property
    def picture_count(self) -> int:
        return self.batch_total * self.pictures_a_batch

    def single(self, index: int) -> Self:
        """The request that makes picture `index` of this one alone."""
        return self


@dataclass(frozen=True, kw_only=True)
class WithPicture(Request):
    """A request that begins with a picture. Ids of pictures are those of `pipelines.images.store`."""

    image: str = BEGINNING("", Stored(), "Picture")


Kind = TypeVar("Kind", bound=Request)


def describe(request: Request) -> dict[str, object]:
    """The request as plain JSON values, with its kind: the authoritative metadata of a picture."""
    return {"kind": request.kind} | {item.name: _json(getattr(request, item.name)) for item in fields(request)}


def unroll(request: Kind) -> list[Kind]:
    """One request a picture, each a batch of one: see `Request.single`."""
    return [request.single(index) for index in range(request.picture_count)]


def input_ids(request: Request) -> set[str]:
    """The input pictures and masks that a request names, itself or in one of its lists."""
    return set(_stored(request))


def begins_with(request: Request) -> str:
    """The id of the picture that it begins with; "" where it begins with none."""
    return request.image if isinstance(request, WithPicture) else ""


def limits(kind: type[Request]) -> dict[str, Limit]:
    return {item.name: item.metadata["limit"] for item in fields(kind)}


def _stored(value: DataclassInstance) -> Iterator[str]:
    for item in fields(value):
        limit, held = item.metadata["limit"], getattr(value, item.name)
        if isinstance(limit, Stored) and held:
            yield held
        if isinstance(limit, Whole) and held is not None:
            yield from _stored(held)
        if isinstance(limit, Several):
            for entry in cast("tuple[DataclassInstance, ...]", held):
                yield from _stored(entry)


def _json(value: object) -> object:
    if isinstance(value, Request):
        return describe(value)
    return [entry_of(entry) for entry in cast("tuple[DataclassInstance, ...]", value)] if isinstance(value, tuple) else value


def entry_of(entry: DataclassInstance) -> dict[str, object]:
    """An entry of one of its lists as plain JSON values."""
    return {item.name: _json(getattr(entry, item.name)) for item in fields(entry)}
