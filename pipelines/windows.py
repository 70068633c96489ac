"""Where an extension of a picture is drawn: a row of windows, each half on what is there already, so that any width can be reached.

Pure geometry, on integers; the page shows the number of windows before a run.
"""

from __future__ import annotations

from collections.abc import Iterator

from pipelines.masking import Box, Size


def extended(picture: Size, margins: Box) -> Size:
    """The size with margins (left, top, right, bottom) around it."""
    return picture[0] + margins[0] + margins[2], picture[1] + margins[1] + margins[3]


def windows(picture: Size, margins: Box, window: Size) -> list[Box]:
    """Boxes in the extended picture, in the order in which they are drawn: left and right first, then above and below in the new width.

    `window`: width and height that the network draws. A box has this aspect, and is smaller where the picture is. Each shows at
    least as much that is known as what is new, along the way that it extends.
    """
    left, top, right, bottom = margins
    whole = extended(picture, margins)
    known = (left, top, left + picture[0], top + picture[1])
    across = (0, top, whole[0], top + picture[1])
    boxes = [*_sideways(known, left, right, whole[0], window)]
    return boxes + [_turned(box) for box in _sideways(_turned(across), top, bottom, whole[1], (window[1], window[0]))]


def _sideways(known: Box, left: int, right: int, length: int, window: Size) -> Iterator[Box]:
    """Boxes that extend the known area to the right and to the left. `length`: of the extended picture, this way."""
    height = min(window[1], known[3] - known[1])
    width = round(height * window[0] / window[1])
    if width > length:
        width, height = length, max(1, round(length * window[1] / window[0]))
    for end in _ends(right, max(1, width // 2)):
        start = max(0, known[2] + end - width)
        yield from _column(known, start, start + width, height)
    for end in _ends(left, max(1, width // 2)):
        stop = min(length, known[0] - end + width)
        yield from _column(known, stop - width, stop, height)


def _ends(distance: int, most: int) -> list[int]:
    """How far the steps come that cover a distance: equal ones of at most `most`."""
    count = -(-distance // most)
    return [round(distance * step / count) for step in range(1, count + 1)]


def _column(known: Box, left: int, right: int, height: int) -> Iterator[Box]:
    """Boxes below each other along an edge, each half on the one before."""
    spare = known[3] - known[1] - height
    count = -(-spare // max(1, height // 2))
    for step in range(count + 1):
        top = known[1] + (round(spare * step / count) if count else 0)
        yield left, top, right, top + height


def _turned(box: Box) -> Box:
    """With the axes exchanged."""
    return box[1], box[0], box[3], box[2]
