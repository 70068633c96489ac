"""What the gallery gives out as files: ZIPs of many pictures, pictures without their settings, and small versions that lie on the disk."""

from __future__ import annotations

import io
import os
import re
import struct
import time
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image, PngImagePlugin

from models.errors import UserError
from pipelines.gallery import bare_png
from pipelines.gallery.download import MISSING, MOST, Names, safe, zipped
from pipelines.gallery.gallery import Gallery
from pipelines.gallery.thumbs import SIDE, Thumbs
from pipelines.images.source_type import PNG_NAME
from pipelines.job_book.book import JobBook, PictureRecord
from pipelines.jobs.outputs import read
from tests.support.foreign_files import COMMENT, comment, with_exif
from tests.support.gallery_files import ADA, BOB, drawn_in, gallery_in

Opened = tuple[JobBook, Gallery]


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Opened]:
    with gallery_in(tmp_path) as both:
        yield both


def noise(size: tuple[int, int] = (64, 48)) -> Image.Image:
    return Image.frombytes("RGB", size, os.urandom(size[0] * size[1] * 3))


def fetched(gallery: Gallery, records: list[PictureRecord], settings: bool = True) -> zipfile.ZipFile:
    ready = gallery.downloads.prepare([record.id for record in records], ADA, settings)
    return zipfile.ZipFile(io.BytesIO(b"".join(gallery.downloads.open(ready["id"], ADA))))


# ------------------------------------------------------------------------------------------------ ZIPs


def test_a_zip_holds_the_very_files(opened: Opened) -> None:
    book, gallery = opened
    records = [drawn_in(book, f"house {number}", seed=number) for number in range(3)]
    with fetched(gallery, records) as whole:
        assert whole.testzip() is None and len(whole.namelist()) == 3
        assert [whole.read(record.path.name) for record in records] == [record.path.read_bytes() for record in records]


def test_a_zip_without_settings_says_nothing_of_them_and_has_the_same_pixels(opened: Opened) -> None:
    book, gallery = opened
    record = drawn_in(book, "a secret house", image=noise())
    with fetched(gallery, [record], settings=False) as whole:
        assert "secret" in record.path.name and whole.namelist() == [f"{record.path.name.partition('_')[0]}.png"]
        data = whole.read(whole.namelist()[0])
    assert b"secret" in record.path.read_bytes() and b"secret" not in data and b"atelier" not in data
    with pytest.raises(UserError, match="no settings"):
        read(data)
    with Image.open(io.BytesIO(data)) as bare, Image.open(record.path) as kept:
        assert bare.tobytes() == kept.tobytes() and {*bare.info} == {"xmp", PNG_NAME}  # the label


def test_a_picture_that_vanishes_while_the_zip_is_made_is_named_in_it(opened: Opened) -> None:
    book, gallery = opened
    records = [drawn_in(book, f"house {number}", seed=number) for number in range(3)]
    ready = gallery.downloads.prepare([record.id for record in records], ADA, True)
    pieces = gallery.downloads.open(ready["id"], ADA)
    first = next(pieces)
    records[1].path.unlink()
    with zipfile.ZipFile(io.BytesIO(first + b"".join(pieces))) as whole:
        assert whole.namelist() == [records[0].path.name, records[2].path.name, MISSING] and whole.testzip() is None
        assert records[1].path.name in whole.read(MISSING).decode()


def test_a_zip_without_settings_has_pictures_of_other_kinds_as_bare_ones_and_says_what_it_leaves_out(tmp_path: Path) -> None:
    for kind in ("JPEG", "WEBP"):
        (tmp_path / f"{kind}.{kind.lower()}").write_bytes(with_exif(kind, {COMMENT: comment("a secret house")}))
    (tmp_path / "liar.jpg").write_bytes(b"\xff\xd8\xff secret house")
    files = [tmp_path / "liar.jpg", tmp_path / "JPEG.jpeg", tmp_path / "WEBP.webp"]
    with zipfile.ZipFile(io.BytesIO(b"".join(zipped((file, False) for file in files)))) as whole:
        assert whole.testzip() is None and whole.namelist() == ["picture.png", "picture (2).png", MISSING]
        assert re.search(r"^picture\.jpg: .*damaged", whole.read(MISSING).decode(), re.MULTILINE)
        for path, name in zip(files[1:], whole.namelist(), strict=False):
            data = whole.read(name)
            assert comment("secret")[8:] in path.read_bytes() and comment("secret")[8:] not in data and b"secret" not in data
            with Image.open(io.BytesIO(data)) as bare, Image.open(path) as kept:
                assert bare.tobytes() == kept.tobytes() and bare.info == {}


def test_a_file_that_is_cut_breaks_off_instead_of_passing_for_whole(tmp_path: Path) -> None:
    noise().save(tmp_path / "a.png")
    data = (tmp_path / "a.png").read_bytes()
    (tmp_path / "a.png").write_bytes(data[:-20])
    with pytest.raises(ValueError, match="ends early"):
        list(zipped([(tmp_path / "a.png", False)]))


def test_a_zip_needs_no_room_on_the_disk_and_little_memory(tmp_path: Path) -> None:
    files = []
    for number in range(4):
        files.append(tmp_path / f"{number}.png")
        files[-1].write_bytes(os.urandom(3_000_000))
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    pieces = [len(piece) for piece in zipped((file, True) for file in files)]
    assert sum(pieces) > 12_000_000 and max(pieces) < 1_100_000
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before


def test_a_download_is_its_owners_and_not_for_ever(opened: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    book, gallery = opened
    record = drawn_in(book, "house")
    ready = gallery.downloads.prepare([record.id], ADA, True)
    for name, person in ((ready["id"], BOB), ("none", ADA)):
        with pytest.raises(UserError, match="not there any more"):
            gallery.downloads.open(name, person)
    gallery.downloads.open(ready["id"], ADA)
    now = time.time()
    monkeypatch.setattr("time.time", lambda: now + 3600)
    with pytest.raises(UserError, match="not there any more"):
        gallery.downloads.open(ready["id"], ADA)


def test_too_much_for_one_zip_is_told_before_it_begins(opened: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    book, gallery = opened
    record = drawn_in(book, "house")
    with pytest.raises(UserError, match="too many for one ZIP"):
        gallery.downloads.prepare(["x"] * (MOST + 1), ADA, True)
    monkeypatch.setattr("pipelines.gallery.download.MOST_BYTES", 10)
    with pytest.raises(UserError, match="are the most in one ZIP"):
        gallery.downloads.prepare([record.id], ADA, True)
    record.path.unlink()
    with pytest.raises(UserError, match="not in the outputs folder"):
        gallery.downloads.prepare([record.id], ADA, True)


def test_names_in_a_zip_are_safe_and_each_there_once() -> None:
    names = Names()
    assert [names.free(name) for name in ("a.png", "A.png", "a.png", "missing.txt")] == [
        "a.png",
        "A (2).png",
        "a (3).png",
        "missing (2).txt",
    ]
    for bad in (
        "../../etc/passwd",
        "..",
        "a\\b.png",
        "C:x.png",
        "con.png",
        "NUL",
        "\n\u202e.png",
        "",
        " . ",
        "x" * 500 + ".png",
        "COM1.x.png",
    ):
        made = safe(bad)
        assert made and not set(made) & set('<>:"/\\|?*\n\u202e') and made not in (".", "..") and len(made) <= 180
        assert made.split(".")[0].lower() not in ("con", "nul", "com1")


# ------------------------------------------------------------------------------------------------ bare PNGs


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "P", "I;16", "1"])
def test_pixels_palette_transparency_and_profile_stay(mode: str) -> None:
    from PIL import ImageCms

    image = noise().convert("RGB").convert("L").convert("I;16") if mode == "I;16" else noise().convert(mode)
    texts = PngImagePlugin.PngInfo()
    texts.add_text("parameters", "secret")
    texts.add_itxt("atelier", "secret")
    texts.add_text("zipped", "secret" * 50, zip=True)
    exif = Image.Exif()
    exif[0x010E] = "secret"
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    stream = io.BytesIO()
    image.save(stream, "PNG", pnginfo=texts, exif=exif, icc_profile=profile, dpi=(72, 72))
    bare = b"".join(bare_png.pieces(io.BytesIO(stream.getvalue())))
    assert b"secret" not in bare and b"zipped" not in bare
    with Image.open(io.BytesIO(bare)) as opened:
        assert opened.tobytes() == image.tobytes() and opened.info["icc_profile"] == profile and not opened.getexif()


@pytest.mark.parametrize(
    "data", [b"", b"GIF89a", b"\x89PNG\r\n\x1a\n", b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", b"x" * 13) + b"\xff\xff\xff\xffIDATx"]
)
def test_what_is_no_whole_png_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"no PNG|ends early"):
        list(bare_png.pieces(io.BytesIO(data)))


# ------------------------------------------------------------------------------------------------ small versions


def test_a_small_version_is_made_once_and_lies_on_the_disk(tmp_path: Path) -> None:
    noise((640, 320)).save(tmp_path / "a.png")
    made = Thumbs(tmp_path / "thumbs").of("id", tmp_path / "a.png")
    with Image.open(io.BytesIO(made)) as image:
        assert image.size == (SIDE, SIDE // 2) and image.format == "WEBP"
    (tmp_path / "a.png").unlink()
    again = Thumbs(tmp_path / "thumbs")  # as after a start
    assert again.kept("id") == made == again.of("id", tmp_path / "a.png")
    assert oct((tmp_path / "thumbs").stat().st_mode & 0o77) == "0o0", "others of the machine do not look in"


@pytest.mark.parametrize("spoil", [lambda data: b"", lambda data: data[:-5], lambda data: b"\0" * len(data)], ids=["empty", "cut", "zeros"])
def test_a_small_version_that_is_not_whole_is_made_again(tmp_path: Path, spoil: object) -> None:
    noise().save(tmp_path / "a.png")
    thumbs = Thumbs(tmp_path / "thumbs")
    made = thumbs.of("id", tmp_path / "a.png")
    [file] = (tmp_path / "thumbs").rglob("*.webp")
    file.write_bytes(spoil(made))  # pyright: ignore[reportCallIssue]
    assert thumbs.kept("id") == b"" and thumbs.of("id", tmp_path / "a.png") == made == file.read_bytes()


def test_where_nothing_can_be_kept_a_small_version_is_shown_all_the_same(tmp_path: Path) -> None:
    noise().save(tmp_path / "a.png")
    (tmp_path / "thumbs").write_text("in the way")
    assert Thumbs(tmp_path / "thumbs").of("id", tmp_path / "a.png").startswith(b"RIFF")


def test_small_versions_do_not_grow_without_end(tmp_path: Path) -> None:
    noise().save(tmp_path / "a.png")
    folder = tmp_path / "thumbs"
    for number in range(12):
        Thumbs(folder, most=10).of(f"id{number}", tmp_path / "a.png")
        for age, file in enumerate(sorted(folder.rglob("*.webp"), key=lambda path: int(path.stem[2:]))):
            os.utime(file, (age, age))
    left = {int(path.stem[2:]) for path in folder.rglob("*.webp")}
    assert left == set(range(12 - len(left), 12)) and 9 <= len(left) <= 10
    assert not list(folder.rglob("*.part"))
