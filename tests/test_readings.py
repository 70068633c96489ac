"""A reading says how each value is known, and is taken over whole, in parts or not at all, by who asked for it alone."""

from __future__ import annotations

import io
import json
import struct
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from models.errors import UserError
from pipelines.images.exif_cost import costs_too_much
from pipelines.requests.groups import GROUPS
from pipelines.requests.request import ImageToImage, TextToImage
from pipelines.resolving.rebind import rebind
from pipelines.services.readings import OF_ONE
from pipelines.studio import Studio
from tests.support import foreign_files as files
from tests.support.asked import drawing
from tests.support.doors import RunningDoor
from tests.support.foreign_files import A1111, COMMENT, comfy_graph, png, stealth, told, with_exif
from tests.support.picture_files import chunk, grown, saved, zeros
from tests.support.picture_files import png as png_bytes
from tests.support.toys import toy_studio
from tests.test_resolve import Shelf, entry

pytest_plugins = ("tests.support.door_fixtures",)
ME, YOU = "me", "you"
COOKIE = {"Cookie": "atelier_user=" + "m" * 22}
BYTES, TEXT = {"Content-Type": "application/octet-stream"}, {"Content-Type": "text/plain"}


@pytest.fixture
def studio(tmp_path: Path) -> Iterator[Studio]:
    made = toy_studio(tmp_path, start=False)
    yield made
    made.close()


def values(news: Any) -> dict[str, tuple[str, str]]:
    return {value["name"]: (value["shown"], value["how"]) for value in news["values"]}


def test_each_value_says_how_it_is_known(studio: Studio) -> None:
    news = studio.readings.of_file(png({"prompt": told(comfy_graph(sampler_name="seeds_3"))}), ME)
    found = values(news)
    assert (news["program"], news["kind"], news["words_alone"]) == ("ComfyUI", "txt2img", False)
    assert found["prompt"] == (files.WORDS, "read") and found["seed"] == ("4711", "read")
    assert found["sampler"] == ("DPM++ 3M SDE", "guessed")
    assert {value["group"] for value in news["values"]} <= {group.title for group in GROUPS}
    assert [value["why"] for value in news["values"] if value["how"] == "read"] == [""] * (len(found) - 1)


def test_what_nothing_here_stands_for_is_listed(studio: Studio) -> None:
    news = studio.readings.of_text(told(files.INVOKE), ME)
    assert news["unknown"] == [{"name": "seamless_x", "shown": "True"}]
    assert any("seamless_x" in note for note in news["notes"])


def test_a_missing_model_is_named_with_its_hash_and_the_form_keeps_its_own(studio: Studio) -> None:
    news = studio.readings.of_text(f"{A1111}v1.10.1", ME)
    assert news["models"] == [{"field": "checkpoint", "name": "meadow", "hash": files.SHA[:10], "here": "", "how": "missing"}]
    assert "checkpoint" not in values(news) and any("the form keeps its own" in note for note in news["notes"])
    assert "checkpoint" in studio.readings.taken(news["id"], ME)[1]
    assert "checkpoint" in studio.readings.taken(news["id"], ME, ["checkpoint", "seed"])[1]


MODELS = [
    ({"Model": "meadow", "Model hash": "a" * 10}, "hash", "grass"), ({"Model": "grass"}, "name", "grass"),
    ({"Model": "grass", "Model hash": "b" * 10}, "another", "grass"), ({"Model": "meadow", "Model hash": "b" * 10}, "missing", ""),
]  # fmt: skip


@pytest.mark.parametrize(("made_with", "how", "called"), MODELS)
def test_a_model_is_found_by_content_then_by_name_and_it_is_said_which(made_with: dict[str, str], how: str, called: str) -> None:
    shelf = Shelf([entry("checkpoint", "starter"), entry("checkpoint", "grass", hash="a" * 64)])
    [binding] = rebind(TextToImage(), made_with, shelf, ids=False).bindings
    assert (binding.place, binding.how, binding.called) == ("Model", how, called)


def test_all_a_group_or_one_value_is_taken(studio: Studio) -> None:
    reading = studio.readings.of_file(png({"parameters": f"{A1111}v1.10.1"}), ME)["id"]
    request, leave = studio.readings.taken(reading, ME)
    assert leave == ("checkpoint",) and drawing(request).seed == files.SEED
    request, leave = studio.readings.taken(reading, ME, ["sampler", "schedule"])
    assert {"seed", "prompt", "loras", "checkpoint"} <= {*leave} and not {"sampler", "schedule"} & {*leave}


def test_of_a_bare_prompt_the_words_alone_are_taken(studio: Studio) -> None:
    news = studio.readings.of_text("a red house", ME)
    request, leave = studio.readings.taken(news["id"], ME)
    assert news["words_alone"] and news["notes"] == [] and news["models"] == []
    assert "prompt" not in leave and {"seed", "negative_prompt", "checkpoint"} <= {*leave} and request.words == "a red house"


def test_a_reading_is_for_who_asked_and_is_forgotten_in_time(studio: Studio) -> None:
    first = studio.readings.of_text("a", ME)["id"]
    for reading_id, user in ((first, YOU), ("x" * 22, ME), ("", ME)):
        with pytest.raises(UserError, match="not kept any more"):
            studio.readings.taken(reading_id, user)
    for _ in range(OF_ONE):
        studio.readings.of_text("b", ME)
        studio.readings.of_text("b", YOU)
    with pytest.raises(UserError, match="not kept any more"):
        studio.readings.taken(first, ME)


def test_reading_stores_nothing(studio: Studio, tmp_path: Path) -> None:
    before = sorted(tmp_path.rglob("*"))
    studio.readings.of_file(png({"parameters": f"{A1111}v1.10.1"}), ME)
    assert [path for path in sorted(tmp_path.rglob("*")) if path not in before and path.suffix == ".png"] == []


def test_what_fills_a_form_is_the_same_reading(studio: Studio) -> None:
    data = png({"prompt": told(comfy_graph())})
    news = studio.readings.of_file(data, ME)
    at_once, looked_at = studio.settings(data, ME).request, studio.readings.taken(news["id"], ME)[0]
    assert at_once == looked_at and drawing(at_once).seed == files.SEED


def test_its_own_input_picture_is_found_again_for_who_has_it(studio: Studio) -> None:
    mine = studio.uploads.picture(png({}), ME).id
    text = json.dumps({"version": 1, "request": {"kind": "img2img", "prompt": "x", "seed": 1, "image": mine}})
    request = studio.readings.taken(studio.readings.of_text(text, ME)["id"], ME)[0]
    assert isinstance(request, ImageToImage) and request.image == mine
    assert getattr(studio.readings.taken(studio.readings.of_text(text, YOU)["id"], YOU)[0], "image") == ""  # noqa: B009


@pytest.mark.parametrize(
    "data", [f"{A1111}v1.10.1".encode(), b"\xef\xbb\xbf" + told(comfy_graph()).encode(), told(files.SWARM).encode("utf-16")]
)
def test_a_file_of_text_is_read_as_if_it_were_pasted(studio: Studio, data: bytes) -> None:
    assert values(studio.readings.of_file(data, ME))["seed"] == ("4711", "read")


@pytest.mark.parametrize("data", [b"", b"\0\1\2\3" * 100, b"%PDF-1.7\xff\xfe", b"\xff" * 100, png({}), b"a" * 5_000_000])
def test_a_file_that_says_nothing_is_refused_in_a_sentence(studio: Studio, data: bytes) -> None:
    with pytest.raises(UserError) as refused:
        studio.readings.of_file(data, ME)
    assert str(refused.value).endswith(".")


# ------------------------------------------------------------------------------------------------ hostile files


def webp_with_exif(exif: bytes) -> bytes:
    return saved(Image.new("RGB", (8, 8)), "WEBP", exif=exif)


def directory(count: int, size: int) -> bytes:
    """EXIF whose directory has so many entries, each of which says that its value has so many bytes."""
    entries = b"".join(struct.pack("<HHII", 0x9000 + number % 0x400, 7, size, 26) for number in range(count))
    return b"Exif\0\0II*\0" + struct.pack("<IH", 8, count) + entries + bytes(64)


def jpeg_with_exif(exif: bytes) -> bytes:
    """Over as many segments as it takes, and without the head in which a resolution would stand: so Pillow asks EXIF for one."""
    plain = saved(Image.new("RGB", (8, 8)), "JPEG")
    bodies = [b"Exif\0\0" + exif[6:][place : place + 60_000] for place in range(0, len(exif), 60_000)]
    segments = [b"\xff\xe1" + (len(body) + 2).to_bytes(2) + body for body in bodies]
    return plain[:2] + b"".join(segments) + plain[20:]


def circle() -> bytes:
    """EXIF whose directory is its own next one, and its own sub-directory."""
    return b"Exif\0\0II*\0" + struct.pack("<IHHHIII", 8, 1, 0x8769, 4, 1, 8, 8)


def packed(name: bytes, count: int) -> bytes:
    return png_bytes(8, 8, b"\0" * (8 * 25), 8, 2, chunk(b"zTXt", name + b"\0\0" + zeros(count)))


HOSTILE: dict[str, Callable[[], bytes]] = {
    "a comment of 6 MB": lambda: with_exif("WEBP", {COMMENT: b"UNICODE\0" + b"a\0" * 3_000_000}),
    "EXIF of 8 MB": lambda: webp_with_exif(b"Exif\0\0II*\0" + b"\xff" * 8_000_000),
    "a directory of 65,000 entries": lambda: webp_with_exif(directory(65_000, 2**31)),
    "entries of all its bytes": lambda: webp_with_exif(directory(60_000, 700_000)),
    "entries of all a JPEG": lambda: jpeg_with_exif(directory(60_000, 700_000)),
    "a directory in a circle": lambda: webp_with_exif(circle()),
    "a bomb": lambda: packed(b"prompt", 100_000_000), "a bomb by another name": lambda: packed(b"invokeai_metadata", 100_000_000),
    "many texts": lambda: png_bytes(8, 8, b"\0" * 200, 8, 2, *[chunk(b"tEXt", b"a%d\0x" % number) for number in range(200_000)]),
    "XMP of 30 MB": lambda: saved(Image.new("RGB", (8, 8)), "WEBP", xmp=b"<rdf:li>" * 4_000_000),
    "XMP that never ends": lambda: saved(Image.new("RGB", (8, 8)), "WEBP", xmp=b"<rdf:li " + b"<rdf:li x" * 100_000),
    "JSON of 50 MB": lambda: b'{"prompt": "' + b"x" * 50_000_000 + b'"}', "50 MB of brackets": lambda: b'{"a":' * 10_000_000,
    "text that is called a picture": lambda: b"\x89PNG\r\n\x1a\n" + b"Steps: 20, Sampler: Euler, Seed: 5" * 1000,
    "chunks that lie": lambda: b"\x89PNG\r\n\x1a\n" + b"\0\0\0\0IDAT" * 1_000_000,
    "a huge alpha": lambda: saved(Image.new("RGBA", (5000, 5000)), "PNG"),
    "a stealthy bomb": lambda: stealth_bomb(),
}  # fmt: skip


def stealth_bomb() -> bytes:
    """64 MB of zeros, packed into the lowest bits of a small picture."""
    return stealth("\0" * 64_000_000, (800, 800))


@pytest.mark.parametrize("name", HOSTILE)
def test_a_file_that_is_made_to_break_the_reading_costs_little_and_ends_in_a_sentence(studio: Studio, name: str) -> None:
    data = HOSTILE[name]()
    began = time.process_time()

    def read() -> None:
        with suppress(UserError):
            studio.readings.of_file(data, ME)

    assert grown(read) < 250
    assert time.process_time() - began < 5  # a second or so


def test_exif_that_claims_more_than_it_holds_is_not_opened_and_any_other_is() -> None:
    evil = directory(60_000, 700_000)
    for data in (jpeg_with_exif(evil), bytes(4) + b"ftypavif" + bytes(100) + evil):
        assert costs_too_much(io.BytesIO(data))
    sound = [made() for _, _, made in files.FILES] + [saved(Image.new("RGB", (8, 8)), "JPEG"), webp_with_exif(evil), b"", b"\xff\xd8"]
    assert not any(costs_too_much(io.BytesIO(data)) for data in sound)


# ------------------------------------------------------------------------------------------------ over HTTP


def test_anybody_who_was_let_in_may_have_a_file_or_a_text_read(studio_door: RunningDoor) -> None:
    guest = COOKIE | {"Host": f"lan.test:{studio_door.port}"}
    answer = studio_door.ask("POST", "/reading", png({"prompt": told(comfy_graph())}), BYTES | guest)
    assert answer.status == 200 and values(answer.json())["seed"] == ("4711", "read")
    answer = studio_door.ask("POST", "/reading", b"a red house", TEXT | guest)
    assert answer.json()["words_alone"] and len(answer.json()["id"]) == 22
    studio_door.check()


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (b"x", {"Content-Type": "application/json"}, 415), (b"", TEXT, 422), (b"\0", BYTES, 422),
        (json.dumps({"kind": "txt2img", "sampler": "\ud800"}).encode(), TEXT, 422),
        (json.dumps(files.INVOKE | {"model": {"name": "\udfff"}, "app_version": "\ud800", "\ud801": "\ud802"}).encode(), TEXT, 200),
        (b"x", BYTES | {"Content-Length": str(2**26 + 1)}, 413), (b"<script>alert(1)</script>", TEXT, 200),
    ],
)  # fmt: skip
def test_whatever_is_sent_is_a_reading_or_a_sentence(studio_door: RunningDoor, body: bytes, headers: dict[str, str], status: int) -> None:
    answer = studio_door.ask("POST", "/reading", body, headers | COOKIE)
    assert answer.status == status, answer.text
    assert answer.headers["content-type"] == "application/json"
    studio_door.check()
