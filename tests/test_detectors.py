"""Finding details: detectors on pictures whose things are known, which of them count, and files that are no detectors."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from models.errors import UserError
from pipelines.details.choosing import Found, chosen, grown
from pipelines.details.detectors import Detectors
from pipelines.details.onnx_file import NotOnnx, read_onnx
from pipelines.details.simple import of_colour, of_painted
from pipelines.details.yolo import decoded, labels
from pipelines.requests.details import COLOUR, ORDERS, PAINTED, Detailer, dealt, said
from tests.support.onnx_files import CELL, SIDE, face_finder, half, model, node, port, red_finder

Box = tuple[int, int, int, int]
RED, SEA = (255, 0, 0), (30, 60, 120)
ALL = Detailer(detector="", confidence=0, grow=0)


def scene(*boxes: Box, size: tuple[int, int] = (SIDE, SIDE)) -> Image.Image:
    picture = Image.new("RGB", size, SEA)
    for box in boxes:
        picture.paste(RED, box)
    return picture


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "detectors").mkdir()
    return tmp_path


def seen(folder: Path, name: str, picture: Image.Image) -> list[Found]:
    return Detectors([folder]).find(Detailer(detector=name), picture, None)


# ---- networks, run by OpenCV -----------------------------------------------------------------------------------------------------


def test_a_yolo_network_finds_what_is_there_and_knows_what_it_is(folder: Path) -> None:
    red_finder(folder / "detectors" / "red.onnx", names="{0: 'ball'}")
    boxes = [(8, 16, 16, 24), (40, 48, 48, 56)]
    found = seen(folder, "red.onnx", scene(*boxes))
    assert sorted(each.box for each in found) == boxes
    assert {(each.label, round(each.confidence, 2)) for each in found} == {("ball", 1.0)}
    assert seen(folder, "red.onnx", scene()) == []


def test_a_picture_of_another_size_is_fitted_in_and_the_boxes_are_its_own(folder: Path) -> None:
    """128 x 96 is reduced to 64 x 48 and lies eight pixels below the upper edge; one cell is then sixteen pixels of the picture."""
    red_finder(folder / "detectors" / "red.onnx")
    [found] = seen(folder, "red.onnx", scene((32, 32, 48, 48), size=(128, 96)))
    assert found.box == (32, 32, 48, 48) and found.confidence > 0.8
    red_finder(folder / "detectors" / "free.onnx", 640, free=True)
    assert seen(folder, "free.onnx", scene((0, 0, 1, 8), size=(1, 800))), "one pixel wide"


def test_opencvs_own_face_detector_runs_a_file_with_yunets_outputs(folder: Path) -> None:
    face_finder(folder / "detectors" / "faces.onnx")
    found = seen(folder, "faces.onnx", scene((32, 32, 40, 40)))
    assert {each.label for each in found} == {"face"}
    surest = max(found, key=lambda each: each.confidence)
    assert surest.box == (32 - CELL // 2, 32 - CELL // 2, 32 + CELL // 2, 32 + CELL // 2), "its box of the cell, by the format"
    assert seen(folder, "faces.onnx", Image.new("RGB", (SIDE, SIDE))) == []


def test_of_boxes_that_overlap_the_surest_stays_as_plain_counting_says() -> None:
    dice = np.random.default_rng(3)
    middles, sides = dice.uniform(20, 80, (2, 60)), dice.uniform(8, 30, (2, 60))
    sure = dice.uniform(0.1, 1, (2, 60))
    found = decoded(np.concatenate([middles, sides, sure]).astype(np.float32), 0, {}, 1.0, (0, 0))
    expected = greedy(middles.T, sides.T, sure.max(0), sure.argmax(0))
    assert 5 < len(expected) < 60
    assert sorted(round(each.confidence, 5) for each in found) == sorted(round(float(number), 5) for number in expected)


def greedy(middles: np.ndarray, sides: np.ndarray, sure: np.ndarray, kinds: np.ndarray) -> list[float]:
    kept: list[int] = []
    for at in np.argsort(-sure):
        if all(kinds[at] != kinds[other] or share(middles, sides, at, other) <= 0.45 for other in kept):
            kept.append(int(at))
    return [float(sure[at]) for at in kept]


def share(middles: np.ndarray, sides: np.ndarray, one: int, other: int) -> float:
    """What both cover, of what either does."""
    low = np.maximum(middles[one] - sides[one] / 2, middles[other] - sides[other] / 2)
    high = np.minimum(middles[one] + sides[one] / 2, middles[other] + sides[other] / 2)
    both = np.clip(high - low, 0, None).prod()
    return float(both / (sides[one].prod() + sides[other].prod() - both))


def test_numbers_that_are_not_finite_are_no_boxes() -> None:
    values = np.array([[5, np.nan], [5, 5], [4, 4], [4, 4], [np.nan, 0.9]], np.float32)
    assert decoded(values, 0, {}, 1.0, (0, 0)) == []
    assert labels({"names": "{0: ().__class__}"}) == {} and labels({"names": "["}) == {}


# ---- files -------------------------------------------------------------------------------------------------------------------------


def test_files_are_known_by_what_they_hold_and_a_bad_one_is_a_sentence(folder: Path) -> None:
    place = folder / "detectors"
    red_finder(place / "z.onnx")
    half(red_finder(place / "cut.onnx"))
    (place / "empty.onnx").touch()
    (place / "page.onnx").write_text("<!doctype html>")
    (place / "face_yolov8n.pt").write_bytes(b"PK\x03\x04")
    (place / "other.onnx").write_bytes(model([node("Relu", ["a"], "b")], [], [port("a", [1, 3, 8, 8])], [port("b", [1, 3, 8, 8])]))
    told = {each.name: each.why for each in Detectors([folder]).all()}
    assert [*told] == [COLOUR, PAINTED, "cut.onnx", "empty.onnx", "face_yolov8n.pt", "other.onnx", "page.onnx", "z.onnx"]
    assert {name for name, why in told.items() if not why} == {COLOUR, PAINTED, "z.onnx"}
    assert "Export it to ONNX" in told["face_yolov8n.pt"] and "no detector" in told["other.onnx"]
    assert all("Download it again" in told[name] for name in ("cut.onnx", "empty.onnx", "page.onnx"))
    with pytest.raises(UserError, match=r"put its ONNX file into .*detectors"):
        Detectors([folder]).one("gone.onnx")


def test_a_network_that_opencv_cannot_run_is_a_sentence(folder: Path) -> None:
    path = folder / "detectors" / "odd.onnx"
    path.write_bytes(model([node("Nonsense", ["a"], "b")], [], [port("a", [1, 3, 8, 8])], [port("b", [1, 5, 4])]))
    with pytest.raises(UserError, match=r"“odd\.onnx” could not be run"):
        seen(folder, "odd.onnx", scene())


def test_bytes_at_random_are_read_or_refused_and_nothing_else(tmp_path: Path) -> None:
    path, dice = red_finder(tmp_path / "red.onnx"), np.random.default_rng(1)
    whole = path.read_bytes()
    for _ in range(300):
        damaged = bytearray(whole)
        for at in dice.integers(0, 400, 3):
            damaged[at] = int(dice.integers(0, 256))
        path.write_bytes(damaged)
        with contextlib.suppress(NotOnnx):
            read_onnx(path)


# ---- without a file ----------------------------------------------------------------------------------------------------------------


def test_things_of_a_colour_and_what_is_painted_are_found() -> None:
    boxes = [(4, 4, 20, 12), (40, 40, 60, 60)]
    assert [each.box for each in chosen(of_colour(scene(*boxes), "#f01010"), ALL, (SIDE, SIDE))] == boxes
    assert of_colour(scene(*boxes), "#10f010") == [] and of_colour(Image.new("RGB", (1, 1)), "#ffffff") == []
    [found] = of_colour(scene((1000, 600, 1600, 900), size=(4000, 2000)), "#ff0000")
    assert np.abs(np.subtract(found.box, (1000, 600, 1600, 900))).max() <= 3, "of a large picture to a pixel of the small one"
    mask = Image.new("L", (SIDE, SIDE))
    for box in boxes:
        mask.paste(200, box)
    assert sorted(each.box for each in of_painted(mask)) == boxes
    with pytest.raises(UserError, match="Nothing is painted yet"):
        Detectors([]).find(Detailer(detector=PAINTED), scene(), Image.new("L", (SIDE, SIDE)))
    with pytest.raises(UserError, match="is no colour"):
        of_colour(scene(), "red")


def test_of_thousands_of_specks_the_largest_are_looked_at() -> None:
    values = np.zeros((600, 600), np.uint8)
    for at in range(40):
        for row in range(40):
            values[row * 15 : row * 15 + 5, at * 15 : at * 15 + 5] = 255
    assert len(of_painted(Image.fromarray(values))) == 500


# ---- which of them count -----------------------------------------------------------------------------------------------------------


def test_what_is_unsure_or_of_the_wrong_size_does_not_count_and_of_the_rest_the_largest_do() -> None:
    found = [
        Found((0, 0, 10, 10), 0.2),
        Found((0, 0, 2, 2), 0.9),
        Found((50, 0, 70, 20), 0.9),
        Found((20, 0, 50, 30), 0.9),
        Found((0, 0, 99, 99)),
    ]
    told = Detailer(confidence=0.3, smallest=0.01, largest=0.5, grow=0)
    assert [each.box for each in chosen(found, told, (100, 100))] == [(20, 0, 50, 30), (50, 0, 70, 20)]
    assert [each.box for each in chosen(found, replace(told, most=1), (100, 100))] == [(20, 0, 50, 30)]


def test_they_stand_in_the_order_that_was_asked_for() -> None:
    small, middle, large = Found((60, 60, 70, 70)), Found((40, 30, 60, 60)), Found((0, 0, 40, 40))
    told = {order: [each.box for each in chosen([small, large, middle], Detailer(order=order, grow=0), (100, 100))] for order in ORDERS}
    assert told == {
        "Left to right": [large.box, middle.box, small.box],
        "Centre first": [middle.box, small.box, large.box],
        "Largest first": [large.box, middle.box, small.box],
    }


@pytest.mark.parametrize("by", [-7, -4, -1, 0, 1, 2, 3, 4, 9])
def test_a_box_grows_and_shrinks_as_opencv_dilates_and_erodes_a_filled_rectangle(by: int) -> None:
    values = np.zeros((40, 40), np.uint8)
    values[12:25, 14:30] = 255
    kernel = np.ones((abs(by), abs(by)), np.uint8)
    theirs = values if not by else cv2.dilate(values, kernel) if by > 0 else cv2.erode(values, kernel)
    assert grown((14, 12, 30, 25), by) == Image.fromarray(np.asarray(theirs)).getbbox()
    assert grown((0, 0, 3, 3), -4) is None


def test_a_box_that_is_moved_out_of_the_picture_is_none() -> None:
    found = [Found((10, 10, 30, 30)), Found((80, 80, 95, 95))]
    told = chosen(found, Detailer(across=15, down=60, grow=0), (100, 100))
    assert [each.box for each in told] == [(25, 70, 45, 90)]
    assert chosen([Found((-50, -50, 20, 20)), Found((100, 0, 120, 9))], ALL, (100, 100))[0].box == (0, 0, 20, 20)


# ---- prompts -----------------------------------------------------------------------------------------------------------------------


def test_prompts_are_dealt_out_box_by_box_and_the_last_goes_on() -> None:
    assert dealt("old [SEP] [SKIP] [SEP]young", 4) == ["old", "[SKIP]", "young", "young"]
    assert dealt("", 2) == ["", ""] and dealt("a[SEP]b", 1) == ["a"]
    assert said("", "a house") == "a house" and said("[SKIP]", "a house") is None and said("[PROMPT], snow", "a house") == "a house, snow"
