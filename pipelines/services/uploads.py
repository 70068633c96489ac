"""Uploads: pictures and masks, taken through the one door for pixels, kept by content, and each its owner's alone."""

from __future__ import annotations

import io
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from PIL import Image

from models.errors import UserError
from pipelines.credentials.judged import has_credential
from pipelines.depth.depth_map import read_depth
from pipelines.gallery.formats import MIMES
from pipelines.gallery.leaving import Sign
from pipelines.images.clip_file import frame_in, frames_kept
from pipelines.images.decode import WHITE, as_mask, normalise
from pipelines.images.masking import Size
from pipelines.images.set_on_white import thing_of
from pipelines.images.source_type import source_in
from pipelines.images.store import GONE, Inputs
from pipelines.images.windows import extended, windows
from pipelines.job_book.book import JobBook, PictureRecord
from pipelines.job_book.lineage import known_as
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
from pipelines.requests.wordless import plays
from pipelines.services.guests import DiskQuota

SHOWN = 208  # pixels of a side of what a page shows
SMALL = 64  # pixels of a side, of what is only looked for
AT_ONCE = 2  # pictures that are decoded at the same time
LARGEST_FILE = 64 * 2**20  # bytes
MOST_SIDE = 4096  # pixels of an extended picture
MOST_WINDOWS = 2000
ENDINGS = (".png", ".jpg", ".jpeg", ".webp", ".gif", ".avif", ".bmp")
NO_PICTURE = "There is no picture to start from. Drop one on the canvas, paste one, or open one."
NO_DEPTH = "There is no picture to start from. Put one in, or bring a depth map and draw at denoising strength 1."
NO_SOURCE = "There is no picture to enlarge. Drop one, paste one, or open one."
NO_FIRST = "There is no picture to begin with. Drop one, paste one, or send one here from another tab."
NO_THING = "There is no picture of an object yet. Drop one on the canvas, paste one, or open one."
NOTHING_FOR = {
    Depth.kind: NO_DEPTH, Enlarge.kind: NO_SOURCE, SecondPass.kind: NO_SOURCE, Upscale.kind: NO_SOURCE, Clip.kind: NO_FIRST,
    Turn.kind: NO_THING,
}  # fmt: skip
TRUNK_GONE = (
    "This branches from a picture that was begun with pictures which are not yours, or not stored here any more. Draw without the branch."
)
NOT_YOURS = "The picture it was made from is not among yours; put it in again."


@dataclass(frozen=True)
class Taken:
    """A picture that was put in. `mask`: the id of a mask made from its transparency, if it has some."""

    id: str
    width: int
    height: int
    notes: tuple[str, ...] = ()
    mask: str = ""


class Uploads:
    """Safe to call from any thread."""

    def __init__(self, inputs: Inputs, book: JobBook, disk: DiskQuota | None = None) -> None:
        self.inputs = inputs
        self._book = book
        self._disk = disk or DiskQuota(book, inputs)
        self._turn = threading.Semaphore(AT_ONCE)
        # Hears that a person takes a finished picture for an input of this id; raises `UserError` where they may not see it.
        self.adopted: Callable[[PictureRecord, str, str], None] = lambda record, user, input_id: None
        self.signs: Callable[[str], Sign | None] = lambda picture_id: None  # as a finished picture leaves, so it becomes a parent

    def picture(self, data: bytes, user: str, transparent: bool = False) -> Taken:
        """Raises `UserError` for whatever is not a picture that can be used. `transparent`: what is so stays so, else it becomes white."""
        with self._turn:
            found = normalise(data, None if transparent else WHITE)
            mask = self._keep(_transparent(found.alpha), user) if found.alpha else ""
            taken = replace(self.keep(found.image, user, source_in(data)), notes=found.notes, mask=mask)
        self._keep_signed(taken.id, data, user)
        return taken

    def keep(self, image: Image.Image, user: str, source: str = "") -> Taken:
        """A picture that the studio has made itself: a control map, a depth map. `source`: the label of any other."""
        return Taken(self._keep(image, user, source), *image.size)

    def mask(self, data: bytes, size: Size, user: str) -> Taken:
        """A mask picture, scaled to the size of the picture it belongs to."""
        with self._turn:
            mask = as_mask(data)
            fitted = mask if mask.size == size else mask.resize(size, Image.Resampling.BILINEAR)
            notes = () if mask.size == size else (f"The mask, {mask.width} × {mask.height}, was scaled to the picture.",)
            return Taken(self._keep(fitted, user), *size, notes)

    def depth(self, data: bytes, user: str) -> Taken:
        """A depth map from a file."""
        with self._turn:
            depth, notes = read_depth(data)
            return replace(self.keep(depth, user), notes=notes)

    def adopt(self, record: PictureRecord, user: str, transparent: bool = False) -> Taken:
        """A finished picture as an input, as `picture` takes it; of a clip one frame. Raises `UserError` when its file is gone."""
        try:
            data = record.path.read_bytes()
        except OSError as error:
            raise UserError("The file of this picture is not in the outputs folder any more.") from error
        if frames_a_second := plays(record.request)[1]:
            return self._adopt_frame(record, user, data, frames_a_second)
        taken = self.picture(data, user, transparent)
        known_as(self._book.file, record.id, taken.id)
        self.adopted(record, user, taken.id)
        if sign := self.signs(record.id):
            self._keep_signed(taken.id, sign(data, MIMES.get(record.path.suffix.lower(), "image/png")), user)
        return taken

    def _adopt_frame(self, record: PictureRecord, user: str, data: bytes, frames_a_second: int) -> Taken:
        """The one that is meant, or the first."""
        taken = self.keep(frame_in(frames_kept(record.path, frames_a_second), record.frame or 0), user, source_in(data))
        known_as(self._book.file, record.id, taken.id)
        self.adopted(record, user, taken.id)
        return taken

    def folder(self, folder: Path, user: str, most: int, transparent: bool = False) -> tuple[list[PictureUse], list[str]]:
        """All pictures of a folder by name, and a sentence for each that cannot be used. For the owner of the machine alone.
        `transparent`: as for `picture`.
        """
        uses: list[PictureUse] = []
        notes: list[str] = []
        for file in list(_pictures_in(folder))[:most]:
            try:
                uses.append(PictureUse(id=self.picture(_read(file), user, transparent).id, name=file.name[:300]))
            except UserError as error:
                notes.append(f"{file.name[:100]}: {error}")
        if not uses:
            raise UserError(notes[0] if notes else f"There is no picture in {str(folder)[:200]}. It looks for {', '.join(ENDINGS)}.")
        return uses, notes

    def thing(self, request: Turn, user: str) -> bytes:
        """PNG, small: what a model that turns things will see of this person's picture. Raises `UserError` where that is nothing."""
        if not request.image or not all(self.find(each, user) for each in input_ids(request)):
            raise UserError(GONE if request.image else NO_THING)
        stream = io.BytesIO()
        thing_of(request, self.inputs, SHOWN).save(stream, "PNG")
        return stream.getvalue()

    def find(self, picture_id: str, user: str) -> Path | None:
        """The file, when it is there and this person's."""
        return self.inputs.path(picture_id) if self.inputs.has(picture_id) and self._book.inputs.has(picture_id, user) else None

    def check(self, request: Request, user: str) -> None:
        """Raises `UserError` when a picture or mask is missing, is not this person's, or there is nothing to draw."""
        if isinstance(request, Drawing):
            self._check_units(request, user)
            self._check_trunk(request, user)
        if isinstance(request, WithPicture) and not request.image and _needs_picture(request):
            raise UserError(NOTHING_FOR.get(request.kind, NO_PICTURE))
        listed = {use.id for use in listed_in(request)}  # an empty one is none
        if isinstance(request, WithPicture) and not all(self.find(picture_id, user) for picture_id in input_ids(request) | listed):
            raise UserError(GONE)
        if isinstance(request, Inpaint):
            self._check_mask(request)
        if isinstance(request, Details):
            self._check_details(request)
        if isinstance(request, Outpaint):
            self._check_margins(request)
        if isinstance(request, Turn):
            thing_of(request, self.inputs, SMALL)  # raises where there is none
        if isinstance(request, Enlarge):
            self._check_sizes(request)

    def _check_sizes(self, request: Enlarge) -> None:
        for use in request.images or (PictureUse(id=request.image),):
            try:
                request.size_from(self.size(use.id))
            except UserError as error:
                raise UserError(f"{use.name[:100]}: {error}") if use.name else error from None

    def _check_trunk(self, request: Drawing, user: str) -> None:
        trunk = trunk_of(request)
        if trunk and not all(self.find(picture_id, user) for picture_id in input_ids(trunk)):
            raise UserError(TRUNK_GONE)

    def _check_units(self, request: Drawing, user: str) -> None:
        for place, use in enumerate(request.controls, 1):
            if use == ControlUse() or not use.weight:
                continue
            if not use.image and not isinstance(request, FromPicture):
                raise UserError(f"Control unit {place} has no picture. Drop one on it, or remove the unit.")
            if not all(self.find(picture_id, user) for picture_id in (use.image, use.mask) if picture_id):
                raise UserError(f"The picture of control unit {place} is not stored here any more. Put it in again.")
        for place, region in enumerate(request.regions, 1):
            if region.mask and not self.find(region.mask, user):
                raise UserError(f"What is painted for region {place} is not stored here any more. Paint it again.")

    def with_pictures(self, request: Kind, known: Mapping[tuple[int, str], str], user: str) -> tuple[Kind, tuple[str, ...]]:
        """With this person's inputs whose ids begin so, and a sentence if some are not here. `known`: (control unit, or -1 for the
        request itself, and field), or `REGIONS` and a place -> digits.
        """
        ids = {at: next((one for one in self.inputs.beginning(digits) if self.find(one, user)), "") for at, digits in known.items()}
        found: dict[str, object] = {name: found for (place, name), found in ids.items() if place == -1}
        if isinstance(request, Drawing):
            found["controls"] = tuple(_with(use, place, ids) for place, use in enumerate(request.controls))
            painted = {int(name): known for (part, name), known in ids.items() if part == REGIONS}
            found["regions"] = tuple(replace(each, mask=painted.get(place, each.mask)) for place, each in enumerate(request.regions))
        return replace(request, **found), () if all(ids.values()) else (NOT_YOURS,)

    def without_missing(self, request: Kind, user: str) -> tuple[Kind, tuple[str, ...]]:
        """The request without the inputs that are not this person's, and a sentence if there were some."""
        missing = {picture_id for picture_id in input_ids(request) if self.find(picture_id, user) is None}
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

    def size(self, picture_id: str) -> Size:
        """Width and height, read from the file's header. Raises `UserError` when it is gone."""
        return self.inputs.size(picture_id)

    def _keep(self, image: Image.Image, user: str, source: str = "") -> str:
        self._disk.check(user)
        picture_id = self.inputs.keep(image, source)
        self._book.inputs.give(picture_id, user)
        self._disk.add(user, self.inputs.path(picture_id).stat().st_size)
        return picture_id

    def _keep_signed(self, picture_id: str, data: bytes, user: str) -> None:
        """What is drawn on it carries its content credential along."""
        if has_credential(data):
            self._disk.add(user, self.inputs.keep_signed(picture_id, data))

    def _check_mask(self, request: Inpaint) -> None:
        if not request.mask:
            raise UserError("Nothing is masked yet. Paint over the part that should change.")
        mask = self.inputs.open(request.mask, "L")
        if mask.size != self.size(request.image):
            raise UserError("The mask belongs to a picture of another size. Paint it again.")
        low, high = mask.getextrema()
        if (low == 255) if request.inverted else (high == 0):
            raise UserError("The mask leaves nothing to draw. Paint over the part that should change.")

    def _check_details(self, request: Details) -> None:
        size = self.size(request.image)
        check_inside(request.boxes, size)
        if request.mask and self.size(request.mask) != size:
            raise UserError("What is painted belongs to a picture of another size. Paint it again.")

    def _check_margins(self, request: Outpaint) -> None:
        around = request.left, request.top, request.right, request.bottom
        if not any(around):
            raise UserError("There is nothing to add yet. Drag an edge of the frame outwards, or type how many pixels to add.")
        width, height = extended(self.size(request.image), around)
        if max(width, height) > MOST_SIDE:
            raise UserError(f"The picture would become {width:,} × {height:,}; {MOST_SIDE:,} pixels a side are the most. Add less.")
        count = len(windows(self.size(request.image), around, (request.width, request.height)))
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


def _transparent(alpha: Image.Image) -> Image.Image:
    """What cannot be seen is what is to be drawn."""
    return alpha.point(lambda value: 255 - value)


def _pictures_in(folder: Path) -> Iterator[Path]:
    try:
        files = sorted(file for file in folder.iterdir() if file.suffix.lower() in ENDINGS and file.is_file())
    except (OSError, ValueError) as error:
        raise UserError(f"The folder {str(folder)[:200]} cannot be read. Type the whole path of a folder on this machine.") from error
    yield from files


def _read(file: Path) -> bytes:
    try:
        if file.stat().st_size > LARGEST_FILE:
            raise UserError(f"It is larger than {LARGEST_FILE // 2**20} MB.")
        return file.read_bytes()
    except OSError as error:
        raise UserError("It cannot be read.") from error
