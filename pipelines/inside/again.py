"""Again: a picture is made once more by its own record and compared with what is in its file, bit by bit. Importing it imports no torch."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

from PIL import Image, ImageChops

from models.errors import UserError
from pipelines.images.clip_file import LOSSY, frames_in, is_lossless, written
from pipelines.inside.answers import AgainFound
from pipelines.inside.desk import Found, Left, Looking, Seen
from pipelines.jobs.events import Picture, Step
from pipelines.jobs.outputs import inspect
from pipelines.jobs.runner import Events, Runner
from pipelines.metadata.provenance import RUNTIME
from pipelines.requests.as_made import threads_here
from pipelines.requests.request import Drawing, Request, Wordless
from pipelines.requests.wordless import plays
from pipelines.resolving.model_search import CatalogView
from pipelines.resolving.rebind import rebind

UNREADABLE = "The file of this picture cannot be read, so there is nothing to compare with."
NO_PICTURE = "No picture came of its settings."
OTHER_SIZE = "It was {} × {} and is {} × {} now."
UNKNOWN = "Nothing that is recorded differs. The file may have been changed after it was drawn."


@dataclass(frozen=True)
class Record:
    """What a picture says of its making, in terms of this library. `notes`: what of it is not here as it was."""

    request: Request
    made_with: Mapping[str, str]
    notes: Sequence[str]
    path: Path
    left: Left = field(default_factory=Left)


def record_of(path: Path, catalog: CatalogView, resolved: Callable[[Request], Request]) -> Record:
    """Raises `UserError` for a picture that says nothing of itself, or names what is not here and cannot be done without."""
    reading = inspect(path)
    found = rebind(reading.request, reading.made_with, catalog, reading.ids)
    return Record(resolved(found.request), reading.made_with, (*reading.notes, *found.notes), path)


def look(record: Record, runner: Runner) -> Looking:
    """Raises `UserError` where nothing comes of it."""
    made, seen = None, Seen(0, 1)
    with closing(_events(record, runner)) as events:
        for event in events:
            if isinstance(event, Picture):
                made = event
            elif isinstance(event, Step):
                record.left.state = event.state
                record.left.hold()  # a picture in parts goes on from the last step of each
                seen = seen if event.before else Seen(event.index, event.count)
            yield seen
    if made is None:
        raise UserError(NO_PICTURE)
    here = {**runner.runtime, **made.made_with}  # with what was decided while it was drawn
    return Found(compared(*_both(record.path, made), list(reasons(record, here))))


def _events(record: Record, runner: Runner) -> Events:
    """Of the one picture."""
    if isinstance(record.request, Drawing | Wordless):
        yield from runner.watched(record.request, lambda _: nullcontext(), record.left.of)
        return
    with closing(runner.batches(record.request)) as batches:
        for batch in batches:
            yield from batch


def compared(before: Image.Image, now: Image.Image, reasons: Sequence[str]) -> AgainFound:
    """`reasons`: in what the two makings differ, as far as it is recorded."""
    if before.size != now.size:
        size = OTHER_SIZE.format(*before.size, *now.size)
        return {"same": False, "differing": 0, "pixels": before.width * before.height, "most": 255, "reasons": [size, *reasons]}
    apart = ImageChops.difference(before, now.convert(before.mode))
    most = max(high for _, high in cast(list[tuple[int, int]], _extrema(apart)))
    count = _differing(apart) if most else 0
    why = (list(reasons) or [UNKNOWN]) if most else []  # what makes no difference is no reason for one
    return {"same": not most, "differing": count, "pixels": before.width * before.height, "most": most, "reasons": why}


def reasons(record: Record, runtime: Mapping[str, str]) -> Iterator[str]:
    """A sentence for each thing that is recorded and is otherwise here."""
    yield from record.notes
    for name in RUNTIME:
        then, now = record.made_with.get(name), runtime.get(name)
        if then and now and then != now:
            yield f"{name}: {then} then, {now} here."
    threads = record.request.threads if isinstance(record.request, Drawing | Wordless) else 0
    if threads and not threads_here(threads):
        yield f"It was added up by {threads} threads, which this machine cannot do in reasonable time."


def _both(path: Path, made: Picture) -> tuple[Image.Image, Image.Image]:
    """What is in the file, and what came of its settings; the frames of a clip below each other, as its file holds them."""
    pace = plays(made.request)[1]
    if not made.frames or not pace:
        return _saved(path), made.image
    kept = list(frames_in(path, pace))
    frames = made.frames if is_lossless(path) else list(frames_in(written(made.frames, pace, LOSSY), pace))
    return _below_each_other(kept), _below_each_other(frames)


def _below_each_other(frames: Sequence[Image.Image]) -> Image.Image:
    width, height = frames[0].size
    sheet = Image.new("RGB", (width, height * len(frames)))
    for place, frame in enumerate(frames):
        sheet.paste(frame, (0, place * height))
    return sheet


def _saved(path: Path) -> Image.Image:
    try:
        with Image.open(path) as file:
            file.load()
            return file.copy()
    except (OSError, ValueError, SyntaxError) as error:
        raise UserError(UNREADABLE) from error


def _extrema(apart: Image.Image) -> object:
    found = apart.getextrema()
    return found if len(apart.getbands()) > 1 else [found]


def _differing(apart: Image.Image) -> int:
    """Pixels that differ in any channel."""
    first, *others = apart.split()
    for other in others:
        first = ImageChops.lighter(first, other)
    return first.width * first.height - first.histogram()[0]
