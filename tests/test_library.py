"""The library as the page uses it: downloads that end on the shelf, conversion, overrides and hashes in the background."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

import pytest

from models.errors import UserError
from models.files import Overrides
from models.library.catalog import STARTER, Catalog
from pipelines.services.library import Library
from tests.support.hub_server import FILE, REPO, Hub, hub
from tests.support.library_files import lora, write_file, write_starter
from tests.support.toys import wait_until

__all__ = ["hub"]  # the fixture


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    return tmp_path / "weights"


@pytest.fixture
def catalog(tmp_path: Path, weights: Path) -> Catalog:
    return Catalog(write_starter(tmp_path / "starter"), [weights], tmp_path / "cache")


@pytest.fixture
def library(catalog: Catalog, weights: Path, hub: Hub, tmp_path: Path) -> Library:
    hub.content = write_file(tmp_path / "served" / "oils.safetensors", lora()).read_bytes()
    hub.linked = hashlib.sha256(hub.content).hexdigest()
    return Library(catalog, weights, hub.address)


def ended(library: Library) -> bool:
    return all(download.ended for download in library.downloads())


def test_a_download_ends_in_the_folder_of_its_kind_and_on_the_shelf(library: Library, hub: Hub, weights: Path) -> None:
    before = library.version
    download_id = library.download(REPO, FILE, "lora")
    wait_until(lambda: ended(library) and library.models("lora"))
    [download] = library.downloads()
    assert (download.id, download.name, download.state, download.message) == (download_id, "oils.safetensors", "done", "")
    assert download.done == download.total == len(hub.content)
    [entry] = library.models("lora")
    assert (entry.name, entry.path) == ("oils", weights / "loras" / "oils.safetensors") and library.version > before


def test_files_of_one_name_go_to_two_folders_at_once(library: Library, hub: Hub, weights: Path) -> None:
    hub.pause.clear()
    library.download(REPO, FILE, "lora")
    library.download(REPO, FILE, "embedding")
    hub.pause.set()
    wait_until(lambda: ended(library))
    assert [download.state for download in library.downloads()] == ["done", "done"]
    assert all((weights / folder / "oils.safetensors").read_bytes() == hub.content for folder in ("loras", "embeddings"))


def test_a_download_that_waits_for_its_turn_ends_at_once_when_it_is_stopped(library: Library, hub: Hub) -> None:
    hub.pause.clear()
    for kind in ("lora", "embedding"):
        library.download(REPO, FILE, kind)
    wait_until(lambda: all(download.state == "running" for download in library.downloads()))
    third = library.download(REPO, FILE, "vae")
    library.cancel(third)
    assert [download.state for download in library.downloads()] == ["cancelled", "running", "running"]
    hub.pause.set()
    wait_until(lambda: ended(library))
    assert sum(method == "HEAD" and path.startswith(f"/{REPO}") for method, path, _ in hub.asked) == 2


def test_a_download_that_fails_says_why(library: Library, hub: Hub) -> None:
    hub.status = 404
    library.download(REPO, FILE, "lora")
    wait_until(lambda: ended(library))
    [download] = library.downloads()
    assert download.state == "failed" and "no such" in download.message and library.models("lora") == []


def test_a_download_can_be_stopped_and_begun_again(library: Library, hub: Hub) -> None:
    hub.content = hub.content + bytes(50_000_000)
    hub.linked = hashlib.sha256(hub.content).hexdigest()
    hub.pause.clear()
    first = library.download(REPO, FILE, "lora")
    with pytest.raises(UserError, match="already"):
        library.download(REPO, FILE, "lora")
    library.cancel(first)
    hub.pause.set()
    wait_until(lambda: ended(library))
    assert library.downloads()[0].state == "cancelled"
    library.download(REPO, FILE, "lora", save_as="pen.safetensors")
    wait_until(lambda: ended(library))
    assert [download.state for download in library.downloads()] == ["done", "cancelled"]
    with pytest.raises(UserError):
        library.cancel("never heard of")


@pytest.mark.parametrize(("repo", "filename", "kind"), [("../x", FILE, "lora"), (REPO, "x.ckpt", "lora"), (REPO, FILE, "unknown")])
def test_what_cannot_be_fetched_is_refused_at_once(library: Library, repo: str, filename: str, kind) -> None:  # noqa: ANN001
    with pytest.raises(UserError):
        library.download(repo, filename, kind)
    assert library.downloads() == []


def test_a_studio_without_a_folder_for_models_refuses_downloads(catalog: Catalog) -> None:
    with pytest.raises(UserError, match="folder"):
        Library(catalog, None).download(REPO, FILE, "lora")


def test_a_hash_stays_when_it_has_been_computed(library: Library, weights: Path) -> None:
    file = write_file(weights / "loras" / "ink.safetensors", lora())
    [entry] = library.models("lora")
    assert library.hash(entry.id) == hashlib.sha256(file.read_bytes()).hexdigest() == library.model(entry.id).hash


def test_an_override_is_kept_by_hash_although_nobody_asked_for_one(library: Library, weights: Path) -> None:
    file = write_file(weights / "loras" / "ink.safetensors", lora())
    [entry] = library.models("lora")
    library.override(entry.id, Overrides(note="mine"))
    wait_until(lambda: library.model(entry.id).hash)
    file.rename(file.with_name("pen.safetensors"))
    [renamed] = library.models("lora")
    assert (renamed.name, renamed.overrides.note) == ("pen", "mine")


def test_what_fits_is_told_by_ids(library: Library, weights: Path) -> None:
    write_file(weights / "loras" / "own.safetensors", lora(160))
    write_file(weights / "loras" / "real.safetensors", lora(768))
    reasons = {entry.name: library.fits(entry.id, STARTER) for entry in library.models("lora")}
    assert reasons["own"] == "" and "160" in reasons["real"]


def test_a_pickle_is_converted_once_and_the_new_file_is_on_the_shelf(library: Library, weights: Path) -> None:
    import torch

    (weights / "embeddings").mkdir(parents=True)
    torch.save({"string_to_param": {"*": torch.ones(2, 768)}}, weights / "embeddings" / "cat.pt")
    [pickle] = library.models("embedding")
    assert "pickle" in pickle.problem
    made = library.model(library.convert(pickle.id))
    assert made.usable and (made.name, made.identity.kind, made.identity.family) == ("cat", "embedding", "sd1")
    assert (weights / "embeddings" / "cat.pt").exists()
    assert library.conversions()[library.model(pickle.id).hash].id == made.id
    with pytest.raises(UserError, match="already"):
        library.convert(pickle.id)
    (weights / "embeddings" / "cat.safetensors").rename(weights / "embeddings" / "moved.safetensors")
    library._catalog.rescan(wait=True)
    assert library.conversions()[library.model(pickle.id).hash].name == "moved"


def test_another_file_of_that_name_does_not_pass_for_what_was_converted(library: Library, weights: Path) -> None:
    import torch

    write_file(weights / "loras" / "ink.safetensors", lora())
    torch.save({"a": torch.ones(2)}, weights / "loras" / "ink.pt")
    pickle = next(entry for entry in library.models("lora") if entry.problem)
    with pytest.raises(UserError, match="another “ink”"):
        library.convert(pickle.id)
    assert library.conversions() == {}


def test_a_pickle_of_no_known_kind_is_asked_about_first(library: Library, weights: Path) -> None:
    weights.mkdir()
    (weights / "thing.ckpt").write_bytes(b"PK\x03\x04" + bytes(100))
    entry = next(entry for entry in library.models() if entry.name == "thing")
    with pytest.raises(UserError, match="Say first"):
        library.convert(entry.id)


def test_the_library_needs_neither_torch_nor_a_page() -> None:
    code = "import pipelines.services.library, sys; print(*{name.split('.')[0] for name in sys.modules})"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"torch", "diffusers", "transformers", "gradio", "safetensors"} & set(loaded)
