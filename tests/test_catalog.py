"""What the catalogue finds on disk, by small files alone."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from models.catalog import STARTER, Catalog
from models.errors import UserError
from tests.toys import toy_model_folder


def a_model(folder: Path, in_channels: int = 4, second_encoder: bool = False) -> Path:
    for part in ("unet", "tokenizer", *(["text_encoder_2"] if second_encoder else [])):
        (folder / part).mkdir(parents=True)
    (folder / "unet" / "config.json").write_text(json.dumps({"in_channels": in_channels, "sample_size": 96}))
    (folder / "model_index.json").write_text(json.dumps({"_class_name": "StableDiffusionPipeline", "text_encoder": ["a", "b"]}))
    return folder


@pytest.fixture
def catalog(tmp_path: Path) -> Catalog:
    return Catalog(toy_model_folder(tmp_path / "starter"), [tmp_path / "mine"])


def test_the_starter_comes_first_with_its_words_and_examples(catalog: Catalog) -> None:
    [starter] = catalog.checkpoints()
    assert (starter.id, starter.native_size) == (STARTER, 128)
    assert starter.known_words and "house" in starter.known_words and starter.examples


def test_a_folder_that_is_added_appears_without_a_restart(catalog: Catalog, tmp_path: Path) -> None:
    assert len(catalog.checkpoints()) == 1
    a_model(tmp_path / "mine" / "checkpoints" / "Dreams")
    entry = catalog.checkpoints()[1]
    assert (entry.name, entry.native_size, entry.known_words) == ("Dreams", 768, None)
    assert catalog.checkpoint(entry.id) == entry


def test_an_id_says_nothing_of_the_disk(catalog: Catalog, tmp_path: Path) -> None:
    a_model(tmp_path / "mine" / "checkpoints" / "Dreams")
    assert str(tmp_path) not in catalog.checkpoints()[1].id and "Dreams" not in catalog.checkpoints()[1].id


def test_models_of_other_kinds_are_left_out(catalog: Catalog, tmp_path: Path) -> None:
    a_model(tmp_path / "mine" / "checkpoints" / "inpainting", in_channels=9)
    a_model(tmp_path / "mine" / "checkpoints" / "xl", second_encoder=True)
    (tmp_path / "mine" / "checkpoints" / "broken").mkdir()
    (tmp_path / "mine" / "checkpoints" / "broken" / "model_index.json").write_text("not json")
    assert len(catalog.checkpoints()) == 1


@pytest.mark.parametrize("name", ["", "starter/../starter", "../mine", "Dreams"])
def test_only_ids_name_a_checkpoint(catalog: Catalog, tmp_path: Path, name: str) -> None:
    a_model(tmp_path / "mine" / "checkpoints" / "Dreams")
    with pytest.raises(UserError):
        catalog.checkpoint(name)
