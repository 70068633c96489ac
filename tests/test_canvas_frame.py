"""The frame of an outpainting and the size of an empty canvas, in Chromium on a bare page."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Browser

from tests.support.canvas_harness import Easel, Inputs, canvas_server, easel, inputs, noise, png
from tests.support.page_fixtures import browser

pytestmark = pytest.mark.browser
__all__ = ["browser", "canvas_server", "inputs"]
COVERED = """() => [...document.querySelectorAll("[data-handle]")].filter((handle) => {
  const { left, top, width, height } = handle.getBoundingClientRect();
  return document.elementFromPoint(left + width / 2, top + height / 2) !== handle;
}).map((handle) => handle.dataset.handle)"""

AGAIN = """async () => {
  const home = document.querySelector("#home");
  home.innerHTML = await (await fetch("canvas.html")).text();
  const props = { offers: { kind: "img2img", mode: "sketch" } };
  inside.canvas.build({ element: home, trigger() {}, props, server: {}, watch() {} });
}"""
WINDOWS = [{"viewport": {"width": 1440, "height": 900}}, {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}]


def form(here: Easel, **values: object) -> None:
    here.js("(detail) => harness.say('atelier:form', detail)", {"kind": here.kind, "values": values})


@pytest.mark.parametrize("window", WINDOWS)
def test_every_handle_is_free_at_every_size_and_a_result_is_shown_whole(inputs: Inputs, browser: Browser, window: dict[str, Any]) -> None:
    with easel(inputs, browser, "outpaint", "frame", **window) as here:
        here.show(noise(512, 384))
        for sides in ({}, {"bottom": 512}, {"left": 256, "right": 256, "top": 128, "bottom": 128}, {"right": 2048}):
            form(here, **sides)
            here.rest()
            assert here.js(COVERED) == [], sides
            for button in ("in", "in", "out", "fit"):
                here.part(button).click()
                assert here.js(COVERED) == [], (sides, button)
        for _ in range(5):
            here.part("in").click()
        inputs.files["drawn"] = png(np.zeros((384, 2560, 3), np.uint8))
        here.api("api.candidates([{ src: 'input/drawn.png', keep: () => {} }])")
        here.part("choices").wait_for()
        assert here.api("api.view.fitted && 2560 * api.view.scale <= api.view.width")


def test_an_empty_canvas_has_the_size_of_the_form_from_the_first_moment_until_the_first_stroke(inputs: Inputs, browser: Browser) -> None:
    with easel(inputs, browser, "img2img", "sketch") as here:
        here.js("void (inside.page.forms.img2img = { width: 192, height: 320 })")  # the form was there before this tab was opened
        here.js(AGAIN)
        here.wait("() => document.querySelector('[data-part=start]').offsetParent")
        here.part("start").click()
        here.rest()
        assert here.layer().shape[:2] == (320, 192)
        form(here, width=256, height=128)
        here.wait("() => inside.page.canvases.img2img.layer.width === 256")
        here.stroke((40, 40), (200, 100))
        form(here, width=512, height=512)
        here.page.wait_for_timeout(400)
        here.rest()
        assert here.layer().shape[:2] == (128, 256) and here.layer().any()
        here.part("undo").click()
        form(here, width=320, height=320)
        here.page.wait_for_timeout(400)
        here.part("redo").click()
        assert here.layer().shape[:2] == (128, 256) and here.layer().any()
