"""The table of preprocessors, and those that need no weights, against OpenCV, controlnet-aux and closed forms."""

from __future__ import annotations

import inspect
import random
import warnings
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from models.errors import UserError
from models.memory.device import mend_torchvision
from pipelines import preprocessors as package
from pipelines.preprocessors import PREPROCESSORS, TABLE, Preprocessor, named, preprocess
from pipelines.preprocessors.annotators import ANNOTATORS
from pipelines.preprocessors.inpaint_mask import inpaint_tensor
from pipelines.preprocessors.resolution import LONGEST, at_resolution, in_blocks
from pipelines.preprocessors.shuffle import seed_of
from pipelines.requests.control_unit import UNION_KINDS, ControlUse
from pipelines.services.safety import KEY as SAFETY
from tests.test_layers import NETWORKS, modules_after

WEIGHTLESS = [entry for entry in TABLE if not entry.weights]
SERVANTS = {"__init__", "annotators", "resolution", "weights", "hub_folder"}  # of the package's files; all others make maps


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    """controlnet-aux warns of optional parts that are not installed, and imports torchvision."""
    mend_torchvision()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"controlnet_aux|timm")
        yield


def scene(width: int = 192, height: int = 128, seed: int = 0) -> NDArray[np.uint8]:
    """Something with flat parts, outlines, texture and colours."""
    numbers = np.random.default_rng(seed)
    coarse = numbers.integers(0, 256, (6, 8, 3), np.uint8)
    pixels = np.asarray(Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)).copy()
    cv2.circle(pixels, (width // 3, height // 2), height // 4, (240, 30, 30), -1)
    cv2.line(pixels, (0, height // 4), (width, height // 2), (5, 5, 5), 2)
    return np.clip(pixels + numbers.normal(0, 4, pixels.shape), 0, 255).astype(np.uint8)


def made(name: str, pixels: NDArray[np.uint8], a: float = 0.0, b: float = 0.0, mask: Image.Image | None = None) -> NDArray[np.uint8]:
    """The map at the picture's own size."""
    return np.asarray(preprocess(name, Image.fromarray(pixels), min(pixels.shape[:2]), a, b, mask=mask))


def ids(entries: list[Preprocessor]) -> list[str]:
    return [entry.name for entry in entries]


# ---- the table -----------------------------------------------------------------------------------------------------------------


def test_every_file_of_the_package_is_in_the_table() -> None:
    functions = [entry.made_by for entry in TABLE] + [kind.opened_by for kind in ANNOTATORS.values()]
    listed = {path.partition(".")[0] for path in [*functions, *(kind.nearness for kind in ANNOTATORS.values() if kind.nearness)]}
    assert {path.stem for path in Path(package.__file__).parent.glob("*.py")} - SERVANTS == listed


def test_the_table_is_in_order() -> None:
    assert list(PREPROCESSORS) == ids(list(TABLE))
    assert TABLE[0].name == ControlUse().preprocessor == "None"
    assert {entry.weights for entry in TABLE if entry.weights} == set(ANNOTATORS) - {SAFETY}  # which makes no map
    assert {entry.union_kind for entry in TABLE} <= set(UNION_KINDS)
    assert all(entry.info.endswith(".") for entry in TABLE)


@pytest.mark.parametrize("entry", TABLE, ids=ids(list(TABLE)))
def test_a_line_of_the_table_names_a_function_that_takes_its_thresholds(entry: Preprocessor) -> None:
    wanted = list(inspect.signature(named(entry.made_by)).parameters)
    assert len(wanted) == 1 + len(entry.thresholds) + bool(entry.weights) + entry.needs_mask
    limits = {field.name: field.metadata["limit"] for field in fields(ControlUse) if field.name.startswith("threshold")}
    for threshold, limit in zip(entry.thresholds, limits.values(), strict=False):
        assert limit.low <= threshold.low <= threshold.default <= threshold.high <= limit.high
    assert len(entry.thresholds) <= len(limits)


def test_the_table_needs_neither_torch_nor_opencv() -> None:
    loaded = modules_after("import pipelines.preprocessors, pipelines.preprocessors.annotators, pipelines.control.control_map")
    assert loaded & {*NETWORKS, "skimage"} == set()
    assert "cv2" not in loaded - modules_after("import pipelines")


def test_a_name_that_is_not_in_the_table_is_refused_in_a_sentence() -> None:
    with pytest.raises(UserError, match="“Magic” is not known"):
        made("Magic", scene())


# ---- sizes ---------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("entry", WEIGHTLESS, ids=ids(WEIGHTLESS))
@pytest.mark.parametrize("size", [(10, 10), (1, 1), (3, 700), (640, 5)], ids=str)
def test_a_picture_of_any_size_becomes_a_map(entry: Preprocessor, size: tuple[int, int]) -> None:
    picture = Image.fromarray(scene(64, 64)).resize(size)
    drawn = preprocess(entry.name, picture, 64, 0, 0, mask=Image.new("L", (5, 5), 255))
    assert drawn.mode == "RGB"
    assert drawn.size == (size if entry.own_size else at_resolution(np.asarray(picture), 64).shape[1::-1])


def test_the_shorter_side_gets_the_resolution_and_a_banner_does_not_take_all_memory() -> None:
    assert at_resolution(scene(300, 200), 512).shape == (512, 768, 3)
    assert at_resolution(scene(200, 300), 64).shape == (96, 64, 3)
    assert at_resolution(scene(2, 4000), 512).shape == (LONGEST, 2, 3)


def test_networks_get_whole_blocks_and_the_map_is_cut_back() -> None:
    seen = []
    result = in_blocks(scene(70, 130), lambda wide: seen.append(wide.shape) or wide[..., 0])
    assert seen == [(192, 128, 3)]
    assert (result == scene(70, 130)[..., 0]).all()


# ---- each one ------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("entry", WEIGHTLESS, ids=ids(WEIGHTLESS))
def test_the_same_picture_makes_the_same_map_whatever_chance_does(entry: Preprocessor) -> None:
    maps = []
    for seed in (1, 2):
        np.random.seed(seed)
        random.seed(seed)
        maps.append(made(entry.name, scene(), mask=Image.new("L", (192, 128), 255)))
    assert (maps[0] == maps[1]).all()


def test_none_leaves_the_picture_as_it_is() -> None:
    assert (made("None", scene()) == scene()).all()


@pytest.mark.parametrize("thresholds", [(100, 200), (20, 60)])
def test_canny_is_that_of_controlnet_aux(thresholds: tuple[int, int]) -> None:
    from controlnet_aux import CannyDetector

    expected = CannyDetector()(scene(), *thresholds, detect_resolution=128, image_resolution=128)
    assert (made("Canny", scene(), *thresholds) == np.asarray(expected)).all()
    assert np.max(np.asarray(expected)) == 255


def test_thresholds_beyond_their_limits_mean_the_usual_ones() -> None:
    assert (made("Canny", scene(), 0, -1) == made("Canny", scene(), 100, 200)).all()


def test_line_art_is_that_of_controlnet_aux() -> None:
    from controlnet_aux import LineartStandardDetector

    expected = LineartStandardDetector()(scene(), detect_resolution=128, output_type="np")
    assert np.abs(made("Line art", scene()).astype(int) - expected).max() <= 1
    assert np.max(np.asarray(expected)) > 100


def test_line_art_of_a_plain_surface_is_black() -> None:
    assert made("Line art", np.full((64, 64, 3), 90, np.uint8)).max() == 0


def test_shuffle_is_that_of_controlnet_aux_with_a_seed_of_the_picture() -> None:
    from controlnet_aux import ContentShuffleDetector

    np.random.seed(seed_of(scene()))
    expected = ContentShuffleDetector()(scene(), detect_resolution=128, image_resolution=128)
    assert (made("Shuffle", scene()) == np.asarray(expected)).all()
    assert seed_of(scene()) != seed_of(scene(seed=1))


def test_scribble_draws_along_the_dark_side_of_an_edge() -> None:
    pixels = np.full((64, 64, 3), 200, np.uint8)
    pixels[:, 32:] = 60
    drawn = made("Scribble", pixels)[..., 0]
    assert drawn[:, 33:36].all()
    assert not drawn[:, :31].any()
    assert not drawn[:, 56:].any()


def test_a_higher_threshold_leaves_less_of_a_scribble() -> None:
    amounts = [int(made("Scribble", scene(), threshold).sum()) for threshold in (8, 32, 60)]
    assert amounts == sorted(amounts, reverse=True)
    assert len(set(amounts)) == 3


def test_tile_takes_the_mean_of_each_block() -> None:
    means = scene().reshape(32, 4, 48, 4, 3).mean(axis=(1, 3))
    assert np.abs(made("Tile", scene(), 4) - means).max() <= 0.5
    assert (made("Tile", scene(), 1) == scene()).all()


def test_blur_spreads_a_point_to_a_gaussian() -> None:
    pixels = np.zeros((65, 65, 3), np.uint8)
    pixels[28:37, 28:37] = 255
    drawn = made("Blur", pixels, 3)[..., 0].astype(float)
    places = np.arange(65) - 32
    variance = (drawn.sum(axis=0) * places**2).sum() / drawn.sum()
    assert variance == pytest.approx(3**2 + (9**2 - 1) / 12, rel=0.05)  # of the blur and of the square
    assert drawn.sum() == pytest.approx(81 * 255, rel=0.01)


def test_recolouring_begins_with_how_bright_each_pixel_looks() -> None:
    greys = np.repeat(np.arange(256, dtype=np.uint8)[None, :, None], 3, axis=2)
    linear = np.where(greys <= 10.31475, greys / 255 / 12.92, ((greys / 255 + 0.055) / 1.055) ** 2.4)  # sRGB
    lightness = np.where(linear > 0.008856, 116 * np.cbrt(linear) - 16, 903.3 * linear)  # CIE 1976
    assert np.abs(made("Recolour luminance", greys) - lightness * 2.55).max() <= 1.5
    assert (made("Recolour intensity", scene()) == scene().max(axis=2, keepdims=True)).all()


def test_gamma_bends_the_greys() -> None:
    expected = (scene().max(axis=2, keepdims=True) / 255.0) ** 0.5 * 255
    assert np.abs(made("Recolour intensity", scene(), 0.5) - expected).max() <= 0.51


def test_threshold_is_white_where_all_channels_are_bright() -> None:
    assert (made("Threshold", scene(), 100) == 255 * (scene() > 100).all(axis=2, keepdims=True)).all()


def test_inverting_twice_is_nothing() -> None:
    assert (made("Invert", made("Invert", scene())) == scene()).all()
    assert (made("Invert", scene())[0, 0] == 255 - scene()[0, 0]).all()


def test_the_masked_part_is_black_for_people_and_minus_one_for_the_model() -> None:
    mask = Image.new("L", (192, 128))
    mask.paste(255, (50, 40, 90, 70))
    shown, values = made("Inpaint mask", scene(), mask=mask), inpaint_tensor(Image.fromarray(scene()), mask).numpy()
    inside = np.asarray(mask) > 0
    assert values.shape == (1, 3, 128, 192)
    assert (values[0][:, inside] == -1).all()
    assert values[0][:, ~inside] == pytest.approx(scene()[~inside].T / 255)
    assert not shown[inside].any()
    assert (shown[~inside] == scene()[~inside]).all()


def test_without_a_mask_nothing_is_taken_out() -> None:
    assert (made("Inpaint mask", scene()) == scene()).all()
