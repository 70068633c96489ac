"""Files are found by their own names and folders, and by their content; what a page shows of a name decides nothing."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from models.files import ModelFile, ModelKind
from models.library.catalog import Catalog
from pipelines.prompts.tags import take_tags
from tests.support.library_files import SD1, Shapes, embedding, hypernetwork, lora, vae, write_file, write_starter

CONTROL: Shapes = {
    "control_model.input_hint_block.0.weight": (16, 3, 3, 3),
    "control_model.input_blocks.2.1.transformer_blocks.0.attn2.to_k.weight": (320, 768),
}
KINDS: dict[ModelKind, tuple[str, Shapes]] = {
    "lora": ("loras", lora()), "hypernetwork": ("hypernetworks", hypernetwork()), "embedding": ("embeddings", embedding()),
    "vae": ("vae", vae()), "controlnet": ("controlnet", CONTROL), "checkpoint": ("checkpoints", SD1),
}  # fmt: skip


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    return tmp_path / "mine"


@pytest.fixture
def catalog(tmp_path: Path, mine: Path) -> Catalog:
    return Catalog(write_starter(tmp_path / "starter"), [mine])


def put(mine: Path, *places: str, kind: ModelKind = "lora") -> None:
    """Files of that kind, each of other content."""
    folder, shapes = KINDS[kind]
    for place in places:
        write_file(mine / folder / f"{place}.safetensors", shapes, {"place": place.encode("utf-8", "replace").decode()})


def found(catalog: Catalog, name: str, kind: ModelKind = "lora") -> list[str]:
    return [f"{entry.path.parent.name}/{entry.path.name}" for entry in catalog.named(kind, name)]


def one(catalog: Catalog, name: str, kind: ModelKind = "lora") -> ModelFile:
    [entry] = catalog.named(kind, name)
    return entry


# ------------------------------------------------------------------------------------------------------------------ one name, two folders


@pytest.mark.parametrize("kind", KINDS)
def test_of_one_name_in_two_folders_the_folder_decides(catalog: Catalog, mine: Path, kind: ModelKind) -> None:
    put(mine, "people/glow", "style/glow", kind=kind)
    below = f"{KINDS[kind][0]}/style/glow"
    for name in ("style/glow", r"style\glow", "STYLE/Glow.safetensors", below, f"mine/{below}"):
        assert found(catalog, name, kind) == ["style/glow.safetensors"], name
        assert catalog.find(kind, name) == one(catalog, name, kind)
    for name in ("nowhere/glow", "style/people/glow", "../glow", "style/../people/glow", "/glow/", "ple/glow", ""):
        assert found(catalog, name, kind) == [], name
    assert found(catalog, "glow", kind) == ["people/glow.safetensors", "style/glow.safetensors"] and catalog.find(kind, "glow") is None


def test_two_of_one_name_are_told_apart_wherever_they_are_shown_or_written(catalog: Catalog, mine: Path) -> None:
    put(mine, "people/glow", "style/glow", "glow", "style/deep/glow", "other/style/glow", "alone/ink")
    called = {entry.called for entry in catalog.models("lora")}
    assert called == {"people/glow", "loras/glow", "loras/style/glow", "deep/glow", "other/style/glow", "ink"}
    for entry in catalog.models("lora"):
        assert catalog.named("lora", entry.called) == [entry] and entry.name == entry.called


def test_a_folder_that_is_written_whole_is_meant_before_one_that_ends_so(catalog: Catalog, mine: Path) -> None:
    put(mine, "style/glow", "old/style/glow")
    assert one(catalog, "style/glow").path.parent.parent.name == "loras"


def test_two_folders_of_models_are_told_apart_by_their_own_names(tmp_path: Path) -> None:
    put(tmp_path / "disk", "glow")
    put(tmp_path / "attic", "glow")
    catalog = Catalog(write_starter(tmp_path / "starter"), [tmp_path / "disk", tmp_path / "attic"])
    assert [entry.called for entry in catalog.models("lora")] == ["attic/loras/glow", "disk/loras/glow"]
    assert one(catalog, "disk/loras/glow").path.is_relative_to(tmp_path / "disk")
    assert catalog.named("lora", f"{tmp_path.name}/disk/loras/glow") == []  # where a folder of models lies is nobody's business


def test_a_link_to_a_folder_is_another_name_for_it(catalog: Catalog, mine: Path) -> None:
    put(mine, "real/glow", "style/glow")
    (mine / "loras" / "alias").symlink_to(mine / "loras" / "real")
    for name in ("alias/glow", "real/glow"):
        assert found(catalog, name) == ["real/glow.safetensors"], name


def test_files_that_all_have_one_name_go_by_their_folders(catalog: Catalog, mine: Path) -> None:
    put(mine, "a/lcm/pytorch_lora_weights", "b/lcm/pytorch_lora_weights", "tcd/pytorch_lora_weights")
    assert {entry.called for entry in catalog.models("lora")} == {"a/lcm", "b/lcm", "tcd"}
    assert one(catalog, "b/lcm").path.parent.parent.name == "b" and one(catalog, "tcd/pytorch_lora_weights") == one(catalog, "tcd")


def test_what_cannot_be_used_hides_nothing(catalog: Catalog, mine: Path) -> None:
    put(mine, "glow")
    (mine / "loras" / "glow.pt").write_bytes(b"PK\x03\x04" + bytes(100))
    (mine / "loras" / "old.pt").write_bytes(b"PK\x03\x04" + bytes(100))
    assert found(catalog, "glow") == ["loras/glow.safetensors"] and one(catalog, "glow").called == "glow"
    assert "pickle" in one(catalog, "old").problem and not one(catalog, "glow.pt").usable


def test_the_order_is_that_of_names_and_folders(tmp_path: Path) -> None:
    for root in ("z", "k", "a"):
        put(tmp_path / root / "models", "b/glow", "a/glow", "B/Glow")
        catalog = Catalog(write_starter(tmp_path / f"{root}-starter"), [tmp_path / root / "models"])
        assert [entry.called for entry in catalog.models("lora")] == ["Glow", "a/glow", "b/glow"]


# ------------------------------------------------------------------------------------------------------------------------ names themselves

ODD = (
    "soire\u0301e", "two  spaces", " around ", "n" * 200, "\u00e9" * 110, "line\nbreak", "bell\x07", "left\u202eright",
    "zero\u200bwidth", ".hidden", "..", "-rf", "a, b", "style: ink", "<lora:x:1>", "a+b=c", "v1.5",
    "v1.5.pt", "(brackets) [too]", r"back\slash", "1girl",
    "\N{ARTIST PALETTE}", "\N{WOMAN}\N{ZERO WIDTH JOINER}\N{ARTIST PALETTE}",
    "Stra\u00dfe", "\u0130stanbul", "deadbeef00",
    "a:0.5", "lbw=1,0", "\udcff\udcfe",
)  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_every_name_is_found_by_itself_and_by_what_is_to_be_written(catalog: Catalog, mine: Path, kind: ModelKind) -> None:
    put(mine, *ODD, kind=kind)
    entries = [entry for entry in catalog.models(kind) if entry.path.is_relative_to(mine)]
    assert sorted(entry.true_name for entry in entries) == sorted(ODD)
    for entry in entries:
        assert catalog.named(kind, entry.true_name) == [entry] == catalog.named(kind, entry.called) == catalog.named(kind, entry.path.name)
        _, [tag] = take_tags(f"x <lora:{entry.called}:0.5>")
        assert (catalog.named(kind, tag.name), tag.unet) == ([entry], 0.5)
        entry.called.encode()


def test_accents_are_the_same_in_both_forms_and_case_counts_only_between_files(catalog: Catalog, mine: Path) -> None:
    put(mine, "Cafe\u0301", "Ink", "ink")
    for name in ("caf\u00e9", "CAFE\u0301", "Caf\u00e9.safetensors"):
        assert found(catalog, name) == ["loras/Cafe\u0301.safetensors"], name
    assert (found(catalog, "Ink"), found(catalog, "ink")) == (["loras/Ink.safetensors"], ["loras/ink.safetensors"])
    assert len(found(catalog, "INK")) == 2 and {entry.called for entry in catalog.models("lora")} == {"Caf\u00e9", "Ink", "ink"}


def test_twins_that_differ_in_the_form_of_an_accent_are_told_apart(catalog: Catalog, mine: Path) -> None:
    put(mine, "caf\u00e9", "cafe\u0301")
    for entry in catalog.models("lora"):
        assert catalog.named("lora", entry.called) == [entry]


def test_what_is_shown_finds_nothing(catalog: Catalog, mine: Path) -> None:
    put(mine, "n" * 200, "two  spaces", "line\nbreak", "n" * 200 + "m")
    for shown in {"n" * 160, "two spaces", "line break", "unnamed"}:
        assert found(catalog, shown) == [], shown


def test_names_of_training_programs_come_last(catalog: Catalog, mine: Path) -> None:
    write_file(mine / "loras" / "renamed.safetensors", lora(), {"ss_output_name": "Ink Wash"})
    assert found(catalog, "ink wash") == ["loras/renamed.safetensors"] and found(catalog, "ink") == []
    put(mine, "ink wash")
    assert found(catalog, "Ink Wash") == ["loras/ink wash.safetensors"]


# -------------------------------------------------------------------------------------------------------------------------------- content


def digests(file: Path) -> tuple[str, str]:
    data = file.read_bytes()
    return hashlib.sha256(data).hexdigest(), hashlib.sha256(data[8 + int.from_bytes(data[:8], "little") :]).hexdigest()


def filled(file: Path, number: int) -> Path:
    """With numbers of its own in place of zeros."""
    write_file(file, lora(), {"place": file.stem})
    with file.open("r+b") as stream:
        stream.seek(-8, os.SEEK_END)
        stream.write(number.to_bytes(8, "little"))
    return file


def test_a_file_is_found_by_every_beginning_of_its_hashes_whatever_its_name(tmp_path: Path, mine: Path) -> None:
    starter = write_starter(tmp_path / "starter")
    files = [filled(mine / "loras" / place / "glow.safetensors", len(place)) for place in ("one", "three")]
    for file in files:
        for digest in digests(file):
            for length in (8, 10, 12, 64):
                catalog = Catalog(starter, [mine])
                for wanted in (digest[:length], digest[:length].upper(), f"0x{digest[:length]}"):
                    for entry in (catalog.by_hash("lora", wanted), catalog.find("lora", wanted)):
                        assert entry and entry.path == file, wanted
    catalog = Catalog(starter, [mine])
    for wanted in (digests(files[0])[0][:7], "0" * 10, "g" * 10, ""):
        assert catalog.by_hash("lora", wanted) is None
    assert catalog.by_hash("vae", digests(files[0])[0]) is None


def test_content_is_believed_before_what_a_file_claims(catalog: Catalog, mine: Path) -> None:
    whole = filled(mine / "loras" / "whole.safetensors", 1)
    claim = digests(whole)[1]
    write_file(mine / "loras" / "pruned.safetensors", lora(1024), {"sshs_model_hash": claim, "sshs_legacy_hash": "0badf00d"})
    assert getattr(catalog.by_hash("lora", "0badf00d"), "name", "") == "pruned"
    catalog.hash(next(entry.id for entry in catalog.models("lora") if entry.name == "whole"))
    assert getattr(catalog.by_hash("lora", claim[:12]), "name", "") == "whole"


def test_copies_count_as_one_and_a_change_ends_that(catalog: Catalog, mine: Path) -> None:
    for place in ("people", "style"):
        write_file(mine / "loras" / place / "glow.safetensors", lora())
    assert getattr(catalog.find("lora", "glow"), "called", "") == "people/glow"
    filled(mine / "loras" / "style" / "glow.safetensors", 1)
    catalog.rescan(wait=True)
    assert catalog.find("lora", "glow") is None


def test_both_hashes_outlive_a_restart(tmp_path: Path, mine: Path) -> None:
    starter, file = write_starter(tmp_path / "starter"), filled(mine / "loras" / "glow.safetensors", 3)
    catalog = Catalog(starter, [mine], tmp_path / "cache")
    catalog.hash(catalog.models("lora")[0].id)
    wanted = digests(file)
    status = file.stat()
    with file.open("r+b") as stream:  # other bytes that only a reader could notice
        stream.seek(-8, os.SEEK_END)
        stream.write(bytes(8))
    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))
    again = Catalog(starter, [mine], tmp_path / "cache")
    assert all(again.by_hash("lora", digest) for digest in wanted) and again.hash(again.models("lora")[0].id) == wanted[0]
