"""Settings in every place and encoding that programs use are read, and a picture of another program is called by its name."""

from __future__ import annotations

import io
import json
import zlib
from typing import Any

import pytest
from PIL import ExifTags, Image, features

from models.errors import UserError
from pipelines.jobs.outputs import inspect
from pipelines.metadata.picture_texts import comment_text
from pipelines.programs.readers import READERS
from tests.support.asked import drawing
from tests.test_outputs import chunk
from tests.test_outputs import png as png_with

TEXT = "a lighthouse, 雪 🦊\nNegative prompt: fog\nSteps: 24, Sampler: Euler a, CFG scale: 6.5, Seed: 4711, Size: 512x640"
UTF8, BE, LE = TEXT.encode(), TEXT.encode("utf-16-be"), TEXT.encode("utf-16-le")
PLAIN = TEXT.replace(", 雪 🦊", "")
COMMENTS = {
    "big end first": b"UNICODE\0" + BE, "little end first": b"UNICODE\0" + LE, "with a mark": b"UNICODE\0" + TEXT.encode("utf-16"),
    "big with a mark": b"UNICODE\0\xfe\xff" + BE, "UTF-8 called Unicode": b"UNICODE\0" + UTF8, "ASCII": b"ASCII\0\0\0" + UTF8,
    "undefined": b"\0" * 8 + UTF8, "undefined UTF-16": b"\0" * 8 + LE, "bare": UTF8, "bare with a mark": b"\xef\xbb\xbf" + UTF8,
    "bare UTF-16": LE,
    "padded": b"UNICODE\0" + BE + b"\0\0\0\0", "half a letter": b"UNICODE\0" + BE + b"\0", "small letters": b"Unicode\0" + BE,
    "JIS": b"JIS\0\0\0\0\0" + TEXT.replace(" 🦊", "").encode("iso2022_jp"), "a lone surrogate": b"UNICODE\0" + b"\xd8\x00" + BE,
}  # fmt: skip
KINDS = [kind for kind in ("JPEG", "WEBP", "AVIF", "PNG") if kind != "AVIF" or features.check("avif")]


def picture(kind: str, exif: dict[int, Any] | None = None, **more: Any) -> bytes:
    tags, stream = Image.Exif(), io.BytesIO()
    for tag, value in (exif or {}).items():
        (tags.get_ifd(ExifTags.IFD.Exif) if tag == ExifTags.Base.UserComment else tags)[tag] = value
    Image.new("RGB", (16, 16)).save(stream, kind, exif=tags.tobytes(), **more)
    return stream.getvalue()


def png(**texts: str) -> bytes:
    return png_with((8, 8), **texts)


def read(data: bytes) -> tuple[str, int]:
    found = inspect(data).request
    return drawing(found).prompt.split(",")[0], drawing(found).seed


@pytest.mark.parametrize("written", COMMENTS)
def test_every_encoding_of_a_comment_is_read(written: str) -> None:
    text = comment_text(COMMENTS[written]).strip("\0")
    assert text in (TEXT, TEXT.replace(" 🦊", ""))
    assert read(picture("JPEG", {ExifTags.Base.UserComment: COMMENTS[written]})) == ("a lighthouse", 4711)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_picture_carries_a_comment(kind: str) -> None:
    for written in ("big end first", "little end first", "bare"):
        assert drawing(inspect(picture(kind, {ExifTags.Base.UserComment: COMMENTS[written]})).request).prompt == "a lighthouse, 雪 🦊"


def test_settings_in_other_places_are_read() -> None:
    packet = f"<x:xmpmeta><rdf:li xml:lang='x-default'>{PLAIN.replace('a light', 'a &quot;light')}</rdf:li></x:xmpmeta>".encode()
    for data in (
        picture("JPEG", {ExifTags.Base.ImageDescription: PLAIN}), picture("JPEG", {ExifTags.Base.XPComment: LE + b"\0\0"}),
        picture("JPEG", comment=UTF8), png(Parameters=TEXT), png(Description=TEXT), png(Comment=TEXT),
    ):  # fmt: skip
        assert read(data) == ("a lighthouse", 4711)
    for kind in ("JPEG", "WEBP"):
        assert read(picture(kind, xmp=packet)) == ('a "lighthouse', 4711)


def test_every_kind_of_text_in_a_png_is_read() -> None:
    plain, body = png(), UTF8
    texts = {
        b"tEXt": b"parameters\0" + body, b"zTXt": b"parameters\0\0" + zlib.compress(body),
        b"iTXt": b"parameters\0\1\0\0\0" + zlib.compress(body),
    }  # fmt: skip
    for kind, data in texts.items():
        assert drawing(inspect(plain[:33] + chunk(kind, data) + plain[33:]).request).prompt == "a lighthouse, 雪 🦊", kind


GRAPH = json.dumps({"3": {"class_type": "KSampler", "inputs": {"seed": 5, "steps": 20, "cfg": 7}}})
OTHERS: list[tuple[str, bytes]] = [  # of which nothing can be read
    ("ComfyUI", png(workflow='{"nodes": []}')), ("ComfyUI", png(prompt='{"3": {"class_type": "Painter"}}')),
    ("ComfyUI", png(prompt="{" + " " * 1_100_000, workflow="{" + " " * 1_100_000)),
    ("InvokeAI", png(invokeai_metadata="{}")), ("InvokeAI", png(**{"sd-metadata": "{}"})), ("InvokeAI", png(invokeai_graph="{}")),
    ("NovelAI", png(Software="NovelAI", Comment="{")), ("Fooocus", png(parameters="{}", fooocus_scheme="fooocus")),
    ("SwarmUI", picture("JPEG", {ExifTags.Base.UserComment: b"UNICODE\0" + json.dumps({"sui_image_params": {}}).encode("utf-16-be")})),
    ("Easy Diffusion", picture("JPEG", {ExifTags.Base.UserComment: json.dumps({"use_stable_diffusion_model": "x"}).encode()})),
    ("Draw Things", picture("JPEG", xmp=b"<xmp:CreatorTool>Draw Things</xmp:CreatorTool><rdf:li>a lighthouse</rdf:li>")),
]  # fmt: skip


@pytest.mark.parametrize(("program", "data"), OTHERS)
def test_a_picture_of_another_program_of_which_nothing_can_be_read_is_called_by_its_name(program: str, data: bytes) -> None:
    with pytest.raises(UserError, match=f"made with {program}, and nothing in it can be read"):
        inspect(data)


def test_every_program_is_tried() -> None:
    assert {program for program, _ in OTHERS} == {*READERS}


@pytest.mark.parametrize(
    "more",
    [{"workflow": GRAPH, "prompt": GRAPH}, {"fooocus_scheme": "a1111"}, {"Software": "NovelAI"}, {"App": "SD.Next"}],
)  # fmt: skip
def test_settings_that_can_be_read_are_read_whoever_wrote_them(more: dict[str, str]) -> None:
    assert read(png(parameters=TEXT, **more)) == ("a lighthouse", 4711)


def test_marks_that_are_not_what_they_seem_name_nobody() -> None:
    ours = ({"prompt": "a house"}, {"Comment": "[1, 2"}, {"Comment": "{" * 100_000}, {"Software": "GIMP"}, {"parameters": "{a|b} house"})
    for texts in ours:
        with pytest.raises(UserError, match=r"no settings"):
            inspect(png(**texts))
