"""A picture's own files are found again by what is in them; another file of the same name is never taken in silence."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from models.library.catalog import Catalog
from models.library.contents import Contents
from pipelines.metadata.provenance import several
from pipelines.requests.request import LoraUse, TextToImage
from pipelines.resolving.rebind import Rebound, rebind
from tests.support.asked import drawing

LAYER = "lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn2_to_k"
STARTER = Path(__file__).parents[1] / "models" / "starter"


class Library:
    """A folder of LoRAs, by name."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "loras"
        self.folder.mkdir(parents=True)
        self.catalog = Catalog(STARTER, [folder])

    def put(self, name: str, number: int) -> str:
        """Writes the file anew and returns its id."""
        file = self.folder / f"{name}.safetensors"
        file.parent.mkdir(exist_ok=True)
        fill = np.full((4, 768), number, np.float32)
        save_file({f"{LAYER}.lora_down.weight": fill, f"{LAYER}.lora_up.weight": np.ones((320, 4), np.float32)}, file)
        self.catalog.rescan(wait=True)
        return next(entry.id for entry in self.catalog.models("lora") if entry.path == file)

    def again(self, uses: list[LoraUse], hashes: list[tuple[str, str]]) -> Rebound:
        return rebind(TextToImage(prompt="x", loras=tuple(uses)), several("Lora hashes", hashes), self.catalog)

    def names(self, found: Rebound) -> list[str]:
        return [self.catalog.model(use.id).true_name for use in drawing(found.request).loras]


@pytest.fixture
def library(tmp_path: Path) -> Library:
    return Library(tmp_path)


def test_another_file_under_the_same_id_is_found_out_and_the_right_one_is_taken(library: Library) -> None:
    use = LoraUse(id=library.put("ink", 1), name="ink")
    hashes = [("ink", library.catalog.hash(use.id))]
    library.put("ink", 2)
    other = library.again([use], hashes)
    assert library.names(other) == ["ink"]
    assert len(other.notes) == 1 and "ink" in other.notes[0] and "another file" in other.notes[0]
    library.put("moved away", 1)
    assert library.names(library.again([use], hashes)) == ["moved away"]
    assert library.again([use], hashes).notes == ()


def test_of_two_files_of_one_name_each_is_found_by_its_own_hash(library: Library) -> None:
    uses = [LoraUse(id=library.put(f"{place}/glow", number), name="glow") for number, place in enumerate(("people", "style"), 3)]
    hashes = [("glow", library.catalog.hash(use.id)) for use in uses]
    library.put("people/glow", 4)
    library.put("style/glow", 3)  # now the other way round
    found = library.again([uses[0], LoraUse(id="gone", name="glow"), uses[0]], hashes)
    assert [use.id for use in drawing(found.request).loras] == [uses[1].id, uses[0].id, uses[1].id]
    assert found.notes == ()


def test_what_has_no_strength_is_in_no_list_and_takes_nobody_s_hash(library: Library) -> None:
    idle = LoraUse(id="gone", name="ink", unet=0.0, text_encoder=0.0)
    use = LoraUse(id="gone too", name="ink")
    found = library.again([idle, use], [("ink", library.catalog.hash(library.put("renamed", 5)))])
    assert drawing(found.request).loras[0] == idle
    assert library.catalog.model(drawing(found.request).loras[1].id).true_name == "renamed"


def test_a_large_file_is_not_waited_for_and_known_the_next_time(library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    use = LoraUse(id=library.put("ink", 6), name="ink")
    gate, read = threading.Event(), Contents.of

    def slow(contents: Contents, entry: object) -> object:
        assert gate.wait(20)
        return read(contents, entry)  # pyright: ignore[reportArgumentType]

    monkeypatch.setattr(Contents, "of", slow)
    monkeypatch.setattr("pipelines.resolving.model_search.PATIENCE", 0.1)
    begun = time.monotonic()
    found = library.again([use], [("ink", "ab" * 6)])
    assert time.monotonic() - begun < 10
    assert library.names(found) == ["ink"] and "still being compared" in found.notes[0]
    gate.set()
    monkeypatch.setattr("pipelines.resolving.model_search.PATIENCE", 10)
    assert "another file" in library.again([use], [("ink", "ab" * 6)]).notes[0]


def test_a_touched_or_renamed_file_is_the_same(library: Library) -> None:
    use = LoraUse(id=library.put("ink", 7), name="ink")
    digest = library.catalog.hash(use.id)
    os.utime(library.folder / "ink.safetensors", (1, 1))
    library.catalog.rescan(wait=True)
    assert library.again([use], [("ink", digest)]).notes == ()
