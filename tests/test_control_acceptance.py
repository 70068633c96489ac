"""ControlNet and depth as an artist meets them: app.py on the starter model, a real Chromium, pictures judged by what they show."""

from __future__ import annotations

from collections.abc import Generator
from io import BytesIO
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from playwright.sync_api import Browser, FilePayload, Locator, Page

from models.starter.recipe.scenes import Scene, Thing, arrange, draw
from pipelines import Controlled, Depth
from pipelines.depth.depth_map import to_map, to_picture
from pipelines.images.store import Inputs
from pipelines.jobs.outputs import read
from tests.support.app_fixtures import RunningStudio, reading_of
from tests.support.asked import drawing
from tests.support.page_fixtures import Visit, browser, shared_page, visiting, wait_for

pytestmark = pytest.mark.browser
__all__ = ["browser"]

SCENE = Scene((Thing("house", "red", "left", "big"),), "grass", "day", mountains=False)
NEAR = 2  # pixels within which two outlines are the same
SEED = "11"


@pytest.fixture
def visit(running: RunningStudio, browser: Browser) -> Generator[Visit]:
    with visiting(running, browser, shared_page(browser, running.url, 1440, 1000)) as visit:  # type: ignore[arg-type]
        visit.page.set_default_timeout(120_000)
        yield visit
        assert visit.complaints == []
        assert visit.hosts <= {running.url.split("/")[2], "inline"}


def scene() -> Image.Image:
    return Image.fromarray(draw(arrange(SCENE, np.random.default_rng(3)), 128))


def drawn_scene() -> FilePayload:
    stream = BytesIO()
    scene().save(stream, "png")
    return FilePayload(name="scene.png", mimeType="image/png", buffer=stream.getvalue())


def fill(page: Page, kind: str, prompt: str) -> None:
    page.locator(f"#{kind}-prompt textarea").fill(prompt)
    page.locator(f"#{kind}-seed input, #{kind}-seed textarea").first.fill(SEED)
    page.locator(f"#{kind}-seed input, #{kind}-seed textarea").first.press("Tab")


def generated(page: Page, kind: str, running: RunningStudio) -> Path:
    """The file of the next picture."""
    before = set(running.outputs.glob("*/*.png"))
    page.locator(f"#{kind}-generate").click()
    wait_for(page, lambda: set(running.outputs.glob("*/*.png")) - before, 120)
    return (set(running.outputs.glob("*/*.png")) - before).pop()


def choose(card: Locator, field: str, label: str) -> None:
    card.locator(f"[data-field={field}] select").select_option(label=label)


def shown_map(page: Page, card: Locator) -> Image.Image:
    """The preview of a unit, once it is there."""
    card.locator(".unit-seen[data-state=done]").wait_for()
    address = card.locator(".unit-seen img").evaluate("image => image.src")
    return Image.open(BytesIO(page.request.get(str(address)).body()))


def outlines(image: Image.Image) -> NDArray[np.bool_]:
    """At the size at which the starter draws; its pictures are enlarged after that."""
    return cv2.Canny(np.asarray(image.convert("RGB").resize((128, 128), Image.Resampling.BOX)), 100, 200) > 0


def shared(one: NDArray[np.bool_], other: NDArray[np.bool_]) -> float:
    """F1 of two sets of outlines, each within `NEAR` pixels of the other."""
    kernel = np.ones((2 * NEAR + 1, 2 * NEAR + 1), np.uint8)
    wide = [cv2.dilate(lines.astype(np.uint8), kernel) > 0 for lines in (one, other)]
    precision, recall = (one & wide[1]).sum() / max(1, one.sum()), (other & wide[0]).sum() / max(1, other.sum())
    return float(2 * precision * recall / max(1e-9, precision + recall))


def test_outlines_and_depth_hold_a_picture_that_the_prompt_colours(visit: Visit, running: RunningStudio) -> None:
    page = visit.page
    visit.open_tab("ControlNet")
    first = page.locator("#controlnet-controls .unit").first
    first.locator("[data-part=file]").set_input_files([drawn_scene()])
    choose(first, "preprocessor", "Canny")
    choose(first, "id", "outlines")
    seen = shown_map(page, first)
    assert (np.asarray(seen.convert("L")) == cv2.Canny(np.asarray(scene()), 100, 200)).all(), "what the model will see"
    # The prompt says neither where the house stands nor how large it is: its outlines do.
    fill(page, "controlnet", "a blue house in the snow at night")
    held = generated(page, "controlnet", running)
    request = read(held.read_bytes())
    assert isinstance(request, Controlled) and [use.name for use in request.controls] == ["outlines"]
    found = reading_of(Image.open(held))
    assert (found.time, found.ground) == ("night", "snow")
    assert (found.things[0].kind, found.things[0].colour, found.things[1:]) == ("house", "blue", (None, None))
    first.locator("[data-part=switch]").click()
    free = generated(page, "controlnet", running)
    house = outlines(seen)
    house[:60] = False  # the sky belongs to the time of day
    assert shared(outlines(Image.open(held)) & below(), house) > shared(outlines(Image.open(free)) & below(), house) + 0.1
    first.locator("[data-part=switch]").click()
    page.locator("#controlnet-controls [data-part=add]").click()
    second = page.locator("#controlnet-controls .unit").nth(1)
    second.locator("[data-part=file]").set_input_files([drawn_scene()])
    choose(second, "preprocessor", "Starter depth")
    choose(second, "id", "depth")
    assert np.asarray(shown_map(page, second)).std() > 20
    both = read(generated(page, "controlnet", running).read_bytes())
    assert [(use.name, use.preprocessor) for use in drawing(both).controls] == [("outlines", "Canny"), ("depth", "Starter depth")]


def below() -> NDArray[np.bool_]:
    return np.arange(128)[:, None] >= np.full((1, 128), 60)


def test_a_depth_map_is_estimated_edited_and_followed(visit: Visit, running: RunningStudio) -> None:
    page = visit.page
    visit.open_tab("Depth")
    page.locator("#depth-drive [data-part=controlnet]").click()
    page.locator("#depth-map [data-part=file]").set_input_files([drawn_scene()])
    page.locator("#depth-map [data-part=estimate]").click()
    page.wait_for_function("() => inside.page.forms.depth?.map")
    fill(page, "depth", "a yellow house on the grass by day")
    plain = Image.open(generated(page, "depth", running))
    assert places_of_houses(plain) == [0]
    changed = edit(page, running, curve="3", cut_off="0.75")
    assert np.abs(np.asarray(changed, int) - np.asarray(plain, int)).mean() > 1, "another map, another picture"
    edit_back = {"curve": "1", "cut_off": "0"}
    before = page.evaluate("() => inside.page.forms.depth.map")  # read first: the page may be done before the next line runs
    page.locator("#depth-map [data-part=map-file]").set_input_files([turned_map(page, running)])
    page.wait_for_function("before => inside.page.forms.depth.map !== before", arg=before)
    assert places_of_houses(edit(page, running, **edit_back)) == [2], "the house stands where the map is near"


def edit(page: Page, running: RunningStudio, **values: str) -> Image.Image:
    """Moves sliders of the map, generates, and checks that the picture says so."""
    for name, value in values.items():
        number = page.locator(f"#depth-{name} input[type=number]")
        number.fill(value)
        number.press("Tab")
    file = generated(page, "depth", running)
    request = read(file.read_bytes())
    assert isinstance(request, Depth) and {name: float(value) for name, value in values.items()} == {
        name: getattr(request, name) for name in values
    }
    return Image.open(file).convert("RGB")


def places_of_houses(image: Image.Image) -> list[int]:
    return [place for place, thing in enumerate(reading_of(image.convert("RGB")).things) if thing and thing.kind == "house"]


def turned_map(page: Page, running: RunningStudio) -> FilePayload:
    """The estimated map, left and right exchanged, as a PNG of 16 bits."""
    kept = Inputs(running.outputs / ".inputs").open(page.evaluate("() => inside.page.forms.depth.map"), "")
    stream = BytesIO()
    to_picture(to_map(kept)[:, ::-1].copy()).save(stream, "png")
    return FilePayload(name="map.png", mimeType="image/png", buffer=stream.getvalue())
