"""The depth tab without a browser: every field is shown, the door takes maps and shows them edited, and what drives is found by rule."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pipelines import Depth, Studio
from pipelines.depth.strokes import painted
from pipelines.services.preflight import preflight
from tests.support.depth_toys import bright_is_near, with_depth_models
from tests.support.doors import Answer, RunningDoor
from tests.support.toys import toy_studio
from ui import page
from ui.door.roles import declared
from ui.parts.depth_map import DepthMapHandlers, estimated

pytest_plugins = ("tests.support.door_fixtures",)
ME = {"Cookie": "atelier_user=" + "m" * 22}
YOU = {"Cookie": "atelier_user=" + "y" * 22}
FILE = {"Content-Type": "application/octet-stream"}
ONE = "a" * 64


def ramp(width: int = 64, height: int = 48) -> Image.Image:
    """16 bits, from far on the left to near on the right, in steps that 8 bits do not have."""
    return Image.fromarray(np.tile(np.linspace(0, 65_535, width).astype(np.uint16), (height, 1)))


def saved(image: Image.Image) -> bytes:
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


@pytest.fixture
def studio(tmp_path: Path) -> Iterator[Studio]:
    made = toy_studio(tmp_path, start=False)
    yield made
    made.close()


# ---- the form ---------------------------------------------------------------------------------------------------------------------


def test_every_field_of_the_request_is_shown(studio: Studio) -> None:
    shown = {getattr(block, "elem_id", "") for block in page(studio).blocks.values()}
    assert {f"depth-{item.name}" for item in fields(Depth) if not item.metadata["derived"]} <= shown


def test_the_tab_begins_with_a_checkpoint_that_reads_depth(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    with_depth_models(studio, monkeypatch)
    chosen: dict[str, Any] = {getattr(block, "elem_id", ""): block for block in page(studio).blocks.values()}
    assert chosen["depth-checkpoint"].value == "starter-depth"
    assert chosen["txt2img-checkpoint"].value == "starter"


def test_what_the_script_asks_the_server_serves_who_looks_and_what_draws_serves_artists(studio: Studio) -> None:
    desk = DepthMapHandlers(studio)
    assert [declared(handler) for handler in (desk.estimators, desk.estimate)] == ["viewer", "artist"]


# ---- over HTTP --------------------------------------------------------------------------------------------------------------------


@pytest.fixture
def door(studio_door: RunningDoor) -> Iterator[RunningDoor]:
    yield studio_door
    studio_door.check()


def put(door: RunningDoor, data: bytes, asked: str = "as=depth", headers: dict[str, str] = ME) -> Answer:
    return door.ask("POST", f"/input?{asked}", data, FILE | headers)


def view(door: RunningDoor, headers: dict[str, str] = ME, **values: Any) -> Answer:
    return door.post_json("/depth/view", {"width": 64, "height": 64} | values, headers)


def pixels(answer: Answer) -> Any:
    assert (answer.status, answer.headers["content-type"]) == (200, "image/png"), answer.body
    return np.asarray(Image.open(io.BytesIO(answer.body))).astype(int)


def shown(door: RunningDoor, map_id: str) -> Image.Image:
    return Image.open(io.BytesIO(door.ask("GET", f"/input/{map_id}.png", headers=ME).body))


def test_a_map_of_16_bits_comes_back_with_every_step(door: RunningDoor) -> None:
    taken = put(door, saved(ramp())).json()
    assert (taken["width"], taken["height"]) == (64, 48)
    back = shown(door, taken["id"])
    assert back.mode == "I;16" and np.array_equal(np.asarray(back), np.asarray(ramp()))


def test_the_view_is_the_edited_map_at_the_size_that_is_drawn(door: RunningDoor) -> None:
    map_id = put(door, saved(ramp())).json()["id"]
    plain = pixels(view(door, map=map_id, resize_mode="Stretch"))
    assert plain.shape == (64, 64)
    assert np.array_equal(pixels(view(door, map=map_id, resize_mode="Stretch", map_inverted=True)), 255 - plain)
    cut = pixels(view(door, map=map_id, resize_mode="Stretch", cut_off=0.5))
    assert np.array_equal(cut == 0, plain < 128)
    bright = pixels(view(door, map=map_id, resize_mode="Stretch", near=0.5, curve=2.0))
    assert np.abs(bright - 255 * np.clip(2 * plain / 255, 0, 1) ** 2).max() <= 3
    assert np.asarray(Image.open(io.BytesIO(view(door, map=map_id, width=96, height=72).body))).shape == (72, 96)


def test_nobody_sees_the_map_of_another_person_edited_or_not(door: RunningDoor) -> None:
    map_id = put(door, saved(ramp(70))).json()["id"]
    for headers in (YOU, {}):
        answer = view(door, headers, map=map_id)
        assert (answer.status, "not stored here" in answer.json()["message"]) == (422, True)
        assert "not stored here" in put(door, saved(ramp()), f"as=depth&over={map_id}", headers).json()["message"]
    assert view(door, ME, map=map_id).status == 200


@pytest.mark.parametrize(
    "values",
    [{}, {"map": ""}, {"map": "../x"}, {"map": 5}, {"map": ONE}, {"near": 2}, {"curve": "1"}, {"width": 10**9}, {"prompt": "a tree"},
     {"resize_mode": "Stretch latents"}, {"width": 4096, "height": 4096}],
)  # fmt: skip
def test_a_view_that_cannot_be_made_is_a_sentence(door: RunningDoor, values: dict[str, Any]) -> None:
    answer = view(door, **values)
    assert answer.status == 422 and answer.json()["message"].endswith((".", "!"))


@pytest.mark.parametrize("body", [b"[1]", b"5", b"null", b'"x"'])
def test_what_is_no_set_of_values_is_refused(door: RunningDoor, body: bytes) -> None:
    assert door.ask("POST", "/depth/view", body, ME | {"Content-Type": "application/json"}).status == 422


def test_another_site_sees_no_map(door: RunningDoor) -> None:
    map_id = put(door, saved(ramp())).json()["id"]
    assert view(door, ME | {"Origin": "http://evil.test"}, map=map_id).status == 403
    assert door.ask("POST", "/depth/view", b"map", ME | {"Content-Type": "text/plain"}).status == 415


def test_a_stranger_brings_and_sees_no_map(locked_door: RunningDoor) -> None:
    assert put(locked_door, saved(ramp())).status == 401
    assert view(locked_door, map=ONE).status == 401


@pytest.mark.parametrize("data", [b"", b"not a picture", b"\x76\x2f\x31\x01" + bytes(40), saved(ramp())[:60]])
def test_what_is_no_map_is_a_sentence(door: RunningDoor, data: bytes) -> None:
    answer = put(door, data)
    assert answer.status == 422 and answer.json()["message"].endswith(".")


def test_strokes_change_the_map_where_they_are_and_nowhere_else(door: RunningDoor) -> None:
    map_id = put(door, saved(ramp())).json()["id"]
    strokes = Image.new("RGBA", (64, 48))
    strokes.paste((255, 255, 255, 255), (0, 0, 8, 48))
    taken = put(door, saved(strokes), f"as=depth&over={map_id}").json()
    found = np.asarray(shown(door, taken["id"]))
    assert (found[:, :8] == 65_535).all() and np.array_equal(found[:, 8:], np.asarray(ramp())[:, 8:])


# ---- strokes ----------------------------------------------------------------------------------------------------------------------


def test_half_covered_pixels_lie_half_way_between_map_and_stroke() -> None:
    strokes = Image.new("RGBA", (64, 48), (200, 200, 200, 128))
    found = np.asarray(painted(ramp(), saved(strokes)), np.float64) / 65_535
    wanted = np.asarray(ramp(), np.float64) / 65_535 * (1 - 128 / 255) + 200 / 255 * 128 / 255
    assert np.abs(found - wanted).max() < 1.5 / 255  # the stroke has 8 bits


def test_strokes_on_a_large_map_may_be_smaller_than_it() -> None:
    strokes = Image.new("RGBA", (16, 12))
    strokes.paste((0, 0, 0, 255), (8, 0, 16, 12))
    found = np.asarray(painted(ramp(), saved(strokes)))
    assert (found[:, 40:] == 0).all() and np.array_equal(found[:, :24], np.asarray(ramp())[:, :24])


# ---- estimating -------------------------------------------------------------------------------------------------------------------


def test_an_estimate_is_a_map_of_this_person(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(studio.control, "annotated", lambda key, work, *_: work(None))
    bright_is_near(studio, monkeypatch)
    image = studio.uploads.picture(saved(Image.linear_gradient("L").convert("RGB")), "me").id
    found: Any = estimated(studio, {"image": image, "estimator": "Starter depth"}, "me")
    kept = studio.uploads.inputs.open(found["id"], "")
    assert (found["width"], found["height"], kept.mode) == (256, 256, "I;16") and kept.getextrema() == (0, 65_535)
    assert studio.uploads.find(found["id"], "me") and not studio.uploads.find(found["id"], "you")
    refused: Any = estimated(studio, {"image": image, "estimator": "Starter depth"}, "you")
    assert "not stored here" in refused["message"]


def test_why_there_is_no_estimate_is_a_sentence(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    for asked in (None, [], {"image": ONE, "path": "/etc"}, {"image": "x"}, {"image": ONE, "estimator": 5}, {"estimator": "Canny"}):
        refused: Any = estimated(studio, asked, "me")
        assert refused["message"].endswith(".")
    bright_is_near(studio, monkeypatch, "Put the weights there.")
    assert estimated(studio, {"image": ONE, "estimator": "MiDaS"}, "me") == {"message": "Put the weights there."}


# ---- before a run -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "picture", "said"),
    [
        ({}, None, "Put a picture in, or bring a depth map."),
        ({"map": ONE}, None, "At strength 1 the depth map is enough; a picture is not needed."),
        ({"map": ONE, "denoising_strength": 0.5}, None, "Below strength 1 the colours of a picture count too"),
        ({}, (64, 64), "Its depths are estimated by Starter depth first."),
        ({"map": ONE, "resize_mode": "Fill"}, (64, 32), "Your picture, 64 × 32, is filled out to 64 × 64."),
        ({"map": ONE, "far": 0.6, "near": 0.5}, (64, 64), "“Far” lies in front of “Near”"),
    ],
)
def test_what_a_run_with_a_map_will_do_is_said(values: dict[str, Any], picture: Any, said: str) -> None:
    steps, *lines = preflight(Depth(width=64, height=64, **values), picture).lines
    assert "steps will run" in steps
    assert any(line.startswith(said) for line in lines), lines


def test_with_a_picture_and_its_map_there_is_nothing_more_to_say() -> None:
    assert len(preflight(Depth(width=64, height=64, map=ONE), (64, 64)).lines) == 1
