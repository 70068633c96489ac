"""The cost of what makes a picture larger by drawing, said before it: memory and time. Reads no weights and imports no torch."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from models.errors import UserError
from models.memory.forecast import Forecast, gigabytes
from pipelines.images.masking import Size
from pipelines.job_book.queue import BookQueue
from pipelines.metadata.two_passes import sized, unsized
from pipelines.requests.request import Request, SecondPass, TextToImage, Upscale

LEAST = 0.05e9  # bytes that are worth a word


class Costs:
    def __init__(self, queue: BookQueue, forecast: Callable[[Request], Forecast | None]) -> None:
        """`forecast`: of the memory; None where nothing is known yet. Raises `UserError` for a model that is not there."""
        self._queue, self._forecast = queue, forecast

    def lines(self, request: Request, picture: Size | None) -> tuple[str, ...]:
        """Sentences on a second pass and the like, of a picture of this size; nothing of other requests, and where it cannot be drawn."""
        try:
            found = _larger(request, picture)
            return tuple(said_of(self._forecast(found), self._queue.expected(found), request.picture_count)) if found else ()
        except UserError:
            return ()


def said_of(forecast: Forecast | None, seconds: float | None, count: int = 1) -> Iterator[str]:
    """Memory and time of one of so many pictures, as far as they are known."""
    memory = forecast.weights + forecast.work if forecast else 0
    told = [f"{gigabytes(memory)} GB of memory"] if memory > LEAST else []
    told += [_time(seconds)] if seconds is not None else []
    if told:
        yield f"It takes about {' and '.join(told)}{' for each picture' if count > 1 else ''}."
    if forecast and not forecast.fits:
        yield forecast.advice


def _larger(request: Request, picture: Size | None) -> SecondPass | Upscale | None:
    """One of them, in its size."""
    if isinstance(request, TextToImage) and request.hires:
        return sized(unsized(request), (request.width, request.height))
    if isinstance(request, SecondPass | Upscale) and picture:
        return sized(request, picture)
    return None


def _time(seconds: float) -> str:
    if seconds < 60:
        return f"{max(1, round(seconds))} s"
    return f"{round(seconds / 60)} min"
