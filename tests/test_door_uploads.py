"""Which files and addresses count as uploads of this server."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from ui.door.uploads import UploadFolder

ID = "0123456789abcdef" * 4
ORIGINS = ("http://127.0.0.1:7860", "https://127.0.0.1:7860")


@pytest.fixture
def folder(tmp_path: Path) -> UploadFolder:
    uploads = tmp_path / "uploads"
    (uploads / ID).mkdir(parents=True)
    (uploads / ID / "my picture.png").write_bytes(b"x")
    (tmp_path / "secret.png").write_bytes(b"x")
    made = UploadFolder(str(uploads))
    made.note([f"{uploads}/{ID}/my picture.png"], "me")
    return made


def test_an_upload_is_held_under_the_name_the_server_gave_it(folder: UploadFolder) -> None:
    path = f"{folder.folder}/{ID}/my picture.png"
    assert folder.holds(path)
    assert folder.serves(f"/gradio_api/file={path}", ORIGINS, "me")
    assert folder.serves(f"http://127.0.0.1:7860/gradio_api/file={path}", ORIGINS, "me")
    assert folder.serves(f"/gradio_api/file={path}".replace(" ", "%20"), ORIGINS, "me")


def test_nothing_else_is_held(folder: UploadFolder, tmp_path: Path) -> None:
    good = f"{folder.folder}/{ID}/my picture.png"
    for path in (
        "/etc/passwd", str(tmp_path / "secret.png"), f"{folder.folder}/../secret.png", f"{folder.folder}/{ID}/../../../secret.png",
        f"{folder.folder}/{ID}/..", f"{folder.folder}/{ID}/.", f"{folder.folder}/{ID}/", f"{folder.folder}/{ID}", folder.folder, "", ".",
        good.upper(), good.replace("uploads", "Uploads"), good.replace(ID, ID.upper()), good + "\0", good + "\0.png", "file://" + good,
        f"{folder.folder}//{ID}/my picture.png", f"{folder.folder}/{ID}//my picture.png", f"{folder.folder}/./{ID}/my picture.png",
        f"{folder.folder}x/{ID}/my picture.png", f"{folder.folder}/{ID}0/x.png", f"{folder.folder}/loose.png", good + "/x", " " + good,
        good.replace("/", "\\"), "x" * 5000, None, 5, [good], {"path": good}, good.encode(),
    ):  # fmt: skip
        assert not folder.holds(path), path


def test_a_symbolic_link_is_not_an_upload(folder: UploadFolder, tmp_path: Path) -> None:
    os.symlink(tmp_path / "secret.png", Path(folder.folder) / ID / "link.png")
    os.symlink(tmp_path, Path(folder.folder) / ("b" * 64))
    assert not folder.holds(f"{folder.folder}/{ID}/link.png")
    assert not folder.holds(f"{folder.folder}/{'b' * 64}/secret.png")


def test_a_folder_that_is_itself_reached_by_a_link_still_holds_its_uploads(folder: UploadFolder, tmp_path: Path) -> None:
    os.symlink(folder.folder, tmp_path / "elsewhere")
    assert UploadFolder(str(tmp_path / "elsewhere")).holds(f"{tmp_path}/elsewhere/{ID}/my picture.png")


@pytest.mark.parametrize(
    "url",
    ["http://127.0.0.1:7861{}", "http://evil.test{}", "//evil.test{}", "http://127.0.0.1:7860@evil.test{}",
     "http://127.0.0.1:7860.evil.test{}", "HTTP://127.0.0.1:7860{}", "ftp://127.0.0.1:7860{}", "http://127.0.0.1:7860/x/..{}",
     "data:image/png;base64,AA{}", "blob:{}"],
)  # fmt: skip
def test_an_address_elsewhere_is_not_ours(folder: UploadFolder, url: str) -> None:
    assert not folder.serves(url.format(f"/gradio_api/file={folder.folder}/{ID}/my picture.png"), ORIGINS, "me")


def test_an_address_of_a_file_that_is_no_upload_is_not_ours(folder: UploadFolder) -> None:
    for path in ("/etc/passwd", f"{folder.folder}/{ID}/%2e%2e", f"{folder.folder}/{ID}/..%2f..%2fsecret.png", "http://127.0.0.1:7860/"):
        assert not folder.serves(f"/gradio_api/file={path}", ORIGINS, "me")


def test_leftovers_of_interrupted_uploads_are_swept_and_uploads_are_kept(folder: UploadFolder) -> None:
    loose = Path(folder.folder) / "tmpabc"
    fresh = Path(folder.folder) / "tmpnew"
    loose.write_bytes(b"x")
    fresh.write_bytes(b"x")
    os.utime(loose, (0, time.time() - 1000))
    folder.sweep()
    assert not loose.exists()
    assert fresh.exists()
    assert folder.holds(f"{folder.folder}/{ID}/my picture.png")
    UploadFolder(folder.folder + "/missing").sweep()
