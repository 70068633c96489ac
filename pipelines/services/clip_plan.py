"""What a clip will be, said before it is made: its length and size, what becomes of the picture, what the model was not trained for, and
what it takes. Reads no pixels and imports no torch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from models.errors import UserError
from models.library.catalog import Catalog
from models.memory.forecast import Forecast
from pipelines.images.masking import Size
from pipelines.job_book.queue import BookQueue
from pipelines.requests.request import Clip, Request
from pipelines.resolving.wordless import resolved_wordless
from pipelines.services.cost import said_of

ALIKE = 0.02  # of the aspects of two sizes


class ClipPlans:
    """Safe to call from any thread."""

    def __init__(self, catalog: Catalog, queue: BookQueue, forecast: Callable[[Request], Forecast | None]) -> None:
        self._catalog, self._queue, self._forecast = catalog, queue, forecast

    def lines(self, request: Clip, picture: Size | None) -> tuple[str, ...]:
        """Sentences. `picture`: the size of that which it begins with."""
        try:
            found = resolved_wordless(request, self._catalog, picture)
        except UserError as error:
            return (str(error),)
        trained = self._catalog.checkpoint(found.checkpoint).defaults
        cost = said_of(self._forecast(found), self._queue.expected(found), found.picture_count)
        return (_length(found), *_cut(found, picture), *untrained(found, trained), *cost)


def _length(request: Clip) -> str:
    frames, pace = request.plays
    size = f"{request.width:,} × {request.height:,}"
    if frames == 1:
        return f"One frame of {size}: a still picture."
    return f"{frames} frames of {size}, {frames / pace:.1f} seconds at {pace} a second."


def _cut(request: Clip, picture: Size | None) -> Iterator[str]:
    if picture is None:
        yield "Put a picture in."
    elif abs(picture[0] * request.height / (picture[1] * request.width) - 1) > ALIKE:
        yield f"Of your picture, {picture[0]:,} × {picture[1]:,}, the middle is used, in the shape of the clip."


def untrained(request: Clip, trained: Mapping[str, object]) -> Iterator[str]:
    """What of it the model has not seen in its training, a sentence each. `trained`: field -> what suits it."""
    frames, pace, motion = (trained.get(name) for name in ("frames", "frames_a_second", "motion"))
    if isinstance(frames, int) and request.frames > frames:
        yield f"This model was trained for {frames} frames; with more, things tend to fall apart."
    if isinstance(motion, int) and (request.motion, request.frames_a_second) != (motion, pace):
        yield f"This model was trained at {pace} frames a second and motion {motion} alone; other numbers mean little to it."
    own, size = {trained.get("width"), trained.get("height")}, {request.width, request.height}
    if None not in own and own != size:
        yield f"It was trained at {trained['width']} × {trained['height']}; at another size less moves, or it moves oddly."
