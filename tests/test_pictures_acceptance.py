"""Inpainting as an artist meets it: app.py on the starter model, a real Chromium, a mouse, a finger, a reload in the middle."""

from __future__ import annotations

from collections.abc import Generator
from io import BytesIO
from typing import Any

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, FilePayload, Page

from models.starter.recipe.scenes import Scene, Thing, arrange, draw
from pipelines import Inpaint
from pipelines.images.masking import blurred
from pipelines.images.store import Inputs
from pipelines.jobs.outputs import read
from tests.support.app_fixtures import RunningStudio, reading_of
from tests.support.page_fixtures import Visit, at_rest, browser, visiting, wait_for

pytestmark = pytest.mark.browser
__all__ = ["browser"]

SCENE = Scene((Thing("house", "red", "left", "big"),), "grass", "day", mountains=False)
CELLS = "() => [...inside.page.canvases.inpaint.layer.cells]"
ON_SCREEN = """([x, y]) => {
  const { scale, x: left, y: top, dpr } = inside.page.canvases.inpaint.view;
  return [(x * scale + left) / dpr, (y * scale + top) / dpr];
}"""


@pytest.fixture
def visit(running: RunningStudio, browser: Browser) -> Generator[Visit]:
    with visiting(running, browser, has_touch=True, viewport={"width": 1440, "height": 1000}) as visit:  # type: ignore[arg-type]
        visit.page.set_default_timeout(120_000)
        yield visit
        assert visit.complaints == []
        assert visit.hosts <= {running.url.split("/")[2], "inline"}


def scene() -> Image.Image:
    return Image.fromarray(draw(arrange(SCENE, np.random.default_rng(2)), 128))


def png(image: Image.Image) -> bytes:
    stream = BytesIO()
    image.save(stream, "png")
    return stream.getvalue()


def open_picture(page: Page) -> None:
    page.get_by_role("tab", name="Inpaint").click()
    at_rest(page)
    page.locator("#inpaint-image [data-part=file]").set_input_files(
        [FilePayload(name="scene.png", mimeType="image/png", buffer=png(scene()))]
    )
    page.wait_for_function("() => inside.page.painted.inpaint?.width === 128")


def place(page: Page, x: float, y: float) -> tuple[float, float]:
    """Where a pixel of the picture is on the screen."""
    box = page.locator("#inpaint-image [data-part=canvas]").bounding_box()
    assert box
    at: Any = page.evaluate(ON_SCREEN, [x, y])
    return box["x"] + at[0], box["y"] + at[1]


def with_mouse(page: Page, path: list[tuple[float, float]]) -> None:
    page.mouse.move(*place(page, *path[0]))
    page.mouse.down()
    for point in path[1:]:
        page.mouse.move(*place(page, *point), steps=3)
    page.mouse.up()


def with_finger(page: Page, path: list[tuple[float, float]]) -> None:
    session = page.context.new_cdp_session(page)
    kinds = ["touchStart", *["touchMove"] * (len(path) - 1)]
    for kind, point in zip(kinds, path, strict=True):
        x, y = place(page, *point)
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [{"x": x, "y": y}]})
    session.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})


def rows(top: int, bottom: int) -> list[tuple[float, float]]:
    """A path over the house, to and fro."""
    return [(x, y) for y in range(top, bottom, 8) for x in ((10, 54) if (y // 8) % 2 else (54, 10))]


def test_a_mask_painted_by_mouse_and_finger_becomes_a_blue_car_and_survives_a_reload(visit: Visit, running: RunningStudio) -> None:
    page = visit.page
    open_picture(page)
    page.locator("#inpaint-image [data-part=size]").fill("18")
    page.locator("#inpaint-image [data-part=size]").press("Tab")
    with_mouse(page, rows(48, 84))
    by_mouse = np.asarray(page.evaluate(CELLS))
    with_finger(page, rows(80, 120))
    painted = np.asarray(page.evaluate(CELLS))
    assert by_mouse.any() and (painted >= by_mouse).all() and (painted > by_mouse).sum() > 500
    page.wait_for_timeout(1500)  # kept in the browser shortly after the last stroke
    visit.reload()
    page.get_by_role("tab", name="Inpaint").click()
    at_rest(page)
    page.wait_for_function("() => inside.page.painted.inpaint?.bounds")
    assert (np.asarray(page.evaluate(CELLS)) == painted).all()
    page.locator("#inpaint-prompt textarea").fill("a blue car on the left in the grass at day")
    page.locator("#inpaint-denoising_strength input[type=number]").fill("1")
    page.locator("#inpaint-denoising_strength input[type=number]").press("Tab")
    before = set(running.outputs.glob("*/*.png"))
    page.locator("#inpaint-generate").click()
    wait_for(page, lambda: set(running.outputs.glob("*/*.png")) - before, 120)
    [file] = set(running.outputs.glob("*/*.png")) - before
    assert_blue_car_and_nothing_else(file.read_bytes(), painted.reshape(128, 128), running)
    page.locator("#inpaint-image [data-part=keep]").click()
    page.wait_for_function("() => inside.page.canvases.inpaint.layer.bounds() === null")
    page.locator("#inpaint-image [data-part=undo]").click()
    page.wait_for_function("() => inside.page.canvases.inpaint.layer.bounds() !== null")
    assert (np.asarray(page.evaluate(CELLS)) == painted).all()


def assert_blue_car_and_nothing_else(data: bytes, painted: Any, running: RunningStudio) -> None:
    request = read(data)
    assert isinstance(request, Inpaint)
    inputs = Inputs(running.outputs / ".inputs")
    mask = inputs.open(request.mask, "L")
    assert (np.asarray(mask) == painted).all()
    result, before = Image.open(BytesIO(data)).convert("RGB"), inputs.open(request.image)
    assert (np.asarray(before) == np.asarray(scene())).all()
    outside = np.asarray(blurred(mask, request.mask_blur)) == 0
    assert outside.sum() > 4000 and (np.asarray(result)[outside] == np.asarray(before)[outside]).all()
    thing = reading_of(result).things[0]
    assert (thing.kind, thing.colour) == ("car", "blue")
    assert reading_of(before).things[0].kind == "house"
