"""A grid as one picture with legends, and as one page that needs nothing else. As a ZIP its pictures leave as others do.

Axes beyond the second make several sheets, one below the other, each with its values as a heading. What leaves is labelled as its pictures
are, and in the page each of them is signed where pictures that leave are.
"""

from __future__ import annotations

import base64
import html
import io
import itertools
import textwrap
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from PIL import Image, ImageDraw, ImageFont
from PIL.PngImagePlugin import PngInfo

from models.errors import UserError
from pipelines.gallery.leaving import Sign
from pipelines.grids.cells import Axis, Grid, Place
from pipelines.images.source_type import COMPOSITE, PNG_NAME, TRAINED, packet

MOST_PIXELS = 60_000_000  # of one picture: what programs open without trouble
LARGEST, SMALLEST = 512, 64  # pixels of the longer side of a cell
LINES = 3  # of a legend
GAP, EDGE = 6, 28  # pixels between cells, and around all
INK, QUIET, PAPER, WELL = (38, 34, 31), (120, 112, 104), (255, 255, 255), (238, 235, 231)
NOTHING = "No cell of this grid is drawn yet, so there is nothing to export."


@dataclass(frozen=True)
class Shown:
    """A picture as it may be shown. `source`: its label, one of `SOURCE_TYPES`, or ""; `sign`: None where it is not signed."""

    image: Image.Image
    source: str = TRAINED
    sign: Sign | None = None


Face = Callable[[str, int], Shown | None]  # id of a picture, longest side -> as it may be shown; None where it cannot be read


@dataclass(frozen=True)
class Sheet:
    """Two axes of a grid at one value of each other. `columns`, `rows`: (legend, keys of place), the place of a cell being both joined."""

    heading: str
    columns: Sequence[tuple[str, int | None]]
    rows: Sequence[tuple[str, int | None]]
    others: tuple[int, ...]

    def place(self, column: int | None, row: int | None) -> Place:
        return tuple(key for key in (column, row) if key is not None) + self.others


def sheets(axes: Sequence[Axis]) -> list[Sheet]:
    """In the order of the axes: the first goes across, the second down."""
    columns = [(each.title, each.key) for each in axes[0].values]
    rows = [(each.title, each.key) for each in axes[1].values] if len(axes) > 1 else [("", None)]
    others = itertools.product(*(axis.values for axis in axes[2:]))
    return [
        Sheet(
            " · ".join(f"{axis.title}: {value.title}" for axis, value in zip(axes[2:], held, strict=True)), columns, rows,
            tuple(value.key for value in held),
        )
        for held in others
    ]  # fmt: skip


def picture(grid: Grid, pictures: Mapping[Place, str], face: Face) -> bytes:
    """PNG. Cells that are not drawn are left empty. Raises `UserError` when there is nothing."""
    if not pictures:
        raise UserError(NOTHING)
    return _Drawn(grid, face).png(pictures)


def source_of_all(sources: Collection[str]) -> str:
    """The label of what is put together of pictures with these; "" where none has one."""
    named = {each for each in sources if each}
    return COMPOSITE if named and len(set(sources)) > 1 else next(iter(named), "")


class _Drawn:
    def __init__(self, grid: Grid, face: Face) -> None:
        self._grid, self._face, self._sheets = grid, face, sheets(grid.axes)
        self._sources: set[str] = set()  # the labels of what is on it
        self._across, self._down = len(self._sheets[0].columns), len(self._sheets[0].rows)
        self._cell = self._size()
        size = max(12, min(26, self._cell[0] // 11))
        self._font, self._small = ImageFont.load_default(size), ImageFont.load_default(max(11, size - 3))
        self._line = size + 6
        lines = max(len(_wrapped(legend, self._font, self._cell[0], LINES)) for legend, _ in self._sheets[0].columns)
        self._top = self._line * (1 + lines) + GAP
        self._left = self._cell[0] * 3 // 5 if len(grid.axes) > 1 else 0

    def _size(self) -> tuple[int, int]:
        """As large as the pictures are, and as all of it allows."""
        base = self._grid.base
        cells = self._across * self._down * len(self._sheets)
        longest = min(LARGEST, max(base.width, base.height), max(SMALLEST, int((MOST_PIXELS / max(1, cells)) ** 0.5 * 0.8)))
        share = longest / max(base.width, base.height)
        return max(8, round(base.width * share)), max(8, round(base.height * share))

    def png(self, pictures: Mapping[Place, str]) -> bytes:
        wide, high = self._cell
        heading = self._line * 2 if self._sheets[0].heading else 0
        each = heading + self._top + self._down * (high + GAP) + EDGE
        width = 2 * EDGE + self._left + self._across * (wide + GAP) - GAP
        words = self._about(width)
        image = Image.new("RGB", (width, EDGE + len(words) * self._line + len(self._sheets) * each), PAPER)
        draw = ImageDraw.Draw(image)
        for number, line in enumerate(words):
            draw.text((EDGE, EDGE // 2 + number * self._line), line, INK, self._small)
        for number, sheet in enumerate(self._sheets):
            self._sheet(image, draw, sheet, EDGE + len(words) * self._line + number * each, pictures)
        out, info = io.BytesIO(), PngInfo()
        if source := source_of_all(self._sources):
            info.add_itxt(PNG_NAME, packet(source))
        image.save(out, "PNG", pnginfo=info)
        return out.getvalue()

    def _about(self, width: int) -> list[str]:
        """The words of the drawing, at most two lines."""
        return _wrapped(" ".join(self._grid.base.words.split()), self._small, width - 2 * EDGE, 2)

    def _sheet(self, image: Image.Image, draw: ImageDraw.ImageDraw, sheet: Sheet, top: int, pictures: Mapping[Place, str]) -> None:
        wide, high = self._cell
        if sheet.heading:
            draw.text((EDGE, top + self._line // 3), _wrapped(sheet.heading, self._font, image.width - 2 * EDGE, 1)[0], INK, self._font)
            top += self._line * 2
        axes = self._grid.axes
        left = EDGE + self._left
        draw.text((left, top), axes[0].title, QUIET, self._small)
        if len(axes) > 1:
            draw.text((EDGE, top), axes[1].title, QUIET, self._small)
        for across, (legend, _) in enumerate(sheet.columns):
            self._legend(draw, legend, (left + across * (wide + GAP), top + self._line), wide, centred=True)
        for down, (legend, row) in enumerate(sheet.rows):
            place = top + self._top + down * (high + GAP)
            lines = len(_wrapped(legend, self._font, max(8, self._left - GAP * 2), LINES))
            self._legend(draw, legend, (EDGE, place + max(0, high - lines * self._line) // 2), self._left - GAP * 2)
            for across, (_, column) in enumerate(sheet.columns):
                self._put(image, draw, pictures.get(sheet.place(column, row), ""), (left + across * (wide + GAP), place))

    def _legend(self, draw: ImageDraw.ImageDraw, words: str, place: tuple[int, int], width: int, centred: bool = False) -> None:
        if not words or width < 8:
            return
        for number, line in enumerate(_wrapped(words, self._font, width, LINES)):
            aside = (width - self._font.getlength(line)) / 2 if centred else 0
            draw.text((place[0] + aside, place[1] + number * self._line), line, INK, self._font)

    def _put(self, image: Image.Image, draw: ImageDraw.ImageDraw, picture_id: str, place: tuple[int, int]) -> None:
        wide, high = self._cell
        found = self._face(picture_id, max(wide, high)) if picture_id else None
        draw.rectangle((*place, place[0] + wide - 1, place[1] + high - 1), WELL)
        if found:
            self._sources.add(found.source)
            fitted = found.image.convert("RGB")
            fitted.thumbnail((wide, high), Image.Resampling.LANCZOS)
            image.paste(fitted, (place[0] + (wide - fitted.width) // 2, place[1] + (high - fitted.height) // 2))


def _wrapped(words: str, font: ImageFont.ImageFont | ImageFont.FreeTypeFont, width: int, most: int) -> list[str]:
    """In lines that fit; what is beyond the last one is cut with an ellipsis. Long names are broken anywhere."""
    letters = max(4, int(width / max(1.0, font.getlength("n"))))
    lines = textwrap.wrap(words, letters, break_long_words=True)
    if len(lines) > most:
        lines = [*lines[: most - 1], f"{lines[most - 1][: max(1, letters - 1)]}…"]
    return [_cut(line, font, width) for line in lines] or [""]


def _cut(line: str, font: ImageFont.ImageFont | ImageFont.FreeTypeFont, width: int) -> str:
    while len(line) > 1 and font.getlength(line) > width:
        line = f"{line[:-2]}…"
    return line


# ---- a page --------------------------------------------------------------------------------------------------------------------------

STYLE = """
:root { color-scheme: light dark; --ink: #26221f; --quiet: #78706a; --paper: #faf8f5; --well: #eeebe7; }
@media (prefers-color-scheme: dark) { :root { --ink: #ece7e1; --quiet: #9b938b; --paper: #1b1917; --well: #2a2724; } }
body { margin: 0; padding: 28px; background: var(--paper); color: var(--ink); font: 15px/1.5 system-ui, sans-serif; }
h1 { margin: 0 0 4px; font-size: 20px; font-weight: 600; }
p { margin: 0 0 22px; color: var(--quiet); max-width: 80ch; }
h2 { margin: 26px 0 8px; font-size: 16px; font-weight: 600; }
div { overflow: auto; }
table { border-spacing: 6px; }
th { padding: 2px 8px; font-weight: 500; max-width: 240px; overflow-wrap: anywhere; }
th[scope=row] { text-align: left; vertical-align: top; position: sticky; left: 0; background: var(--paper); }
caption { padding-bottom: 4px; text-align: left; color: var(--quiet); }
td { padding: 0; background: var(--well); border-radius: 8px; min-width: 64px; height: 64px; }
img { display: block; max-width: min(60vw, 320px); border-radius: 8px; }
img:target { max-width: 96vw; }
""".replace("\n", "")


def page(grid: Grid, pictures: Mapping[Place, str], face: Face) -> bytes:
    """HTML with all pictures in it. Raises `UserError` when there is nothing."""
    if not pictures:
        raise UserError(NOTHING)
    return b"".join(_page(grid, pictures, face))


def _page(grid: Grid, pictures: Mapping[Place, str], face: Face) -> Iterator[bytes]:
    words = html.escape(grid.base.words)
    title = html.escape(" × ".join(axis.title for axis in grid.axes))
    head = '<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'
    yield f"{head}<title>{title}</title><style>{STYLE}</style><body><h1>{title}</h1><p>{words}</p>".encode()
    for sheet in sheets(grid.axes):
        yield (f"<h2>{html.escape(sheet.heading)}</h2>" if sheet.heading else "").encode()
        yield from _table(grid, sheet, pictures, face)
    yield b"</body></html>"


def _table(grid: Grid, sheet: Sheet, pictures: Mapping[Place, str], face: Face) -> Iterator[bytes]:
    across = grid.axes[0].title
    second = f" (across), {grid.axes[1].title} (down)" if len(grid.axes) > 1 else ""
    legends = "".join(f'<th scope="col">{html.escape(legend)}</th>' for legend, _ in sheet.columns)
    yield f"<div><table><caption>{html.escape(across + second)}</caption><tr><th></th>{legends}</tr>".encode()
    for legend, row in sheet.rows:
        yield f'<tr><th scope="row">{html.escape(legend)}</th>'.encode()
        for title, column in sheet.columns:
            yield _cell(pictures.get(sheet.place(column, row), ""), ", ".join(filter(None, (title, legend))), face)
        yield b"</tr>"
    yield b"</table></div>"


def _cell(picture_id: str, says: str, face: Face) -> bytes:
    found = face(picture_id, LARGEST) if picture_id else None
    if found is None:
        return b"<td></td>"
    shown = found.image.convert("RGB")
    shown.thumbnail((LARGEST, LARGEST), Image.Resampling.LANCZOS)
    out = io.BytesIO()
    shown.save(out, "WEBP", quality=88, **({"xmp": packet(found.source).encode()} if found.source else {}))
    signed = found.sign(out.getvalue(), "image/webp") if found.sign else out.getvalue()
    data = base64.b64encode(signed).decode()
    return f'<td><img alt="{html.escape(says)}" src="data:image/webp;base64,{data}"></td>'.encode()
