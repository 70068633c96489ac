"""The Turn tab in a real browser, over a real runner with a tiny model: put in, drag the camera, turn, take a view up again."""

from __future__ import annotations

from collections.abc import Generator
from io import BytesIO

import pytest
from PIL import Image, ImageDraw
from playwright.sync_api import FilePayload

from models.memory.forecast import Machine
from pipelines.images.set_on_white import NOTHING
from pipelines.images.store import INPUTS, Inputs
from pipelines.jobs.runner import Runner
from pipelines.requests.request import Turn
from pipelines.runtime.runner import ModelRunner
from tests.support.page_fixtures import House, Visit, browser, free_port, house, opened, visit, wait_for
from tests.support.toy_turning import write_turning
from tests.support.toy_weights import CPU

pytestmark = pytest.mark.browser
__all__ = ["browser", "house", "visit"]


class Turning(House):
    """A studio that draws."""

    def _open_runner(self) -> Runner:
        catalog = self.catalog()
        catalog.rescan(wait=True)
        return ModelRunner(catalog, CPU, Machine(8 * 10**9), Inputs(self.folder / "outputs" / INPUTS))


@pytest.fixture(scope="module")
def open_house(tmp_path_factory: pytest.TempPathFactory) -> Generator[House]:
    place = Turning(tmp_path_factory.mktemp("house"), free_port(), tabs=("txt2img", "turn"))
    write_turning(place.models / "checkpoints" / "zero123.safetensors")
    with opened(place):
        yield place


def file_of(fill: str) -> FilePayload:
    picture = Image.new("RGB", (120, 90), "white")
    ImageDraw.Draw(picture).rectangle((30, 20, 80, 70), fill)
    stream = BytesIO()
    picture.save(stream, "png")
    return FilePayload(name="thing.png", mimeType="image/png", buffer=stream.getvalue())


def put(visit: Visit, fill: str, button: str) -> None:
    with visit.page.expect_file_chooser() as chooser:
        visit.page.locator(f"#turn-image [data-part={button}]").click()
    chooser.value.set_files([file_of(fill)])


def number(visit: Visit, name: str) -> float:
    return float(visit.page.locator(f"#turn-{name} input").first.input_value())


def dial(visit: Visit, name: str) -> str:
    return visit.page.locator(f"#turn-dial [data-part={name}]").inner_text()


def fill(visit: Visit, **values: int) -> None:
    for name, value in values.items():
        field = visit.page.locator(f"#turn-{name} input[type=number]").first
        field.fill(str(value))
        field.press("Tab")
        visit.page.wait_for_function("([name, value]) => Number(inside.page.forms.turn[name]) === value", arg=[name, value])


def drag(visit: Visit, *ways: tuple[float, float], finger: bool = False) -> None:
    """From the middle of the sphere, over these places in its radius."""
    box = visit.page.locator("#turn-dial svg").bounding_box()
    assert box
    across, down, radius = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2, box["width"] / 2 * 100 / 118
    places = [(across + right * radius, down - up * radius) for right, up in ways]
    if finger:
        wire = visit.page.context.new_cdp_session(visit.page)
        for kind, points in [("touchStart", [(across, down)]), *(("touchMove", [place]) for place in places), ("touchEnd", [])]:
            wire.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [{"x": x, "y": y} for x, y in points]})
        wire.detach()
        return
    visit.page.mouse.move(across, down)
    visit.page.mouse.down()
    for place in places:
        visit.page.mouse.move(*place, steps=4)
    visit.page.mouse.up()


def test_an_object_is_turned_by_the_dial_and_a_view_of_the_sheet_is_taken_up_again(visit: Visit) -> None:
    page = visit.page
    page.locator("#tab-turn-button").click()
    put(visit, "white", "open")
    wait_for(page, lambda: dial(visit, "lack") == NOTHING)
    put(visit, "red", "another")
    page.locator("#turn-dial [data-part=seen]").wait_for()
    assert (
        dial(visit, "lack") == ""
        and page.locator("#turn-distance").is_visible()
        and not page.locator("#turn-picture_elevation").is_visible()
    )

    drag(visit, (0.6, 0.3))
    wait_for(page, lambda: number(visit, "azimuth") > 30 and number(visit, "elevation") > 20)
    drag(visit, (0.5, 0.1), (1.2, 0.0), (0.3, 0.2), finger=True)  # over the rim and back: it is behind now
    wait_for(page, lambda: number(visit, "azimuth") > 120)
    page.locator("#turn-dial [data-part=sphere]").press("Home")
    page.keyboard.press("Shift+ArrowRight")
    page.keyboard.press("ArrowUp")
    wait_for(page, lambda: (number(visit, "azimuth"), number(visit, "elevation")) == (15, 5))
    assert dial(visit, "words") == "15° to the right, 5° higher"

    fill(visit, azimuth=-30, views=3, steps=2)
    assert dial(visit, "words") == "3 views around, the first 30° to the left, 5° higher"
    page.locator("#turn-generate").click()
    wait_for(page, lambda: page.locator("#stage [data-part=strip] [data-picture]").count() == 4)
    wait_for(page, lambda: page.locator("#stage [data-part=facts]").inner_text().startswith("128 × 128"))
    house = visit.house
    assert house.studio
    rows = house.studio.book._all("select id from picture order by number", ())
    records = [house.studio.picture(row["id"]) for row in rows]
    requests = [record.request for record in records if record]
    assert [(one.views, one.azimuth) for one in requests if isinstance(one, Turn)] == [(1, -30), (1, 90), (1, -150), (3, -30)]

    page.locator("#stage [data-part=strip] [data-picture]").nth(2).click()  # the newest stands first
    page.locator("#stage [data-part=settings]").click()
    wait_for(page, lambda: number(visit, "azimuth") == 90 and number(visit, "views") == 1)
    assert dial(visit, "words") == "90° to the right, 5° higher"
