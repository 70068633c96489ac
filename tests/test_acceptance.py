"""The whole studio as a newcomer meets it: app.py on the starter model, and a real Chromium in front of it."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Generator
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Browser, expect

from pipelines import TextToImage
from pipelines.jobs.outputs import read
from tests.support.app_fixtures import RunningStudio, reading_of, running
from tests.support.page_fixtures import Visit, browser, visiting, wait_for

pytestmark = pytest.mark.browser
__all__ = ["browser", "running"]

PROMPT = "a red house on the left in the snow at night, with mountains"
COUNT_FRAMES = """() => {
  window.frames_seen = new Set();
  const preview = document.querySelector('[data-part=preview]');
  new MutationObserver(() => window.frames_seen.add(preview.src)).observe(preview, { attributes: true, attributeFilter: ['src'] });
}"""


@pytest.fixture
def visit(running: RunningStudio, browser: Browser) -> Generator[Visit]:
    with visiting(running, browser) as visit:  # type: ignore[arg-type]
        visit.page.set_default_timeout(120_000)
        yield visit
        assert visit.complaints == []
        assert visit.hosts <= {running.url.split("/")[2], "inline"}


def right_share(picture: Image.Image, prompt: str) -> float:
    from models.starter.recipe.captions import attributes_of
    from models.starter.recipe.judge import agreement

    right, total = agreement(reading_of(picture), attributes_of(prompt))
    return right / total


@pytest.mark.smoke
def test_the_prompt_is_watched_as_it_forms_into_a_picture_that_shows_just_that(visit: Visit) -> None:
    visit.generate("a ball")  # the first job also waits for torch and the model
    visit.finished()
    visit.page.evaluate(COUNT_FRAMES)
    visit.set("seed", "7")
    first = visit.part("picture").get_attribute("src")
    visit.generate(PROMPT)
    wait_for(visit.page, lambda: visit.part("frame").get_attribute("data-showing") != "picture", 60)
    wait_for(visit.page, lambda: visit.finished() != first, 120)
    assert visit.page.evaluate("window.frames_seen.size") >= 15
    with visit.page.expect_download() as downloading:
        visit.part("download").click()
        visit.part("ways").get_by_text("As it was saved").click()
    data = Path(downloading.value.path()).read_bytes()
    picture = Image.open(io.BytesIO(data))
    assert right_share(picture.convert("RGB"), PROMPT) == 1, "the judge sees the house, its colour, its place, snow, night and mountains"
    request = read(data)
    assert isinstance(request, TextToImage) and (request.prompt, request.seed) == (PROMPT, 7)
    assert "Seed: 7" in picture.info["parameters"] and json.loads(picture.info["atelier"])["made_with"]["Model"] == "Starter"


def test_the_same_settings_give_the_same_pixels(visit: Visit, running: RunningStudio) -> None:
    taken = []
    for _ in range(2):
        visit.set("seed", "11")
        visit.generate("a blue boat on the sea at day")
        wait_for(visit.page, lambda: visit.part("frame").get_attribute("data-showing") == "preview", 60)
        taken.append(visit.context.request.get(running.url + visit.finished()).body())
    assert timeless(taken[0]) == timeless(taken[1])


def timeless(data: bytes) -> tuple[bytes, dict[str, str]]:
    """The pixels of a picture and its texts, but for how long it took."""
    picture = Image.open(io.BytesIO(data))
    texts = {str(name): re.sub(r'"Drawing time": "[\d.]+ s"', "", str(text)) for name, text in picture.info.items()}
    assert texts["atelier"] != picture.info["atelier"]
    return picture.tobytes(), texts


def test_a_reload_in_mid_job_attaches_again_and_another_job_stops_within_a_step(visit: Visit) -> None:
    visit.unfold()
    visit.set("steps", "150")
    visit.set("width", "256")  # so that it takes longer than a reload on a busy machine
    visit.generate("a green tree")
    visit.wait_for_step(2)
    visit.reload()
    visit.wait_for_step(3)
    visit.part("stop").click()
    wait_for(visit.page, lambda: "Stopped" in (visit.part("status").text_content() or ""), 20)
    visit.unfold()
    visit.set("steps", "20")
    visit.set("width", "128")
    visit.generate("a yellow ball")
    visit.finished()


def test_a_word_that_the_starter_does_not_know_is_named(visit: Visit) -> None:
    visit.control("prompt").fill("an astronaut in the snow")
    expect(visit.page.locator("#txt2img-notes")).to_contain_text("does not know: astronaut")
