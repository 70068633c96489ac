"""Modules of the page that need no page, under node: pixels against numpy, files against Pillow, numbers and sentences."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.support.node import node, run, write_modules
from ui.parts.scripts import modules

Ask = Callable[..., Any]


@pytest.fixture(scope="module")
def ask(tmp_path_factory: pytest.TempPathFactory) -> Ask:
    """Runs a function of `given` in a module beside the page's; what it returns comes back as JSON."""
    worker = node()
    if not worker:
        pytest.skip("no node here")
    folder = tmp_path_factory.mktemp("modules")
    write_modules(folder, modules())

    def asked(imports: str, body: str, given: Any) -> Any:
        act = f"const given = {json.dumps(given)};\nconst act = async () => {{ {body} }};"
        text = f"{imports}\n{act}\nconsole.log(JSON.stringify(await act()));\n"
        (folder / "asked.js").write_text(text, "utf-8")
        return json.loads(run(worker, folder / "asked.js"))

    return asked


LAYERS = """import { Layer, cost, exchange, pack, remember, unpack } from "./layer.js";
const filled = ({ width, height, channels, cells }) => {
  const layer = new Layer(width, height, channels);
  layer.cells.set(cells);
  return layer;
};"""


def painted(seed: int, width: int, height: int, channels: int) -> dict[str, Any]:
    """A layer with a few patches, as cells."""
    random = np.random.default_rng(seed)
    cells = np.zeros((height, width), np.uint32)
    for _ in range(int(random.integers(0, 4))):
        x, y = int(random.integers(0, width)), int(random.integers(0, height))
        wide, high = (int(number) for number in random.integers(1, 60, 2))
        value = 255 if channels == 1 else 0xFF000000 | int(random.integers(0, 1 << 24))
        cells[y : y + high, x : x + wide] = (
            value if random.random() < 0.5 else random.integers(1, 255, cells[y : y + high, x : x + wide].shape)
        )
    return {"width": width, "height": height, "channels": channels, "cells": cells.ravel().tolist()}


def box(mask: np.ndarray) -> list[int] | None:
    rows, columns = np.nonzero(mask)
    return [int(columns.min()), int(rows.min()), int(columns.max()) + 1, int(rows.max()) + 1] if rows.size else None


def test_the_box_of_what_is_painted_is_numpy_s(ask: Ask) -> None:
    given = [painted(seed, 300, 270, 1 + 3 * (seed % 2)) for seed in range(12)] + [painted(99, 5, 3, 1) | {"cells": [255] * 15}]
    found = ask(
        LAYERS,
        "return given.map(filled).map((layer) => [layer.bounds(), layer.channels === 1 ? layer.bounds(true) : 0, layer.isFull()]);",
        given,
    )
    for layer, (bounds, inverse, full) in zip(given, found, strict=True):
        cells = np.array(layer["cells"], np.uint32).reshape(layer["height"], layer["width"])
        assert bounds == box(cells if layer["channels"] == 1 else cells >> 24)
        if layer["channels"] == 1:
            assert inverse == box(cells < 255) and full == bool((cells == 255).all())


def test_tiles_hold_all_of_a_layer_and_put_it_back(ask: Ask) -> None:
    body = """return given.map((told) => {
      const layer = filled(told);
      const again = unpack(pack(layer));
      const before = [...layer.cells];
      const changed = remember(layer, (cells) => (cells[0] ^= 9, cells[cells.length - 1] ^= 9));
      const after = [...layer.cells];
      const step = exchange(layer, changed);
      const back = [...layer.cells];
      exchange(layer, step);
      return { same: [...again.cells].join() === before.join(), tiles: [...changed.keys()], back: back.join() === before.join(),
        on: [...layer.cells].join() === after.join(), cost: cost(pack(new Layer(600, 600)).tiles) };
    });"""
    for told, found in zip(
        [(0, 300, 270), (3, 256, 256), (5, 520, 30)],
        ask(LAYERS, body, [painted(*size, 1) for size in [(0, 300, 270), (3, 256, 256), (5, 520, 30)]]),
        strict=True,
    ):
        across, down = -(-told[1] // 256), -(-told[2] // 256)
        assert found == {"same": True, "tiles": sorted({0, across * down - 1}), "back": True, "on": True, "cost": 9 * 64}


@pytest.mark.parametrize(("channels", "mode"), [(1, "L"), (3, "RGB"), (4, "RGBA")])
def test_files_are_read_by_others_as_they_were_written(ask: Ask, channels: int, mode: str) -> None:
    pixels = np.random.default_rng(channels).integers(0, 256, (19, 33, channels), np.uint8)
    body = """const file = await png(33, 19, given.channels, Uint8Array.from(given.bytes));
      return Buffer.from(await file.arrayBuffer()).toString("base64");"""
    text = ask('import { png } from "./png.js";', body, {"channels": channels, "bytes": pixels.ravel().tolist()})
    image = Image.open(io.BytesIO(base64.b64decode(text)))
    assert image.mode == mode and np.array_equal(np.asarray(image).reshape(pixels.shape), pixels)


def test_a_colour_over_a_colour_is_the_closed_form(ask: Ask) -> None:
    random = np.random.default_rng(4)
    pairs = [[int(under), int(color), int(cover)] for under, color, cover in random.integers(0, [1 << 32, 1 << 32, 256], (200, 3))]
    found = ask('import { over } from "./stroke.js";', "return given.map((three) => over(...three));", pairs)
    for (under, color, cover), mixed in zip(pairs, found, strict=True):
        top, below = cover / 255, (under >> 24) / 255
        alpha = top + below * (1 - top)
        assert abs((mixed >> 24) - 255 * alpha) <= 0.51
        for shift in (0, 8, 16):
            expected = ((color >> shift & 255) * top + (under >> shift & 255) * below * (1 - top)) / max(alpha, 1e-9)
            assert abs((mixed >> shift & 255) - expected) <= 0.51, (under, color, cover)


TYPED = [
    ("7", {}, 7), ("-", {}, 3), ("1e", {}, 3), ("", {}, 3), ("0", {}, 0), ("abc", {}, 3), ("12", {"high": 10}, 10),
    ("-5", {"low": 0}, 0),
    ("0.123", {"step": 0.05, "snap": True}, 0.1), ("0.1234567", {}, 0.123457), ("1e999", {}, 3),
]  # fmt: skip


def test_what_was_typed_is_a_number_within_limits_or_the_former_one(ask: Ask) -> None:
    body = "return given.map(([value, limits]) => typedNumber({ value }, 3, limits));"
    found = ask('import { typedNumber } from "./numbers.js";', body, [[typed, limits] for typed, limits, _ in TYPED])
    assert dict(zip([typed for typed, *_ in TYPED], found, strict=True)) == {typed: number for typed, _, number in TYPED}


JOB = {
    "state": "running",
    "step": 3,
    "steps": 20,
    "picture": 0,
    "batch_size": 1,
    "pictures_total": 1,
    "eta": None,
    "preparing": "",
    "before": "",
    "ahead": 0,
}


SAID: list[tuple[dict[str, Any], str | None, str]] = [
    ({}, None, "Step 3 of 20"),
    ({"eta": 75, "pictures_total": 4, "picture": 1}, None, "Step 3 of 20 · picture 2 of 4 · about 1 min 15 s left"),
    ({"step": 0}, None, "Preparing…"),
    ({"step": 0, "preparing": "the VAE"}, None, "Preparing: reading the VAE…"),
    ({"step": 0, "before": "Enlarging"}, None, "Enlarging…"),
    ({"before": "Enlarging", "pictures_total": 2}, None, "Enlarging, tile 3 of 20 · picture 1 of 2"),
    ({"state": "waiting", "ahead": 1}, None, "1 job ahead of yours"),
    ({"state": "waiting", "ahead": 3}, "stop", "3 jobs ahead of yours"),
    ({}, "stop", "Stopping…"),
    ({"pictures_total": 4, "batch_size": 2}, "skip", "Leaving the 2 pictures of this batch for the next…"),
    ({"pictures_total": 4, "batch_size": 2, "picture": 2}, "skip", "Leaving the 2 pictures of this batch…"),
]


def test_the_stage_says_where_a_job_is(ask: Ask) -> None:
    body = "return given.map(([job, asked]) => sentence(job, asked));"
    found = ask('import { sentence } from "./stage_words.js";', body, [[JOB | news, asked] for news, asked, _ in SAID])
    assert found == [words for *_, words in SAID]


def test_a_box_that_is_pulled_stays_in_the_picture_and_keeps_its_other_sides(ask: Ask) -> None:
    dice = np.random.default_rng(4)
    size, sides = {"width": 300, "height": 200}, ["", "top left", "right", "bottom", "bottom right", "left"]
    tries = [
        [{"left": 20, "top": 30, "right": 90, "bottom": 80, "prompt": "x"}, sides[at % 6], *dice.uniform(-400, 400, 2).tolist()]
        for at in range(60)
    ]
    body = "return given.tries.map(([box, sides, x, y]) => pulled(box, sides, x, y, given.size));"
    for (box, name, _, _), next_box in zip(
        tries, ask('import { pulled } from "./box_layer.js";', body, {"tries": tries, "size": size}), strict=True
    ):
        assert 0 <= next_box["left"] < next_box["right"] <= 300 and 0 <= next_box["top"] < next_box["bottom"] <= 200
        assert next_box["prompt"] == "x"
        if name:
            assert all(next_box[side] == box[side] for side in ("left", "top", "right", "bottom") if side not in name)
            assert next_box["right"] - next_box["left"] >= 8 and next_box["bottom"] - next_box["top"] >= 8
        else:
            assert (next_box["right"] - next_box["left"], next_box["bottom"] - next_box["top"]) == (70, 50)


def test_a_click_is_no_box_and_a_drag_to_any_side_is_one(ask: Ask) -> None:
    body = "return given.map(([one, other]) => spanned(one, other, { width: 100, height: 80 }));"
    points = [
        [{"x": 50, "y": 40}, {"x": 52, "y": 70}],
        [{"x": 90, "y": 70}, {"x": -20, "y": 10.4}],
        [{"x": 95, "y": 70}, {"x": 400, "y": 99}],
    ]
    made = ask('import { spanned } from "./box_layer.js";', body, points)
    assert made == [None, {"left": 0, "top": 10, "right": 90, "bottom": 70}, None]


def test_marks_stay_on_their_words_while_a_text_is_edited(ask: Ask) -> None:
    """All letters differ, so that words tell where they are: a mark holds what it held, but for what was taken out and put in."""
    random = np.random.default_rng(7)
    before = "abcdefghijkl"
    places = [sorted(int(place) for place in random.integers(0, 13, 4)) for _ in range(60)]
    cuts = [(start, end, before[:start] + "+" * number + before[end:]) for number, (start, end, *_) in enumerate(places[:20], 1)]
    marks = [{"kind": "k", "start": one, "end": two} for one, _, _, two in places if one < two]
    imports = 'import { carried, pieces } from "./prompt_layer.js";'
    moved = ask(imports, f"return given.map((after) => carried({json.dumps(marks)}, {before!r}, after));", [after for *_, after in cuts])
    for (start, end, after), found in zip(cuts, moved, strict=True):
        held = {after[mark["start"] : mark["end"]].replace("+", "") for mark in found}
        words = {before[mark["start"] : mark["end"]]: mark for mark in marks}
        kept = {word.translate(str.maketrans("", "", before[start:end])): mark for word, mark in words.items()}
        assert held <= {*kept}
        assert {word for word, mark in words.items() if mark["end"] <= start or mark["start"] >= end} <= held
    shown = ask(imports, "return given.map((marks) => pieces('abcdefghijkl', marks));", [marks[at : at + 3] for at in range(30)])
    for at, found in enumerate(shown):
        assert "".join(piece["text"] for piece in found) == before
        told = [bool(piece["kinds"]) for piece in found for _ in piece["text"]]
        assert told == [any(mark["start"] <= place < mark["end"] for mark in marks[at : at + 3]) for place in range(12)]


# ---- which job is shown ----------------------------------------------------------------------------------------------------

FOLLOWED = """
globalThis.document = { hidden: false, addEventListener() {} };
globalThis.window = Object.assign(new EventTarget(), { inside: null });
const told = [];
const heard = (name) => (job) => told.push(job?.job ? `${name} ${job.job}` : name);
const left = [...given.news];
globalThis.fetch = async (address) => {
  if (address.startsWith("live/")) return { ok: true, status: 200, json: async () => given.live[address.slice(5).split("?")[0]] };
  if (!left.length) await new Promise(() => {});
  return { ok: true, status: 200, json: async () => left.shift() };
};
const { ownJobs } = await import("./stage_jobs.js");
const stage = Object.fromEntries(["begin", "show", "close", "gather", "rest"].map((name) => [name, heard(name)]));
const jobs = ownJobs({ ...stage, lost() {}, speak() {} });
if (given.sent) await jobs.enqueue(given.sent);
jobs.hear();
await new Promise((done) => setTimeout(done, 50));
return told;
"""


def test_a_job_that_has_ended_is_not_begun_again_by_news_that_still_tell_it_as_running(ask: Ask) -> None:
    """They are put together while it ends: it is in the list no more, and was read as running before that."""
    failed, runs = {"job": "b", "state": "failed"}, {"job": "b", "state": "running"}
    late = [{"version": 1, "jobs": [], "running": runs}, {"version": 2, "jobs": [], "running": None}]
    assert ask("", FOLLOWED, {"sent": "b", "news": late, "live": {"b": failed}}) == ["close b"]
    back = [{"version": 3, "jobs": [{"job": "b", "state": "running", "mine": True}], "running": runs}]
    assert ask("", FOLLOWED, {"sent": "b", "news": [*late, *back], "live": {"b": failed}}) == ["close b", "begin b", "show b"]
    known = [{"version": 0, "jobs": [{"job": "b", "state": "running", "mine": True}], "running": runs}, *late]
    assert ask("", FOLLOWED, {"sent": "", "news": known, "live": {"b": failed}}) == ["begin b", "show b", "close b"]
