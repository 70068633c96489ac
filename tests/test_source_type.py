"""The label of how a picture came to be: which one it gets, and that every way to give a picture out keeps it."""

from __future__ import annotations

import io
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest
from PIL import Image

from models.errors import UserError
from pipelines.gallery.formats import FORMATS, given_out
from pipelines.images.source_type import COMPOSITE, ENHANCED, SOURCE_TYPES, TRAINED, VOCABULARY, packet, record_in, source_in
from pipelines.images.store import Inputs
from pipelines.jobs.outputs import Outputs, inspect
from pipelines.metadata.source_of import source_of
from pipelines.requests.request import Enlarge, ImageToImage, Inpaint, Request, SecondPass, TextToImage

IPTC = "{http://iptc.org/std/Iptc4xmpExt/2008-02-29/}DigitalSourceType"
PROMPT = "a red house & <b>“雪”</b>"
REQUEST = TextToImage(prompt=PROMPT, seed=7, steps=3)


def picture(mode: str = "RGB") -> Image.Image:
    return Image.linear_gradient("L").resize((64, 48)).convert(mode)


@pytest.mark.parametrize(
    ("request_", "before", "label"),
    [
        (TextToImage(), "", TRAINED),
        (ImageToImage(image="a"), "", COMPOSITE),
        (ImageToImage(image="a"), TRAINED, TRAINED),
        (Inpaint(image="a", mask="b"), COMPOSITE, COMPOSITE),
        (SecondPass(image="a"), ENHANCED, COMPOSITE),
        (Enlarge(image="a"), "", ENHANCED),
        (Enlarge(image="a"), TRAINED, TRAINED),
        (Enlarge(image="a"), COMPOSITE, COMPOSITE),
    ],
)
def test_a_label_follows_from_what_was_drawn_on_what(request_: Request, before: str, label: str) -> None:
    assert source_of(request_, {"a": before}.__getitem__) == label


def test_a_packet_is_xmp_that_a_parser_of_xml_reads() -> None:
    for source in SOURCE_TYPES:
        text = packet(source, '{"prompt": "<&>"}').removeprefix('<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>')
        tree = ElementTree.fromstring(text.removesuffix('<?xpacket end="r"?>'))
        found = tree.find(f".//{IPTC}")
        assert found is not None and found.text == VOCABULARY + source
        assert source_in(text.encode()) == source and record_in(text) == '{"prompt": "<&>"}'


@pytest.mark.parametrize("told", ["", VOCABULARY, f"{VOCABULARY}digitalCapture", f"{VOCABULARY}{'x' * 100_000}"])
def test_what_is_no_label_of_ours_is_none(told: str) -> None:
    assert source_in(told.encode()) == ""


def test_an_input_keeps_its_label_whoever_puts_the_same_pixels_in_again(tmp_path: Path) -> None:
    inputs = Inputs(tmp_path)
    picture_id = inputs.keep(picture())
    assert inputs.source(picture_id) == ""
    assert inputs.keep(picture(), TRAINED) == picture_id and inputs.source(picture_id) == TRAINED
    inputs.keep(picture())
    inputs.keep(picture(), ENHANCED)
    assert inputs.source(picture_id) == TRAINED and inputs.open(picture_id).tobytes() == picture().tobytes()


def test_a_saved_picture_says_what_it_was_drawn_on(tmp_path: Path) -> None:
    outputs, inputs = Outputs(tmp_path), Inputs(tmp_path / ".inputs")
    photo, own = inputs.keep(picture()), inputs.keep(picture().rotate(90), TRAINED)
    for request, label in ((REQUEST, TRAINED), (ImageToImage(image=photo), COMPOSITE), (ImageToImage(image=own), TRAINED)):
        path = outputs.save(picture(), request, {})
        assert source_in(path.read_bytes()) == label and label in Image.open(path).info["XML:com.adobe.xmp"]
        assert inspect(path).request == request


@pytest.mark.parametrize("wanted", ["", *FORMATS])
@pytest.mark.parametrize("settings", [True, False])
def test_every_format_keeps_the_label_and_the_settings_only_if_asked_to(tmp_path: Path, wanted: str, settings: bool) -> None:
    saved = Outputs(tmp_path).save(picture(), REQUEST, {})
    with saved.open("rb") as file:
        name, pieces = given_out(file, saved.name, wanted, settings)
        data = b"".join(pieces)
    assert name == (saved.stem if settings else saved.stem.partition("_")[0]) + (FORMATS[wanted].ending if wanted else ".png")
    assert source_in(data) == TRAINED
    seen = Image.open(io.BytesIO(data))
    assert seen.format == (FORMATS[wanted].says.upper() if wanted else "PNG") and seen.size == (64, 48)
    assert max(abs(a - b) for a, b in zip(seen.convert("RGB").tobytes(), picture().tobytes(), strict=True)) <= (3 if wanted else 0)
    if settings:
        assert inspect(data).request == REQUEST
        return
    assert PROMPT.encode() not in data and PROMPT.encode("utf-16-be") not in data
    with pytest.raises(UserError, match="no settings"):
        inspect(data)


def test_a_jpeg_holds_what_fits_and_is_white_where_nothing_was(tmp_path: Path) -> None:
    clear = picture("RGBA")
    clear.putalpha(0)
    saved = Outputs(tmp_path).save(clear, TextToImage(prompt="long " * 15_000), {})
    with saved.open("rb") as file:
        _, pieces = given_out(file, saved.name, "jpeg")
        data = b"".join(pieces)
    assert Image.open(io.BytesIO(data)).convert("RGB").getpixel((1, 1)) == (255, 255, 255) and source_in(data) == TRAINED
