"""A picture finished, as its artist does it: app.py on the starter model and a real Chromium. Four small pictures are drawn, one is gone
over by hires fix, a detail of it is drawn anew in a box that is moved by hand, and the whole is enlarged to 2048 pixels.
"""

from __future__ import annotations

import io
from collections.abc import Generator
from typing import Any

import pytest
from PIL import Image
from playwright.sync_api import Browser

from pipelines.jobs.outputs import read
from pipelines.requests.request import Details, Drawing, Enlarge, Request, SecondPass, TextToImage
from tests.support.app_fixtures import RunningStudio
from tests.support.page_fixtures import Visit, at_rest, browser, shared_page, visiting, wait_for

pytestmark = pytest.mark.browser
__all__ = ["browser"]

PROMPT = "a red house on the left and a green tree on the right, on grass by day"
PATIENCE = 90  # seconds


@pytest.fixture
def visit(running: RunningStudio, browser: Browser) -> Generator[Visit]:
    with visiting(running, browser, shared_page(browser, running.url, 1440, 900)) as visit:  # type: ignore[arg-type]
        yield visit
        assert visit.complaints == []


def shown(visit: Visit) -> str:
    return visit.part("picture").get_attribute("src") or ""


def made(visit: Visit, kind: str, count: int = 1) -> bytes:
    """Presses the button of a tab, waits until so many pictures more are there and the newest lies on the surface, and returns its file."""
    tiles = visit.page.locator("#stage [data-part=strip] [data-picture]")
    before, first = tiles.count(), shown(visit)
    visit.page.locator(f"#{kind}-generate").click()
    wait_for(visit.page, lambda: tiles.count() == before + count and shown(visit) != first, PATIENCE)
    if not visit.part("frame").is_visible():  # a canvas lies there
        tiles.first.click()
    return file_of(visit)


def file_of(visit: Visit) -> bytes:
    return visit.context.request.get(visit.house.url + visit.finished()).body()


def pixels(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data)).convert("RGB")


def facts(visit: Visit) -> str:
    return visit.part("facts").inner_text()


def sent(visit: Visit, kind: str) -> None:
    visit.send_to(kind)
    visit.page.locator(f"#{kind}-generate").wait_for()
    at_rest(visit.page)


def form(visit: Visit, kind: str, name: str) -> Any:
    return visit.page.evaluate("([kind, name]) => inside.page.forms[kind]?.[name]", [kind, name])


def fill(visit: Visit, kind: str, name: str, value: str) -> None:
    field = visit.page.locator(f"#{kind}-{name} input").first
    field.fill(value)
    field.press("Tab")
    wait_for(visit.page, lambda: str(form(visit, kind, name)) == value)


def dragged(visit: Visit, start: tuple[float, float], end: tuple[float, float]) -> None:
    visit.page.mouse.move(*start)
    visit.page.mouse.down()
    visit.page.mouse.move(sum((start[0], end[0])) / 2, sum((start[1], end[1])) / 2)
    visit.page.mouse.move(*end)
    visit.page.mouse.up()


def with_a_box(visit: Visit) -> None:
    """Draws one on the picture with the mouse, then moves it."""
    canvas = visit.page.locator("#details-image canvas").bounding_box()
    assert canvas
    middle = canvas["x"] + canvas["width"] / 2, canvas["y"] + canvas["height"] / 2
    dragged(visit, middle, (middle[0] + 110, middle[1] + 110))
    wait_for(visit.page, lambda: len(form(visit, "details", "boxes")) == 1)
    before = form(visit, "details", "boxes")[0]
    box = visit.page.locator("#details-image .detail-box").bounding_box()
    assert box
    held = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    dragged(visit, held, (held[0] - 90, held[1] - 40))
    wait_for(visit.page, lambda: form(visit, "details", "boxes")[0]["left"] < before["left"])
    after = form(visit, "details", "boxes")[0]
    assert after["top"] < before["top"] and after["right"] - after["left"] == before["right"] - before["left"]


def remade(visit: Visit, data: bytes) -> None:
    """The picture of the surface, by nothing but what its file says."""
    request = read(data)
    visit.part("settings").click()
    if isinstance(request, Drawing):  # the others' forms hold it already
        wait_for(visit.page, lambda: "as_made" in str(form(visit, request.kind, "carried")))
    again = made(visit, request.kind)
    assert pixels(again).tobytes() == pixels(data).tobytes(), request.kind


def record(data: bytes, kind: type[Request]) -> Any:
    request = read(data)
    assert isinstance(request, kind)
    return request


def test_four_pictures_are_drawn_and_one_is_finished_and_every_step_of_it_can_be_made_again(visit: Visit) -> None:
    wait_for(visit.page, lambda: visit.page.locator("#txt2img-enlarged .row-value").first.inner_text() == "512 × 512, Starter x4")
    for name, value in (("batch_count", "4"), ("steps", "4"), ("seed", "3")):
        visit.set(name, value)
    visit.control("prompt").fill(PROMPT)
    drawn = made(visit, "txt2img", 4)
    first = record(drawn, TextToImage)
    assert pixels(drawn).size == (512, 512) and facts(visit).startswith("512 × 512")
    visit.part("raw").click()
    wait_for(visit.page, lambda: facts(visit).startswith("128 × 128"))
    plain = pixels(visit.context.request.get(f"{visit.house.url}input/{first.as_drawn}.png").body())
    assert plain.size == (128, 128) and shown(visit) == f"input/{first.as_drawn}.png"
    visit.part("raw").click()
    wait_for(visit.page, lambda: facts(visit).startswith("512 × 512"))
    remade(visit, drawn)

    sent(visit, "hires")
    assert form(visit, "hires", "hires_upscaler") == "starter-upscaler" and form(visit, "hires", "image") == first.as_drawn
    over = made(visit, "hires")
    assert pixels(over).size == (256, 256) and record(over, SecondPass).first[0].prompt == PROMPT
    remade(visit, over)

    sent(visit, "details")
    wait_for(visit.page, lambda: visit.page.evaluate("() => inside.page.painted.details?.width") == 256)
    with_a_box(visit)
    detail = made(visit, "details")
    assert len(record(detail, Details).boxes) == 1 and pixels(detail).tobytes() != pixels(over).tobytes()
    remade(visit, detail)

    sent(visit, "enlarge")
    visit.page.locator("#enlarge-upscaler input").click()
    visit.page.get_by_role("option", name="Starter x4").click()
    fill(visit, "enlarge", "factor", "8")
    large = made(visit, "enlarge")
    assert pixels(large).size == (2048, 2048) and record(large, Enlarge).upscaler == "starter-upscaler"
    remade(visit, large)
