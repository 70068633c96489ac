"""The depth tab in a real browser on the toy studio, whose estimator takes the brightness for the nearness."""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO
from typing import Any

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, FilePayload

from pipelines import Depth, Studio
from pipelines.resolving.checks import UNREAD_DEPTH
from tests.support import page_fixtures
from tests.support.depth_toys import bright_is_near, with_depth_models
from tests.support.page_fixtures import House, Visit, browser, house, house_with, visit, visiting, wait_for
from tests.support.toys import wait_until

pytestmark = pytest.mark.browser
__all__ = ["browser", "house", "open_house", "visit"]
open_house = house_with("depth", "controlnet")

BY_ITSELF = "the checkpoint “Starter depth” by itself"
BY_CONTROL = "ControlNet “depth”, weight 1."
SHOWN = "document.querySelector('#depth-map [data-part=shown]')"
# The grey of the shown picture at shares of its width and height.
GREY = f"""([x, y]) => {{
  const image = {SHOWN};
  const canvas = Object.assign(document.createElement('canvas'), {{ width: image.naturalWidth, height: image.naturalHeight }});
  const context = canvas.getContext('2d');
  context.drawImage(image, 0, 0);
  return context.getImageData(Math.floor(x * canvas.width), Math.floor(y * canvas.height), 1, 1).data[0];
}}"""


@pytest.fixture(scope="module", autouse=True)
def stocked() -> Iterator[None]:
    """An estimator, a depth checkpoint and a depth ControlNet are there before the page is built."""
    made = page_fixtures.create_app
    with pytest.MonkeyPatch.context() as patch:

        def create_app(studio: Studio, *others: Any, **look: Any) -> Any:
            bright_is_near(studio, patch)
            with_depth_models(studio, patch)
            return made(studio, *others, **look)

        patch.setattr(page_fixtures, "create_app", create_app)
        yield


def file_of(image: Image.Image, name: str = "picture.png") -> FilePayload:
    stream = BytesIO()
    image.save(stream, "png")
    return FilePayload(name=name, mimeType="image/png", buffer=stream.getvalue())


def ramp(width: int = 128, height: int = 128, most: int = 65_535) -> Image.Image:
    """16 bits, from far on the left to near on the right."""
    return Image.fromarray(np.tile(np.linspace(0, most, width).astype(np.uint16), (height, 1)))


def part(visit: Visit, name: str) -> Any:
    return visit.page.locator(f"#depth-map [data-part={name}]")


def form(visit: Visit, name: str) -> Any:
    return visit.page.evaluate("name => inside.page.forms.depth?.[name]", name)


def open_depth(visit: Visit) -> None:
    visit.open_tab("Depth")
    visit.page.wait_for_function("() => document.querySelector('#depth-map select')?.options.length && inside.page.forms.depth")


def drive(visit: Visit, way: str, says: str) -> None:
    visit.page.locator(f"#depth-drive [data-part={way}]").click()
    visit.page.locator("#depth-drive [data-part=words]").get_by_text(says).wait_for()


def grey(visit: Visit, x: float, y: float = 0.5) -> int:
    return visit.page.evaluate(GREY, [x, y])


def wait_for_grey(visit: Visit, x: float, wanted: int, y: float = 0.5) -> None:
    visit.page.wait_for_function(f"() => !{SHOWN}.hidden && {SHOWN}.naturalWidth > 0")
    wait_for(visit.page, lambda: abs(grey(visit, x, y) - wanted) <= 3)


def put_picture(visit: Visit, image: Image.Image) -> None:
    before = form(visit, "image")
    part(visit, "file").set_input_files([file_of(image)])
    visit.page.wait_for_function("before => inside.page.forms.depth.image !== before", arg=before)


def put_map(visit: Visit, image: Image.Image) -> None:
    before = form(visit, "map")
    part(visit, "map-file").set_input_files([file_of(image)])
    visit.page.wait_for_function("before => inside.page.forms.depth.map !== before", arg=before)


def test_a_picture_gives_its_depth_which_is_edited_in_view_and_goes_with_the_job(visit: Visit, house: House) -> None:
    open_depth(visit)
    assert part(visit, "estimate").is_disabled() and "picture" in part(visit, "estimate").get_attribute("title")
    put_picture(visit, Image.linear_gradient("L").resize((128, 128)).rotate(90).convert("RGB"))
    part(visit, "first-estimate").click()
    wait_for_grey(visit, 0.5, 128)
    assert house.studio and house.studio.uploads.inputs.open(form(visit, "map"), "").mode == "I;16"
    middle = grey(visit, 0.75)
    visit.page.evaluate("inside.dom.enter('#depth-curve', 2)")
    wait_for_grey(visit, 0.75, round(255 * (middle / 255) ** 2))
    visit.page.evaluate("inside.dom.enter('#depth-curve', 1)")
    visit.page.evaluate("inside.dom.enter('#depth-near', 0.5)")
    wait_for_grey(visit, 0.75, min(255, 2 * middle))
    assert visit.page.locator("#depth-plan").inner_text().startswith("20 steps will run")
    visit.page.locator("#depth-prompt textarea").fill("a blue ball")
    visit.page.locator("#depth-generate").click()
    wait_until(lambda: isinstance(house.runner.drawn[-1], Depth) if house.runner.drawn else False, 30)
    request = house.runner.drawn[-1]
    assert isinstance(request, Depth)
    assert (request.map, request.near, request.checkpoint) == (form(visit, "map"), 0.5, "starter-depth")


def test_a_map_of_16_bits_needs_no_picture_and_a_reload_keeps_it(visit: Visit, house: House) -> None:
    open_depth(visit)
    put_map(visit, ramp())
    wait_for_grey(visit, 0.9, 230)
    visit.page.locator("#depth-plan").get_by_text("the depth map is enough").wait_for()
    kept = form(visit, "map")
    assert house.studio
    assert np.array_equal(np.asarray(house.studio.uploads.inputs.open(kept, "")), np.asarray(ramp()))
    visit.reload()
    open_depth(visit)
    wait_for_grey(visit, 0.9, 230)
    assert form(visit, "map") == kept


def test_the_map_is_seen_edited_and_as_it_came_the_edits_can_be_reset_and_marks_in_the_histogram_dragged(visit: Visit) -> None:
    open_depth(visit)
    put_map(visit, ramp())
    visit.page.locator("#depth-map_inverted input").check()
    visit.page.evaluate("inside.dom.enter('#depth-cut_off', 0.5)")
    wait_for_grey(visit, 0.9, 0)
    wait_for_grey(visit, 0.1, 230)
    part(visit, "look-raw").click()
    wait_for_grey(visit, 0.9, 230)
    part(visit, "look-edited").click()
    assert "Cut-off 0.5" in part(visit, "histogram").get_attribute("aria-label")
    part(visit, "reset").click()
    wait_for_grey(visit, 0.9, 230)
    wait_for(visit.page, lambda: part(visit, "reset").is_disabled())
    part(visit, "histogram").scroll_into_view_if_needed()
    box = visit.page.locator("#depth-map .depth-near path").bounding_box()
    room = part(visit, "histogram").bounding_box()
    assert box and room
    visit.page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    visit.page.mouse.down()
    visit.page.mouse.move(room["x"] + room["width"] / 2, box["y"], steps=4)
    visit.page.mouse.up()
    wait_for(visit.page, lambda: form(visit, "near") == pytest.approx(0.5, abs=0.02))


def test_a_map_can_be_drawn_on_and_cleared_and_both_undone(visit: Visit, house: House) -> None:
    open_depth(visit)
    put_map(visit, ramp(most=1000))
    wait_for_grey(visit, 0.5, 2)
    before = form(visit, "map")
    part(visit, "draw").click()
    box = part(visit, "canvas").bounding_box()
    assert box
    visit.page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    part(visit, "done").click()
    wait_for_grey(visit, 0.5, 255)
    assert house.studio
    drawn = np.asarray(house.studio.uploads.inputs.open(form(visit, "map"), ""))
    assert np.array_equal(drawn[:20], np.asarray(ramp(most=1000))[:20])  # all 16 bits where nothing was painted
    visit.page.locator(".page-note button.quiet").click()
    wait_for(visit.page, lambda: form(visit, "map") == before)
    part(visit, "clear").click()
    part(visit, "invite").wait_for()
    assert form(visit, "map") == ""
    visit.page.locator(".page-note button.quiet").click()
    wait_for(visit.page, lambda: form(visit, "map") == before)


def test_a_map_can_be_drawn_from_nothing_and_left_again(visit: Visit, house: House) -> None:
    open_depth(visit)
    part(visit, "first-draw").click()
    part(visit, "cancel").click()
    part(visit, "first-draw").click()
    assert part(visit, "done").is_disabled()
    visit.page.evaluate("() => window.addEventListener('click', () => location.reload(), { once: true })")
    with visit.page.expect_navigation():
        part(visit, "ground").click()
    visit.settle()
    open_depth(visit)
    part(visit, "first-draw").click()  # what was drawn is there again after a reload in the next moment
    part(visit, "done").click()
    wait_for_grey(visit, 0.5, 250, 0.99)
    assert grey(visit, 0.5, 0.25) == 0
    assert house.studio and house.studio.uploads.inputs.open(form(visit, "map"), "").size == (128, 128)


def test_what_drives_is_chosen_with_one_press_and_said_in_words(visit: Visit) -> None:
    open_depth(visit)
    visit.page.locator("#depth-drive [data-part=words]").get_by_text(BY_ITSELF).wait_for()
    assert (form(visit, "checkpoint"), form(visit, "controls")) == ("starter-depth", [])
    drive(visit, "controlnet", BY_CONTROL)
    assert form(visit, "checkpoint") == "starter"
    assert [(use["id"], use["image"]) for use in form(visit, "controls")] == [("net", "")]
    assert visit.page.locator("#depth-drive [data-part=controlnet]").get_attribute("aria-pressed") == "true"
    drive(visit, "checkpoint", BY_ITSELF)
    assert (form(visit, "checkpoint"), form(visit, "controls")) == ("starter-depth", [])
    visit.page.locator(".page-note button.quiet").click()
    visit.page.locator("#depth-drive [data-part=words]").get_by_text(BY_CONTROL).wait_for()


def test_generate_with_nothing_says_what_is_missing(visit: Visit, house: House) -> None:
    before = len(house.runner.drawn)
    open_depth(visit)
    visit.page.locator("#depth-generate").click()
    visit.page.get_by_text("There is no picture to start from").wait_for()
    put_map(visit, ramp())
    visit.page.locator("#depth-checkpoint input").click()
    visit.page.get_by_role("option", name="Starter ·").click()
    visit.page.locator("#depth-drive [data-part=words]").get_by_text(UNREAD_DEPTH).wait_for()
    visit.page.locator("#depth-generate").click()
    visit.page.get_by_text(UNREAD_DEPTH).nth(1).wait_for()
    assert len(house.runner.drawn) == before


def test_a_file_that_is_no_map_is_refused_and_the_map_that_stays_goes_to_the_first_unit_of_controlnet(visit: Visit, house: House) -> None:
    open_depth(visit)
    put_map(visit, ramp())
    wait_for_grey(visit, 0.9, 230)
    kept = form(visit, "map")
    part(visit, "map-file").set_input_files([FilePayload(name="x.exr", mimeType="", buffer=b"not a picture")])
    part(visit, "alert").get_by_text("not a picture").wait_for()
    assert form(visit, "map") == kept
    visit.complaints[:] = [line for line in visit.complaints if "422" not in line]  # the browser's own line for the refusal
    part(visit, "send").click()
    visit.page.wait_for_function("() => inside.page.forms.controlnet?.controls[0]?.image")
    unit = visit.page.evaluate("inside.page.forms.controlnet.controls[0]")
    assert (unit["id"], unit["preprocessor"]) == ("net", "None")
    assert house.studio and house.studio.uploads.inputs.open(unit["image"], "L").getpixel((115, 64)) == pytest.approx(231, abs=3)
    assert visit.page.get_by_role("tab", name="ControlNet", exact=True).get_attribute("aria-selected") == "true"


def test_a_result_is_sent_to_the_tab_and_the_settings_of_its_own_pictures_come_back(visit: Visit, house: House) -> None:
    visit.generate("a red house")
    visit.finished()
    visit.send_to("depth")
    visit.page.wait_for_function("() => inside.page.forms.depth?.image && inside.page.forms.depth.prompt === 'a red house'")
    assert form(visit, "checkpoint") == "starter-depth"
    part(visit, "first-estimate").click()
    visit.page.wait_for_function("() => inside.page.forms.depth.map")
    image, depth = form(visit, "image"), form(visit, "map")
    visit.page.locator("#depth-generate").click()
    visit.page.wait_for_selector('#stage [data-part=frame][data-showing="picture"]')
    visit.part("uncover").click()
    part(visit, "clear").click()
    part(visit, "remove").click()
    wait_for(visit.page, lambda: (form(visit, "map"), form(visit, "image")) == ("", ""))
    visit.page.locator("#stage [data-part=strip] [data-picture]").first.click()
    visit.part("settings").click()
    wait_for(visit.page, lambda: (form(visit, "map"), form(visit, "image")) == (depth, image))


def test_on_a_phone_nothing_is_wider_than_the_screen(house: House, browser: Browser) -> None:
    with visiting(house, browser, viewport={"width": 390, "height": 844}) as visit:
        open_depth(visit)
        put_map(visit, ramp())
        wait_for_grey(visit, 0.9, 230)
        part(visit, "draw").click()
        assert visit.page.evaluate("document.documentElement.scrollWidth") <= 390
        for name in ("undo", "depth", "size", "done", "cancel"):
            box = part(visit, name).bounding_box()
            assert box and box["x"] >= 0 and box["x"] + box["width"] <= 390, name
        assert visit.complaints == []
