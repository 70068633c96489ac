"""Pictures on disk: whole or not at all, each with a name of its own, each telling how it was made."""

from __future__ import annotations

import errno
import io
import json
import multiprocessing
import os
import shutil
import struct
import threading
import time
import unicodedata
import warnings
import zlib
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, PngImagePlugin

from models.errors import UserError
from pipelines.jobs import outputs
from pipelines.jobs.outputs import Outputs, inspect, read, slug
from pipelines.metadata import infotext
from pipelines.metadata.picture_settings import FORMAT_VERSION
from pipelines.requests.request import Request, TextToImage, describe
from tests.support.asked import drawing
from tests.support.toys import FAR_TOO_LONG

pytestmark = pytest.mark.smoke

REQUEST = TextToImage(prompt="a red house, (snow:1.2)", negative_prompt="blurry", seed=1234, guidance_scale=6.3)
MADE_WITH = {"Model": "starter", "Model hash": "0123456789"}


def small() -> Image.Image:
    return Image.effect_noise((64, 64), 50).convert("RGB")


def png(size: tuple[int, int] = (8, 8), **texts: str) -> bytes:
    info = PngImagePlugin.PngInfo()
    for key, text in texts.items():
        info.add_itxt(key, text)
    file = io.BytesIO()
    Image.new("RGB", size).save(file, "PNG", pnginfo=info)
    return file.getvalue()


def user_comment(text: str) -> bytes:
    """EXIF as A1111 writes it into JPEG and WebP."""
    exif = Image.Exif()
    exif.get_ifd(0x8769)[0x9286] = b"UNICODE\0" + text.encode("utf-16-be")
    return exif.tobytes()


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def with_chunk(kind: bytes, data: bytes) -> bytes:
    """A PNG with this chunk right behind its header."""
    plain = png()
    return plain[:33] + chunk(kind, data) + plain[33:]


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


# ------------------------------------------------------------------------------------------------ saving


def test_a_saved_picture_has_the_same_pixels_and_the_same_request(tmp_path: Path) -> None:
    image = small()
    path = Outputs(tmp_path).save(image, REQUEST, MADE_WITH)
    with Image.open(path) as saved:
        assert saved.tobytes() == image.tobytes()
    found = inspect(path)
    assert (found.request, found.made_with, found.notes) == (REQUEST, MADE_WITH, ())
    assert read(path.read_bytes()) == REQUEST


def test_the_texts_in_a_picture_are_the_request_and_what_others_read(tmp_path: Path) -> None:
    with Image.open(Outputs(tmp_path).save(small(), REQUEST, MADE_WITH)) as saved:
        whole = json.loads(saved.info["atelier"])
        assert whole == {"version": FORMAT_VERSION, "request": describe(REQUEST), "made_with": MADE_WITH}
        assert saved.info["parameters"] == infotext.write(REQUEST, MADE_WITH)


def test_the_name_says_when_what_and_which_seed(tmp_path: Path) -> None:
    path = Outputs(tmp_path).save(small(), REQUEST, {})
    day, moment = path.parent.name, path.name[:20]
    assert path.parent.parent == tmp_path
    assert time.strptime(day, "%Y-%m-%d")
    assert moment.startswith(day.replace("-", ""))
    assert path.name[20:] == "_a-red-house-snow_s1234.png"


def test_an_empty_prompt_still_gives_a_name(tmp_path: Path) -> None:
    assert Outputs(tmp_path).save(small(), TextToImage(seed=3), {}).name[20:] == "_s3.png"


def test_names_are_unique_and_in_order_when_threads_save_at_once(tmp_path: Path) -> None:
    store, image = Outputs(tmp_path), small()
    saved: list[list[str]] = [[] for _ in range(8)]

    def work(mine: list[str]) -> None:
        mine.extend(store.save(image, REQUEST, {}).name for _ in range(25))

    threads = [threading.Thread(target=work, args=(mine,)) for mine in saved]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(mine == sorted(mine) for mine in saved)
    assert files(tmp_path) == sorted(name for mine in saved for name in mine)
    assert len(set(files(tmp_path))) == 200


def save_many(folder: str, count: int) -> None:
    store = Outputs(Path(folder))
    for _ in range(count):
        store.save(Image.new("RGB", (8, 8)), REQUEST, {})


def test_names_are_unique_when_processes_save_at_once(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=save_many, args=(str(tmp_path), 60)) for _ in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert [worker.exitcode for worker in workers] == [0, 0, 0]
    assert len(files(tmp_path)) == 180


def test_two_stores_that_want_the_same_moment_get_two_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outputs.time, "time_ns", lambda: 1_795_000_000_123_456_789)
    names = [Outputs(tmp_path).save(small(), REQUEST, {}).name for _ in range(5)]
    assert len(set(names)) == 5


def test_the_clock_going_back_does_not_break_the_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    moments = iter([1_795_000_000_000_000_000, 1_794_999_999_000_000_000, 1_794_999_998_000_000_000])
    monkeypatch.setattr(outputs.time, "time_ns", lambda: next(moments))
    store = Outputs(tmp_path)
    names = [store.save(small(), REQUEST, {}).name for _ in range(3)]
    assert names == sorted(names)


def test_a_hundred_pictures_are_saved_within_seconds(tmp_path: Path) -> None:
    store, image, start = Outputs(tmp_path), small(), time.monotonic()
    for _ in range(100):
        store.save(image, REQUEST, MADE_WITH)
    assert time.monotonic() - start < FAR_TOO_LONG  # a second on a quiet disk


# ------------------------------------------------------------------------------------------------ when it cannot be saved


def failing(code: int) -> Callable[..., Any]:
    def fail(*_args: object, **_named: object) -> None:
        raise OSError(code, os.strerror(code))

    return fail


@pytest.mark.parametrize("where", ["fsync", "replace"])
def test_a_full_disk_is_told_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str) -> None:
    monkeypatch.setattr(*((outputs.os, "fsync") if where == "fsync" else (Path, "replace")), failing(errno.ENOSPC))
    with pytest.raises(UserError, match="disk is full"):
        Outputs(tmp_path).save(small(), REQUEST, {})
    assert files(tmp_path) == []


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_full_disk_in_the_middle_of_writing_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = Path.open
    monkeypatch.setattr(Path, "open", lambda path, *args: real(Path("/dev/full") if path.suffix == ".part" else path, *args))
    with pytest.raises(UserError, match="disk is full"):
        Outputs(tmp_path).save(small(), REQUEST, {})
    assert files(tmp_path) == []


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "outputs").write_text("a file where the folder should be")
    with pytest.raises(UserError):
        Outputs(tmp_path / "outputs").save(small(), REQUEST, {})


def test_being_killed_in_the_middle_leaves_no_picture_and_the_next_start_sweeps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "unlink", lambda *_args, **_named: None)
    monkeypatch.setattr(Path, "replace", failing(errno.EIO))
    with pytest.raises(UserError):
        Outputs(tmp_path).save(small(), REQUEST, {})
    monkeypatch.undo()
    assert [name for name in files(tmp_path) if name.endswith(".png")] == []
    assert len(files(tmp_path)) == 1
    assert Outputs(tmp_path).sweep() == 0, "another process may still be at it"
    assert Outputs(tmp_path).sweep(older_than=-1) == 1
    assert files(tmp_path) == []


def test_sweeping_takes_only_old_temporaries(tmp_path: Path) -> None:
    kept = Outputs(tmp_path).save(small(), REQUEST, {})
    for name, age in ((".old.part", 3600), (".new.part", 0), ("mine.part", 3600)):
        path = kept.parent / name
        path.touch()
        os.utime(path, (time.time() - age, time.time() - age))
    assert Outputs(tmp_path).sweep() == 1
    assert files(tmp_path) == sorted([".new.part", "mine.part", kept.name])


def test_a_job_is_not_started_on_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Outputs(tmp_path).check_space()
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(outputs.shutil, "disk_usage", lambda _folder: usage._replace(free=150_000_000))
    with pytest.raises(UserError, match="150 MB left"):
        Outputs(tmp_path).check_space()


@pytest.mark.parametrize("made_with", [{"Model": "\ud800 name"}, {"Model": b"bytes"}, {"Model": 3}, {1: "one"}, None])
def test_strange_metadata_never_costs_the_picture(tmp_path: Path, made_with: Any) -> None:
    path = Outputs(tmp_path).save(small(), REQUEST, made_with)
    with Image.open(path) as saved:
        saved.load()
        assert saved.size == (64, 64)


def test_a_lone_surrogate_in_a_prompt_does_not_cost_the_settings(tmp_path: Path) -> None:
    found = read(Outputs(tmp_path).save(small(), TextToImage(prompt="a \ud800 house", seed=5), {}))
    assert (drawing(found).prompt, drawing(found).seed) == ("a ? house", 5)


# ------------------------------------------------------------------------------------------------ names


@given(st.text(max_size=200))
def test_a_slug_is_short_and_safe_everywhere(prompt: str) -> None:
    found = slug(prompt)
    assert len(found.encode("utf-8")) <= 60
    assert all(char == "-" or unicodedata.category(char)[0] in "LNM" for char in found)
    assert not found.startswith("-")
    assert not found.endswith("-")


@pytest.mark.parametrize(
    ("prompt", "name"),
    [
        ("A red house!", "a-red-house"),
        ("../../etc/passwd", "etc-passwd"),
        ("(a castle:1.3), [fog]", "a-castle-fog"),
        ("<lora:some style:0.8> a boat", "a-boat"),
        ("con.", "con"),
        ("a\u202egnp.exe\0\n\x7f", "a-gnp-exe"),
        ("雪の家", "雪の家"),
        ("🦊", ""),
        ("word " * 40, "word-word-word-word-word-word-word-word-word-word-word-word"),
        ("é" * 50, "é" * 30),
        ("नमस्ते", "नमस्ते"),
        ("x" * 100, "x" * 60),
    ],
)
def test_slugs_of_all_kinds_of_prompts(prompt: str, name: str) -> None:
    assert slug(prompt) == name


def test_a_cut_never_takes_the_accent_off_a_letter() -> None:
    syllable = "नि"  # a letter and a vowel sign, six bytes
    assert slug("x" + syllable * 20) == "x" + syllable * 9


def test_the_longest_name_fits_every_file_system(tmp_path: Path) -> None:
    path = Outputs(tmp_path).save(small(), TextToImage(prompt="雪" * 500, seed=2**63 - 1), {})
    assert len(path.name.encode()) <= 255


# ------------------------------------------------------------------------------------------------ reading


def test_a_picture_of_another_studio_gives_what_can_be_used() -> None:
    text = "a cat\nNegative prompt: dog\nSteps: 25, Sampler: Euler a, CFG scale: 7, Seed: 5, Size: 512x512, Model: other"
    found = inspect(png(parameters=text))
    assert found.request == TextToImage(
        prompt="a cat", negative_prompt="dog", steps=25, sampler="Euler a", guidance_scale=7, seed=5, width=512, height=512
    )
    assert found.made_with == {"Model": "other"}


def test_evil_settings_give_notes_and_nothing_else() -> None:
    found = inspect(png(parameters="x\nSize: 100000x100000, Steps: 999999999, CFG scale: NaN, Seed: 10^23, Model: ../../etc/passwd"))
    assert found.request == TextToImage(prompt="x", width=2048, height=2048, steps=150)
    assert len(found.notes) == 4


@pytest.mark.parametrize("extension", ["JPEG", "WEBP"])
def test_the_text_of_a_jpeg_or_webp_is_read(extension: str) -> None:
    file = io.BytesIO()
    small().save(file, extension, exif=user_comment("雪 house\nSteps: 25, Seed: 5, Sampler: Euler"))
    assert read(file.getvalue()) == TextToImage(prompt="雪 house", steps=25, seed=5, sampler="Euler")


def test_a_text_behind_the_pixels_is_found() -> None:
    plain, text = png(), b"parameters\0x\nSteps: 25, Seed: 5, Sampler: Euler"
    assert drawing(read(plain[:-12] + chunk(b"tEXt", text) + plain[-12:])).steps == 25


def whole(request: Any, version: Any = 1) -> str:
    return json.dumps({"version": version, "request": request})


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "null",
        "[" * 200_000,
        "{}",
        whole(5),
        whole({}),
        whole({"kind": "txt2img", "steps": 999999999}),
        whole({"kind": "txt2img", "steps": "20"}),
        whole({"kind": "txt2img", "os": "system"}),
        whole({"kind": ["txt2img"]}),
        whole(describe(REQUEST), version=FORMAT_VERSION + 1),
        whole(describe(REQUEST), version=0),
        '{"version": 1, "request": {"kind": "txt2img", "guidance_scale": NaN}}',
    ],
)
def test_settings_that_are_not_ours_are_refused_with_a_sentence(text: str) -> None:
    with pytest.raises(UserError):
        read(png(atelier=text))


def test_damaged_settings_fall_back_to_the_text_and_say_so() -> None:
    found = inspect(png(atelier="{", parameters=infotext.write(REQUEST, {})))
    assert found.request == replace(REQUEST, vae="own")  # a text that names no VAE
    assert "damaged" in found.notes[0]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"<html>",
        png(),
        png(parameters="just words"),
        png()[:40],
        with_chunk(b"tEXt", b"parameters\0" + b"x" * 1_100_000),
        with_chunk(b"zTXt", b"parameters\0\0" + zlib.compress(b"x" * 50_000_000)),
        with_chunk(b"iTXt", b"atelier\0\1\0\0\0" + zlib.compress(b"[" * 50_000_000)),
        with_chunk(b"tEXt", b"parameters\0" + b"x" * 20_000_000),
    ],
    ids=["empty", "page", "no settings", "no values", "cut", "long", "bomb", "own bomb", "20 MB"],
)
def test_files_without_usable_settings_are_refused_at_once(data: bytes) -> None:
    start = time.monotonic()
    with pytest.raises(UserError):
        read(data)
    assert time.monotonic() - start < FAR_TOO_LONG


def test_a_picture_of_enormous_size_is_refused_before_it_is_decoded() -> None:
    header = struct.pack(">IIBBBBB", 65_500, 65_500, 8, 2, 0, 0, 0)
    bomb = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" * 1000)) + chunk(b"IEND", b"")
    with pytest.raises(UserError, match="too large"):
        read(bomb)


@pytest.mark.parametrize("kind", ["EPS", "PDF", "TIFF"])
def test_other_kinds_of_file_are_not_opened(kind: str) -> None:
    file = io.BytesIO()
    small().save(file, kind)
    with pytest.raises(UserError):
        read(file.getvalue())


@given(st.sampled_from(["PNG", "JPEG", "WEBP"]), st.lists(st.tuples(st.floats(0, 1), st.binary(max_size=4)), min_size=1, max_size=4))
def test_no_damage_breaks_the_reading(kind: str, damage: list[tuple[float, bytes]]) -> None:
    """Bytes are overwritten anywhere in a file: it still reads, or is refused with a sentence."""
    file = io.BytesIO()
    info = PngImagePlugin.PngInfo()
    info.add_itxt("atelier", whole(describe(REQUEST)))
    small().save(file, kind, **({"pnginfo": info} if kind == "PNG" else {"exif": user_comment("x\nSteps: 25, Seed: 5, Sampler: Euler")}))
    data = bytearray(file.getvalue())
    for place, piece in damage:
        start = int(place * (len(data) - 1))
        data[start : start + len(piece)] = piece
    with warnings.catch_warnings(), suppress(UserError):
        warnings.simplefilter("ignore")  # Pillow's, of what it found
        inspect(bytes(data))


def test_the_longest_prompts_survive(tmp_path: Path) -> None:
    request: Request = TextToImage(prompt="雪" * 100_000, negative_prompt="🦊" * 100_000, seed=1)
    assert read(Outputs(tmp_path).save(small(), request, {})) == request
