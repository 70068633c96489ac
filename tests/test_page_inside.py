"""The Inside tab in a real browser, on a toy that really draws."""

from __future__ import annotations

import io
import threading
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from models.library.catalog import Catalog
from models.memory.forecast import Machine
from pipelines.images.store import Inputs
from pipelines.jobs.events import Step
from pipelines.jobs.runner import Events, Watching
from pipelines.requests.remaining import Progress
from pipelines.requests.request import Request
from pipelines.runtime.runner import ModelRunner
from tests.support.one_chromium import OneChromium
from tests.support.page_fixtures import House, Visit, browser, house, opened, visit, wait_for
from tests.support.toy_weights import CPU, write_toy_model

pytestmark = pytest.mark.browser
__all__ = ["browser", "house", "open_house", "visit"]


class Draws(ModelRunner):
    """The real runner, with what the fixtures of pages set."""

    gate: threading.Semaphore | None = None  # released once a step
    step_seconds = 0.0

    def batches(self, request: Request, progress: Progress | None = None, watching: Watching | None = None) -> Generator[Events]:
        for batch in super().batches(request, progress, watching):
            yield self._gated(batch)

    def _gated(self, batch: Events) -> Events:
        for event in batch:
            yield event
            if self.gate and isinstance(event, Step):
                self.gate.acquire()


@pytest.fixture(scope="module")
def open_house(tmp_path_factory: pytest.TempPathFactory, one_chromium: OneChromium) -> Generator[House]:
    folder: Path = tmp_path_factory.mktemp("house")
    runner: Any = Draws(Catalog(write_toy_model(folder / "toy")), CPU, Machine(host=10**9), Inputs(folder / "none"))
    with opened(House(folder, one_chromium.port, runner, tabs=("txt2img", "inside"))) as house:
        yield house


def source(visit: Visit) -> str:
    return visit.page.locator(".inside-frame img").get_attribute("src") or ""


def test_a_picture_is_looked_into_from_its_noise_on(visit: Visit) -> None:
    page = visit.page
    visit.open_tab("Inside")
    wait_for(page, lambda: "No picture is chosen yet" in page.locator(".inside-empty").inner_text())
    visit.open_tab("Text to image")
    visit.set("steps", "3")
    with visit.another_picture():
        visit.generate("a red house")
    page.locator("#inspector").get_by_role("button", name="Look inside").click()
    wait_for(page, lambda: "noise-8.jpg" in source(visit))
    slider = page.get_by_role("slider", name="Noise")
    slider.focus()
    slider.press("End")
    wait_for(page, lambda: "noise-24.jpg" in source(visit))
    assert page.locator(".inside-dot").count() == 3
    page.get_by_role("button", name="Exponential").click()
    assert page.locator(".inside-curve").count() == 2
    page.get_by_role("slider", name="Steps").fill("9")
    wait_for(page, lambda: page.locator(".inside-dot").count() == 10)


def pixels(visit: Visit) -> bytes:
    """Of the finished picture in the frame."""
    with Image.open(io.BytesIO(visit.page.request.get(visit.house.url + visit.finished()).body())) as picture:
        return picture.tobytes()


@contextmanager
def closing_wire(visit: Visit) -> Generator[Any]:
    wire = visit.page.context.new_cdp_session(visit.page)
    yield wire
    wire.detach()


def test_while_a_picture_forms_its_words_show_what_they_look_at_and_it_comes_out_the_same(visit: Visit) -> None:
    page, row = visit.page, visit.page.locator(".heat-row")
    visit.set("steps", "5")
    visit.set("seed", "7")
    with visit.another_picture():
        visit.generate("a red house")
    plain = pixels(visit)
    visit.house.runner.gate = gate = threading.Semaphore(0)
    visit.generate()
    visit.wait_for_step(1)
    assert not row.count(), "what shows it is not even there before it is asked for"
    page.get_by_role("button", name="What words look at").click()
    wait_for(page, lambda: "The next step shows it" in row.inner_text())
    gate.release(2)  # the step after the one in work
    wait_for(page, lambda: row.locator("p").inner_text().startswith("Step 3 of 5: “house” has"))
    red = row.get_by_role("button", name="red")
    red.click()
    gate.release()
    wait_for(page, lambda: row.locator("p").inner_text().startswith("Step 4 of 5: “red” has"))
    assert red.get_attribute("aria-pressed") == "true"
    over, under = (page.locator(f".frame > {name}").bounding_box() for name in (".heat", ".preview"))
    assert over and under and abs(over["y"] - under["y"]) < 2 and abs(over["height"] - under["height"]) < 3, "the heat lies on the preview"
    with visit.another_picture():
        gate.release(1000)
    assert not row.is_visible() and pixels(visit) == plain
    visit.open_tab("Inside")
    page.locator(".inside-tabs").get_by_role("tab", name="Attention").click()
    page.get_by_role("button", name="Shown while pictures are drawn").click()
    assert page.get_by_role("button", name="Show it while pictures are drawn").get_attribute("aria-pressed") == "false"


def test_one_more_run_shows_attention_guidance_and_a_step_to_take_along(visit: Visit) -> None:
    page = visit.page
    visit.set("steps", "3")
    with visit.another_picture():
        visit.generate("a red house")
    visit.part("send").click()
    visit.part("to-inside").click()
    panels = page.locator(".inside-tabs")
    panels.get_by_role("tab", name="Words").click()
    page.locator(".inside-tokens [data-word]", has_text="red").click()
    wait_for(page, lambda: page.locator(".inside-columns h3").first.inner_text().startswith("Nearest to “red”"))
    panels.get_by_role("tab", name="Attention").click()
    page.get_by_role("button", name="Draw it once more and watch").click()
    wait_for(page, lambda: "the same to the last bit" in page.locator(".inside-body").inner_text())
    page.locator(".inside-words").get_by_role("button", name="house").click()
    wait_for(page, lambda: page.locator(".inside-caption").inner_text().startswith("“house”"))
    canvas = page.locator(".inside-frame canvas")
    canvas.click(position={"x": 40, "y": 40})
    assert page.locator(".inside-bar").count() == 3
    before = page.locator(".inside-spot").inner_text()
    with closing_wire(visit) as wire:  # by a finger: what stands there now is another spot's

        def touched() -> str:
            box = canvas.bounding_box()  # anew each time: what comes in beside it may move it
            assert box
            point = {"x": box["x"] + box["width"] - 9, "y": box["y"] + box["height"] - 9}
            wire.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": [point]})
            wire.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
            return page.locator(".inside-spot").inner_text()

        wait_for(page, lambda: touched() != before)
    seen = page.locator(".inside-caption").inner_text()
    page.get_by_role("button", name="Those that look at words most").click()
    wait_for(page, lambda: page.locator(".inside-caption").inner_text() != seen)
    page.get_by_role("slider", name="Steps").press("End")
    wait_for(page, lambda: page.locator(".inside-foot output").inner_text() == "Step 3")
    panels.get_by_role("tab", name="Guidance").click()
    page.get_by_role("slider", name="Guidance").press("Home")
    wait_for(page, lambda: source(visit).endswith("-at-0.jpg"))
    panels.get_by_role("tab", name="Latents").click()
    wait_for(page, lambda: "48 to 1" in page.locator(".inside-body").inner_text())
    panels.get_by_role("tab", name="One step").click()
    with page.expect_download() as kept:
        page.get_by_role("button", name="Save as a page").click()
    saved = Path(kept.value.path()).read_text("utf-8")
    assert "6. The VAE" in saved and "data:image/jpeg;base64," in saved and "<script" not in saved and "http" not in saved
