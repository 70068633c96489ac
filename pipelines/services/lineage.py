"""Lineage for the page: the family of a picture, how each came from another, and what was changed on the way."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields

from models.errors import UserError
from pipelines.gallery.lineage import Kin, Lineage
from pipelines.gallery.person import Person
from pipelines.images.store import Inputs
from pipelines.job_book.book import JobBook, PictureRecord
from pipelines.job_book.lineage import Tie
from pipelines.requests.branch import branch_of, depth_of
from pipelines.requests.control_unit import ControlUse
from pipelines.requests.fields import Stored
from pipelines.requests.groups import BRANCH, COMPUTED, TILES
from pipelines.requests.region import Region
from pipelines.requests.request import KINDS, Drawing, FromPicture, Request, begins_with, describe
from pipelines.requests.tiles import in_tiles
from pipelines.resolving.details import Groups
from pipelines.resolving.differences import LACKING, differences
from pipelines.services.answers import LineageChange, LineagePicture, LineageTie, PictureLineage
from pipelines.services.details import Details

FIRST = 8  # changes that are told of one picture
LONGEST = 160  # letters of a value
SETTINGS, GUIDED, DIVIDED, USED = "With its settings", "Guided by it", "Its regions by it", "Used in it"
GRID = "In the same grid"
BRANCHED, SHOWN = "Branch after step {}", "As it was at step {}"


ANOTHER = "another one"
STRENGTH = next(str(item.metadata["title"]) for item in fields(FromPicture) if item.name == "denoising_strength")
TIED = ("image", "images", "as_drawn")  # fields that name the picture itself that something was made from
# Titles of all that names pictures, which are told by no name.
STORED = {
    str(item.metadata["title"]): item.name
    for holder in (*KINDS.values(), ControlUse, Region)
    for item in fields(holder)
    if isinstance(item.metadata["limit"], Stored) or item.name in TIED
}


class Lineages:
    """Safe to call from any thread. Reads the head of each file that is told."""

    def __init__(self, book: JobBook, lineage: Lineage, details: Details, inputs: Inputs) -> None:
        self._book, self._lineage, self._details, self._inputs = book, lineage, details, inputs

    def of(self, picture_id: str, person: Person) -> PictureLineage:
        """For a person who sees the picture. Raises `BookError`."""
        family = self._lineage.of(picture_id, person, self._size_of)
        records = {kin.number: record for kin in family.pictures if (record := self._book.picture(kin.id))}
        told = {kin.number: self._details.groups(records[kin.number]) for kin in family.pictures if kin.told and kin.number in records}
        return {
            "pictures": [_picture(kin, records[kin.number]) for kin in family.pictures if kin.number in records],
            "ties": [_tie(tie, records, told) for tie in family.ties if {tie.parent, tie.child} <= records.keys()],
            "more": family.more,
        }

    def _size_of(self, input_id: str) -> tuple[int, int] | None:
        try:
            return self._inputs.size(input_id)
        except UserError:
            return None


def _picture(kin: Kin, record: PictureRecord) -> LineagePicture:
    return {
        "id": kin.id,
        "width": record.width,
        "height": record.height,
        "kind": record.request.kind if kin.told else "",
        "title": record.request.title if kin.told else "",
        "seed": str(record.seed) if kin.told and record.seed >= 0 else "",
        "prompt": record.request.words[:LONGEST] if kin.told else "",
        "own": kin.own,
        "deleted": kin.deleted,
        "created": record.created,
    }


def _tie(tie: Tie, records: Mapping[int, PictureRecord], told: Mapping[int, Groups]) -> LineageTie:
    request = records[tie.child].request
    changes = list(_changes(told[tie.parent], told[tie.child], request)) if {tie.parent, tie.child} <= told.keys() else []
    return {
        "parent": records[tie.parent].id,
        "child": records[tie.child].id,
        "settings": not tie.input,
        "how": GRID
        if tie.grid and tie.child in told
        else how(tie.input, request, records[tie.parent].request)
        if tie.child in told
        else "",
        "changes": changes[:FIRST],
        "more": len(changes[FIRST:]),
    }


def how(input_id: str, request: Request, before: Request) -> str:
    """In what way a picture of this request was made from another, which is its input of this id; "" for the settings, or steps, alone.

    `before`: what that other one was made by. A branch that is drawn once more with its settings branches off nowhere itself.
    """
    if not input_id:
        use = branch_of(request) if _branches(request) > _branches(before) and isinstance(request, Drawing) else None
        return (SHOWN if use.shown else BRANCHED).format(use.step) if use else SETTINGS
    if begins_with(request) == input_id:
        return request.title
    told = describe(request)
    if input_id in str(told.get("regions", ())):
        return DIVIDED
    return GUIDED if input_id in str(told.get("controls", ())) else USED


def _branches(request: Request) -> int:
    return depth_of(request) if isinstance(request, Drawing) else 0


def _changes(before: Groups, after: Groups, request: Request) -> Iterator[LineageChange]:
    """What the second has at all, and otherwise than the first. How strongly a picture was drawn over is told in any case."""
    if isinstance(request, FromPicture) and STRENGTH not in {value.title for values in before.values() for value in values}:
        yield {"title": STRENGTH, "before": "", "after": f"{request.denoising_strength:g}"}
    for found in differences([before, after]):
        one, other = ("" if text == LACKING else text[:LONGEST] for text in found.texts)
        name = STORED.get(found.title.rsplit(": ", 1)[-1])
        if other and name not in TIED and not _says_nothing(found.group, request) and (one, found.title) != ("", STRENGTH):
            yield {"title": found.title, "before": "" if name else one, "after": ANOTHER if name else other}


def _says_nothing(group: str, request: Request) -> bool:
    return group in (COMPUTED.title, BRANCH.title) or (group == TILES.title and not in_tiles(request))
