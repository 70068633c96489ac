"""Safety: whose link asks for a look at pictures before they are shown, what the safety checker said of them, and what is shown instead.

It looks at a finished picture in the worker's thread, while any open link asks for it; older pictures when somebody first wants to see
them by such a link. What was not looked at yet counts as objected to, so nothing is shown because of a failure.
"""

from __future__ import annotations

import base64
import io
import json
import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image, ImageDraw, ImageFilter, ImageFont

from models.errors import UserError
from models.json_values import listed, table
from pipelines.images.clip_file import frames_in
from pipelines.images.decode import normalise
from pipelines.images.store import Inputs
from pipelines.job_book import verdicts
from pipelines.job_book.book import JobBook, PictureRecord
from pipelines.people.people import People
from pipelines.people.records import Checker
from pipelines.preprocessors.annotators import Annotators
from pipelines.requests.wordless import plays

if TYPE_CHECKING:
    from pipelines.jobs.runner import Runner
    from pipelines.jobs.worker import Worker

log = logging.getLogger(__name__)

KEY = "safety_checker"  # of `pipelines.preprocessors.annotators`
SIDE = 160  # pixels of the longer side of what is blurred
RADIUS = 12  # of its blur, in those pixels
LONGEST = 1_024  # pixels of the longer side of what is shown instead
REVEALED = 10_000  # that are remembered
HIDDEN = {
    "blur": "The safety checker of your link objects to this picture, or has not looked at it yet. It is blurred until you reveal it.",
    "block": "The safety checker of your link objects to this picture, or has not looked at it yet. It is not shown.",
}
INSTEAD = "Hidden by the safety\nchecker of this link"
NO_REVEAL = "By your link this picture is not shown."


class Safety:
    """Safe to call from any thread. Raises `BookError`."""

    def __init__(self, book: JobBook, people: People, annotators: Annotators, inputs: Inputs, worker: Callable[[], Worker]) -> None:
        self._book, self._people, self._annotators, self._worker = book, people, annotators, worker
        self._inputs = inputs

    @property
    def missing(self) -> str:
        """ "" when the checker is there, else a sentence that says which files to put where."""
        return self._annotators.missing(KEY)

    @property
    def weight(self) -> int:
        """Bytes of memory that a look takes, where any open link asks for looks."""
        return self._annotators.size(KEY) if self._people.any_checker() and not self.missing else 0

    def veil(self, picture_id: str, user: str, checker: Checker) -> Checker:
        """What is shown instead of a picture to who came by a link with this checker; "" for the picture itself."""
        if not checker or (checker == "blur" and self._has_revealed(user, picture_id)):
            return ""
        if picture_id in verdicts.cleared(self._book.file, [picture_id]):
            return ""
        self._look_soon(picture_id)
        return checker

    def veil_input(self, input_id: str, user: str, checker: Checker) -> Checker:
        """The same of an input picture that a model has drawn; what people bring along themselves they have seen."""
        if not checker or self._has_revealed(user, input_id) or not self._inputs.source(input_id):
            return ""
        near = verdicts.of_input(self._book.file, input_id)
        if near is None:
            self._errand(input_id, lambda runner: self._look_at_input(input_id, runner))
        return checker if near is not False else ""

    def adopted(self, record: PictureRecord, user: str, input_id: str) -> None:
        """A finished picture becomes an input of this id. Raises `UserError` where it is hidden from who wants that."""
        checker = self._people.checker_of(user)
        if hidden := self.veil(record.id, user, checker):
            raise UserError(HIDDEN[hidden])
        if checker:
            self._remember(user, input_id)

    def shown(self, ids: Sequence[str], user: str, checker: Checker) -> list[str]:
        """Those that are shown as they are."""
        return [each for each in ids if not self.veil(each, user, checker)] if checker else list(ids)

    def reveal(self, picture_id: str, user: str, checker: Checker) -> None:
        """Raises `UserError` where the link does not let one."""
        if checker == "block":
            raise UserError(NO_REVEAL)
        self._remember(user, picture_id)

    def frames(self, user: str, frames: list[str]) -> list[str]:
        """Previews, data URLs, as this person may see them."""
        return [blurred_url(frame) for frame in frames] if self._people.checker_of(user) else frames

    def entered(self, record: PictureRecord, runner: Runner) -> None:
        """A picture is finished: in the thread that drew it, with `runner`. Raises nothing."""
        if self._people.any_checker():
            self._look(record.id, runner)

    def _remember(self, user: str, shown: str) -> None:
        verdicts.reveal(self._book.file, user, shown, REVEALED)

    def _has_revealed(self, user: str, shown: str) -> bool:
        return verdicts.has_revealed(self._book.file, user, shown)

    def _look_soon(self, picture_id: str) -> None:
        if not verdicts.known(self._book.file, picture_id):
            self._errand(picture_id, lambda runner: self._look(picture_id, runner))

    def _errand(self, name: str, look: Callable[[Runner], None]) -> None:
        """Between two jobs. Where too many wait it is asked for again with the next look."""
        if self.missing:
            return
        try:
            self._worker().between_jobs(f"{KEY} {name}", look)
        except UserError:
            return

    def _look_at_input(self, input_id: str, runner: Runner) -> None:
        try:
            verdicts.put_input(self._book.file, input_id, self._near(self._inputs.open(input_id), runner))
        except Exception:
            log.exception("the safety checker could not look at an input, which stays hidden where a link asks for it")

    def _near(self, image: Image.Image, runner: Runner) -> bool:
        from pipelines.preprocessors.safety import is_near  # with torch, which the worker has

        with runner.annotator(KEY) as annotator:
            assert annotator
            return is_near(image, annotator)

    def _look(self, picture_id: str, runner: Runner) -> None:
        """Whatever goes wrong leaves the picture without a verdict, and so hidden."""
        try:
            record = self._book.picture(picture_id)
            if record is None or self.missing or verdicts.known(self._book.file, picture_id):
                return
            verdicts.put(self._book.file, picture_id, any(self._near(image, runner) for image in _looked_at(record)))
        except Exception:
            log.exception("the safety checker could not look at a picture, which stays hidden where a link asks for it")


def _looked_at(record: PictureRecord) -> list[Image.Image]:
    """The picture; of a clip its first frame, the middle one and the last."""
    frames, pace = plays(record.request)
    if not frames:
        return [normalise(record.path.read_bytes()).image]
    found = list(frames_in(record.path, pace))
    return [found[place] for place in sorted({0, len(found) // 2, len(found) - 1})]


def instead(path: Path, checker: Checker, size: tuple[int, int]) -> bytes:
    """A WebP that is shown instead of the picture. Raises as `normalise`."""
    width, height = (max(1, round(side * min(1.0, LONGEST / max(size)))) for side in size)
    image = _blurred(normalise(path.read_bytes()).image) if checker == "blur" else _sentence((width, height))
    file = io.BytesIO()
    image.resize((width, height), Image.Resampling.BICUBIC).save(file, "WEBP", quality=60)
    return file.getvalue()


def board_veiled(news: bytes) -> bytes:
    """A `TogetherNews` as JSON, with what is drawn now blurred."""
    told = table(json.loads(news))
    for tile in map(table, listed(told.get("drawing"))):
        tile["preview"] = blurred_url(str(tile["preview"])) if tile.get("preview") else ""
    return json.dumps(told).encode()


def blurred_url(url: str) -> str:
    """A preview, a data URL, blurred."""
    with Image.open(io.BytesIO(base64.b64decode(url.partition(",")[2])), formats=("PNG", "JPEG")) as frame:
        image, file = _blurred(frame.convert("RGB")), io.BytesIO()
    image.save(file, "JPEG", quality=70)
    return f"data:image/jpeg;base64,{base64.b64encode(file.getvalue()).decode()}"


def _blurred(image: Image.Image) -> Image.Image:
    small = image.convert("RGB")
    small.thumbnail((SIDE, SIDE))
    return small.filter(ImageFilter.GaussianBlur(RADIUS * max(small.size) / SIDE))


def _sentence(size: tuple[int, int]) -> Image.Image:
    image = Image.new("RGB", size, (232, 226, 218))
    font = ImageFont.load_default(max(8, min(size) / 14))
    ImageDraw.Draw(image).multiline_text((size[0] / 2, size[1] / 2), INSTEAD, (96, 84, 74), font, "mm", align="center")
    return image
