"""What a request names is looked up before anything is loaded; what cannot go together is refused with its reason."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from models.errors import UserError
from models.files import Identity, ModelFile, ModelKind, Overrides
from models.library.catalog import Checkpoint
from pipelines.requests.request import OWN_VAE, HypernetworkUse, LoraUse, TextToImage
from pipelines.resolving.rebind import rebind
from pipelines.resolving.resolve import resolve
from tests.support.asked import drawing

pytestmark = pytest.mark.smoke


def entry(kind: ModelKind, name: str, family: str = "sd1", **more: Any) -> ModelFile:
    return ModelFile(f"id-{name}", name, Path(name), 1, 0.0, Identity(kind, family), **more)


def checkpoint(file: ModelFile) -> Checkpoint:
    family = file.identity.family
    return Checkpoint(
        id=file.id,
        name=file.name,
        family=family,
        native_size=512,
        folder=file.path,
        file=file,
        family_key=family,
        variant=file.identity.variant,
    )


@dataclass
class Shelf:
    """A library in a list."""

    entries: list[ModelFile] = field(default_factory=list)

    def models(self, kind: ModelKind | None = None) -> list[ModelFile]:
        return [item for item in self.entries if kind in (None, item.identity.kind)]

    def model(self, model_id: str) -> ModelFile:
        for item in self.entries:
            if item.id == model_id:
                return item
        raise UserError("This file is not in the models folders any more.")

    def checkpoint(self, checkpoint_id: str) -> Checkpoint:
        return checkpoint(self.model(checkpoint_id))

    def named(self, kind: ModelKind, name: str) -> list[ModelFile]:
        return [item for item in self.models(kind) if name.lower() in (item.true_name.lower(), item.called.lower())]

    def alike(self, entries: Sequence[ModelFile]) -> bool:
        return len({item.hash for item in entries}) == 1

    def find(self, kind: ModelKind, name: str) -> ModelFile | None:
        return next((item for item in self.models(kind) if item.name.lower() == name.lower() or item.hash[:8] == name[:8]), None)

    def holds(self, model_id: str, digest: str, seconds: float) -> bool:
        return bool(self.model(model_id).hash) and self.model(model_id).hash.startswith(digest)

    def by_hash_within(self, kind: ModelKind, digest: str, seconds: float) -> ModelFile | None:
        return next((item for item in self.models(kind) if self.holds(item.id, digest, seconds)), None)


@pytest.fixture
def shelf() -> Shelf:
    return Shelf([
        entry("checkpoint", "Dreams"),
        entry("checkpoint", "Large", "sdxl"),
        entry("checkpoint", "Finish", "sdxl-refiner"),
        entry("lora", "ink", hash="a1b2c3d4e5f6"),
        entry("lora", "large ink", "sdxl"),
        entry("hypernetwork", "swirl"),
        entry("vae", "warm"),
        entry("embedding", "snowynight"),
        entry("embedding", "large-word", "sdxl"),
    ])  # fmt: skip


def dreams(**values: Any) -> TextToImage:
    return TextToImage(checkpoint="id-Dreams", **values)


def test_a_request_that_names_nothing_else_stays_as_it_is(shelf: Shelf) -> None:
    request = dreams(prompt="a (red:1.2) house", steps=7, vae=OWN_VAE)
    assert resolve(request, shelf) == request
    assert resolve(replace(request, vae=""), shelf) == request


def test_a_tag_is_the_same_as_picking_the_lora(shelf: Shelf) -> None:
    typed = resolve(dreams(prompt="a house<lora:ink:0.5>"), shelf)
    picked = resolve(dreams(prompt="a house", loras=(LoraUse(id="id-ink", unet=0.5, text_encoder=0.5),)), shelf)
    assert typed == picked
    assert typed.loras[0].name == "ink"


def test_resolving_twice_changes_nothing(shelf: Shelf) -> None:
    once = resolve(dreams(prompt="snowynight <lora:ink:0.5> <hypernet:swirl:0.3>"), shelf)
    assert resolve(once, shelf) == once
    assert once.hypernetworks == (HypernetworkUse(id="id-swirl", name="swirl", strength=0.3),)


def test_a_lora_that_is_not_there_is_named(shelf: Shelf) -> None:
    with pytest.raises(UserError, match="missing"):
        resolve(dreams(prompt="<lora:missing:1>"), shelf)


@pytest.mark.parametrize("times", [17, 200])
def test_more_tags_than_can_act_are_refused(times: int, shelf: Shelf) -> None:
    with pytest.raises(UserError, match=r"16 is the most|more than 20"):
        resolve(dreams(prompt="<lora:ink:0.1>" * times), shelf)


@pytest.mark.parametrize("strength", [99.0, -99.0])
def test_strengths_are_kept_within_four(shelf: Shelf, strength: float) -> None:
    found = resolve(dreams(loras=(LoraUse(id="id-ink", unet=strength),)), shelf)
    assert abs(found.loras[0].unet) == 4


@pytest.mark.parametrize(
    "more", [{"prompt": "<lora:large ink:1>"}, {"loras": (LoraUse(id="id-large ink"),)}, {"vae": "id-ink"}, {"refiner": "id-Finish"}]
)
def test_what_does_not_fit_the_checkpoint_is_refused(shelf: Shelf, more: dict[str, Any]) -> None:
    with pytest.raises(UserError):
        resolve(dreams(**more), shelf)


def test_a_refiner_of_the_same_family_is_taken(shelf: Shelf) -> None:
    assert resolve(TextToImage(checkpoint="id-Large", refiner="id-Finish"), shelf).refiner == "id-Finish"


def two_called_glow(shelf: Shelf, kind: ModelKind, first: str, second: str) -> None:
    for place, family in (("people", first), ("style", second)):
        path = Path(place, "glow.safetensors")
        shelf.entries.append(replace(entry(kind, place, family), path=path, folders=(place,), tag=f"{place}/glow", hash=place))


def test_a_name_that_two_files_have_is_refused_with_what_to_write_instead(shelf: Shelf) -> None:
    two_called_glow(shelf, "lora", "sd1", "sd1")
    with pytest.raises(UserError, match="“people/glow”, “style/glow”"):
        resolve(dreams(prompt="<lora:glow:1>"), shelf)
    [chosen] = resolve(dreams(prompt="<lora:style/glow:1>"), shelf).loras
    assert (chosen.id, chosen.name) == ("id-style", "style/glow")


def test_of_two_files_of_one_name_the_one_that_fits_the_checkpoint_is_meant(shelf: Shelf) -> None:
    two_called_glow(shelf, "lora", "sdxl", "sd1")
    assert [use.id for use in resolve(dreams(prompt="<lora:glow:1>"), shelf).loras] == ["id-style"]
    large = TextToImage(checkpoint="id-Large", prompt="<lora:glow:1>")
    assert [use.id for use in resolve(large, shelf).loras] == ["id-people"]


def test_of_two_embeddings_of_one_name_the_folder_before_the_word_decides(shelf: Shelf) -> None:
    two_called_glow(shelf, "embedding", "sd1", "sd1")
    with pytest.raises(UserError, match="“people/glow”, “style/glow”"):
        resolve(dreams(prompt="a glow of red"), shelf)
    found = resolve(dreams(prompt="a style/glow of red", negative_prompt="people/glow, snowynight"), shelf).embeddings
    assert {use.id: use.word for use in found} == {
        "id-style": "style/glow", "id-people": "people/glow", "id-snowynight": "snowynight"
    }  # fmt: skip


def test_an_embedding_is_found_by_its_own_name_in_either_form_of_accents(shelf: Shelf) -> None:
    shelf.entries.append(entry("embedding", "soire\u0301e  de\u0301co"))
    for prompt in ("a soir\u00e9e  d\u00e9co", "a Soire\u0301e de\u0301co"):
        assert [use.word for use in resolve(dreams(prompt=prompt), shelf).embeddings] == ["soir\u00e9e  d\u00e9co"]


def test_a_damaged_file_says_why(shelf: Shelf) -> None:
    shelf.entries[3] = entry("lora", "ink", problem="“ink” is incomplete: 5 of 9 bytes. Download it again.")
    with pytest.raises(UserError, match="5 of 9 bytes"):
        resolve(dreams(prompt="<lora:ink:1>"), shelf)


@pytest.mark.parametrize(("prompt", "found"), [("a Snowynight scene", 1), ("snowynights", 0), ("(snowynight:1.3)", 1), ("large-word", 0)])
def test_an_embedding_acts_where_its_whole_name_stands(shelf: Shelf, prompt: str, found: int) -> None:
    assert len(resolve(dreams(prompt=prompt), shelf).embeddings) == found
    assert len(resolve(dreams(negative_prompt=prompt), shelf).embeddings) == found


def test_the_vae_that_was_chosen_for_a_checkpoint_is_its_own(shelf: Shelf) -> None:
    shelf.entries[0] = entry("checkpoint", "Dreams", overrides=Overrides(vae="id-warm"))
    assert resolve(dreams(), shelf).vae == "id-warm"
    shelf.entries[0] = entry("checkpoint", "Dreams", overrides=Overrides(vae="id-gone"))
    assert resolve(dreams(), shelf).vae == OWN_VAE


def test_settings_of_another_machine_find_their_files_by_hash_and_by_name(shelf: Shelf) -> None:
    uses = (LoraUse(id="there-1", name="renamed", unet=0.5), LoraUse(id="there-2", name="INK"), LoraUse(id="there-3", name="gone"))
    request = replace(dreams(), checkpoint="there-0", loras=uses, vae="there-4")
    made_with = {"Model": "dreams", "VAE": "Warm", "Lora hashes": "renamed: a1b2c3d4, gone: ffffffffffff"}
    found = rebind(request, made_with, shelf)
    assert (drawing(found.request).checkpoint, drawing(found.request).vae) == ("id-Dreams", "id-warm")
    assert [use.id for use in drawing(found.request).loras] == ["id-ink", "id-ink"]
    assert drawing(found.request).loras[0].unet == 0.5
    assert len(found.notes) == 1 and "gone" in found.notes[0]


def test_a_checkpoint_that_is_nowhere_becomes_the_starter_and_is_named(shelf: Shelf) -> None:
    found = rebind(replace(dreams(), checkpoint="elsewhere"), {"Model": "Marvellous"}, shelf)
    assert drawing(found.request).checkpoint == "starter"
    assert "Marvellous" in found.notes[0]
