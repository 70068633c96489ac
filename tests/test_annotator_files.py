"""The weights of preprocessors, fetched in one go from a hub on this computer: what is asked for, where it goes, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from models.downloads.hub import download
from models.downloads.hub_names import check_names, saved_name
from models.errors import UserError
from pipelines.preprocessors import TABLE
from pipelines.preprocessors.annotators import ANNOTATORS, STARTER, Annotators
from pipelines.services.downloads import Downloads
from pipelines.services.preprocessor_weights import AnnotatorFiles
from tests.support.hub_server import Hub, hub
from tests.support.toys import wait_until

__all__ = ["hub"]  # the fixture

POSE = ["body_pose_model.pth", "hand_pose_model.pth", "facenet.pth"]
OF_HUB = ["config.json", "preprocessor_config.json", "model.safetensors"]
OPENPOSE, DEPTH, MIDAS = "OpenPose full", "Depth Anything v2", "MiDaS"
NAMES = {entry.weights: entry.name for entry in TABLE if entry.weights}


@pytest.fixture
def annotators(tmp_path: Path) -> Annotators:
    return Annotators([tmp_path / "models" / "weights", tmp_path / "elsewhere"], tmp_path / "starter")


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "models" / "weights" / "annotators"


@pytest.fixture
def downloads(hub: Hub) -> Downloads:
    for kind in ANNOTATORS.values():
        for file in kind.files:
            hub.offer(file.repo, file.path, f"weights of {file.repo} {file.path}".encode() * 50)
    return Downloads(hub.address, lambda: None)


@pytest.fixture
def files(annotators: Annotators, downloads: Downloads) -> AnnotatorFiles:
    return AnnotatorFiles(annotators, downloads)


def end_of(files: AnnotatorFiles, name: str) -> str:
    wait_until(lambda: files.state(name).state != "running")
    return files.state(name).state


def asked_for(hub: Hub) -> list[str]:
    return [path.rpartition("/")[2] for method, path, _ in hub.asked if method == "GET" and path.startswith("/store/")]


# ---- what arrives -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", [key for key in ANNOTATORS if key in NAMES and key != STARTER])
def test_after_one_action_every_preprocessor_has_its_weights(key: str, files: AnnotatorFiles, annotators: Annotators) -> None:
    name = NAMES[key]
    assert annotators.missing(key) and len(files.wanted(name)) == len(ANNOTATORS[key].files)
    files.start(name)
    assert end_of(files, name) == "done"
    assert annotators.missing(key) == "" and files.wanted(name) == ()
    assert files.state(name).arrived == files.state(name).files == len(ANNOTATORS[key].files)


def test_files_lie_where_the_sentence_says_and_hold_what_the_hub_sent(files: AnnotatorFiles, place: Path) -> None:
    files.start(OPENPOSE)
    assert end_of(files, OPENPOSE) == "done"
    assert sorted(path.name for path in (place / "openpose").iterdir()) == sorted(POSE)
    assert (place / "openpose" / POSE[0]).read_bytes().startswith(b"weights of lllyasviel/Annotators body_pose_model.pth")


def test_files_that_are_there_are_left_alone(files: AnnotatorFiles, place: Path, hub: Hub) -> None:
    (place / "openpose").mkdir(parents=True)
    (place / "openpose" / "body_pose_model.safetensors").write_text("mine")  # the same in another format will do
    (place / "openpose" / "facenet.pth").write_text("mine too")
    files.start(OPENPOSE)
    assert end_of(files, OPENPOSE) == "done"
    assert asked_for(hub) == ["hand_pose_model.pth"]
    assert (place / "openpose" / "facenet.pth").read_text() == "mine too"


def test_weights_that_another_program_keeps_need_no_download(files: AnnotatorFiles, tmp_path: Path) -> None:
    theirs = tmp_path / "elsewhere" / "ControlNetPreprocessor" / "hed"
    theirs.mkdir(parents=True)
    (theirs / "ControlNetHED.pth").touch()
    assert files.wanted("HED") == ()
    with pytest.raises(UserError, match="nothing to download"):
        files.start("HED")


def test_files_of_one_name_do_not_block_one_another(files: AnnotatorFiles, downloads: Downloads, hub: Hub, place: Path) -> None:
    hub.pause.clear()
    files.start(DEPTH)
    files.start("Segformer")
    shown = {entry.name for entry in downloads.list()}
    assert {"depth_anything_v2/config.json", "segformer/config.json"} <= shown and len(downloads.list()) == 6
    hub.pause.set()
    assert [end_of(files, DEPTH), end_of(files, "Segformer")] == ["done", "done"]
    one, other = [(place / folder / "config.json").read_text() for folder in ("depth_anything_v2", "segformer")]
    assert "Depth-Anything" in one and "segformer" in other


def test_two_that_need_the_same_file_fetch_it_once(files: AnnotatorFiles, hub: Hub) -> None:
    hub.pause.clear()
    files.start("OpenPose")
    files.start("OpenPose hands")
    hub.pause.set()
    assert [end_of(files, "OpenPose"), end_of(files, "OpenPose hands")] == ["done", "done"]
    assert sorted(asked_for(hub)) == ["body_pose_model.pth", "hand_pose_model.pth"]


# ---- on the way -------------------------------------------------------------------------------------------------------------------


def test_progress_is_that_of_all_files_together(files: AnnotatorFiles, downloads: Downloads, hub: Hub) -> None:
    for path in POSE:
        hub.offer("lllyasviel/Annotators", path, bytes(3_000_000))
    hub.pause.clear()
    hub.before_pause = 1_000_000
    files.start(OPENPOSE)
    wait_until(lambda: files.state(OPENPOSE).done >= 2_000_000)  # two at a time
    now = files.state(OPENPOSE)
    assert (now.state, now.files, now.arrived, now.total) == ("running", 3, 0, 0)  # the third one's size is not known yet
    hub.pause.set()
    assert end_of(files, OPENPOSE) == "done"
    assert files.state(OPENPOSE).done == files.state(OPENPOSE).total == 9_000_000
    assert downloads.arrivals == 3


def test_a_broken_transfer_is_taken_up_and_one_that_breaks_for_good_says_so(files: AnnotatorFiles, hub: Hub, place: Path) -> None:
    hub.offer("lllyasviel/Annotators", "ControlNetHED.pth", bytes(range(256)) * 4000)
    hub.breaks_after = [300_000, 200_000] + [0] * 9
    files.start("HED")
    assert end_of(files, "HED") == "failed"
    assert "broke off" in files.state("HED").message and not (place / "hed" / "ControlNetHED.pth").exists()
    hub.breaks_after = []
    files.start("HED")
    assert end_of(files, "HED") == "done"
    assert (place / "hed" / "ControlNetHED.pth").read_bytes() == bytes(range(256)) * 4000
    assert hub.asked[-1][2] == "bytes=500000-"


def test_a_stopped_download_ends_and_goes_on_from_there(files: AnnotatorFiles, hub: Hub, place: Path) -> None:
    for path in POSE:
        hub.offer("lllyasviel/Annotators", path, bytes(5_000_000))
    hub.pause.clear()
    hub.before_pause = 2_000_000
    files.start(OPENPOSE)
    wait_until(lambda: files.state(OPENPOSE).done >= 4_000_000)
    files.stop(OPENPOSE)
    with pytest.raises(UserError, match="in a moment"):
        files.start(OPENPOSE)
    hub.pause.set()
    assert end_of(files, OPENPOSE) == "cancelled"
    files.start(OPENPOSE)
    assert end_of(files, OPENPOSE) == "done"
    assert any(asked == "bytes=2000000-" for _, _, asked in hub.asked)


def test_a_hub_that_cannot_be_reached_is_a_sentence(annotators: Annotators, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    files = AnnotatorFiles(annotators, Downloads("http://127.0.0.1:9", lambda: None))
    files.start(MIDAS)
    assert end_of(files, MIDAS) == "failed" and "connected to the internet" in files.state(MIDAS).message


# ---- who may name what ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["", "Canny", "Starter depth", "no such thing", "../hed", "hed"])
def test_what_needs_no_weights_of_the_hub_cannot_be_fetched(name: str, files: AnnotatorFiles, hub: Hub) -> None:
    assert files.wanted(name) == ()
    with pytest.raises(UserError):
        files.start(name)
    files.stop(name)
    assert hub.asked == [] and files.state(name).files == 0


def test_without_a_folder_of_models_nothing_is_offered(downloads: Downloads, tmp_path: Path) -> None:
    files = AnnotatorFiles(Annotators([], tmp_path), downloads)
    assert files.wanted("HED") == ()
    with pytest.raises(UserError):
        files.start("HED")


def test_every_file_of_the_table_may_be_asked_for_and_keeps_its_name() -> None:
    for kind in ANNOTATORS.values():
        for file in kind.files if kind is not ANNOTATORS[STARTER] else ():
            check_names(file.repo, file.path, listed=True)
            assert saved_name(file.path, listed=True) == file.name and file.name in file.names


@pytest.mark.parametrize("name", ["x.pth", "x.pt", "a/x.PTH", "x.safetensors.pth"])
def test_a_name_from_outside_never_ends_in_torchs_own_format(name: str, downloads: Downloads, hub: Hub, tmp_path: Path) -> None:
    for attempt in (
        lambda: check_names("painter/oils", name),
        lambda: download("painter/oils", name, tmp_path, base_url=hub.address),
        lambda: downloads.start("painter/oils", name, tmp_path),
    ):
        with pytest.raises(UserError, match="can run programs"):
            attempt()
    assert saved_name(name).endswith(".safetensors") and hub.asked == [] and downloads.list() == []


@pytest.mark.parametrize("name", ["x.ckpt", "x.bin", "x.py", "../x.pth", "a//x.pth", ""])
def test_the_table_itself_is_held_to_names_of_weights(name: str) -> None:
    with pytest.raises(UserError):
        check_names("painter/oils", name, listed=True)
