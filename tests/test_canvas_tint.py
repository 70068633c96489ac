"""A mask stands out from whatever lies under it: measured on what Chromium shows."""

from __future__ import annotations

import io

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from playwright.sync_api import Browser

from tests.support.canvas_harness import Easel, Inputs, canvas_server, easel, inputs, noise
from tests.support.page_fixtures import browser, wait_for

pytestmark = pytest.mark.browser
__all__ = ["browser", "canvas_server", "inputs"]
SIDE, RADIUS = 400, 100
GROUNDS = {
    "red": (188, 58, 40),
    "green": (40, 140, 60),
    "blue": (30, 60, 200),
    "grey": (128, 128, 128),
    "white": (255, 255, 255),
    "black": (0, 0, 0),
}
Pixels = NDArray[np.float64]


def luminance(pixels: Pixels) -> Pixels:
    """Relative, 0 to 1, of (..., 3) values of 0 to 255; after WCAG 2."""
    share = pixels / 255
    linear = np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)
    return linear @ np.array([0.2126, 0.7152, 0.0722])


def seen(here: Easel) -> Pixels:
    return np.asarray(Image.open(io.BytesIO(here.part("canvas").screenshot())).convert("RGB"), np.float64)


def contrasts(here: Easel, ground: Pixels) -> Pixels:
    """The best contrast with the ground within each dash's length along the edge of a dab in the middle of the picture."""
    shown = luminance(seen(here))
    box = here.part("canvas").bounding_box()
    assert box
    x, y = here.at(SIDE / 2, SIDE / 2)
    far = here.at(SIDE / 2 + RADIUS, SIDE / 2)[0] - x
    angles = np.linspace(0, 2 * np.pi, 720, endpoint=False)
    rings = [
        shown[(y - box["y"] + r * np.sin(angles)).round().astype(int), (x - box["x"] + r * np.cos(angles)).round().astype(int)]
        for r in far - np.arange(-1, 5)
    ]
    under = luminance(ground)
    each = np.max([(np.maximum(ring, under) + 0.05) / (np.minimum(ring, under) + 0.05) for ring in rings], axis=0)
    reach = int(np.ceil(720 * 20 / (2 * np.pi * far)))  # 20 pixels of the screen: a dash of black and one of white
    return np.max([np.roll(each, step) for step in range(reach)], axis=0)


def test_edge_and_hatch_of_a_mask_are_three_to_one_on_any_ground(inputs: Inputs, browser: Browser) -> None:
    grounds = {name: np.full((SIDE, SIDE, 3), color, np.uint8) for name, color in GROUNDS.items()} | {"noise": noise(SIDE, SIDE)}
    with easel(inputs, browser, "inpaint", "mask") as here:
        for name, pixels in grounds.items():
            here.show(pixels)
            here.brush(2 * RADIUS)
            here.page.mouse.move(*here.at(SIDE / 2, SIDE / 2))
            here.page.mouse.down()
            here.page.mouse.move(*here.at(SIDE / 2, SIDE / 2))
            here.part("cursor").evaluate("(ring) => (ring.style.opacity = 0)")  # it lies on the edge
            here.rest()
            ground = pixels.reshape(-1, 3).mean(axis=0, dtype=np.float64)
            painting = contrasts(here, ground).min()
            here.page.mouse.up()
            here.page.mouse.move(2, 2)
            here.page.wait_for_timeout(450)
            resting = contrasts(here, ground).min()
            assert min(painting, resting) >= 3, (name, painting, resting)
            hatched = patch(here)
            under, over = luminance(ground), luminance(hatched)
            lines = (np.maximum(over, under) + 0.05) / (np.minimum(over, under) + 0.05)
            assert 0.1 < np.mean(lines >= 3) < 0.7, (name, np.mean(lines >= 3))  # lines, and between them the picture is seen


def test_the_edge_moves_unless_less_motion_is_asked_for(inputs: Inputs, browser: Browser) -> None:
    with easel(inputs, browser, "inpaint", "mask") as here:
        for moves in (True, False):
            here.page.emulate_media(reduced_motion="no-preference" if moves else "reduce")
            here.show(noise(SIDE, SIDE, 5 + moves))
            here.stroke((100, 100), (300, 300))
            here.page.mouse.move(2, 2)
            here.page.wait_for_timeout(450)
            before = seen(here)
            if moves:
                wait_for(here.page, lambda before=before: not np.array_equal(seen(here), before))
            else:
                here.page.wait_for_timeout(350)
                assert np.array_equal(seen(here), before)
        here.page.emulate_media(reduced_motion=None)


def test_the_tint_is_far_from_what_is_under_it_and_a_chosen_one_stays(inputs: Inputs, browser: Browser) -> None:
    with easel(inputs, browser, "inpaint", "mask") as here:
        here.show(np.full((SIDE, SIDE, 3), GROUNDS["red"], np.uint8))
        here.brush(200)
        here.stroke((200, 200), (210, 200))
        here.page.wait_for_timeout(450)
        tinted = np.median(patch(here), axis=(0, 1))
        assert np.abs(tinted - GROUNDS["red"]).sum() > 50
        here.part("tint").evaluate("(field) => { field.value = '#00ff00'; field.dispatchEvent(new Event('input', { bubbles: true })) }")
        here.reload()
        here.page.wait_for_timeout(450)
        red, green, blue = np.median(patch(here), axis=(0, 1)) - GROUNDS["red"]
        assert green > 20 and red < -20 and blue <= 0
        assert here.part("tint").input_value() == "#00ff00"


def patch(here: Easel) -> Pixels:
    """Some stripes in the middle of the picture."""
    x, y = (int(part) for part in inside(here))
    return seen(here)[y - 24 : y + 24, x - 24 : x + 24]


def inside(here: Easel) -> tuple[float, float]:
    """The middle of the picture on what is shown of the canvas."""
    box = here.part("canvas").bounding_box()
    assert box
    x, y = here.at(SIDE / 2, SIDE / 2)
    return x - box["x"], y - box["y"]
