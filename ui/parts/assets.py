"""Assets of the page, the script and the style sheet: one file each, named by its content's digest, so that browsers keep it for good.

Both are made when the server starts, in each form in which they are sent.
"""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

import brotli
from starlette.requests import Request
from starlette.responses import Response

from ui.door.compression import coding
from ui.parts.scripts import SCRIPT_ID, joined, modules, static

STYLES = (
    "atelier.css", "stage.css", "library.css", "canvas.css", "easel.css", "units.css", "unit_open.css",
    "depth.css", "depth_drive.css", "depth_pad.css", "region_pad.css", "inspector.css", "compare.css", "touch.css",
)  # fmt: skip
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


def asset(suffix: str, media_type: str, text: str) -> Asset:
    plain = text.encode()
    name = f"atelier.{hashlib.sha256(plain).hexdigest()[:16]}.{suffix}"
    forms = {"br": brotli.compress(plain, quality=QUALITY), "gzip": gzip.compress(plain, 9, mtime=0), "identity": plain}
    return Asset(f"/static/{name}", media_type, forms)


def page_assets() -> tuple[Asset, Asset]:
    """The script and the style sheet."""
    script = asset("js", "text/javascript", joined(modules()))
    return script, asset("css", "text/css", "".join(map(static, STYLES)))


def head(script: Asset, styles: Asset) -> str:
    """Elements for the head of the page. The script decides between light and dark, so nothing is shown before it has run."""
    sheet = f'<link rel="stylesheet" href=".{styles.path}">'
    return f'{sheet}<script id="{SCRIPT_ID}" type="module" async blocking="render" src=".{script.path}"></script>'
