"""Input pictures are kept by what is in them, and what is read is what was kept, or a sentence."""

from __future__ import annotations

import errno
import os
import re
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from models.errors import UserError
from pipelines.images.store import WEEK, Inputs, content_id

HOSTILE = (
    "", "0" * 63, "0" * 65, "A" * 64, "../../etc/passwd", f"../{'0' * 61}", "0" * 64 + "\n", "0" * 63 + "/", "٣" * 64, "0" * 32 + "\0" * 32,
    "C:" + "0" * 62, "g" * 64,
)  # fmt: skip


@pytest.fixture
def inputs(tmp_path: Path) -> Inputs:
    return Inputs(tmp_path / "inputs")


def picture(seed: int = 0, mode: str = "RGB") -> Image.Image:
    values = np.random.default_rng(seed).integers(0, 256, (20, 30, 3) if mode == "RGB" else (20, 30))
    return Image.fromarray(values.astype(np.uint8))


def files(inputs: Inputs) -> list[Path]:
    return [file for file in inputs.folder.rglob("*") if file.is_file()]


@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_what_is_kept_comes_back_bit_for_bit(inputs: Inputs, mode: str) -> None:
    kept = picture(1, mode)
    found = inputs.open(inputs.keep(kept), mode)
    assert (found.mode, found.size, found.info) == (mode, kept.size, {})
    assert np.array_equal(np.asarray(found), np.asarray(kept))


def test_the_same_pixels_are_one_file_however_they_were_written(inputs: Inputs, tmp_path: Path) -> None:
    first = inputs.keep(picture())
    for level in (0, 5, 9):
        file = tmp_path / f"{level}.png"
        picture().save(file, compress_level=level, dpi=(72, 72 + level))
        with Image.open(file) as again:
            assert inputs.keep(again) == first
    assert len(files(inputs)) == 1
    assert re.fullmatch(r"[0-9a-f]{64}", first)


def test_other_pixels_another_shape_and_another_mode_have_another_id(inputs: Inputs) -> None:
    data = bytes(range(240))
    shapes = (("L", (24, 10)), ("L", (10, 24)), ("L", (240, 1)), ("RGB", (8, 10)), ("RGB", (10, 8)))
    ids = {inputs.keep(Image.frombytes(mode, size, data)) for mode, size in shapes}
    assert len(ids | {inputs.keep(picture(1)), inputs.keep(picture(2))}) == len(shapes) + 2


def test_a_mask_can_be_read_as_a_picture_and_a_picture_as_a_mask(inputs: Inputs) -> None:
    grey, coloured = picture(3, "L"), picture(3)
    assert np.array_equal(np.asarray(inputs.open(inputs.keep(grey))), np.asarray(grey.convert("RGB")))
    assert np.array_equal(np.asarray(inputs.open(inputs.keep(coloured), "L")), np.asarray(coloured.convert("L")))


@pytest.mark.parametrize("damage", [b"", b"hello", "half", "another"])
def test_a_file_that_is_not_what_it_was_is_told_and_mended_by_putting_it_in_again(inputs: Inputs, damage: bytes | str) -> None:
    kept = inputs.keep(picture())
    file = inputs.path(kept)
    other = inputs.path(inputs.keep(picture(9))).read_bytes()
    file.write_bytes(damage if isinstance(damage, bytes) else {"half": file.read_bytes()[:700], "another": other}[damage])
    with pytest.raises(UserError, match="Put it in again"):
        inputs.open(kept)
    assert inputs.keep(picture()) == kept
    assert np.array_equal(np.asarray(inputs.open(kept)), np.asarray(picture()))


def test_a_file_that_is_gone_is_told(inputs: Inputs) -> None:
    kept = inputs.keep(picture())
    inputs.path(kept).unlink()
    assert not inputs.has(kept)
    with pytest.raises(UserError, match="not stored here any more"):
        inputs.open(kept)


def test_a_full_disk_is_told_and_leaves_no_half_files(inputs: Inputs, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(image: Image.Image, file: Path, *_: object, **__: object) -> None:
        Path(file).write_bytes(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Image.Image, "save", full)
    with pytest.raises(UserError, match="the disk is full"):
        inputs.keep(picture())
    assert files(inputs) == []
    assert not inputs.has(content_id(picture()))


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "inputs").write_text("a file where the folder should be")
    with pytest.raises(UserError, match="could not be stored"):
        Inputs(tmp_path / "inputs").keep(picture())


def test_a_sweep_removes_what_is_old_and_named_nowhere(inputs: Inputs) -> None:
    used, young, old = (inputs.keep(picture(seed)) for seed in range(3))
    left = inputs.path(old).with_suffix(".1-2.part")
    left.write_bytes(b"half")
    for file in (inputs.path(used), inputs.path(old), left):
        os.utime(file, (0, time.time() - WEEK - 60))
    assert inputs.sweep({used}) == 2
    assert [inputs.has(kept) for kept in (used, young, old)] == [True, True, False]
    assert len(files(inputs)) == 2


def test_what_is_put_in_again_is_young_again(inputs: Inputs) -> None:
    kept = inputs.keep(picture())
    os.utime(inputs.path(kept), (0, 0))
    inputs.keep(picture())
    assert inputs.sweep(()) == 0
    assert Inputs(inputs.folder / "nowhere").sweep(()) == 0


def test_many_who_put_in_the_same_at_once_get_the_same(inputs: Inputs) -> None:
    found: list[str] = []
    start = threading.Barrier(8)

    def put() -> None:
        start.wait()
        found.extend(inputs.keep(picture(seed)) for seed in range(5))

    threads = [threading.Thread(target=put) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 40
    assert len(set(found)) == len(files(inputs)) == 5


@pytest.mark.parametrize("name", HOSTILE)
def test_what_is_no_id_is_nowhere(inputs: Inputs, name: str) -> None:
    inputs.keep(picture())
    assert not inputs.has(name)
    with pytest.raises(AssertionError):
        inputs.path(name)
