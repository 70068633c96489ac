"""Pictures and masks over HTTP: whatever is sent becomes an input of the one who sent it, or a sentence."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.support.doors import Answer, RunningDoor
from ui.door.bodies import Limits

pytest_plugins = ("tests.support.door_fixtures",)
ME = {"Cookie": "atelier_user=" + "m" * 22}
YOU = {"Cookie": "atelier_user=" + "y" * 22}
FILE = {"Content-Type": "application/octet-stream"}


@pytest.fixture
def door(studio_door: RunningDoor) -> Iterator[RunningDoor]:
    yield studio_door
    studio_door.check()


def noise(size: tuple[int, int] = (40, 30), seed: int = 0) -> Image.Image:
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3)).astype(np.uint8))


def saved(image: Image.Image, kind: str = "PNG") -> bytes:
    file = io.BytesIO()
    image.save(file, kind)
    return file.getvalue()


def put(door: RunningDoor, data: bytes, asked: str = "as=picture", headers: dict[str, str] = ME) -> Answer:
    return door.ask("POST", f"/input?{asked}", data, FILE | headers)


def refused(door: RunningDoor, data: bytes, asked: str = "as=picture") -> str:
    answer = put(door, data, asked)
    said = answer.json()["message"]
    assert answer.status == 422, said
    assert said[0].isupper() and said.endswith(".")
    return said


def header_of(width: int, height: int) -> bytes:
    """The beginning of a PNG of that size."""
    body = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + body + struct.pack(">I", zlib.crc32(body))


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def zeros(millions: int) -> bytes:
    packer = zlib.compressobj(1)
    return b"".join(packer.compress(bytes(1_000_000)) for _ in range(millions)) + packer.flush()


def test_a_picture_that_was_put_in_comes_back_pixel_by_pixel(door: RunningDoor) -> None:
    taken = put(door, saved(noise())).json()
    assert (taken["width"], taken["height"], taken["notes"], taken["mask"]) == (40, 30, [], "")
    shown = door.ask("GET", f"/input/{taken['id']}.png", headers=ME)
    assert (shown.status, shown.headers["content-type"], shown.headers["x-content-type-options"]) == (200, "image/png", "nosniff")
    assert "sandbox" in shown.headers["content-security-policy"]
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(shown.body))), np.asarray(noise()))


def test_a_mask_comes_at_the_size_of_its_picture(door: RunningDoor) -> None:
    mask = Image.new("L", (80, 60))
    mask.paste(255, (0, 0, 40, 60))
    taken = put(door, saved(mask), "as=mask&width=40&height=30").json()
    assert (taken["width"], taken["height"]) == (40, 30)
    assert "scaled" in taken["notes"][0]
    shown = Image.open(io.BytesIO(door.ask("GET", f"/input/{taken['id']}.png", headers=ME).body))
    assert (shown.mode, shown.size, shown.getpixel((0, 0)), shown.getpixel((39, 0))) == ("L", (40, 30), 255, 0)


def test_nobody_else_sees_or_uses_a_picture(door: RunningDoor) -> None:
    taken = put(door, saved(noise(seed=7))).json()
    values: dict[str, Any] = {"steps": 1, "width": 64, "height": 64, "image": taken["id"]}
    for headers in (YOU, {}):
        assert door.ask("GET", f"/input/{taken['id']}.png", headers=headers).status == 404
    for headers, outcome in ((YOU, "error"), (ME, "complete")):
        joined = door.post_json("/gradio_api/call/v2/img2img", values, headers)
        found, said = door._events("img2img", joined, headers, 20)
        assert found == outcome, said
        if outcome == "error":
            assert "not stored here any more" in said["error"]
        else:
            assert door.finish(said[0], headers)["state"] == "done"


@pytest.mark.parametrize("kind", ["application/json", "image/png", "multipart/form-data; boundary=x", "text/plain", "", None,
                                  "application/x-www-form-urlencoded"])  # fmt: skip
def test_only_the_file_itself_is_taken(door: RunningDoor, kind: str | None) -> None:
    headers = ME if kind is None else ME | {"Content-Type": kind}
    answer = door.ask("POST", "/input?as=picture", saved(noise()), headers)
    assert (answer.status, "application/octet-stream" in answer.json()["message"]) == (415, True)


@pytest.mark.parametrize("foreign", [{"Origin": "http://evil.test"}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"}])
def test_another_site_can_put_nothing_in_and_take_nothing_out(door: RunningDoor, foreign: dict[str, str]) -> None:
    assert put(door, saved(noise()), headers=ME | foreign).status == 403
    taken = put(door, saved(noise())).json()["id"]
    assert door.ask("GET", f"/input/{taken}.png", headers=ME | foreign).status == 403


def test_more_than_the_limit_is_refused_before_it_is_sent(door: RunningDoor) -> None:
    before = door.memory()
    answer = door.ask("POST", "/input?as=picture", b"x", ME | FILE | {"Content-Length": str(Limits().upload + 1)})
    assert (answer.status, "64 MB" in answer.json()["message"]) == (413, True)
    assert door.memory() - before < 20e6


@pytest.mark.parametrize(("width", "height"), [(13_000, 13_000), (20_000, 20_000), (65_500, 65_500), (1_000_000, 1_000_000)])
def test_b21_a_picture_that_is_far_too_large_is_refused_by_its_header(door: RunningDoor, width: int, height: int) -> None:
    before = door.memory()
    data = header_of(width, height) + chunk(b"IDAT", zeros(20)) + chunk(b"IEND", b"")
    said = refused(door, data)
    assert f"{width:,} x {height:,}" in said and "megapixels" in said
    assert "megapixels" in refused(door, data, "as=mask&width=64&height=64")
    assert door.memory() - before < 50e6


def test_b22_texts_that_unpack_without_end_cost_nothing(door: RunningDoor) -> None:
    whole = saved(noise())
    bomb = chunk(b"zTXt", b"Comment\0\0" + zeros(300)) + chunk(b"iCCP", b"ICC\0\0" + zeros(100))
    before = door.memory()
    assert put(door, whole[:33] + bomb + whole[33:]).status == 200
    assert door.memory() - before < 100e6


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "empty"), (b"<!doctype html><html><script>alert(1)", "web page"), (b'<svg xmlns="http://www.w3.org/2000/svg"/>', "SVG"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n", "EPS"), (b"8BPS\0\1", "Photoshop"), (b"%PDF-1.7\n", "PDF"), (saved(noise(), "TIFF"), "TIFF"),
        (saved(noise())[:700], "incomplete or damaged"), (b"GIF89a", "damaged"), (b"{}", "not a picture"), (bytes(1000), "not a picture"),
        (b"\x89PNG\r\n\x1a\n", "damaged"), (header_of(0, 64), "no pixels"),
    ],
)  # fmt: skip
def test_b23_what_is_no_picture_is_named(door: RunningDoor, data: bytes, said: str) -> None:
    assert said in refused(door, data)
    assert said in refused(door, data, "as=mask&width=40&height=30")


@pytest.mark.parametrize(
    "asked",
    ["", "as=mask", "as=mask&width=40", "as=mask&width=0&height=5", "as=mask&width=-4&height=5", "as=mask&width=4e3&height=5",
     "as=mask&width=%D9%A3&height=5", "as=mask&width=99999&height=99999", "as=mask&width=1&height=123456", "as=mask&width=²&height=1",
     "as=picture%00", "as=Picture", "as=../x"],
)  # fmt: skip
def test_it_must_be_said_what_a_file_is(door: RunningDoor, asked: str) -> None:
    assert "mask" in refused(door, saved(noise()), asked.replace("²", "%C2%B2"))


@pytest.mark.parametrize(
    "name",
    [
        "x",
        "0" * 64,
        "A" * 64,
        "%2e%2e%2f%2e%2e%2fstudio",
        "..%2f..%2f..%2fetc%2fpasswd",
        "0" * 63 + "%00",
        "0" * 64 + "%0a",
        "%F0%9F%90%88",
    ],
)
def test_a_name_that_is_no_picture_of_ours_finds_nothing(door: RunningDoor, name: str) -> None:
    put(door, saved(noise()))
    answer = door.ask("GET", f"/input/{name}.png", headers=ME)
    assert answer.status == 404
    assert "message" in answer.json() or "detail" in answer.json()


def test_the_folder_of_inputs_is_not_listed_and_its_files_have_no_other_address(door: RunningDoor) -> None:
    taken = put(door, saved(noise())).json()["id"]
    for path in ("/input", "/input/", f"/input/{taken}", f"/input/{taken[:2]}/{taken}.png", f"/input/../.inputs/{taken[:2]}/{taken}.png"):
        assert door.ask("GET", path, headers=ME).status in (404, 405), path
    file = door.folder / "outputs" / ".inputs" / taken[:2] / f"{taken}.png"
    assert file.is_file()
    assert door.ask("GET", f"/gradio_api/file={file}", headers=ME).status == 403


def test_a_stranger_puts_nothing_in_and_sees_nothing(locked_door: RunningDoor) -> None:
    assert put(locked_door, saved(noise())).status == 401
    assert locked_door.ask("GET", f"/input/{'0' * 64}.png", headers=ME).status == 401
    assert not list((locked_door.folder / "outputs").glob(".inputs/*"))
