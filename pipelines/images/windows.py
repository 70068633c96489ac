"""Outpainting windows: a row of them, each half on what is there already, so that any width can be reached.

Pure geometry, on integers; the page shows the number of windows before a run.
"""

from __future__ import annotations

from collections.abc import Iterator

from pipelines.images.masking import Box, Size


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
    boxes = [*_sideways(known, left, right, window)]
    return boxes + [_turned(box) for box in _sideways(_turned(across), top, bottom, (window[1], window[0]))]


def _sideways(known: Box, left: int, right: int, window: Size) -> Iterator[Box]:
    """Boxes that extend the known area to the right and then to the left."""
    yield from _rightwards(known, right, window)
    wider = (known[0], known[1], known[2] + right, known[3])
    yield from map(_mirrored, _rightwards(_mirrored(wider), left, window))


def _rightwards(known: Box, distance: int, window: Size) -> Iterator[Box]:
    """Columns of boxes, in equal steps of at most half a box. A narrow picture grows in smaller boxes until it is as wide as one."""
    left, top, edge, bottom = known
    most = max(2, round(min(window[1], bottom - top) * window[0] / window[1]))
    end = edge + distance
    while edge < end:
        width = min(most, 2 * (edge - left), end - left)
        height = min(window[1], bottom - top, max(1, round(width * window[1] / window[0])))
        step = -(-(end - edge) // -(-(end - edge) // (width // 2)))
        start = max(left, edge + step - width)
        yield from _column(known, start, start + width, height)
        edge = start + width


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


def _mirrored(box: Box) -> Box:
    """With left and right exchanged."""
    return -box[2], box[1], -box[0], box[3]
