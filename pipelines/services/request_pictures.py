"""The pictures that a request names: whether they are there, its owner's, and enough to draw from; and which of them can be found again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from models.errors import UserError
from pipelines.images.set_on_white import thing_of
from pipelines.images.store import GONE
from pipelines.images.windows import extended, windows
from pipelines.requests.branch import trunk_of
from pipelines.requests.control_unit import ControlUse
from pipelines.requests.details import check_inside
from pipelines.requests.fields import Stored
from pipelines.requests.region import REGIONS
from pipelines.requests.request import (
    Clip,
    Depth,
    Details,
    Drawing,
    Enlarge,
    FromPicture,
    ImageToImage,
    Inpaint,
    Kind,
    Outpaint,
    PictureUse,
    Request,
    SecondPass,
    Turn,
    Upscale,
    WithPicture,
    input_ids,
    limits,
    listed_in,
)
from pipelines.services.uploads import NO_THING, Uploads

SMALL = 64  # pixels of a side, of what is only looked for
MOST_SIDE = 4096  # pixels of an extended picture
MOST_WINDOWS = 2000
NO_PICTURE = "There is no picture to start from. Drop one on the canvas, paste one, or open one."
NO_DEPTH = "There is no picture to start from. Put one in, or bring a depth map and draw at denoising strength 1."
NO_SOURCE = "There is no picture to enlarge. Drop one, paste one, or open one."
NO_FIRST = "There is no picture to begin with. Drop one, paste one, or send one here from another tab."
NOTHING_FOR = {
    Depth.kind: NO_DEPTH, Enlarge.kind: NO_SOURCE, SecondPass.kind: NO_SOURCE, Upscale.kind: NO_SOURCE, Clip.kind: NO_FIRST,
    Turn.kind: NO_THING,
}  # fmt: skip
TRUNK_GONE = (
    "This branches from a picture that was begun with pictures which are not yours, or not stored here any more. Draw without the branch."
)
NOT_YOURS = "The picture it was made from is not among yours; put it in again."


def check_pictures(uploads: Uploads, request: Request, user: str) -> None:
    """Raises `UserError` when a picture or mask is missing, is not this person's, or there is nothing to draw."""
    if isinstance(request, Drawing):
        _check_units(uploads, request, user)
        _check_trunk(uploads, request, user)
    if isinstance(request, WithPicture) and not request.image and _needs_picture(request):
        raise UserError(NOTHING_FOR.get(request.kind, NO_PICTURE))
    listed = {use.id for use in listed_in(request)}  # an empty one is none
    if isinstance(request, WithPicture) and not all(uploads.find(picture_id, user) for picture_id in input_ids(request) | listed):
        raise UserError(GONE)
    if isinstance(request, Inpaint):
        _check_mask(uploads, request)
    if isinstance(request, Details):
        _check_details(uploads, request)
    if isinstance(request, Outpaint):
        _check_margins(uploads, request)
    if isinstance(request, Turn):
        thing_of(request, uploads.inputs, SMALL)  # raises where there is none
    if isinstance(request, Enlarge):
        _check_sizes(uploads, request)


def with_pictures(uploads: Uploads, request: Kind, known: Mapping[tuple[int, str], str], user: str) -> tuple[Kind, tuple[str, ...]]:
    """With this person's inputs whose ids begin so, and a sentence if some are not here. `known`: (control unit, or -1 for the
    request itself, and field), or `REGIONS` and a place -> digits.
    """
    ids = {at: next((one for one in uploads.inputs.beginning(digits) if uploads.find(one, user)), "") for at, digits in known.items()}
    found: dict[str, object] = {name: found for (place, name), found in ids.items() if place == -1}
    if isinstance(request, Drawing):
        found["controls"] = tuple(_with(use, place, ids) for place, use in enumerate(request.controls))
        painted = {int(name): known for (part, name), known in ids.items() if part == REGIONS}
        found["regions"] = tuple(replace(each, mask=painted.get(place, each.mask)) for place, each in enumerate(request.regions))
    return replace(request, **found), () if all(ids.values()) else (NOT_YOURS,)


def without_missing(uploads: Uploads, request: Kind, user: str) -> tuple[Kind, tuple[str, ...]]:
    """The request without the inputs that are not this person's, and a sentence if there were some."""
    missing = {picture_id for picture_id in input_ids(request) if uploads.find(picture_id, user) is None}
    if not missing:
        return request, ()
    stored = [name for name, limit in limits(type(request)).items() if isinstance(limit, Stored)]
    blank: dict[str, object] = {name: "" for name in stored if getattr(request, name) in missing}
    if isinstance(request, ImageToImage | Enlarge):
        blank["images"] = tuple(use for use in request.images if use.id not in missing)
    if isinstance(request, Drawing):
        blank["controls"] = tuple(_without(use, missing) for use in request.controls)
        blank["regions"] = tuple(replace(each, mask="") if each.mask in missing else each for each in request.regions)
        trunk = trunk_of(request)
        blank["branch"] = () if trunk and input_ids(trunk) & missing else request.branch
    return replace(request, **blank), (NOT_YOURS,)


def _check_sizes(uploads: Uploads, request: Enlarge) -> None:
    for use in request.images or (PictureUse(id=request.image),):
        try:
            request.size_from(uploads.size(use.id))
        except UserError as error:
            raise UserError(f"{use.name[:100]}: {error}") if use.name else error from None


def _check_trunk(uploads: Uploads, request: Drawing, user: str) -> None:
    trunk = trunk_of(request)
    if trunk and not all(uploads.find(picture_id, user) for picture_id in input_ids(trunk)):
        raise UserError(TRUNK_GONE)


def _check_units(uploads: Uploads, request: Drawing, user: str) -> None:
    for place, use in enumerate(request.controls, 1):
        if use == ControlUse() or not use.weight:
            continue
        if not use.image and not isinstance(request, FromPicture):
            raise UserError(f"Control unit {place} has no picture. Drop one on it, or remove the unit.")
        if not all(uploads.find(picture_id, user) for picture_id in (use.image, use.mask) if picture_id):
            raise UserError(f"The picture of control unit {place} is not stored here any more. Put it in again.")
    for place, region in enumerate(request.regions, 1):
        if region.mask and not uploads.find(region.mask, user):
            raise UserError(f"What is painted for region {place} is not stored here any more. Paint it again.")


def _check_mask(uploads: Uploads, request: Inpaint) -> None:
    if not request.mask:
        raise UserError("Nothing is masked yet. Paint over the part that should change.")
    mask = uploads.inputs.open(request.mask, "L")
    if mask.size != uploads.size(request.image):
        raise UserError("The mask belongs to a picture of another size. Paint it again.")
    low, high = mask.getextrema()
    if (low == 255) if request.inverted else (high == 0):
        raise UserError("The mask leaves nothing to draw. Paint over the part that should change.")


def _check_details(uploads: Uploads, request: Details) -> None:
    size = uploads.size(request.image)
    check_inside(request.boxes, size)
    if request.mask and uploads.size(request.mask) != size:
        raise UserError("What is painted belongs to a picture of another size. Paint it again.")


def _check_margins(uploads: Uploads, request: Outpaint) -> None:
    around = request.left, request.top, request.right, request.bottom
    if not any(around):
        raise UserError("There is nothing to add yet. Drag an edge of the frame outwards, or type how many pixels to add.")
    width, height = extended(uploads.size(request.image), around)
    if max(width, height) > MOST_SIDE:
        raise UserError(f"The picture would become {width:,} × {height:,}; {MOST_SIDE:,} pixels a side are the most. Add less.")
    count = len(windows(uploads.size(request.image), around, (request.width, request.height)))
    if count > MOST_WINDOWS:
        raise UserError(f"That takes {count:,} windows; {MOST_WINDOWS:,} are the most. Draw larger ones, or add less.")


def _needs_picture(request: WithPicture) -> bool:
    """A list of several does as well; a depth map alone is enough where nothing of a picture is kept."""
    if listed_in(request):
        return False
    return not (isinstance(request, Depth) and request.map and request.denoising_strength == 1)


def _with(use: ControlUse, place: int, ids: Mapping[tuple[int, str], str]) -> ControlUse:
    return replace(use, **{name: found for (number, name), found in ids.items() if number == place})


def _without(use: ControlUse, missing: set[str]) -> ControlUse:
    return replace(use, **{name: "" for name in ("image", "mask") if getattr(use, name) in missing})
