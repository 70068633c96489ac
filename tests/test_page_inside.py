"""The Inside tab in a real browser, on a toy that really draws."""

from __future__ import annotations

import threading
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from models.library.catalog import Catalog
from models.memory.forecast import Machine
from pipelines.images.store import Inputs
from pipelines.runtime.runner import ModelRunner
from tests.support.page_fixtures import House, Visit, browser, free_port, house, opened, visit, wait_for
from tests.support.toy_weights import CPU, write_toy_model

pytestmark = pytest.mark.browser
__all__ = ["browser", "house", "open_house", "visit"]


class Draws(ModelRunner):
    """The real runner, with what the fixtures of pages set."""

    gate: threading.Semaphore | None = None
    step_seconds = 0.0


@pytest.fixture(scope="module")
def open_house(tmp_path_factory: pytest.TempPathFactory) -> Generator[House]:
    folder: Path = tmp_path_factory.mktemp("house")
    runner: Any = Draws(Catalog(write_toy_model(folder / "toy")), CPU, Machine(host=10**9), Inputs(folder / "none"))
    with opened(House(folder, free_port(), runner, tabs=("txt2img", "inside"))) as house:
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
