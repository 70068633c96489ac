"""Clips as MP4 with H.264, for where a WebP is not taken. By PyAV, an optional package (`requirements-video.txt`): it is large."""

from __future__ import annotations

import importlib.util
import io
from collections.abc import Iterable, Mapping
from types import ModuleType

from PIL import Image

from models.errors import UserError
from pipelines.images.source_type import VOCABULARY

QUALITY = "18"  # constant rate factor of x264: what few can tell from the frames
OPTIONS = {"movflags": "use_metadata_tags"}  # keys of any name are kept
RECORD, PARAMETERS, LABEL = "atelier", "parameters", "DigitalSourceType"
MISSING = "MP4 needs one package more. See “Video” in the guide; then start Atelier again."


def library() -> ModuleType | None:
    try:
        return importlib.import_module("av")
    except ImportError:
        return None


def is_there() -> bool:
    """Whether the package is installed; it is not imported for that."""
    return importlib.util.find_spec("av") is not None


def as_mp4(frames: Iterable[Image.Image], frames_a_second: int, told: Mapping[str, str], source: str) -> bytes:
    """The whole file. `told`: texts by name, such as the record; `source`: the label that says how it came to be, or "".

    Raises `UserError` where the package is missing.
    """
    av = library()
    if av is None:
        raise UserError(MISSING)
    stream = io.BytesIO()
    with av.open(stream, "w", format="mp4", options=OPTIONS) as container:
        container.metadata.update({**told, **({LABEL: f"{VOCABULARY}{source}"} if source else {})})
        video = container.add_stream("libx264", rate=frames_a_second, options={"crf": QUALITY})
        video.pix_fmt = "yuv420p"  # what browsers play
        for place, frame in enumerate(map(_even, frames)):
            if not place:
                video.width, video.height = frame.size
            container.mux(video.encode(av.VideoFrame.from_image(frame)))
        container.mux(video.encode())
    return stream.getvalue()


def _even(frame: Image.Image) -> Image.Image:
    """Colours are kept for two pixels together, so an odd last row or column goes."""
    return frame.crop((0, 0, frame.width // 2 * 2, frame.height // 2 * 2))
