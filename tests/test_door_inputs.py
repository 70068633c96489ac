"""Bad inputs (cases B01 to B12): whatever is sent to Generate becomes a picture or a sentence that names the field."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from models.errors import UserError
from pipelines import TextToImage
from pipelines.jobs.outputs import read
from pipelines.prompts import chunk, count, load_tokenizer, parse_weights
from pipelines.requests.request import SAMPLER_NAMES, SCHEDULE_NAMES, SEEDS, Request
from tests.support.asked import drawing
from tests.support.doors import RunningDoor
from tests.support.toys import FAR_TOO_LONG, toy_model_folder

pytest_plugins = ("tests.support.door_fixtures",)
ME = {"Cookie": "atelier_user=" + "b" * 22}
SMALL = {"steps": 1, "width": 64, "height": 64}


@pytest.fixture
def door(studio_door: RunningDoor) -> Iterator[RunningDoor]:
    yield studio_door
    assert studio_door.ask("GET", "/current", headers=ME).json()["job"] is None
    studio_door.check()


def drawn(door: RunningDoor, **values: Any) -> Request:
    """The request inside the PNG that the server sends for these values."""
    outcome, said = door.run(SMALL | values, ME)
    assert outcome == "complete", said
    progress = door.finish(said[0], ME)
    assert progress["state"] == "done", progress
    return read(door.ask("GET", f"/picture/{progress['pictures'][0]['id']}.png", headers=ME).body)


def refused(door: RunningDoor, **values: Any) -> str:
    """The sentence with which these values are refused."""
    outcome, said = door.run(SMALL | values, ME)
    assert outcome == "error", said
    assert isinstance(said["error"], str)
    assert len(said["error"]) > 10
    return said["error"]


def refused_outright(**values: Any) -> str:
    with pytest.raises(UserError) as caught:
        TextToImage.admit(values)
    return str(caught.value)


def test_b01_an_empty_prompt_draws(door: RunningDoor) -> None:
    assert drawing(drawn(door, prompt="")).prompt == ""


@pytest.mark.parametrize("prompt", [None, 5, {}, ["a"], True, {"path": None}, 1.5])
def test_b02_a_prompt_that_is_no_text_is_refused(door: RunningDoor, prompt: Any) -> None:
    assert "text" in refused(door, prompt=prompt)
    assert "must be text" in refused_outright(prompt=prompt)


@pytest.mark.parametrize(
    ("prompt", "kept"),
    [
        ("👩‍👩‍👧‍👦 and 🏳️‍🌈", "👩‍👩‍👧‍👦 and 🏳️‍🌈"),
        ("abc\u202edef", "abc\u202edef"),
        ("a\0b", "ab"),
        ("a\ud83db", "ab"),
        ("e\u0301", "é"),
        ("\ufeffx\u2028y", "\ufeffx\u2028y"),
    ],
)
def test_b03_text_of_every_kind_comes_back_from_the_png(door: RunningDoor, prompt: str, kept: str) -> None:
    assert drawing(drawn(door, prompt=prompt)).prompt == kept


def test_b04_ten_thousand_words_draw_and_are_counted(door: RunningDoor, tmp_path: Path) -> None:
    prompt = "house " * 10_000
    began = time.monotonic()
    assert drawing(drawn(door, prompt=prompt)).prompt == prompt
    assert time.monotonic() - began < FAR_TOO_LONG
    tokenizer = load_tokenizer(toy_model_folder(tmp_path) / "tokenizer")
    found = count(tokenizer, prompt)
    assert found.tokens == 10_000
    assert len(found.cuts) == 10_000 // 75


def test_b05_ten_megabytes_are_too_much_at_once(door: RunningDoor) -> None:
    before, began = door.memory(), time.monotonic()
    answer = door.post_json("/gradio_api/call/v2/txt2img", SMALL | {"prompt": "x" * 10_000_000}, ME)
    assert (answer.status, "2 MB" in answer.json()["message"]) == (413, True)
    assert time.monotonic() - began < FAR_TOO_LONG
    assert door.memory() - before < 20e6


def test_b05_a_prompt_of_more_characters_than_its_limit_says_how_many(door: RunningDoor) -> None:
    assert "100,000 is the most" in refused(door, prompt="x" * 100_001)


@pytest.mark.parametrize(
    "prompt",
    [
        "(" * 5000,
        ")" * 5000,
        "(" * 5000 + "x" + ")" * 5000,
        "[a:b",
        "[[[a|b",
        "(a:1e9)",
        "(a:nan)",
        "(a:-inf)",
        "((a:9)b:9)" * 300,
        "\\(" * 999,
        "BREAK " * 999,
    ],
)
def test_b06_brackets_without_end_are_read_quickly_and_weights_stay_sane(door: RunningDoor, prompt: str, tmp_path: Path) -> None:
    tokenizer = load_tokenizer(toy_model_folder(tmp_path) / "tokenizer")
    began = time.process_time()
    runs = parse_weights(prompt)
    chunk(tokenizer, prompt)
    assert time.process_time() - began < FAR_TOO_LONG
    assert all(-10 <= run.weight <= 10 for run in runs)
    assert drawing(drawn(door, prompt=prompt)).prompt == prompt


@pytest.mark.parametrize("steps", [0, -1, 151, 1001, 1.5, "3", True, [], {}, "", 10**30])
def test_b07_steps_are_a_whole_number_from_1_to_150(door: RunningDoor, steps: Any) -> None:
    assert refused(door, steps=steps).startswith("Steps must be")
    assert refused_outright(steps=steps).startswith("Steps must be")


@pytest.mark.parametrize("sampler", SAMPLER_NAMES)
def test_b08_one_step_is_enough_for_every_sampler(door: RunningDoor, sampler: str) -> None:
    assert drawing(drawn(door, steps=1, sampler=sampler)).sampler == sampler


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("sampler", "Euler "),
        ("sampler", "../../x"),
        ("schedule", "nope"),
        ("sampler", ["Euler"]),
        ("checkpoint", "../../etc/passwd"),
        ("checkpoint", {}),
    ],
)
def test_b08_names_come_from_their_list(door: RunningDoor, name: str, value: Any) -> None:
    assert refused(door, **{name: value})


def test_b08_a_wrong_name_is_answered_with_the_right_ones() -> None:
    assert all(name in refused_outright(schedule="nope") for name in SCHEDULE_NAMES)


@pytest.mark.parametrize("guidance", [-5, 1e30, 30.01, "NaN", "7", True, [7]])
def test_b09_guidance_is_a_number_from_0_to_30(door: RunningDoor, guidance: Any) -> None:
    assert refused(door, guidance_scale=guidance).startswith("Guidance must be")


@pytest.mark.parametrize("guidance", [float("nan"), float("inf"), float("-inf"), None])
def test_b09_guidance_that_is_no_number_is_refused_by_the_request(guidance: Any) -> None:
    assert refused_outright(guidance_scale=guidance) == "Guidance must be a number."


@pytest.mark.parametrize("literal", ["NaN", "Infinity", "-Infinity", "1e999"])
@pytest.mark.parametrize("name", ["guidance_scale", "seed", "steps", "width"])
def test_b09_b12_numbers_that_json_does_not_have_are_refused_at_the_door(door: RunningDoor, name: str, literal: str) -> None:
    answer = door.ask("POST", "/gradio_api/call/v2/txt2img", f'{{"{name}": {literal}}}', ME | {"Content-Type": "application/json"})
    assert (answer.status, "JSON" in answer.json()["message"]) == (400, True)


@pytest.mark.parametrize("side", [0, -8, 1, 7, 60, 100_000, "512", 64.5, True, [64]])
@pytest.mark.parametrize("name", ["width", "height"])
def test_b10_a_side_is_a_whole_number_of_pixels_from_64(door: RunningDoor, name: str, side: Any) -> None:
    assert refused(door, **{name: side}).startswith(f"{name.capitalize()} must be")


@pytest.mark.parametrize(("asked", "given"), [(65, 64), (69, 72), (127, 128), (2047, 2048)])
def test_b10_a_side_between_two_steps_is_put_on_the_nearest(door: RunningDoor, asked: int, given: int) -> None:
    request = drawn(door, width=asked, height=64)
    assert (drawing(request).width, drawing(request).height) == (given, 64)


def test_b10_an_area_that_is_too_large_is_told_in_megapixels(door: RunningDoor) -> None:
    assert TextToImage.admit({"width": 2048, "height": 2048}).width == 2048
    assert "2048 x 2560 is 5.24 megapixels" in refused(door, width=2048, height=2560)


@pytest.mark.parametrize("batch", [0, -1, 10**6, 1.5, "2", True])
@pytest.mark.parametrize(("name", "title", "most"), [("batch_count", "Batch count", "100"), ("batch_size", "Batch size", "16")])
def test_b11_batches_are_counted_from_one_to_their_limit(door: RunningDoor, name: str, title: str, most: str, batch: Any) -> None:
    said = refused(door, **{name: batch})
    assert said.startswith(title)
    assert most in said or "number" in said


@pytest.mark.parametrize("seed", [0, 1, 2**32 - 1, 2**32, 2**53 + 1, SEEDS - 1])
def test_b12_a_seed_is_kept_to_the_last_digit(door: RunningDoor, seed: int) -> None:
    assert drawing(drawn(door, seed=seed)).seed == seed
    assert drawing(drawn(door, seed=str(seed))).seed == seed


def test_b12_minus_one_rolls_a_seed_and_the_picture_says_which(door: RunningDoor) -> None:
    seeds = {drawing(drawn(door, seed=-1)).seed for _ in range(3)}
    assert len(seeds) == 3
    assert all(0 <= seed < SEEDS for seed in seeds)


@pytest.mark.parametrize("seed", [2**63, 2**64, -2, 1.5, "abc", "NaN", "1e5", "0x10", "٣", True, [], {}])
def test_b12_what_is_no_seed_is_refused(door: RunningDoor, seed: Any) -> None:
    assert refused(door, seed=seed).startswith("Seed must be")


@pytest.mark.parametrize("values", [{"path": "/etc/passwd"}, {"_internal": 1}, {"role": "owner"}, {"__class__": "x"}, {"out_dir": "/tmp"}])
def test_fields_that_a_request_does_not_have_are_refused(door: RunningDoor, values: dict[str, Any]) -> None:
    answer = door.post_json("/gradio_api/call/v2/txt2img", SMALL | values, ME)
    assert answer.status in (403, 422)
    assert "no field named" in refused_outright(**values)


@pytest.mark.parametrize("data", [[], ["x"], ["x"] * 40, [{}] * 12, [None] * 12, "text", {"a": 1}, None, 5])
def test_values_without_names_do_no_harm(door: RunningDoor, data: Any) -> None:
    answer = door.post_json("/gradio_api/call/txt2img", {"data": data}, ME)
    if answer.status == 200:
        door.ask("GET", f"/gradio_api/call/txt2img/{answer.json()['event_id']}", headers=ME)
    else:
        assert answer.status in (400, 422, 500)
