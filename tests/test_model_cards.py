"""Cards of models: pictures and notes that lie beside a file as A1111 and its helpers leave them, and the picture that the owner chose."""

from __future__ import annotations

import io
import json
from collections.abc import Generator
from pathlib import Path

import pytest
from PIL import Image

from models.errors import UserError
from models.files import ModelFile
from models.library.catalog import Catalog
from pipelines.services.model_cards import ModelCards
from tests.support.toys import toy_model_folder


def picture(colour: str, kind: str = "png") -> bytes:
    stream = io.BytesIO()
    Image.new("RGB", (640, 480), colour).save(stream, kind)
    return stream.getvalue()


def colour_of(data: bytes) -> str:
    """The channel that is strongest."""
    with Image.open(io.BytesIO(data)) as image:
        assert image.size == (320, 240)
        pixel = image.convert("RGB").getpixel((9, 9))
    assert isinstance(pixel, tuple)
    return ["red", "green", "blue"][pixel.index(max(pixel))]


@pytest.fixture
def catalog(tmp_path: Path) -> Generator[Catalog]:
    models = tmp_path / "models" / "lora"
    models.mkdir(parents=True)
    header = json.dumps(
        {"__metadata__": {"trigger_phrase": "inked"}, "lora_unet_x.alpha": {"dtype": "F32", "shape": [], "data_offsets": [0, 4]}}
    )
    (models / "ink.v1.safetensors").write_bytes(len(header).to_bytes(8, "little") + header.encode() + bytes(4))
    made = Catalog(toy_model_folder(tmp_path / "toy"), [tmp_path / "models"])
    made.rescan(wait=True)
    yield made


@pytest.fixture
def ink(catalog: Catalog) -> ModelFile:
    return next(entry for entry in catalog.models() if entry.path.name == "ink.v1.safetensors")


def look(catalog: Catalog, tmp_path: Path) -> ModelCards:
    """One that has not looked yet."""
    return ModelCards(catalog, tmp_path / "kept")


def test_the_preview_counts_before_a_plain_picture_and_a_chosen_one_before_both(catalog: Catalog, ink: ModelFile, tmp_path: Path) -> None:
    cards = look(catalog, tmp_path)
    assert cards.card(ink).picture == ""
    with pytest.raises(UserError, match="no picture"):
        cards.picture(ink.id)
    marks = set[str]()
    for name, colour in (("ink.v1.webp", "blue"), ("ink.v1.png", "green"), ("ink.v1.preview.jpeg", "red")):
        (ink.path.parent / name).write_bytes(picture(colour, name.rpartition(".")[2]))
        marks.add(look(catalog, tmp_path).card(ink).picture)
        assert colour_of(cards.picture(ink.id)) == colour
    assert len(marks) == 3
    cards.set_picture(ink.id, picture("blue"))
    assert colour_of(cards.picture(ink.id)) == "blue" and cards.card(ink).picture not in marks
    assert sorted(path.name for path in ink.path.parent.iterdir() if path.suffix == ".webp") == ["ink.v1.webp"]  # nothing is written there
    cards.set_picture(ink.id, b"")
    assert colour_of(cards.picture(ink.id)) == "red"


def test_what_is_no_picture_is_refused_or_passed_over(catalog: Catalog, ink: ModelFile, tmp_path: Path) -> None:
    cards = look(catalog, tmp_path)
    with pytest.raises(UserError):
        cards.set_picture(ink.id, b"no picture")
    with pytest.raises(UserError, match="not in the models folders"):
        cards.set_picture("../../etc/passwd", picture("red"))
    (ink.path.parent / "ink.v1.png").write_bytes(b"no picture")
    with pytest.raises(UserError):
        cards.picture(ink.id)


def test_words_and_strength_come_from_the_notes_of_a1111_and_of_civitai(catalog: Catalog, ink: ModelFile, tmp_path: Path) -> None:
    assert look(catalog, tmp_path).words(ink) == ("inked",)
    (ink.path.parent / "ink.v1.json").write_text(
        json.dumps({"activation text": "inked, pen\u202e lines", "preferred weight": 0.7}), "utf-8-sig"
    )
    (ink.path.parent / "ink.v1.civitai.info").write_text(json.dumps({"trainedWords": ["brush, wash", 7]}), "utf-8")
    cards = look(catalog, tmp_path)
    assert cards.words(ink) == ("inked", "pen lines", "brush", "wash") and cards.card(ink).strength == 0.7


@pytest.mark.parametrize(
    "note", ["", "[" * 100_000, "[1]", '{"activation text": 7, "preferred weight": "much"}', '{"preferred weight": 0}']
)
def test_a_note_that_cannot_be_read_says_nothing(catalog: Catalog, ink: ModelFile, tmp_path: Path, note: str) -> None:
    (ink.path.parent / "ink.v1.json").write_text(note, "utf-8")
    cards = look(catalog, tmp_path)
    assert cards.words(ink) == ("inked",) and cards.card(ink).strength is None
