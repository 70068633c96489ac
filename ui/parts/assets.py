"""Assets of the page: script, style sheet and typefaces, named by their content's digest, so that browsers keep them for good.

They are made when the server starts, in each form in which they are sent. Icons lie in the style sheet: each file of `static/icons`
is a class, `.icon-NAME`, whose `--sign` a mask takes.
"""

from __future__ import annotations

import gzip
import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import quote

import brotli
from starlette.requests import Request
from starlette.responses import Response

from ui.colours import DARK, LIGHT, colours
from ui.door.compression import coding
from ui.parts.quick_scripts import quick_scripts
from ui.parts.scripts import INDENT, SCRIPT_ID, STATIC, first_script, later_script, static

STYLES = (
    "atelier.css", "room.css", "form.css", "prompt.css", "stage.css", "library.css", "canvas.css", "easel.css", "units.css",
    "unit_open.css", "boxes.css", "depth.css", "depth_drive.css", "depth_pad.css", "region_pad.css", "panel.css", "queue.css",
    "inspector.css", "comments.css", "finish.css", "compare.css", "gallery.css", "reading.css", "folders_in.css", "people.css",
    "narrow.css", "touch.css",
)  # fmt: skip
LATER_STYLES = (
    "check.css", "clip.css", "completion.css", "film.css", "grids.css", "guiding.css", "inside.css", "later_dialogs.css",
    "library_devices.css", "lineage.css", "model_cards.css", "presets.css", "prompt_history.css", "region_list.css", "together.css",
    "token_view.css", "turn_dial.css",
)  # of what the second script brings (`ui/parts/scripts.py`)  # fmt: skip
FONTS = {
    "Inter": "inter/inter-latin-wght-normal.woff2",
    "Fraunces": "fraunces/fraunces-latin-wght-normal.woff2",
}  # family -> file of `static/fonts`
# What the two files hold; other letters are taken from the fonts of the system.
LATIN = (
    "U+0000-00FF,U+0131,U+0152-0153,U+02BB-02BC,U+02C6,U+02DA,U+02DC,U+0304,U+0308,U+0329,"
    "U+2000-206F,U+20AC,U+2122,U+2191,U+2193,U+2212,U+2215,U+FEFF,U+FFFD"
)
STYLE_COMMENT = re.compile(r"/\*.*?\*/\n?", re.DOTALL)
SHAPE = re.compile(r"<(?!svg|/svg|!--)[^>]+>")
STROKE = 1.75  # of the 24 units that an icon is wide
QUALITY = 10  # of 11: the last one takes three times as long for a fiftieth less
KEPT = {"Cache-Control": "public, max-age=31536000, immutable", "Vary": "Accept-Encoding"}  # nothing personal is in them


@dataclass(frozen=True)
class Asset:
    """A file of the page. `forms`: content coding -> bytes, the smallest first; "identity" is the file as it is."""

    path: str
    media_type: str
    forms: Mapping[str, bytes]

    async def answer(self, request: Request) -> Response:
        """In the smallest form that the browser takes."""
        chosen = coding(request.headers.get("accept-encoding", ""), self.forms)
        headers = KEPT if chosen == "identity" else KEPT | {"Content-Encoding": chosen}
        return Response(self.forms[chosen], media_type=self.media_type, headers=headers)


def asset(suffix: str, media_type: str, text: str, stem: str = "atelier") -> Asset:
    plain = text.encode()
    return Asset(_named(stem, suffix, plain), media_type, compressed(plain))


def compressed(plain: bytes) -> Mapping[str, bytes]:
    """A text in each form in which it is sent, the smallest first."""
    return {"br": brotli.compress(plain, quality=QUALITY), "gzip": gzip.compress(plain, 9, mtime=0), "identity": plain}


def _named(stem: str, suffix: str, content: bytes) -> str:
    return f"/static/{stem}.{hashlib.sha256(content).hexdigest()[:16]}.{suffix}"


@dataclass(frozen=True)
class Assets:
    """All files of the page. `fonts`: family -> typeface."""

    script: Asset
    later: Asset  # script that is fetched when it is needed
    styles: Asset
    later_styles: Asset
    fonts: Mapping[str, Asset]
    shots: Mapping[str, Asset]
    instead: Sequence[Asset]  # of files of Gradio's, under their own names

    @property
    def files(self) -> Sequence[Asset]:
        return (self.script, self.later, self.styles, self.later_styles, *self.fonts.values(), *self.shots.values(), *self.instead)


def _sheet(name: str) -> str:
    """A style sheet without its comments and what its lines are indented by."""
    return INDENT.sub("", STYLE_COMMENT.sub("", static(name)))


def page_assets() -> Assets:
    script = asset("js", "text/javascript", first_script())
    later = asset("js", "text/javascript", later_script(), "later")
    fonts = {family: font(file) for family, file in FONTS.items()}
    styles = faces(fonts) + look_sheet() + "".join(map(_sheet, STYLES))
    later_styles = asset("css", "text/css", "".join(map(_sheet, LATER_STYLES)), "later")
    return Assets(script, later, asset("css", "text/css", styles), later_styles, fonts, shots(), instead())


def instead() -> Sequence[Asset]:
    """Files of Gradio's that are sent otherwise than it wrote them. Whoever keeps one from before finds the same in it, only slower."""
    return [Asset(f"/assets/{name}", "text/javascript", compressed(text.encode())) for name, text in quick_scripts()]


def shots() -> Mapping[str, Asset]:
    """Small pictures of what guidance does, by name. A page asks for one when it is seen."""
    files = sorted((STATIC / "guidance").glob("*.webp"))
    return {path.stem: _shot(path.stem, path.read_bytes()) for path in files}


def _shot(name: str, content: bytes) -> Asset:
    return Asset(_named(name, "webp", content), "image/webp", {"identity": content})


def font(file: str) -> Asset:
    """A typeface; woff2 is compressed already."""
    content = (STATIC / "fonts" / file).read_bytes()
    return Asset(_named(file.partition("/")[0], "woff2", content), "font/woff2", {"identity": content})


def faces(fonts: Mapping[str, Asset], place: str = "") -> str:
    """Rules of a style sheet for the typefaces, whose files `place` leads to. Letters are shown at once, in a face when it is there."""
    return "".join(_face(family, f"{place}{each.path.removeprefix('/static/')}") for family, each in fonts.items())


def _face(family: str, address: str) -> str:
    source = f'url("{address}") format("woff2")'
    return f'@font-face {{ font-family: "{family}"; src: {source}; font-weight: 100 900; font-display: swap; unicode-range: {LATIN}; }}\n'


def look_sheet() -> str:
    """Rules for colours and icons."""
    return f":root {{ {colours(LIGHT)} }}\n.dark {{ {colours(DARK)} }}\n{icons()}"


def icons() -> str:
    """A class for each icon."""
    signs = {path.stem: _sign(path.read_text("utf-8")) for path in sorted((STATIC / "icons").glob("*.svg"))}
    return "".join(f'.icon-{name} {{ --sign: url("{sign}"); }}\n' for name, sign in signs.items())


def _sign(svg: str) -> str:
    looks = f"fill='none' stroke='#000' stroke-width='{STROKE}' stroke-linecap='round' stroke-linejoin='round'"
    shapes = "".join(" ".join(shape.split()) for shape in SHAPE.findall(svg)).replace('"', "'").replace(" />", "/>")
    drawn = f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 24 24' {looks}>{shapes}</svg>"
    return "data:image/svg+xml," + quote(drawn, safe=" '/=:.,-")


def head(assets: Assets) -> str:
    """Elements for the head of the page. The script decides between light and dark, so nothing is shown before it has run."""
    sheet = f'<link rel="stylesheet" href=".{assets.styles.path}">'
    places = f'src=".{assets.script.path}" data-later=".{assets.later.path}" data-later-styles=".{assets.later_styles.path}"'
    return f'{sheet}<script id="{SCRIPT_ID}" type="module" async blocking="render" {places}></script>'
