"""What the catalogue finds on disk, by headers and small files alone."""

from __future__ import annotations

import hashlib
import os
import shutil
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from models.errors import UserError
from models.files import Overrides
from models.library.catalog import STARTER, Catalog
from models.library.listing import FolderToScan, Listing, list_folder
from models.library.matching import spellings
from models.library.passes import Passes
from models.library.scan import Scan
from models.library.timeouts import Silent, TimeLimit
from tests.support.library_files import SD1, embedding, hypernetwork, lora, vae, write_file, write_folder, write_starter
from tests.support.toys import FAR_TOO_LONG, wait_until


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    return tmp_path / "mine"


@pytest.fixture
def starter(tmp_path: Path) -> Path:
    return write_starter(tmp_path / "starter")


@pytest.fixture
def catalog(starter: Path, mine: Path) -> Catalog:
    return Catalog(starter, [mine])


def names(catalog: Catalog, kind: str | None = None) -> list[str]:
    return [entry.name for entry in catalog.models(kind)]  # type: ignore[arg-type]


# ------------------------------------------------------------------------------------------------ what is there


def test_the_starter_comes_first_with_its_words_and_examples(catalog: Catalog) -> None:
    [starter] = catalog.checkpoints()
    assert (starter.id, starter.native_size, starter.family_key, starter.width) == (STARTER, 128, "sd1", 160)
    assert starter.known_words == {"red", "house"} and starter.examples == ("a red house",) and starter.defaults == {"steps": 20}
    assert starter.file.id == STARTER and starter.file.size > 0


def test_the_starter_is_there_before_any_folder_has_been_looked_at(starter: Path, mine: Path) -> None:
    assert Catalog(starter, [mine]).checkpoint(STARTER).name == "Starter"


def test_the_starter_brings_files_of_its_own_but_not_its_parts(starter: Path) -> None:
    write_file(starter / "loras" / "ink.safetensors", lora(160))
    write_file(starter / "vae" / "warm.safetensors", vae(96))
    write_file(starter / "embeddings" / "snowy.safetensors", embedding(160))
    assert names(Catalog(starter)) == ["Starter", "ink", "snowy", "warm"]


def test_a_folder_that_is_added_appears_without_a_restart(catalog: Catalog, mine: Path) -> None:
    assert len(catalog.checkpoints()) == 1
    write_folder(mine / "checkpoints" / "Dreams")
    entry = catalog.checkpoints()[1]
    assert (entry.name, entry.native_size, entry.known_words) == ("Dreams", 768, None)
    assert catalog.checkpoint(entry.id) == entry


def test_a_file_that_is_added_appears_and_one_that_is_removed_goes(catalog: Catalog, mine: Path) -> None:
    write_file(mine / "checkpoints" / "photo.safetensors", SD1)
    [_, entry] = catalog.checkpoints()
    assert (entry.name, entry.family_key, entry.native_size, entry.prediction_type) == ("photo", "sd1", 512, "epsilon")
    assert entry.tokenizer.is_dir()
    before = catalog.version
    (mine / "checkpoints" / "photo.safetensors").unlink()
    assert len(catalog.checkpoints()) == 1 and catalog.version > before
    with pytest.raises(UserError, match="any more"):
        catalog.model(entry.id)


def test_nothing_new_means_no_new_version(catalog: Catalog, mine: Path) -> None:
    write_file(mine / "loras" / "ink.safetensors", lora())
    catalog.models()
    before = catalog.version
    catalog.rescan(wait=True)
    catalog.models()
    assert catalog.version == before


def test_an_id_says_nothing_of_the_disk(catalog: Catalog, mine: Path, tmp_path: Path) -> None:
    write_folder(mine / "checkpoints" / "Dreams")
    assert str(tmp_path) not in catalog.checkpoints()[1].id and "Dreams" not in catalog.checkpoints()[1].id


@pytest.mark.parametrize("name", ["", "starter/../starter", "../mine", "Dreams"])
def test_only_ids_name_a_checkpoint(catalog: Catalog, mine: Path, name: str) -> None:
    write_folder(mine / "checkpoints" / "Dreams")
    with pytest.raises(UserError):
        catalog.checkpoint(name)


def test_a_lora_cannot_be_asked_for_as_a_checkpoint(catalog: Catalog, mine: Path) -> None:
    write_file(mine / "loras" / "ink.safetensors", lora())
    with pytest.raises(UserError, match="not a model that draws"):
        catalog.checkpoint(catalog.models("lora")[0].id)


LAYOUTS = {
    "its own": ("checkpoints", "vae", "loras", "embeddings", "hypernetworks"),
    "AUTOMATIC1111": ("models/Stable-diffusion", "models/VAE", "models/Lora", "embeddings", "models/hypernetworks"),
    "ComfyUI": ("models/checkpoints", "models/vae", "models/loras", "models/embeddings", "models/hypernetworks"),
    "ComfyUI's models alone": ("checkpoints/sd15", "vae", "loras/styles/ink", "embeddings", "hypernetworks"),
    "InvokeAI 3": ("models/sd-1/main", "models/sd-1/vae", "models/sd-1/lora", "models/sd-1/embedding", "models/any/hypernetwork"),
    "InvokeAI 6": tuple(f"models/0c5f2f43-0000-4000-8000-00000000000{number}" for number in range(5)),
    "no order at all": (".", ".", ".", ".", "."),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_folders_of_other_programs_are_understood(catalog: Catalog, mine: Path, layout: str) -> None:
    kinds = {"checkpoint": SD1, "vae": vae(), "lora": lora(), "embedding": embedding(), "hypernetwork": hypernetwork()}
    for folder, (kind, shapes) in zip(LAYOUTS[layout], kinds.items(), strict=True):
        write_file(mine / folder / f"my {kind}.safetensors", shapes)
    found = {entry.identity.kind: entry.name for entry in catalog.models() if entry.id != STARTER}
    assert found == {kind: f"my {kind}" for kind in kinds}


def test_the_rest_of_a_program_is_passed_by(catalog: Catalog, mine: Path) -> None:
    write_file(mine / "models" / "Lora" / "ink.safetensors", lora())
    write_file(mine / "venv" / "lib" / "test.safetensors", lora())
    write_file(mine / "models" / "VAE-approx" / "tiny.safetensors", vae())
    write_file(mine / ".git" / "hidden.safetensors", lora())
    assert names(catalog, "lora") == ["ink"] and names(catalog, "vae") == []


def test_the_header_decides_and_not_the_folder(catalog: Catalog, mine: Path) -> None:
    write_file(mine / "checkpoints" / "stray.safetensors", lora())
    assert names(catalog, "lora") == ["stray"]


def test_files_that_all_have_the_same_name_are_called_after_their_folder(catalog: Catalog, mine: Path) -> None:
    write_file(mine / "loras" / "lcm" / "pytorch_lora_weights.safetensors", lora())
    assert names(catalog, "lora") == ["lcm"]


def test_folders_for_other_uses_are_listed_and_said_to_be_so(catalog: Catalog, mine: Path) -> None:
    write_folder(mine / "checkpoints" / "fill", in_channels=9)
    write_folder(mine / "checkpoints" / "code", odd={"unet": ["os", "system"]})
    vision = {"image_encoder": ["transformers", "CLIPVisionModelWithProjection"], "text_encoder": [None, None]}
    write_folder(mine / "checkpoints" / "video", odd={"_class_name": "StableVideoDiffusionPipeline", **vision})
    (mine / "checkpoints" / "broken").mkdir()
    (mine / "checkpoints" / "broken" / "model_index.json").write_text("not json")
    assert [(entry.name, entry.variant) for entry in catalog.checkpoints()] == [("Starter", ""), ("fill", "inpaint"), ("video", "")]
    unusable = {entry.name: entry.identity.note for entry in catalog.models("checkpoint") if not entry.usable}
    assert unusable.keys() == {"broken", "code"} and all(unusable.values())
    with pytest.raises(UserError, match=r"."):
        catalog.checkpoint(next(entry.id for entry in catalog.models() if entry.name == "code"))


def test_a_link_under_another_name_is_an_entry_of_its_own_and_one_under_the_same_is_not(starter: Path, mine: Path) -> None:
    file = write_file(mine / "loras" / "ink.safetensors", lora())
    (mine / "loras" / "brush.safetensors").symlink_to(file)
    (mine / "more").mkdir()
    (mine / "more" / "ink.safetensors").symlink_to(file)
    catalog = Catalog(starter, [mine])
    assert names(catalog, "lora") == ["brush", "ink"]
    assert all(catalog.model(entry.id).path.stem == entry.name for entry in catalog.models("lora"))
    assert {spelling for entry in catalog.models("lora") for spelling in spellings(entry)} >= {"ink", "loras/ink", "more/ink", "brush"}


def test_a_tree_that_contains_itself_and_is_named_twice_is_listed_once(starter: Path, mine: Path) -> None:
    write_file(mine / "loras" / "ink.safetensors", lora())
    (mine / "loras" / "again").symlink_to(mine)
    assert names(Catalog(starter, [mine, mine / "loras", mine]), "lora") == ["ink"]


# ------------------------------------------------------------------------------------------------ what is wrong


def test_what_is_wrong_is_said_and_nothing_else_is_affected(catalog: Catalog, mine: Path) -> None:
    folder = mine / "loras"
    write_file(folder / "whole.safetensors", lora())
    cut = write_file(folder / "cut.safetensors", lora())
    os.truncate(cut, cut.stat().st_size - 1)
    (folder / "page.safetensors").write_bytes(b"<!DOCTYPE html><html>log in</html>")
    (folder / "pointer.safetensors").write_bytes(b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 4\n")
    (folder / "old.pt").write_bytes(b"PK\x03\x04" + bytes(100))
    (folder / "nothing.safetensors").touch()
    problems = {entry.name: entry.problem for entry in catalog.models("lora")}
    for name, word in (("cut", "incomplete"), ("page", "web page"), ("pointer", "git-lfs"), ("old", "pickle"), ("nothing", "empty")):
        assert word in problems[name]
    assert problems["whole"] == "" and not any(str(mine) in problem for problem in problems.values())


def test_a_file_that_is_being_copied_becomes_whole_by_itself(catalog: Catalog, mine: Path) -> None:
    file = write_file(mine / "loras" / "ink.safetensors", lora())
    size = file.stat().st_size
    os.truncate(file, size // 2)
    os.utime(mine / "loras", (1, 1))
    assert "incomplete" in catalog.models("lora")[0].problem
    os.truncate(file, size)
    os.utime(mine / "loras", (1, 1))  # as if nothing had happened to the folder
    assert catalog.models("lora")[0].usable


def test_a_vae_of_another_scale_is_refused_with_its_reason(catalog: Catalog, mine: Path) -> None:
    write_file(mine / "vae" / "four.safetensors", vae(levels=3))
    write_file(mine / "vae" / "sixteen.safetensors", vae(latents=16))
    notes = {entry.name: entry.identity.note for entry in catalog.models("vae")}
    assert "4 pixels" in notes["four"] and "16" in notes["sixteen"]
    assert not any(entry.usable for entry in catalog.models("vae"))


ODD_NAMES = ["x" * 240, "\N{ARTIST PALETTE}\N{SNOWFLAKE}", "line\nbreak", "-rf", "CON", "dot. ", "left\N{RIGHT-TO-LEFT OVERRIDE}right",
             '"><img src=x onerror=alert(1)>', "quote'; drop table files; --"]  # fmt: skip


@pytest.mark.parametrize("name", ODD_NAMES)
def test_odd_names_are_listed_on_one_line_and_chosen_by_id(catalog: Catalog, mine: Path, name: str) -> None:
    write_file(mine / "loras" / f"{name}.safetensors", lora())
    [entry] = catalog.models("lora")
    assert entry.name.isprintable() and 0 < len(entry.name) <= 160
    assert catalog.model(entry.id) == entry and entry.usable


def test_a_name_that_is_no_text_is_listed_too_and_survives_a_restart(starter: Path, mine: Path, tmp_path: Path) -> None:
    (mine / "loras").mkdir(parents=True)
    whole = write_file(tmp_path / "ink.safetensors", lora())
    os.rename(os.fsencode(whole), os.fsencode(mine / "loras") + b"/\xff\xfe.safetensors")
    for _ in range(2):
        [entry] = Catalog(starter, [mine], tmp_path / "cache").models("lora")
        entry.name.encode()
        assert entry.usable


def test_metadata_are_bounded_and_trigger_words_are_found(catalog: Catalog, mine: Path) -> None:
    metadata = {"modelspec.title": "Ink\x00 on\n\N{RIGHT-TO-LEFT OVERRIDE}paper", "modelspec.trigger_phrase": "inkwash"}
    write_file(mine / "loras" / "ink.safetensors", lora(), {**metadata, **{f"key {number}": "y" * 5000 for number in range(500)}})
    [entry] = catalog.models("lora")
    assert entry.words == ("inkwash",) and entry.metadata["modelspec.title"] == "Ink  on\n paper"
    assert sum(len(value) for value in entry.metadata.values()) <= 16_000


# ------------------------------------------------------------------------------------------------ what hangs


def test_pipes_are_not_waited_for(catalog: Catalog, mine: Path) -> None:
    write_file(mine / "loras" / "ink.safetensors", lora())
    os.mkfifo(mine / "loras" / "hangs.safetensors")
    (mine / "loras" / "nowhere.safetensors").symlink_to(mine / "gone")
    assert names(catalog, "lora") == ["ink"]


def test_work_that_never_answers_is_left_alone_and_tried_again_once_it_has() -> None:
    gate, patience = threading.Event(), TimeLimit(0.05)

    def hangs() -> list[int]:
        gate.wait(FAR_TOO_LONG)
        return [1]

    for _ in range(2):  # the second time there is nothing to wait for: it still hangs
        with pytest.raises(Silent):
            list(patience("mount", hangs))
    assert list(patience("another", lambda: [2])) == [2]
    gate.set()
    patience._left["mount"].join(FAR_TOO_LONG)
    assert list(patience("mount", hangs)) == [1]


class HangsAt(TimeLimit):
    """As if one folder were on a mount that is gone."""

    def __init__(self, folder: Path) -> None:
        super().__init__(FAR_TOO_LONG)
        self._folder = folder

    def __call__(self, name, work):  # noqa: ANN001, ANN204
        if name == self._folder:
            raise Silent
        return super().__call__(name, work)


def test_a_folder_that_never_answers_is_named_and_the_others_are_read(starter: Path, mine: Path) -> None:
    write_file(mine / "loras" / "ink.safetensors", lora())
    write_file(mine / "embeddings" / "cat.safetensors", embedding())
    scan = Scan([mine], starter, lambda path, mark: None, HangsAt(mine / "embeddings"))
    assert [found.file.name for found, _ in scan.run()] == ["ink"]
    [note] = scan.notes
    assert "“embeddings” does not answer" in note


def test_a_folder_that_hangs_holds_up_nobody_and_comes_back_by_itself(starter: Path, mine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_file(mine / "loras" / "ink.safetensors", lora())
    write_file(mine / "embeddings" / "cat.safetensors", embedding())
    mounted = threading.Event()

    def slow(place: FolderToScan) -> Listing:
        if place.path.name == "embeddings":
            mounted.wait(FAR_TOO_LONG)
        return list_folder(place)

    monkeypatch.setattr("models.library.scan.list_folder", slow)
    monkeypatch.setattr("models.library.passes.SILENCE", 0.2)
    catalog = Catalog(starter, [mine])
    assert [entry.name for entry in catalog.models() if entry.id != STARTER] == ["ink"]
    assert "“embeddings” does not answer" in catalog.notes[0]
    mounted.set()
    wait_until(lambda: names(catalog, "embedding") == ["cat"])
    wait_until(lambda: catalog.models() and not catalog.notes)


def test_a_folder_that_is_not_there_yet_is_found_when_it_comes(catalog: Catalog, mine: Path, tmp_path: Path) -> None:
    assert names(catalog, "lora") == []
    write_file(tmp_path / "elsewhere" / "loras" / "ink.safetensors", lora())
    (tmp_path / "elsewhere").rename(mine)
    assert names(catalog, "lora") == ["ink"]


# ------------------------------------------------------------------------------------------------ what is remembered


def overwrite_unseen(file: Path) -> None:
    """Other bytes in the same place, with the same size, time and inode: only who reads the file can tell."""
    status = file.stat()
    with file.open("r+b") as stream:
        stream.write(b"<html>")
    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))


def test_a_second_start_reads_no_file_again(starter: Path, mine: Path, tmp_path: Path) -> None:
    file = write_file(mine / "loras" / "ink.safetensors", lora(), {"modelspec.trigger_phrase": "inkwash"})
    before = Catalog(starter, [mine], tmp_path / "cache").models()
    overwrite_unseen(file)
    assert Catalog(starter, [mine], tmp_path / "cache").models() == before
    assert "web page" in Catalog(starter, [mine]).models("lora")[0].problem


def test_a_file_that_has_changed_is_read_again(starter: Path, mine: Path, tmp_path: Path) -> None:
    write_file(mine / "loras" / "ink.safetensors", lora())
    Catalog(starter, [mine], tmp_path / "cache").models()
    write_file(mine / "loras" / "ink.safetensors", lora(1024))
    assert Catalog(starter, [mine], tmp_path / "cache").models("lora")[0].identity.family == "sd2"


@pytest.mark.parametrize("damage", ["an index of noise", "an index that is a folder", "a cache that is a file"])
def test_without_a_usable_index_everything_is_read_anew(starter: Path, mine: Path, tmp_path: Path, damage: str) -> None:
    write_file(mine / "loras" / "ink.safetensors", lora())
    cache = tmp_path / "cache"
    if damage == "a cache that is a file":
        cache.touch()
    else:
        cache.mkdir()
        (cache / "models.db").mkdir() if "folder" in damage else (cache / "models.db").write_bytes(bytes(range(256)) * 20)
    assert names(Catalog(starter, [mine], cache), "lora") == ["ink"]


def test_a_hash_is_that_of_the_bytes_and_outlives_a_restart_and_a_new_name(starter: Path, mine: Path, tmp_path: Path) -> None:
    file = write_file(mine / "loras" / "ink.safetensors", lora())
    catalog = Catalog(starter, [mine], tmp_path / "cache")
    entry = catalog.models("lora")[0]
    assert entry.hash == "" and catalog.hash(entry.id) == hashlib.sha256(file.read_bytes()).hexdigest()
    assert catalog.model(entry.id).hash == catalog.hash(entry.id)
    file.rename(file.with_name("pen.safetensors"))
    [renamed] = Catalog(starter, [mine], tmp_path / "cache").models("lora")
    assert (renamed.name, renamed.hash) == ("pen", hashlib.sha256(renamed.path.read_bytes()).hexdigest())


def test_a_changed_file_has_another_hash(catalog: Catalog, mine: Path) -> None:
    file = write_file(mine / "loras" / "ink.safetensors", lora())
    entry = catalog.models("lora")[0]
    before = catalog.hash(entry.id)
    write_file(file, lora(1024))
    assert catalog.hash(entry.id) != before


def test_a_folder_is_named_by_the_hash_of_its_unet(catalog: Catalog, mine: Path) -> None:
    folder = write_folder(mine / "checkpoints" / "Dreams")
    weights = folder / "unet" / "diffusion_pytorch_model.safetensors"
    assert catalog.hash(catalog.checkpoints()[1].id) == hashlib.sha256(weights.read_bytes()).hexdigest()


def test_the_hash_of_a_file_that_is_gone_is_refused_in_words(catalog: Catalog, mine: Path) -> None:
    file = write_file(mine / "loras" / "ink.safetensors", lora())
    entry = catalog.models("lora")[0]
    file.unlink()
    with pytest.raises(UserError, match="ink"):
        catalog.hash(entry.id)


# ------------------------------------------------------------------------------------------------ what people decide

DECIDED = Overrides(prediction_type="v_prediction", zero_terminal_snr=True, variant="turbo", defaults={"steps": 4}, note="mine")


def test_a_decision_changes_the_checkpoint_and_outlives_a_restart(starter: Path, mine: Path, tmp_path: Path) -> None:
    write_file(mine / "checkpoints" / "photo.safetensors", SD1)
    catalog = Catalog(starter, [mine], tmp_path / "cache")
    found = catalog.checkpoints()[1]
    before = catalog.version
    catalog.override(found.id, DECIDED)
    assert catalog.version > before
    for again in (catalog, Catalog(starter, [mine], tmp_path / "cache")):
        entry = again.checkpoint(found.id) if again is catalog else again.checkpoints()[1]
        assert (entry.prediction_type, entry.zero_terminal_snr, entry.variant) == ("v_prediction", True, "turbo")
        assert entry.defaults == {"steps": 4, "guidance_scale": 1.0, "sampler": "Euler", "schedule": "SGM Uniform"}, (
            "the rest as turbo has it"
        )
        assert entry.file.overrides == DECIDED
    catalog.override(found.id, Overrides())
    assert catalog.checkpoint(found.id) == replace(found, file=catalog.model(found.id))


def test_a_decision_follows_the_content_and_not_the_name(starter: Path, mine: Path, tmp_path: Path) -> None:
    file = write_file(mine / "loras" / "ink.safetensors", lora())
    catalog = Catalog(starter, [mine], tmp_path / "cache")
    catalog.override(catalog.models("lora")[0].id, DECIDED)
    catalog.hash(catalog.models("lora")[0].id)
    shutil.copyfile(file, mine / "loras" / "copy.safetensors")  # the same bytes, another file
    write_file(file, lora(1024))  # another content under the old name
    again = Catalog(starter, [mine], tmp_path / "cache")
    for entry in again.models("lora"):
        again.hash(entry.id)
    assert {entry.name: entry.overrides for entry in again.models("lora")} == {"copy": DECIDED, "ink": Overrides()}


def test_a_book_of_decisions_that_cannot_be_read_is_no_reason_to_stop(starter: Path, mine: Path, tmp_path: Path) -> None:
    write_file(mine / "loras" / "ink.safetensors", lora())
    (tmp_path / "cache").mkdir()
    for text in ("{", "[1]", '{"key": {"vae": 3}}', '{"key": {"__class__": "os"}}'):
        (tmp_path / "cache" / "overrides.json").write_text(text)
        assert Catalog(starter, [mine], tmp_path / "cache").models("lora")[0].overrides == Overrides()


# ------------------------------------------------------------------------------------------------ many at once


def test_many_threads_see_one_table(catalog: Catalog, mine: Path) -> None:
    for number in range(30):
        write_file(mine / "loras" / f"{number}.safetensors", lora())
    seen: list[int] = []
    threads = [threading.Thread(target=lambda: seen.append(len(catalog.models("lora")))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(FAR_TOO_LONG)
    assert seen == [30] * 8


def test_what_the_first_look_has_not_found_yet_is_not_said_to_be_gone(starter: Path, mine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gate, gather = threading.Event(), Passes._gather
    monkeypatch.setattr("models.library.passes.FIRST_WAIT", 0.05)
    monkeypatch.setattr(Passes, "_gather", lambda self, scan: gate.wait(30) and gather(self, scan))
    catalog = Catalog(starter, [mine])
    for ask in (catalog.model, catalog.checkpoint):
        with pytest.raises(UserError, match="still being read"):
            ask("an upscaler")
    gate.set()
    catalog.rescan(wait=True)
    with pytest.raises(UserError, match="any more"):
        catalog.model("an upscaler")
